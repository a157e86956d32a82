/* hq/receipts.h: what a fake agent on a socket is told, and when it is told again. */
#include "hq_world.h"

#include "hq/receipts.h"
#include "valise/receipt/v1/receipt.pb-c.h"
#include "valise/v1/agent.pb-c.h"

#include <sys/socket.h>
#include <sys/un.h>

#define INTERVAL 1000
#define PATIENCE 30000

struct office {
	struct world world;
	struct sender sd, eg;
	struct vl_receipts *receipts;
	struct vl_clock clock;
	char path[100];
	int listener, fd; /* the fake agent's */
	int64_t now;
	uint64_t ids;
};

static struct vl_time hour(void *context)
{
	(void)context;
	return (struct vl_time){1700000000, 0};
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)stpcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void open_receipts(struct office *o)
{
	struct vl_receipts_options options = {o->world.store, o->path, INTERVAL, PATIENCE, &o->clock};

	assert_int_equal(vl_receipts_open(&options, &o->receipts, NULL), VL_OK);
	vl_apply_watch(o->world.applier, vl_receipts_due, o->receipts);
}

static int setup(void **state)
{
	struct office *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->sd = sender_new("CN-SD-EMB", 1);
	o->eg = sender_new("CN-EG-EMB", 2);
	struct sender both[] = {o->sd, o->eg};
	world_open(&o->world, both, 2);
	(void)snprintf(o->path, sizeof(o->path), "%s/s", o->world.dir);
	o->clock.now = hour;
	o->listener = listen_at(o->path);
	o->fd = -1;
	o->now = 1000000;
	open_receipts(o);
	*state = o;
	return 0;
}

static int teardown(void **state)
{
	struct office *o = *state;

	vl_receipts_close(o->receipts);
	if (o->fd >= 0)
		(void)close(o->fd);
	if (o->listener >= 0)
		(void)close(o->listener);
	vl_signer_close(o->sd.signer);
	vl_signer_close(o->eg.signer);
	world_close(&o->world);
	free(o);
	return 0;
}

static void work(struct office *o)
{
	vl_receipts_work(o->receipts, o->now);
}

static void apply(struct office *o, struct sender *sender)
{
	struct sent *sent = open_case(sender, ++o->ids, "SD-1", 1);

	bring(&o->world, sent);
	sent_free(sent);
}

/* What has come to the fake agent by now; false where nothing has. The caller frees it. */
static Valise__V1__PublishRequest *heard(struct office *o)
{
	uint8_t head[4], body[65536];

	if (o->fd < 0)
		o->fd = accept(o->listener, NULL, NULL);
	if (o->fd < 0 || recv(o->fd, head, 4, MSG_DONTWAIT) != 4)
		return NULL;
	size_t size = vl_get_be32(head);
	assert_in_range(size, 1, sizeof(body));
	assert_int_equal(recv(o->fd, body, size, MSG_DONTWAIT), size);
	Valise__V1__PublishRequest *request = valise__v1__publish_request__unpack(NULL, size, body);
	assert_non_null(request);
	return request;
}

#define FREE(request) valise__v1__publish_request__free_unpacked(request, NULL)

/* Answer a request; the events of the bits in `refused` with no. */
static void answer(struct office *o, const Valise__V1__PublishRequest *request, unsigned refused)
{
	struct vl_buf out = {0};

	(void)vl_buf_add(&out, 4);
	vl_wire_put_varint(&out, 1, request->tag);
	for (size_t i = 0; i < request->n_events; i++) {
		Valise__V1__PublishResult result = VALISE__V1__PUBLISH_RESULT__INIT;
		Valise__V1__Accepted accepted = VALISE__V1__ACCEPTED__INIT;
		Valise__V1__Refused no = VALISE__V1__REFUSED__INIT;
		struct vl_buf packed = {0};
		no.reason = (char *)"full";
		if (refused >> i & 1) {
			result.outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED;
			result.refused = &no;
		} else {
			result.outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
			result.accepted = &accepted;
		}
		vl_wire_pack(&result.base, &packed);
		vl_wire_put_bytes(&out, 2, packed.data, packed.size);
		vl_buf_free(&packed);
	}
	vl_put_be32(out.data, (uint32_t)(out.size - 4));
	assert_int_equal(send(o->fd, out.data, out.size, MSG_NOSIGNAL), out.size);
	vl_buf_free(&out);
}

static void expect(const Valise__V1__Event *event, const struct sender *sender)
{
	char subject[80];

	(void)snprintf(subject, sizeof(subject), "%s/" LANE, sender->id);
	assert_string_equal(event->subject, subject);
	assert_int_equal(event->id.len, 0);
	assert_string_equal(event->payload->type_url, TYPE_PREFIX "valise.receipt.v1.Applied");
	Valise__Receipt__V1__Applied *applied =
		valise__receipt__v1__applied__unpack(NULL, event->payload->value.len, event->payload->value.data);
	assert_non_null(applied);
	assert_string_equal(applied->mission, sender->id);
	assert_string_equal(applied->lane, LANE);
	assert_int_equal(applied->epoch, sender->epoch.n);
	assert_int_equal(applied->seq, sender->seq);
	assert_int_equal(applied->digest.len, 32);
	assert_memory_equal(applied->digest.data, sender->head.bytes, 32);
	valise__receipt__v1__applied__free_unpacked(applied, NULL);
}

/* The next request is exactly one receipt, for all that `sender` has sent. */
static void expect_one(struct office *o, const struct sender *sender, unsigned refused)
{
	work(o);
	Valise__V1__PublishRequest *request = heard(o);
	assert_non_null(request);
	assert_int_equal(request->n_events, 1);
	expect(request->events[0], sender);
	answer(o, request, refused);
	FREE(request);
	work(o);
}

static void expect_silence(struct office *o)
{
	work(o);
	assert_null(heard(o));
}

static void says_how_far_and_not_too_often(void **state)
{
	struct office *o = *state;

	expect_silence(o);
	apply(o, &o->sd);
	expect_one(o, &o->sd, 0);
	assert_int_equal(vl_receipts_waiting(o->receipts), 0);
	/* Three batches within the interval are one receipt, with the other mission's. */
	for (int i = 0; i < 3; i++)
		apply(o, &o->sd);
	apply(o, &o->eg);
	expect_silence(o);
	o->now += INTERVAL - 1;
	expect_silence(o);
	o->now++;
	work(o);
	Valise__V1__PublishRequest *request = heard(o);
	assert_non_null(request);
	assert_int_equal(request->n_events, 2);
	expect(request->events[0], &o->sd);
	expect(request->events[1], &o->eg);
	answer(o, request, 0);
	FREE(request);
	o->now += INTERVAL;
	expect_silence(o);
}

static void replays_are_answered_and_gaps_are_not(void **state)
{
	struct office *o = *state;
	struct sent *first = open_case(&o->sd, 1, "SD-1", 1);

	bring(&o->world, first);
	expect_one(o, &o->sd, 0);
	o->now += INTERVAL;
	expect_silence(o);
	bring(&o->world, first);
	expect_one(o, &o->sd, 0);
	sent_free(first);
	/* Behind a gap: it is not applied, so nothing is said until it is. */
	struct sent *second = open_case(&o->sd, 2, "SD-2", 1), *third = open_case(&o->sd, 3, "SD-3", 1);
	o->now += INTERVAL;
	bring(&o->world, third);
	expect_silence(o);
	bring(&o->world, second);
	expect_one(o, &o->sd, 0);
	sent_free(second);
	sent_free(third);
}

static void says_all_at_the_start(void **state)
{
	struct office *o = *state;

	apply(o, &o->sd);
	apply(o, &o->sd);
	vl_receipts_close(o->receipts);
	open_receipts(o);
	expect_one(o, &o->sd, 0);
}

static void says_again_what_was_refused(void **state)
{
	struct office *o = *state;

	apply(o, &o->sd);
	apply(o, &o->eg);
	work(o);
	Valise__V1__PublishRequest *request = heard(o);
	assert_non_null(request);
	answer(o, request, 2);
	FREE(request);
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(o->receipts), 1);
	for (int i = 0; i < 3; i++) {
		o->now += PATIENCE;
		expect_one(o, &o->eg, i < 2);
	}
	o->now += PATIENCE;
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(o->receipts), 0);
}

static void says_again_when_the_agent_goes(void **state)
{
	struct office *o = *state;

	for (int how = 0; how < 3; how++) {
		apply(o, &o->sd);
		o->now += PATIENCE;
		work(o);
		Valise__V1__PublishRequest *request = heard(o);
		assert_non_null(request);
		FREE(request);
		/* It goes, it says what is no answer, or it says nothing. */
		if (how == 0)
			(void)close(o->fd);
		else if (how == 1)
			assert_int_equal(send(o->fd, "\0\0\0\1\xff", 5, MSG_NOSIGNAL), 5);
		else
			o->now += PATIENCE + 1;
		work(o);
		if (how != 0)
			(void)close(o->fd);
		o->fd = -1;
		expect_silence(o);
		assert_int_equal(vl_receipts_waiting(o->receipts), 1);
		o->now += PATIENCE;
		expect_one(o, &o->sd, 0);
		assert_int_equal(vl_receipts_waiting(o->receipts), 0);
	}
}

static void waits_for_an_agent_that_is_not_there(void **state)
{
	struct office *o = *state;

	(void)close(o->listener);
	o->listener = -1;
	assert_int_equal(unlink(o->path), 0);
	apply(o, &o->sd);
	for (int i = 0; i < 20; i++) {
		work(o);
		o->now += 50;
	}
	assert_int_equal(vl_receipts_waiting(o->receipts), 1);
	o->listener = listen_at(o->path);
	o->now += PATIENCE;
	expect_one(o, &o->sd, 0);
}

static void without_a_socket_nothing_is_said(void **state)
{
	struct office *o = *state;

	vl_receipts_close(o->receipts);
	o->path[0] = '\0';
	open_receipts(o);
	apply(o, &o->sd);
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(o->receipts), 0);
}

/* Kafka lost the topic: the same offsets come again with other records, and are taken. */
static void rewinding_takes_new_records_and_drops_old_ones(void **state)
{
	struct office *o = *state;
	struct sent *first = open_case(&o->sd, 1, "SD-1", 1), *second = open_case(&o->sd, 2, "SD-2", 1);

	bring(&o->world, first);
	o->world.offset = 0;
	bring(&o->world, second);
	assert_int_equal(world_standing(&o->world, "CN-SD-EMB").batches, 1);
	assert_int_equal(vl_apply_rewind(o->world.applier, LANE, 0, 0, NULL), VL_OK);
	o->world.offset = 0;
	bring(&o->world, second);
	bring(&o->world, first);
	struct vl_standing standing = world_standing(&o->world, "CN-SD-EMB");
	assert_int_equal(standing.batches, 2);
	assert_int_equal(standing.replayed, 1);
	sent_free(first);
	sent_free(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_how_far_and_not_too_often),
		TEST(replays_are_answered_and_gaps_are_not),
		TEST(says_all_at_the_start),
		TEST(says_again_what_was_refused),
		TEST(says_again_when_the_agent_goes),
		TEST(waits_for_an_agent_that_is_not_there),
		TEST(without_a_socket_nothing_is_said),
		TEST(rewinding_takes_new_records_and_drops_old_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

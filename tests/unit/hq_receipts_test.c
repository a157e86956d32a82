/* hq/reply/receipts.h: what a fake agent on a socket is told, and when it is told again. */
#include "hq_fake_agent.h"

#include "hq/reply/receipts.h"
#include "valise/receipt/v1/receipt.pb-c.h"

#define INTERVAL 1000
#define PATIENCE 30000

static struct vl_receipts *receipts;
static uint64_t ids;

static void open_receipts(struct office *o)
{
	struct vl_receipts_options options = {o->world.store, o->agent.path, INTERVAL, PATIENCE,
					      &o->clock};

	assert_int_equal(vl_receipts_open(&options, &receipts, NULL), VL_OK);
	vl_apply_watch(o->world.applier, vl_receipts_due, receipts);
}

static int setup(void **state)
{
	(void)office_setup(state);
	ids = 0;
	open_receipts(*state);
	return 0;
}

static int teardown(void **state)
{
	vl_receipts_close(receipts);
	return office_teardown(state);
}

static void work(struct office *o)
{
	vl_receipts_work(receipts, o->now);
}

static void apply(struct office *o, struct sender *sender)
{
	bring(&o->world, open_case(sender, ++ids, "SD-1", 1));
}

static void check_applied(const Valise__Receipt__V1__Applied *applied, const struct sender *sender,
			  uint64_t suspended)
{
	assert_string_equal(applied->mission, "");
	assert_string_equal(applied->lane, LANE);
	assert_int_equal(applied->epoch, sender->epoch.n);
	assert_int_equal(applied->seq, sender->seq);
	assert_int_equal(applied->suspended, suspended);
	assert_int_equal(applied->digest.len, 32);
	assert_memory_equal(applied->digest.data, sender->head.bytes, 32);
}

static Valise__Receipt__V1__Receipt *read_receipt(const Valise__V1__Event *event,
						  const struct sender *sender)
{
	assert_string_equal(event->subject, sender->id);
	assert_int_equal(event->id.len, 0);
	assert_string_equal(event->payload->type_url, TYPE_PREFIX "valise.receipt.v1.Receipt");
	Valise__Receipt__V1__Receipt *receipt = valise__receipt__v1__receipt__unpack(
		NULL, event->payload->value.len, event->payload->value.data);
	assert_non_null(receipt);
	assert_string_equal(receipt->mission, sender->id);
	assert_true(receipt->n_applied > 0);
	return receipt;
}

/* What moved last comes first. */
static void expect_with(const Valise__V1__Event *event, const struct sender *sender,
			uint64_t suspended)
{
	Valise__Receipt__V1__Receipt *receipt = read_receipt(event, sender);

	check_applied(receipt->applied[0], sender, suspended);
	valise__receipt__v1__receipt__free_unpacked(receipt, NULL);
}

static void expect(const Valise__V1__Event *event, const struct sender *sender)
{
	expect_with(event, sender, 0);
}

/* The next request is exactly one receipt, for all that `sender` has sent. */
static void expect_one_with(struct office *o, const struct sender *sender, unsigned refused,
			    uint64_t suspended)
{
	work(o);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	assert_int_equal(request->n_events, 1);
	expect_with(request->events[0], sender, suspended);
	fake_answer(&o->agent, request, refused);
	FREE(request);
	work(o);
}

static void expect_one(struct office *o, const struct sender *sender, unsigned refused)
{
	expect_one_with(o, sender, refused, 0);
}

static void expect_silence(struct office *o)
{
	work(o);
	assert_null(fake_heard(&o->agent));
}

static void says_how_far_and_not_too_often(void **state)
{
	struct office *o = *state;

	expect_silence(o);
	apply(o, &o->sd);
	expect_one(o, &o->sd, 0);
	assert_int_equal(vl_receipts_waiting(receipts), 0);
	/* Three batches within the interval are one receipt, with the other mission's. */
	for (int i = 0; i < 3; i++)
		apply(o, &o->sd);
	apply(o, &o->eg);
	expect_silence(o);
	o->now += INTERVAL - 1;
	expect_silence(o);
	o->now++;
	work(o);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	assert_int_equal(request->n_events, 2);
	expect(request->events[0], &o->sd);
	expect(request->events[1], &o->eg);
	fake_answer(&o->agent, request, 0);
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
	/* Behind a gap: it is not applied, so nothing is said until it is. */
	struct sent *second = open_case(&o->sd, 2, "SD-2", 1),
		    *third = open_case(&o->sd, 3, "SD-3", 1);
	o->now += INTERVAL;
	bring(&o->world, third);
	expect_silence(o);
	bring(&o->world, second);
	expect_one(o, &o->sd, 0);
}

/* Each epoch is spoken of for itself, with the newest suspended one up to it. */
static void says_what_is_suspended(void **state)
{
	struct office *o = *state;
	struct sender clone = o->sd, applied, next;

	apply(o, &o->sd);
	expect_one(o, &o->sd, 0);
	applied = o->sd;
	o->now += INTERVAL;
	apply(o, &clone);
	expect_one_with(o, &applied, 0, 1000);
	o->now += INTERVAL;
	apply(o, &o->sd);
	expect_one_with(o, &applied, 0, 1000);
	next = applied;
	sender_begin_epoch(&next, 2000);
	o->now += INTERVAL;
	apply(o, &next);
	expect_one_with(o, &next, 0, 1000);
	/* Another epoch before it, begun later: it is told of, too, and of nothing suspended. */
	sender_begin_epoch(&next, 900);
	next.head = applied.head;
	o->now += INTERVAL;
	apply(o, &next);
	expect_one(o, &next, 0);
}

static void says_all_at_the_start(void **state)
{
	struct office *o = *state;

	apply(o, &o->sd);
	apply(o, &o->sd);
	vl_receipts_close(receipts);
	open_receipts(o);
	expect_one(o, &o->sd, 0);
}

/* One event, with all of the mission: each epoch that moved since the start, the newest ones of
 * too many. */
static void says_all_of_a_mission_at_once(void **state)
{
	struct office *o = *state;
	struct sender epochs[VL_RECEIPTS_EPOCHS + 1];

	for (size_t i = 0; i < VL_RECEIPTS_EPOCHS + 1; i++) {
		sender_begin_epoch(&o->sd, 2000 + i);
		apply(o, &o->sd);
		epochs[i] = o->sd;
	}
	work(o);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	assert_int_equal(request->n_events, 1);
	Valise__Receipt__V1__Receipt *receipt = read_receipt(request->events[0], &o->sd);
	assert_int_equal(receipt->n_applied, VL_RECEIPTS_EPOCHS);
	for (size_t i = 0; i < VL_RECEIPTS_EPOCHS; i++)
		check_applied(receipt->applied[i], &epochs[VL_RECEIPTS_EPOCHS - i], 0);
	valise__receipt__v1__receipt__free_unpacked(receipt, NULL);
	fake_answer(&o->agent, request, 0);
	FREE(request);
	work(o);
	/* One that moves again comes first, and the others stay. */
	o->now += INTERVAL;
	apply(o, &epochs[4]);
	work(o);
	request = fake_heard(&o->agent);
	assert_non_null(request);
	receipt = read_receipt(request->events[0], &o->sd);
	assert_int_equal(receipt->n_applied, VL_RECEIPTS_EPOCHS);
	check_applied(receipt->applied[0], &epochs[4], 0);
	check_applied(receipt->applied[1], &epochs[VL_RECEIPTS_EPOCHS], 0);
	valise__receipt__v1__receipt__free_unpacked(receipt, NULL);
	fake_answer(&o->agent, request, 0);
	FREE(request);
}

/* What became due on its way is said once more, and what was said is never said again by itself. */
static void what_moves_on_its_way_is_said_again(void **state)
{
	struct office *o = *state;

	apply(o, &o->sd);
	work(o);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	apply(o, &o->sd);
	fake_answer(&o->agent, request, 0);
	FREE(request);
	o->now += INTERVAL;
	expect_one(o, &o->sd, 0);
	o->now += (int64_t)365 * 86400000;
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(receipts), 0);
}

static void says_again_what_was_refused(void **state)
{
	struct office *o = *state;

	apply(o, &o->sd);
	apply(o, &o->eg);
	work(o);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	fake_answer(&o->agent, request, 2);
	FREE(request);
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(receipts), 1);
	for (int i = 0; i < 3; i++) {
		o->now += PATIENCE;
		expect_one(o, &o->eg, i < 2);
	}
	o->now += PATIENCE;
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(receipts), 0);
}

static void says_again_when_the_agent_goes(void **state)
{
	struct office *o = *state;

	for (int how = 0; how < 3; how++) {
		apply(o, &o->sd);
		o->now += PATIENCE;
		work(o);
		Valise__V1__PublishRequest *request = fake_heard(&o->agent);
		assert_non_null(request);
		FREE(request);
		/* It goes, it says what is no answer, or it says nothing. */
		if (how == 0)
			(void)close(o->agent.fd);
		else if (how == 1)
			assert_int_equal(send(o->agent.fd, "\0\0\0\1\xff", 5, MSG_NOSIGNAL), 5);
		else
			o->now += PATIENCE + 1;
		work(o);
		if (how != 0)
			(void)close(o->agent.fd);
		o->agent.fd = -1;
		expect_silence(o);
		assert_int_equal(vl_receipts_waiting(receipts), 1);
		o->now += PATIENCE;
		expect_one(o, &o->sd, 0);
		assert_int_equal(vl_receipts_waiting(receipts), 0);
	}
}

static void waits_for_an_agent_that_is_not_there(void **state)
{
	struct office *o = *state;

	(void)close(o->agent.listener);
	o->agent.listener = -1;
	assert_int_equal(unlink(o->agent.path), 0);
	apply(o, &o->sd);
	for (int i = 0; i < 20; i++) {
		work(o);
		o->now += 50;
	}
	assert_int_equal(vl_receipts_waiting(receipts), 1);
	fake_open(&o->agent);
	o->now += PATIENCE;
	expect_one(o, &o->sd, 0);
}

static void without_a_socket_nothing_is_said(void **state)
{
	struct office *o = *state;

	vl_receipts_close(receipts);
	o->agent.path[0] = '\0';
	open_receipts(o);
	apply(o, &o->sd);
	expect_silence(o);
	assert_int_equal(vl_receipts_waiting(receipts), 0);
}

/* Kafka lost the topic: the same offsets come again with other records, and are taken. */
static void rewinding_takes_new_records_and_drops_old_ones(void **state)
{
	struct office *o = *state;
	struct sent *first = open_case(&o->sd, 1, "SD-1", 1),
		    *second = open_case(&o->sd, 2, "SD-2", 1);

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
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_how_far_and_not_too_often),
		TEST(replays_are_answered_and_gaps_are_not),
		TEST(says_what_is_suspended),
		TEST(says_all_at_the_start),
		TEST(says_all_of_a_mission_at_once),
		TEST(what_moves_on_its_way_is_said_again),
		TEST(says_again_what_was_refused),
		TEST(says_again_when_the_agent_goes),
		TEST(waits_for_an_agent_that_is_not_there),
		TEST(without_a_socket_nothing_is_said),
		TEST(rewinding_takes_new_records_and_drops_old_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

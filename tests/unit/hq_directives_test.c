/* hq/reply/directives.h: a gap is asked for with the right numbers, less and less often, and
 * forgotten when it closes. */
#include "hq_fake_agent.h"

#include "hq/ledger/passed.h"
#include "hq/reply/directives.h"
#include "valise/directive/v1/directive.pb-c.h"

#define AFTER 5000
#define PATIENCE 30000
#define BATCHES 12

static struct vl_directives *directives;
static struct sent *batches[BATCHES + 1];

/* Whether the lane was read to its end. */
static bool lane_read = true;

static bool is_read(void *context, const char *lane, int64_t since)
{
	(void)since;
	assert_string_equal(lane, LANE);
	return *(const bool *)context;
}

static void open_directives(struct office *o)
{
	struct vl_directives_options options = {.store = o->world.store,
						.socket = o->agent.path,
						.after_ms = AFTER,
						.patience_ms = PATIENCE,
						.clock = &o->clock,
						.read = is_read,
						.context = &lane_read};

	assert_int_equal(vl_directives_open(&options, &directives, NULL), VL_OK);
}

static int setup(void **state)
{
	(void)office_setup(state);
	struct office *o = *state;
	for (unsigned i = 1; i <= BATCHES; i++)
		batches[i] = open_case(&o->sd, i, "SD-1", 1);
	open_directives(o);
	return 0;
}

static int teardown(void **state)
{
	vl_directives_close(directives);
	return office_teardown(state);
}

static void bring_range(struct office *o, unsigned from, unsigned to)
{
	for (unsigned i = from; i <= to; i++)
		bring(&o->world, batches[i]);
}

static void expect_silence(struct office *o, int64_t during)
{
	for (int64_t until = o->now + during; o->now < until; o->now += VL_DIRECTIVES_LOOK_MS) {
		vl_directives_work(directives, o->now);
		assert_null(fake_heard(&o->agent));
	}
}

static void expect_resend(const Valise__V1__Event *event, const char *mission, uint64_t from,
			  uint64_t to)
{
	char subject[80];

	(void)snprintf(subject, sizeof(subject), "%s/" LANE, mission);
	assert_string_equal(event->subject, subject);
	assert_int_equal(event->id.len, 0);
	assert_string_equal(event->payload->type_url, TYPE_PREFIX "valise.directive.v1.Resend");
	Valise__Directive__V1__Resend *resend = valise__directive__v1__resend__unpack(
		NULL, event->payload->value.len, event->payload->value.data);
	assert_non_null(resend);
	assert_string_equal(resend->mission, mission);
	assert_string_equal(resend->lane, LANE);
	assert_int_equal(resend->epoch, from == 1 ? 0 : 1000);
	assert_int_equal(resend->from_seq, from);
	assert_int_equal(resend->to_seq, to);
	valise__directive__v1__resend__free_unpacked(resend, NULL);
}

/* The next request, now, is one directive. */
static void expect_one(struct office *o, uint64_t from, uint64_t to, unsigned refused)
{
	vl_directives_work(directives, o->now);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	assert_int_equal(request->n_events, 1);
	expect_resend(request->events[0], "CN-SD-EMB", from, to);
	fake_answer(&o->agent, request, refused);
	FREE(request);
	vl_directives_work(directives, o->now);
	assert_null(fake_heard(&o->agent));
}

static void a_gap_that_stands_is_asked_for_less_and_less_often(void **state)
{
	struct office *o = *state;
	int64_t pause = AFTER;

	bring_range(o, 1, 3);
	expect_silence(o, AFTER * 3);
	bring_range(o, 6, 7);
	for (int i = 0; i < 12; i++) {
		expect_silence(o, pause);
		expect_one(o, 4, 5, 0);
		pause = pause * 2 < VL_DIRECTIVES_MAX_MS ? pause * 2 : VL_DIRECTIVES_MAX_MS;
	}
	assert_int_equal(pause, VL_DIRECTIVES_MAX_MS);
	bring_range(o, 4, 5);
	expect_silence(o, pause * 3);
	/* A new gap begins anew. */
	bring_range(o, 9, 9);
	expect_silence(o, AFTER);
	expect_one(o, 8, 8, 0);
}

static void a_gap_that_moves_has_its_time_again(void **state)
{
	struct office *o = *state;

	bring_range(o, 7, 8);
	expect_silence(o, AFTER);
	expect_one(o, 1, 0, 0);
	/* One at a time, each well before the pause is over: nothing is asked for. */
	for (unsigned i = 1; i <= 4; i++) {
		expect_silence(o, AFTER);
		bring_range(o, i, i);
	}
	expect_silence(o, 2 * AFTER);
	expect_one(o, 5, 6, 0);
	bring_range(o, 5, 6);
	expect_silence(o, 10 * AFTER);
}

static void a_gap_that_closes_soon_is_not_asked_for(void **state)
{
	struct office *o = *state;

	bring_range(o, 2, 3);
	expect_silence(o, AFTER - VL_DIRECTIVES_LOOK_MS);
	bring_range(o, 1, 1);
	expect_silence(o, 10 * AFTER);
}

/* Whatever was passed over is looked for in Kafka, which has lost it. */
static void look_in_vain(struct office *o)
{
	struct vl_pass pass = {.end = 0};
	uint64_t applied;
	struct vl_txn *txn = vl_txn_begin(o->world.store, true, NULL);

	assert_true(vl_passed_next(txn, &(struct vl_key){.size = 0}, false, NULL, NULL, &pass));
	vl_passed_begin(txn, &pass);
	assert_true(vl_passed_reached(txn, &pass, pass.end, &applied));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

static void what_had_no_room_is_asked_for_after_the_gap(void **state)
{
	struct office *o = *state;

	vl_apply_bound(o->world.applier, &(struct vl_parked_bounds){2, 1 << 20, 1 << 20});
	bring_range(o, 1, 2);
	bring_range(o, 4, 11);
	expect_silence(o, AFTER);
	expect_one(o, 3, 3, 0);
	bring_range(o, 3, 3);
	expect_silence(o, 10 * AFTER);
	look_in_vain(o);
	/* since it was last seen to lie in Kafka */
	expect_silence(o, 2 * AFTER - VL_DIRECTIVES_LOOK_MS);
	expect_one(o, 6, 11, 0);
	bring_range(o, 6, 11);
	expect_silence(o, 10 * AFTER);
	assert_int_equal(world_standing(&o->world, "CN-SD-EMB").batches, 11);
	assert_int_equal(world_standing(&o->world, "CN-SD-EMB").dropped, 0);
}

static void nothing_is_asked_for_that_was_not_read_yet(void **state)
{
	struct office *o = *state;

	lane_read = false;
	bring_range(o, 1, 1);
	bring_range(o, 3, 3);
	expect_silence(o, 10 * AFTER);
	lane_read = true;
	expect_one(o, 2, 2, 0);
}

static void gaps_that_stand_at_the_start_are_asked_for(void **state)
{
	struct office *o = *state;
	struct sender ahead = o->eg;

	ahead.seq = 2;
	bring(&o->world, open_case(&ahead, 100, "EG-1", 1));
	bring_range(o, 3, 4);
	expect_silence(o, AFTER);
	vl_directives_close(directives);
	open_directives(o);
	expect_silence(o, AFTER);
	vl_directives_work(directives, o->now);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	assert_int_equal(request->n_events, 2);
	expect_resend(request->events[0], "CN-EG-EMB", 1, 0);
	expect_resend(request->events[1], "CN-SD-EMB", 1, 0);
	fake_answer(&o->agent, request, 0);
	FREE(request);
	expect_silence(o, AFTER);
}

/* It is asked for as soon as the agent takes it, with the numbers of then. */
static void an_agent_that_refuses_or_goes_is_asked_again(void **state)
{
	struct office *o = *state;

	bring_range(o, 4, 4);
	expect_silence(o, AFTER);
	expect_one(o, 1, 0, 1);
	o->now += PATIENCE;
	vl_directives_work(directives, o->now);
	Valise__V1__PublishRequest *request = fake_heard(&o->agent);
	assert_non_null(request);
	FREE(request);
	(void)close(o->agent.fd);
	o->agent.fd = -1;
	vl_directives_work(directives, o->now);
	assert_null(fake_heard(&o->agent));
	/* It closes while nobody has answered for it. */
	bring_range(o, 1, 3);
	expect_silence(o, 10 * PATIENCE);
	bring_range(o, 6, 6);
	expect_silence(o, AFTER);
	expect_one(o, 5, 5, 0);
}

/* The end of what Kafka had is missing: nothing shows it but a pulse, and then it is asked for
 * at once, without the time that a gap has to close by itself. */
static void a_cut_tail_is_asked_for_at_once(void **state)
{
	struct office *o = *state;
	struct vl_key key = {0};
	uint8_t value[16];

	bring_range(o, 1, 3);
	expect_silence(o, AFTER * 3);
	vl_key_text(&key, "CN-SD-EMB");
	vl_key_text(&key, LANE);
	vl_put_be64(value, 1000);
	vl_put_be64(value + 8, 6);
	struct vl_txn *txn = vl_txn_begin(o->world.store, true, NULL);
	vl_txn_put(txn, VL_DB_MISSING, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	o->now += VL_DIRECTIVES_LOOK_MS;
	expect_one(o, 4, 6, 0);
	expect_silence(o, 900);
	bring_range(o, 4, 6);
	expect_silence(o, 10 * AFTER);
}

static void without_an_agent_nothing_is_asked_for(void **state)
{
	struct office *o = *state;

	vl_directives_close(directives);
	o->agent.path[0] = '\0';
	open_directives(o);
	bring_range(o, 4, 4);
	expect_silence(o, 10 * AFTER);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_gap_that_stands_is_asked_for_less_and_less_often),
		TEST(a_gap_that_moves_has_its_time_again),
		TEST(a_gap_that_closes_soon_is_not_asked_for),
		TEST(what_had_no_room_is_asked_for_after_the_gap),
		TEST(nothing_is_asked_for_that_was_not_read_yet),
		TEST(gaps_that_stand_at_the_start_are_asked_for),
		TEST(an_agent_that_refuses_or_goes_is_asked_again),
		TEST(a_cut_tail_is_asked_for_at_once),
		TEST(without_an_agent_nothing_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

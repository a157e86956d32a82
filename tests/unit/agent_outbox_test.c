/* agent/outbox/outbox.h: what is accepted is kept once, numbered without gaps, chained and
 * signed; and what is refused is not. */
#include "agent_audit.h"

static void accepts_and_keeps(void **state)
{
	struct world *world = *state;

	world_open(world);
	struct vl_accepted first = world_accept(world, 1, CASE_TYPE, 10),
			   second = world_accept(world, 2, CASE_TYPE, 10);
	assert_string_equal(first.lane, CASE_LANE);
	assert_int_equal(first.epoch.n, NOW);
	assert_int_equal(first.event.n, 1);
	assert_false(first.duplicate);
	assert_int_equal(second.event.n, 2);
	world_reopen(world);
	assert_false(vl_outbox_rekeyed(world->outbox));
	struct vl_accepted third = world_accept(world, 3, CASE_TYPE, 10);
	assert_int_equal(third.event.n, 3);
	assert_int_equal(third.epoch.n, NOW);
	struct audit found = audit(world);
	assert_int_equal(found.batches, 3);
	assert_int_equal(found.events, 3);
	assert_int_equal(found.lanes, 1);
}

static void one_batch_per_lane_and_commit(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (uint64_t n = 1; n <= 20; n++) {
		assert_int_equal(
			world_offer(world, n, n % 2 ? CASE_TYPE : FLASH_TYPE, 10, &accepted),
			VL_OK);
		assert_int_equal(accepted.event.n, (n + 1) / 2);
		assert_string_equal(accepted.lane, n % 2 ? CASE_LANE : FLASH_LANE);
	}
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	struct audit found = audit(world);
	assert_int_equal(found.batches, 2);
	assert_int_equal(found.events, 20);
	assert_int_equal(found.lanes, 2);
}

static void gives_ids_and_keeps_the_bytes(void **state)
{
	struct world *world = *state;
	struct vl_buf buf = {0};
	struct vl_outbox_batch kept = {0};
	struct vl_batch batch;
	struct vl_event event;

	world_open(world);
	struct vl_accepted a = world_accept(world, 0, CASE_TYPE, 10),
			   b = world_accept(world, 0, CASE_TYPE, 10);
	assert_memory_not_equal(a.id.bytes, b.id.bytes, 16);
	assert_int_equal(a.id.bytes[6] >> 4, 7);
	struct vl_bytes sent = world_event(&buf, 0, CASE_TYPE, 10);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	assert_true(vl_outbox_each(look, &kept));
	assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
	assert_int_equal(vl_event_read(batch.events[0], &event, NULL), VL_OK);
	assert_memory_equal(event.id.data, a.id.bytes, 16);
	assert_int_equal(batch.events[0].size, sent.size + 18);
	assert_memory_equal(batch.events[0].data + 18, sent.data, sent.size);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
	vl_buf_free(&buf);
	assert_int_equal(audit(world).events, 2);
}

static void same_id_is_one_event(void **state)
{
	struct world *world = *state;
	struct vl_accepted first, again;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 7, CASE_TYPE, 10, &first), VL_OK);
	assert_int_equal(world_offer(world, 8, CASE_TYPE, 10, &again), VL_OK);
	assert_int_equal(world_offer(world, 7, CASE_TYPE, 10, &again), VL_OK);
	assert_true(again.duplicate);
	assert_int_equal(again.event.n, first.event.n);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);

	/* In a later commit, and in a later life. */
	again = world_accept(world, 7, CASE_TYPE, 10);
	assert_true(again.duplicate);
	world_reopen(world);
	world->now.seconds += 1000;
	again = world_accept(world, 7, CASE_TYPE, 10);
	assert_true(again.duplicate);
	assert_string_equal(again.lane, CASE_LANE);
	assert_int_equal(again.epoch.n, first.epoch.n);
	assert_int_equal(again.event.n, first.event.n);
	assert_int_equal(audit(world).events, 2);
}

static enum vl_err offer(struct world *world, const struct fixture_event *event,
			 struct vl_accepted *accepted, struct vl_why *why)
{
	struct vl_buf buf = {0};

	fixture_put_event(&buf, event);
	enum vl_err err = vl_outbox_accept(world->outbox, vl_buf_bytes(&buf), accepted, why);
	vl_buf_free(&buf);
	return err;
}

/* The parts by which an event is another one though its id is the same; a later occurred_at
 * alone makes it no other. */
static void an_id_is_one_event_s(void **state)
{
	struct world *world = *state;
	struct fixture_event event = fixture_event();
	struct vl_accepted accepted;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(offer(world, &event, &accepted, NULL), VL_OK);
	for (int life = 0; life < 3; life++) {
		struct fixture_event others[] = {event, event, event, event, event};
		others[0].subject = BYTES("CN-SD-2023-000173");
		others[1].actor = BYTES("officer:other");
		others[2].after = BYTES("0123456789abcdef");
		others[3].payload = BYTES("\xc0\x3e\x05");
		others[4].url = BYTES("type.googleapis.com/consular.alert.v1.AlertDrafted");
		others[4].payload = BYTES("");
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			struct vl_why why = {0};
			assert_int_equal(offer(world, &others[i], &accepted, &why), VL_ERR_INVALID);
			assert_non_null(strstr(why.text,
					       "id: is that of another event, number 1 of epoch"));
			assert_non_null(strstr(why.text, CASE_LANE));
			assert_false(vl_outbox_failed(world->outbox));
		}
		struct fixture_event later = event;
		later.time = BYTES("\x08\xa1\xc2\x9a\xa2\x06");
		later.url = BYTES("example.org/consular.case.v1.CaseOpened");
		assert_int_equal(offer(world, &later, &accepted, NULL), VL_OK);
		assert_true(accepted.duplicate);
		/* In the same commit, in a later one, in a later life. */
		assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
		if (life == 1)
			world_reopen(world);
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	}
	vl_outbox_abort(world->outbox);
	assert_int_equal(audit(world).events, 1);
}

static void closes_batches_at_the_limit(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	struct vl_accepted accepted;

	options.batch_bytes = 4096;
	world_open_with(world, &options);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (uint64_t n = 1; n <= 100; n++)
		assert_int_equal(world_offer(world, n, CASE_TYPE, 200, &accepted), VL_OK);
	assert_int_equal(accepted.event.n, 100);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	struct audit found = audit(world);
	assert_int_equal(found.events, 100);
	assert_in_range(found.batches, 8, 12);
	assert_in_range(found.biggest, 3500, 4096);
}

static size_t biggest_on(struct world *world, uint64_t rate, uint64_t *n)
{
	struct vl_accepted accepted;

	if (rate > 0)
		vl_outbox_set_line(world->outbox, rate);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (int i = 0; i < 400; i++)
		assert_int_equal(world_offer(world, ++*n, CASE_TYPE, 1000, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	return audit(world).biggest;
}

static void batches_fit_the_line(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	uint64_t n = 0;

	options.batch_bytes = (size_t)256 << 10;
	world_open_with(world, &options);
	vl_outbox_set_line(world->outbox, 1);
	assert_in_range(biggest_on(world, 1, &n), 14000, 16384);
	assert_in_range(biggest_on(world, 15000, &n), 28000, 30000);
	vl_outbox_close(world->outbox);
	world->outbox = NULL;
	/* Nothing is known at first. */
	world_open_with(world, &options);
	assert_in_range(biggest_on(world, 0, &n), 62000, 65536);
	assert_in_range(biggest_on(world, UINT64_C(1) << 40, &n), 254000, 262144);
}

static void a_big_event_travels_alone(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 1, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(world_offer(world, 2, CASE_TYPE, 899000, &accepted), VL_OK);
	assert_int_equal(world_offer(world, 3, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(world_offer(world, 4, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	struct audit found = audit(world);
	assert_int_equal(found.batches, 3);
	assert_int_equal(found.events, 4);
}

static void refuses_alone_what_is_wrong(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	struct vl_why why = {0};

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 1, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(world_offer(world, 2, "consular.case.v1.NoSuchThing", 10, &accepted),
			 VL_ERR_UNKNOWN_TYPE);
	assert_int_equal(world_offer(world, 3, CASE_TYPE, 900000, &accepted), VL_ERR_TOO_LARGE);
	assert_int_equal(vl_outbox_accept(world->outbox, BYTES("\xff\xff"), &accepted, &why),
			 VL_ERR_MALFORMED);
	assert_false(vl_outbox_failed(world->outbox));
	/* An id that is there and empty would make the field twice once one is given. */
	vl_wire_put_bytes(&buf, 1, "", 0);
	struct vl_buf rest = {0};
	struct vl_bytes event = world_event(&rest, 0, CASE_TYPE, 10);
	vl_buf_put(&buf, event.data, event.size);
	assert_int_equal(vl_outbox_accept(world->outbox, vl_buf_bytes(&buf), &accepted, &why),
			 VL_ERR_INVALID);
	assert_non_null(strstr(why.text, "id"));
	assert_int_equal(world_offer(world, 4, CASE_TYPE, 10, &accepted), VL_OK);
	assert_int_equal(accepted.event.n, 2);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(audit(world).events, 2);
	vl_buf_free(&buf);
	vl_buf_free(&rest);
}

/* An event of exactly the most bytes, whose id is yet to be put in front. */
static void counts_the_id_it_gives(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	size_t size = world_event(&buf, 0, CASE_TYPE, 890000).size,
	       extra = VL_EVENT_MAX - size + 890000;

	assert_int_equal(world_event(&buf, 0, CASE_TYPE, extra).size, VL_EVENT_MAX);
	vl_buf_free(&buf);
	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 0, CASE_TYPE, extra, &accepted), VL_ERR_TOO_LARGE);
	assert_int_equal(world_offer(world, 0, CASE_TYPE, extra - 18, &accepted), VL_OK);
	assert_int_equal(world_offer(world, 9, CASE_TYPE, extra - 18, &accepted), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(audit(world).events, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(accepts_and_keeps),
		TEST(one_batch_per_lane_and_commit),
		TEST(gives_ids_and_keeps_the_bytes),
		TEST(same_id_is_one_event),
		TEST(an_id_is_one_event_s),
		TEST(closes_batches_at_the_limit),
		TEST(batches_fit_the_line),
		TEST(a_big_event_travels_alone),
		TEST(refuses_alone_what_is_wrong),
		TEST(counts_the_id_it_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

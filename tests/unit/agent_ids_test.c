/* agent/outbox/outbox_ids.c: ids of applied events are let go in time, and none that may still be
 * needed here. */
#include "agent_fixture.h"

#include "agent/outbox/outbox_rows.h"

#define SPAN 20

static void open_with_span(struct world *world)
{
	struct vl_outbox_options options = world_options(world);

	options.ids = SPAN;
	world_open_with(world, &options);
}

/* Headquarters has applied all that is there; freeing goes on until there is nothing more to do,
 * each step twice. */
static void apply_all(struct world *world)
{
	struct vl_outbox_receipt receipt = {.lane = CASE_LANE};
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);

	vl_outbox_head(look, CASE_LANE, &receipt.epoch, &receipt.seq, &receipt.digest);
	vl_outbox_look_end(look);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_free(world->outbox, &receipt), VL_OUTBOX_FREED);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	for (int i = 0; vl_outbox_freeing(world->outbox); i++) {
		assert_true(i < 100);
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		vl_outbox_free_some(world->outbox);
		if (i % 2 == 0)
			vl_outbox_abort(world->outbox);
		else
			assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	}
}

static bool offer(struct world *world, uint64_t n)
{
	return world_accept(world, n, CASE_TYPE, 10).duplicate;
}

static uint64_t count_ids(struct world *world)
{
	struct vl_store_options options = {.path = world->path,
					   .dbs = vl_outbox_dbs,
					   .unchecked = VL_OUTBOX_UNCHECKED,
					   .read_only = true};
	struct vl_store *store;

	world_close(world);
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, false, NULL);
	uint64_t n = vl_txn_count(txn, EVENT);
	vl_txn_abort(txn);
	vl_store_close(store);
	open_with_span(world);
	return n;
}

/* Never fewer than a span, never more than two and what came in one go. */
static void so_many_are_known(void **state)
{
	struct world *world = *state;

	open_with_span(world);
	for (uint64_t n = 1; n <= 200; n++) {
		assert_false(offer(world, n));
		if (n % 5 != 0)
			continue;
		apply_all(world);
		assert_in_range(count_ids(world), n < SPAN ? n : SPAN, 2 * SPAN + 5);
		assert_true(offer(world, n > SPAN ? n - SPAN + 1 : 1));
	}
	/* Headquarters would say of this one that it has it. */
	assert_false(offer(world, 1));
	assert_true(offer(world, 1));
}

/* What waits for headquarters is known, however much it is. */
static void what_is_not_applied_stays_known(void **state)
{
	struct world *world = *state;

	open_with_span(world);
	(void)offer(world, 1);
	apply_all(world);
	for (uint64_t n = 2; n <= 100; n++)
		assert_false(offer(world, n));
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_free_some(world->outbox);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(count_ids(world), 100);
	for (uint64_t n = 1; n <= 100; n++)
		assert_true(offer(world, n));
	/* Applied, they are no more than a span old: the next ones let them go. */
	apply_all(world);
	for (uint64_t n = 101; n <= 130; n++)
		assert_false(offer(world, n));
	apply_all(world);
	assert_in_range(count_ids(world), SPAN, 2 * SPAN + 30);
}

static void so_long_they_are_known(void **state)
{
	struct world *world = *state;

	open_with_span(world);
	for (uint64_t n = 1; n <= 5; n++)
		(void)offer(world, n);
	apply_all(world);
	world->now.seconds += 14 * 24 * 3600;
	(void)offer(world, 6);
	apply_all(world);
	assert_int_equal(count_ids(world), 6);
	world->now.seconds += 2 * 24 * 3600;
	(void)offer(world, 7);
	apply_all(world);
	/* The first five were there when it was noted; a new note is made. */
	assert_in_range(count_ids(world), 2, 7);
	world->now.seconds += 16 * 24 * 3600;
	(void)offer(world, 8);
	apply_all(world);
	assert_in_range(count_ids(world), 1, 2);
	assert_false(offer(world, 6));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(so_many_are_known),
		TEST(what_is_not_applied_stays_known),
		TEST(so_long_they_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

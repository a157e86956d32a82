/* agent/outbox/outbox.h: transactions that are aborted, overlap or fail, and what is left of
 * each. */
#include "agent_audit.h"

#include <signal.h>
#include <sys/resource.h>

static void aborting_burns_nothing(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	(void)world_accept(world, 1, CASE_TYPE, 10);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		assert_int_equal(world_offer(world, 2, CASE_TYPE, 10, &accepted), VL_OK);
		assert_false(accepted.duplicate);
		assert_int_equal(accepted.event.n, 2);
		assert_int_equal(world_offer(world, 3, FLASH_TYPE, 10, &accepted), VL_OK);
		vl_outbox_abort(world->outbox);
	}
	accepted = world_accept(world, 2, CASE_TYPE, 10);
	assert_false(accepted.duplicate);
	assert_int_equal(accepted.event.n, 2);
	accepted = world_accept(world, 4, FLASH_TYPE, 10);
	assert_int_equal(accepted.event.n, 1);
	struct audit found = audit(world);
	assert_int_equal(found.events, 3);
	assert_int_equal(found.batches, 3);
}

/* What the n-th event of the test below is. */
static const char *nth_type(uint64_t n)
{
	return (n - 1) % 3 != 0 ? CASE_TYPE : FLASH_TYPE;
}

/* The next transaction is filled while the one before is stored: numbers run on, ids are known,
 * everything is chained. */
static void fills_one_while_another_flies(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	uint64_t n = 0;

	options.batch_bytes = 2000;
	world_open_with(world, &options);
	for (int round = 0; round < 50; round++) {
		struct vl_accepted accepted;
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		for (int i = 0; i < 30; i++) {
			n++;
			assert_int_equal(world_offer(world, n, nth_type(n), 100, &accepted), VL_OK);
			assert_false(accepted.duplicate);
		}
		/* Of this round, of the one that flies, and of one long on the disk. */
		for (uint64_t back = 1; back < n; back += 29) {
			assert_int_equal(
				world_offer(world, n - back, nth_type(n - back), 100, &accepted),
				VL_OK);
			assert_true(accepted.duplicate);
		}
		assert_int_equal(vl_outbox_land(world->outbox, NULL), VL_OK);
		assert_false(vl_outbox_flying(world->outbox));
		uint64_t old = n - 40 > n ? 1 : n - 40;
		assert_int_equal(world_offer(world, old, nth_type(old), 100, &accepted), VL_OK);
		assert_true(accepted.duplicate || round == 0);
		n += !accepted.duplicate;
		if (round % 7 == 6)
			assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
		else
			assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
		if (round % 10 == 9) {
			vl_outbox_abort(world->outbox);
			assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
			assert_int_equal(world_offer(world, 900000, CASE_TYPE, 100, &accepted),
					 VL_OK);
			assert_false(accepted.duplicate);
			vl_outbox_abort(world->outbox);
		}
	}
	assert_int_equal(vl_outbox_land(world->outbox, NULL), VL_OK);
	assert_int_equal(audit(world).events, 1500);
	world_reopen(world);
	assert_int_equal(world_accept(world, 0, CASE_TYPE, 1).event.n, 1001);
	assert_int_equal(audit(world).events, 1501);
}

/* The disk fails under the one that flies: it and the one begun meanwhile are gone, and nothing
 * else. */
static void what_flies_may_fail(void **state)
{
	struct world *world = *state;
	struct rlimit before, now;
	struct vl_accepted accepted;
	struct vl_why why = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	world_open(world);
	for (uint64_t n = 1; n <= 3; n++)
		(void)world_accept(world, n, CASE_TYPE, 10);
	now = before;
	now.rlim_cur = 60000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	for (uint64_t n = 4; n <= 60; n++)
		assert_int_equal(world_offer(world, n, CASE_TYPE, 5000, &accepted), VL_OK);
	assert_int_equal(vl_outbox_submit(world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(world_offer(world, 61, CASE_TYPE, 5000, &accepted), VL_OK);
	assert_int_equal(accepted.event.n, 61);
	assert_int_equal(vl_outbox_land(world->outbox, &why), VL_ERR_OUTCOME_UNKNOWN);
	assert_true(why.text[0] != '\0');
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(vl_outbox_failed(world->outbox));
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_ERR_OUTCOME_UNKNOWN);
	world_reopen(world);
	accepted = world_accept(world, 4, CASE_TYPE, 10);
	assert_false(accepted.duplicate);
	assert_int_equal(accepted.event.n, 4);
	assert_int_equal(audit(world).events, 4);
}

/* Random work with random ends, and then everything is there that was said to be, once. */
static void random_work_keeps_its_promises(void **state)
{
	struct world *world = *state;
	uint64_t seed = fixture_seed();
	static bool promised[2000];
	unsigned kept = 0;

	memset(promised, 0, sizeof(promised));
	world_open(world);
	for (int round = 0; round < 300; round++) {
		uint64_t ids[16];
		unsigned count = (unsigned)(fixture_next(&seed) % 16);
		assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
		for (unsigned i = 0; i < count; i++) {
			struct vl_accepted accepted;
			ids[i] = 1 + fixture_next(&seed) % 1999;
			bool again = promised[ids[i]];
			for (unsigned j = 0; j < i; j++)
				again |= ids[j] == ids[i];
			assert_int_equal(world_offer(world, ids[i],
						     ids[i] % 3 ? CASE_TYPE : FLASH_TYPE,
						     ids[i] * 7919 % 9000, &accepted),
					 VL_OK);
			assert_int_equal(accepted.duplicate, again);
		}
		if (fixture_next(&seed) % 4 == 0) {
			vl_outbox_abort(world->outbox);
		} else {
			assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
			for (unsigned i = 0; i < count; i++) {
				kept += !promised[ids[i]];
				promised[ids[i]] = true;
			}
		}
		if (fixture_next(&seed) % 16 == 0)
			world_reopen(world);
	}
	assert_int_equal(audit(world).events, kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(aborting_burns_nothing),
		TEST(fills_one_while_another_flies),
		TEST(what_flies_may_fail),
		TEST(random_work_keeps_its_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

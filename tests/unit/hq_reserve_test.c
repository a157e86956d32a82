/* hq/ingest/reserve.h, and what the applier leaves alone for it: full views go on with what is
 * urgent. */
#include "hq_pulse_world.h"

#include "hq/ingest/reserve.h"

#define GB ((size_t)1 << 30)
#define MB ((size_t)1 << 20)

static void a_part_of_the_room_is_kept(void **state)
{
	(void)state;
	struct vl_reserve r = {.size = 256 * GB};

	assert_int_equal(vl_reserve_of(256 * GB), VL_RESERVE_MOST);
	assert_int_equal(vl_reserve_of(16 * GB), GB);
	assert_int_equal(vl_reserve_of(4 * MB), MB);
	assert_int_equal(vl_reserve_of(2 * MB), MB / 2);
	assert_int_equal(vl_reserve_map(&r), 256 * GB - VL_RESERVE_MOST);
	assert_int_equal(vl_reserve_least(&r), VL_ROUTINE);
	r.urgent = true;
	assert_int_equal(vl_reserve_map(&r), 256 * GB);
	assert_int_equal(vl_reserve_least(&r), VL_IMMEDIATE);
}

/* Bulk waits at once, the urgent only where the reserve is full, too; each is said once while it
 * lasts. */
static void full_views_go_on_with_what_is_urgent(void **state)
{
	(void)state;
	struct vl_reserve r = {.size = 16 * MB};
	const size_t kept = vl_reserve_of(r.size);
	enum vl_reserve_word word;
	int64_t now = 1000;

	assert_false(vl_reserve_look(&r, 14 * MB, 15 * MB, now, &word));
	assert_int_equal(word, VL_RESERVE_NOTHING);
	assert_false(vl_reserve_met(&r, now, &word));
	assert_int_equal(word, VL_RESERVE_FULL);
	assert_true(r.urgent);
	assert_true(vl_reserve_met(&r, now, &word));
	assert_int_equal(word, VL_RESERVE_ALL_FULL);
	assert_true(vl_reserve_met(&r, now, &word));
	assert_int_equal(word, VL_RESERVE_NOTHING);
	assert_true(r.pause_ms > VL_RESERVE_PAUSE_MS && r.pause_ms <= VL_RESERVE_PAUSE_MOST_MS);
	/* All are tried again after the pause, and only where there is room for more than the
	 * reserve. */
	now = r.until_ms;
	assert_false(vl_reserve_look(&r, 15 * MB, r.size, now, &word));
	assert_false(vl_reserve_look(&r, 8 * MB, r.size, now - 1, &word));
	assert_true(vl_reserve_look(&r, r.size - kept - kept / 4, r.size, now, &word));
	assert_false(r.urgent);
	/* Full again soon is the same time; full again long after is another. */
	assert_false(vl_reserve_met(&r, now + 10, &word));
	assert_int_equal(word, VL_RESERVE_NOTHING);
	assert_true(vl_reserve_look(&r, MB, r.size, r.until_ms, &word));
	now = r.since_ms + VL_RESERVE_STEADY_MS;
	assert_false(vl_reserve_look(&r, MB, r.size, now - 1, &word));
	assert_int_equal(word, VL_RESERVE_NOTHING);
	assert_false(vl_reserve_look(&r, MB, r.size, now, &word));
	assert_int_equal(word, VL_RESERVE_ROOM);
	assert_false(vl_reserve_met(&r, now, &word));
	assert_int_equal(word, VL_RESERVE_FULL);
	assert_int_equal(r.until_ms, now + VL_RESERVE_PAUSE_MS);
}

/* A disk with less room than [views] size has its own reserve. */
static void a_disk_that_is_nearly_full_is_seen_before(void **state)
{
	(void)state;
	struct vl_reserve r = {.size = 256 * GB};
	enum vl_reserve_word word;

	assert_false(vl_reserve_look(&r, 20 * MB, 32 * MB, 0, &word));
	assert_true(vl_reserve_look(&r, 31 * MB, 32 * MB, 0, &word));
	assert_int_equal(word, VL_RESERVE_FULL);
	assert_true(r.urgent);
	assert_false(vl_reserve_look(&r, 31 * MB, 32 * MB, r.until_ms, &word));
	assert_true(vl_reserve_look(&r, 31 * MB, 64 * MB, r.until_ms, &word));
	assert_false(r.urgent);
}

/* -- the applier -- */

struct jam {
	struct world world;
	struct sender sd, eg;
};

static int setup(void **state)
{
	struct jam *j = world_new(sizeof(*j));

	j->sd = world_sender(&j->world, "CN-SD-EMB");
	j->eg = world_sender(&j->world, "CN-EG-EMB");
	*state = j;
	return 0;
}

#define LONG 700 /* more than one transaction takes out of what waited */

/* One batch less of `lane` than there are, and then it. */
static void close_gap(struct jam *j, struct sender *s, bool alerts)
{
	struct sent *first = alerts ? submit_alert(s, 1) : open_case(s, 1, "SD-1", 1);

	assert_int_equal(vl_apply_begin(j->world.applier, NULL), VL_OK);
	for (uint64_t i = 2; i <= LONG; i++)
		bring_within(&j->world, alerts ? submit_alert(s, i) : open_case(s, i, "SD-1", 1));
	assert_int_equal(vl_apply_commit(j->world.applier, NULL), VL_OK);
	bring(&j->world, first);
}

static uint64_t turn(struct jam *j)
{
	uint64_t before = vl_apply_total(j->world.applier);

	assert_int_equal(vl_apply_begin(j->world.applier, NULL), VL_OK);
	(void)vl_apply_drain(j->world.applier);
	assert_int_equal(vl_apply_commit(j->world.applier, NULL), VL_OK);
	return vl_apply_total(j->world.applier) - before;
}

/* What waited behind a gap on a lane that is not urgent stays where it is, and is no work; that
 * of an urgent one goes on, whoever is first in the order. Once there is room all goes on. */
static void what_waited_waits_on_unless_it_is_urgent(void **state)
{
	struct jam *j = *state;
	struct vl_applier *applier = j->world.applier;

	close_gap(j, &j->sd, false);
	assert_true(vl_apply_waits(applier));
	vl_apply_only(applier, VL_IMMEDIATE);
	assert_int_equal(turn(j), 0);
	assert_false(vl_apply_waits(applier));
	close_gap(j, &j->eg, true);
	assert_true(vl_apply_waits(applier));
	for (unsigned n = 0; vl_apply_waits(applier); n++) {
		assert_true(n < 10);
		assert_true(turn(j) > 0);
	}
	assert_int_equal(world_standing(&j->world, "CN-SD-EMB").batches, 1 + VL_DRAIN.batches);
	vl_apply_only(applier, VL_ROUTINE);
	for (unsigned n = 0; n == 0 || vl_apply_waits(applier); n++)
		(void)turn(j);
	assert_int_equal(world_standing(&j->world, "CN-SD-EMB").batches, LONG);
	assert_int_equal(world_count(&j->world, VL_DB_PARKED), 0);
}

/* So does what is still to be done for batches that were accepted. */
static void what_is_still_to_be_done_waits_on_unless_it_is_urgent(void **state)
{
	struct jam *j = *state;
	struct vl_applier *applier = j->world.applier;
	const struct vl_fold_bounds narrow = {.file = 1, .settle = 1, .reserve = 1, .drain = 64};
	struct vl_fold_bounds wide = VL_FOLD_BOUNDS;

	vl_apply_bound_steps(applier, &narrow);
	assert_int_equal(vl_apply_begin(applier, NULL), VL_OK);
	for (uint64_t i = 1; i <= 40; i++) {
		bring_within(&j->world, open_case(&j->sd, i, "SD-1", 1));
		bring_within(&j->world, submit_alert(&j->eg, i));
	}
	vl_apply_only(applier, VL_IMMEDIATE);
	assert_int_equal(vl_apply_commit(applier, NULL), VL_OK);
	assert_true(vl_apply_left(applier) > 0);
	for (unsigned n = 0; vl_apply_left(applier) > 0; n++) {
		assert_true(n < 1000);
		(void)turn(j);
	}
	assert_true(world_count(&j->world, VL_DB_TODO) > 0);
	vl_apply_only(applier, VL_ROUTINE);
	vl_apply_bound_steps(applier, &wide);
	for (unsigned n = 0; n == 0 || vl_apply_left(applier) > 0; n++)
		(void)turn(j);
	assert_int_equal(world_count(&j->world, VL_DB_TODO), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_of_the_room_is_kept),
		cmocka_unit_test(full_views_go_on_with_what_is_urgent),
		cmocka_unit_test(a_disk_that_is_nearly_full_is_seen_before),
		TEST(what_waited_waits_on_unless_it_is_urgent),
		TEST(what_is_still_to_be_done_waits_on_unless_it_is_urgent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

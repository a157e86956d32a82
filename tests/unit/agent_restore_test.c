/* agent/outbox/mark.h, outbox_doubt.c: an old copy or a clone of an outbox is known for one. */
#include "agent_shelf.h"

#include "agent/outbox/mark.h"

/* -- the mark itself -- */

static void mark_is_read_as_written(void **state)
{
	struct shelf *shelf = *state;
	struct vl_mark mark = {.mission = "CN-SD-EMB",
			       .token = {1, 2},
			       .before = {3},
			       .starting = true,
			       .n_lanes = 2};
	struct vl_mark read, damaged;
	uint8_t bytes[2048];

	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(mark.lanes[i].name, sizeof(mark.lanes[i].name), "some.lane.v%u", i);
		mark.lanes[i].epoch.n = UINT64_MAX - i;
		mark.lanes[i].seq.n = i;
		mark.lanes[i].digest.bytes[31] = 7;
	}
	assert_int_equal(vl_mark_read(shelf->mark, &read, NULL), VL_ERR_NOT_FOUND);
	assert_int_equal(vl_mark_write(shelf->mark, &mark, NULL), VL_OK);
	assert_int_equal(vl_mark_read(shelf->mark, &read, NULL), VL_OK);
	assert_memory_equal(&mark, &read, sizeof(mark));
	FILE *file = fopen(shelf->mark, "r");
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	assert_int_equal(fclose(file), 0);
	for (size_t i = 0; i <= size; i++) {
		/* Each byte changed, and each shorter one. */
		for (unsigned cut = 0; cut < 2; cut++) {
			if (i == size && cut == 0)
				continue;
			bytes[i < size ? i : 0] ^= cut ? 0 : 1;
			file = fopen(shelf->mark, "w");
			assert_int_equal(fwrite(bytes, 1, cut ? i : size, file), cut ? i : size);
			assert_int_equal(fclose(file), 0);
			bytes[i < size ? i : 0] ^= cut ? 0 : 1;
			enum vl_err err = vl_mark_read(shelf->mark, &damaged, NULL);
			assert_int_equal(err, cut && i == size ? VL_OK : VL_ERR_CORRUPT);
		}
	}
	assert_int_equal(vl_mark_write("/nonexistent/mark", &mark, NULL), VL_ERR_NOT_FOUND);
}

/* -- noticed at the start -- */

static void restarts_and_kills_keep_the_epoch(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	for (uint64_t n = 1; n <= 20; n++) {
		assert_int_equal(shelf_accept(shelf, n).epoch.n, NOW);
		if (n % 5 == 0)
			assert_int_equal(vl_outbox_mark(shelf->world->outbox, NULL), VL_OK);
		if (n % 3 == 0)
			shelf_die(shelf);
		else
			shelf_stop(shelf);
		shelf_start(shelf);
		assert_null(vl_outbox_doubt(shelf->world->outbox));
	}
	assert_int_equal(shelf_audit(shelf), 20);
}

/* Start what is there now: it must be in doubt, sign nothing more in the old epoch, and send
 * what is kept. */
static void noticed(struct shelf *shelf, uint64_t old)
{
	shelf_start(shelf);
	assert_non_null(vl_outbox_doubt(shelf->world->outbox));
	struct vl_accepted accepted = shelf_accept(shelf, 1000);
	assert_true(accepted.epoch.n > old);
	assert_int_equal(accepted.event.n, 1);
	/* And from then on it is the outbox. */
	for (int i = 0; i < 2; i++) {
		shelf_stop(shelf);
		shelf_start(shelf);
		assert_null(vl_outbox_doubt(shelf->world->outbox));
	}
	assert_int_equal(shelf_accept(shelf, 1001).epoch.n, accepted.epoch.n);
	(void)shelf_audit(shelf);
}

static void an_old_copy_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	(void)shelf_accept(shelf, 1);
	shelf_stop(shelf);
	shelf_save(shelf, "old");
	shelf_start(shelf);
	(void)shelf_accept(shelf, 2);
	shelf_stop(shelf);
	shelf_restore(shelf, "old");
	noticed(shelf, NOW);
	/* Its new epoch hangs on what the copy had last. */
	struct vl_outbox_batch last = shelf_batch(shelf, NOW, 1);
	struct vl_outbox_batch first = shelf_batch(shelf, NOW + 1, 1);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;
	assert_int_equal(vl_batch_read(first.value, arena, &batch, NULL), VL_OK);
	assert_true(vl_digest_equal(&batch.head.prev, &last.digest));
	vl_arena_close(arena);
}

/* The copy was made within the run that went on, so the tokens agree. */
static void a_copy_of_the_same_run_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	(void)shelf_accept(shelf, 1);
	shelf_save(shelf, "old");
	(void)shelf_accept(shelf, 2);
	assert_int_equal(vl_outbox_mark(shelf->world->outbox, NULL), VL_OK);
	(void)shelf_accept(shelf, 3);
	shelf_die(shelf);
	shelf_restore(shelf, "old");
	noticed(shelf, NOW);
}

/* It went on alone, and further than the outbox. */
static void another_branch_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	(void)shelf_accept(shelf, 1);
	shelf_save(shelf, "branch");
	(void)shelf_accept(shelf, 2);
	shelf_stop(shelf);
	shelf_run("cp %s %s.right", shelf->mark, shelf->mark);
	shelf_save(shelf, "right");
	shelf_restore(shelf, "branch");
	struct vl_outbox_options options = world_options(shelf->world);
	world_open_with(shelf->world, &options);
	(void)shelf_accept(shelf, 3);
	(void)shelf_accept(shelf, 4);
	shelf_stop(shelf);
	shelf_run("mv %s.right %s", shelf->mark, shelf->mark);
	noticed(shelf, NOW);
}

static void a_lost_or_damaged_mark_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	uint64_t epoch = shelf_accept(shelf, 1).epoch.n;
	shelf_stop(shelf);
	shelf_run("rm %s", shelf->mark);
	noticed(shelf, epoch);
	epoch = shelf_accept(shelf, 2).epoch.n;
	shelf_stop(shelf);
	shelf_run("echo x >>%s", shelf->mark);
	shelf_start(shelf);
	assert_non_null(vl_outbox_doubt(shelf->world->outbox));
	assert_true(shelf_accept(shelf, 3).epoch.n > epoch);
}

static void another_machine_is_noticed(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	(void)shelf_accept(shelf, 1);
	shelf_stop(shelf);
	fixture_write(shelf->world->folder.path, "machine", "two\n", 0600);
	noticed(shelf, NOW);
	uint64_t epoch = shelf_accept(shelf, 2).epoch.n;
	shelf_stop(shelf);
	/* Where it cannot be read nothing is known. */
	shelf_run("rm %s", shelf->machine);
	shelf_start(shelf);
	assert_int_equal(shelf_accept(shelf, 3).epoch.n, epoch);
}

/* An outbox from before there were marks; and such a copy where there is a mark already. */
static void an_outbox_without_token_is_noticed(void **state)
{
	struct shelf *shelf = *state;
	struct vl_outbox_options options = world_options(shelf->world);

	world_open_with(shelf->world, &options);
	(void)shelf_accept(shelf, 1);
	shelf_stop(shelf);
	shelf_save(shelf, "older");
	noticed(shelf, NOW);
	uint64_t epoch = shelf_accept(shelf, 2).epoch.n;
	shelf_stop(shelf);
	shelf_restore(shelf, "older");
	noticed(shelf, epoch);
}

static void a_new_outbox_begins_above_the_mark(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	(void)shelf_accept(shelf, 1);
	shelf_stop(shelf);
	shelf_run("rm -r %s", shelf->world->path);
	shelf->world->now.seconds -= 1000000;
	shelf_start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	assert_true(shelf_accept(shelf, 2).epoch.n > NOW);
}

static void another_missions_mark_is_refused(void **state)
{
	struct shelf *shelf = *state;
	struct vl_mark mark = {.mission = "CN-EG-EMB"};
	struct vl_outbox *outbox;

	assert_int_equal(vl_mark_write(shelf->mark, &mark, NULL), VL_OK);
	assert_int_equal(vl_outbox_open(&shelf->options, &outbox, NULL), VL_ERR_CONFIG);
	assert_null(outbox);
	assert_int_equal(vl_mark_read(shelf->mark, &mark, NULL), VL_OK);
	assert_string_equal(mark.mission, "CN-EG-EMB");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)
	const struct CMUnitTest tests[] = {
		TEST(mark_is_read_as_written),
		TEST(restarts_and_kills_keep_the_epoch),
		TEST(an_old_copy_is_noticed),
		TEST(a_copy_of_the_same_run_is_noticed),
		TEST(another_branch_is_noticed),
		TEST(a_lost_or_damaged_mark_is_noticed),
		TEST(another_machine_is_noticed),
		TEST(an_outbox_without_token_is_noticed),
		TEST(a_new_outbox_begins_above_the_mark),
		TEST(another_missions_mark_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* agent/outbox/outbox_carry.c: what a receipt says of an epoch, and that nothing is lost when
 * its end is carried into a new one. */
#include "agent_shelf.h"

static enum vl_outbox_fit hear(struct shelf *shelf, uint64_t epoch, uint64_t seq,
			       const struct vl_digest *digest, uint64_t suspended)
{
	struct vl_outbox *outbox = shelf->world->outbox;
	struct vl_outbox_receipt receipt = {CASE_LANE, {epoch}, {seq}, *digest, {suspended}};

	assert_int_equal(vl_outbox_begin(outbox, NULL), VL_OK);
	enum vl_outbox_fit fit = vl_outbox_free(outbox, &receipt);
	vl_outbox_free_some(outbox);
	assert_int_equal(vl_outbox_commit(outbox, NULL), VL_OK);
	return fit;
}

/* Each step twice: what is not committed has not happened. */
static void free_all(struct shelf *shelf)
{
	for (int i = 0; vl_outbox_freeing(shelf->world->outbox); i++) {
		assert_true(i < 200);
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		if (i % 2 == 0)
			vl_outbox_abort(shelf->world->outbox);
		else
			assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
		(void)shelf_audit(shelf);
	}
}

/* More than one step takes, with a restart in the middle: at each moment every event is there
 * once. */
static void carries_in_steps(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	uint64_t carried, damaged;

	shelf_start(shelf);
	for (uint64_t n = 1; n <= 40; n++)
		(void)world_accept(shelf->world, n, CASE_TYPE, 60000);
	assert_int_equal(hear(shelf, NOW, 41, &strange, 0), VL_OUTBOX_AHEAD);
	assert_int_equal(shelf_audit(shelf), 40);
	for (int i = 0; i < 3; i++) {
		assert_true(vl_outbox_freeing(shelf->world->outbox));
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		/* What is not committed has not happened. */
		if (i == 1)
			vl_outbox_abort(shelf->world->outbox);
		else
			assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
		assert_int_equal(shelf_audit(shelf), 40);
	}
	/* What is new goes into the new epoch, and a double is still one. */
	struct vl_accepted accepted = shelf_accept(shelf, 41);
	assert_true(accepted.epoch.n > NOW);
	assert_true(world_accept(shelf->world, 3, CASE_TYPE, 60000).duplicate);
	assert_int_equal(shelf_batch(shelf, NOW, 1).epoch.n, NOW);
	shelf_stop(shelf);
	shelf_start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	assert_true(vl_outbox_freeing(shelf->world->outbox));
	free_all(shelf);
	assert_int_equal(shelf_audit(shelf), 41);
	struct vl_outbox_batch first = shelf_batch(shelf, NOW, 1);
	assert_int_equal(first.epoch.n, accepted.epoch.n);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;
	assert_int_equal(vl_batch_read(first.value, arena, &batch, NULL), VL_OK);
	/* Behind what headquarters has. */
	assert_true(vl_digest_equal(&batch.head.prev, &strange));
	vl_arena_close(arena);
	/* A replay of the receipt. */
	assert_int_equal(hear(shelf, NOW, 41, &strange, 0), VL_OUTBOX_KNOWN);
	assert_false(vl_outbox_freeing(shelf->world->outbox));
	assert_int_equal(shelf_accept(shelf, 42).epoch.n, accepted.epoch.n);
	vl_outbox_carried(shelf->world->outbox, &carried, &damaged);
	assert_true(carried > 0);
	assert_int_equal(damaged, 0);
}

/* An outbox that takes nothing more can still carry all it has. */
static void carries_in_a_full_outbox(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	enum vl_err err = VL_OK;
	unsigned n = 0;

	shelf->options.size = VL_OUTBOX_SIZE_MIN;
	shelf_start(shelf);
	while (err == VL_OK) {
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		err = vl_outbox_accept(shelf->world->outbox,
				       world_event(&buf, n + 1, FLASH_TYPE, 60000), &accepted,
				       NULL);
		n += err == VL_OK;
		assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	}
	assert_int_equal(err, VL_ERR_FULL);
	assert_true(n > 100);
	struct vl_outbox_receipt receipt = {FLASH_LANE, {NOW}, {n + 1}, strange, {0}};
	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_free(shelf->world->outbox, &receipt), VL_OUTBOX_AHEAD);
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	free_all(shelf);
	assert_int_equal(shelf_audit(shelf), n);
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	while (vl_outbox_each(look, &batch))
		assert_true(batch.epoch.n > NOW);
	vl_outbox_look_end(look);
	vl_buf_free(&buf);
}

/* While the old epoch is being carried, a receipt for the new one must not free what is left of
 * the old. */
static void a_new_receipt_frees_nothing_that_is_left(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};

	shelf_start(shelf);
	for (uint64_t n = 1; n <= 20; n++)
		(void)world_accept(shelf->world, n, CASE_TYPE, 60000);
	assert_int_equal(hear(shelf, NOW, 21, &strange, 0), VL_OUTBOX_AHEAD);
	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	vl_outbox_free_some(shelf->world->outbox);
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	struct vl_outbox_batch first = shelf_batch(shelf, NOW + 1, 1);
	assert_true(first.epoch.n > NOW);
	assert_int_equal(shelf_batch(shelf, NOW, 1).epoch.n, NOW);
	assert_int_equal(hear(shelf, first.epoch.n, 1, &first.digest, NOW), VL_OUTBOX_KNOWN);
	assert_int_equal(shelf_audit(shelf), 20);
	free_all(shelf);
	assert_int_equal(shelf_audit(shelf), 20);
	assert_int_equal(hear(shelf, first.epoch.n, 1, &first.digest, NOW), VL_OUTBOX_FREED);
	free_all(shelf);
	assert_true(shelf_audit(shelf) < 20);
}

/* An older epoch's end is still here when a receipt for the present one says that an older one
 * is suspended. */
static void the_end_of_a_suspended_epoch_is_carried(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	for (uint64_t n = 1; n <= 3; n++)
		(void)shelf_accept(shelf, n);
	shelf_stop(shelf);
	shelf_run("rm %s", shelf->mark);
	shelf_start(shelf);
	uint64_t second = shelf_accept(shelf, 4).epoch.n;
	struct vl_outbox_batch batch = shelf_batch(shelf, second, 1);
	struct vl_digest digest = batch.digest;
	assert_int_equal(hear(shelf, second, 1, &digest, NOW), VL_OUTBOX_SUSPENDED);
	free_all(shelf);
	assert_int_equal(shelf_audit(shelf), 4);
	assert_true(shelf_batch(shelf, NOW, 1).epoch.n > second);
	/* Without that word it frees all, as it always did. */
	batch = shelf_batch(shelf, second + 1, 1);
	digest = batch.digest;
	assert_int_equal(hear(shelf, batch.epoch.n, 1, &digest, second), VL_OUTBOX_FREED);
	free_all(shelf);
	assert_int_equal(shelf_audit(shelf), 0);
}

/* A damaged batch is not signed anew, and does not hold up the others. */
static void what_is_damaged_is_put_aside(void **state)
{
	struct shelf *shelf = *state;
	struct vl_digest strange = {{9}};
	uint64_t carried, damaged;
	char path[400];

	shelf_start(shelf);
	for (uint64_t n = 1; n <= 3; n++)
		(void)shelf_accept(shelf, n);
	shelf_stop(shelf);
	/* The file: one byte of the second event's subject, wherever it is. */
	(void)snprintf(path, sizeof(path), "%s/data.mdb", shelf->world->path);
	shelf_run("python3 - %s <<'END'\n"
		  "import sys\n"
		  "data = bytearray(open(sys.argv[1], 'rb').read())\n"
		  "at = -1\n"
		  "while (at := data.find(bytes.fromhex('018e0000000070008000000000000002'), at + "
		  "1)) >= 0:\n"
		  "    if data[at + 16 + 8:].startswith(b'\\x1a\\x11CN-SD-2023') or b'CN-SD-2023' "
		  "in data[at:at + 60]:\n"
		  "        data[data.index(b'CN-SD-2023', at)] = ord('X')\n"
		  "open(sys.argv[1], 'r+b').write(data)\n"
		  "END",
		  path);
	shelf_start(shelf);
	assert_int_equal(hear(shelf, NOW, 4, &strange, 0), VL_OUTBOX_AHEAD);
	for (int i = 0; vl_outbox_freeing(shelf->world->outbox); i++) {
		assert_true(i < 10);
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	}
	vl_outbox_carried(shelf->world->outbox, &carried, &damaged);
	assert_int_equal(carried, 2);
	assert_int_equal(damaged, 1);
	assert_int_equal(vl_outbox_lost(shelf->world->outbox), 1);
	assert_true(shelf_batch(shelf, NOW, 1).epoch.n > NOW);
	assert_int_equal(shelf_audit(shelf), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)
	const struct CMUnitTest tests[] = {
		TEST(carries_in_steps),
		TEST(carries_in_a_full_outbox),
		TEST(a_new_receipt_frees_nothing_that_is_left),
		TEST(the_end_of_a_suspended_epoch_is_carried),
		TEST(what_is_damaged_is_put_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

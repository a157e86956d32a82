/* The outbox: crashes at any write, calls that fail, memory that runs out, a map that is full.
 * reliability: 1-5, 8, 23. */
#include "faults.h"
#include "image.h"
#include "io.h"
#include "memory.h"
#include "outbox_world.h"
#include "trial.h"

#include "agent/outbox/outbox_in.h"

#include <sys/wait.h>

struct run {
	char dir[64], live[80], image[80];
	struct box box;
	bool flying; /* each step is begun while the one before is being committed */
};

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	faults_folder(run->dir);
	(void)snprintf(run->live, sizeof(run->live), "%s/live", run->dir);
	(void)snprintf(run->image, sizeof(run->image), "%s/image", run->dir);
	box_init(&run->box, run->live);
	box_lie(false);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	io_watch(NULL);
	io_record(NULL);
	memory_fail(0, false);
	box_free(&run->box);
	faults_remove(run->dir);
	free(run);
	return 0;
}

static void fresh(void *context)
{
	struct run *run = context;

	image_clear(run->live);
	(void)rmdir(run->live);
	box_restart(&run->box);
}

static enum vl_err open_run(void *context)
{
	return box_open(&((struct run *)context)->box);
}

static enum vl_err step_run(void *context, unsigned step)
{
	return box_step(&((struct run *)context)->box, step);
}

static void close_run(void *context)
{
	box_close(&((struct run *)context)->box);
}

static struct trial trial_of(struct run *run)
{
	return (struct trial){run, fresh, open_run, step_run, close_run, BOX_STEPS};
}

/* Do the steps from `from` on. The one that failed. */
static unsigned advance(struct run *run, unsigned from, void (*done)(unsigned step),
			enum vl_err *err)
{
	if (run->flying)
		return box_fly(&run->box, from, done, err);
	for (unsigned s = from; s < BOX_STEPS; s++) {
		*err = box_step(&run->box, s);
		if (*err != VL_OK)
			return s;
		if (done != NULL)
			done(s);
	}
	return BOX_STEPS;
}

static const char *flight(const struct run *run)
{
	return run->flying ? ", in flight" : "";
}

/* -- crash images -- */

static void check_image(void *context, const char *folder, uint64_t kept)
{
	struct run *run = context;

	(void)snprintf(run->box.path, sizeof(run->box.path), "%s", folder);
	if (!box_check(&run->box, (unsigned)kept, true))
		fail_msg("after %u steps: %s", (unsigned)kept, run->box.wrong);
}

static void mark_done(unsigned step)
{
	io_mark(step + 1);
}

static void test_crash_at_any_write(void **state)
{
	struct run *run = *state;
	struct io_record record = {0};
	uint64_t writes = 0, syncs = 0;
	char what[80];

	io_watch(run->live);
	io_record(&record);
	assert_int_equal(box_open(&run->box), VL_OK);
	enum vl_err err;
	assert_int_equal(advance(run, 0, mark_done, &err), BOX_STEPS);
	box_close(&run->box);
	io_record(NULL);
	for (size_t i = 0; i < record.count; i++) {
		writes += record.events[i].kind == IO_WRITE;
		syncs += record.events[i].kind == IO_SYNC || record.events[i].durable;
	}
	assert_string_equal(run->box.wrong, "");
	(void)snprintf(what, sizeof(what), "outbox%s: %" PRIu64 " writes, %" PRIu64 " barriers",
		       flight(run), writes, syncs);
	trial_crash(&record, run->image, check_image, run, what);
	io_record_free(&record);
}

static void test_crash_at_any_write_in_flight(void **state)
{
	((struct run *)*state)->flying = true;
	test_crash_at_any_write(state);
}

/* A folder just made is not on the disk until the one above it is. */
static void test_new_folder_is_synced(void **state)
{
	struct run *run = *state;
	struct io_record record = {0};
	bool own = false, above = false;

	io_watch(run->dir);
	io_record(&record);
	assert_int_equal(box_open(&run->box), VL_OK);
	io_record(NULL);
	for (size_t i = 0; i < record.count; i++)
		if (record.events[i].kind == IO_SYNC) {
			own = own || strcmp(record.events[i].name, "live") == 0;
			above = above || strcmp(record.events[i].name, "") == 0;
		}
	io_record_free(&record);
	assert_true(own);
	assert_true(above);
}

/* -- calls that fail -- */

/* Stop as a process that must stop does, and begin again. */
static void restart(struct run *run, unsigned kept)
{
	box_close(&run->box);
	if (!box_check(&run->box, kept, false))
		fail_msg("after a restart behind step %u: %s", kept, run->box.wrong);
	box_settle(&run->box);
	assert_int_equal(box_open(&run->box), VL_OK);
}

/* One run of the scenario in which a call may fail. Whoever gets FULL goes on with the same
 * process; anything else ends it. Steps that failed are sent again when the fault is gone. */
static void run_with_fault(void *context, const struct io_fault *fault, uint64_t told[VL_ERR_COUNT])
{
	struct run *run = context;
	unsigned tries = 0, failed = BOX_STEPS;

	fresh(run);
	io_fail(fault);
	enum vl_err err = box_open(&run->box);
	told[err]++;
	if (err != VL_OK) {
		assert_null(run->box.outbox);
		io_fail(NULL);
		assert_int_equal(box_open(&run->box), VL_OK);
	}
	for (unsigned s = 0; (s = advance(run, s, NULL, &err)) < BOX_STEPS; failed = s) {
		told[err]++;
		tries = s == failed ? tries + 1 : 0;
		assert_true(tries < 3);
		if (err == VL_ERR_FULL && tries == 0)
			continue; /* there may be room now, and nobody has to begin again */
		if (tries == 1 && !fault->for_ever)
			(void)box_wrong(&run->box, "goes no further after one failure");
		io_fail(NULL);
		if (err != VL_ERR_FULL)
			restart(run, s + 1);
	}
	io_fail(NULL);
	box_close(&run->box);
	if (run->box.wrong[0] != '\0' || !box_check(&run->box, BOX_STEPS, true))
		fail_msg("call %" PRIu64 ", error %d, how %d, %s: %s", fault->nth, fault->error,
			 fault->how, fault->for_ever ? "for ever" : "once", run->box.wrong);
}

static void test_every_call_fails(void **state)
{
	struct run *run = *state;
	struct trial trial = trial_of(run);
	uint64_t told[VL_ERR_COUNT] = {0};
	char what[80];

	io_watch(run->live);
	run_with_fault(run, &(struct io_fault){0}, told);
	struct trial_counts counts = trial_count_calls(&trial);
	uint64_t calls = counts.opening + counts.steps;
	(void)snprintf(what, sizeof(what), "outbox%s: each of %" PRIu64 " calls", flight(run),
		       calls);
	trial_fail_calls(calls, run_with_fault, run, what);
}

static void test_every_call_fails_in_flight(void **state)
{
	((struct run *)*state)->flying = true;
	test_every_call_fails(state);
}

/* -- memory that runs out -- */

/* Allocation `nth` fails; where something goes wrong the process ends there and begins again
 * with memory. */
static void run_without_memory(void *context, uint64_t nth, bool for_ever)
{
	struct run *run = context;

	fresh(run);
	int64_t before = memory_live();
	memory_fail(nth, for_ever);
	enum vl_err err = box_open(&run->box);
	uint64_t failed = memory_failed();
	memory_fail(err == VL_OK ? nth : 0, for_ever);
	if (err != VL_OK) {
		if (!trial_told_of_memory(err) || failed == 0)
			fail_msg("allocation %" PRIu64 " of open: said '%s'", nth,
				 vl_err_text(err));
		assert_int_equal(box_open(&run->box), VL_OK);
	}
	for (unsigned s = 0; (s = advance(run, s, NULL, &err)) < BOX_STEPS;) {
		failed = memory_failed();
		memory_fail(0, false);
		if (!trial_told_of_memory(err) || failed == 0)
			fail_msg("allocation %" PRIu64 " of step %u: said '%s'", nth, s,
				 vl_err_text(err));
		restart(run, s + 1);
	}
	memory_fail(0, false);
	box_close(&run->box);
	if (run->box.wrong[0] != '\0' || !box_check(&run->box, BOX_STEPS, true))
		fail_msg("allocation %" PRIu64 " %s: %s", nth, for_ever ? "for ever" : "once",
			 run->box.wrong);
	if (memory_live() != before)
		fail_msg("allocation %" PRIu64 ": %" PRId64 " allocations leak", nth,
			 memory_live() - before);
}

static void test_every_allocation_fails(void **state)
{
	struct run *run = *state;
	struct trial trial = trial_of(run);

	struct trial_counts counts = trial_count_allocations(&trial);
	(void)trial_fail_allocations(&counts, run_without_memory, run);
	run->flying = true;
	(void)trial_fail_allocations(&counts, run_without_memory, run);
	print_message("outbox: each of %" PRIu64 " allocations of open and %" PRIu64
		      " of the steps failed 4 ways\n",
		      counts.opening, counts.steps);
}

/* Opening again an outbox that has chains: out of memory is not damage, and forgets no chain. */
static void test_every_allocation_of_reopening_fails(void **state)
{
	struct run *run = *state;
	uint64_t n = 0, failed = 1;

	fresh(run);
	assert_int_equal(box_open(&run->box), VL_OK);
	for (unsigned s = 0; s < BOX_STEPS; s++)
		assert_int_equal(box_step(&run->box, s), VL_OK);
	box_close(&run->box);
	while (failed > 0) {
		image_copy(run->live, run->image);
		(void)snprintf(run->box.path, sizeof(run->box.path), "%s", run->image);
		int64_t before = memory_live();
		memory_fail(++n, false);
		enum vl_err err = box_open(&run->box);
		failed = memory_failed();
		memory_fail(0, false);
		box_close(&run->box);
		if (err != VL_OK && !trial_told_of_memory(err))
			fail_msg("allocation %" PRIu64 " of reopening: said '%s'", n,
				 vl_err_text(err));
		if (memory_live() != before)
			fail_msg("allocation %" PRIu64 " of reopening: %" PRId64 " leak", n,
				 memory_live() - before);
		if (err != VL_OK)
			continue;
		/* Opened all the same: it must know everything. */
		memory_fail(n, false);
		assert_int_equal(box_open(&run->box), VL_OK);
		memory_fail(0, false);
		if (!box_extend(&run->box))
			fail_msg("allocation %" PRIu64 " of reopening: %s", n, run->box.wrong);
	}
	print_message("outbox: each of %" PRIu64 " allocations of reopening failed\n", n - 1);
}

/* -- a full map -- */

/* Leave `pages` of the outbox's map, and an outbox that has lived a little. */
static void fill(struct run *run, size_t pages)
{
	struct vl_store_options options = {.path = run->live,
					   .dbs = vl_outbox_dbs,
					   .unchecked = VL_OUTBOX_UNCHECKED,
					   .map_size = outbox_map_size(VL_OUTBOX_SIZE_MIN)};
	struct vl_store *store;
	size_t used, room;

	fresh(run);
	assert_int_equal(box_open(&run->box), VL_OK);
	box_close(&run->box);
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	box_lie(false);
	vl_store_usage(store, &used, &room);
	box_lie(true);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	struct vl_key key = {0};
	vl_key_text(&key, "zz filler");
	size_t size = options.map_size - used - (pages + 8) * 4096;
	uint8_t *filler = calloc(1, size);
	assert_non_null(filler);
	vl_txn_put(txn, META, vl_key_done(&key), (struct vl_bytes){filler, size});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	free(filler);
	vl_store_close(store);
}

static void test_map_full_at_any_page(void **state)
{
	struct run *run = *state;
	uint64_t at_put = 0, at_commit = 0, runs = 0;

	for (size_t pages = 0; pages < faults_most(48, 120); pages++, runs++) {
		box_lie(true);
		run->box.size = VL_OUTBOX_SIZE_MIN;
		fill(run, pages);
		assert_int_equal(box_open(&run->box), VL_OK);
		for (unsigned s = 0; s < BOX_STEPS; s++) {
			enum vl_err err = box_step(&run->box, s);
			if (err == VL_OK)
				continue;
			assert_int_equal(err, VL_ERR_FULL);
			at_put += run->box.failed_early;
			at_commit += !run->box.failed_early;
			/* Nothing of it is there, and what was there can be read; then somebody
			 * gives it more room. */
			box_close(&run->box);
			if (!box_check(&run->box, s, false))
				fail_msg("%zu pages left, step %u: %s", pages, s, run->box.wrong);
			run->box.size = 2 * VL_OUTBOX_SIZE_MIN;
			assert_int_equal(box_open(&run->box), VL_OK);
			s--;
		}
		box_close(&run->box);
		run->box.size = 2 * VL_OUTBOX_SIZE_MIN;
		if (run->box.wrong[0] != '\0' || !box_check(&run->box, BOX_STEPS, true))
			fail_msg("%zu pages left: %s", pages, run->box.wrong);
	}
	box_lie(false);
	run->box.size = VL_OUTBOX_SIZE_MIN;
	print_message("outbox: %" PRIu64 " sizes of map; full at put %" PRIu64
		      " times, at commit %" PRIu64 " times\n",
		      runs, at_put, at_commit);
	assert_true(at_put + at_commit > 10);
}

/* Commit events of a type one by one until FULL; how many there was room for. */
static unsigned send_until_full(struct run *run, const char *type, uint64_t *id)
{
	struct vl_buf event = {0};
	struct vl_accepted accepted;
	enum vl_err err = VL_OK;
	unsigned n = 0;

	for (; err == VL_OK; n++) {
		assert_int_equal(vl_outbox_begin(run->box.outbox, NULL), VL_OK);
		err = vl_outbox_accept(run->box.outbox, world_event(&event, ++*id, type, 100000),
				       &accepted, NULL);
		assert_true(err == VL_OK || err == VL_ERR_FULL);
		assert_false(vl_outbox_failed(run->box.outbox));
		assert_int_equal(vl_outbox_commit(run->box.outbox, NULL), VL_OK);
	}
	vl_buf_free(&event);
	return n - 1;
}

static void test_urgent_still_fits_and_acks_after_it(void **state)
{
	struct run *run = *state;
	uint64_t id = 0;

	fresh(run);
	assert_int_equal(box_open(&run->box), VL_OK);
	unsigned routine = send_until_full(run, CASE_TYPE, &id),
		 urgent = send_until_full(run, FLASH_TYPE, &id);
	assert_true(routine > 10 && urgent > 10);
	for (unsigned i = 1; i <= routine; i++) {
		assert_int_equal(vl_outbox_begin(run->box.outbox, NULL), VL_OK);
		vl_outbox_ack(run->box.outbox, CASE_LANE, (struct vl_epoch){NOW},
			      (struct vl_seq){i});
		assert_int_equal(vl_outbox_commit(run->box.outbox, NULL), VL_OK);
	}
	box_close(&run->box);
	assert_int_equal(box_open(&run->box), VL_OK);
	struct vl_outbox_look *look = vl_outbox_look(run->box.outbox, NULL);
	struct vl_outbox_batch batch = {0};
	unsigned there = 0;
	while (vl_outbox_each(look, &batch))
		there += vl_outbox_intact(&batch);
	vl_outbox_look_end(look);
	assert_int_equal(there, routine + urgent);
	print_message("outbox: full after %u PRIORITY events, %u FLASH more, then %u acks\n",
		      routine, urgent, routine);
}

/* -- two writers -- */

static void test_second_writer_is_refused(void **state)
{
	struct run *run = *state;
	struct vl_outbox *first;
	int status;

	fresh(run);
	assert_int_equal(box_open(&run->box), VL_OK);
	assert_int_equal(box_step(&run->box, 0), VL_OK);
	first = run->box.outbox;
	assert_int_equal(box_open(&run->box), VL_ERR_LOCKED);
	pid_t child = fork();
	if (child == 0)
		_exit(box_open(&run->box) == VL_ERR_LOCKED ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	run->box.outbox = first;
	assert_int_equal(box_step(&run->box, 1), VL_OK);
	box_close(&run->box);
	assert_true(box_check(&run->box, 2, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_crash_at_any_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_at_any_write_in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_folder_is_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_call_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_call_fails_in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_allocation_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_allocation_of_reopening_fails, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_map_full_at_any_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_urgent_still_fits_and_acks_after_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_second_writer_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Headquarters' ledger: crashes at any write, calls that fail, memory that runs out, a map that
 * is full. reliability: 18-20, 23. */
#include "faults.h"
#include "image.h"
#include "io.h"
#include "ledger_world.h"
#include "memory.h"
#include "trial.h"
#include "hq/repair/open.h"

#include <sys/wait.h>

struct run {
	char dir[64], live[80], image[80];
	struct book book;
};

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	faults_folder(run->dir);
	(void)snprintf(run->live, sizeof(run->live), "%s/live", run->dir);
	(void)snprintf(run->image, sizeof(run->image), "%s/image", run->dir);
	book_init(&run->book, run->dir);
	(void)snprintf(run->book.path, sizeof(run->book.path), "%s", run->live);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	io_watch(NULL);
	io_record(NULL);
	memory_fail(0, false);
	book_free(&run->book);
	faults_remove(run->dir);
	free(run);
	return 0;
}

static void fresh(void *context)
{
	struct run *run = context;

	image_clear(run->live);
	(void)rmdir(run->live);
	run->book.wrong[0] = '\0';
}

static enum vl_err open_run(void *context)
{
	return book_open(&((struct run *)context)->book);
}

static enum vl_err step_run(void *context, unsigned step)
{
	return book_step(&((struct run *)context)->book, step);
}

static void close_run(void *context)
{
	book_close(&((struct run *)context)->book);
}

static struct trial trial_of(struct run *run)
{
	return (struct trial){run, fresh, open_run, step_run, close_run, BOOK_STEPS};
}

/* -- crash images -- */

static void check_image(void *context, const char *folder, uint64_t kept)
{
	struct run *run = context;

	(void)snprintf(run->book.path, sizeof(run->book.path), "%s", folder);
	/* Before the first promise even the databases may not be there: opening makes them. */
	if (!book_check(&run->book, (unsigned)kept))
		fail_msg("after %u steps: %s", (unsigned)kept, run->book.wrong);
}

static void test_crash_at_any_write(void **state)
{
	struct run *run = *state;
	struct io_record record = {0};
	char what[80];

	io_watch(run->live);
	io_record(&record);
	assert_int_equal(book_open(&run->book), VL_OK);
	for (unsigned s = 0; s < BOOK_STEPS; s++) {
		assert_int_equal(book_step(&run->book, s), VL_OK);
		io_mark(s + 1);
	}
	book_close(&run->book);
	io_record(NULL);
	(void)snprintf(what, sizeof(what), "ledger: %zu writes and barriers", record.count);
	trial_crash(&record, run->image, check_image, run, what);
	io_record_free(&record);
}

/* -- calls that fail -- */

static void run_with_fault(void *context, const struct io_fault *fault, uint64_t told[VL_ERR_COUNT])
{
	struct run *run = context;
	struct book *book = &run->book;

	fresh(run);
	io_fail(fault);
	enum vl_err err = book_open(book);
	told[err]++;
	io_fail(err == VL_OK ? fault : NULL);
	if (err != VL_OK)
		assert_int_equal(book_open(book), VL_OK);
	for (unsigned s = 0; s < BOOK_STEPS; s++)
		for (unsigned tries = 0; (err = book_step(book, s)) != VL_OK; tries++) {
			told[err]++;
			assert_true(tries < 3);
			if (err == VL_ERR_FULL && book_state(book) != (int)s)
				(void)book_wrong(book, "FULL, and yet something happened");
			if (err == VL_ERR_FULL && tries == 0)
				continue; /* the same records again, in the same process */
			io_fail(NULL);
			if (err == VL_ERR_FULL)
				continue;
			book_close(book);
			assert_int_equal(book_open(book), VL_OK);
			int there = book_state(book);
			if (there != (int)s && there != (int)s + 1)
				(void)book_wrong(book, "step %u is there in part", s);
		}
	io_fail(NULL);
	if (book_state(book) != BOOK_STEPS)
		(void)book_wrong(book, "does not end as an undisturbed one");
	book_close(book);
	if (book->wrong[0] != '\0' || !book_check(book, BOOK_STEPS))
		fail_msg("call %" PRIu64 ", error %d, how %d, %s: %s", fault->nth, fault->error,
			 fault->how, fault->for_ever ? "for ever" : "once", book->wrong);
}

static void test_every_call_fails(void **state)
{
	struct run *run = *state;
	struct trial trial = trial_of(run);
	char what[120];

	io_watch(run->live);
	struct trial_counts calls = trial_count_calls(&trial);
	(void)snprintf(what, sizeof(what),
		       "ledger: each of %" PRIu64 " calls of open and %" PRIu64 " of the steps",
		       calls.opening, calls.steps);
	trial_fail_calls(calls.steps > calls.opening ? calls.steps : calls.opening, run_with_fault,
			 run, what);
}

/* -- memory that runs out -- */

/* Allocation `nth` of opening and of the steps fails; then the process ends and begins again
 * with memory. */
static void run_without_memory(void *context, uint64_t nth, bool for_ever)
{
	struct run *run = context;
	struct book *book = &run->book;

	fresh(run);
	int64_t before = memory_live();
	memory_fail(nth, for_ever);
	enum vl_err err = book_open(book);
	bool failed = memory_failed() > 0;
	memory_fail(err == VL_OK ? nth : 0, for_ever);
	if (err != VL_OK && (!trial_told_of_memory(err) || !failed))
		fail_msg("allocation %" PRIu64 " of open: said '%s'", nth, vl_err_text(err));
	if (err != VL_OK)
		assert_int_equal(book_open(book), VL_OK);
	for (unsigned s = 0; s < BOOK_STEPS; s++)
		while ((err = book_step(book, s)) != VL_OK) {
			failed = memory_failed() > 0;
			memory_fail(0, false);
			if (!trial_told_of_memory(err) || !failed)
				fail_msg("allocation %" PRIu64 " of step %u: said '%s'", nth, s,
					 vl_err_text(err));
			book_close(book);
			assert_int_equal(book_open(book), VL_OK);
			int there = book_state(book);
			if (there != (int)s &&
			    (there != (int)s + 1 || err != VL_ERR_OUTCOME_UNKNOWN))
				fail_msg("allocation %" PRIu64 " of step %u: state %d", nth, s,
					 there);
		}
	memory_fail(0, false);
	int end = book_state(book);
	book_close(book);
	if (end != BOOK_STEPS)
		fail_msg("allocation %" PRIu64 " %s: does not end as an undisturbed one", nth,
			 for_ever ? "for ever" : "once");
	if (memory_live() != before)
		fail_msg("allocation %" PRIu64 ": %" PRId64 " allocations leak", nth,
			 memory_live() - before);
}

static void test_every_allocation_fails(void **state)
{
	struct run *run = *state;
	struct trial trial = trial_of(run);

	run->book.verify = true;
	struct trial_counts counts = trial_count_allocations(&trial);
	uint64_t runs = trial_fail_allocations(&counts, run_without_memory, run);
	print_message("ledger: %" PRIu64 " allocations of open and %" PRIu64
		      " of the steps, %" PRIu64 " runs in which one failed\n",
		      counts.opening, counts.steps, runs);
}

/* -- a full map -- */

static void test_map_full_at_any_page(void **state)
{
	struct run *run = *state;
	struct book *book = &run->book;
	uint64_t fulls = 0, at_open = 0, sizes = 0;

	for (size_t pages = 4; pages < faults_most(200, 400); pages += faults_most(2, 1), sizes++) {
		fresh(run);
		book->size = pages * 4096;
		enum vl_err err = book_open(book);
		if (err != VL_OK) {
			assert_int_equal(err, VL_ERR_FULL);
			at_open++;
			book->size = BOOK_SIZE;
			assert_int_equal(book_open(book), VL_OK);
		}
		for (unsigned s = 0; s < BOOK_STEPS; s++)
			while ((err = book_step(book, s)) != VL_OK) {
				assert_int_equal(err, VL_ERR_FULL);
				if (book_state(book) != (int)s)
					fail_msg("%zu pages, step %u: FULL, and yet something "
						 "happened",
						 pages, s);
				fulls++;
				book_close(book);
				book->size = BOOK_SIZE;
				assert_int_equal(book_open(book), VL_OK);
			}
		if (book_state(book) != BOOK_STEPS)
			fail_msg("%zu pages: does not end as an undisturbed one", pages);
		book_close(book);
	}
	book->size = BOOK_SIZE;
	print_message("ledger: %" PRIu64 " sizes of map; full at open %" PRIu64
		      " times, in a transaction %" PRIu64 " times\n",
		      sizes, at_open, fulls);
	assert_true(fulls > 10 && at_open > 0);
}

/* -- a chain whose end is lost -- */

/* A clone's next epoch knows an end that never came, and waits for ever. What can follow must
 * not wait behind it. */
static void test_what_can_follow_does_not_wait(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *first = open_case(&s, 1, "SD-1", 100);
	struct sender clone = s;

	(void)open_case(&clone, 2, "SD-1", 101); /* lost */
	sender_begin_epoch(&clone, 1500);
	struct sent *waits = open_case(&clone, 3, "SD-1", 102),
		    *second = open_case(&s, 4, "SD-1", 103);
	sender_begin_epoch(&s, 2000);
	struct sent *follows = open_case(&s, 5, "SD-1", 104);
	bring(w, first);
	bring(w, waits);
	bring(w, follows);
	bring(w, second);
	struct vl_standing standing = world_standing(w, s.id);
	assert_int_equal(standing.parked, 1);
	assert_int_equal(standing.batches, 3);
	assert_int_equal(standing.epoch.n, 2000);
}

/* -- two writers -- */

static void test_second_writer_is_refused(void **state)
{
	struct run *run = *state;
	struct vl_store *second;
	int status;

	fresh(run);
	assert_int_equal(book_open(&run->book), VL_OK);
	assert_int_equal(book_step(&run->book, 0), VL_OK);
	assert_int_equal(vl_ledger_open(run->live, BOOK_SIZE, false, &second, NULL), VL_ERR_LOCKED);
	pid_t child = fork();
	if (child == 0)
		_exit(vl_ledger_open(run->live, BOOK_SIZE, false, &second, NULL) == VL_ERR_LOCKED
			      ? 0
			      : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(book_step(&run->book, 1), VL_OK);
	assert_int_equal(book_state(&run->book), 2);
	book_close(&run->book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_crash_at_any_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_call_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_allocation_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_map_full_at_any_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_can_follow_does_not_wait, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_second_writer_is_refused, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "trial.h"

#include "faults.h"
#include "memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Run the scenario; `again` begins to count again before opening and before the steps. */
static struct trial_counts count(const struct trial *trial, void (*again)(void),
				 uint64_t (*so_far)(void))
{
	struct trial_counts counts;

	trial->fresh(trial->context);
	again();
	assert_int_equal(trial->open(trial->context), VL_OK);
	counts.opening = so_far();
	again();
	for (unsigned s = 0; s < trial->steps; s++)
		assert_int_equal(trial->step(trial->context, s), VL_OK);
	counts.steps = so_far();
	trial->close(trial->context);
	return counts;
}

static void no_fault(void)
{
	io_fail(NULL);
}

struct trial_counts trial_count_calls(const struct trial *trial)
{
	return count(trial, no_fault, io_calls);
}

static void no_shortage(void)
{
	memory_fail(0, false);
}

struct trial_counts trial_count_allocations(const struct trial *trial)
{
	return count(trial, no_shortage, memory_calls);
}

void trial_crash(const struct io_record *record, const char *folder, image_check *check,
		 void *context, const char *what)
{
	struct image_totals totals = {0};
	struct image_limits limits = {.subsets = faults_most(64, 4096),
				      .tears = faults_most(6, 32),
				      .seed = faults_seed()};

	io_watch(folder);
	io_lazy(true);
	image_each(record, folder, &limits, check, context, &totals);
	io_lazy(false);
	print_message("%s, %" PRIu64 " crash images (and %" PRIu64
		      " the same again); VALISE_SEED=%" PRIu64 "\n",
		      what, totals.made, totals.repeated, limits.seed);
	assert_true(totals.made > 100);
}

void trial_fail_calls(uint64_t calls, trial_fault *run, void *context, const char *what)
{
	uint64_t told[VL_ERR_COUNT] = {0}, runs = 0;
	static const int errors[] = {EIO, ENOSPC};

	for (unsigned e = 0; e < 2; e++)
		for (unsigned how = IO_NOTHING; how < IO_HOWS; how++)
			for (unsigned ever = 0; ever < 2; ever++)
				for (uint64_t n = 1; n <= calls; n++, runs++)
					run(context,
					    &(struct io_fault){n, errors[e], how, ever == 1}, told);
	print_message("%s failed %u ways, %" PRIu64 " runs; told FULL %" PRIu64
		      ", OUTCOME_UNKNOWN %" PRIu64 ", IO %" PRIu64 "\n",
		      what, 2U * IO_HOWS * 2U, runs, told[VL_ERR_FULL],
		      told[VL_ERR_OUTCOME_UNKNOWN], told[VL_ERR_IO]);
	assert_true(told[VL_ERR_FULL] > 0 && told[VL_ERR_OUTCOME_UNKNOWN] > 0);
}

uint64_t trial_fail_allocations(const struct trial_counts *counts, trial_shortage *run,
				void *context)
{
	uint64_t most = counts->opening > counts->steps ? counts->opening : counts->steps, runs = 0;
	uint64_t stride = faults_long() || most < 1000 ? 1 : most / 1000 + 1,
		 start = faults_seed() % stride;

	for (uint64_t n = 1 + start; n <= most; n += stride)
		for (unsigned ever = 0; ever < 2; ever++, runs++)
			run(context, n, ever == 1);
	return runs;
}

bool trial_told_of_memory(enum vl_err err)
{
	return vl_err_class(err) == VL_CLASS_FATAL && err != VL_ERR_CORRUPT && err != VL_ERR_BUG;
}

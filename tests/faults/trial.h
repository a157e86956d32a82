/*
 * The trials of each store: a crash at any write, every call to the disk failing, every allocation
 * failing. The store and its scenario are passed in; they judge each run.
 *
 * Next: audit.h, the oracle's reader.
 */
#ifndef VALISE_TESTS_FAULTS_TRIAL_H
#define VALISE_TESTS_FAULTS_TRIAL_H

#include "base/err.h"
#include "image.h"

/* A store and its scenario. */
struct trial {
	void *context;                /* of each call below */
	void (*fresh)(void *context); /* back to no folder, and nothing promised */
	enum vl_err (*open)(void *context);
	enum vl_err (*step)(void *context, unsigned step);
	void (*close)(void *context);
	unsigned steps;
};

/* How often the disk or memory is used while it opens, and then in its steps, in an undisturbed
 * run. */
struct trial_counts {
	uint64_t opening, steps;
};

struct trial_counts trial_count_calls(const struct trial *trial);
struct trial_counts trial_count_allocations(const struct trial *trial);

/* Check every crash image of the record, made in `folder`. `what` begins the printed line. */
void trial_crash(const struct io_record *record, const char *folder, image_check *check,
		 void *context, const char *what);

/* A run of the scenario in which a call fails; `told` counts the result of each attempt. */
typedef void trial_fault(void *context, const struct io_fault *fault, uint64_t told[VL_ERR_COUNT]);

/* Let each of so many calls fail in every way, once and for ever. `what` begins the printed
 * line. */
void trial_fail_calls(uint64_t calls, trial_fault *run, void *context, const char *what);

/* A run of the scenario in which an allocation fails. */
typedef void trial_shortage(void *context, uint64_t nth, bool for_ever);

/* Let each of so many allocations fail, once and for ever. Of more than a thousand some are
 * chosen by the seed, unless the run is a long one. Returns how many runs there were. */
uint64_t trial_fail_allocations(const struct trial_counts *counts, trial_shortage *run,
				void *context);

/* Whether the error is right for lack of memory: by any name, it stops the process, and does not
 * report damage. */
bool trial_told_of_memory(enum vl_err err);

#endif

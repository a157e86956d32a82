/*
 * Crash images: the possible disks after a crash, made from a record of writes and barriers (io.h).
 *
 * The model is that of ALICE (OSDI '14). Data written before the last barrier on its file, or
 * through O_DSYNC, is there. Of later data any part may be there: any subset of the writes, in any
 * order, and of each write any of its 512-byte sectors. A rename is there or not until its folder
 * is synced. The sizes of files follow from the writes that are there.
 *
 * Next: memory.h, lack of memory.
 */
#ifndef VALISE_TESTS_FAULTS_IMAGE_H
#define VALISE_TESTS_FAULTS_IMAGE_H

#include "io.h"

/* How many images to make of one point, at most. */
struct image_limits {
	/* all if there are at most that many; else as many at random, with none, all, each alone */
	size_t subsets;
	/* of the last write, in sectors: all that are in order, and some at random */
	size_t tears;
	uint64_t seed;
};

/* The work done with a set of images. */
struct image_totals {
	uint64_t points;   /* positions in the record */
	uint64_t made;     /* images, the same one twice counted once */
	uint64_t repeated; /* that had been made before with the same promises */
};

/* Called for each image, whose files are in `folder`. `kept` is the last mark before the crash:
 * its promises must hold. */
typedef void image_check(void *context, const char *folder, uint64_t kept);

/* Make every image of every point of `record` in `folder`, which is emptied before each. */
void image_each(const struct io_record *record, const char *folder,
		const struct image_limits *limits, image_check *check, void *context,
		struct image_totals *totals);

/* Empty a folder, or make it. */
void image_clear(const char *folder);

/* Copy the files of one folder into another, which is emptied. */
void image_copy(const char *from, const char *to);

#endif

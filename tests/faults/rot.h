/*
 * Corrupted disks: one bit of a store is flipped, or its file is cut short, and the result is
 * counted. LMDB 0.9 has no checksum of its pages. So this counts the damage that the product's own
 * digests and signatures find, and the damage that they miss.
 *
 * Each case runs in a child process, since a store may make its process die.
 *
 * Next: bench/events.h, events for benchmarks.
 */
#ifndef VALISE_TESTS_FAULTS_ROT_H
#define VALISE_TESTS_FAULTS_ROT_H

#include <stddef.h>
#include <stdint.h>

enum rot_verdict {
	ROT_SAME,    /* everything is as it was: the bit was in free space */
	ROT_REFUSED, /* opening or reading reports damage */
	ROT_FOUND,   /* a record is found bad by its digest before it is used */
	/* headquarters, an auditor or a rebuild will find it: signature, chain or digest do not
	 * fit */
	ROT_LATER,
	/* a value beside the events differs: a printed number, an answer to a known id */
	ROT_UNSEEN,
	ROT_WRONG, /* an event that differs from the signed one passes for it: never */
	ROT_DIED,  /* the process ends by a signal */
	ROT_HUNG,  /* it does not end */
	ROT_VERDICTS,
};

/* Judge the store in `folder`, in a child process of its own. */
typedef enum rot_verdict rot_judge(void *context, const char *folder);

struct rot {
	const char *sound, *folder; /* a sound store; the folder for the one to be judged */
	rot_judge *judge;
	void *context;
	uint64_t counts[ROT_VERDICTS];
	/* the first byte that gave each verdict, so that a person can look at it */
	size_t first[ROT_VERDICTS];
};

/* Flip one bit of some bytes (of all in a long run), chosen by the seed and spread over the
 * file, one at a time. Print the results, and fail if an event was WRONG or a store hung. With
 * VALISE_AT=OFFSET in the environment flip each bit of that byte instead. `what` names the
 * store. */
void rot_bits(struct rot *rot, const char *what);

/* The same with the file cut short, at the beginning of each page and a sector behind it. */
void rot_cut(struct rot *rot, const char *what);

#endif

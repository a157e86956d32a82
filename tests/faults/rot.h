/*
 * Disks that rot: one bit of a store turned over, or its file cut short, and what comes of it.
 * LMDB 0.9 has no checksum of its pages, so this counts what the product's own digests and
 * signatures find, and what nothing does.
 *
 * Each case runs in a child process, because a store that makes its process die tells no lies
 * either.
 */
#ifndef VALISE_TESTS_FAULTS_ROT_H
#define VALISE_TESTS_FAULTS_ROT_H

#include <stddef.h>
#include <stdint.h>

enum rot_verdict {
	ROT_SAME,    /* everything is as it was: the bit was in free space */
	ROT_REFUSED, /* opening or reading says that it is damaged */
	ROT_FOUND,   /* a record is found bad by its digest before it is used */
	/* headquarters, an auditor or a rebuild will find it: signature, chain or digest do not
	 * fit */
	ROT_LATER,
	/* something kept beside the events is another: a number shown, an answer to a known id */
	ROT_UNSEEN,
	ROT_WRONG, /* an event that is not what was signed passes for one: never */
	ROT_DIED,  /* the process ends by a signal */
	ROT_HUNG,  /* it does not end */
	ROT_VERDICTS,
};

/* Judge the store in `folder`, in a child process of its own. */
typedef enum rot_verdict rot_judge(void *context, const char *folder);

struct rot {
	const char *sound, *folder; /* a store as it should be; where to put the one to be judged */
	rot_judge *judge;
	void *context;
	uint64_t counts[ROT_VERDICTS];
	/* the first byte that gave each verdict, so that it can be looked at */
	size_t first[ROT_VERDICTS];
};

/* Turn over one bit of some bytes (of all in a long run), chosen by the seed and spread over the
 * file, one at a time; print what came of it, and fail where an event was WRONG or a store hung.
 * With VALISE_AT=OFFSET in the environment each bit of that byte instead. `what` names the
 * store. */
void rot_bits(struct rot *rot, const char *what);

/* The same of the file cut short, at and a sector behind the beginning of each page. */
void rot_cut(struct rot *rot, const char *what);

#endif

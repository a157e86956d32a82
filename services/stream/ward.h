/*
 * The ward: one partition that could not be read, with a consumer of its own, so that no other
 * partition waits for it. For services/stream only.
 *
 * It reads again where reading failed. If records come, it hands them on, and the partition is
 * healthy. If a batch cannot be read a second time, the ward passes over it. It searches the first
 * offset behind it (search.h) and reads on there. If there are no rights or no leader, the ward
 * leaves it for later.
 *
 * Next: search.h, the end of an unreadable batch.
 */
#ifndef VALISE_STREAM_WARD_H
#define VALISE_STREAM_WARD_H

#include "stream/stream.h"

struct vl_ward;

enum vl_ward_said {
	VL_WARD_NOTHING,
	VL_WARD_RECORD, /* `message` */
	VL_WARD_END,    /* `at` */
	/* unreadable: `err` and `why`; the ward searches for the end of the batch */
	VL_WARD_SICK,
	VL_WARD_PASSED, /* `at` to before `to`; reading goes on at `to` */
	VL_WARD_REST,   /* not now: `err` and `why`; close it and open another later */
	VL_WARD_LOST,   /* the partition, or this offset, does not exist, or no longer; close it */
};

struct vl_ward_word {
	struct vl_message *message; /* the caller's */
	struct vl_position at;
	int64_t to;
	uint64_t bytes; /* of the batch that was passed over; 0 if unknown */
	enum vl_err err;
	struct vl_why why;
};

/* The pairs stay the caller's. NULL when out of memory. */
struct vl_ward *vl_ward_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			     const struct vl_position *at, int64_t now_ms);
void vl_ward_close(struct vl_ward *ward);

/* One step; never waits. */
enum vl_ward_said vl_ward_step(struct vl_ward *ward, int64_t now_ms, struct vl_ward_word *word);

/* The time since which it reads without trouble; INT64_MAX while it does not. */
int64_t vl_ward_calm_since(const struct vl_ward *ward);

/* Whether an error means that these bytes cannot be read, by any consumer at any time. */
bool vl_ward_unreadable(enum vl_err err);

#endif

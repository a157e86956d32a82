/*
 * The ward: one partition that could not be read, with a consumer of its own, so that nobody
 * else waits for it. For services/stream only.
 *
 * It reads again where reading failed. What comes then is handed on, and the partition is well.
 * What cannot be read a second time is passed over: the ward looks for the first offset behind
 * it (search.h) and reads on there. What it is not allowed to read, or what has no leader, it
 * leaves for later.
 */
#ifndef VALISE_STREAM_WARD_H
#define VALISE_STREAM_WARD_H

#include "stream/stream.h"

struct vl_ward;

enum vl_ward_said {
	VL_WARD_NOTHING,
	VL_WARD_RECORD, /* `message` */
	VL_WARD_END,    /* `at` */
	VL_WARD_SICK,   /* unreadable: `err` and `why`; it is being looked for what lies behind */
	VL_WARD_PASSED, /* `at` to before `to`; reading goes on at `to` */
	VL_WARD_REST,   /* not now: `err` and `why`; close it and open another later */
	VL_WARD_LOST,   /* the partition, or this offset, is not there (any more); close it */
};

struct vl_ward_word {
	struct vl_message *message; /* the caller's */
	struct vl_position at;
	int64_t to;
	uint64_t bytes; /* of what was passed over; 0 where that is not known */
	enum vl_err err;
	struct vl_why why;
};

/* The pairs stay the caller's. NULL when out of memory. */
struct vl_ward *vl_ward_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			     const struct vl_position *at, int64_t now_ms);
void vl_ward_close(struct vl_ward *ward);

/* One step; never waits. */
enum vl_ward_said vl_ward_step(struct vl_ward *ward, int64_t now_ms, struct vl_ward_word *word);

/* Since when it reads without trouble; INT64_MAX while it does not. */
int64_t vl_ward_calm_since(const struct vl_ward *ward);

/* Whether an error means that the bytes there cannot be read, whoever asks and whenever. */
bool vl_ward_unreadable(enum vl_err err);

#endif

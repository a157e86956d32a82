/*
 * The record: what Kafka carries, as read from or written to it, and whether it may be believed.
 *
 * A record is judged in one order, and the first thing that is wrong is its reason: a value at
 * all, its size, its headers, a known key, the signature; only then is the value parsed, and
 * mission, lane and form checked. Whoever holds a `struct vl_batch` from here knows that an
 * enrolled key signed it.
 */
#ifndef VALISE_BUS_RECORD_H
#define VALISE_BUS_RECORD_H

#include "bus/batch.h"
#include "bus/ring.h"
#include "bus/sign.h"

#define VL_RECORD_HEADERS 64

struct vl_header {
	struct vl_bytes name, value; /* value.data is NULL for a null header value */
};

/* One record of a topic. Everything is somebody else's memory. */
struct vl_record {
	struct vl_bytes topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* the broker's */
	/* it is not: the topic keeps the senders', and it decides nothing */
	bool sender_time;
	/* by headquarters' clock, when it applied it; 0 of one that is not out of its archive */
	int64_t applied_ms;
	struct vl_bytes key, value; /* data is NULL where the record has none */
	size_t n_headers;
	struct vl_header headers[VL_RECORD_HEADERS];
	bool headers_cut; /* there were more than fit */
};

/* What verifying found. */
struct vl_verified {
	enum vl_domain domain;
	struct vl_digest digest;
	const struct vl_ring_entry *signer; /* the first good signature's */
	struct vl_batch batch;              /* only where the verdict is ok */
};

/* Judge a record. ok, or one of NULL_VALUE, TOO_LARGE, UNSIGNED, BAD_HEADER, UNKNOWN_KEY,
 * BAD_SIGNATURE, MALFORMED, WRONG_MISSION (key, batch and signer do not name one sender),
 * UNKNOWN_KEY too where the sender's key had ended before this place, WRONG_LANE (the topic,
 * less a mirror's "site." prefix, is not the batch's lane), or NOMEM. Every vl-sig header must
 * be good; one bad one spoils the record. `digest` is set whenever there is a value. Needs no
 * lock; `arena` holds what the batch points to. A drill is verified as one and says so in
 * `domain`. */
enum vl_err vl_record_verify(const struct vl_record *record, const struct vl_ring *ring,
			     struct vl_arena *arena, struct vl_verified *verified,
			     struct vl_why *why) VL_CHECKED;

/* The lane of a topic: the topic itself, or what follows the first "<site>." prefix where that
 * names a lane. */
struct vl_bytes vl_topic_lane(struct vl_bytes topic);

#endif

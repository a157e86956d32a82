/*
 * The record: one Kafka record, as read or as to be written, and whether it may be believed.
 *
 * A record is judged in one order, and the first fault is its reason: the value, its size, its
 * headers, a known key, the signature. Only then the value is parsed, and mission, lane and form
 * are checked. So a `struct vl_batch` from here was signed by an enrolled key.
 *
 * Next: chain.h, which batch may follow which.
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

/* One record of a topic. All memory belongs to its owner elsewhere. */
struct vl_record {
	struct vl_bytes topic;
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* the broker's */
	/* the topic keeps the senders' time; then timestamp_ms decides nothing */
	bool sender_time;
	/* headquarters' time when it applied the record; 0 unless the record comes from its
	 * archive */
	int64_t applied_ms;
	struct vl_bytes key, value; /* data is NULL where the record has none */
	size_t n_headers;
	struct vl_header headers[VL_RECORD_HEADERS];
	bool headers_cut; /* it had more headers than fit */
};

/* The result of verifying. */
struct vl_verified {
	enum vl_domain domain;
	struct vl_digest digest;
	const struct vl_ring_entry *signer; /* the first good signature's */
	struct vl_batch batch;              /* only where the verdict is ok */
};

/* Judge a record: ok, NULL_VALUE, TOO_LARGE, UNSIGNED, BAD_HEADER, UNKNOWN_KEY, BAD_SIGNATURE,
 * MALFORMED, WRONG_MISSION, WRONG_LANE or NOMEM. WRONG_MISSION: key, batch and signer do not
 * name one sender. UNKNOWN_KEY also if the sender's key had ended before this batch. WRONG_LANE:
 * the topic, less a mirror's "site." prefix, is not the batch's lane. Every vl-sig header must
 * be good; one bad one spoils the record. If there is a value, `digest` is set. Needs no lock.
 * `arena` holds what the batch points to. A drill is verified as a drill, and `domain` says so. */
enum vl_err vl_record_verify(const struct vl_record *record, const struct vl_ring *ring,
			     struct vl_arena *arena, struct vl_verified *verified,
			     struct vl_why *why) VL_CHECKED;

/* The lane of a topic: the topic itself, or the part behind the first "<site>." prefix if that
 * part names a lane. */
struct vl_bytes vl_topic_lane(struct vl_bytes topic);

#endif

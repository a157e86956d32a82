/*
 * Verify: judge records in parallel, and hand them on in turns.
 *
 * One thread puts records in, a few judge them (vl_record_verify) and read the facts out of the
 * good ones, one takes them out: so many records and bytes at most, so that a slow writer slows the
 * reading. Each sender's records in a partition come out in the order in which they were put in;
 * between them the urgent ones go first, and all take turns (turns.h).
 */
#ifndef VALISE_HQ_INGEST_VERIFY_H
#define VALISE_HQ_INGEST_VERIFY_H

#include "bus/record.h"
#include "hq/fold/view.h"
#include "hq/ingest/marks.h"

struct vl_verifier;

/* A judged record. */
struct vl_job {
	const struct vl_record *record;
	/* called once the record is no longer wanted, from any thread */
	void (*release)(void *owner);
	void *owner;
	bool again; /* it was passed over, and is read once more (passed.h) */
	/* where its partition is read on once it is done; not of one that is read once more */
	struct vl_mark mark;
	struct vl_arena *arena;
	struct vl_verified verified;
	/* One for each event of a good batch, in the arena; `payload` is NULL where the event
	 * cannot be read here. */
	struct vl_fact *facts;
	struct vl_why why;
	enum vl_err verdict;
	bool urgent;    /* of a lane that is FLASH, and nothing of its sender behind it (turns.h) */
	int64_t put_ms; /* when it was put in (vl_monotonic_ms) */
};

/* `threads` of 1 or more. The verifier takes the ring over. */
enum vl_err vl_verifier_open(struct vl_ring *ring, unsigned threads, struct vl_verifier **verifier,
			     struct vl_why *why) VL_CHECKED;

/* Wake everybody and wait for the threads; what was not taken out is released. No put or next may
 * run any more. */
void vl_verifier_close(struct vl_verifier *verifier);

/* From now on judge with another ring, which the verifier takes over; the old one goes once nobody
 * judges with it any more. Records that are in the verifier already are judged again. Call it from
 * the thread that takes records out, when all it took are done. */
enum vl_err vl_verifier_renew(struct vl_verifier *verifier, struct vl_ring *ring) VL_CHECKED;

/* Whether the next put of a record of that partition, or with NULL of any, need not wait. There
 * is always room for one record of each partition, so that no partition that has many waits in
 * front of another. */
bool vl_verifier_has_room(struct vl_verifier *verifier, const char *topic, int32_t partition);

/* Hand a record over, which lives until `release(owner)`; waits while there is no room. False, and
 * the record is released, once vl_verifier_stop was called. */
bool vl_verifier_put(struct vl_verifier *verifier, const struct vl_record *record,
		     void (*release)(void *owner), void *owner);

/* The same for a record that is read once more. */
bool vl_verifier_put_again(struct vl_verifier *verifier, const struct vl_record *record,
			   void (*release)(void *owner), void *owner);

/* The most records that may be taken out before they are done with. */
#define VL_VERIFIER_TAKE 128

/* The record whose turn it is, once it is judged; NULL where there is none within
 * `timeout_ms` (0: do not wait), or after stop. It stays the verifier's, and valid, until
 * vl_verifier_done, which is for all that were taken out. */
const struct vl_job *vl_verifier_next(struct vl_verifier *verifier, int timeout_ms);
void vl_verifier_done(struct vl_verifier *verifier);

/* Whether all that was put in is judged; and whether it is done with. */
bool vl_verifier_judged(struct vl_verifier *verifier);
bool vl_verifier_idle(struct vl_verifier *verifier);

/* How many were ever put in; and whether as many are done with: all that was put in up to the
 * mark. */
uint64_t vl_verifier_mark(struct vl_verifier *verifier);
bool vl_verifier_past(struct vl_verifier *verifier, uint64_t mark);

/* Make put and next return at once from now on. */
void vl_verifier_stop(struct vl_verifier *verifier);

#endif

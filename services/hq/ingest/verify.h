/*
 * Verify: judge records in parallel, and hand them on in turns.
 *
 * One thread puts records in. A few threads judge them (vl_record_verify) and read the facts out of
 * the good ones. One thread takes them out. Records and bytes inside are bounded, so that a slow
 * writer slows the reading. Each sender's records in a partition come out in the order in which
 * they were put in. Between senders the urgent ones go first, and all have turns (turns.h).
 *
 * Reading of FLASH lanes is not slowed. If a sender has too many records inside, the rest is put
 * off, and read again later.
 *
 * Next: turns.h, whose turn it is.
 */
#ifndef VALISE_HQ_INGEST_VERIFY_H
#define VALISE_HQ_INGEST_VERIFY_H

#include "bus/record.h"
#include "hq/fold/view.h"
#include "hq/ingest/marks.h"

struct vl_verifier;

/* A judged record; or some that were put off. */
struct vl_job {
	const struct vl_record *record;
	/* called when the record is no longer needed, from any thread */
	void (*release)(void *owner);
	void *owner;
	bool again; /* it was passed over, and is read again (passed.h) */
	/* 0, or: records were put off, and are not judged. They are this one, and all of its
	 * sender's in this partition from it on to before that offset. */
	int64_t put_off_to;
	/* where its partition is read on after it; not for one that is read again */
	struct vl_mark mark;
	struct vl_arena *arena;
	struct vl_verified verified;
	/* One for each event of a good batch, in the arena; `payload` is NULL if the event
	 * cannot be read here. */
	struct vl_fact *facts;
	struct vl_why why;
	enum vl_err verdict;
	bool urgent;    /* of a FLASH lane, and no record of its sender is behind it (turns.h) */
	int64_t put_ms; /* when it was put in (vl_monotonic_ms) */
};

/* `threads` of 1 or more. The verifier takes the ring over. */
enum vl_err vl_verifier_open(struct vl_ring *ring, unsigned threads, struct vl_verifier **verifier,
			     struct vl_why *why) VL_CHECKED;

/* Wake all threads and wait for their end; records that were not taken out are released. No put
 * or next may run any more. */
void vl_verifier_close(struct vl_verifier *verifier);

/* From now on judge with another ring, which the verifier takes over. The old one is freed when
 * no thread judges with it. Records in the verifier are judged again. Call it from the thread
 * that takes records out, when all that it took are done. */
enum vl_err vl_verifier_renew(struct vl_verifier *verifier, struct vl_ring *ring) VL_CHECKED;

/* Whether the next put of a record of that partition (NULL: of any) need not wait. There is
 * always room for one record of each partition, so that a partition with many records delays no
 * other. */
bool vl_verifier_has_room(struct vl_verifier *verifier, const char *topic, int32_t partition);

/* Add a record, which lives until `release(owner)`; waits while there is no room. False, and the
 * record is released, after vl_verifier_stop. */
bool vl_verifier_put(struct vl_verifier *verifier, const struct vl_record *record,
		     void (*release)(void *owner), void *owner);

/* The same for a partition of a FLASH lane, without waiting. The record is put off if there is no
 * room, and 256 kB of its sender's records in this partition are inside already. It is read again
 * later (passed.h). So a sender's flood delays no urgent record behind it, and costs no memory.
 * Call it only if vl_verifier_has_slot. */
bool vl_verifier_put_or_off(struct vl_verifier *verifier, const struct vl_record *record,
			    void (*release)(void *owner), void *owner);
bool vl_verifier_has_slot(struct vl_verifier *verifier);

/* Whether a FLASH record waits whose sender had no other record inside when it came. Needs no
 * lock. `verifier` is a struct vl_verifier. */
bool vl_verifier_hurries(void *verifier);

/* The same for a record that is read again. */
bool vl_verifier_put_again(struct vl_verifier *verifier, const struct vl_record *record,
			   void (*release)(void *owner), void *owner);

/* The most records that may be taken out before they are done. */
#define VL_VERIFIER_TAKE 128

/* The record whose turn it is, when it is judged; NULL if there is none within `timeout_ms` (0:
 * do not wait), or after stop. It stays the verifier's, and valid, until vl_verifier_done, which
 * is for all that were taken out. */
const struct vl_job *vl_verifier_next(struct vl_verifier *verifier, int timeout_ms);
void vl_verifier_done(struct vl_verifier *verifier);

/* Whether all records that were put in are judged; and whether they are done. */
bool vl_verifier_judged(struct vl_verifier *verifier);
bool vl_verifier_idle(struct vl_verifier *verifier);

/* How many were ever put in; and whether as many are done: all that were put in up to the mark. */
uint64_t vl_verifier_mark(struct vl_verifier *verifier);
bool vl_verifier_past(struct vl_verifier *verifier, uint64_t mark);

/* Make put and next return at once from now on. */
void vl_verifier_stop(struct vl_verifier *verifier);

#endif

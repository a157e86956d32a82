/*
 * Passed batches: there was no room for them to wait (parked.h), so their place in Kafka is
 * remembered.
 *
 * There is one row for each (mission, lane) and partition, so that a flood costs one row. It has
 * the lowest and the highest offset, the nearest and the furthest batch. When the chain has come to
 * the nearest, that part of the partition is read again: a pass. It is for that mission alone,
 * beside all other reading (again.h). Batches that the pass skips once more are kept in the same
 * row, for the next pass. A pass is made in turns, and each is remembered, so that a restart goes
 * on where it was. The order in which partitions are read does not matter, nor how often a
 * mission's key moved. Each pass applies the nearest at least, or finds that Kafka has lost it.
 *
 * In an urgent lane records are also passed over before they are judged: a sender has too many
 * waiting (verify.h). They are put off, and their part of the partition is read again at once.
 *
 * Next: hq/ingest/again.h, which reads them again.
 */
#ifndef VALISE_HQ_LEDGER_PASSED_H
#define VALISE_HQ_LEDGER_PASSED_H

#include "hq/ledger/parked.h"
#include "stream/stream.h"

/* Remember that a batch was passed over; `head` is its head. Within the transaction that passes
 * over it. */
void vl_passed_note(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct vl_record *record, const struct vl_batch_head *head);

/* The same for records that are not judged yet (verify.h): `record`, and all with its key from
 * it on to before `to` in its partition. Their places are unknown, so the next pass is useful at
 * once. */
void vl_passed_put_off(struct vl_txn *txn, const char *mission, const char *lane,
		       const struct vl_record *record, int64_t to);

/* Whether a record that is read again is from a part in which records were put off. A record there
 * that was judged before may get a second dead letter. */
bool vl_passed_unjudged(struct vl_txn *txn, const char *mission, const char *lane,
			const struct vl_record *record);

/* Whether a record that is read again is one of those. */
bool vl_passed_wanted(struct vl_txn *txn, const char *mission, const char *lane,
		      const struct vl_record *record);

/* Whether the missing batches may be in Kafka, passed over, so that no mission needs to send
 * them again. */
bool vl_passed_lies(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct vl_gap *gap);

/* A part of a partition to be read again, for one mission. */
struct vl_pass {
	struct vl_key key; /* of the row */
	char mission[VL_MISSION_MAX + 1];
	struct vl_position from;
	int64_t end;
	uint64_t batches; /* that the mission had applied on the lane when the pass began */
	bool unjudged;    /* records were put off there */
};

/* The next pass behind the row `after`, around the end to the first again; false if none is
 * useful. A pass under way goes on. Another is useful if the nearest may follow now or, with
 * `any`, if a batch was applied since the last. `rests`, which may be NULL, names the rows that
 * are left alone for now. */
typedef bool vl_passed_rests(void *context, struct vl_bytes row);
bool vl_passed_next(struct vl_txn *txn, const struct vl_key *after, bool any,
		    vl_passed_rests *rests, void *context, struct vl_pass *pass);

/* Begin a pass, or go on with one. */
void vl_passed_begin(struct vl_txn *txn, struct vl_pass *pass);

/* All below `offset` was read again, and is applied. True if the pass has ended with it;
 * *applied says how much the chain has moved since it began. */
bool vl_passed_reached(struct vl_txn *txn, const struct vl_pass *pass, int64_t offset,
		       uint64_t *applied);

/* Kafka no longer has the batches that were passed over there. */
void vl_passed_forget(struct vl_txn *txn, const char *topic, int32_t partition);

#endif

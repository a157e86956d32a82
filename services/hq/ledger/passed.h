/*
 * What was passed over: batches for which there was no room to wait (parked.h) are remembered by
 * where they lie in Kafka.
 *
 * One row for each (mission, lane) and partition, so that a flood costs a row: the lowest and
 * the highest offset, the nearest and the furthest place. Once the chain has come to the
 * nearest, that part of the partition is read again, for that mission alone, beside all other
 * reading (again.h): a pass. What it passes over once more is kept in the same row, for the pass
 * after it. A pass is made in turns, each of which is remembered, so that a restart goes on
 * where it was. Nothing depends on the order in which partitions are read, nor on how often a
 * mission's key moved: each pass applies the nearest at least, or finds that Kafka has lost it.
 */
#ifndef VALISE_HQ_LEDGER_PASSED_H
#define VALISE_HQ_LEDGER_PASSED_H

#include "hq/ledger/parked.h"
#include "stream/stream.h"

/* Remember that a batch was passed over; `head` is its head. Within the transaction that passes
 * over it. */
void vl_passed_note(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct vl_record *record, const struct vl_batch_head *head);

/* Whether a record that is read again is one of those. */
bool vl_passed_wanted(struct vl_txn *txn, const char *mission, const char *lane,
		      const struct vl_record *record);

/* Whether what is missing may lie in Kafka, passed over, so that nobody needs to send it again. */
bool vl_passed_lies(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct vl_gap *gap);

/* A part of a partition to be read again, for one mission. */
struct vl_pass {
	struct vl_key key; /* of the row */
	char mission[VL_MISSION_MAX + 1];
	struct vl_position from;
	int64_t end;
	uint64_t batches; /* that the mission had applied on the lane when the pass began */
};

/* The next pass behind the row `after`, around the end to the first again; false where none is
 * worth it. A pass under way goes on; another is worth it where the nearest may follow now, or,
 * with `any`, where anything was applied since the last. `rests`, which may be NULL, says which
 * rows are left alone for now. */
typedef bool vl_passed_rests(void *context, struct vl_bytes row);
bool vl_passed_next(struct vl_txn *txn, const struct vl_key *after, bool any,
		    vl_passed_rests *rests, void *context, struct vl_pass *pass);

/* Begin a pass, or go on with one. */
void vl_passed_begin(struct vl_txn *txn, struct vl_pass *pass);

/* All below `offset` was read again, and is applied. True where the pass has ended with it;
 * *applied says how much the chain has moved since it began. */
bool vl_passed_reached(struct vl_txn *txn, const struct vl_pass *pass, int64_t offset,
		       uint64_t *applied);

/* Kafka no longer has what was passed over there. */
void vl_passed_forget(struct vl_txn *txn, const char *topic, int32_t partition);

#endif

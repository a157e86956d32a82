/*
 * Marks: the offset at which each partition is to be read on, although its records are not taken in
 * the order in which they came.
 *
 * Each sender's records keep their order, and senders do not wait for each other (turns.h). A
 * ledger that remembers one offset for each partition must not pass a record that still waits. So
 * the partition is read on from the first waiting record. After a crash the records that were taken
 * beyond it come again, and are known by their number in their chain.
 *
 * It knows records by the number of their slot, and does no locking.
 *
 * Next: pump.h, from the verifier into the ledger.
 */
#ifndef VALISE_HQ_INGEST_MARKS_H
#define VALISE_HQ_INGEST_MARKS_H

#include "bus/batch.h"
#include "bus/record.h"

struct vl_marks;

/* For slots 0 to `slots` - 1. NULL when out of memory. */
struct vl_marks *vl_marks_open(unsigned slots);
void vl_marks_close(struct vl_marks *marks);

/* The record in `slot` waits; those of one partition come in their order. False when out of
 * memory. */
bool vl_marks_put(struct vl_marks *marks, unsigned slot, const struct vl_record *record);

/* Another record, the furthest yet of its partition, waits together with the one in `slot`. */
void vl_marks_join(struct vl_marks *marks, unsigned slot, int64_t offset);

/* The offset at which a partition is to be read on, and the digest of the record before it, all
 * zero if unknown. */
struct vl_mark {
	int64_t next;
	struct vl_digest last;
};

/* The record in `slot`, and what joined it, waits no longer. `digest` is that of the last of them,
 * or all zero. */
struct vl_mark vl_marks_take(struct vl_marks *marks, unsigned slot, const struct vl_digest *digest);

#endif

/*
 * The chain of one (mission, lane): which batch may follow which.
 *
 * Pure: a head, a batch, a verdict. The caller keeps heads, parked batches and evidence.
 *
 * Next: types.h, the lanes and their payloads.
 */
#ifndef VALISE_BUS_CHAIN_H
#define VALISE_BUS_CHAIN_H

#include "bus/batch.h"

/* How far a chain has come. All zero before its first batch. */
struct vl_chain {
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no next_event; /* the number its next event must have; 1 in a new epoch */
	struct vl_digest digest;       /* of the batch `seq` */
};

enum vl_chain_step {
	VL_CHAIN_NEXT, /* follows; vl_chain_advance may be called */
	/* its number is taken: a replay if that batch has the same digest, else a fork */
	VL_CHAIN_KNOWN,
	VL_CHAIN_AHEAD, /* a batch before it has not come yet: a gap */
	/* its number is the next, but prev or first_event contradict the chain: a fork */
	VL_CHAIN_MISMATCH,
};

/* Where `batch` stands in the chain. If it is of the same epoch, seq, prev and first_event
 * decide. If it is of an earlier epoch, it is KNOWN.
 *
 * A batch of a later epoch is NEXT if its seq and first_event are 1 and its prev is the chain's
 * digest. If prev is another digest, it is AHEAD, since the end of the previous epoch may still
 * come. If seq > 1, it is AHEAD. If prev is all zeros after an epoch that had batches, it is a
 * MISMATCH: the sender has forgotten its past. The very first batch has seq 1, first_event 1 and
 * prev zero. */
enum vl_chain_step vl_chain_check(const struct vl_chain *chain, const struct vl_batch *batch);

void vl_chain_advance(struct vl_chain *chain, const struct vl_batch *batch,
		      const struct vl_digest *digest);

#endif

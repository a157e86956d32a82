/*
 * The chain of one (mission, lane): which batch may follow which.
 *
 * Pure: a head, a batch, a verdict. Keeping heads, parked batches and evidence is the caller's.
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
	/* its place is taken: a replay if that batch has the same digest, else a fork */
	VL_CHAIN_KNOWN,
	VL_CHAIN_AHEAD, /* something before it has not come yet: a gap */
	/* in its place by number, but prev or first_event contradict the chain: a fork */
	VL_CHAIN_MISMATCH,
};

/* Where `batch` stands. A batch of the same epoch is judged by seq, prev and first_event. A
 * batch of a later epoch follows when it is seq 1, first_event 1 and its prev is the chain's
 * digest; when prev is another digest it is AHEAD (the end of the epoch before may still come);
 * seq > 1 is AHEAD. An earlier epoch is KNOWN. prev of all zeros in a later epoch, after a first
 * epoch that had batches, is a MISMATCH: the sender has forgotten its past. The very first
 * batch: seq 1, first_event 1, prev zero. */
enum vl_chain_step vl_chain_check(const struct vl_chain *chain, const struct vl_batch *batch);

void vl_chain_advance(struct vl_chain *chain, const struct vl_batch *batch,
		      const struct vl_digest *digest);

#endif

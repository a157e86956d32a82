/*
 * Inside apply: apply.c takes records in; apply_chain.c judges each batch's number, and applies the
 * batches that may follow.
 *
 * Next: hq/ledger/ledger.h, where all of it is stored.
 */
#ifndef VALISE_HQ_INGEST_APPLY_STATE_H
#define VALISE_HQ_INGEST_APPLY_STATE_H

#include "base/arena.h"
#include "hq/fold/filing.h"
#include "hq/fold/fold.h"
#include "hq/fold/look.h"
#include "hq/ingest/apply.h"
#include "hq/ledger/standing.h"

struct vl_applier {
	struct vl_store *store;
	struct vl_txn *txn;
	struct vl_fold *fold;
	struct vl_filing *filing;
	struct vl_arena *arena;
	struct vl_buf packed, copy;
	struct vl_parked_bounds bounds;
	struct vl_look look;
	/* what this transaction may still take out of the parked batches */
	struct vl_drain left;
	struct vl_due due;        /* the position of the last one taken in turn */
	enum vl_precedence least; /* the least urgent lane that goes on */
	bool waits;               /* an epoch was due when the last transaction ended */
	uint64_t events, total;
	uint64_t undone; /* entries of the to-do list when the last transaction ended */
	const struct vl_clock *clock; /* NULL: the broker's time is used */
	struct vl_txn *before;        /* another ledger that may have applied the batch; or NULL */
	vl_apply_moved *moved;        /* may be NULL */
	void *context;
};

/* One good batch on its way in. */
struct vl_arrival {
	const struct vl_record *record;
	const struct vl_batch *batch;
	const struct vl_digest *digest;
	const struct vl_fact *facts; /* NULL if they must be read here */
	char mission[VL_MISSION_MAX + 1];
	const char *lane;
	size_t view;
	bool again; /* it was passed over, and is read again */
	struct vl_standing standing;
};

/* Whether an epoch is due that is urgent enough. */
bool vl_arrival_due(struct vl_applier *applier);

/* Apply the batch, park it, keep it as evidence, or drop it as known. Then apply the batches
 * that it lets follow, as far as `left` allows. */
void vl_arrival_place(struct vl_applier *applier, struct vl_arrival *arrival);

#endif

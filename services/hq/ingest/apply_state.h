/*
 * The inside of apply, shared by apply.c (records in) and apply_chain.c (where each batch
 * stands, and what it lets follow).
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
	struct vl_drain left;     /* that this transaction may still take out of what waited */
	struct vl_due due;        /* where the last one taken in turn was */
	enum vl_precedence least; /* that is gone on with */
	bool waits;               /* something was due when the last transaction ended */
	uint64_t events, total;
	uint64_t undone; /* entries of the to-do list when the last transaction ended */
	const struct vl_clock *clock; /* NULL: the broker's time is taken */
	struct vl_txn *before;        /* another ledger, which may have applied it; or NULL */
	vl_apply_moved *moved;        /* may be NULL */
	void *context;
};

/* One good batch on its way in. */
struct vl_arrival {
	const struct vl_record *record;
	const struct vl_batch *batch;
	const struct vl_digest *digest;
	const struct vl_fact *facts; /* NULL where they must be read here */
	char mission[VL_MISSION_MAX + 1];
	const char *lane;
	size_t view;
	bool again; /* it was passed over, and is read once more */
	struct vl_standing standing;
};

/* Whether anything is due that is urgent enough. */
bool vl_arrival_due(struct vl_applier *applier);

/* Apply it, park it, keep it as evidence or know it; and apply what it lets follow, as far as
 * `left` goes. */
void vl_arrival_place(struct vl_applier *applier, struct vl_arrival *arrival);

#endif

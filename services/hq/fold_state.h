/*
 * The inside of the fold, shared by fold.c (settling), fold_add.c (facts in) and fold_view.c (what views call).
 */
#ifndef VALISE_HQ_FOLD_STATE_H
#define VALISE_HQ_FOLD_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "hq/fold.h"

#define FOLD_MAX_KINDS 16
#define FOLD_TALLY_NAME_MAX ((size_t)200)

/* A fact that this transaction filed. */
struct filed {
	const struct vl_fact *fact;
	struct vl_place place;
	struct filed *next;
};

/* An entity to be folded again. */
struct dirty {
	char *key;
	/* Where its whole history was filed by this transaction, that history, so that it need not be read back. */
	struct filed *facts, **last;
	size_t n_facts;
	bool complete;
	UT_hash_handle hh;
};

/* What one row adds to one tally, summed over the row as it was (taken back) and as it is. */
struct change {
	unsigned kind;
	struct vl_bytes tally; /* its key in the ledger: kind, entity with a NUL, name */
	int64_t count;
	UT_hash_handle hh;
};

struct vl_fold {
	struct vl_txn *txn;
	struct vl_arena *txn_arena; /* until settle: the dirty sets, the facts that were added */
	struct vl_arena *arena;     /* until one entity is done */
	struct vl_buf packed;
	struct dirty **dirty; /* view * FOLD_MAX_KINDS + kind */
	size_t view;
	unsigned kind;
	const char *key;
	int sign; /* -1 while a row's former contribution is taken back, else 1 */
	struct change *changes;
};

/* The entity's entry in the set of those to be folded again; *added says that it is new there. NULL when out of memory, with the
 * transaction failed. */
struct dirty *vl_fold_mark(struct vl_fold *fold, unsigned kind, const char *key, bool *added);

/* The key of a tally in the ledger. */
void vl_fold_tally_key(struct vl_key *key, unsigned kind, const char *entity, const char *name);

#endif

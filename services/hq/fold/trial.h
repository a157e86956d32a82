/*
 * Trials: the row that an entity would have without one of its facts, without one sum, or without
 * one row that it reads. The engine folds it as any other, and nothing is stored. So a difference
 * is found alike for what tables and C make.
 *
 * Rows and tallies of others are read as they stand in the transaction, which may be one that only
 * reads.
 *
 * Next: source.h, what the tables alone say.
 */
#ifndef VALISE_HQ_FOLD_TRIAL_H
#define VALISE_HQ_FOLD_TRIAL_H

#include "hq/fold/bind.h"
#include "hq/fold/fold.h"

/* In vl_trial.without: no fact is left out. */
#define VL_TRIAL_ALL SIZE_MAX

struct vl_trial {
	size_t view;
	unsigned kind;
	const char *key;
	const struct vl_history_item *items; /* in the order of a history */
	size_t count;
	size_t without; /* this one of them is left out */
	/* Tallies of the entity that have this name, or begin with it and '/', count for nothing;
	 * with "" none of them counts. May be NULL. */
	const char *no_tally;
	/* A row that it reads is not there: by view, kind and key; NULL: none. */
	size_t no_view;
	unsigned no_kind;
	const char *no_key;
	/* May be NULL: called with the row before each fact acts on it. Then it is called without a
	 * fact, when all have acted, and when sums and lookups are in. */
	void (*look)(void *context, struct vl_fold *fold, const ProtobufCMessage *row,
		     const struct vl_fact *fact);
	/* May be NULL: called for each row that is read. The key is valid during the call. */
	void (*reads)(void *context, size_t view, unsigned kind, const char *key);
	void *context;
};

/* Fold it. *row is in the fold's memory until the next trial; NULL where there would be none.
 * CORRUPT where what it is made of is damaged, NOMEM, or the transaction's error. */
enum vl_err vl_fold_try(struct vl_fold *fold, struct vl_txn *txn, const struct vl_trial *trial,
			const ProtobufCMessage **row) VL_CHECKED;

/* What a row adds to others. */
typedef void vl_trial_adds(void *context, unsigned kind, const char *key, const char *name,
			   int64_t count);

/* Report what row (view, kind, key) adds to tallies. */
enum vl_err vl_fold_try_adds(struct vl_fold *fold, struct vl_txn *txn, size_t view, unsigned kind,
			     const char *key, const ProtobufCMessage *row, vl_trial_adds *each,
			     void *context) VL_CHECKED;

/* As vl_history_read, but of more than a row may be made of only what it is made of. */
enum vl_err vl_fold_try_items(struct vl_txn *txn, size_t view, unsigned kind, const char *key,
			      struct vl_arena *arena, struct vl_history_item **items, size_t *count,
			      size_t *damaged) VL_CHECKED;

/* For the engine: a fact is about to act, or none is any more. */
void vl_trial_look(struct vl_fold *fold, const ProtobufCMessage *row, const struct vl_fact *fact);

#endif

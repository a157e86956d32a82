/*
 * A row folded without one of its sources, and nothing written (trial.h).
 */
#include "hq/fold/trial.h"

#include "hq/fold/fold_state.h"
#include "hq/fold/history.h"

#include <string.h>

bool vl_fold_hides_tally(const struct vl_fold *fold, unsigned kind, const char *key,
			 const char *name)
{
	const char *hidden = fold->trial != NULL ? fold->trial->no_tally : NULL;
	size_t size = hidden != NULL ? strlen(hidden) : 0;

	return hidden != NULL && kind == fold->kind && strcmp(key, fold->key) == 0 &&
	       (size == 0 ||
		(strncmp(name, hidden, size) == 0 && (name[size] == '\0' || name[size] == '/')));
}

bool vl_fold_hides_row(const struct vl_fold *fold, size_t view, unsigned kind, const char *key)
{
	const struct vl_trial *trial = fold->trial;

	if (trial == NULL)
		return false;
	if (trial->reads != NULL)
		trial->reads(trial->context, view, kind, key);
	return trial->no_key != NULL && view == trial->no_view && kind == trial->no_kind &&
	       strcmp(key, trial->no_key) == 0;
}

/* As a transaction that folds this one entity would find it. */
static void prepare(struct vl_fold *fold, struct vl_txn *txn, const struct vl_trial *trial)
{
	vl_fold_begin(fold, txn);
	vl_arena_reset(fold->arena);
	memset(fold->slots, 0, sizeof(fold->slots));
	fold->view = fold->turn_view = trial->view;
	fold->kind = fold->turn_kind = trial->kind;
	fold->key = trial->key;
	fold->trial = trial;
	vl_lookup_begin(fold);
	fold->fans = NULL;
	fold->beyond = fold->hurt = fold->adopts = false;
	/* Nothing follows from it. */
	fold->counting = true;
}

static enum vl_err end(struct vl_fold *fold)
{
	fold->counting = false;
	fold->trial = NULL;
	if (vl_arena_failed(fold->arena) || vl_arena_failed(fold->txn_arena))
		return VL_ERR_NOMEM;
	return fold->hurt ? VL_ERR_CORRUPT : vl_txn_err(fold->txn);
}

enum vl_err vl_fold_try(struct vl_fold *fold, struct vl_txn *txn, const struct vl_trial *trial,
			const ProtobufCMessage **row)
{
	size_t left = trial->count - (trial->without < trial->count);

	*row = NULL;
	prepare(fold, txn, trial);
	if (left > 0 || vl_fold_has_tallies(fold))
		*row = vl_fold_items(fold, trial->items, trial->count);
	return end(fold);
}

enum vl_err vl_fold_try_adds(struct vl_fold *fold, struct vl_txn *txn, size_t view, unsigned kind,
			     const char *key, const ProtobufCMessage *row, vl_trial_adds *each,
			     void *context)
{
	const struct vl_trial trial = {
		.view = view, .kind = kind, .key = key, .without = VL_TRIAL_ALL};
	struct change *change, *next;

	prepare(fold, txn, &trial);
	vl_fold_row_adds(fold, row, 1);
	HASH_ITER (hh, fold->changes, change, next) {
		const char *entity = (const char *)change->tally.data + 1;
		if (change->count != 0)
			each(context, change->kind, entity, entity + strlen(entity) + 1,
			     change->count);
	}
	HASH_CLEAR(hh, fold->changes);
	return end(fold);
}

enum vl_err vl_fold_try_items(struct vl_txn *txn, size_t view, unsigned kind, const char *key,
			      struct vl_arena *arena, struct vl_history_item **items, size_t *count,
			      size_t *damaged)
{
	size_t entries;
	bool beyond;

	return vl_history_read_some(txn, view, kind, key, arena, NULL, items, count, damaged,
				    &entries, &beyond);
}

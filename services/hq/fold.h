/*
 * The fold: from authentic events to rows, the same rows whatever the order of arrival.
 *
 * Within a write transaction the applier adds facts (vl_fold_add); each enters the history of the entities it touches. At the
 * end vl_fold_settle folds every entity whose history or tallies changed, kind by kind in rank order, and stores what came out.
 *
 * Order within a history: one sender's facts in its own order (epoch, event number); between senders a fact comes behind the
 * one its `after` names, else the earlier occurred_at first, else the lesser sender id. A wrong clock can thus move a fact among
 * other senders' facts, but never among its sender's own, nor before one that it answers.
 */
#ifndef VALISE_HQ_FOLD_H
#define VALISE_HQ_FOLD_H

#include "base/arena.h"
#include "hq/ledger.h"
#include "hq/view.h"

/* The rule a row breaks of whose events some are damaged in the ledger: a disk that rots, not a sender. */
#define VL_RULE_DAMAGED "DAMAGED"

/* One engine serves one writer. NULL when out of memory. */
struct vl_fold *vl_fold_open(void);
void vl_fold_close(struct vl_fold *fold);

/* What became of a fact. */
enum vl_fold_outcome {
	VL_FOLD_NEW,    /* it is in the history now */
	VL_FOLD_KNOWN,  /* its id is there already: one event */
	VL_FOLD_UNREAD, /* its type is unknown here or its payload malformed; it stays in the archive only */
};

/* Begin to use `txn`; the engine keeps it until settle or the next begin. */
void vl_fold_begin(struct vl_fold *fold, struct vl_txn *txn);

/* Add one event of an archived batch. `view` indexes vl_views; `mission` is NUL-terminated; `event` points into the batch. `read` is the
 * fact that was made of it and lives until settle, or NULL: then it is made here. Errors stick in the transaction; *outcome is set
 * in any case. */
void vl_fold_add_event(struct vl_fold *fold, size_t view, const char *mission, const struct vl_place *place,
		       struct vl_bytes event, const struct vl_fact *read, enum vl_fold_outcome *outcome);

/* Fold what changed. NOMEM, or the transaction's error. */
enum vl_err vl_fold_settle(struct vl_fold *fold) VL_CHECKED;

/* -- reading, for tools as well -- */

/* One fact of a history, and where it lies. */
struct vl_history_item {
	struct vl_fact fact;
	struct vl_place place;
	struct vl_bytes bytes; /* the serialised Event */
};

/* The history of (view, kind, key), ordered, in the arena. `items` is NULL where there is none. What is damaged is left out and
 * counted. */
enum vl_err vl_history_read(struct vl_txn *txn, size_t view, unsigned kind, const char *key, struct vl_arena *arena,
			    struct vl_history_item **items, size_t *count, size_t *damaged) VL_CHECKED;

/* The key by which an entity is filed: `key` itself, or a shortened form where it is too long. `room` holds 129 bytes. */
#define VL_ENTITY_MAX ((size_t)128)
const char *vl_entity_key(const char *key, char room[VL_ENTITY_MAX + 1]);

/* The row's and the history's key in the ledger; an empty `entity` gives the prefix of all of a kind. */
void vl_row_key(struct vl_key *key, unsigned kind, const char *entity);

#endif

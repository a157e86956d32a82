/*
 * The fold: from authentic events to rows. The rows are the same for any order of arrival.
 *
 * Within a write transaction the applier adds facts (vl_fold_add_event); each enters the history of
 * the entities that it touches. At the end vl_fold_settle folds the entities whose history or
 * tallies changed, kind by kind in rank order, and stores their rows. The most urgent lane
 * goes first. It is folded once more if a row that it looks up (declare.h) has changed after that.
 *
 * The work of one transaction is bounded, in steps. A step is a fact filed under an entity, a fact
 * folded, a tally read or changed, or an entity marked. Each mission has its own share of the
 * transaction, so that no event waits for the rest of another mission's batch. Urgent lanes go
 * first. Work beyond the share goes to the to-do list (todo.h) and is done in a later transaction.
 * Rows follow from the set of facts alone. So when the list is empty, the split of the work leaves
 * no trace.
 *
 * The sources of one row are bounded too: its facts, each list in it, and the tallies that it reads
 * by prefix. A fact weighs one, and one more for each 128 bytes. Of facts beyond the bound each
 * sender keeps its first, in equal shares. Of lists and tallies the first count, in the order of
 * the history and of the names. Such a row breaks the rule BOUND, and shows it. No fact is refused
 * or lost for it: all stay in the history and the archive.
 *
 * The order within a history: one sender's facts are in its own order (epoch, event number).
 * Between senders a fact comes behind the one that its `after` names, else the earlier occurred_at
 * first, else the lesser sender id. So a wrong clock can move a fact among other senders' facts,
 * but never among its sender's own, nor before one that it answers.
 *
 * Next: view.h, what a view's functions call.
 */
#ifndef VALISE_HQ_FOLD_H
#define VALISE_HQ_FOLD_H

#include "base/arena.h"
#include "hq/fold/view.h"
#include "hq/ledger/ledger.h"

/* The rule that a row breaks if it has more sources than a row may have, and the bounds. */
#define VL_RULE_BOUND "BOUND"
#define VL_FOLD_WEIGHT ((uint64_t)50000)
#define VL_FOLD_ITEMS ((size_t)20000)
#define VL_FOLD_TALLIES ((uint64_t)100000)

/* The most that one transaction may cost, in steps. */
struct vl_fold_bounds {
	uint64_t file;   /* to file one mission's new events */
	uint64_t settle; /* to fold, for all missions together, and one entity more */
	/* to fold, for each mission, even if the others took more than they should */
	uint64_t reserve;
	uint64_t drain; /* of the to-do list */
};

#define VL_FOLD_BOUNDS ((struct vl_fold_bounds){16384, 65536, 512, 16384})

/* The phases of a transaction: events are filed, the list is served, entities are folded. Beside
 * the bounds of steps each may have a bound of time, for a machine with slow steps. Beyond it, a
 * phase does only what keeps each mission going. */
enum vl_fold_phase { VL_PHASE_FILE, VL_PHASE_SERVE, VL_PHASE_SETTLE, VL_PHASES };

struct vl_fold_pace {
	int64_t (*now_ms)(void); /* NULL: no bounds of time */
	int64_t most_ms[VL_PHASES];
	/* `soon_ms` are the bounds where something urgent waits for this transaction to end, which
	 * is asked again and again (NULL: never), or is in it. */
	bool (*hurry)(void *context);
	void *context;
	int64_t soon_ms[VL_PHASES];
	bool soon;
};

/* The rule that a row breaks if some of its events are damaged in the ledger. A disk causes
 * that, not a sender. */
#define VL_RULE_DAMAGED "DAMAGED"

/* One engine serves one writer. NULL when out of memory. */
struct vl_fold *vl_fold_open(void);
void vl_fold_close(struct vl_fold *fold);

/* Set other bounds than VL_FOLD_BOUNDS. */
void vl_fold_bound(struct vl_fold *fold, const struct vl_fold_bounds *bounds);
const struct vl_fold_bounds *vl_fold_bounds(const struct vl_fold *fold);

/* After begin there are no bounds of time. */
void vl_fold_set_pace(struct vl_fold *fold, const struct vl_fold_pace *pace);
void vl_fold_enter(struct vl_fold *fold, enum vl_fold_phase phase);

/* Whether the phase has used its time. */
bool vl_fold_late(const struct vl_fold *fold);

/* The result for a fact. */
enum vl_fold_outcome {
	VL_FOLD_NEW,   /* it is in the history now */
	VL_FOLD_KNOWN, /* its id is known already: the same event */
	/* its id is known already, for another event of this sender; it stays only in the
	 * archive */
	VL_FOLD_REUSED,
	/* its id is all zeros or all ones, which names no event; it stays only in the archive */
	VL_FOLD_NIL,
	/* the entry of its id is damaged: nothing was done, and it is tried again (renewal.h) */
	VL_FOLD_WAITS,
	/* its type is unknown here, or its payload malformed; it stays only in the archive */
	VL_FOLD_UNREAD,
};

/* Another sender's event, or one on another lane, that has the same id and another content. Both
 * stand. Each is counted once, when the first such other is seen, so that the count is the same
 * in any order of arrival. */
struct vl_fold_other {
	char mission[VL_MISSION_MAX + 1];
	size_t view;
	bool counted; /* already */
	struct vl_fold_other *next;
};

/* The result for the event, and for others because of it. Lives until settle. */
struct vl_fold_added {
	enum vl_fold_outcome outcome;
	struct vl_fold_other *others;
	/* Of one sender's events with one id, the one at the earliest place stands. This one
	 * stood until now. From now on it is VL_FOLD_REUSED if its content differs, else
	 * VL_FOLD_KNOWN. */
	bool ousts;
	struct vl_place ousted;
	enum vl_fold_outcome ousted_as;
};

/* Begin to use `txn`; the engine keeps it until settle or the next begin. */
void vl_fold_begin(struct vl_fold *fold, struct vl_txn *txn);

/* The list of the transaction. */
struct vl_todo *vl_fold_todo(struct vl_fold *fold);

/* The following work is for `mission`, and counts against its share. */
void vl_fold_serve(struct vl_fold *fold, const char *mission);

/* Steps of this transaction so far, or of the last one; those of filing for the present mission.
 * The least steps of the entities marked so far are included. */
uint64_t vl_fold_steps(const struct vl_fold *fold);
uint64_t vl_fold_filed(const struct vl_fold *fold);
void vl_fold_charge(struct vl_fold *fold, uint64_t steps);

/* The part of an event to file at a time: the entities that it touches from the `first` on,
 * `room` of them. After the call `first` is where to go on, 0 if all are done. */
struct vl_fold_part {
	uint32_t first;
	uint64_t room;
	bool renew; /* only the missing entries (renewal.h) */
};

/* Add one event of an archived batch. `view` indexes vl_views; `mission` is NUL-terminated;
 * `event` points into the batch. `read` is the fact that was made of it and lives until settle,
 * or NULL: then it is made here. Errors stick in the transaction; *added is set in any case.
 *
 * Two events of one sender are the same if they have one id and one gist (bus/batch.h). So an
 * event that a program sends again with a new time is no other event. Events of two senders are
 * the same if all their bytes are. */
void vl_fold_add_event(struct vl_fold *fold, size_t view, const char *mission,
		       const struct vl_place *place, struct vl_bytes event,
		       const struct vl_fact *read, struct vl_fold_part *part,
		       struct vl_fold_added *added);

/* Do the work of an entry of the queue of folds: mark the entity, or `room` of those that a fan
 * names. True if the entry is done. */
bool vl_fold_take_up(struct vl_fold *fold, size_t view, struct vl_bytes body, uint64_t room);

/* Whether the fact belongs to that entity, as its view is declared. Nothing is filed. */
bool vl_fold_belongs(struct vl_fold *fold, size_t view, const struct vl_fact *fact, unsigned kind,
		     const char *entity);

/* An entry of this database of the ledger, a view's or the list's, was found damaged: it is made
 * whole again from now on (renewal.h). */
void vl_fold_damaged(struct vl_fold *fold, unsigned db);

/* Have all rows that look up rows of the view folded again: the view was made anew. */
void vl_fold_readers(struct vl_fold *fold, size_t view);

/* Fold the changed entities, as far as the bounds allow; the rest goes to the list. NOMEM, or
 * the transaction's error. */
enum vl_err vl_fold_settle(struct vl_fold *fold) VL_CHECKED;

/* -- reading, also for tools -- */

/* One fact of a history, and its place. */
struct vl_history_item {
	struct vl_fact fact;
	struct vl_place place;
	/* the serialised Event; empty if the fact was unpacked for another history */
	struct vl_bytes bytes;
	bool shared; /* it was, or when it was filed */
};

/* The history of (view, kind, key), ordered, in the arena. `items` is NULL if there is none.
 * Damaged facts are left out and counted. */
enum vl_err vl_history_read(struct vl_txn *txn, size_t view, unsigned kind, const char *key,
			    struct vl_arena *arena, struct vl_history_item **items, size_t *count,
			    size_t *damaged) VL_CHECKED;

/* The key under which an entity is filed: `key` itself, or a shortened form if it is too long.
 * `room` holds 129 bytes. */
#define VL_ENTITY_MAX ((size_t)128)
const char *vl_entity_key(const char *key, char room[VL_ENTITY_MAX + 1]);

/* The row's and the history's key in the ledger; an empty `entity` gives the prefix of all of a
 * kind. */
void vl_row_key(struct vl_key *key, unsigned kind, const char *entity);

#endif

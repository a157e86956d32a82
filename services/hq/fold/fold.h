/*
 * The fold: from authentic events to rows, the same rows whatever the order of arrival.
 *
 * Within a write transaction the applier adds facts (vl_fold_add_event); each enters the history
 * of the entities it touches. At the end vl_fold_settle folds the entities whose history or
 * tallies changed, kind by kind in rank order, and stores what came out.
 *
 * What one transaction does is bounded, in steps: a fact filed under an entity, a fact folded, a
 * tally read or changed, an entity marked. Each mission has its own share of the transaction, so
 * that nobody's events wait for the rest of another's batch; urgent lanes go first. What is
 * beyond the share goes to the to-do list (todo.h) and is folded in a later transaction. Rows
 * follow from the set of facts alone, so how the work was split shows nowhere once the list is
 * empty.
 *
 * What makes one row is bounded, too: its facts by their weight (one, and one more for each 128
 * bytes), each list in it, and the tallies it reads by prefix. Of facts beyond the bound each
 * sender keeps the first of its own, of all senders alike; of lists and tallies the first count,
 * in the order of the history and of the names. Such a row breaks the rule BOUND, and says so.
 * Nothing is refused or lost for it: all of it stays in the history and the archive.
 *
 * Order within a history: one sender's facts in its own order (epoch, event number); between
 * senders a fact comes behind the one its `after` names, else the earlier occurred_at first,
 * else the lesser sender id. A wrong clock can thus move a fact among other senders' facts, but
 * never among its sender's own, nor before one that it answers.
 */
#ifndef VALISE_HQ_FOLD_H
#define VALISE_HQ_FOLD_H

#include "base/arena.h"
#include "hq/fold/view.h"
#include "hq/ledger/ledger.h"

/* The rule a row breaks of which there is more than a row may be made of, and the bounds. */
#define VL_RULE_BOUND "BOUND"
#define VL_FOLD_WEIGHT ((uint64_t)50000)
#define VL_FOLD_ITEMS ((size_t)20000)
#define VL_FOLD_TALLIES ((uint64_t)100000)

/* What one transaction may cost, in steps. */
struct vl_fold_bounds {
	uint64_t file;   /* to file one mission's new events */
	uint64_t settle; /* to fold, for all missions together, and an entity beyond */
	/* to fold, for each mission even where the others took more than they should */
	uint64_t reserve;
	uint64_t drain; /* of the to-do list */
};

#define VL_FOLD_BOUNDS ((struct vl_fold_bounds){16384, 65536, 512, 16384})

/* The phases of a transaction: events are filed, the list is served, entities are folded. Beside
 * the bounds of steps each may have one of time, for a machine on which steps take longer than
 * they should; beyond it no more is done of it than keeps each mission going. */
enum vl_fold_phase { VL_PHASE_FILE, VL_PHASE_SERVE, VL_PHASE_SETTLE, VL_PHASES };

struct vl_fold_pace {
	int64_t (*now_ms)(void); /* NULL: no bounds of time */
	int64_t most_ms[VL_PHASES];
};

/* The rule a row breaks of whose events some are damaged in the ledger: a disk that rots, not a
 * sender. */
#define VL_RULE_DAMAGED "DAMAGED"

/* One engine serves one writer. NULL when out of memory. */
struct vl_fold *vl_fold_open(void);
void vl_fold_close(struct vl_fold *fold);

/* VL_FOLD_BOUNDS until then. */
void vl_fold_bound(struct vl_fold *fold, const struct vl_fold_bounds *bounds);
const struct vl_fold_bounds *vl_fold_bounds(const struct vl_fold *fold);

/* Without bounds of time after begin. */
void vl_fold_set_pace(struct vl_fold *fold, const struct vl_fold_pace *pace);
void vl_fold_enter(struct vl_fold *fold, enum vl_fold_phase phase);

/* The phase has had its time. */
bool vl_fold_late(const struct vl_fold *fold);

/* What became of a fact. */
enum vl_fold_outcome {
	VL_FOLD_NEW,   /* it is in the history now */
	VL_FOLD_KNOWN, /* its id is there already: one event */
	/* its id is there already, for another event of this sender's; it stays in the archive
	 * only */
	VL_FOLD_REUSED,
	/* its id is all zeros or all ones, which names nothing; it stays in the archive only */
	VL_FOLD_NIL,
	/* the entry of its id is damaged: nothing was done, and it is tried again (renewal.h) */
	VL_FOLD_WAITS,
	/* its type is unknown here or its payload malformed; it stays in the archive only */
	VL_FOLD_UNREAD,
};

/* Somebody else's event, or one on another lane, that has the same id and says something else.
 * Both stand; each is counted once, when the first such other is seen, so that the count is the
 * same in whatever order they come. */
struct vl_fold_other {
	char mission[VL_MISSION_MAX + 1];
	size_t view;
	bool counted; /* already */
	struct vl_fold_other *next;
};

/* What became of it, and of others for its sake. Lives until settle. */
struct vl_fold_added {
	enum vl_fold_outcome outcome;
	struct vl_fold_other *others;
	/* Of one sender's events with an id that from the earliest place stands: this one stood
	 * until now, and where it says something else it is VL_FOLD_REUSED from now on, else
	 * VL_FOLD_KNOWN. */
	bool ousts;
	struct vl_place ousted;
	enum vl_fold_outcome ousted_as;
};

/* Begin to use `txn`; the engine keeps it until settle or the next begin. */
void vl_fold_begin(struct vl_fold *fold, struct vl_txn *txn);

/* The list of the transaction. */
struct vl_todo *vl_fold_todo(struct vl_fold *fold);

/* What follows is done for `mission`, whose share it counts against. */
void vl_fold_serve(struct vl_fold *fold, const char *mission);

/* Steps of this transaction so far, or of the last one; those of filing for the mission that is
 * served. What the entities marked so far will take at least is counted in. */
uint64_t vl_fold_steps(const struct vl_fold *fold);
uint64_t vl_fold_filed(const struct vl_fold *fold);
void vl_fold_charge(struct vl_fold *fold, uint64_t steps);

/* What of an event is filed at a time: the entities it touches from the `first` on, `room` of
 * them. After the call `first` is where to go on, 0 where all is done. */
struct vl_fold_part {
	uint32_t first;
	uint64_t room;
	bool renew; /* only what is missing of it (renewal.h) */
};

/* Add one event of an archived batch. `view` indexes vl_views; `mission` is NUL-terminated;
 * `event` points into the batch. `read` is the fact that was made of it and lives until settle,
 * or NULL: then it is made here. Errors stick in the transaction; *added is set in any case. Two
 * events of one sender are the same where they have one id and one gist (bus/batch.h), so that
 * what a program sends again with a new time is no other event; of two senders, where all their
 * bytes are. */
void vl_fold_add_event(struct vl_fold *fold, size_t view, const char *mission,
		       const struct vl_place *place, struct vl_bytes event,
		       const struct vl_fact *read, struct vl_fold_part *part,
		       struct vl_fold_added *added);

/* Do what the body of an entry of the queue of folds says: mark the entity, or `room` of those a
 * fan names. True where the entry is done with. */
bool vl_fold_take_up(struct vl_fold *fold, size_t view, struct vl_bytes body, uint64_t room);

/* Whether the fact belongs to that entity, as its view is declared. Nothing is filed. */
bool vl_fold_belongs(struct vl_fold *fold, size_t view, const struct vl_fact *fact, unsigned kind,
		     const char *entity);

/* An entry of this database of the ledger, a view's or the list's, was found damaged: it is made
 * whole again from now on (renewal.h). */
void vl_fold_damaged(struct vl_fold *fold, unsigned db);

/* Fold what changed, as far as the bounds allow; the rest goes to the list. NOMEM, or the
 * transaction's error. */
enum vl_err vl_fold_settle(struct vl_fold *fold) VL_CHECKED;

/* -- reading, for tools as well -- */

/* One fact of a history, and where it lies. */
struct vl_history_item {
	struct vl_fact fact;
	struct vl_place place;
	/* the serialised Event; none where the fact was unpacked for another history */
	struct vl_bytes bytes;
	bool shared; /* it was, or when it was filed */
};

/* The history of (view, kind, key), ordered, in the arena. `items` is NULL where there is none.
 * What is damaged is left out and counted. */
enum vl_err vl_history_read(struct vl_txn *txn, size_t view, unsigned kind, const char *key,
			    struct vl_arena *arena, struct vl_history_item **items, size_t *count,
			    size_t *damaged) VL_CHECKED;

/* The key by which an entity is filed: `key` itself, or a shortened form where it is too long.
 * `room` holds 129 bytes. */
#define VL_ENTITY_MAX ((size_t)128)
const char *vl_entity_key(const char *key, char room[VL_ENTITY_MAX + 1]);

/* The row's and the history's key in the ledger; an empty `entity` gives the prefix of all of a
 * kind. */
void vl_row_key(struct vl_key *key, unsigned kind, const char *entity);

#endif

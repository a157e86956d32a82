/*
 * Inside the fold: what its files share. fold.c settles, fold_row.c folds one row, and fold_fan.c
 * marks many rows for one. fold_lookup.c has what rows read of others, fold_add.c takes facts, and
 * fold_view.c has the functions for views. fold_trial.c finds what would be.
 *
 * Next: history.h, the facts of an entity.
 */
#ifndef VALISE_HQ_FOLD_FOLD_STATE_H
#define VALISE_HQ_FOLD_FOLD_STATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "hq/fold/bind.h"
#include "hq/fold/fold.h"
#include "hq/fold/history.h"
#include "hq/fold/renewal.h"
#include "hq/fold/todo.h"
#include "hq/fold/trial.h"
#include "hq/fold/views.h"

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
	/* If this transaction filed its whole history, that history, so that it need not be read
	 * back. */
	struct filed *facts, **last;
	size_t n_facts;
	uint64_t weight;
	bool complete;
	bool taken_up; /* from the list, where its entry is deleted */
	bool done;     /* folded or put off, and not marked since */
	uint32_t owner;
	UT_hash_handle hh;
};

/* A mission that this transaction works for, and the steps that it used. */
struct owner {
	const char *mission;
	uint64_t filed, folded;
	uint64_t debt; /* that it began with */
	bool yielded;  /* a row was given up for what is urgent */
};

/* What a mission has folded beyond its share, because a single entity takes that much. While
 * something urgent waits all others go before it, until its shares have made up for the debt. */
struct debt {
	UT_hash_handle hh;
	uint64_t steps;
	/* how often a long row was given up for what is urgent, one time after another */
	unsigned yielded;
	char mission[];
};

/* Entities of `kind` to be marked: those that a tally of the present entity names behind
 * `prefix`. */
struct fan {
	unsigned kind;
	const char *prefix;
	struct fan *next;
};

/* A row that the present one looks up, by its name (fold_lookup.c). */
struct read {
	const char *name;
	struct read *next;
};

/* What one row adds to one tally: the sum over the former row (taken back) and the present one. */
struct change {
	unsigned kind;
	struct vl_bytes tally; /* its key in the ledger: kind, entity with a NUL, name */
	int64_t count;
	UT_hash_handle hh;
};

struct vl_fold {
	struct vl_txn *txn;
	struct vl_arena *txn_arena; /* until settle: the dirty sets, and the added facts */
	struct vl_arena *arena;     /* until one entity is done */
	struct vl_facts shared;     /* until settle */
	struct vl_buf packed;
	struct vl_bound **bound; /* the views */
	struct dirty **dirty;    /* by view * FOLD_MAX_KINDS + kind */
	size_t view;
	unsigned kind;
	const char *key;
	int sign; /* -1 while a row's former contribution is taken back, else 1 */
	struct change *changes;
	void *slots[VL_FOLD_SLOTS]; /* the view's, until one entity is done */
	void *turn;                 /* the view's, until another kind is folded */
	size_t turn_view;
	unsigned turn_kind;
	struct fan *fans;                /* that the present row requests */
	struct read *reads, **last_read; /* the rows that the present row looks up */
	void *read_names;
	size_t n_read;
	uint64_t seen_by; /* a bit for each view whose rows must follow the present row */
	bool beyond;      /* the present row has more sources than a row may have */
	size_t *order;    /* the views, the most urgent first */
	struct vl_fold_bounds bounds;
	struct vl_fold_pace pace;
	enum vl_fold_phase phase;
	int64_t entered_ms; /* when the phase began */
	struct vl_todo todo;
	struct owner *owners;
	size_t n_owners, owner;       /* all of them; the present one */
	struct debt *debts;           /* across transactions */
	uint64_t claimed;             /* a bit for each view that has an event */
	uint64_t marked;              /* and for each that has an entity to be folded */
	struct vl_renewal *renewals;  /* of each view */
	bool yields;                  /* the present row is given up for what is urgent */
	bool hurt;                    /* a source of the present row is damaged: it waits */
	bool adopts;                  /* the present row adds nothing to the tallies (renewal.h) */
	bool counting;                /* nothing follows from what the present row adds */
	const struct vl_trial *trial; /* that is folded, or NULL */
	uint64_t steps, folded;       /* of this transaction; of those, the steps of folding */
};

/* The least steps that a marked entity is expected to take. */
#define FOLD_MARK_STEPS 4

static inline const struct vl_kind *fold_kind(const struct vl_fold *fold)
{
	return &vl_views[fold->view]->kinds[fold->kind];
}

/* The entity's entry in the set of those to be folded again; *added says that it is new there.
 * NULL when out of memory, and the transaction has failed. */
struct dirty *vl_fold_mark(struct vl_fold *fold, unsigned kind, const char *key, bool *added);

/* The rest of the share of the present mission. */
uint64_t vl_fold_room(const struct vl_fold *fold);

/* Whether the folding of the present row must be given up now, for what is urgent. `fold` is a
 * struct vl_fold. */
bool vl_fold_yields(void *fold);

/* Fold one entity and store its row (fold_row.c). False if one of its sources is damaged: then
 * it has to wait. */
bool vl_fold_entity(struct vl_fold *fold, const struct dirty *entry);

/* A row of the entity at hand, of these facts; NULL when out of memory. */
ProtobufCMessage *vl_fold_items(struct vl_fold *fold, const struct vl_history_item *items,
				size_t count);

/* Whether anybody adds to a tally of the entity at hand. */
bool vl_fold_has_tallies(struct vl_fold *fold);

/* Whether the trial at hand leaves it out (fold_trial.c). */
bool vl_fold_hides_tally(const struct vl_fold *fold, unsigned kind, const char *key,
			 const char *name);
bool vl_fold_hides_row(const struct vl_fold *fold, size_t view, unsigned kind, const char *key);

/* Put what a row adds to tallies into `changes`. */
void vl_fold_row_adds(struct vl_fold *fold, const ProtobufCMessage *row, int sign);

/* An entry of the present view is damaged, of another entity than the present one or of its
 * tallies. */
void vl_fold_hurt(struct vl_fold *fold, enum vl_view_db db);

/* Begin the fans that the folded row requests (fold_fan.c). */
void vl_fold_begin_fans(struct vl_fold *fold);

/* The same for the rows of the view `reader` that look up the row of that name. */
void vl_fold_begin_readers(struct vl_fold *fold, size_t reader, const char *name);

/* fold_lookup.c. Before a row is folded: begin. After it: keep the names of the rows that it looked
 * up. If the row has changed: note which views see that, and then wake their rows. */
void vl_lookup_begin(struct vl_fold *fold);
void vl_lookup_keep(struct vl_fold *fold, const char *entity);
void vl_lookup_changed(struct vl_fold *fold, const ProtobufCMessage *before,
		       const ProtobufCMessage *row);
void vl_lookup_wake(struct vl_fold *fold);

/* The prefix of the keys of all entities that look up the row of that name. And the entity that the
 * rest of such a key names. */
void vl_lookup_readers(struct vl_key *key, const char *name);
const char *vl_lookup_reader(const char *name, unsigned *kind);

/* An entity as an entry of the queue of folds. */
void vl_fold_put_entity(struct vl_buf *body, unsigned kind, const char *key);

/* The key of a tally in the ledger. */
void vl_fold_tally_key(struct vl_key *key, unsigned kind, const char *entity, const char *name);

#endif

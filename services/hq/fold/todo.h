/*
 * The to-do list: what headquarters has accepted and not yet brought into its rows. It is kept
 * in the ledger and survives a crash.
 *
 * A batch is archived, its chain moves on and its receipt is due at once, whatever it asks for.
 * What the batch asks for costs one transaction a bounded number of steps (fold.h); the rest
 * waits here. Each (view, mission) has two queues, first in, first out:
 *
 * FILES   batches whose events are not all in the histories yet, in the sender's own order FOLDS
 * entities to be folded again, and fans: entities that make many others be folded again
 *
 * An entity that waits is also in the ledger's `pending`, once; its entries in the queues are
 * only hints. So two missions may both wait for one entity, and whoever's turn comes first folds
 * it for both. The list is served in filing.h.
 */
#ifndef VALISE_HQ_FOLD_TODO_H
#define VALISE_HQ_FOLD_TODO_H

#include "bus/batch.h"
#include "hq/ledger/ledger.h"

/* In `pending`, with the kind that fans out. */
#define VL_TODO_FAN 0x80

enum vl_todo_class { VL_TODO_FILES, VL_TODO_FOLDS };

/* One transaction's door to the list. `any` says that there was something when it began, or is
 * by now. */
struct vl_todo {
	struct vl_txn *txn;
	bool any;
	uint64_t next, known; /* number of the next entry; the one stored, 0 while not read */
	/* entries met that are, and were passed over: what they asked for nobody knows
	 * (renewal.h) */
	size_t damaged;
};

/* Whose queue. */
struct vl_todo_queue {
	size_t view;
	char mission[VL_MISSION_MAX + 1];
};

/* An entry. `body` is valid until the next write. */
struct vl_todo_entry {
	uint64_t n;
	struct vl_bytes body;
};

void vl_todo_begin(struct vl_todo *todo, struct vl_txn *txn);

/* Before commit. What is damaged is taken out, where any was met. */
void vl_todo_end(struct vl_todo *todo);

void vl_todo_push(struct vl_todo *todo, enum vl_todo_class class, size_t view, const char *mission,
		  struct vl_bytes body);

/* The first entry whose number is not below `from`; false where there is none. */
bool vl_todo_first(struct vl_todo *todo, enum vl_todo_class class,
		   const struct vl_todo_queue *queue, uint64_t from, struct vl_todo_entry *entry);

/* Let an entry say something else, and take it out. */
void vl_todo_change(struct vl_todo *todo, enum vl_todo_class class,
		    const struct vl_todo_queue *queue, uint64_t n, struct vl_bytes body);
void vl_todo_take(struct vl_todo *todo, enum vl_todo_class class, const struct vl_todo_queue *queue,
		  uint64_t n);

/* The queue of `view` whose mission comes behind `queue->mission` (""; the first of all), put
 * into *queue; false behind the last. */
bool vl_todo_next_queue(struct vl_todo *todo, size_t view, struct vl_todo_queue *queue);

/* -- entities that wait -- */

/* `mission`: whose queue it was put into last. */
void vl_todo_wait(struct vl_todo *todo, size_t view, unsigned kind, const char *key,
		  const char *mission);
bool vl_todo_waits(struct vl_todo *todo, size_t view, unsigned kind, const char *key,
		   const char **mission);
void vl_todo_folded(struct vl_todo *todo, size_t view, unsigned kind, const char *key);

/* -- for tools -- */

/* Forget what is still to be done for a view that is made anew from the archive. */
void vl_todo_clear(struct vl_txn *txn, size_t view);

/* Whether the list has anything for a view. */
bool vl_todo_any_of(struct vl_txn *txn, size_t view);

/* Forget how far its fans have come, and so end them. */
void vl_todo_forget_fans(struct vl_txn *txn, size_t view);

/* The number of the next entry is lost: go on behind the greatest there is. */
void vl_todo_count_on(struct vl_txn *txn);

/* How many entries the list has. And what of one view is still to be done: entities and batches;
 * 0 once its rows are whole. */
uint64_t vl_todo_left(struct vl_txn *txn);
uint64_t vl_todo_left_of(struct vl_txn *txn, size_t view);

#endif

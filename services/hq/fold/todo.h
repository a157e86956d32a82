/*
 * The to-do list: events that headquarters has accepted and not yet brought into its rows. It is
 * kept in the ledger and survives a crash.
 *
 * A batch is archived, its chain moves on and its receipt is due at once, however much work it
 * makes. One transaction does a bounded number of steps of that work (fold.h); the rest waits here.
 * Each (view, mission) has two queues, first in, first out:
 *
 *     FILES   batches whose events are not all in the histories yet, in the sender's own order
 *     FOLDS   entities to be folded again, and fans: entities that cause many others to be folded
 *
 * A waiting entity is also in the ledger's `pending`, once; its entries in the queues are only
 * hints. So two missions may both wait for one entity, and the first turn folds it for both.
 * filing.h serves the list.
 *
 * Next: version.h, when a view changes.
 */
#ifndef VALISE_HQ_FOLD_TODO_H
#define VALISE_HQ_FOLD_TODO_H

#include "bus/batch.h"
#include "hq/ledger/ledger.h"

/* In `pending`, with the kind that fans out. */
#define VL_TODO_FAN 0x80

enum vl_todo_class { VL_TODO_FILES, VL_TODO_FOLDS };

/* One transaction's access to the list. `any` says that it had an entry when the transaction
 * began, or has one by now. */
struct vl_todo {
	struct vl_txn *txn;
	bool any;
	uint64_t next, known; /* number of the next entry; the stored one, 0 while not read */
	/* damaged entries that were met and skipped: their work is unknown (renewal.h) */
	size_t damaged;
};

/* The owner of a queue. */
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

/* Before commit. If damaged entries were met, they are deleted. */
void vl_todo_end(struct vl_todo *todo);

void vl_todo_push(struct vl_todo *todo, enum vl_todo_class class, size_t view, const char *mission,
		  struct vl_bytes body);

/* The first entry whose number is not below `from`; false if there is none. */
bool vl_todo_first(struct vl_todo *todo, enum vl_todo_class class,
		   const struct vl_todo_queue *queue, uint64_t from, struct vl_todo_entry *entry);

/* Replace the body of an entry, and delete it. */
void vl_todo_change(struct vl_todo *todo, enum vl_todo_class class,
		    const struct vl_todo_queue *queue, uint64_t n, struct vl_bytes body);
void vl_todo_take(struct vl_todo *todo, enum vl_todo_class class, const struct vl_todo_queue *queue,
		  uint64_t n);

/* The next queue of `view` behind `queue->mission` ("": the first of all), put into *queue;
 * false behind the last. */
bool vl_todo_next_queue(struct vl_todo *todo, size_t view, struct vl_todo_queue *queue);

/* -- entities that wait -- */

/* `mission`: the one in whose queue it was put last. */
void vl_todo_wait(struct vl_todo *todo, size_t view, unsigned kind, const char *key,
		  const char *mission);
bool vl_todo_waits(struct vl_todo *todo, size_t view, unsigned kind, const char *key,
		   const char **mission);
void vl_todo_folded(struct vl_todo *todo, size_t view, unsigned kind, const char *key);

/* -- for tools -- */

/* Delete the work left for a view that is made anew from the archive. */
void vl_todo_clear(struct vl_txn *txn, size_t view);

/* Whether the list has work for a view. */
bool vl_todo_any_of(struct vl_txn *txn, size_t view);

/* Forget how far its fans are, and so end them. */
void vl_todo_forget_fans(struct vl_txn *txn, size_t view);

/* The number of the next entry is lost: go on behind the greatest. */
void vl_todo_count_on(struct vl_txn *txn);

/* How many entries the list has. And the work left for one view, in entities and batches; 0 when
 * its rows are whole. */
uint64_t vl_todo_left(struct vl_txn *txn);
uint64_t vl_todo_left_of(struct vl_txn *txn, size_t view);

#endif

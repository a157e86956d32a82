/*
 * Inside histories: shared by the fold and the applier (the public part is in fold.h).
 *
 * Next: names.h, items by name.
 */
#ifndef VALISE_HQ_FOLD_HISTORY_H
#define VALISE_HQ_FOLD_HISTORY_H

#include "base/arena.h"
#include "hq/fold/fold.h"
#include "hq/fold/view.h"
#include "hq/ledger/ledger.h"

/* A short digest of one event's bytes: BLAKE2b. */
#define VL_CONTENT_SIZE 8
void vl_event_content(struct vl_bytes event, uint8_t content[VL_CONTENT_SIZE]);

/* The weight of a fact of so many bytes (fold.h). */
static inline uint64_t vl_fact_weight(size_t size)
{
	return 1 + size / 128;
}

/* The facts of a history between two questions whether to stop. */
#define VL_STOP_EACH 256

/* Large facts that one transaction has unpacked. A list of very many names is in the history of
 * each, and is read once for all of them. Zeroed, with an arena that lasts as long. Call
 * vl_history_forget before the arena's reset. `stop`, which may be NULL, is asked again and again
 * while a history is read. If it says true, the reading ends early, and nothing of it counts. */
struct vl_facts {
	struct vl_arena *arena;
	struct vl_shared_fact *by_place;
	size_t bytes;
	bool (*stop)(void *context);
	void *context;
};
void vl_history_forget(struct vl_facts *facts);

/* As vl_history_read (fold.h), but at most the weight VL_FOLD_WEIGHT, each sender's first;
 * *beyond says whether any fact is left out. Of the damaged ones, *entries are the history's
 * own. */
enum vl_err vl_history_read_some(struct vl_txn *txn, size_t view, unsigned kind, const char *key,
				 struct vl_arena *arena, struct vl_facts *facts,
				 struct vl_history_item **items, size_t *count, size_t *damaged,
				 size_t *entries, bool *beyond) VL_CHECKED;

/* Put items that come by sender, each sender's in its own order, into the order of a history
 * (fold.h). If memory ends, the arena knows, and they stay as they are. */
struct vl_history_item *vl_history_order(struct vl_history_item *items, size_t count,
					 struct vl_arena *arena);

/* Make a fact of a serialised Event. False if its type is unknown or its payload malformed, or
 * if memory ends (the arena knows). `mission` must outlive the fact. An event out of the archive
 * that was once a fact is `known` to be well formed. */
bool vl_fact_read(struct vl_bytes bytes, const char *mission, const struct vl_place *place,
		  bool known, struct vl_arena *arena, struct vl_fact *fact);

/* The facts of a verified batch, one for each event, in the arena. An event that cannot be read
 * here has no payload. Their ids point into the batch. NULL when out of memory. */
struct vl_fact *vl_facts_read(const struct vl_batch *batch, struct vl_arena *arena);

/* The key of one fact in an entity's history, and its value. */
void vl_history_key(struct vl_key *key, unsigned kind, const char *entity, const char *mission,
		    const struct vl_place *place);
/* Read an entry back. Returns the mission in its key; NULL if it is no such entry. */
const char *vl_history_place(struct vl_bytes key, struct vl_bytes value, struct vl_place *place);

void vl_history_put(struct vl_txn *txn, unsigned db, const struct vl_key *key,
		    const struct vl_place *place);

#endif

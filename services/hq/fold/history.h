/*
 * What the fold and the applier share of histories (the public part is in fold.h).
 */
#ifndef VALISE_HQ_FOLD_HISTORY_H
#define VALISE_HQ_FOLD_HISTORY_H

#include "base/arena.h"
#include "hq/fold/fold.h"
#include "hq/fold/view.h"
#include "hq/ledger/ledger.h"

/* What tells one event's bytes from all others: BLAKE2b, this short. */
#define VL_CONTENT_SIZE 8
void vl_event_content(struct vl_bytes event, uint8_t content[VL_CONTENT_SIZE]);

/* What a fact of so many bytes weighs (fold.h). */
static inline uint64_t vl_fact_weight(size_t size)
{
	return 1 + size / 128;
}

/* Large facts that one transaction has unpacked: a list of very many names is in the history of
 * each, and is read once for all of them. Zeroed, with an arena that lasts as long;
 * vl_history_forget comes before the arena's reset. */
struct vl_facts {
	struct vl_arena *arena;
	struct vl_shared_fact *by_place;
	size_t bytes;
};
void vl_history_forget(struct vl_facts *facts);

/* As vl_history_read (fold.h), but no more than weighs VL_FOLD_WEIGHT, each sender's first;
 * *beyond says whether anything is left out. Of what is damaged, *entries are the history's own. */
enum vl_err vl_history_read_some(struct vl_txn *txn, size_t view, unsigned kind, const char *key,
				 struct vl_arena *arena, struct vl_facts *facts,
				 struct vl_history_item **items, size_t *count, size_t *damaged,
				 size_t *entries, bool *beyond) VL_CHECKED;

/* Put items that come by sender, each sender's in its own order, into the order of a history
 * (fold.h). Where memory is short the arena tells, and they stay as they are. */
struct vl_history_item *vl_history_order(struct vl_history_item *items, size_t count,
					 struct vl_arena *arena);

/* Make a fact of a serialised Event: false where its type is unknown or its payload malformed,
 * or when out of memory (the arena tells). `mission` must outlive the fact. An event out of the
 * archive that once became a fact is `known` to be well formed. */
bool vl_fact_read(struct vl_bytes bytes, const char *mission, const struct vl_place *place,
		  bool known, struct vl_arena *arena, struct vl_fact *fact);

/* The facts of a verified batch, one for each event, in the arena; an event that cannot be read
 * here has no payload. Their ids point into the batch. NULL when out of memory. */
struct vl_fact *vl_facts_read(const struct vl_batch *batch, struct vl_arena *arena);

/* The key of one fact in an entity's history, and its value. */
void vl_history_key(struct vl_key *key, unsigned kind, const char *entity, const char *mission,
		    const struct vl_place *place);
/* Read back what an entry says. The mission in its key; NULL where it is no such entry. */
const char *vl_history_place(struct vl_bytes key, struct vl_bytes value, struct vl_place *place);

void vl_history_put(struct vl_txn *txn, unsigned db, const struct vl_key *key,
		    const struct vl_place *place);

#endif

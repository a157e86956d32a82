#include "hq/fold/past.h"

#include "base/arena.h"
#include "bus/batch.h"
#include "hq/fold/databases.h"
#include "hq/fold/fold.h"
#include "hq/fold/history.h"
#include "hq/fold/views.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* So many events, or bytes of batches, are folded under one snapshot. */
#define PIECE_EVENTS 5000
#define PIECE_BYTES ((size_t)16 << 20)

struct vl_past {
	enum vl_past_by by;
	struct vl_time time;
	uint64_t most, events, damaged;
	void (*progress)(uint64_t events);
	struct vl_store *store;
	struct vl_txn *txn; /* of the store: that folds, then that reads */
	struct vl_fold *fold;
	struct vl_arena *arena; /* of one piece */
	size_t view;
	uint64_t folded; /* a bit for each view that is, or is being */
};

enum vl_err vl_past_open(enum vl_past_by by, struct vl_time time, uint64_t most,
			 void (*progress)(uint64_t events), struct vl_past **opened,
			 struct vl_why *why)
{
	/* Nobody waits for this one: nothing is put off. */
	const struct vl_fold_bounds all = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct vl_past *past = calloc(1, sizeof(*past));

	*opened = past;
	if (past == NULL)
		return VL_ERR_NOMEM;
	past->by = by;
	past->time = time;
	past->most = most;
	past->progress = progress;
	past->arena = vl_arena_open(0);
	past->fold = vl_fold_open();
	if (past->arena == NULL || past->fold == NULL)
		return VL_ERR_NOMEM;
	vl_fold_bound(past->fold, &all);
	char **names = vl_ledger_names(past->arena);
	if (names == NULL)
		return VL_ERR_NOMEM;
	return vl_store_open_scratch((const char *const *)names, VL_PAST_BYTES, &past->store, why);
}

void vl_past_close(struct vl_past *past)
{
	if (past == NULL)
		return;
	vl_txn_abort(past->txn);
	vl_fold_close(past->fold);
	vl_arena_close(past->arena);
	vl_store_close(past->store);
	free(past);
}

/* -- one batch -- */

static bool had_come(const struct vl_past *past, const struct vl_record *record)
{
	return past->by != VL_PAST_KNOWN || record->applied_ms <= vl_time_ms(past->time);
}

static bool had_happened(const struct vl_past *past, const struct vl_fact *fact)
{
	return past->by != VL_PAST_TRUE || vl_time_compare(fact->occurred_at, past->time) <= 0;
}

static void fold_events(struct vl_past *past, const char *mission, const struct vl_record *record,
			const struct vl_batch *batch, const struct vl_fact *facts)
{
	vl_fold_serve(past->fold, mission);
	for (size_t i = 0; i < batch->n_events; i++) {
		struct vl_bytes event = batch->events[i];
		const struct vl_place place = vl_place_of(record, batch, i);
		struct vl_fold_part whole = {.room = UINT32_MAX};
		struct vl_fold_added added;
		if (facts[i].payload != NULL && had_happened(past, &facts[i]))
			vl_fold_add_event(past->fold, past->view, mission, &place, event, &facts[i],
					  &whole, &added);
	}
}

/* The batch's bytes are copied, as facts point into them until they are settled. */
static enum vl_err take(struct vl_past *past, const struct vl_archive_place *at,
			struct vl_bytes stored, uint64_t *events)
{
	uint8_t *copy = vl_arena_alloc(past->arena, stored.size);
	struct vl_bytes bytes = {copy, stored.size};
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;
	struct vl_key key;

	if (copy == NULL)
		return VL_ERR_NOMEM;
	memcpy(copy, stored.data, stored.size);
	bool read = vl_record_unpack(bytes, &record, &digest) == VL_OK;
	if (read && !had_come(past, &record))
		return VL_OK;
	if (!read || !vl_record_intact(&record, &digest) ||
	    vl_batch_read(record.value, past->arena, &batch, NULL) != VL_OK) {
		past->damaged++;
		return vl_arena_failed(past->arena) ? VL_ERR_NOMEM : VL_OK;
	}
	const struct vl_fact *facts = vl_facts_read(&batch, past->arena);
	if (facts == NULL)
		return VL_ERR_NOMEM;
	vl_archive_key(&key, at->mission, at->lane, at->epoch, at->seq);
	vl_txn_put(past->txn, VL_DB_ARCHIVE, vl_key_done(&key), bytes);
	fold_events(past, at->mission, &record, &batch, facts);
	*events += batch.n_events;
	return vl_txn_err(past->txn);
}

/* -- piece by piece -- */

static enum vl_err take_piece(struct vl_past *past, struct vl_txn *live,
			      struct vl_archive_walk *walk, bool *more)
{
	struct vl_archive_place at;
	struct vl_bytes stored;
	uint64_t events = 0;
	size_t bytes = 0;
	enum vl_err err = VL_OK;

	while (err == VL_OK && events < PIECE_EVENTS && bytes < PIECE_BYTES &&
	       (*more = vl_archive_next(live, walk, &at, &stored))) {
		bytes += stored.size;
		err = take(past, &at, stored, &events);
	}
	past->events += events;
	return err == VL_OK ? vl_txn_err(live) : err;
}

static enum vl_err settle(struct vl_past *past, struct vl_why *why)
{
	enum vl_err err = vl_fold_settle(past->fold);
	struct vl_txn *txn = past->txn;

	if (err != VL_OK)
		return err;
	past->txn = NULL;
	return vl_txn_commit(txn, why);
}

static enum vl_err fold_piece(struct vl_past *past, struct vl_txn *live,
			      struct vl_archive_walk *walk, bool *more, struct vl_why *why)
{
	past->txn = vl_txn_begin(past->store, true, why);
	if (past->txn == NULL)
		return VL_ERR_NOMEM;
	vl_fold_begin(past->fold, past->txn);
	vl_arena_reset(past->arena);
	enum vl_err err = take_piece(past, live, walk, more);
	vl_txn_rest(live);
	if (err == VL_OK)
		err = settle(past, why);
	vl_txn_abort(past->txn);
	past->txn = NULL;
	enum vl_err fresh = vl_txn_refresh(live);
	return err == VL_OK ? fresh : err;
}

static enum vl_err fold_lane(struct vl_past *past, struct vl_txn *live, size_t view,
			     struct vl_why *why)
{
	struct vl_archive_walk walk = {.lane = vl_views[view]->lane};
	enum vl_err err = VL_OK;
	bool more = true;

	past->view = view;
	while (more && err == VL_OK && past->events <= past->most) {
		err = fold_piece(past, live, &walk, &more, why);
		if (past->progress != NULL)
			past->progress(past->events);
	}
	if (past->events > past->most)
		return vl_fail(why, VL_ERR_TOO_LARGE,
			       "a question of the past folds at most %" PRIu64
			       " events again, and '%s' has more",
			       past->most, walk.lane);
	if (err == VL_ERR_FULL)
		return vl_fail(why, VL_ERR_TOO_LARGE,
			       "a question of the past has %zu MB of memory, and this one needs "
			       "more",
			       VL_PAST_BYTES >> 20);
	return err;
}

/* The lanes that it reads go first: none of them reads it, however far round. */
enum vl_err vl_past_fold(struct vl_past *past, struct vl_txn *live, size_t view, struct vl_why *why)
{
	const char *const *reads = vl_views[view]->reads;
	enum vl_err err = VL_OK;

	if ((past->folded >> view & 1) != 0)
		return VL_OK;
	past->folded |= UINT64_C(1) << view;
	for (; reads != NULL && *reads != NULL && err == VL_OK; reads++)
		err = vl_past_fold(past, live, (size_t)vl_view_of_lane(*reads, strlen(*reads)),
				   why);
	return err == VL_OK ? fold_lane(past, live, view, why) : err;
}

struct vl_txn *vl_past_read(struct vl_past *past, struct vl_why *why)
{
	past->txn = vl_txn_begin(past->store, false, why);
	return past->txn;
}

uint64_t vl_past_damaged(const struct vl_past *past)
{
	return past->damaged;
}

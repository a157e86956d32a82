#include "hq/repair/rebuild.h"

#include "base/arena.h"
#include "base/failpoint.h"
#include "hq/fold/fold.h"
#include "hq/fold/renewal.h"
#include "hq/fold/todo.h"
#include "hq/fold/version.h"
#include "hq/fold/views.h"
#include "hq/ledger/chains.h"

#include <inttypes.h>
#include <string.h>

#define SETTLE_EVENTS 50000

struct rebuild {
	struct vl_txn *txn;
	const struct vl_ring *ring;
	size_t view;
	struct vl_fold *fold;
	struct vl_arena *arena;
	struct vl_buf copy;
	struct vl_rebuilt *rebuilt;
	uint64_t unsettled;
	/* Of the batch before, in its epoch. */
	char mission[VL_MISSION_MAX + 1];
	struct vl_chain chain;
	struct vl_why *why;
};

static enum vl_err damaged(struct rebuild *r, const struct vl_archive_place *at, const char *what)
{
	return vl_fail(r->why, VL_ERR_CORRUPT,
		       "batch %" PRIu64 " of epoch %" PRIu64 " of %s in the archive %s", at->seq.n,
		       at->epoch.n, at->mission, what);
}

enum vl_err vl_rebuild_read(const struct vl_record *record, const struct vl_digest *digest,
			    const struct vl_ring *ring, struct vl_arena *arena,
			    struct vl_verified *verified)
{
	enum vl_err err = VL_ERR_UNKNOWN_KEY;

	*verified = (struct vl_verified){0};
	if (ring != NULL)
		err = vl_record_verify(record, ring, arena, verified, NULL);
	if (err == VL_OK || err == VL_ERR_NOMEM || err == VL_ERR_BAD_SIGNATURE)
		return err;
	vl_arena_reset(arena);
	*verified = (struct vl_verified){.domain = VL_DOMAIN_BATCH, .digest = *digest};
	return vl_batch_read(record->value, arena, &verified->batch, NULL);
}

/* Parsed, and as it was signed. */
static enum vl_err read_batch(struct rebuild *r, const struct vl_archive_place *at,
			      const struct vl_record *record, const struct vl_digest *digest,
			      struct vl_batch *batch)
{
	struct vl_verified verified;
	enum vl_err err = vl_rebuild_read(record, digest, r->ring, r->arena, &verified);

	if (err == VL_ERR_BAD_SIGNATURE)
		return damaged(r, at, "has a signature that is not its sender's");
	if (err != VL_OK)
		return err == VL_ERR_NOMEM ? err : damaged(r, at, "cannot be read");
	r->rebuilt->unsigned_here += r->ring != NULL && verified.signer == NULL;
	*batch = verified.batch;
	return VL_OK;
}

static enum vl_err check_place(struct rebuild *r, const struct vl_archive_place *at,
			       const struct vl_batch *batch)
{
	const struct vl_batch_head *head = &batch->head;
	bool on = strcmp(r->mission, at->mission) == 0 && r->chain.epoch.n == at->epoch.n &&
		  at->seq.n > 1;

	if (!vl_bytes_are(head->mission, at->mission) ||
	    !vl_bytes_are(head->lane, vl_views[r->view]->lane) || head->epoch.n != at->epoch.n ||
	    head->seq.n != at->seq.n)
		return damaged(r, at, "is another one than its place says");
	if (at->seq.n > 1 && (!on || vl_chain_check(&r->chain, batch) != VL_CHAIN_NEXT))
		return damaged(r, at, "does not follow on the one before it");
	return VL_OK;
}

static void fold_batch(struct rebuild *r, const struct vl_record *record,
		       const struct vl_batch *batch)
{
	vl_fold_serve(r->fold, r->mission);
	for (size_t i = 0; i < batch->n_events; i++) {
		struct vl_bytes event = batch->events[i];
		struct vl_place place = vl_place_of(record, batch, i);
		struct vl_fold_part whole = {.room = UINT32_MAX};
		struct vl_fold_added added;
		vl_fold_add_event(r->fold, r->view, r->mission, &place, event, NULL, &whole,
				  &added);
	}
	r->rebuilt->batches++;
	r->rebuilt->events += batch->n_events;
	r->unsettled += batch->n_events;
}

static enum vl_err settle(struct rebuild *r, uint64_t most)
{
	if (r->unsettled < most)
		return vl_txn_err(r->txn);
	r->unsettled = 0;
	return vl_fold_settle(r->fold);
}

/* The next transaction's writes may move what the cursor shows: it is copied. */
static enum vl_err take_batch(struct rebuild *r, const struct vl_archive_place *at,
			      struct vl_bytes stored)
{
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;

	vl_buf_reset(&r->copy);
	vl_buf_put(&r->copy, stored.data, stored.size);
	vl_arena_reset(r->arena);
	if (vl_buf_failed(&r->copy))
		return VL_ERR_NOMEM;
	if (vl_record_unpack(vl_buf_bytes(&r->copy), &record, &digest) != VL_OK ||
	    !vl_record_intact(&record, &digest))
		return damaged(r, at, "is damaged");
	enum vl_err err = read_batch(r, at, &record, &digest, &batch);
	if (err == VL_OK)
		err = check_place(r, at, &batch);
	if (err != VL_OK)
		return err;
	if (at->seq.n == 1)
		r->chain = (struct vl_chain){.epoch = at->epoch, .next_event = {1}};
	vl_chain_advance(&r->chain, &batch, &digest);
	(void)strcpy(r->mission, at->mission);
	fold_batch(r, &record, &batch);
	(void)vl_failpoint("hq.mid-rebuild");
	return settle(r, SETTLE_EVENTS);
}

/* Whether the archive has each chain to where it stands. */
static enum vl_err check_ends(struct rebuild *r, const char *lane)
{
	struct vl_cursor *cursor = vl_cursor_open(r->txn, VL_DB_CHAIN);
	struct vl_bytes key, value;
	struct vl_key place;
	enum vl_err err = VL_OK;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	     more && err == VL_OK; more = vl_cursor_next(cursor, &key, &value)) {
		struct vl_archive_place at;
		if (!vl_chains_read_key(key, &at.mission, &at.lane, &at.epoch) ||
		    strcmp(at.lane, lane) != 0)
			continue;
		at.seq = vl_chains_read(value, at.epoch).seq;
		vl_archive_key(&place, at.mission, lane, at.epoch, at.seq);
		if (at.seq.n > 0 && !vl_txn_get(r->txn, VL_DB_ARCHIVE, vl_key_done(&place), NULL))
			err = damaged(r, &at, "is not there");
	}
	vl_cursor_close(cursor);
	return err != VL_OK ? err : vl_txn_err(r->txn);
}

static enum vl_err fold_all(struct rebuild *r, vl_rebuild_progress *progress, void *context)
{
	struct vl_archive_walk walk = {.lane = vl_views[r->view]->lane};
	struct vl_archive_place at;
	struct vl_bytes stored;
	enum vl_err err = check_ends(r, walk.lane);

	for (unsigned db = 0; db < VL_VIEW_DBS; db++)
		vl_txn_clear(r->txn, vl_view_db(r->view, db));
	vl_todo_clear(r->txn, r->view);
	while (err == VL_OK && vl_archive_next(r->txn, &walk, &at, &stored)) {
		err = take_batch(r, &at, stored);
		if (err == VL_OK && progress != NULL)
			progress(context, r->rebuilt);
	}
	if (err == VL_OK)
		vl_fold_readers(r->fold, r->view);
	return err == VL_OK ? settle(r, 0) : err;
}

static enum vl_err rebuild(struct rebuild *r, struct vl_store *store, vl_rebuild_progress *progress,
			   void *context)
{
	r->txn = vl_txn_begin(store, true, r->why);
	if (r->txn == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = vl_view_digest(r->txn, r->view, &r->rebuilt->before);
	/* A view that is damaged has none, and is why this is done. */
	if (err == VL_ERR_CORRUPT) {
		vl_txn_abort(r->txn);
		r->rebuilt->before = (struct vl_digest){0};
		r->txn = vl_txn_begin(store, true, r->why);
		err = r->txn != NULL ? VL_OK : VL_ERR_NOMEM;
	}
	if (err != VL_OK)
		return err;
	vl_renewal_forget(r->txn, r->view);
	vl_version_note(r->txn, r->view);
	vl_fold_begin(r->fold, r->txn);
	err = fold_all(r, progress, context);
	if (err == VL_OK)
		err = vl_view_digest(r->txn, r->view, &r->rebuilt->after);
	if (err != VL_OK)
		return err;
	(void)vl_failpoint("hq.before-rebuilt");
	struct vl_txn *txn = r->txn;
	r->txn = NULL;
	return vl_txn_commit(txn, r->why);
}

enum vl_err vl_rebuild_lane(struct vl_store *store, const struct vl_ring *ring, size_t view,
			    vl_rebuild_progress *progress, void *context,
			    struct vl_rebuilt *rebuilt, struct vl_why *why)
{
	struct rebuild r = {.ring = ring, .view = view, .rebuilt = rebuilt, .why = why};

	/* Nobody waits for this one: nothing is put off. */
	const struct vl_fold_bounds all = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

	*rebuilt = (struct vl_rebuilt){0};
	r.fold = vl_fold_open();
	if (r.fold != NULL)
		vl_fold_bound(r.fold, &all);
	r.arena = vl_arena_open(0);
	enum vl_err err = r.fold != NULL && r.arena != NULL ? rebuild(&r, store, progress, context)
							    : VL_ERR_NOMEM;
	vl_fold_close(r.fold);
	vl_arena_close(r.arena);
	vl_txn_abort(r.txn);
	vl_buf_free(&r.copy);
	return err;
}

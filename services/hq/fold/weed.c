/*
 * WEED of a renewal (renewal.h): what is damaged, misplaced, or routed elsewhere now is taken
 * out of a view's databases; and all of what ROWS makes again.
 */
#include "base/text.h"
#include "bus/batch.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/renewal.h"
#include "hq/fold/views.h"
#include "hq/ledger/chains.h"

#include <string.h>

#define MOST_MISPLACED 4096 /* far more than pages have: then the tree itself is damaged */

struct weeding {
	struct vl_fold *fold;
	size_t view;
	enum vl_view_db db;
	struct vl_buf keys;      /* of what was damaged, each behind its size in two bytes */
	struct vl_buf misplaced; /* sizes of key and value, key, value */
	size_t n_misplaced;
};

static void keep_key(void *context, struct vl_bytes key)
{
	struct weeding *w = context;
	const uint8_t size[2] = {(uint8_t)(key.size >> 8), (uint8_t)key.size};

	vl_buf_put(&w->keys, size, sizeof(size));
	vl_buf_put(&w->keys, key.data, key.size);
}

/* An event that nobody can read any more, neither by this entry nor in the archive: the row goes
 * on to say so. */
static void keep_place(struct vl_fold *fold, size_t view, struct vl_bytes key)
{
	uint8_t none[24] = {0};
	struct vl_place place;
	struct vl_chain chain;
	const char *mission = vl_history_place(key, (struct vl_bytes){none, sizeof(none)}, &place);
	struct vl_key at = {0};

	if (mission == NULL || strlen(mission) > VL_MISSION_MAX ||
	    !vl_chains_get(fold->txn, mission, vl_views[view]->lane, place.epoch, &chain) ||
	    place.event.n >= chain.next_event.n)
		return;
	vl_key_bytes(&at, key.data, key.size);
	vl_history_put(fold->txn, vl_view_db(view, VL_VIEW_HISTORY), &at, &place);
}

static void settle_weeded(struct weeding *w)
{
	struct vl_fold *fold = w->fold;
	char room[VL_ENTITY_MAX + 1];
	unsigned kind;

	for (size_t at = 0; at + 2 <= w->keys.size;) {
		const uint8_t *size = w->keys.data + at;
		struct vl_bytes key = {size + 2, (size_t)size[0] << 8 | size[1]};
		at += 2 + key.size;
		fold->steps++;
		const char *entity = w->db != VL_VIEW_EVENT
					     ? vl_renewal_entity(w->view, key, &kind, room)
					     : NULL;
		if (entity == NULL)
			continue;
		if (w->db == VL_VIEW_HISTORY && fold->renewals[w->view].gaps)
			keep_place(fold, w->view, key);
		vl_renewal_fold_known(fold, w->view, kind, entity);
	}
}

/* An entry whose place is not where it stands: one that is damaged has led the search for it
 * astray. */
static void keep_misplaced(struct weeding *w, struct vl_bytes key, struct vl_bytes value)
{
	uint8_t sizes[8];

	vl_put_be32(sizes, (uint32_t)key.size);
	vl_put_be32(sizes + 4, (uint32_t)value.size);
	vl_buf_put(&w->misplaced, sizes, sizeof(sizes));
	vl_buf_put(&w->misplaced, key.data, key.size);
	vl_buf_put(&w->misplaced, value.data, value.size);
	if (w->n_misplaced++ == MOST_MISPLACED)
		vl_txn_disorder(w->fold->txn, vl_view_db(w->view, w->db));
}

static void put_misplaced(struct weeding *w)
{
	const struct vl_buf *rows = &w->misplaced;

	for (size_t at = 0; at + 8 <= rows->size;) {
		uint32_t key = vl_get_be32(rows->data + at),
			 value = vl_get_be32(rows->data + at + 4);
		const uint8_t *bytes = rows->data + at + 8;
		vl_txn_put(w->fold->txn, vl_view_db(w->view, w->db), (struct vl_bytes){bytes, key},
			   (struct vl_bytes){bytes + key, value});
		at += 8 + (size_t)key + value;
	}
}

static int compare(struct vl_bytes a, struct vl_bytes b)
{
	size_t both = a.size < b.size ? a.size : b.size;
	int order = both > 0 ? memcmp(a.data, b.data, both) : 0;

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Whether an entry of a history is that of an event which belongs elsewhere, as the view is
 * declared now. */
static bool is_astray(struct weeding *w, struct vl_bytes key, struct vl_bytes value)
{
	char room[VL_ENTITY_MAX + 1];
	struct vl_place place;
	struct vl_bytes bytes;
	struct vl_fact fact;
	unsigned kind;

	if (w->db != VL_VIEW_HISTORY || !w->fold->renewals[w->view].reroute)
		return false;
	const char *mission = vl_history_place(key, value, &place);
	const char *entity = vl_renewal_entity(w->view, key, &kind, room);
	if (mission == NULL)
		return false;
	/* A kind that there is no more. */
	if (entity == NULL)
		return true;
	w->fold->steps += vl_fact_weight(place.size);
	if (vl_archive_event(w->fold->txn, mission, vl_views[w->view]->lane, &place, &bytes) !=
		    VL_OK ||
	    !vl_fact_read(bytes, mission, &place, true, w->fold->txn_arena, &fact))
		return false;
	return !vl_fold_belongs(w->fold, w->view, &fact, kind, entity);
}

/* Take it out, and have whose it was folded again. */
static void take_out(struct weeding *w, struct vl_cursor *cursor, struct vl_bytes key)
{
	char room[VL_ENTITY_MAX + 1];
	unsigned kind;
	const char *entity = vl_renewal_entity(w->view, key, &kind, room);

	vl_cursor_delete(cursor);
	if (entity != NULL)
		vl_renewal_fold(w->fold, w->view, kind, entity);
}

/* On from the last entry that was in its place. True behind the last of all. */
static bool weed_on(struct weeding *w, uint64_t until)
{
	struct vl_key *before = &w->fold->renewals[w->view].at;
	struct vl_cursor *cursor = vl_cursor_open(w->fold->txn, vl_view_db(w->view, w->db));
	struct vl_bytes key, value;

	vl_cursor_weed(cursor, keep_key, w);
	bool more = vl_cursor_seek(cursor, vl_key_done(before), &key, &value), first = true;
	for (; more && w->fold->steps < until; more = vl_cursor_next(cursor, &key, &value)) {
		w->fold->steps += !first;
		int order = compare(key, vl_key_done(before));
		if (before->size > 0 && (first ? order < 0 : order <= 0)) {
			keep_misplaced(w, key, value);
			vl_cursor_delete(cursor);
		} else {
			vl_key_reset(before);
			vl_key_bytes(before, key.data, key.size);
			if (is_astray(w, key, value))
				take_out(w, cursor, key);
		}
		first = false;
	}
	vl_cursor_close(cursor);
	return !more;
}

/* What follows from the rows alone is made again with them. */
static bool empty_on(struct vl_fold *fold, unsigned db, uint64_t until)
{
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, db);

	vl_cursor_weed(cursor, NULL, NULL);
	bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, NULL);
	while (more && fold->steps++ < until) {
		vl_cursor_delete(cursor);
		more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, NULL);
	}
	vl_cursor_close(cursor);
	return !more;
}

bool vl_renewal_weed(struct vl_fold *fold, size_t view, uint64_t until)
{
	static const enum vl_view_db dbs[] = {VL_VIEW_EVENT, VL_VIEW_HISTORY, VL_VIEW_ROW,
					      VL_VIEW_LOOKUP, VL_VIEW_INDEX};
	const size_t count = sizeof(dbs) / sizeof(dbs[0]);
	struct vl_renewal *renewal = &fold->renewals[view];

	if (renewal->part >= count)
		return true;
	struct weeding w = {.fold = fold, .view = view, .db = dbs[renewal->part]};
	bool made = w.db == VL_VIEW_LOOKUP || w.db == VL_VIEW_INDEX;
	bool done = made ? empty_on(fold, vl_view_db(view, w.db), until) : weed_on(&w, until);
	if (vl_buf_failed(&w.keys) || vl_buf_failed(&w.misplaced))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	put_misplaced(&w);
	settle_weeded(&w);
	vl_buf_free(&w.keys);
	vl_buf_free(&w.misplaced);
	if (done) {
		renewal->part++;
		vl_key_reset(&renewal->at);
	}
	return renewal->part >= count;
}

/*
 * CLEAR, COUNT and FIX of a renewal (renewal.h): the tallies of a view are counted anew beside
 * those there are.
 */
#include "base/text.h"
#include "bus/wire.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/renewal.h"
#include "hq/fold/views.h"

#include <string.h>

/* entries: more than a page has, as one that is damaged leads searches within its page astray */
#define WEED_AHEAD 256

/*
 * In `recount`: the view, and the key of a tally -> what the rows counted so far add to it.
 */

static void recount_key(struct vl_key *key, size_t view, struct vl_bytes tally)
{
	vl_key_reset(key);
	vl_key_u8(key, (uint8_t)view);
	vl_key_bytes(key, tally.data, tally.size);
}

static int compare(struct vl_bytes a, struct vl_bytes b)
{
	size_t both = a.size < b.size ? a.size : b.size;
	int order = both > 0 ? memcmp(a.data, b.data, both) : 0;

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* What was counted is damaged itself. */
static void count_anew(struct vl_fold *fold)
{
	vl_renewal_turn(&fold->renewals[fold->view], VL_RENEWAL_CLEAR);
}

bool vl_recount_passed(const struct vl_fold *fold, struct vl_bytes row)
{
	const struct vl_renewal *renewal = &fold->renewals[fold->view];

	return renewal->phase == VL_RENEWAL_FIX ||
	       (renewal->phase == VL_RENEWAL_COUNT && compare(row, vl_key_done(&renewal->at)) < 0);
}

static void add(struct vl_fold *fold, struct vl_bytes tally, int64_t count)
{
	struct vl_key key;
	struct vl_bytes value;
	uint8_t number[8];

	recount_key(&key, fold->view, tally);
	enum vl_err err = vl_txn_find(fold->txn, VL_DB_RECOUNT, vl_key_done(&key), &value);
	if (err == VL_ERR_CORRUPT) {
		count_anew(fold);
		return;
	}
	int64_t sum =
		count + (err == VL_OK && value.size == 8 ? (int64_t)vl_get_be64(value.data) : 0);
	vl_put_be64(number, (uint64_t)sum);
	if (sum != 0)
		vl_txn_put(fold->txn, VL_DB_RECOUNT, vl_key_done(&key),
			   (struct vl_bytes){number, sizeof(number)});
	else if (err == VL_OK)
		(void)vl_txn_delete(fold->txn, VL_DB_RECOUNT, vl_key_done(&key));
}

void vl_recount_add(struct vl_fold *fold, struct vl_bytes tally, int64_t count)
{
	const struct vl_renewal *renewal = &fold->renewals[fold->view];

	/* What FIX has passed is right, and counted beside no more. */
	if (renewal->phase == VL_RENEWAL_COUNT ||
	    (renewal->phase == VL_RENEWAL_FIX && compare(tally, vl_key_done(&renewal->at)) >= 0))
		add(fold, tally, count);
}

/* -- CLEAR -- */

bool vl_recount_clear(struct vl_fold *fold, uint64_t until)
{
	const uint8_t view = (uint8_t)fold->view;
	struct vl_bytes key;
	struct vl_key copy;
	bool more = true;

	while (more && fold->steps++ < until) {
		struct vl_cursor *cursor = vl_cursor_open(fold->txn, VL_DB_RECOUNT);
		vl_cursor_weed(cursor, NULL, NULL);
		more = vl_cursor_seek(cursor, (struct vl_bytes){&view, 1}, &key, NULL) &&
		       key.data[0] == view;
		vl_key_reset(&copy);
		if (more)
			vl_key_bytes(&copy, key.data, key.size);
		vl_cursor_close(cursor);
		more = more && vl_txn_delete(fold->txn, VL_DB_RECOUNT, vl_key_done(&copy));
	}
	return !more;
}

/* -- COUNT -- */

/* Whom a row of a lower rank adds to has a row of its own. */
static void find_owner(struct vl_fold *fold, const struct change *change)
{
	const char *entity = (const char *)change->tally.data + 1;
	struct vl_key row;

	vl_row_key(&row, change->kind, entity);
	if (vl_txn_find(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW), vl_key_done(&row), NULL) ==
	    VL_ERR_NOT_FOUND)
		vl_renewal_fold(fold, fold->view, change->kind, entity);
}

static void count_row(struct vl_fold *fold, unsigned kind, const char *entity,
		      struct vl_bytes value)
{
	struct change *change, *next;

	vl_arena_reset(fold->arena);
	fold->kind = kind;
	fold->key = entity;
	const ProtobufCMessage *row = vl_wire_unpack(fold_kind(fold)->row, value, fold->arena);
	fold->steps += vl_fact_weight(value.size);
	fold->counting = true;
	vl_fold_row_adds(fold, row, 1);
	fold->counting = false;
	HASH_ITER (hh, fold->changes, change, next) {
		fold->steps++;
		if (change->count == 0)
			continue;
		add(fold, change->tally, change->count);
		if (change->kind > kind)
			find_owner(fold, change);
	}
	HASH_CLEAR(hh, fold->changes);
	if (vl_arena_failed(fold->arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
}

bool vl_recount_count(struct vl_fold *fold, uint64_t until)
{
	struct vl_renewal *renewal = &fold->renewals[fold->view];
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW));
	struct vl_bytes key, value;
	char room[VL_ENTITY_MAX + 1];
	unsigned kind;

	/* One that is damaged has nothing that it could add. */
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool more = vl_cursor_seek(cursor, vl_key_done(&renewal->at), &key, &value);
	for (; more && fold->steps < until && renewal->phase == VL_RENEWAL_COUNT;
	     more = vl_cursor_next(cursor, &key, &value)) {
		fold->steps++;
		if (vl_renewal_entity(fold->view, key, &kind, room) != NULL)
			count_row(fold, kind, room, value);
	}
	if (renewal->phase == VL_RENEWAL_COUNT && more) {
		vl_key_reset(&renewal->at);
		vl_key_bytes(&renewal->at, key.data, key.size);
	}
	vl_cursor_close(cursor);
	return renewal->phase == VL_RENEWAL_COUNT && !more;
}

/* -- FIX -- */

/* One of the two that are compared. */
struct side {
	struct vl_cursor *cursor;
	size_t skip, damaged;
	bool more;
	struct vl_bytes key; /* without what is skipped of it */
	int64_t value;
};

static void take(struct side *side, bool more, struct vl_bytes key, struct vl_bytes value)
{
	side->more = more && key.size > side->skip;
	if (side->more) {
		side->key = (struct vl_bytes){key.data + side->skip, key.size - side->skip};
		side->value = value.size == 8 ? (int64_t)vl_get_be64(value.data) : 0;
	}
}

static void seek(struct side *side, struct vl_bytes from)
{
	struct vl_bytes key = {0}, value = {0};
	bool more = vl_cursor_seek(side->cursor, from, &key, &value);

	take(side, more && (side->skip == 0 || key.data[0] == from.data[0]), key, value);
}

static void next(struct side *side, size_t view)
{
	struct vl_bytes key = {0}, value = {0};
	bool more = vl_cursor_next(side->cursor, &key, &value);

	take(side, more && (side->skip == 0 || key.data[0] == view), key, value);
}

/* A tally that is compared: size of its key, whether it differs, what it should be, the key. */
#define COMPARED 11

static void put_compared(struct vl_buf *compared, struct vl_bytes key, bool differs, int64_t value)
{
	uint8_t head[COMPARED] = {(uint8_t)(key.size >> 8), (uint8_t)key.size, differs};

	vl_put_be64(head + 3, (uint64_t)value);
	vl_buf_put(compared, head, sizeof(head));
	vl_buf_put(compared, key.data, key.size);
}

static void keep_damaged(void *context, struct vl_bytes key)
{
	put_compared(context, key, true, 0);
}

/* Walk both, in the order of their keys. */
static void compare_some(struct vl_fold *fold, struct side *tallies, struct side *counted,
			 uint64_t until, struct vl_buf *compared)
{
	while ((tallies->more || counted->more) && fold->steps < until &&
	       !vl_buf_failed(compared)) {
		int order = !tallies->more   ? 1
			    : !counted->more ? -1
					     : compare(tallies->key, counted->key);
		int64_t value = order >= 0 ? counted->value : 0;
		fold->steps++;
		put_compared(compared, order <= 0 ? tallies->key : counted->key,
			     order != 0 || tallies->value != value, value);
		if (order <= 0)
			next(tallies, fold->view);
		if (order >= 0)
			next(counted, fold->view);
	}
}

static void fix(struct vl_fold *fold, struct vl_bytes key, bool differs, int64_t value)
{
	unsigned db = vl_view_db(fold->view, VL_VIEW_TALLY), kind;
	char room[VL_ENTITY_MAX + 1];
	struct vl_key counted;
	uint8_t number[8];

	recount_key(&counted, fold->view, key);
	(void)vl_txn_delete(fold->txn, VL_DB_RECOUNT, vl_key_done(&counted));
	if (!differs)
		return;
	vl_put_be64(number, (uint64_t)value);
	if (value != 0)
		vl_txn_put(fold->txn, db, key, (struct vl_bytes){number, sizeof(number)});
	else
		(void)vl_txn_delete(fold->txn, db, key);
	if (vl_renewal_entity(fold->view, key, &kind, room) != NULL)
		vl_renewal_fold_known(fold, fold->view, kind, room);
}

/* What is damaged was taken out, this step's and some behind: what was counted of it takes its
 * place at once. */
static void put_back(struct vl_fold *fold, struct vl_bytes key)
{
	struct vl_key counted;
	struct vl_bytes value;
	uint8_t number[8];
	char room[VL_ENTITY_MAX + 1];
	unsigned kind;

	recount_key(&counted, fold->view, key);
	if (vl_txn_find(fold->txn, VL_DB_RECOUNT, vl_key_done(&counted), &value) == VL_OK &&
	    value.size == 8) {
		memcpy(number, value.data, sizeof(number));
		vl_txn_put(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY), key,
			   (struct vl_bytes){number, sizeof(number)});
	}
	if (vl_renewal_entity(fold->view, key, &kind, room) != NULL)
		vl_renewal_fold_known(fold, fold->view, kind, room);
}

static void fix_all(struct vl_fold *fold, const struct vl_buf *damaged,
		    const struct vl_buf *compared)
{
	const struct vl_buf *bufs[] = {damaged, compared};

	for (size_t i = 0; i < 2; i++)
		for (size_t at = 0; at < bufs[i]->size;) {
			const uint8_t *head = bufs[i]->data + at;
			struct vl_bytes key = {head + COMPARED, (size_t)head[0] << 8 | head[1]};
			if (i == 0)
				put_back(fold, key);
			else
				fix(fold, key, head[2] != 0, (int64_t)vl_get_be64(head + 3));
			at += COMPARED + key.size;
		}
}

bool vl_recount_fix(struct vl_fold *fold, uint64_t until)
{
	struct vl_renewal *renewal = &fold->renewals[fold->view];
	struct side tallies = {
		.cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY))};
	struct side counted = {.cursor = vl_cursor_open(fold->txn, VL_DB_RECOUNT), .skip = 1};
	struct vl_buf damaged = {0}, compared = {0};
	struct vl_key from;

	recount_key(&from, fold->view, vl_key_done(&renewal->at));
	vl_cursor_weed(tallies.cursor, keep_damaged, &damaged);
	vl_cursor_pass_over(counted.cursor, (struct vl_bytes){0}, vl_cursor_count,
			    &counted.damaged);
	seek(&tallies, vl_key_done(&renewal->at));
	seek(&counted, vl_key_done(&from));
	compare_some(fold, &tallies, &counted, until, &compared);
	bool done = !tallies.more && !counted.more;
	vl_key_reset(&renewal->at);
	if (!done) {
		struct vl_bytes at =
			!tallies.more || (counted.more && compare(counted.key, tallies.key) < 0)
				? counted.key
				: tallies.key;
		vl_key_bytes(&renewal->at, at.data, at.size);
	}
	for (unsigned i = 0; i < WEED_AHEAD && tallies.more; i++)
		next(&tallies, fold->view);
	vl_cursor_close(tallies.cursor);
	vl_cursor_close(counted.cursor);
	if (vl_buf_failed(&damaged) || vl_buf_failed(&compared))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	else if (counted.damaged > 0)
		count_anew(fold);
	else
		fix_all(fold, &damaged, &compared);
	vl_buf_free(&damaged);
	vl_buf_free(&compared);
	return done && renewal->phase == VL_RENEWAL_FIX;
}

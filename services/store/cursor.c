/*
 * Going through a database in the order of its keys (store.h).
 */
#include "store/inside.h"

#include <stdlib.h>

struct vl_cursor {
	struct vl_txn *txn;
	const struct store_db *db;
	MDB_cursor *cursor;
	bool passes, weeds;
	/* Where damaged entries are passed over. */
	vl_cursor_damaged *tell;
	void *context;
	struct vl_bytes whose;
};

struct vl_cursor *vl_cursor_open(struct vl_txn *txn, unsigned db)
{
	struct vl_cursor *cursor = txn->err == VL_OK ? calloc(1, sizeof(*cursor)) : NULL;

	if (cursor == NULL) {
		vl_txn_fail(txn, VL_ERR_NOMEM); /* keeps an error that is there already */
		return NULL;
	}
	cursor->txn = txn;
	cursor->db = &txn->store->dbs[db];
	int rc = mdb_cursor_open(txn->txn, cursor->db->dbi, &cursor->cursor);
	if (rc != 0) {
		vl_store_fail(txn, cursor->db, rc);
		free(cursor);
		return NULL;
	}
	return cursor;
}

void vl_cursor_close(struct vl_cursor *cursor)
{
	if (cursor == NULL)
		return;
	mdb_cursor_close(cursor->cursor);
	free(cursor);
}

void vl_cursor_pass_over(struct vl_cursor *cursor, struct vl_bytes prefix, vl_cursor_damaged *tell,
			 void *context)
{
	if (cursor == NULL)
		return;
	cursor->passes = true;
	cursor->tell = tell;
	cursor->context = context;
	cursor->whose = prefix;
}

void vl_cursor_weed(struct vl_cursor *cursor, vl_cursor_damaged *tell, void *context)
{
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, tell, context);
	if (cursor != NULL)
		cursor->weeds = true;
}

void vl_cursor_count(void *context, struct vl_bytes key)
{
	(void)key;
	++*(size_t *)context;
}

static void fail(struct vl_cursor *cursor, int rc)
{
	vl_store_fail(cursor->txn, cursor->db, rc);
}

static void tell_damaged(struct vl_cursor *cursor, const MDB_val *key, const MDB_val *value)
{
	if (cursor->tell != NULL && (vl_key_has_prefix(vl_store_bytes(key), cursor->whose) ||
				     vl_store_was(cursor->db, cursor->whose, key, value)))
		cursor->tell(cursor->context, vl_store_bytes(key));
}

/* An entry that is damaged: the end of it all, or to be passed over. */
static void meet_damaged(struct vl_cursor *cursor, const MDB_val *key, const MDB_val *value)
{
	if (!cursor->passes) {
		fail(cursor, STORE_DAMAGED);
		return;
	}
	tell_damaged(cursor, key, value);
	if (cursor->weeds)
		vl_store_changes(cursor->txn, cursor->db);
	int rc = cursor->weeds ? mdb_cursor_del(cursor->cursor, 0) : 0;
	if (rc != 0)
		fail(cursor, rc);
}

static bool move(struct vl_cursor *cursor, MDB_cursor_op op, MDB_val *at, struct vl_bytes *key,
		 struct vl_bytes *value)
{
	MDB_val v;

	for (;; op = op == MDB_LAST || op == MDB_PREV ? MDB_PREV : MDB_NEXT) {
		if (cursor == NULL || cursor->txn->err != VL_OK)
			return false;
		int rc = mdb_cursor_get(cursor->cursor, at, &v, op);
		if (rc != 0 && rc != MDB_NOTFOUND)
			fail(cursor, rc);
		if (rc != 0)
			return false;
		MDB_val whole = v;
		if (vl_store_good(cursor->db, at, &v))
			break;
		meet_damaged(cursor, at, &whole);
	}
	if (key != NULL)
		*key = vl_store_bytes(at);
	if (value != NULL)
		*value = vl_store_bytes(&v);
	return true;
}

/* The cursor stands on the entry before the place of `from`: sound and lesser, or the order is
 * not what it should be. Where it is damaged, its key may have led the search astray, behind
 * what is looked for: back to one that is sound and lesser. How to go on. */
static MDB_cursor_op judge_before(struct vl_cursor *cursor, const MDB_val *from, MDB_val *key,
				  MDB_val *value)
{
	bool astray = false;
	int rc = 0;

	while (rc == 0) {
		bool good = vl_store_sound(cursor->txn, cursor->db, key, value);
		bool less = mdb_cmp(cursor->txn->txn, cursor->db->dbi, key, from) < 0;
		if (good && (less || !astray)) {
			if (!less)
				fail(cursor, STORE_DAMAGED);
			return MDB_NEXT;
		}
		if (!good && !cursor->passes &&
		    (cursor->txn->store->wary ||
		     vl_store_was(cursor->db, vl_store_bytes(from), key, value))) {
			fail(cursor, STORE_DAMAGED);
			return MDB_NEXT;
		}
		/* It is not requested, and no walk may skip it. */
		if (!good && !cursor->passes)
			return MDB_NEXT;
		astray = true;
		rc = mdb_cursor_get(cursor->cursor, key, value, MDB_PREV);
	}
	return MDB_FIRST;
}

/* Look there; how to come back from it. */
static MDB_cursor_op look_before(struct vl_cursor *cursor, const MDB_val *from)
{
	MDB_val key = *from, value;
	int rc = mdb_cursor_get(cursor->cursor, &key, &value, MDB_SET_RANGE);
	bool found = rc == 0;

	if (found && mdb_cmp(cursor->txn->txn, cursor->db->dbi, &key, from) < 0)
		rc = STORE_DAMAGED;
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(cursor->cursor, &key, &value, found ? MDB_PREV : MDB_LAST);
	if (rc == 0)
		return judge_before(cursor, from, &key, &value);
	if (rc != MDB_NOTFOUND)
		fail(cursor, rc);
	return MDB_SET_RANGE;
}

static bool is_less(struct vl_cursor *cursor, const MDB_val *key, struct vl_bytes than)
{
	MDB_val other = {than.size, (void *)than.data};

	return mdb_cmp(cursor->txn->txn, cursor->db->dbi, key, &other) < 0;
}

bool vl_cursor_seek(struct vl_cursor *cursor, struct vl_bytes from, struct vl_bytes *key,
		    struct vl_bytes *value)
{
	MDB_val at = {from.size, (void *)from.data};
	MDB_cursor_op op = from.size == 0 ? MDB_FIRST : MDB_SET_RANGE;

	if (cursor != NULL && from.size > VL_STORE_KEY_MAX)
		vl_txn_fail(cursor->txn, VL_ERR_BUG);
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return false;
	if (from.size > 0 && cursor->db->checked)
		op = look_before(cursor, &at);
	bool more = move(cursor, op, &at, key, value);
	/* LMDB looks at the first key of a page before it searches it. */
	while (more && from.size > 0 && is_less(cursor, &at, from))
		more = move(cursor, MDB_NEXT, &at, key, value);
	return more;
}

bool vl_cursor_last(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value)
{
	MDB_val at;
	return move(cursor, MDB_LAST, &at, key, value);
}

bool vl_cursor_next(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value)
{
	MDB_val at;
	return move(cursor, MDB_NEXT, &at, key, value);
}

bool vl_cursor_prev(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value)
{
	MDB_val at;
	return move(cursor, MDB_PREV, &at, key, value);
}

bool vl_txn_greatest(struct vl_txn *txn, unsigned db, struct vl_bytes *key)
{
	const struct store_db *of = &txn->store->dbs[db];
	MDB_cursor *cursor;
	MDB_val k, v;

	int rc = txn->err == VL_OK ? mdb_cursor_open(txn->txn, of->dbi, &cursor) : MDB_NOTFOUND;
	if (rc == 0) {
		rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
		mdb_cursor_close(cursor);
	}
	if (rc != 0 && rc != MDB_NOTFOUND)
		vl_txn_fail(txn, vl_store_translate(rc));
	if (rc != 0 || !vl_store_good(of, &k, &v))
		return false;
	*key = vl_store_bytes(&k);
	return true;
}

/* KEYEXIST where the key is there already, or is not the greatest where it should be appended. */
static int put(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value, unsigned flag)
{
	const struct store_db *of = cursor->db;
	MDB_val k = {key.size, (void *)key.data},
		v = {value.size + (of->checked ? STORE_WORD : 0), NULL};

	if (key.size == 0 || key.size > VL_STORE_KEY_MAX)
		return MDB_BAD_VALSIZE;
	vl_store_changes(cursor->txn, cursor->db);
	int rc = mdb_cursor_put(cursor->cursor, &k, &v, flag | MDB_RESERVE);
	if (rc == 0)
		vl_store_seal(of, &k, value, v.mv_data);
	return rc;
}

/* What was put stands between two that are sound: an entry whose key is damaged leads LMDB
 * astray, were it the first or last of its page. */
static bool is_in_place(struct vl_cursor *cursor, int *rc)
{
	MDB_val key, value;
	bool sound = true;

	*rc = mdb_cursor_get(cursor->cursor, &key, &value, MDB_PREV);
	bool first = *rc == MDB_NOTFOUND;
	if (*rc == 0)
		sound = vl_store_sound(cursor->txn, cursor->db, &key, &value);
	if (*rc == 0 || first)
		*rc = mdb_cursor_get(cursor->cursor, &key, &value, first ? MDB_FIRST : MDB_NEXT);
	if (*rc == 0 && sound)
		*rc = mdb_cursor_get(cursor->cursor, &key, &value, MDB_NEXT);
	else
		return sound;
	bool last = *rc == MDB_NOTFOUND;
	if (*rc == 0)
		sound = vl_store_sound(cursor->txn, cursor->db, &key, &value);
	if (*rc == 0 || last)
		*rc = mdb_cursor_get(cursor->cursor, &key, &value, last ? MDB_LAST : MDB_PREV);
	return sound;
}

bool vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value)
{
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return false;
	int rc = put(cursor, key, value, MDB_NOOVERWRITE), moved = 0;
	if (rc == 0 && cursor->db->checked && cursor->txn->store->wary &&
	    !is_in_place(cursor, &moved)) {
		vl_store_changes(cursor->txn, cursor->db);
		rc = moved == 0 ? mdb_cursor_del(cursor->cursor, 0) : moved;
		if (rc == 0 && !cursor->passes)
			rc = STORE_DAMAGED;
		else if (rc == 0 && cursor->tell != NULL)
			cursor->tell(cursor->context, key);
		if (rc == 0)
			return false;
	}
	if (rc != 0 && rc != MDB_KEYEXIST)
		fail(cursor, rc);
	return rc == 0;
}

void vl_cursor_delete(struct vl_cursor *cursor)
{
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return;
	vl_store_changes(cursor->txn, cursor->db);
	int rc = mdb_cursor_del(cursor->cursor, 0);

	if (rc != 0)
		fail(cursor, rc);
}

void vl_cursor_append(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value)
{
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return;
	int rc = put(cursor, key, value, MDB_APPEND);
	if (rc != 0)
		fail(cursor, rc);
}

/* One of the two entries that a search for the key ends between, where it is damaged. False
 * where both are sound. */
static bool weed_beside(struct vl_cursor *cursor, struct vl_bytes key)
{
	MDB_val at = {key.size, (void *)key.data}, value;
	int rc = mdb_cursor_get(cursor->cursor, &at, &value, MDB_SET_RANGE);
	bool found = rc == 0;

	if (found && !vl_store_good(cursor->db, &at, &value)) {
		vl_cursor_delete(cursor);
		return true;
	}
	if (found || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(cursor->cursor, &at, &value, found ? MDB_PREV : MDB_LAST);
	if (rc != 0 && rc != MDB_NOTFOUND)
		fail(cursor, rc);
	if (rc != 0 || vl_store_good(cursor->db, &at, &value))
		return false;
	vl_cursor_delete(cursor);
	return true;
}

bool vl_txn_weed(struct vl_txn *txn, unsigned db, struct vl_bytes key)
{
	bool taken = false, more = true;

	while (more && txn->err == VL_OK) {
		struct vl_cursor *cursor = vl_cursor_open(txn, db);
		more = cursor != NULL && weed_beside(cursor, key);
		taken |= more;
		vl_cursor_close(cursor);
	}
	return taken;
}

#include "store/inside.h"

#include <stdlib.h>

struct vl_cursor {
	struct vl_txn *txn;
	const struct store_db *db;
	MDB_cursor *cursor;
	bool passes;
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
		vl_txn_fail(txn, vl_store_translate(rc));
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

void vl_cursor_pass_over(struct vl_cursor *cursor, struct vl_bytes prefix, vl_cursor_damaged *tell, void *context)
{
	if (cursor == NULL)
		return;
	cursor->passes = true;
	cursor->tell = tell;
	cursor->context = context;
	cursor->whose = prefix;
}

void vl_cursor_count(void *context, struct vl_bytes key)
{
	(void)key;
	++*(size_t *)context;
}

static void fail(struct vl_cursor *cursor, int rc)
{
	if (rc == MDB_CORRUPTED)
		cursor->txn->damaged = cursor->db;
	vl_txn_fail(cursor->txn, vl_store_translate(rc));
}

/* An entry that is damaged: the end of it all, or to be passed over. */
static void meet_damaged(struct vl_cursor *cursor, const MDB_val *key, const MDB_val *value)
{
	if (!cursor->passes)
		fail(cursor, MDB_CORRUPTED);
	else if (cursor->tell == NULL)
		return;
	else if (vl_key_has_prefix(vl_store_bytes(key), cursor->whose) ||
		 vl_store_was(cursor->db, cursor->whose, key, value))
		cursor->tell(cursor->context, vl_store_bytes(key));
}

static bool move(struct vl_cursor *cursor, MDB_cursor_op op, MDB_val *at, struct vl_bytes *key, struct vl_bytes *value)
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

/* The entry before the place of `from`: sound, or never one of those looked for; else a key that rotted is taken for one that was
 * never there. */
static void judge_before(struct vl_cursor *cursor, const MDB_val *from, const MDB_val *key, const MDB_val *value)
{
	MDB_val copy = *value;

	if (mdb_cmp(cursor->txn->txn, cursor->db->dbi, key, from) >= 0)
		fail(cursor, MDB_CORRUPTED);
	else if (!vl_store_good(cursor->db, key, &copy) && vl_store_was(cursor->db, vl_store_bytes(from), key, value))
		meet_damaged(cursor, key, value);
}

/* Look there; how to come back from it. */
static MDB_cursor_op look_before(struct vl_cursor *cursor, const MDB_val *from)
{
	MDB_val key = *from, value;
	int rc = mdb_cursor_get(cursor->cursor, &key, &value, MDB_SET_RANGE);
	bool found = rc == 0;

	if (found && mdb_cmp(cursor->txn->txn, cursor->db->dbi, &key, from) < 0)
		rc = MDB_CORRUPTED;
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(cursor->cursor, &key, &value, found ? MDB_PREV : MDB_LAST);
	if (rc == 0)
		judge_before(cursor, from, &key, &value);
	else if (rc != MDB_NOTFOUND)
		fail(cursor, rc);
	return rc == 0 ? MDB_NEXT : MDB_SET_RANGE;
}

bool vl_cursor_seek(struct vl_cursor *cursor, struct vl_bytes from, struct vl_bytes *key, struct vl_bytes *value)
{
	MDB_val at = {from.size, (void *)from.data};
	MDB_cursor_op op = from.size == 0 ? MDB_FIRST : MDB_SET_RANGE;

	if (cursor != NULL && from.size > VL_STORE_KEY_MAX)
		vl_txn_fail(cursor->txn, VL_ERR_BUG);
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return false;
	if (from.size > 0 && cursor->db->checked)
		op = look_before(cursor, &at);
	return move(cursor, op, &at, key, value);
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
	MDB_val k = {key.size, (void *)key.data}, v = {value.size + (of->checked ? STORE_WORD : 0), NULL};

	if (key.size == 0 || key.size > VL_STORE_KEY_MAX)
		return MDB_BAD_VALSIZE;
	int rc = mdb_cursor_put(cursor->cursor, &k, &v, flag | MDB_RESERVE);
	if (rc == 0)
		vl_store_seal(of, &k, value, v.mv_data);
	return rc;
}

bool vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value)
{
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return false;
	int rc = put(cursor, key, value, MDB_NOOVERWRITE);
	if (rc != 0 && rc != MDB_KEYEXIST)
		fail(cursor, rc);
	return rc == 0;
}

void vl_cursor_append(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value)
{
	if (cursor == NULL || cursor->txn->err != VL_OK)
		return;
	int rc = put(cursor, key, value, MDB_APPEND);
	if (rc != 0)
		fail(cursor, rc);
}

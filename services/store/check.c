/*
 * The checksum behind each value, and how an entry is found although its key is corrupted
 * (inside.h).
 */
#include "store/inside.h"

#include "base/hash.h"
#include "base/text.h"

#include <string.h>

static uint32_t word_of(const struct store_db *db, const void *key, size_t key_size,
			const void *value, size_t size)
{
	uint64_t seed = XXH3_64bits_withSeed(key, key_size, db->seed);

	return (uint32_t)XXH3_64bits_withSeed(value, size, seed);
}

void vl_store_name_db(struct store_db *db, char *name, bool checked)
{
	db->name = name;
	db->checked = checked;
	db->seed = XXH3_64bits(name, strlen(name));
}

void vl_store_seal(const struct store_db *db, const MDB_val *key, struct vl_bytes value,
		   uint8_t *to)
{
	if (value.size > 0)
		memcpy(to, value.data, value.size);
	if (db->checked)
		vl_put_be32(to + value.size,
			    word_of(db, key->mv_data, key->mv_size, value.data, value.size));
}

bool vl_store_good(const struct store_db *db, const MDB_val *key, MDB_val *value)
{
	if (!db->checked)
		return true;
	if (value->mv_size < STORE_WORD)
		return false;
	value->mv_size -= STORE_WORD;
	const uint8_t *end = (const uint8_t *)value->mv_data + value->mv_size;
	return vl_get_be32(end) ==
	       word_of(db, key->mv_data, key->mv_size, value->mv_data, value->mv_size);
}

bool vl_store_was(const struct store_db *db, struct vl_bytes prefix, const MDB_val *key,
		  const MDB_val *value)
{
	uint8_t before[VL_STORE_KEY_MAX];
	MDB_val was = {key->mv_size, before}, copy = *value;

	if (prefix.size > key->mv_size || key->mv_size > sizeof(before))
		return false;
	memcpy(before, key->mv_data, key->mv_size);
	if (prefix.size > 0)
		memcpy(before, prefix.data, prefix.size);
	return vl_store_good(db, &was, &copy);
}

static bool is_damaged(const struct store_db *db, const MDB_val *key, const MDB_val *value)
{
	MDB_val copy = *value;

	return !vl_store_good(db, key, &copy);
}

void vl_store_changes(struct vl_txn *txn, const struct store_db *db)
{
	txn->changes[db - txn->store->dbs]++;
}

bool vl_store_sound(struct vl_txn *txn, const struct store_db *db, const MDB_val *key,
		    const MDB_val *value)
{
	if (!txn->writes || value->mv_size < STORE_LARGE)
		return !is_damaged(db, key, value);
	const struct store_known it = {.db = db,
				       .value = value->mv_data,
				       .size = value->mv_size,
				       .key = XXH3_64bits(key->mv_data, key->mv_size),
				       .changes = txn->changes[db - txn->store->dbs]};
	for (size_t i = 0; i < STORE_KNOWN; i++) {
		const struct store_known *known = &txn->known[i];
		if (known->db == it.db && known->value == it.value && known->size == it.size &&
		    known->key == it.key && known->changes == it.changes)
			return true;
	}
	if (is_damaged(db, key, value))
		return false;
	txn->known[txn->next_known++ % STORE_KNOWN] = it;
	return true;
}

/* Beside the place where a search ended something is damaged: its key may be, and then it was
 * what was looked for, or has led the search astray. From a sound entry before it on, one by
 * one. */
static int look_around(MDB_txn *txn, const struct store_db *db, MDB_cursor *cursor,
		       const MDB_val *key, MDB_val *value)
{
	MDB_val at = *key, found;
	bool was = false;
	int rc = mdb_cursor_get(cursor, &at, &found, MDB_SET_RANGE);

	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(cursor, &at, &found, rc == 0 ? MDB_PREV : MDB_LAST);
	while (rc == 0 && (is_damaged(db, &at, &found) || mdb_cmp(txn, db->dbi, &at, key) >= 0))
		rc = mdb_cursor_get(cursor, &at, &found, MDB_PREV);
	for (rc = mdb_cursor_get(cursor, &at, &found, rc == 0 ? MDB_NEXT : MDB_FIRST); rc == 0;
	     rc = mdb_cursor_get(cursor, &at, &found, MDB_NEXT)) {
		int order = mdb_cmp(txn, db->dbi, &at, key);
		if (!is_damaged(db, &at, &found) && order >= 0) {
			*value = found;
			return order == 0 && vl_store_good(db, key, value) ? 0
			       : was                                       ? STORE_DAMAGED
									   : MDB_NOTFOUND;
		}
		was |= at.mv_size == key->mv_size &&
		       vl_store_was(db, vl_store_bytes(key), &at, &found);
	}
	return rc != MDB_NOTFOUND ? rc : was ? STORE_DAMAGED : MDB_NOTFOUND;
}

/* One search, and on a miss a look to both sides. */
int vl_store_look_up(struct vl_txn *txn, const struct store_db *db, MDB_val *key, MDB_val *value)
{
	MDB_cursor *cursor;
	MDB_val beside = *key, found;
	int order = 1, rc = mdb_cursor_open(txn->txn, db->dbi, &cursor);
	bool ordered = true, damaged = false;

	if (rc != 0)
		return rc;
	rc = mdb_cursor_get(cursor, &beside, &found, MDB_SET_RANGE);
	if (rc == 0)
		order = mdb_cmp(txn->txn, db->dbi, &beside, key);
	if (rc == 0 && order == 0) {
		mdb_cursor_close(cursor);
		*value = found;
		return vl_store_good(db, key, value) ? 0 : STORE_DAMAGED;
	}
	if (rc == 0) {
		ordered = order > 0;
		damaged = !vl_store_sound(txn, db, &beside, &found);
	}
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_cursor_get(cursor, &beside, &found, rc == 0 ? MDB_PREV : MDB_LAST);
	if (rc == 0) {
		damaged |= !vl_store_sound(txn, db, &beside, &found);
		ordered &= damaged || mdb_cmp(txn->txn, db->dbi, &beside, key) < 0;
	}
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = !ordered || (damaged && txn->writes && txn->store->wary) ? STORE_DAMAGED
		     : damaged ? look_around(txn->txn, db, cursor, key, value)
			       : MDB_NOTFOUND;
	mdb_cursor_close(cursor);
	return rc;
}

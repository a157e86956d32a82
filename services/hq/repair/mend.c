#include "hq/repair/mend.h"

#include "base/log.h"
#include "base/text.h"
#include "hq/fold/databases.h"
#include "hq/fold/mend_index.h"
#include "hq/fold/renewal.h"
#include "hq/fold/todo.h"
#include "hq/fold/views.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/evidence.h"
#include "hq/ledger/parked.h"
#include "hq/ledger/standing.h"
#include "hq/repair/mend_count.h"
#include "hq/repair/rebuild.h"

#include <string.h>

/* Small, and whole again at once. */
static const enum vl_ledger_db heads[] = {
	VL_DB_META,    VL_DB_OFFSET, VL_DB_CHAIN,   VL_DB_STANDING, VL_DB_REASONS,
	VL_DB_WAITING, VL_DB_PULSE,  VL_DB_MISSING, VL_DB_PASSED,   VL_DB_AWAITS,
	VL_DB_DUE,     VL_DB_HELD,   VL_DB_KEY,     VL_DB_UNREAD,
};

/* Their rows are large. */
static const enum vl_ledger_db large[] = {VL_DB_PARKED, VL_DB_EVIDENCE, VL_DB_DIGEST};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* -- what is damaged -- */

struct walk {
	size_t entries, damaged;
	struct vl_key before;
	struct vl_buf keys; /* of what is damaged, each behind its size in two bytes */
};

static void meet_damaged(void *context, struct vl_bytes key)
{
	struct walk *walk = context;
	const uint8_t size[2] = {(uint8_t)(key.size >> 8), (uint8_t)key.size};

	walk->damaged++;
	walk->entries++;
	vl_buf_put(&walk->keys, size, sizeof(size));
	vl_buf_put(&walk->keys, key.data, key.size);
}

/* A pointer that is damaged shows one entry twice, or hides another. */
static void meet_sound(struct walk *walk, struct vl_bytes key)
{
	struct vl_bytes before = vl_key_done(&walk->before);
	size_t both = key.size < before.size ? key.size : before.size;
	int order = both > 0 ? memcmp(before.data, key.data, both) : 0;

	walk->entries++;
	walk->damaged += order > 0 || (order == 0 && before.size >= key.size);
	vl_key_reset(&walk->before);
	vl_key_bytes(&walk->before, key.data, key.size);
}

/* Walk a database; `rows` gets the sound ones: sizes of key and value, key, value. Where it is
 * NULL what is damaged is taken out. */
static void look(struct vl_txn *txn, unsigned db, struct walk *walk, struct vl_buf *rows)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	struct vl_bytes key, value, all = {0};
	uint64_t entries = vl_txn_count(txn, db);
	uint8_t sizes[8];

	if (rows != NULL)
		vl_cursor_pass_over(cursor, all, meet_damaged, walk);
	else
		vl_cursor_weed(cursor, meet_damaged, walk);
	for (bool more = vl_cursor_seek(cursor, all, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value)) {
		meet_sound(walk, key);
		if (rows == NULL)
			continue;
		vl_put_be32(sizes, (uint32_t)key.size);
		vl_put_be32(sizes + 4, (uint32_t)value.size);
		vl_buf_put(rows, sizes, sizeof(sizes));
		vl_buf_put(rows, key.data, key.size);
		vl_buf_put(rows, value.data, value.size);
	}
	vl_cursor_close(cursor);
	if (walk->entries != entries)
		walk->damaged++;
	if (vl_buf_failed(&walk->keys) || (rows != NULL && vl_buf_failed(rows)))
		vl_txn_fail(txn, VL_ERR_NOMEM);
}

static void put_rows(struct vl_txn *txn, unsigned db, const struct vl_buf *rows)
{
	for (size_t at = 0; at < rows->size;) {
		uint32_t key = vl_get_be32(rows->data + at),
			 value = vl_get_be32(rows->data + at + 4);
		const uint8_t *bytes = rows->data + at + 8;
		vl_txn_put(txn, db, (struct vl_bytes){bytes, key},
			   (struct vl_bytes){bytes + key, value});
		at += 8 + (size_t)key + value;
	}
}

/* Written anew without what is damaged. How much that is. */
static size_t renew(struct vl_txn *txn, unsigned db)
{
	struct walk walk = {0};
	struct vl_buf rows = {0};

	look(txn, db, &walk, &rows);
	if (walk.damaged > 0) {
		vl_txn_clear(txn, db);
		put_rows(txn, db, &rows);
	}
	vl_buf_free(&walk.keys);
	vl_buf_free(&rows);
	return walk.damaged;
}

/* What is damaged taken out one by one; of evidence the place is kept. */
static size_t weed(struct vl_txn *txn, unsigned db)
{
	struct walk walk = {0};

	look(txn, db, &walk, NULL);
	for (size_t at = 0; at < walk.keys.size;) {
		const uint8_t *size = walk.keys.data + at;
		struct vl_bytes key = {size + 2, (size_t)size[0] << 8 | size[1]};
		if (db == VL_DB_EVIDENCE && vl_mend_is_known(txn, key))
			vl_txn_put(txn, db, key, (struct vl_bytes){0});
		at += 2 + key.size;
	}
	vl_buf_free(&walk.keys);
	return walk.damaged;
}

/* -- what is made again -- */

static void put_format(struct vl_txn *txn)
{
	struct vl_key key = {0};
	uint8_t format = VL_LEDGER_FORMAT;

	vl_key_text(&key, VL_LEDGER_FORMAT_KEY);
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key), (struct vl_bytes){&format, 1});
}

static void say(unsigned db, size_t rows)
{
	char name[VL_LEDGER_NAME];

	vl_ledger_name(db, name);
	if (rows > 0)
		vl_log_error("%zu rows of '%s' were damaged in the views, and are made again "
			     "as far as possible",
			     rows, name);
}

static void make_again(struct vl_txn *txn, const size_t damaged[VL_DB_VIEWS])
{
	if (damaged[VL_DB_META] > 0) {
		put_format(txn);
		vl_todo_count_on(txn);
	}
	/* Where a renewal is under way it may be forgotten, and what it has counted lost. */
	if (damaged[VL_DB_META] + damaged[VL_DB_TODO] + damaged[VL_DB_PENDING] +
		    damaged[VL_DB_RECOUNT] >
	    0)
		vl_renewal_begin_all(txn);
	if (damaged[VL_DB_CHAIN] > 0)
		vl_mend_chains(txn);
	if (damaged[VL_DB_WAITING] + damaged[VL_DB_PARKED] + damaged[VL_DB_META] > 0)
		vl_mend_waiting(txn);
	if (damaged[VL_DB_PARKED] + damaged[VL_DB_AWAITS] + damaged[VL_DB_DUE] > 0)
		vl_mend_waits(txn);
	if (damaged[VL_DB_HELD] + damaged[VL_DB_EVIDENCE] > 0) {
		vl_evidence_recount(txn);
		vl_mend_beginnings(txn);
	}
	if (damaged[VL_DB_DIGEST] > 0)
		vl_mend_digests(txn);
	if (damaged[VL_DB_STANDING] + damaged[VL_DB_PARKED] > 0)
		vl_mend_standings(txn);
}

enum vl_err vl_ledger_mend(struct vl_store *store, enum vl_mend_depth depth, size_t *mended,
			   struct vl_why *why)
{
	size_t damaged[VL_DB_VIEWS] = {0};
	struct vl_txn *txn = vl_txn_begin(store, true, why);

	*mended = 0;
	if (txn == NULL)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < COUNT(heads); i++)
		damaged[heads[i]] = renew(txn, heads[i]);
	for (size_t i = 0; depth == VL_MEND_ALL && i < COUNT(large); i++)
		damaged[large[i]] = weed(txn, large[i]);
	make_again(txn, damaged);
	for (unsigned db = 0; db < VL_DB_VIEWS; db++)
		*mended += damaged[db];
	if (*mended == 0 && vl_txn_err(txn) == VL_OK) {
		vl_txn_abort(txn);
		return VL_OK;
	}
	struct vl_why reason = {0};
	enum vl_err err = vl_txn_commit(txn, &reason);
	for (unsigned db = 0; err == VL_OK && db < VL_DB_VIEWS; db++)
		say(db, damaged[db]);
	return err == VL_ERR_CORRUPT ? vl_fail(why, err, "%.150s; " VL_LEDGER_REBUILD, reason.text)
	       : err == VL_OK        ? VL_OK
				     : vl_fail(why, err, "%s", reason.text);
}

/* -- what is damaged, and no entry of it -- */

static bool is_small(unsigned db)
{
	for (size_t i = 0; i < COUNT(heads); i++)
		if (heads[i] == db)
			return true;
	for (size_t i = 0; i < COUNT(large); i++)
		if (large[i] == db)
			return true;
	return false;
}

static enum vl_err write_anew(struct vl_store *store, unsigned db, struct vl_why *why)
{
	struct walk walk = {0};
	struct vl_buf rows = {0};
	struct vl_txn *txn = vl_txn_begin(store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	look(txn, db, &walk, &rows);
	vl_txn_clear(txn, db);
	put_rows(txn, db, &rows);
	vl_buf_free(&walk.keys);
	vl_buf_free(&rows);
	return vl_txn_commit(txn, why);
}

enum vl_err vl_ledger_mend_order(struct vl_store *store, unsigned db, struct vl_why *why)
{
	char name[VL_LEDGER_NAME];
	struct vl_why reason = {0};
	struct vl_rebuilt rebuilt;
	enum vl_err err = VL_ERR_CORRUPT;

	vl_ledger_name(db, name);
	if (db >= VL_DB_VIEWS)
		err = vl_rebuild_lane(store, NULL, (db - VL_DB_VIEWS) / VL_VIEW_DBS, NULL, NULL,
				      &rebuilt, &reason);
	else if (is_small(db))
		err = write_anew(store, db, &reason);
	if (err == VL_OK)
		vl_log_error("the order of '%s' was damaged: it was written anew", name);
	else
		(void)vl_fail(why, err,
			      "its database '%.40s' is damaged (%.80s); " VL_LEDGER_REBUILD, name,
			      vl_why_text(&reason, err));
	return err;
}

#include "hq/repair/check.h"

#include "hq/fold/databases.h"
#include "hq/fold/history.h"
#include "hq/fold/views.h"

#include <stdlib.h>
#include <string.h>

struct check {
	struct vl_txn *txn;
	vl_damage_tell *tell;
	void *context;
	char db[VL_LEDGER_NAME];
	/* Of the database being walked. */
	uint64_t entries;
	struct vl_key before;
};

static void tell(void *context, struct vl_bytes key)
{
	struct check *c = context;

	c->entries++;
	c->tell(c->context, &(struct vl_damage){c->db, key, false});
}

/* A pointer within a page that rotted shows one entry twice and hides another. */
static void check_order(struct check *c, struct vl_bytes key)
{
	struct vl_bytes before = vl_key_done(&c->before);
	size_t both = key.size < before.size ? key.size : before.size;
	int order = both > 0 ? memcmp(before.data, key.data, both) : 0;

	if (order > 0 || (order == 0 && before.size >= key.size))
		c->tell(c->context, &(struct vl_damage){c->db, key, false});
	c->entries++;
	vl_key_reset(&c->before);
	vl_key_bytes(&c->before, key.data, key.size);
}

static void check_record(struct check *c, struct vl_bytes key, struct vl_bytes value)
{
	struct vl_record record;
	struct vl_digest digest;

	if (vl_record_unpack(value, &record, &digest) != VL_OK ||
	    !vl_record_intact(&record, &digest))
		c->tell(c->context, &(struct vl_damage){c->db, key, false});
}

/* Whether the event that a history names can be read. */
static void check_place(struct check *c, size_t view, struct vl_bytes key, struct vl_bytes value)
{
	struct vl_place place;
	struct vl_bytes event;
	const char *mission = vl_history_place(key, value, &place);

	if (mission == NULL ||
	    vl_archive_event(c->txn, mission, vl_views[view]->lane, &place, &event) != VL_OK)
		c->tell(c->context, &(struct vl_damage){c->db, key, true});
}

static enum vl_err check_db(struct check *c, unsigned db)
{
	struct vl_bytes key, value, all = {0};
	struct vl_cursor *cursor = vl_cursor_open(c->txn, db);
	bool history = db >= VL_DB_VIEWS && (db - VL_DB_VIEWS) % VL_VIEW_DBS == VL_VIEW_HISTORY;

	vl_ledger_name(db, c->db);
	c->entries = 0;
	vl_key_reset(&c->before);
	vl_cursor_pass_over(cursor, all, tell, c);
	for (bool more = vl_cursor_seek(cursor, all, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value)) {
		check_order(c, key);
		if (db == VL_DB_ARCHIVE)
			check_record(c, key, value);
		else if (history)
			check_place(c, (db - VL_DB_VIEWS) / VL_VIEW_DBS, key, value);
	}
	vl_cursor_close(cursor);
	if (c->entries != vl_txn_count(c->txn, db) && vl_txn_err(c->txn) == VL_OK)
		c->tell(c->context, &(struct vl_damage){c->db, all, false});
	return vl_txn_err(c->txn);
}

enum vl_err vl_ledger_check(struct vl_txn *txn, vl_damage_tell *told, void *context)
{
	struct check c = {.txn = txn, .tell = told, .context = context};
	enum vl_err err = VL_OK;

	for (unsigned db = 0; db < vl_view_db(vl_views_count(), 0) && err == VL_OK; db++)
		err = check_db(&c, db);
	return err;
}

#include "hq/ingest/keybook.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/types.h"
#include "hq/ingest/pulse.h"
#include "hq/ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

#define ID_SIZE sizeof(((struct vl_key_id *)0)->bytes)

/*
 * In the database `key`:
 *     key id          -> 1 where it has ended else 0, public key, mission NUL, file NUL
 *     key id, lane    -> epoch, seq up to which an ended key is good
 */

/* -- rows -- */

static void entry_put(struct vl_txn *txn, const struct vl_ring_entry *entry)
{
	uint8_t value[1 + sizeof(entry->key.bytes) + sizeof(entry->mission) + sizeof(entry->file)];
	size_t mission = strlen(entry->mission) + 1, file = strlen(entry->file) + 1, at = 1;
	struct vl_bytes id = {entry->id.bytes, ID_SIZE}, old;

	value[0] = entry->ended;
	memcpy(value + at, entry->key.bytes, sizeof(entry->key.bytes));
	at += sizeof(entry->key.bytes);
	memcpy(value + at, entry->mission, mission);
	at += mission;
	memcpy(value + at, entry->file, file);
	at += file;
	/* One that is damaged is written over. */
	if (vl_txn_find(txn, VL_DB_KEY, id, &old) == VL_OK && old.size == at &&
	    memcmp(old.data, value, at) == 0)
		return;
	vl_txn_put(txn, VL_DB_KEY, id, (struct vl_bytes){value, at});
}

static bool entry_read(struct vl_bytes key, struct vl_bytes value, struct vl_ring_entry *entry)
{
	const size_t head = 1 + sizeof(entry->key.bytes);

	*entry = (struct vl_ring_entry){0};
	if (key.size != ID_SIZE || value.size < head + 2 || value.data[value.size - 1] != '\0')
		return false;
	memcpy(entry->id.bytes, key.data, ID_SIZE);
	entry->ended = value.data[0] != 0;
	memcpy(entry->key.bytes, value.data + 1, sizeof(entry->key.bytes));
	const char *mission = (const char *)value.data + head,
		   *file = mission + strlen(mission) + 1;
	if ((const uint8_t *)file >= value.data + value.size || strlen(mission) > VL_MISSION_MAX ||
	    strlen(file) >= sizeof(entry->file))
		return false;
	(void)strcpy(entry->mission, mission);
	(void)strcpy(entry->file, file);
	return true;
}

static void end_put(struct vl_txn *txn, const struct vl_key_id *id, const struct vl_key_end *end)
{
	struct vl_key key = {0};
	uint8_t value[16];

	vl_key_bytes(&key, id->bytes, ID_SIZE);
	vl_key_text(&key, end->lane);
	vl_put_be64(value, end->epoch.n);
	vl_put_be64(value + 8, end->seq.n);
	vl_txn_put(txn, VL_DB_KEY, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

/* The ends of a key as the book has them. */
static enum vl_err read_ends(struct vl_txn *txn, struct vl_ring_entry *entry)
{
	struct vl_bytes id = {entry->id.bytes, ID_SIZE}, key, value;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_KEY);
	enum vl_err err = VL_OK;

	for (bool more = vl_cursor_seek(cursor, id, &key, &value);
	     more && err == VL_OK && vl_key_has_prefix(key, id);
	     more = vl_cursor_next(cursor, &key, &value)) {
		struct vl_key_end end;
		if (value.size != 16 || key.size <= ID_SIZE + 1 ||
		    key.size - ID_SIZE > sizeof(end.lane))
			continue;
		memcpy(end.lane, key.data + ID_SIZE, key.size - ID_SIZE);
		end.epoch.n = vl_get_be64(value.data);
		end.seq.n = vl_get_be64(value.data + 8);
		err = vl_ring_entry_end(entry, &end);
	}
	vl_cursor_close(cursor);
	return err;
}

/* -- how far a sender has come -- */

static enum vl_err note_place(struct vl_ring_entry *entry, const char *lane, uint64_t epoch,
			      uint64_t seq)
{
	struct vl_key_end end = {.epoch = {epoch}, .seq = {seq}};

	if (strlen(lane) > VL_KEY_LANE_MAX || seq == 0)
		return VL_OK;
	(void)strcpy(end.lane, lane);
	return vl_ring_entry_end(entry, &end);
}

/* The places of one database whose keys begin with mission and lane: chains have the seq in the
 * value, waiting batches in the key. */
static enum vl_err note_places(struct vl_txn *txn, enum vl_ledger_db db,
			       struct vl_ring_entry *entry)
{
	struct vl_key from = {0};
	struct vl_bytes key, value;
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	enum vl_err err = VL_OK;

	vl_key_text(&from, entry->mission);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &key, &value);
	     more && err == VL_OK && vl_key_has_prefix(key, vl_key_done(&from));
	     more = vl_cursor_next(cursor, &key, &value)) {
		const char *lane = (const char *)key.data + from.size;
		const uint8_t *epoch = key.data + from.size + strlen(lane) + 1;
		const uint8_t *seq = db == VL_DB_CHAIN ? value.data : epoch + 8;
		err = note_place(entry, lane, vl_get_be64(epoch), vl_get_be64(seq));
	}
	vl_cursor_close(cursor);
	return err;
}

static enum vl_err note_pulse(struct vl_txn *txn, struct vl_ring_entry *entry)
{
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_pulse_kept kept;

	if (arena == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = vl_pulse_get(txn, entry->mission, arena, &kept);
	if (err == VL_OK)
		err = note_place(entry, VL_PULSE_LANE, kept.head.epoch.n, kept.head.seq.n);
	else if (err != VL_ERR_NOMEM)
		err = VL_OK;
	vl_arena_close(arena);
	return err;
}

/* -- ending a key -- */

static void say_ended(const struct vl_ring_entry *entry)
{
	char id[2 * ID_SIZE + 1];

	vl_log_warning("key %s of %s is no longer enrolled: its signatures up to here stay "
		       "good, and no new ones",
		       vl_hex(entry->id.bytes, ID_SIZE, id), entry->mission);
}

/* Where the key ended before and was enrolled again, its former ends count no more: it held until
 * now. */
static enum vl_err end_key(struct vl_txn *txn, struct vl_ring_entry *entry)
{
	enum vl_err err = note_places(txn, VL_DB_CHAIN, entry);

	if (err == VL_OK)
		err = note_places(txn, VL_DB_PARKED, entry);
	if (err == VL_OK)
		err = note_pulse(txn, entry);
	if (err != VL_OK)
		return err;
	entry->ended = true;
	entry_put(txn, entry);
	for (size_t i = 0; i < entry->n_ends; i++)
		end_put(txn, &entry->id, &entry->ends[i]);
	say_ended(entry);
	return VL_OK;
}

static void keep_past(const char *dir, const struct vl_ring_entry *entry)
{
	struct vl_why why = {0};
	enum vl_err err = vl_ring_keep_past(dir, entry, &why);

	if (err != VL_OK && err != VL_ERR_EXISTS)
		vl_log_warning("cannot keep the past of a key of %s in '%s': %s. The tools, "
			       "and a rebuild from nothing, do not know it; allow valise-hq to "
			       "write there",
			       entry->mission, dir, vl_why_text(&why, err));
}

/* A key of the book that the folder does not have. */
static enum vl_err take_vanished(struct vl_txn *txn, const char *dir, struct vl_ring *ring,
				 struct vl_ring_entry *entry)
{
	enum vl_err err = VL_OK;

	if (!entry->ended && vl_ring_faulty(ring, entry->file)) {
		vl_log_warning("the key of %s that '%s' held before goes on", entry->mission,
			       entry->file);
		return vl_ring_add(ring, entry, NULL);
	}
	err = entry->ended ? read_ends(txn, entry) : end_key(txn, entry);
	if (err == VL_OK)
		keep_past(dir, entry);
	return err == VL_OK ? vl_ring_add(ring, entry, NULL) : err;
}

/* -- the book -- */

static enum vl_err note_enrolled(struct vl_txn *txn, const struct vl_ring *ring)
{
	for (size_t i = 0; i < vl_ring_count(ring); i++) {
		const struct vl_ring_entry *entry = vl_ring_at(ring, i);
		entry_put(txn, entry);
		for (size_t k = 0; k < entry->n_ends; k++)
			end_put(txn, &entry->id, &entry->ends[k]);
	}
	return vl_txn_err(txn);
}

/* All keys of the book, in the arena: the database is written while they are gone through. */
static enum vl_err read_book(struct vl_txn *txn, struct vl_arena *arena,
			     struct vl_ring_entry **entries, size_t *count)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_KEY);
	struct vl_bytes key, value;

	*count = 0;
	*entries = vl_arena_alloc(arena,
				  (size_t)(vl_txn_count(txn, VL_DB_KEY) + 1) * sizeof(**entries));
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more =
		     *entries != NULL && vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	     more; more = vl_cursor_next(cursor, &key, &value))
		*count += entry_read(key, value, &(*entries)[*count]);
	vl_cursor_close(cursor);
	return *entries != NULL ? vl_txn_err(txn) : VL_ERR_NOMEM;
}

static enum vl_err compare(struct vl_txn *txn, struct vl_arena *arena, const char *dir,
			   struct vl_ring *ring)
{
	struct vl_ring_entry *entries;
	size_t count;
	enum vl_err err = read_book(txn, arena, &entries, &count);

	for (size_t i = 0; i < count && err == VL_OK; i++) {
		if (vl_ring_find(ring, &entries[i].id) == NULL)
			err = take_vanished(txn, dir, ring, &entries[i]);
		free(entries[i].ends);
	}
	return err == VL_OK ? note_enrolled(txn, ring) : err;
}

static void say_faults(const struct vl_ring *ring)
{
	for (size_t i = 0; vl_ring_fault(ring, i) != NULL; i++)
		vl_log_error("a public key is left out: %s", vl_ring_fault(ring, i));
}

enum vl_err vl_keybook_open_ring(struct vl_store *store, const char *dir, struct vl_ring **opened,
				 struct vl_why *why)
{
	struct vl_ring *ring;
	enum vl_err err = vl_ring_open(dir, &ring, why);

	*opened = NULL;
	if (err != VL_OK)
		return err;
	say_faults(ring);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_txn *txn = arena != NULL ? vl_txn_begin(store, true, why) : NULL;
	err = txn != NULL ? compare(txn, arena, dir, ring) : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = vl_txn_commit(txn, why);
	else
		vl_txn_abort(txn);
	vl_arena_close(arena);
	if (err == VL_OK)
		*opened = ring;
	else
		vl_ring_close(ring);
	return err;
}

#include "hq/ledger/ledger.h"

#include "base/hash.h"
#include "base/text.h"
#include "hq/fold/views.h"
#include "hq/repair/mend.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The archive's records prove themselves (vl_record_pack), and are read for one event of many. */
#define UNCHECKED (UINT64_C(1) << VL_DB_ARCHIVE)

#define OLDER_TO_READ \
	"read it with the programs of its own version, or start this version's valise-hq on it"

static const char *const common[] = {
	"meta",    "offset",  "chain",   "standing", "archive", "parked",  "evidence", "dead",
	"refused", "reasons", "waiting", "pulse",    "missing", "key",     "unread",   "passed",
	"awaits",  "due",     "digest",  "held",     "todo",    "pending", "recount",
};
static const char *const of_view[] = {"event", "history", "row", "tally"};

_Static_assert(sizeof(common) / sizeof(common[0]) == VL_DB_VIEWS, "a name for each database");
_Static_assert(sizeof(of_view) / sizeof(of_view[0]) == VL_VIEW_DBS,
	       "a name for each database of a view");

void vl_ledger_name(unsigned db, char name[VL_LEDGER_NAME])
{
	unsigned of = db - VL_DB_VIEWS;

	if (db < VL_DB_VIEWS)
		(void)snprintf(name, VL_LEDGER_NAME, "%s", common[db]);
	else
		(void)snprintf(name, VL_LEDGER_NAME, "%s/%s", vl_views[of / VL_VIEW_DBS]->lane,
			       of_view[of % VL_VIEW_DBS]);
}

static char **database_names(struct vl_arena *arena)
{
	unsigned count = vl_view_db(vl_views_count(), 0);
	char **names = vl_arena_alloc(arena, (count + 1) * sizeof(*names));
	char text[VL_LEDGER_NAME];

	for (unsigned db = 0; names != NULL && db < count; db++) {
		vl_ledger_name(db, text);
		names[db] = vl_arena_text(arena, text, strlen(text));
	}
	return vl_arena_failed(arena) ? NULL : names;
}

/* A new one is of ours; the store has looked at that of another. */
static enum vl_err put_format(struct vl_store *store, struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(store, true, why);
	struct vl_key key = {0};
	uint8_t format = VL_LEDGER_FORMAT;

	if (txn == NULL)
		return VL_ERR_NOMEM;
	vl_key_text(&key, VL_LEDGER_FORMAT_KEY);
	if (vl_txn_get(txn, VL_DB_META, vl_key_done(&key), NULL)) {
		vl_txn_abort(txn);
		return VL_OK;
	}
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key), (struct vl_bytes){&format, 1});
	return vl_txn_commit(txn, why);
}

enum vl_err vl_ledger_open(const char *path, size_t size, bool read_only, struct vl_store **store,
			   struct vl_why *why)
{
	struct vl_arena *arena = vl_arena_open(0);
	char **names = arena != NULL ? database_names(arena) : NULL;
	enum vl_err err = VL_ERR_NOMEM;
	size_t mended;

	*store = NULL;
	if (names != NULL) {
		struct vl_store_options options = {
			.path = path,
			.dbs = (const char *const *)names,
			.unchecked = UNCHECKED,
			.map_size = size,
			.grows = true,
			.read_only = read_only,
			.wary = true,
			.format_db = VL_DB_META,
			.format_key = {(const uint8_t *)VL_LEDGER_FORMAT_KEY,
				       sizeof(VL_LEDGER_FORMAT_KEY)},
			.format = VL_LEDGER_FORMAT,
			.format_oldest = VL_LEDGER_FORMAT,
			.older = read_only ? OLDER_TO_READ : VL_LEDGER_REBUILD};
		err = vl_store_open(&options, store, why);
	}
	vl_arena_close(arena);
	if (err == VL_OK && !read_only)
		err = vl_ledger_mend(*store, VL_MEND_HEADS, &mended, why);
	if (err == VL_OK && !read_only)
		err = put_format(*store, why);
	if (err != VL_OK) {
		vl_store_close(*store);
		*store = NULL;
	}
	return err;
}

/* -- records in the store: fixed numbers first, then each run of bytes behind its length,
 * 0xffffffff for "none"; before the value's bytes, which the digest proves, a sum of all that is
 * before them -- */

#define NONE UINT32_MAX

static void put_u32(struct vl_buf *buf, uint32_t n)
{
	uint8_t *to = vl_buf_add(buf, 4);
	if (to != NULL)
		vl_put_be32(to, n);
}

static void put_u64(struct vl_buf *buf, uint64_t n)
{
	uint8_t *to = vl_buf_add(buf, 8);
	if (to != NULL)
		vl_put_be64(to, n);
}

static void put_run(struct vl_buf *buf, struct vl_bytes run)
{
	put_u32(buf, run.data == NULL ? NONE : (uint32_t)run.size);
	if (run.data != NULL)
		vl_buf_put(buf, run.data, run.size);
}

void vl_record_pack(struct vl_buf *buf, const struct vl_record *record,
		    const struct vl_digest *digest)
{
	vl_record_pack_applied(buf, record, digest, record->applied_ms);
}

void vl_record_pack_applied(struct vl_buf *buf, const struct vl_record *record,
			    const struct vl_digest *digest, int64_t applied_ms)
{
	size_t start = buf->size;

	vl_buf_put(buf, digest->bytes, sizeof(digest->bytes));
	put_u64(buf, (uint64_t)record->offset);
	put_u64(buf, (uint64_t)record->timestamp_ms);
	put_u64(buf, (uint64_t)applied_ms);
	put_u32(buf, (uint32_t)record->partition);
	put_u32(buf, (uint32_t)record->n_headers | (record->headers_cut ? 1u << 31 : 0));
	put_run(buf, record->topic);
	put_run(buf, record->key);
	for (size_t i = 0; i < record->n_headers; i++) {
		put_run(buf, record->headers[i].name);
		put_run(buf, record->headers[i].value);
	}
	put_u32(buf, record->value.data == NULL ? NONE : (uint32_t)record->value.size);
	if (!vl_buf_failed(buf))
		put_u64(buf, vl_sum((struct vl_bytes){buf->data + start, buf->size - start}));
	if (record->value.data != NULL)
		vl_buf_put(buf, record->value.data, record->value.size);
}

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static const uint8_t *take(struct reader *r, size_t count)
{
	const uint8_t *at = r->at;

	if (r->failed || (size_t)(r->end - r->at) < count) {
		r->failed = true;
		return NULL;
	}
	r->at += count;
	return at;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *at = take(r, 4);
	return at != NULL ? vl_get_be32(at) : 0;
}

static uint64_t take_u64(struct reader *r)
{
	const uint8_t *at = take(r, 8);
	return at != NULL ? vl_get_be64(at) : 0;
}

static void take_digest(struct reader *r, struct vl_digest *digest)
{
	const uint8_t *at = take(r, sizeof(digest->bytes));
	if (at != NULL)
		memcpy(digest->bytes, at, sizeof(digest->bytes));
}

static struct vl_bytes take_run(struct reader *r)
{
	uint32_t size = take_u32(r);
	return r->failed || size == NONE ? (struct vl_bytes){0}
					 : (struct vl_bytes){take(r, size), size};
}

/* What was read so far against what was written. */
static bool take_sum(struct reader *r, const uint8_t *start)
{
	uint64_t sum = r->failed ? 0 : vl_sum((struct vl_bytes){start, (size_t)(r->at - start)});

	return take_u64(r) == sum && !r->failed;
}

enum vl_err vl_record_unpack(struct vl_bytes bytes, struct vl_record *record,
			     struct vl_digest *digest)
{
	struct reader r = {bytes.data, bytes.data + bytes.size, false};

	/* Its many headers are not cleared first: batches are unpacked by the thousand. */
	take_digest(&r, digest);
	record->offset = (int64_t)take_u64(&r);
	record->timestamp_ms = (int64_t)take_u64(&r);
	record->applied_ms = (int64_t)take_u64(&r);
	record->partition = (int32_t)take_u32(&r);
	uint32_t n = take_u32(&r);
	record->headers_cut = n >> 31;
	record->n_headers = n & 0x7fffffff;
	record->topic = take_run(&r);
	record->key = take_run(&r);
	if (record->n_headers > VL_RECORD_HEADERS)
		return VL_ERR_CORRUPT;
	for (size_t i = 0; i < record->n_headers; i++) {
		record->headers[i].name = take_run(&r);
		record->headers[i].value = take_run(&r);
	}
	uint32_t size = take_u32(&r);
	if (!take_sum(&r, bytes.data))
		return VL_ERR_CORRUPT;
	record->value =
		size == NONE ? (struct vl_bytes){0} : (struct vl_bytes){take(&r, size), size};
	return r.failed || r.at != r.end ? VL_ERR_CORRUPT : VL_OK;
}

bool vl_record_intact(const struct vl_record *record, const struct vl_digest *digest)
{
	struct vl_digest now = {0};

	if (record->value.data != NULL)
		now = vl_batch_digest(record->value);
	return vl_digest_equal(&now, digest);
}

bool vl_record_digest(struct vl_bytes packed, struct vl_digest *digest)
{
	struct reader r = {packed.data, packed.data + packed.size, false};

	take_digest(&r, digest);
	return !r.failed;
}

void vl_archive_key(struct vl_key *key, const char *mission, const char *lane,
		    struct vl_epoch epoch, struct vl_seq seq)
{
	vl_key_reset(key);
	vl_key_text(key, mission);
	vl_key_text(key, lane);
	vl_key_u64(key, epoch.n);
	vl_key_u64(key, seq.n);
}

/* On to the first batch of the lane that a key is of, or lies before; false where the key is of
 * that lane. */
static bool skip_lanes(struct vl_archive_walk *walk, struct vl_bytes key)
{
	const char *mission = (const char *)key.data;
	struct vl_key own;

	vl_key_reset(&own);
	vl_key_text(&own, mission);
	int order = strcmp(mission + strlen(mission) + 1, walk->lane);
	if (order == 0)
		return false;
	if (order < 0)
		vl_key_text(&own, walk->lane);
	else
		own.bytes[own.size - 1] = 1; /* behind all of this mission */
	walk->key = own;
	return true;
}

bool vl_archive_next(struct vl_txn *txn, struct vl_archive_walk *walk, struct vl_archive_place *at,
		     struct vl_bytes *stored)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_ARCHIVE);
	struct vl_bytes key;

	if (walk->key.size > 0)
		vl_key_u8(&walk->key, 0);
	bool found = vl_cursor_seek(cursor, vl_key_done(&walk->key), &key, stored);
	while (found && skip_lanes(walk, key))
		found = vl_cursor_seek(cursor, vl_key_done(&walk->key), &key, stored);
	vl_cursor_close(cursor);
	if (!found)
		return false;
	vl_key_reset(&walk->key);
	vl_key_bytes(&walk->key, key.data, key.size);
	at->mission = (const char *)walk->key.bytes;
	at->lane = walk->lane;
	at->epoch.n = vl_get_be64(walk->key.bytes + walk->key.size - 16);
	at->seq.n = vl_get_be64(walk->key.bytes + walk->key.size - 8);
	return true;
}

enum vl_err vl_archive_batch(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *batch)
{
	struct vl_key key;
	struct vl_bytes stored;
	struct vl_record record;
	struct vl_digest digest;

	vl_archive_key(&key, mission, lane, place->epoch, place->seq);
	if (!vl_txn_get(txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored) ||
	    vl_record_unpack(stored, &record, &digest) != VL_OK)
		return VL_ERR_CORRUPT;
	*batch = record.value;
	return VL_OK;
}

uint64_t vl_sum(struct vl_bytes bytes)
{
	return XXH3_64bits(bytes.data, bytes.size);
}

enum vl_err vl_place_event(struct vl_bytes batch, const struct vl_place *place,
			   struct vl_bytes *event)
{
	if (batch.size < place->offset || batch.size - place->offset < place->size)
		return VL_ERR_CORRUPT;
	*event = (struct vl_bytes){batch.data + place->offset, place->size};
	return vl_sum(*event) == place->sum ? VL_OK : VL_ERR_CORRUPT;
}

enum vl_err vl_archive_event(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *event)
{
	struct vl_bytes batch;
	enum vl_err err = vl_archive_batch(txn, mission, lane, place, &batch);

	return err == VL_OK ? vl_place_event(batch, place, event) : err;
}

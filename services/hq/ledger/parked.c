#include "hq/ledger/parked.h"

#include "base/text.h"
#include "hq/ledger/chains.h"

#include <stdio.h>
#include <string.h>

#define ROW_SIZE 24
#define ALL "parked"

/* Of one (mission, lane) in the database `waiting`. */
struct row {
	uint64_t bytes;        /* of what is parked */
	struct vl_epoch epoch; /* the furthest place that was not kept; zeros where there is none */
	struct vl_seq seq;
};

/* -- how much there is -- */

static struct row row_get(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct vl_key key = vl_ledger_lane_key(mission, lane);
	struct row row = {0};
	struct vl_bytes value;

	if (!vl_txn_get(txn, VL_DB_WAITING, vl_key_done(&key), &value) || value.size != ROW_SIZE)
		return row;
	row.bytes = vl_get_be64(value.data);
	row.epoch.n = vl_get_be64(value.data + 8);
	row.seq.n = vl_get_be64(value.data + 16);
	return row;
}

/* There are rows of lanes with a gap only. */
static void row_put(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct row *row)
{
	struct vl_key key = vl_ledger_lane_key(mission, lane);
	uint8_t value[ROW_SIZE];

	vl_put_be64(value, row->bytes);
	vl_put_be64(value + 8, row->epoch.n);
	vl_put_be64(value + 16, row->seq.n);
	if (row->bytes == 0 && row->seq.n == 0)
		(void)vl_txn_delete(txn, VL_DB_WAITING, vl_key_done(&key));
	else
		vl_txn_put(txn, VL_DB_WAITING, vl_key_done(&key),
			   (struct vl_bytes){value, sizeof(value)});
}

/* The sum over all lanes of a mission, and of all missions where it is "". */
static struct vl_key sum_key(const char *mission)
{
	struct vl_key key = {0};

	vl_key_text(&key, ALL);
	if (*mission != '\0')
		vl_key_text(&key, mission);
	return key;
}

static uint64_t sum_get(struct vl_txn *txn, const char *mission)
{
	struct vl_key key = sum_key(mission);
	struct vl_bytes value;

	return vl_txn_get(txn, VL_DB_META, vl_key_done(&key), &value) && value.size == 8
		       ? vl_get_be64(value.data)
		       : 0;
}

static void sum_put(struct vl_txn *txn, const char *mission, uint64_t bytes)
{
	struct vl_key key = sum_key(mission);
	uint8_t value[8];

	vl_put_be64(value, bytes);
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

static void sum_less(struct vl_txn *txn, const char *mission, uint64_t size)
{
	uint64_t bytes = sum_get(txn, mission);

	sum_put(txn, mission, bytes - (bytes < size ? bytes : size));
}

/* -- in and out -- */

static struct vl_key awaits_key(const char *mission, const char *lane,
				const struct vl_digest *digest)
{
	struct vl_key key = vl_ledger_lane_key(mission, lane);

	vl_key_bytes(&key, digest->bytes, sizeof(digest->bytes));
	return key;
}

/* Only the first of an epoch waits for a digest. */
static void await(struct vl_txn *txn, const struct vl_parked_place *place)
{
	struct vl_key key = awaits_key(place->mission, place->lane, place->prev);

	vl_key_u64(&key, place->epoch.n);
	if (place->seq.n == 1)
		vl_txn_put(txn, VL_DB_AWAITS, vl_key_done(&key), vl_bytes_of(""));
}

static void await_no_more(struct vl_txn *txn, const struct vl_parked_place *place)
{
	struct vl_key key = awaits_key(place->mission, place->lane, place->prev);

	vl_key_u64(&key, place->epoch.n);
	if (place->seq.n == 1)
		(void)vl_txn_delete(txn, VL_DB_AWAITS, vl_key_done(&key));
}

enum vl_parked_outcome vl_parked_put(struct vl_txn *txn, const struct vl_parked_bounds *bounds,
				     const struct vl_parked_place *place,
				     const struct vl_digest *digest, uint64_t waiting,
				     struct vl_bytes packed)
{
	struct row row = row_get(txn, place->mission, place->lane);
	uint64_t all = sum_get(txn, ""), own = sum_get(txn, place->mission);
	struct vl_key key;

	vl_archive_key(&key, place->mission, place->lane, place->epoch, place->seq);
	vl_key_bytes(&key, digest->bytes, sizeof(digest->bytes));
	if (vl_txn_get(txn, VL_DB_PARKED, vl_key_done(&key), NULL))
		return VL_PARKED_THERE;
	bool full = waiting >= bounds->batches || row.bytes + packed.size > bounds->bytes ||
		    own + packed.size > VL_PARKED_LANES * bounds->bytes ||
		    all + packed.size > bounds->all;
	if (full && vl_later(place->epoch, place->seq, row.epoch, row.seq)) {
		row.epoch = place->epoch;
		row.seq = place->seq;
	}
	if (!full) {
		vl_txn_put(txn, VL_DB_PARKED, vl_key_done(&key), packed);
		await(txn, place);
		row.bytes += packed.size;
		sum_put(txn, place->mission, own + packed.size);
		sum_put(txn, "", all + packed.size);
	}
	row_put(txn, place->mission, place->lane, &row);
	return full ? VL_PARKED_FULL : VL_PARKED_KEPT;
}

void vl_parked_take(struct vl_txn *txn, const struct vl_parked_place *place,
		    const struct vl_key *key, size_t size)
{
	struct row row = row_get(txn, place->mission, place->lane);

	if (!vl_txn_delete(txn, VL_DB_PARKED, vl_key_done(key)))
		return;
	await_no_more(txn, place);
	row.bytes -= row.bytes < size ? row.bytes : size;
	row_put(txn, place->mission, place->lane, &row);
	sum_less(txn, place->mission, size);
	sum_less(txn, "", size);
}

/* All sums but of those that still wait begin again. */
static void forget_sums(struct vl_txn *txn)
{
	struct vl_key from = sum_key(""), at = from;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_META);
	struct vl_bytes key;

	for (bool more = vl_cursor_seek(cursor, vl_key_done(&at), &key, NULL);
	     more && vl_key_has_prefix(key, vl_key_done(&from));
	     more = vl_cursor_seek(cursor, vl_key_done(&at), &key, NULL)) {
		vl_key_reset(&at);
		vl_key_bytes(&at, key.data, key.size);
		(void)vl_txn_delete(txn, VL_DB_META, vl_key_done(&at));
	}
	vl_cursor_close(cursor);
}

/* A row that has nothing else to say goes, so that the walk begins anew behind it. */
void vl_parked_recount_none(struct vl_txn *txn)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_WAITING);
	struct vl_bytes key, value;
	struct vl_key at = {0};

	forget_sums(txn);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_seek(cursor, vl_key_done(&at), &key, &value)) {
		const char *mission = (const char *)key.data;
		char names[2][VL_LEDGER_NAME];
		(void)snprintf(names[0], sizeof(names[0]), "%s", mission);
		(void)snprintf(names[1], sizeof(names[1]), "%s", mission + strlen(mission) + 1);
		vl_key_reset(&at);
		vl_key_bytes(&at, key.data, key.size);
		vl_key_u8(&at, 0);
		struct row row = row_get(txn, names[0], names[1]);
		row.bytes = 0;
		row_put(txn, names[0], names[1], &row);
	}
	vl_cursor_close(cursor);
}

void vl_parked_recount(struct vl_txn *txn, const char *mission, const char *lane, uint64_t bytes)
{
	struct row row = row_get(txn, mission, lane);

	row.bytes = bytes;
	row_put(txn, mission, lane, &row);
	sum_put(txn, mission, sum_get(txn, mission) + bytes);
	sum_put(txn, "", sum_get(txn, "") + bytes);
}

bool vl_parked_settle(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct row row = row_get(txn, mission, lane);
	struct vl_chain newest = vl_chains_newest(txn, mission, lane);

	if (vl_later(row.epoch, row.seq, newest.epoch, newest.seq))
		return false;
	row.epoch.n = row.seq.n = 0;
	row_put(txn, mission, lane, &row);
	return true;
}

/* -- what may follow -- */

/* The place in a key that begins with `from`. */
static void read_place(struct vl_bytes key, const struct vl_key *from, struct vl_epoch *epoch,
		       struct vl_seq *seq)
{
	epoch->n = vl_get_be64(key.data + from->size);
	seq->n = vl_get_be64(key.data + from->size + 8);
}

/* On to the first one of a later epoch. */
static bool next_epoch(struct vl_cursor *cursor, const struct vl_key *from, struct vl_epoch epoch,
		       struct vl_bytes *key, struct vl_bytes *stored)
{
	struct vl_key beyond = *from;

	vl_key_u64(&beyond, epoch.n + 1);
	return epoch.n != UINT64_MAX && vl_cursor_seek(cursor, vl_key_done(&beyond), key, stored);
}

/* The first that is parked of an epoch. */
static bool first_of(struct vl_txn *txn, const char *mission, const char *lane,
		     struct vl_epoch epoch, struct vl_seq *seq, struct vl_key *found,
		     struct vl_bytes *stored)
{
	struct vl_key lane_from = vl_ledger_lane_key(mission, lane), from = lane_from;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PARKED);
	struct vl_bytes key;

	vl_key_u64(&from, epoch.n);
	bool there = vl_cursor_seek(cursor, vl_key_done(&from), &key, stored) &&
		     vl_key_has_prefix(key, vl_key_done(&from));
	if (there) {
		read_place(key, &lane_from, &epoch, seq);
		vl_key_reset(found);
		vl_key_bytes(found, key.data, key.size);
	}
	vl_cursor_close(cursor);
	return there;
}

static bool is_ready(struct vl_txn *txn, const char *mission, const char *lane,
		     struct vl_epoch epoch, struct vl_key *found, struct vl_bytes *stored)
{
	struct vl_chain chain;
	struct vl_seq seq;

	if (!first_of(txn, mission, lane, epoch, &seq, found, stored))
		return false;
	bool known = vl_chains_get(txn, mission, lane, epoch, &chain);
	return (known ? seq.n <= chain.seq.n + 1 : seq.n == 1) ||
	       vl_chains_suspended(txn, mission, lane, epoch).n == epoch.n;
}

bool vl_parked_ready(struct vl_txn *txn, const struct vl_due *due, struct vl_key *found,
		     struct vl_bytes *stored)
{
	return is_ready(txn, due->mission, due->lane, due->epoch, found, stored);
}

/* -- what is due -- */

static void put_due(struct vl_txn *txn, const char *mission, const char *lane,
		    struct vl_epoch epoch)
{
	struct vl_key key = vl_ledger_lane_key(mission, lane);

	vl_key_u64(&key, epoch.n);
	vl_txn_put(txn, VL_DB_DUE, vl_key_done(&key), vl_bytes_of(""));
}

void vl_parked_wait(struct vl_txn *txn, const struct vl_parked_place *place)
{
	await(txn, place);
	put_due(txn, place->mission, place->lane, place->epoch);
}

void vl_parked_advance(struct vl_txn *txn, const char *mission, const char *lane,
		       struct vl_epoch epoch)
{
	struct vl_key found;
	struct vl_bytes stored;

	if (is_ready(txn, mission, lane, epoch, &found, &stored))
		put_due(txn, mission, lane, epoch);
}

void vl_parked_release(struct vl_txn *txn, const char *mission, const char *lane,
		       const struct vl_digest *digest)
{
	struct vl_key from = awaits_key(mission, lane, digest);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_AWAITS);
	struct vl_bytes key;

	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &key, NULL);
	     more && vl_key_has_prefix(key, vl_key_done(&from));
	     more = vl_cursor_next(cursor, &key, NULL))
		put_due(txn, mission, lane, (struct vl_epoch){vl_get_be64(key.data + from.size)});
	vl_cursor_close(cursor);
}

/* What the key says; false where it is none. */
static bool read_due(struct vl_bytes key, struct vl_due *due)
{
	vl_key_reset(&due->key);
	vl_key_bytes(&due->key, key.data, key.size);
	due->mission = (const char *)due->key.bytes;
	size_t mission = strnlen(due->mission, key.size);
	if (mission + 1 >= key.size)
		return false;
	due->lane = due->mission + mission + 1;
	if (mission + 1 + strnlen(due->lane, key.size - mission - 1) + 1 + 8 != key.size)
		return false;
	due->epoch.n = vl_get_be64(key.data + key.size - 8);
	return true;
}

static bool find_due(struct vl_txn *txn, const struct vl_key *from, struct vl_bytes within,
		     struct vl_due *due)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_DUE);
	struct vl_bytes key;

	bool found = vl_cursor_seek(cursor, vl_key_done(from), &key, NULL) &&
		     vl_key_has_prefix(key, within) && read_due(key, due);
	vl_cursor_close(cursor);
	return found;
}

bool vl_parked_due(struct vl_txn *txn, const char *mission, const char *lane, struct vl_due *due)
{
	struct vl_key from = vl_ledger_lane_key(mission, lane);

	return find_due(txn, &from, vl_key_done(&from), due);
}

bool vl_parked_due_any(struct vl_txn *txn, struct vl_due *due)
{
	static const struct vl_key start;
	struct vl_key behind = due->key;

	/* Behind all epochs of that lane. */
	if (behind.size > 8) {
		behind.size -= 8;
		vl_key_u64(&behind, UINT64_MAX);
		vl_key_u8(&behind, 0);
	}
	return find_due(txn, &behind, (struct vl_bytes){0}, due) ||
	       find_due(txn, &start, (struct vl_bytes){0}, due);
}

void vl_parked_not_due(struct vl_txn *txn, const struct vl_due *due)
{
	(void)vl_txn_delete(txn, VL_DB_DUE, vl_key_done(&due->key));
}

/* -- what is missing -- */

/* The first that waits in the latest epoch of any, and in epoch `own` (0 where none does). False
 * where nothing waits. */
static bool find_first(struct vl_txn *txn, const struct vl_key *from, struct vl_epoch own,
		       struct vl_epoch *epoch, struct vl_seq *seq, struct vl_seq *own_seq)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PARKED);
	struct vl_bytes key, stored;
	bool found = false;

	own_seq->n = 0;
	bool more = vl_cursor_seek(cursor, vl_key_done(from), &key, &stored);
	while (more && vl_key_has_prefix(key, vl_key_done(from))) {
		read_place(key, from, epoch, seq);
		found = true;
		if (epoch->n == own.n)
			*own_seq = *seq;
		more = next_epoch(cursor, from, *epoch, &key, &stored);
	}
	vl_cursor_close(cursor);
	return found;
}

bool vl_parked_gap(struct vl_txn *txn, const char *mission, const char *lane, struct vl_gap *gap)
{
	struct row row = row_get(txn, mission, lane);
	struct vl_chain newest = vl_chains_newest(txn, mission, lane), chain = {0};
	struct vl_key from = vl_ledger_lane_key(mission, lane);
	struct vl_epoch epoch;
	struct vl_seq first, own;

	bool waits = find_first(txn, &from, newest.epoch, &epoch, &first, &own);
	bool dropped = vl_later(row.epoch, row.seq, newest.epoch, newest.seq);
	*gap = (struct vl_gap){newest.epoch, {newest.seq.n + 1}, {0}};
	if (dropped && (!waits || epoch.n < newest.epoch.n)) {
		gap->to.n = row.epoch.n == newest.epoch.n ? row.seq.n : 0;
		return true;
	}
	if (!waits)
		return false;
	/* Before an epoch that has not begun the end of the one before may be missing too, and
	 * comes first: what is asked for always begins with what can be applied at once, so that
	 * it needs no room to wait in. */
	if (vl_chains_get(txn, mission, lane, epoch, &chain))
		*gap = (struct vl_gap){epoch, {chain.seq.n + 1}, {first.n - 1}};
	else
		gap->to.n = own.n > 0 ? own.n - 1 : 0;
	return true;
}

void vl_parked_each_gap(struct vl_txn *txn,
			void (*each)(void *context, const char *mission, const char *lane,
				     const struct vl_gap *gap),
			void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_WAITING);
	struct vl_bytes key, value;
	struct vl_gap gap;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value)) {
		const char *mission = (const char *)key.data, *lane = mission + strlen(mission) + 1;
		if (vl_parked_gap(txn, mission, lane, &gap))
			each(context, mission, lane, &gap);
	}
	vl_cursor_close(cursor);
}

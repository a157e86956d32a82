#include "hq/ledger/passed.h"

#include "base/text.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/standing.h"

#include <string.h>

/* What lies in one partition. */
struct span {
	int64_t from, end; /* offsets; end 0: nothing */
	struct vl_epoch near_epoch, far_epoch;
	struct vl_seq near_seq, far_seq;
	struct vl_digest prev; /* of the nearest */
};

struct row {
	struct span now;   /* what the next pass, or the one under way, has to read */
	struct span next;  /* what it has passed over once more, and what came since */
	int64_t at, until; /* of the pass under way; until 0: there is none */
	uint64_t batches;  /* applied on the lane when the last pass began */
};

/* Nobody has judged what lies there. */
static bool is_unjudged(const struct span *span)
{
	return span->near_epoch.n == 0 && span->near_seq.n == 0;
}

#define SPAN_SIZE 80
#define ROW_SIZE (2 * SPAN_SIZE + 24)

static uint8_t *put_u64(uint8_t *to, uint64_t n)
{
	vl_put_be64(to, n);
	return to + 8;
}

static uint8_t *put_span(uint8_t *to, const struct span *span)
{
	to = put_u64(to, (uint64_t)span->from);
	to = put_u64(to, (uint64_t)span->end);
	to = put_u64(to, span->near_epoch.n);
	to = put_u64(to, span->near_seq.n);
	to = put_u64(to, span->far_epoch.n);
	to = put_u64(to, span->far_seq.n);
	memcpy(to, span->prev.bytes, sizeof(span->prev.bytes));
	return to + sizeof(span->prev.bytes);
}

static const uint8_t *get_span(const uint8_t *at, struct span *span)
{
	span->from = (int64_t)vl_get_be64(at);
	span->end = (int64_t)vl_get_be64(at + 8);
	span->near_epoch.n = vl_get_be64(at + 16);
	span->near_seq.n = vl_get_be64(at + 24);
	span->far_epoch.n = vl_get_be64(at + 32);
	span->far_seq.n = vl_get_be64(at + 40);
	memcpy(span->prev.bytes, at + 48, sizeof(span->prev.bytes));
	return at + SPAN_SIZE;
}

static void row_put(struct vl_txn *txn, struct vl_bytes key, const struct row *row)
{
	uint8_t value[ROW_SIZE], *to = put_span(put_span(value, &row->now), &row->next);

	to = put_u64(to, (uint64_t)row->at);
	to = put_u64(to, (uint64_t)row->until);
	(void)put_u64(to, row->batches);
	vl_txn_put(txn, VL_DB_PASSED, key, (struct vl_bytes){value, sizeof(value)});
}

static struct row unpack(struct vl_bytes value)
{
	struct row row = {0};

	if (value.size != ROW_SIZE)
		return row;
	const uint8_t *at = get_span(get_span(value.data, &row.now), &row.next);
	row.at = (int64_t)vl_get_be64(at);
	row.until = (int64_t)vl_get_be64(at + 8);
	row.batches = vl_get_be64(at + 16);
	return row;
}

static struct vl_key row_key(const char *mission, const char *lane, const struct vl_record *record)
{
	struct vl_key key = vl_ledger_lane_key(mission, lane);

	vl_key_bytes(&key, record->topic.data, record->topic.size);
	vl_key_u8(&key, 0);
	vl_key_u32(&key, (uint32_t)record->partition);
	return key;
}

/* -- passing over -- */

static void widen(struct span *span, int64_t offset, const struct vl_batch_head *head)
{
	bool first = span->end == 0;

	if (first || offset < span->from)
		span->from = offset;
	if (first || offset >= span->end)
		span->end = offset + 1;
	if (first || vl_later(span->near_epoch, span->near_seq, head->epoch, head->seq)) {
		span->near_epoch = head->epoch;
		span->near_seq = head->seq;
		span->prev = head->prev;
	}
	if (first || vl_later(head->epoch, head->seq, span->far_epoch, span->far_seq)) {
		span->far_epoch = head->epoch;
		span->far_seq = head->seq;
	}
}

static struct row read_row(struct vl_txn *txn, const struct vl_key *key)
{
	struct vl_bytes value;

	return vl_txn_get(txn, VL_DB_PASSED, vl_key_done(key), &value) ? unpack(value)
								       : (struct row){0};
}

void vl_passed_note(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct vl_record *record, const struct vl_batch_head *head)
{
	struct vl_key key = row_key(mission, lane, record);
	struct row row = read_row(txn, &key);

	widen(&row.now, record->offset, head);
	widen(&row.next, record->offset, head);
	row_put(txn, vl_key_done(&key), &row);
}

/* The place before all places stands for those that are not known. */
void vl_passed_put_off(struct vl_txn *txn, const char *mission, const char *lane,
		       const struct vl_record *record, int64_t to)
{
	static const struct vl_batch_head unknown;
	struct vl_key key = row_key(mission, lane, record);
	struct row row = read_row(txn, &key);

	widen(&row.now, record->offset, &unknown);
	widen(&row.now, to - 1, &unknown);
	widen(&row.next, record->offset, &unknown);
	widen(&row.next, to - 1, &unknown);
	row_put(txn, vl_key_done(&key), &row);
}

bool vl_passed_wanted(struct vl_txn *txn, const char *mission, const char *lane,
		      const struct vl_record *record)
{
	struct vl_key key = row_key(mission, lane, record);
	const struct row row = read_row(txn, &key);

	return record->offset >= row.now.from && record->offset < row.now.end;
}

bool vl_passed_unjudged(struct vl_txn *txn, const char *mission, const char *lane,
			const struct vl_record *record)
{
	struct vl_key key = row_key(mission, lane, record);
	const struct row row = read_row(txn, &key);

	return is_unjudged(&row.now);
}

/* -- which to read -- */

/* Whether the nearest may be applied now, or be told from what is. */
static bool may_follow(struct vl_txn *txn, const char *mission, const char *lane,
		       const struct span *span)
{
	static const struct vl_digest none;
	struct vl_chain chain;

	if (is_unjudged(span))
		return true;
	if (vl_chains_get(txn, mission, lane, span->near_epoch, &chain))
		return span->near_seq.n <= chain.seq.n + 1 ||
		       vl_chains_suspended(txn, mission, lane, span->near_epoch).n ==
			       span->near_epoch.n;
	return span->near_seq.n == 1 && (vl_digest_equal(&span->prev, &none) ||
					 vl_chains_remembers(txn, mission, lane, &span->prev));
}

bool vl_passed_lies(struct vl_txn *txn, const char *mission, const char *lane,
		    const struct vl_gap *gap)
{
	struct vl_key from = vl_ledger_lane_key(mission, lane);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PASSED);
	struct vl_bytes key, value;
	bool lies = false;

	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &key, &value);
	     more && !lies && vl_key_has_prefix(key, vl_key_done(&from));
	     more = vl_cursor_next(cursor, &key, &value)) {
		const struct row row = unpack(value);
		lies = row.until != 0 || may_follow(txn, mission, lane, &row.now) ||
		       (!vl_later(row.now.near_epoch, row.now.near_seq, gap->epoch, gap->from) &&
			!vl_later(gap->epoch, gap->from, row.now.far_epoch, row.now.far_seq));
	}
	vl_cursor_close(cursor);
	return lies;
}

/* What the key says; false where it is none. */
static bool read_key(struct vl_bytes bytes, struct vl_pass *pass, const char **lane)
{
	const char *text = (const char *)bytes.data, *topic;

	vl_key_reset(&pass->key);
	vl_key_bytes(&pass->key, bytes.data, bytes.size);
	size_t mission = strnlen(text, bytes.size);
	if (mission > VL_MISSION_MAX || mission + 1 >= bytes.size)
		return false;
	*lane = text + mission + 1;
	size_t skip = mission + 1 + strnlen(*lane, bytes.size - mission - 1) + 1;
	if (skip + 5 > bytes.size)
		return false;
	topic = text + skip;
	if (strnlen(topic, bytes.size - skip) != bytes.size - skip - 5 ||
	    bytes.size - skip - 5 > VL_TOPIC_MAX)
		return false;
	memcpy(pass->mission, text, mission + 1);
	memcpy(pass->from.topic, topic, bytes.size - skip - 4);
	pass->from.partition = (int32_t)vl_get_be32(bytes.data + bytes.size - 4);
	return true;
}

static bool is_worth(struct vl_txn *txn, struct vl_bytes key, const struct row *row,
		     const char *lane, bool any, struct vl_pass *pass, vl_passed_rests *rests,
		     void *context)
{
	bool moved = any && vl_standing_get(txn, pass->mission, lane).batches != row->batches;

	return (row->until != 0 || moved || may_follow(txn, pass->mission, lane, &row->now)) &&
	       (rests == NULL || !rests(context, key));
}

/* From the row `at` on, up to `stop`, or to the end where that is NULL. */
static bool find_pass(struct vl_txn *txn, struct vl_bytes at, const struct vl_key *stop, bool any,
		      vl_passed_rests *rests, void *context, struct vl_pass *pass)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PASSED);
	struct vl_bytes key, value;
	const char *lane;
	bool found = false, last = false;

	for (bool more = vl_cursor_seek(cursor, at, &key, &value); more && !found && !last;
	     more = vl_cursor_next(cursor, &key, &value)) {
		const struct row row = unpack(value);
		last = stop != NULL && vl_key_has_prefix(key, vl_key_done(stop));
		found = read_key(key, pass, &lane) &&
			is_worth(txn, key, &row, lane, any, pass, rests, context);
		pass->from.offset = row.until != 0 ? row.at : row.now.from;
		pass->end = row.until != 0 ? row.until : row.now.end;
		pass->unjudged = is_unjudged(&row.now);
	}
	vl_cursor_close(cursor);
	return found;
}

bool vl_passed_next(struct vl_txn *txn, const struct vl_key *after, bool any,
		    vl_passed_rests *rests, void *context, struct vl_pass *pass)
{
	struct vl_key behind = *after;

	vl_key_u8(&behind, 0);
	return find_pass(txn, vl_key_done(&behind), NULL, any, rests, context, pass) ||
	       find_pass(txn, (struct vl_bytes){0}, after, any, rests, context, pass);
}

/* -- a pass -- */

static bool row_of(struct vl_txn *txn, const struct vl_pass *pass, struct row *row)
{
	struct vl_bytes value;

	if (!vl_txn_get(txn, VL_DB_PASSED, vl_key_done(&pass->key), &value))
		return false;
	*row = unpack(value);
	return true;
}

static uint64_t batches_of(struct vl_txn *txn, const struct vl_pass *pass)
{
	const char *lane = (const char *)pass->key.bytes + strlen(pass->mission) + 1;

	return vl_standing_get(txn, pass->mission, lane).batches;
}

void vl_passed_begin(struct vl_txn *txn, struct vl_pass *pass)
{
	struct row row;

	if (!row_of(txn, pass, &row))
		return;
	if (row.until == 0) {
		row.next = (struct span){0};
		row.at = row.now.from;
		row.until = row.now.end;
		row.batches = batches_of(txn, pass);
		row_put(txn, vl_key_done(&pass->key), &row);
	}
	pass->from.offset = row.at;
	pass->end = row.until;
	pass->batches = row.batches;
}

bool vl_passed_reached(struct vl_txn *txn, const struct vl_pass *pass, int64_t offset,
		       uint64_t *applied)
{
	struct row row;

	*applied = 0;
	if (!row_of(txn, pass, &row) || row.until == 0)
		return true;
	row.at = offset > row.at ? offset : row.at;
	bool ended = row.at >= row.until;
	if (ended) {
		*applied = batches_of(txn, pass) - row.batches;
		row.now = row.next;
		row.next = (struct span){0};
		row.at = row.until = 0;
		row.batches += *applied;
	}
	if (row.now.end == 0)
		(void)vl_txn_delete(txn, VL_DB_PASSED, vl_key_done(&pass->key));
	else
		row_put(txn, vl_key_done(&pass->key), &row);
	return ended;
}

void vl_passed_forget(struct vl_txn *txn, const char *topic, int32_t partition)
{
	struct vl_pass pass = {.key = {.size = 0}};
	struct vl_bytes key;
	const char *lane;
	bool more = true;

	while (more) {
		struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PASSED);
		struct vl_bytes from = vl_key_done(&pass.key);
		for (more = vl_cursor_seek(cursor, from, &key, NULL);
		     more && !(read_key(key, &pass, &lane) && pass.from.partition == partition &&
			       strcmp(pass.from.topic, topic) == 0);)
			more = vl_cursor_next(cursor, &key, NULL);
		vl_cursor_close(cursor);
		if (more)
			(void)vl_txn_delete(txn, VL_DB_PASSED, vl_key_done(&pass.key));
	}
}

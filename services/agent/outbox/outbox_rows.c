#include "agent/outbox/outbox_rows.h"

#include <sodium.h>
#include <string.h>

const char *const vl_outbox_dbs[] = {"meta",    "chain", "batch", "event", "acked",
				     "applied", "inbox", "sent",  NULL};

/* A cursor over a row of fixed size; the sizes are the callers'. */
static uint8_t *pack_u32(uint8_t *at, uint32_t n)
{
	vl_put_be32(at, n);
	return at + 4;
}

static uint8_t *pack_u64(uint8_t *at, uint64_t n)
{
	vl_put_be64(at, n);
	return at + 8;
}

static uint8_t *pack_bytes(uint8_t *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
	return at + count;
}

static const uint8_t *unpack_u32(const uint8_t *at, uint32_t *n)
{
	*n = vl_get_be32(at);
	return at + 4;
}

static const uint8_t *unpack_u64(const uint8_t *at, uint64_t *n)
{
	*n = vl_get_be64(at);
	return at + 8;
}

static const uint8_t *unpack_bytes(const uint8_t *at, void *bytes, size_t count)
{
	memcpy(bytes, at, count);
	return at + count;
}

struct vl_key row_batch_key(const char *lane, struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_key key;

	key.size = 0;
	key.failed = false;
	vl_key_text(&key, lane);
	vl_key_u64(&key, epoch.n);
	vl_key_u64(&key, seq.n);
	return key;
}

#define CHAIN_ROW ((size_t)60)

void row_put_chain(struct vl_txn *txn, const char *lane, const struct chain_row *row)
{
	uint8_t bytes[CHAIN_ROW], *at = pack_u32(bytes, row->number);

	at = pack_u64(at, row->chain.epoch.n);
	at = pack_u64(at, row->chain.seq.n);
	at = pack_u64(at, row->chain.next_event.n);
	(void)pack_bytes(at, row->chain.digest.bytes, sizeof(row->chain.digest.bytes));
	vl_txn_put(txn, CHAIN, vl_bytes_of(lane), (struct vl_bytes){bytes, sizeof(bytes)});
}

bool row_read_chain(struct vl_bytes value, struct chain_row *row)
{
	const uint8_t *at = value.data;

	if (value.size != CHAIN_ROW)
		return false;
	at = unpack_u32(at, &row->number);
	at = unpack_u64(at, &row->chain.epoch.n);
	at = unpack_u64(at, &row->chain.seq.n);
	at = unpack_u64(at, &row->chain.next_event.n);
	(void)unpack_bytes(at, row->chain.digest.bytes, sizeof(row->chain.digest.bytes));
	return true;
}

#define HEAD_SUM ((size_t)8)

/* Of a batch's key and of what stands before its bytes. */
static void head_sum(struct vl_bytes key, const uint8_t *row, uint8_t sum[HEAD_SUM])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, HEAD_SUM);
	crypto_generichash_update(&state, key.data, key.size);
	crypto_generichash_update(&state, row, VL_BATCH_ROW_HEAD - HEAD_SUM);
	crypto_generichash_final(&state, sum, HEAD_SUM);
}

void row_put_batch(struct vl_txn *txn, const struct vl_outbox_batch *batch)
{
	struct vl_key key = row_batch_key(batch->lane, batch->epoch, batch->seq);
	uint8_t *row = vl_txn_reserve(txn, BATCH, vl_key_done(&key),
				      VL_BATCH_ROW_HEAD + batch->value.size);
	uint8_t *at = row;

	if (at == NULL)
		return;
	at = pack_bytes(at, batch->key.bytes, sizeof(batch->key.bytes));
	at = pack_bytes(at, batch->signature.bytes, sizeof(batch->signature.bytes));
	at = pack_bytes(at, batch->digest.bytes, sizeof(batch->digest.bytes));
	*at++ = (uint8_t)batch->domain;
	at = pack_u32(at, batch->n_events);
	at = pack_u64(at, batch->first_event.n);
	at = pack_u64(at, (uint64_t)batch->stored_at.seconds);
	at = pack_u32(at, (uint32_t)batch->stored_at.nanos);
	head_sum(vl_key_done(&key), row, at);
	(void)pack_bytes(at + HEAD_SUM, batch->value.data, batch->value.size);
}

static void read_batch_head(const uint8_t *at, struct vl_outbox_batch *batch)
{
	uint64_t seconds;
	uint32_t nanos;

	at = unpack_bytes(at, batch->key.bytes, sizeof(batch->key.bytes));
	at = unpack_bytes(at, batch->signature.bytes, sizeof(batch->signature.bytes));
	at = unpack_bytes(at, batch->digest.bytes, sizeof(batch->digest.bytes));
	batch->domain = *at++ == VL_DOMAIN_DRILL ? VL_DOMAIN_DRILL : VL_DOMAIN_BATCH;
	at = unpack_u32(at, &batch->n_events);
	at = unpack_u64(at, &batch->first_event.n);
	at = unpack_u64(at, &seconds);
	(void)unpack_u32(at, &nanos);
	batch->stored_at = (struct vl_time){(int64_t)seconds, (int32_t)nanos};
}

bool row_read_batch(struct vl_bytes key, struct vl_bytes value, struct vl_outbox_batch *batch)
{
	const uint8_t *end = memchr(key.data, '\0', key.size);
	uint8_t sum[HEAD_SUM];

	*batch = (struct vl_outbox_batch){0};
	if (end == NULL || key.data + key.size - end != 17)
		return false;
	batch->lane = (const char *)key.data;
	(void)unpack_u64(unpack_u64(end + 1, &batch->epoch.n), &batch->seq.n);
	if (value.size <= VL_BATCH_ROW_HEAD)
		return false;
	head_sum(key, value.data, sum);
	if (memcmp(value.data + VL_BATCH_ROW_HEAD - HEAD_SUM, sum, HEAD_SUM) != 0)
		return false;
	read_batch_head(value.data, batch);
	batch->value =
		(struct vl_bytes){value.data + VL_BATCH_ROW_HEAD, value.size - VL_BATCH_ROW_HEAD};
	return true;
}

void row_pack_event(const struct event_row *row, uint8_t bytes[VL_EVENT_ROW])
{
	uint8_t *at = pack_u64(pack_u64(pack_u32(bytes, row->number), row->epoch.n), row->event.n);

	(void)pack_u64(at, row->gist);
}

bool row_read_event(struct vl_bytes value, struct event_row *row)
{
	if (value.size != VL_EVENT_ROW && value.size != VL_EVENT_ROW_BEFORE)
		return false;
	const uint8_t *at = unpack_u64(
		unpack_u64(unpack_u32(value.data, &row->number), &row->epoch.n), &row->event.n);
	row->has_gist = value.size == VL_EVENT_ROW;
	if (row->has_gist)
		(void)unpack_u64(at, &row->gist);
	return true;
}

bool row_greatest_id(struct vl_txn *txn, struct vl_event_id *id)
{
	struct vl_bytes key;

	if (!vl_txn_greatest(txn, EVENT, &key) || key.size != sizeof(id->bytes))
		return false;
	memcpy(id->bytes, key.data, key.size);
	return true;
}

#define PLACE_ROW ((size_t)16)
#define APPLIED_ROW ((size_t)48)

void row_put_place(struct vl_txn *txn, unsigned db, const char *lane, struct vl_epoch epoch,
		   struct vl_seq seq)
{
	uint8_t bytes[PLACE_ROW];

	(void)pack_u64(pack_u64(bytes, epoch.n), seq.n);
	vl_txn_put(txn, db, vl_bytes_of(lane), (struct vl_bytes){bytes, sizeof(bytes)});
}

void row_put_applied(struct vl_txn *txn, const char *lane, struct vl_epoch epoch, struct vl_seq seq,
		     const struct vl_digest *digest)
{
	uint8_t bytes[APPLIED_ROW], *at = pack_u64(pack_u64(bytes, epoch.n), seq.n);

	(void)pack_bytes(at, digest->bytes, sizeof(digest->bytes));
	vl_txn_put(txn, APPLIED, vl_bytes_of(lane), (struct vl_bytes){bytes, sizeof(bytes)});
}

bool row_get_applied_digest(struct vl_txn *txn, const char *lane, struct vl_digest *digest)
{
	struct vl_bytes value;

	if (vl_txn_find(txn, APPLIED, vl_bytes_of(lane), &value) != VL_OK ||
	    value.size != APPLIED_ROW)
		return false;
	(void)unpack_bytes(value.data + PLACE_ROW, digest->bytes, sizeof(digest->bytes));
	return true;
}

void row_get_place(struct vl_txn *txn, unsigned db, const char *lane, struct vl_epoch *epoch,
		   struct vl_seq *seq)
{
	struct vl_bytes value;

	*epoch = (struct vl_epoch){0};
	*seq = (struct vl_seq){0};
	if (vl_txn_find(txn, db, vl_bytes_of(lane), &value) == VL_OK &&
	    (value.size == PLACE_ROW || value.size == APPLIED_ROW))
		(void)unpack_u64(unpack_u64(value.data, &epoch->n), &seq->n);
}

void row_raise_place(struct vl_txn *txn, unsigned db, const char *lane, struct vl_epoch epoch,
		     struct vl_seq seq)
{
	struct vl_epoch old_epoch;
	struct vl_seq old_seq;

	row_get_place(txn, db, lane, &old_epoch, &old_seq);
	if (vl_later(epoch, seq, old_epoch, old_seq))
		row_put_place(txn, db, lane, epoch, seq);
}

#define CARRY_ROW ((size_t)56)
#define OLD_CARRY_ROW ((size_t)40)

static struct vl_key carry_key(const char *lane)
{
	struct vl_key key;

	vl_key_reset(&key);
	vl_key_bytes(&key, "carry ", 6);
	vl_key_bytes(&key, lane, strlen(lane));
	return key;
}

void row_put_carry(struct vl_txn *txn, const char *lane, const struct carry_row *row)
{
	struct vl_key key = carry_key(lane);
	uint8_t bytes[CARRY_ROW], *at = pack_u64(bytes, row->up_to.n);

	if (row->up_to.n == 0) {
		(void)vl_txn_delete(txn, META, vl_key_done(&key));
		return;
	}
	at = pack_bytes(at, row->prev.bytes, sizeof(row->prev.bytes));
	(void)pack_u64(pack_u64(at, row->kept_epoch.n), row->kept_seq.n);
	vl_txn_put(txn, META, vl_key_done(&key), (struct vl_bytes){bytes, sizeof(bytes)});
}

struct carry_row row_get_carry(struct vl_txn *txn, const char *lane)
{
	struct vl_key key = carry_key(lane);
	struct carry_row row = {0};
	struct vl_bytes value;

	if (!vl_txn_get(txn, META, vl_key_done(&key), &value) ||
	    (value.size != CARRY_ROW && value.size != OLD_CARRY_ROW))
		return row;
	const uint8_t *at = unpack_bytes(unpack_u64(value.data, &row.up_to.n), row.prev.bytes,
					 sizeof(row.prev.bytes));
	if (value.size == CARRY_ROW)
		(void)unpack_u64(unpack_u64(at, &row.kept_epoch.n), &row.kept_seq.n);
	return row;
}

#define LOST "lost "
#define LOST_SIZE ((size_t)5)
#define LOST_HEAD ((size_t)24)

void row_put_lost(struct vl_txn *txn, struct vl_bytes batch_key, struct vl_time when,
		  struct lost_events events, struct vl_bytes raw)
{
	struct vl_key key;
	struct vl_buf value = {0};
	uint8_t head[LOST_HEAD];

	(void)pack_u64(pack_u64(pack_u64(head, (uint64_t)when.seconds), events.first), events.end);
	vl_buf_put(&value, head, sizeof(head));
	vl_buf_put(&value, raw.data, raw.size);
	vl_key_reset(&key);
	vl_key_bytes(&key, LOST, LOST_SIZE);
	vl_key_bytes(&key, batch_key.data, batch_key.size);
	if (vl_buf_failed(&value))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	else
		vl_txn_put(txn, META, vl_key_done(&key), vl_buf_bytes(&value));
	vl_buf_free(&value);
}

struct vl_cursor *row_open_lost(struct vl_txn *txn)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, META);

	/* One of these rows that is damaged itself says nothing any more. */
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	return cursor;
}

bool row_next_lost(struct vl_cursor *cursor, bool first, struct vl_outbox_batch *batch,
		   struct lost_events *events)
{
	static const struct vl_bytes prefix = {(const uint8_t *)LOST, LOST_SIZE};
	struct vl_bytes key, value;

	if (!(first ? vl_cursor_seek(cursor, prefix, &key, &value)
		    : vl_cursor_next(cursor, &key, &value)) ||
	    !vl_key_has_prefix(key, prefix) || value.size < LOST_HEAD)
		return false;
	uint64_t seconds;
	(void)unpack_u64(unpack_u64(unpack_u64(value.data, &seconds), &events->first),
			 &events->end);
	struct vl_bytes raw = {value.data + LOST_HEAD, value.size - LOST_HEAD};
	struct vl_bytes place = {key.data + LOST_SIZE, key.size - LOST_SIZE};
	/* Its head may be sound still, and say how many events it had. */
	(void)row_read_batch(place, raw, batch);
	batch->stored_at = (struct vl_time){(int64_t)seconds, 0};
	batch->value = raw;
	batch->state = VL_OUTBOX_LOST;
	return batch->lane != NULL;
}

#define IDS "ids"

void row_put_ids(struct vl_txn *txn, const struct ids_row *row)
{
	uint8_t bytes[16];

	(void)pack_u64(pack_u64(bytes, (uint64_t)row->since), row->count);
	vl_txn_put(txn, META, vl_bytes_of(IDS), (struct vl_bytes){bytes, sizeof(bytes)});
}

bool row_get_ids(struct vl_txn *txn, struct ids_row *row)
{
	struct vl_bytes value;

	*row = (struct ids_row){0};
	if (vl_txn_find(txn, META, vl_bytes_of(IDS), &value) != VL_OK || value.size != 16)
		return false;
	uint64_t since;
	(void)unpack_u64(unpack_u64(value.data, &since), &row->count);
	row->since = (int64_t)since;
	return true;
}

static struct vl_key lane_ids_key(const char *lane)
{
	struct vl_key key;

	vl_key_reset(&key);
	vl_key_bytes(&key, IDS " ", sizeof(IDS));
	vl_key_bytes(&key, lane, strlen(lane));
	return key;
}

void row_put_lane_ids(struct vl_txn *txn, const char *lane, const struct lane_ids *row)
{
	struct vl_key key = lane_ids_key(lane);
	uint8_t bytes[32], *at = pack_u64(pack_u64(bytes, row->epoch.n), row->event.n);

	(void)pack_u64(pack_u64(at, row->due_epoch.n), row->due_seq.n);
	vl_txn_put(txn, META, vl_key_done(&key), (struct vl_bytes){bytes, sizeof(bytes)});
}

struct lane_ids row_get_lane_ids(struct vl_txn *txn, const char *lane)
{
	struct vl_key key = lane_ids_key(lane);
	struct lane_ids row = {0};
	struct vl_bytes value;

	if (vl_txn_find(txn, META, vl_key_done(&key), &value) != VL_OK || value.size != 32)
		return row;
	const uint8_t *at = unpack_u64(unpack_u64(value.data, &row.epoch.n), &row.event.n);
	(void)unpack_u64(unpack_u64(at, &row.due_epoch.n), &row.due_seq.n);
	return row;
}

static struct vl_key position_key(const char *topic, int32_t partition)
{
	struct vl_key key;

	vl_key_reset(&key);
	vl_key_text(&key, topic);
	vl_key_u32(&key, (uint32_t)partition);
	return key;
}

void row_put_position(struct vl_txn *txn, const char *topic, int32_t partition, int64_t offset)
{
	struct vl_key key = position_key(topic, partition);
	uint8_t bytes[8];

	vl_put_be64(bytes, (uint64_t)offset);
	vl_txn_put(txn, INBOX, vl_key_done(&key), (struct vl_bytes){bytes, sizeof(bytes)});
}

int64_t row_get_position(struct vl_txn *txn, const char *topic, int32_t partition)
{
	struct vl_key key = position_key(topic, partition);
	struct vl_bytes value;

	if (vl_txn_find(txn, INBOX, vl_key_done(&key), &value) != VL_OK || value.size != 8)
		return -1;
	int64_t offset = (int64_t)vl_get_be64(value.data);
	return offset >= 0 ? offset : -1;
}

#include "hq/deadletter.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES ((size_t)8 * 1024 * 1024)
#define WINDOW_RECORDS 256
#define ERROR_HEADERS 6
#define CLOSE_MS 2000
#define REOPEN_MS 1000

static void dead_key(struct vl_key *key, const struct vl_record *record)
{
	vl_key_reset(key);
	vl_key_bytes(key, record->topic.data, record->topic.size);
	vl_key_u8(key, 0);
	vl_key_u32(key, (uint32_t)record->partition);
	vl_key_u64(key, (uint64_t)record->offset);
}

static void count_reason(struct vl_txn *txn, const char *reason)
{
	struct vl_key key = {0};
	struct vl_bytes value;
	uint8_t number[8];

	vl_key_text(&key, reason);
	bool found = vl_txn_get(txn, VL_DB_REASONS, vl_key_done(&key), &value);
	vl_put_be64(number, 1 + (found && value.size == 8 ? vl_get_be64(value.data) : 0));
	vl_txn_put(txn, VL_DB_REASONS, vl_key_done(&key), (struct vl_bytes){number, sizeof(number)});
}

void vl_deadletter_bury(struct vl_txn *txn, const struct vl_record *record, const struct vl_digest *digest,
			enum vl_err reason, const struct vl_why *why)
{
	struct vl_key key;
	struct vl_buf value = {0};
	const char *name = vl_err_name(reason), *detail = vl_why_text(why, reason);

	vl_buf_put(&value, name, strlen(name) + 1);
	vl_buf_put(&value, detail, strlen(detail) + 1);
	vl_record_pack(&value, record, digest);
	if (vl_buf_failed(&value))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	dead_key(&key, record);
	vl_txn_put(txn, VL_DB_DEAD, vl_key_done(&key), vl_buf_bytes(&value));
	count_reason(txn, name);
	vl_buf_free(&value);
}

void vl_deadletter_each_reason(struct vl_txn *txn, void (*each)(void *context, const char *reason, uint64_t count),
			       void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_REASONS);
	struct vl_bytes key, value;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		if (value.size == 8)
			each(context, (const char *)key.data, vl_get_be64(value.data));
	vl_cursor_close(cursor);
}

/* -- the undertaker -- */

enum letter_state { UNDER_WAY = 1, ARRIVED = 2, FAILED = 4 };

/* A dead letter given to the producer. */
struct letter {
	struct vl_key key;
	uint64_t tag;
	enum letter_state state;
	UT_hash_handle hh; /* by key */
};

struct vl_undertaker {
	struct vl_store *store;
	struct vl_producer_options options;
	struct vl_producer *producer;
	struct letter *letters;
	struct vl_buf copy;
	int64_t reopen_at;
	bool told, told_damaged;
	size_t arrived;
	uint64_t tags;
};

static void on_acked(void *context, uint64_t tag, enum vl_err err, int32_t partition, int64_t offset)
{
	struct vl_undertaker *u = context;
	struct letter *letter, *next;

	(void)partition;
	(void)offset;
	HASH_ITER (hh, u->letters, letter, next) {
		if (letter->tag != tag)
			continue;
		letter->state = err == VL_OK ? ARRIVED : FAILED;
		u->arrived += err == VL_OK;
	}
}

enum vl_err vl_undertaker_open(struct vl_store *store, const struct vl_conf_pair *pairs, size_t n_pairs,
			       struct vl_undertaker **opened, struct vl_why *why)
{
	struct vl_undertaker *u = calloc(1, sizeof(*u));

	*opened = NULL;
	if (u == NULL)
		return VL_ERR_NOMEM;
	u->store = store;
	u->options = (struct vl_producer_options){.pairs = pairs,
						  .n_pairs = n_pairs,
						  .window_bytes = WINDOW_BYTES,
						  .window_records = WINDOW_RECORDS,
						  .acked = on_acked,
						  .context = u};
	enum vl_err err = vl_producer_open(&u->options, &u->producer, why);
	if (err != VL_OK) {
		free(u);
		return err;
	}
	*opened = u;
	return VL_OK;
}

/* Forget the letters in one of these states; one that failed is thus sent again. */
static void forget_letters(struct vl_undertaker *u, unsigned states)
{
	struct letter *letter, *next;

	HASH_ITER (hh, u->letters, letter, next) {
		if ((letter->state & states) == 0)
			continue;
		HASH_DEL(u->letters, letter);
		free(letter);
	}
}

void vl_undertaker_close(struct vl_undertaker *u)
{
	if (u == NULL)
		return;
	if (u->producer != NULL)
		vl_producer_close(u->producer, CLOSE_MS);
	forget_letters(u, UNDER_WAY | ARRIVED | FAILED);
	vl_buf_free(&u->copy);
	free(u);
}

/* The record's own headers, as many as leave room for a reader to see ours, then ours. The texts live in `text`. */
static size_t make_headers(const struct vl_record *record, const char *reason, const char *detail,
			   struct vl_header headers[VL_RECORD_HEADERS], char text[3][32])
{
	const size_t most = VL_RECORD_HEADERS - ERROR_HEADERS;
	size_t n = record->n_headers < most ? record->n_headers : most;

	memcpy(headers, record->headers, n * sizeof(*headers));
	(void)snprintf(text[0], 32, "%" PRId32, record->partition);
	(void)snprintf(text[1], 32, "%" PRId64, record->offset);
	(void)snprintf(text[2], 32, "%" PRId64, record->timestamp_ms);
	const struct vl_header added[ERROR_HEADERS] = {
		{vl_bytes_of("valise.errors.topic"), record->topic},
		{vl_bytes_of("valise.errors.partition"), vl_bytes_of(text[0])},
		{vl_bytes_of("valise.errors.offset"), vl_bytes_of(text[1])},
		{vl_bytes_of("valise.errors.timestamp"), vl_bytes_of(text[2])},
		{vl_bytes_of("valise.errors.reason"), vl_bytes_of(reason)},
		{vl_bytes_of("valise.errors.detail"), vl_bytes_of(detail)},
	};
	memcpy(headers + n, added, sizeof(added));
	return n + ERROR_HEADERS;
}

static enum vl_err send_letter(struct vl_undertaker *u, uint64_t tag, struct vl_bytes value, struct vl_why *why)
{
	struct vl_header headers[VL_RECORD_HEADERS];
	const char *reason = (const char *)value.data, *detail = reason + strlen(reason) + 1;
	size_t before = (size_t)(detail + strlen(detail) + 1 - reason);
	struct vl_record record;
	struct vl_digest digest;
	char text[3][32];

	if (vl_record_unpack((struct vl_bytes){value.data + before, value.size - before}, &record, &digest) != VL_OK)
		return vl_fail(why, VL_ERR_CORRUPT, "a buried record is damaged");
	size_t n = make_headers(&record, reason, detail, headers, text);
	return vl_producer_send(u->producer, VL_DEADLETTER_TOPIC, record.key, record.value, headers, n, tag, why);
}

static void tell_damaged(void *context, struct vl_bytes key)
{
	struct vl_undertaker *u = context;

	(void)key;
	if (!u->told_damaged)
		vl_log_error(
			"a record for the dead letters is damaged in the views: it stays there; 'valise view check' "
			"lists what is");
	u->told_damaged = true;
}

/* Give the producer what it has not got yet, until it is full. */
static enum vl_err send_buried(struct vl_undertaker *u, struct vl_txn *txn, struct vl_why *why)
{
	struct vl_bytes key, value;
	struct letter *letter;
	enum vl_err err = VL_OK;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_DEAD);

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, tell_damaged, u);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more && err == VL_OK;
	     more = vl_cursor_next(cursor, &key, &value)) {
		HASH_FIND(hh, u->letters, key.data, key.size, letter);
		if (letter != NULL)
			continue;
		letter = calloc(1, sizeof(*letter));
		if (letter == NULL) {
			err = VL_ERR_NOMEM;
			break;
		}
		vl_key_bytes(&letter->key, key.data, key.size);
		letter->tag = ++u->tags;
		letter->state = UNDER_WAY;
		err = send_letter(u, letter->tag, value, why);
		if (err == VL_OK)
			HASH_ADD_KEYPTR(hh, u->letters, letter->key.bytes, letter->key.size, letter);
		if (letter->hh.tbl == NULL) {
			free(letter);
			err = err != VL_OK ? err : VL_ERR_NOMEM;
		}
	}
	vl_cursor_close(cursor);
	return err;
}

static enum vl_err forget_arrived(struct vl_undertaker *u, struct vl_why *why)
{
	struct letter *letter, *next;
	struct vl_txn *txn = vl_txn_begin(u->store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	HASH_ITER (hh, u->letters, letter, next)
		if (letter->state == ARRIVED)
			(void)vl_txn_delete(txn, VL_DB_DEAD, vl_key_done(&letter->key));
	enum vl_err err = vl_txn_commit(txn, why);
	if (err == VL_OK) {
		u->arrived = 0;
		forget_letters(u, ARRIVED);
	}
	return err;
}

/* A dead producer, or a record it refuses: all that was under way is tried again with a new one. */
static void start_over(struct vl_undertaker *u, const struct vl_why *why, enum vl_err err)
{
	if (!u->told)
		vl_log_cannot("send to", VL_DEADLETTER_TOPIC, why, err);
	u->told = true;
	if (u->producer != NULL)
		vl_producer_close(u->producer, 0);
	u->producer = NULL;
	u->reopen_at = vl_monotonic_ms() + REOPEN_MS;
}

static enum vl_err serve_producer(struct vl_undertaker *u, struct vl_why *why)
{
	if (u->producer == NULL && vl_monotonic_ms() < u->reopen_at)
		return VL_ERR_BUSY;
	enum vl_err err = VL_OK;
	if (u->producer == NULL)
		err = vl_producer_open(&u->options, &u->producer, why);
	if (err == VL_OK)
		err = vl_producer_poll(u->producer, 0, why);
	return err == VL_ERR_UNREACHABLE ? VL_OK : err;
}

enum vl_err vl_undertaker_work(struct vl_undertaker *u, struct vl_why *why)
{
	struct vl_why kafka = {0};
	struct vl_txn *txn = vl_txn_begin(u->store, false, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	if (u->letters == NULL && vl_txn_count(txn, VL_DB_DEAD) == 0) {
		vl_txn_abort(txn);
		return VL_OK;
	}
	enum vl_err err = serve_producer(u, &kafka);
	forget_letters(u, FAILED);
	if (err == VL_OK)
		err = send_buried(u, txn, &kafka);
	vl_txn_abort(txn);
	if (err != VL_OK && err != VL_ERR_BUSY)
		start_over(u, &kafka, err);
	else if (err == VL_OK)
		u->told = false;
	return u->arrived > 0 ? forget_arrived(u, why) : VL_OK;
}

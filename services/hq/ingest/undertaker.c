/*
 * Dead letters are sent to their topic (deadletter.h).
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/refused.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What librdkafka repeats by itself, as while a topic lacks replicas, is 2 MB each half minute
 * at most. */
#define WINDOW_BYTES ((size_t)2 * 1024 * 1024)
#define WINDOW_RECORDS 256
#define REPEAT_MS "30000"
#define ERROR_HEADERS 6
#define CLOSE_MS 2000
#define PAUSE_LEAST_MS 1000
#define PAUSE_MOST_MS 60000
#define AGAIN_MOST_MS 600000 /* between tries of what is refused, while no such try goes well */

enum letter_state { UNDER_WAY = 1, ARRIVED = 2, REFUSED = 4, FAILED = 8 };

/* A dead letter given to the producer. */
struct letter {
	struct vl_key key;
	uint64_t tag;
	enum letter_state state;
	bool again; /* it was refused before: `key` is its key in `refused` */
	enum vl_err err;
	UT_hash_handle hh; /* by key */
};

struct vl_undertaker {
	struct vl_store *store;
	const struct vl_clock *clock;
	struct vl_conf_pair *pairs;
	struct vl_producer_options options;
	struct vl_producer *producer;
	struct letter *letters;
	size_t settled; /* of them arrived, or were refused */
	uint64_t tags;
	/* The topic as a whole takes nothing. */
	bool paused, dead;
	enum vl_err pause_err;
	int64_t pause_ms, resume_at;
	/* It refuses some. */
	bool refusing, trying, eager, told_damaged;
	int64_t again_ms, again_at;
};

static void meet_ack(struct vl_undertaker *u, struct letter *letter, enum vl_err err)
{
	letter->err = err;
	switch (err) {
	case VL_OK:
		letter->state = ARRIVED;
		break;
	case VL_ERR_NOT_FOUND:  /* the topic is not there */
	case VL_ERR_PERMISSION: /* it is not for us */
	case VL_ERR_GONE:       /* the producer died */
		letter->state = FAILED;
		u->pause_err = err;
		u->dead |= err == VL_ERR_GONE;
		break;
	default:
		letter->state = REFUSED;
	}
	u->settled += (letter->state & (ARRIVED | REFUSED)) != 0;
}

static void on_acked(void *context, uint64_t tag, enum vl_err err, int32_t partition,
		     int64_t offset)
{
	struct vl_undertaker *u = context;
	struct letter *letter, *next;

	(void)partition;
	(void)offset;
	HASH_ITER (hh, u->letters, letter, next)
		if (letter->tag == tag)
			meet_ack(u, letter, err);
}

/* The pairs given, and before them, so that they win, ours. */
static bool copy_pairs(struct vl_undertaker *u, const struct vl_conf_pair *pairs, size_t n_pairs)
{
	u->pairs = calloc(n_pairs + 1, sizeof(*u->pairs));
	if (u->pairs == NULL)
		return false;
	u->pairs[0] = (struct vl_conf_pair){"retry.backoff.ms", REPEAT_MS};
	if (n_pairs > 0)
		memcpy(u->pairs + 1, pairs, n_pairs * sizeof(*pairs));
	return true;
}

enum vl_err vl_undertaker_open(struct vl_store *store, const struct vl_conf_pair *pairs,
			       size_t n_pairs, const struct vl_clock *clock,
			       struct vl_undertaker **opened, struct vl_why *why)
{
	struct vl_undertaker *u = calloc(1, sizeof(*u));

	*opened = NULL;
	if (u == NULL || !copy_pairs(u, pairs, n_pairs)) {
		free(u);
		return VL_ERR_NOMEM;
	}
	u->store = store;
	u->clock = clock;
	u->options = (struct vl_producer_options){.pairs = u->pairs,
						  .n_pairs = n_pairs + 1,
						  .window_bytes = WINDOW_BYTES,
						  .window_records = WINDOW_RECORDS,
						  .acked = on_acked,
						  .context = u};
	enum vl_err err = vl_producer_open(&u->options, &u->producer, why);
	if (err != VL_OK) {
		vl_undertaker_close(u);
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
		u->trying &= !letter->again;
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
	forget_letters(u, UNDER_WAY | ARRIVED | REFUSED | FAILED);
	free(u->pairs);
	free(u);
}

/* -- sending -- */

/* The record's own headers, as many as leave room for a reader to see ours, then ours. The texts
 * live in `text`. */
static size_t make_headers(const struct vl_letter *letter,
			   struct vl_header headers[VL_RECORD_HEADERS], char text[3][32])
{
	const struct vl_record *record = &letter->record;
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
		{vl_bytes_of("valise.errors.reason"), vl_bytes_of(letter->reason)},
		{vl_bytes_of("valise.errors.detail"), vl_bytes_of(letter->detail)},
	};
	memcpy(headers + n, added, sizeof(added));
	return n + ERROR_HEADERS;
}

static enum vl_err hand_over(struct vl_undertaker *u, uint64_t tag, struct vl_bytes value,
			     struct vl_why *why)
{
	struct vl_header headers[VL_RECORD_HEADERS];
	struct vl_letter letter;
	char text[3][32];

	if (vl_letter_read(value, &letter) != VL_OK)
		return vl_fail(why, VL_ERR_CORRUPT, "a kept dead letter is damaged");
	size_t n = make_headers(&letter, headers, text);
	return vl_producer_send(u->producer, VL_DEADLETTER_TOPIC, letter.record.key,
				letter.record.value, headers, n, tag, why);
}

/* What librdkafka will not take for what it is, is refused at once, as by the topic. */
static enum vl_err send_letter(struct vl_undertaker *u, struct vl_bytes key, struct vl_bytes value,
			       bool again, struct vl_why *why)
{
	struct letter *letter = calloc(1, sizeof(*letter));

	if (letter == NULL)
		return VL_ERR_NOMEM;
	vl_key_bytes(&letter->key, key.data, key.size);
	letter->tag = ++u->tags;
	letter->state = UNDER_WAY;
	letter->again = again;
	enum vl_err err = hand_over(u, letter->tag, value, why);
	bool refused = err == VL_ERR_TOO_LARGE || err == VL_ERR_INVALID || err == VL_ERR_CORRUPT;
	if (err == VL_OK || refused)
		HASH_ADD_KEYPTR(hh, u->letters, letter->key.bytes, letter->key.size, letter);
	if (letter->hh.tbl == NULL) {
		free(letter);
		return err != VL_OK && !refused ? err : VL_ERR_NOMEM;
	}
	if (refused)
		meet_ack(u, letter, err);
	u->trying |= again;
	return VL_OK;
}

static void tell_damaged(void *context, struct vl_bytes key)
{
	struct vl_undertaker *u = context;

	(void)key;
	if (!u->told_damaged)
		vl_log_error("a dead letter is damaged in the views and stays there; 'valise "
			     "view check' lists it");
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
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value);
	     more && err == VL_OK; more = vl_cursor_next(cursor, &key, &value)) {
		HASH_FIND(hh, u->letters, key.data, key.size, letter);
		if (letter == NULL)
			err = send_letter(u, key, value, false, why);
	}
	vl_cursor_close(cursor);
	return err;
}

/* One of those that were refused, at most one at a time. */
static enum vl_err send_again(struct vl_undertaker *u, struct vl_txn *txn, struct vl_why *why)
{
	struct vl_refused refused;
	struct vl_bytes key;
	int64_t now = vl_time_ms(vl_clock_now(u->clock));

	if (u->trying || (!u->eager && now < u->again_at && u->again_at - now <= AGAIN_MOST_MS) ||
	    !vl_refused_next(txn, now, u->eager, &key, &refused))
		return VL_OK;
	return send_letter(u, key, refused.letter, true, why);
}

/* -- what became of them -- */

static void tell_refused(struct vl_undertaker *u, const struct letter *letter)
{
	const char *topic = (const char *)letter->key.bytes;
	const uint8_t *origin = letter->key.bytes + strlen(topic) + 1;

	if (!u->refusing)
		vl_log_error("the dead letter of '%.249s' partition %" PRIu32 " offset %" PRIu64
			     " cannot be kept in '" VL_DEADLETTER_TOPIC
			     "' (%s): it stays in the views and is tried again, with growing "
			     "pauses; 'valise deadletter refused' lists all such; no more of "
			     "them are logged",
			     topic, vl_get_be32(origin), vl_get_be64(origin + 4),
			     vl_err_text(letter->err));
	u->refusing = true;
}

/* Of the pauses between tries, after one of them. */
static void pace(struct vl_undertaker *u, bool went_well)
{
	u->eager = went_well;
	u->again_ms = went_well ? 0 : vl_back_off(u->again_ms, VL_REFUSED_LEAST_MS, AGAIN_MOST_MS);
	u->again_at = vl_time_ms(vl_clock_now(u->clock)) + u->again_ms;
}

static void settle_letter(struct vl_undertaker *u, struct vl_txn *txn, const struct letter *letter)
{
	struct vl_bytes key = vl_key_done(&letter->key);
	int64_t now = vl_time_ms(vl_clock_now(u->clock));

	if (letter->state == ARRIVED)
		vl_deadletter_let_go(txn, key, letter->again);
	else if (letter->state == REFUSED)
		vl_refused_put(txn, key, letter->again, letter->err, now);
}

static enum vl_err settle(struct vl_undertaker *u, struct vl_why *why)
{
	struct letter *letter, *next;
	struct vl_txn *txn = vl_txn_begin(u->store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	HASH_ITER (hh, u->letters, letter, next)
		settle_letter(u, txn, letter);
	uint64_t refused = vl_txn_count(txn, VL_DB_REFUSED);
	enum vl_err err = vl_txn_commit(txn, why);
	if (err != VL_OK)
		return err;
	HASH_ITER (hh, u->letters, letter, next) {
		if (letter->state == REFUSED && !letter->again)
			tell_refused(u, letter);
		if (letter->again && (letter->state & (ARRIVED | REFUSED)) != 0)
			pace(u, letter->state == ARRIVED);
	}
	if (u->refusing && refused == 0) {
		vl_log_info("'" VL_DEADLETTER_TOPIC "' has taken all dead letters that it refused");
		u->refusing = false;
	}
	u->settled = 0;
	forget_letters(u, ARRIVED | REFUSED);
	return VL_OK;
}

/* -- the topic as a whole -- */

static void take_pause(struct vl_undertaker *u, const struct vl_why *why, enum vl_err err)
{
	if (!u->paused)
		vl_log_cannot("send to", VL_DEADLETTER_TOPIC, why, err);
	u->paused = true;
	u->pause_err = VL_OK;
	if (vl_monotonic_ms() >= u->resume_at) {
		u->pause_ms = vl_back_off(u->pause_ms, PAUSE_LEAST_MS, PAUSE_MOST_MS);
		u->resume_at = vl_monotonic_ms() + u->pause_ms;
	}
	if (u->dead && u->producer != NULL) {
		vl_producer_close(u->producer, 0);
		u->producer = NULL;
		u->pause_err = VL_OK; /* that its letters are gone, it says of each */
	}
	u->dead = false;
	forget_letters(u, FAILED);
}

static void end_pause(struct vl_undertaker *u)
{
	struct letter *letter, *next;

	HASH_ITER (hh, u->letters, letter, next)
		if (letter->state == ARRIVED && u->paused) {
			vl_log_info("dead letters go to '" VL_DEADLETTER_TOPIC "' again");
			u->paused = false;
			u->pause_ms = 0;
		}
}

static enum vl_err serve(struct vl_undertaker *u, struct vl_txn *txn, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	if (u->producer != NULL)
		err = vl_producer_poll(u->producer, 0, why);
	u->dead |= err != VL_OK && err != VL_ERR_UNREACHABLE;
	if (err == VL_ERR_UNREACHABLE)
		err = VL_OK;
	if (err == VL_OK && u->pause_err != VL_OK)
		err = u->pause_err;
	if (err != VL_OK || vl_monotonic_ms() < u->resume_at)
		return err;
	if (u->producer == NULL)
		err = vl_producer_open(&u->options, &u->producer, why);
	if (err == VL_OK)
		err = send_again(u, txn, why);
	if (err == VL_OK)
		err = send_buried(u, txn, why);
	return err == VL_ERR_BUSY ? VL_OK : err;
}

enum vl_err vl_undertaker_work(struct vl_undertaker *u, struct vl_why *why)
{
	struct vl_why kafka = {0};
	struct vl_txn *txn = vl_txn_begin(u->store, false, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	bool idle = u->letters == NULL && vl_txn_count(txn, VL_DB_DEAD) == 0;
	if (idle && vl_txn_count(txn, VL_DB_REFUSED) == 0) {
		vl_txn_abort(txn);
		return VL_OK;
	}
	u->refusing |= vl_txn_count(txn, VL_DB_REFUSED) > 0;
	enum vl_err err = serve(u, txn, &kafka);
	vl_txn_abort(txn);
	end_pause(u);
	if (err != VL_OK)
		take_pause(u, &kafka, err);
	return u->settled > 0 ? settle(u, why) : VL_OK;
}

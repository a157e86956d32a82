#include "hq/ledger/unread.h"

#include "base/log.h"
#include "base/text.h"
#include "hq/ledger/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NUMBERS 4 /* of 8 bytes: to, times, bytes, since; a byte for the error; then the words */

const char *vl_unread_name(enum vl_unread_kind kind)
{
	static const char *const names[] = {"", "passed", "waiting", "setting"};

	return names[kind];
}

/* -- rows -- */

static void partition_key(struct vl_key *key, const struct vl_unread *unread)
{
	vl_key_reset(key);
	vl_key_u8(key, (uint8_t)unread->kind);
	vl_key_text(key, unread->topic);
	vl_key_u32(key, (uint32_t)(unread->partition + 1));
}

static void row_key(struct vl_key *key, const struct vl_unread *unread)
{
	partition_key(key, unread);
	vl_key_text(key, unread->name);
	if (unread->kind == VL_UNREAD_PASSED)
		vl_key_u64(key, (uint64_t)unread->from);
}

static void write_row(struct vl_txn *txn, const struct vl_unread *unread)
{
	uint8_t value[8 * NUMBERS + 1 + sizeof(unread->words)];
	size_t words = strnlen(unread->words, sizeof(unread->words));
	const uint64_t numbers[NUMBERS] = {(uint64_t)unread->to, unread->times, unread->bytes,
					   (uint64_t)unread->since_ms};
	struct vl_key key;

	for (size_t i = 0; i < NUMBERS; i++)
		vl_put_be64(value + 8 * i, numbers[i]);
	value[8 * NUMBERS] = (uint8_t)unread->err;
	memcpy(value + 8 * NUMBERS + 1, unread->words, words);
	row_key(&key, unread);
	vl_txn_put(txn, VL_DB_UNREAD, vl_key_done(&key),
		   (struct vl_bytes){value, 8 * NUMBERS + 1 + words});
}

static bool copy_text(char *to, size_t room, struct vl_bytes *from)
{
	size_t size = strnlen((const char *)from->data, from->size);

	if (size >= room || size == from->size)
		return false;
	memcpy(to, from->data, size);
	to[size] = '\0';
	from->data += size + 1;
	from->size -= size + 1;
	return true;
}

static bool read_row(struct vl_bytes key, struct vl_bytes value, struct vl_unread *unread)
{
	*unread = (struct vl_unread){0};
	if (key.size < 1 || key.data[0] < VL_UNREAD_PASSED || key.data[0] > VL_UNREAD_SETTING ||
	    value.size < 8 * NUMBERS + 1 ||
	    value.size - 8 * NUMBERS - 1 > sizeof(unread->words) - 1)
		return false;
	unread->kind = key.data[0];
	key.data++;
	key.size--;
	if (!copy_text(unread->topic, sizeof(unread->topic), &key) || key.size < 4)
		return false;
	unread->partition = (int32_t)vl_get_be32(key.data) - 1;
	key.data += 4;
	key.size -= 4;
	if (!copy_text(unread->name, sizeof(unread->name), &key))
		return false;
	unread->from = key.size >= 8 ? (int64_t)vl_get_be64(key.data) : 0;
	unread->to = (int64_t)vl_get_be64(value.data);
	unread->times = vl_get_be64(value.data + 8);
	unread->bytes = vl_get_be64(value.data + 16);
	unread->since_ms = (int64_t)vl_get_be64(value.data + 24);
	unread->err = value.data[8 * NUMBERS] < VL_ERR_COUNT ? (enum vl_err)value.data[8 * NUMBERS]
							     : VL_ERR_CORRUPT;
	memcpy(unread->words, value.data + 8 * NUMBERS + 1, value.size - 8 * NUMBERS - 1);
	return true;
}

/* -- what was passed over -- */

/* How many places of this partition are kept, and the last of them. */
static size_t count_places(struct vl_txn *txn, const struct vl_unread *unread,
			   struct vl_unread *last)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_UNREAD);
	struct vl_key prefix;
	struct vl_bytes key, value;
	size_t n = 0;

	partition_key(&prefix, unread);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &key, &value))
		n += read_row(key, value, last);
	vl_cursor_close(cursor);
	return n;
}

/* False where it is known. */
static bool pass(struct vl_txn *txn, const struct vl_unread *unread)
{
	struct vl_unread row = *unread, last = {0};
	struct vl_key key;

	row_key(&key, unread);
	if (vl_txn_find(txn, VL_DB_UNREAD, vl_key_done(&key), NULL) == VL_OK)
		return false;
	size_t n = count_places(txn, unread, &last);
	if (n > 0 && unread->from >= last.from && unread->from < last.to)
		return false;
	if (n >= VL_UNREAD_ROWS && unread->from >= last.to) {
		row = last;
		row.to = unread->to;
		row.times++;
		row.bytes += unread->bytes;
	}
	write_row(txn, &row);
	return true;
}

/* -- all of them -- */

void vl_unread_put(struct vl_txn *txn, const struct vl_unread *unread)
{
	char text[VL_UNREAD_TEXT];
	struct vl_key key;
	bool news;

	if (unread->kind == VL_UNREAD_PASSED) {
		news = pass(txn, unread);
	} else {
		row_key(&key, unread);
		news = vl_txn_find(txn, VL_DB_UNREAD, vl_key_done(&key), NULL) != VL_OK;
		write_row(txn, unread);
	}
	if (news && unread->kind == VL_UNREAD_PASSED)
		vl_log_error("%s; passed over, and reading goes on behind it; the events in it "
			     "are requested again",
			     vl_unread_text(unread, text));
	else if (news)
		vl_log_warning("%s", vl_unread_text(unread, text));
}

bool vl_unread_over(struct vl_txn *txn, const struct vl_unread *unread)
{
	struct vl_key key;

	row_key(&key, unread);
	if (!vl_txn_delete(txn, VL_DB_UNREAD, vl_key_done(&key)))
		return false;
	if (unread->kind == VL_UNREAD_SETTING)
		vl_log_info("'%s': %s is as it should be again", unread->topic, unread->name);
	else if (unread->partition < 0)
		vl_log_info("'%s' can be read again", unread->topic);
	else
		vl_log_info("'%s' partition %" PRId32 " can be read again", unread->topic,
			    unread->partition);
	return true;
}

void vl_unread_forget(struct vl_txn *txn, enum vl_unread_kind kind)
{
	struct vl_bytes key, value;
	bool more = true;

	while (more) {
		struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_UNREAD);
		vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
		uint8_t first[VL_STORE_KEY_MAX];
		uint8_t prefix = (uint8_t)kind;
		more = vl_cursor_seek(cursor, (struct vl_bytes){&prefix, 1}, &key, &value) &&
		       vl_key_has_prefix(key, (struct vl_bytes){&prefix, 1});
		size_t size = more ? key.size : 0;
		if (more)
			memcpy(first, key.data, size);
		vl_cursor_close(cursor);
		more = more && vl_txn_delete(txn, VL_DB_UNREAD, (struct vl_bytes){first, size});
	}
}

void vl_unread_each(struct vl_txn *txn, void (*each)(void *context, const struct vl_unread *unread),
		    void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_UNREAD);
	struct vl_bytes key, value;
	struct vl_unread unread;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		if (read_row(key, value, &unread))
			each(context, &unread);
	vl_cursor_close(cursor);
}

const char *vl_unread_text(const struct vl_unread *u, char text[VL_UNREAD_TEXT])
{
	char at[48] = "", size[64] = "";

	if (u->partition >= 0)
		(void)snprintf(at, sizeof(at), " partition %" PRId32, u->partition);
	if (u->bytes > 0)
		(void)snprintf(size, sizeof(size), " (%" PRIu64 " batches, %" PRIu64 " bytes)",
			       u->times, u->bytes);
	if (u->kind == VL_UNREAD_PASSED)
		(void)snprintf(text, VL_UNREAD_TEXT,
			       "'%s'%s, offsets %" PRId64 " to %" PRId64 "%s: unreadable: %s",
			       u->topic, at, u->from, u->to - 1, size, u->words);
	else if (u->kind == VL_UNREAD_SETTING)
		(void)snprintf(text, VL_UNREAD_TEXT, "'%s': %s", u->topic, u->words);
	else
		(void)snprintf(
			text, VL_UNREAD_TEXT,
			"cannot read '%s'%s: %s; all others go on, and so does this when it can",
			u->topic, at, u->words);
	return text;
}

/* -- notes -- */

struct note {
	struct vl_unread unread;
	bool over;
};

void vl_notes_open(struct vl_notes *notes)
{
	*notes = (struct vl_notes){0};
	pthread_mutex_init(&notes->lock, NULL);
}

void vl_notes_close(struct vl_notes *notes)
{
	vl_buf_free(&notes->waiting);
	pthread_mutex_destroy(&notes->lock);
}

void vl_notes_put(struct vl_notes *notes, const struct vl_unread *unread, bool over)
{
	struct note note = {.unread = *unread, .over = over};

	pthread_mutex_lock(&notes->lock);
	if (notes->waiting.size < VL_NOTES_MAX * sizeof(note))
		vl_buf_put(&notes->waiting, &note, sizeof(note));
	pthread_mutex_unlock(&notes->lock);
}

enum vl_err vl_notes_write(struct vl_notes *notes, struct vl_store *store, struct vl_why *why)
{
	pthread_mutex_lock(&notes->lock);
	struct vl_buf waiting = notes->waiting;
	notes->waiting = (struct vl_buf){0};
	pthread_mutex_unlock(&notes->lock);
	if (waiting.size == 0)
		return VL_OK;
	struct vl_txn *txn = vl_txn_begin(store, true, why);
	const struct note *all = (const struct note *)(const void *)waiting.data;
	for (size_t i = 0; txn != NULL && i < waiting.size / sizeof(*all); i++) {
		if (all[i].over)
			(void)vl_unread_over(txn, &all[i].unread);
		else
			vl_unread_put(txn, &all[i].unread);
	}
	enum vl_err err = txn != NULL ? vl_txn_commit(txn, why) : VL_ERR_NOMEM;
	vl_buf_free(&waiting);
	return err == VL_ERR_FULL ? VL_OK : err;
}

#include "hq/ledger/refused.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

#define HEAD ((size_t)16) /* since when, tries, the error */
#define DUE ((size_t)8)

static bool read_row(struct vl_bytes key, struct vl_bytes value, struct vl_refused *refused)
{
	if (key.size < DUE || value.size < HEAD)
		return false;
	refused->next_ms = (int64_t)vl_get_be64(key.data);
	refused->since_ms = (int64_t)vl_get_be64(value.data);
	refused->tries = vl_get_be32(value.data + 8);
	refused->err = (enum vl_err)vl_get_be32(value.data + 12);
	refused->letter = (struct vl_bytes){value.data + HEAD, value.size - HEAD};
	return true;
}

bool vl_refused_letter(struct vl_bytes *value, bool refused)
{
	if (!refused)
		return true;
	if (value->size < HEAD)
		return false;
	*value = (struct vl_bytes){value->data + HEAD, value->size - HEAD};
	return true;
}

static int64_t pause_after(uint32_t tries)
{
	int64_t pause = 0;

	for (uint32_t i = 0; i < tries && pause < VL_REFUSED_MOST_MS; i++)
		pause = vl_back_off(pause, VL_REFUSED_LEAST_MS, VL_REFUSED_MOST_MS);
	return pause;
}

void vl_refused_put(struct vl_txn *txn, struct vl_bytes key, bool again, enum vl_err err,
		    int64_t now_ms)
{
	struct vl_refused refused = {.since_ms = now_ms};
	unsigned from = again ? VL_DB_REFUSED : VL_DB_DEAD;
	struct vl_buf value = {0};
	struct vl_key due = {0};
	struct vl_bytes old;
	uint8_t head[HEAD];

	/* One that is damaged stays where it is, and 'valise view check' lists it. */
	if (vl_txn_find(txn, from, key, &old) != VL_OK || (again && !read_row(key, old, &refused)))
		return;
	refused.tries++;
	vl_put_be64(head, (uint64_t)refused.since_ms);
	vl_put_be32(head + 8, refused.tries);
	vl_put_be32(head + 12, (uint32_t)err);
	vl_buf_put(&value, head, sizeof(head));
	vl_buf_put(&value, again ? refused.letter.data : old.data,
		   again ? refused.letter.size : old.size);
	vl_key_u64(&due, (uint64_t)(now_ms + pause_after(refused.tries)));
	vl_key_bytes(&due, key.data + (again ? DUE : 0), key.size - (again ? DUE : 0));
	if (vl_buf_failed(&value))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	(void)vl_txn_delete(txn, from, key);
	vl_txn_put(txn, VL_DB_REFUSED, vl_key_done(&due), vl_buf_bytes(&value));
	vl_buf_free(&value);
}

bool vl_refused_next(struct vl_txn *txn, int64_t now_ms, bool eager, struct vl_bytes *key,
		     struct vl_refused *refused)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_REFUSED);
	struct vl_bytes value;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool found = vl_cursor_seek(cursor, (struct vl_bytes){0}, key, &value) &&
		     read_row(*key, value, refused);
	vl_cursor_close(cursor);
	/* A time that is further away than any pause is one of a clock that was wrong. */
	return found && (eager || refused->next_ms <= now_ms ||
			 refused->next_ms > now_ms + VL_REFUSED_MOST_MS);
}

size_t vl_refused_each(struct vl_txn *txn,
		       void (*each)(void *context, const struct vl_refused *refused), void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_REFUSED);
	struct vl_bytes key, value;
	struct vl_refused refused;
	size_t damaged = 0;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, vl_cursor_count, &damaged);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		if (read_row(key, value, &refused))
			each(context, &refused);
	vl_cursor_close(cursor);
	return damaged;
}

enum vl_err vl_letter_read(struct vl_bytes bytes, struct vl_letter *letter)
{
	const uint8_t *reason_end = memchr(bytes.data, '\0', bytes.size),
		      *end = bytes.data + bytes.size, *detail_end;
	struct vl_digest digest;

	if (reason_end == NULL ||
	    (detail_end = memchr(reason_end + 1, '\0', (size_t)(end - reason_end - 1))) == NULL)
		return VL_ERR_CORRUPT;
	letter->reason = (const char *)bytes.data;
	letter->detail = (const char *)reason_end + 1;
	return vl_record_unpack((struct vl_bytes){detail_end + 1, (size_t)(end - detail_end - 1)},
				&letter->record, &digest);
}

#include "hq/ledger/deadletter.h"

#include "base/text.h"
#include "hq/ledger/refused.h"

#include <string.h>

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
	vl_txn_put(txn, VL_DB_REASONS, vl_key_done(&key),
		   (struct vl_bytes){number, sizeof(number)});
}

/* -- how much waits -- */

#define SUM "letters"
#define KEY_MOST ((size_t)64) /* bytes of a record key that tell one sender from another here */

/* Of a record's topic and key; or of all where it is NULL. */
static struct vl_key sum_key(const struct vl_record *record)
{
	struct vl_key key = {0};

	vl_key_text(&key, SUM);
	if (record == NULL)
		return key;
	vl_key_bytes(&key, record->topic.data, record->topic.size);
	vl_key_u8(&key, 0);
	if (record->key.size > 0)
		vl_key_bytes(&key, record->key.data,
			     record->key.size < KEY_MOST ? record->key.size : KEY_MOST);
	return key;
}

static uint64_t sum_get(struct vl_txn *txn, const struct vl_record *record)
{
	struct vl_key key = sum_key(record);
	struct vl_bytes value;

	return vl_txn_get(txn, VL_DB_META, vl_key_done(&key), &value) && value.size == 8
		       ? vl_get_be64(value.data)
		       : 0;
}

static void sum_put(struct vl_txn *txn, const struct vl_record *record, uint64_t bytes)
{
	struct vl_key key = sum_key(record);
	uint8_t number[8];

	vl_put_be64(number, bytes);
	if (bytes > 0)
		vl_txn_put(txn, VL_DB_META, vl_key_done(&key),
			   (struct vl_bytes){number, sizeof(number)});
	else
		(void)vl_txn_delete(txn, VL_DB_META, vl_key_done(&key));
}

static void sum_less(struct vl_txn *txn, const struct vl_record *record, uint64_t size)
{
	uint64_t bytes = sum_get(txn, record);

	sum_put(txn, record, bytes - (bytes < size ? bytes : size));
}

/* -- in and out -- */

/* A letter is the reason and its words, each with a NUL, and the record. */
static void pack_letter(struct vl_buf *buf, const char *reason, const char *detail,
			const struct vl_record *record, const struct vl_digest *digest)
{
	vl_buf_reset(buf);
	vl_buf_put(buf, reason, strlen(reason) + 1);
	vl_buf_put(buf, detail, strlen(detail) + 1);
	vl_record_pack(buf, record, digest);
}

void vl_deadletter_bury(struct vl_txn *txn, const struct vl_record *record,
			const struct vl_digest *digest, enum vl_err reason,
			const struct vl_why *why)
{
	struct vl_key key;
	struct vl_buf value = {0};
	struct vl_record part = *record;
	struct vl_why cut = {0};
	const char *name = vl_err_name(reason), *detail = vl_why_text(why, reason);
	uint64_t own = sum_get(txn, record), all = sum_get(txn, NULL);

	count_reason(txn, name);
	dead_key(&key, record);
	/* It was read again from its beginning. */
	if (vl_txn_find(txn, VL_DB_DEAD, vl_key_done(&key), NULL) == VL_OK)
		return;
	pack_letter(&value, name, detail, record, digest);
	bool whole =
		own + value.size <= VL_DEADLETTER_SENDER && all + value.size <= VL_DEADLETTER_ALL;
	if (!whole && record->value.size > VL_DEADLETTER_FIRST) {
		part.value.size = VL_DEADLETTER_FIRST;
		(void)vl_fail(&cut, reason, "%.200s; %zu bytes, of which the first %zu are kept",
			      detail, record->value.size, VL_DEADLETTER_FIRST);
		pack_letter(&value, name, cut.text, &part, digest);
	}
	if (vl_buf_failed(&value))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	if (own + value.size <= 2 * VL_DEADLETTER_SENDER &&
	    all + value.size <= 2 * VL_DEADLETTER_ALL) {
		vl_txn_put(txn, VL_DB_DEAD, vl_key_done(&key), vl_buf_bytes(&value));
		sum_put(txn, record, own + value.size);
		sum_put(txn, NULL, all + value.size);
	}
	vl_buf_free(&value);
}

void vl_deadletter_let_go(struct vl_txn *txn, struct vl_bytes key, bool again)
{
	unsigned db = again ? VL_DB_REFUSED : VL_DB_DEAD;
	struct vl_bytes letter;
	struct vl_record record;
	struct vl_digest digest;

	if (vl_txn_find(txn, db, key, &letter) == VL_OK && vl_refused_letter(&letter, again)) {
		const char *reason = (const char *)letter.data;
		size_t skip = strnlen(reason, letter.size) + 1;
		skip += skip < letter.size ? strnlen(reason + skip, letter.size - skip) + 1 : 0;
		if (skip < letter.size &&
		    vl_record_unpack((struct vl_bytes){letter.data + skip, letter.size - skip},
				     &record, &digest) == VL_OK) {
			size_t size = letter.size;
			sum_less(txn, &record, size);
			sum_less(txn, NULL, size);
		}
	}
	(void)vl_txn_delete(txn, db, key);
}

void vl_deadletter_each_reason(struct vl_txn *txn,
			       void (*each)(void *context, const char *reason, uint64_t count),
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

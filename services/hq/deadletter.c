#include "hq/deadletter.h"

#include "base/text.h"

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

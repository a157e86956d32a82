/*
 * What is kept was signed with the key of its day. When the mission has another key,
 * headquarters may know the old one only for what it had by then. So all that is kept is signed
 * anew before anything is sent. The batches themselves stay as they are, and so do their digests
 * and the chain: a signature stands beside the value, not in it.
 *
 * It takes several transactions. "resign" in META says that there is more to do, so that a crash
 * on the way is made good at the next start. Where there is no room for it, the rest is signed
 * anew while room is made, in small steps; it is sent as it is meanwhile.
 */
#include "agent/outbox/outbox_in.h"

#define STEP_BYTES ((size_t)4 << 20)
#define SMALL_STEP ((size_t)256 << 10) /* beside what else a transaction does */
#define SMALL_ROOM ((size_t)2 << 20)   /* a batch more, and twice the pages */
#define MARK vl_bytes_of("resign")

void outbox_resign_order(struct vl_txn *txn)
{
	vl_txn_put(txn, META, MARK, vl_bytes_of("1"));
}

static bool wanted(const struct vl_outbox *outbox, const struct vl_outbox_batch *batch)
{
	return memcmp(batch->key.bytes, outbox->key.bytes, sizeof(outbox->key.bytes)) != 0 &&
	       vl_outbox_intact(batch);
}

static void resign(struct vl_outbox *outbox, struct vl_txn *txn, struct vl_outbox_batch *batch)
{
	enum vl_err err =
		vl_sign(outbox->options.signer, batch->domain, &batch->digest, &batch->signature);

	vl_buf_reset(&outbox->scratch);
	vl_buf_put(&outbox->scratch, batch->lane, strlen(batch->lane) + 1);
	vl_buf_put(&outbox->scratch, batch->value.data, batch->value.size);
	if (err == VL_OK && vl_buf_failed(&outbox->scratch))
		err = VL_ERR_NOMEM;
	if (err != VL_OK) {
		vl_txn_fail(txn, err);
		return;
	}
	/* Putting a row moves the one that was read. */
	batch->key = outbox->key;
	batch->lane = (const char *)outbox->scratch.data;
	batch->value.data = outbox->scratch.data + outbox->scratch.size - batch->value.size;
	row_put_batch(txn, batch);
}

/* Sign anew behind the key `at`, which moves on. False where there is no more. */
static bool resign_some(struct vl_outbox *outbox, struct vl_txn *txn, struct vl_key *at,
			size_t room)
{

	while (room > 0 && vl_txn_err(txn) == VL_OK) {
		struct vl_cursor *cursor = vl_cursor_open(txn, BATCH);
		struct vl_outbox_batch batch;
		struct vl_bytes key, value;
		bool more = vl_cursor_seek(cursor, vl_key_done(at), &key, &value);

		while (more && !(row_read_batch(key, value, &batch) && wanted(outbox, &batch)))
			more = vl_cursor_next(cursor, &key, &value);
		if (more) {
			vl_key_reset(at);
			vl_key_bytes(at, key.data, key.size);
		}
		vl_cursor_close(cursor);
		if (!more)
			return false;
		room -= batch.value.size < room ? batch.value.size : room;
		resign(outbox, txn, &batch);
		outbox->resigned++;
	}
	return true;
}

enum vl_err outbox_resign(struct vl_outbox *outbox, struct vl_why *why)
{
	struct vl_key at = {0};
	enum vl_err err = VL_OK;

	for (bool more = true; more && err == VL_OK;) {
		struct vl_txn *txn = vl_txn_begin(outbox->store, true, why);
		if (txn == NULL)
			return VL_ERR_IO;
		if (!vl_txn_get(txn, META, MARK, NULL)) {
			err = vl_txn_err(txn);
			vl_txn_abort(txn);
			return err;
		}
		uint64_t before = outbox->resigned;
		more = resign_some(outbox, txn, &at, STEP_BYTES);
		if (!more)
			(void)vl_txn_delete(txn, META, MARK);
		err = vl_txn_commit(txn, why);
		if (err != VL_OK)
			outbox->resigned = before;
	}
	outbox->resigning = err == VL_ERR_FULL;
	return outbox->resigning ? VL_OK : err;
}

bool outbox_resign_due(const struct vl_outbox *outbox)
{
	const struct vl_store_use *use = &outbox->use;

	return outbox->resigning &&
	       use->used + use->pinned + outbox->added + SMALL_ROOM < use->room;
}

void outbox_resign_some(struct vl_outbox *outbox)
{
	if (!outbox_resign_due(outbox))
		return;
	/* The mark goes with the last of them, in one transaction, which may not be kept. */
	outbox->resigning = vl_txn_get(outbox->txn, META, MARK, NULL);
	if (!outbox->resigning)
		return;
	outbox->measured = false;
	if (!resign_some(outbox, outbox->txn, &outbox->resign_at, SMALL_STEP))
		(void)vl_txn_delete(outbox->txn, META, MARK);
}

void outbox_resign_again(struct vl_outbox *outbox)
{
	outbox->resign_at = (struct vl_key){0};
}

bool vl_outbox_resigning(const struct vl_outbox *outbox)
{
	return outbox->resigning;
}

uint64_t vl_outbox_resigned(const struct vl_outbox *outbox)
{
	return outbox->resigned;
}

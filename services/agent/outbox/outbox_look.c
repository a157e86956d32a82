/*
 * What the link and the tools read of an outbox.
 */
#include "agent/outbox/outbox_in.h"

#include <stdlib.h>
#include <string.h>

struct vl_outbox_look {
	struct vl_txn *txn;
	struct vl_cursor *cursor, *lost;
	enum vl_err err;
	/* Whose acks are known, so that a walk over a lane reads them once. */
	const char *acked_lane;
	struct vl_epoch sent_epoch, acked_epoch, applied_epoch;
	struct vl_seq sent_seq, acked_seq, applied_seq;
};

struct vl_outbox_look *vl_outbox_look(struct vl_outbox *outbox, struct vl_why *why)
{
	struct vl_outbox_look *look = calloc(1, sizeof(*look));

	if (look == NULL)
		return NULL;
	look->txn = vl_txn_begin(outbox->store, false, why);
	look->cursor = look->txn != NULL ? vl_cursor_open(look->txn, BATCH) : NULL;
	if (look->cursor == NULL) {
		vl_outbox_look_end(look);
		return NULL;
	}
	return look;
}

void vl_outbox_look_end(struct vl_outbox_look *look)
{
	if (look == NULL)
		return;
	vl_cursor_close(look->cursor);
	vl_cursor_close(look->lost);
	vl_txn_abort(look->txn);
	free(look);
}

static void judge_state(struct vl_outbox_look *look, struct vl_outbox_batch *batch)
{
	if (look->acked_lane == NULL || strcmp(look->acked_lane, batch->lane) != 0) {
		row_get_place(look->txn, SENT, batch->lane, &look->sent_epoch, &look->sent_seq);
		row_get_place(look->txn, ACKED, batch->lane, &look->acked_epoch, &look->acked_seq);
		row_get_place(look->txn, APPLIED, batch->lane, &look->applied_epoch,
			      &look->applied_seq);
		look->acked_lane = batch->lane;
	}
	if (!vl_later(batch->epoch, batch->seq, look->applied_epoch, look->applied_seq))
		batch->state = VL_OUTBOX_APPLIED;
	else if (!vl_later(batch->epoch, batch->seq, look->acked_epoch, look->acked_seq))
		batch->state = VL_OUTBOX_ACKED;
	else if (!vl_later(batch->epoch, batch->seq, look->sent_epoch, look->sent_seq))
		batch->state = VL_OUTBOX_SENT;
	else
		batch->state = VL_OUTBOX_STORED;
}

static bool take(struct vl_outbox_look *look, struct vl_bytes key, struct vl_bytes value,
		 struct vl_outbox_batch *batch)
{
	bool sound = row_read_batch(key, value, batch);

	if (batch->lane == NULL) {
		look->err = VL_ERR_CORRUPT;
		return false;
	}
	if (sound)
		judge_state(look, batch);
	else
		batch->state = VL_OUTBOX_DAMAGED;
	return true;
}

bool vl_outbox_each(struct vl_outbox_look *look, struct vl_outbox_batch *batch)
{
	struct vl_bytes key, value;

	if (look->err != VL_OK)
		return false;
	bool more = batch->lane == NULL
			    ? vl_cursor_seek(look->cursor, (struct vl_bytes){0}, &key, &value)
			    : vl_cursor_next(look->cursor, &key, &value);
	return more && take(look, key, value, batch);
}

bool vl_outbox_next(struct vl_outbox_look *look, const char *lane, struct vl_epoch epoch,
		    struct vl_seq seq, struct vl_outbox_batch *batch)
{
	struct vl_key from = row_batch_key(lane, epoch, (struct vl_seq){seq.n + 1});
	struct vl_bytes key, value;

	if (look->err != VL_OK || !vl_cursor_seek(look->cursor, vl_key_done(&from), &key, &value))
		return false;
	struct vl_bytes prefix = {(const uint8_t *)lane, strlen(lane) + 1};
	return vl_key_has_prefix(key, prefix) && take(look, key, value, batch);
}

bool vl_outbox_each_lost(struct vl_outbox_look *look, struct vl_outbox_batch *batch)
{
	bool first = batch->lane == NULL;
	struct lost_events events;

	if (look->lost == NULL)
		look->lost = row_open_lost(look->txn);
	return look->lost != NULL && row_next_lost(look->lost, first, batch, &events);
}

void vl_outbox_acked(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		     struct vl_seq *seq)
{
	row_get_place(look->txn, ACKED, lane, epoch, seq);
}

void vl_outbox_applied(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		       struct vl_seq *seq)
{
	row_get_place(look->txn, APPLIED, lane, epoch, seq);
}

int64_t vl_outbox_position(struct vl_outbox_look *look, const char *topic, int32_t partition)
{
	return row_get_position(look->txn, topic, partition);
}

void vl_outbox_head(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		    struct vl_seq *seq, struct vl_digest *digest)
{
	struct chain_row row = {0};
	struct vl_bytes value;

	if (vl_txn_get(look->txn, CHAIN, vl_bytes_of(lane), &value) && !row_read_chain(value, &row))
		look->err = VL_ERR_CORRUPT;
	*epoch = row.chain.epoch;
	*seq = row.chain.seq;
	if (digest != NULL)
		*digest = row.chain.digest;
}

void vl_outbox_each_lane(struct vl_outbox_look *look, void (*each)(void *context, const char *lane),
			 void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(look->txn, CHAIN);
	char name[VL_LANE_NAME_MAX];
	struct vl_bytes key;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, NULL); more;
	     more = vl_cursor_next(cursor, &key, NULL)) {
		if (key.size >= sizeof(name))
			continue;
		memcpy(name, key.data, key.size);
		name[key.size] = '\0';
		each(context, name);
	}
	vl_cursor_close(cursor);
}

uint64_t vl_outbox_count(struct vl_outbox_look *look)
{
	return vl_txn_count(look->txn, BATCH);
}

enum vl_err vl_outbox_look_err(const struct vl_outbox_look *look)
{
	return look->err != VL_OK ? look->err : vl_txn_err(look->txn);
}

bool vl_outbox_intact(const struct vl_outbox_batch *batch)
{
	struct vl_digest digest = vl_batch_digest(batch->value);

	return batch->state != VL_OUTBOX_DAMAGED && vl_digest_equal(&digest, &batch->digest);
}

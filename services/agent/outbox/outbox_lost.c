/*
 * A batch that is corrupted on this disk. Headquarters can follow up to the last whole one before
 * it, which it has or will get. So the lane begins a new epoch behind that one. All whole batches
 * behind the damaged one are carried into it.
 */
#include "agent/outbox/outbox_in.h"

#include <string.h>

/* Events of a batch that was given up: what is known of their ids is no longer so. */
struct range {
	uint32_t number; /* of the lane */
	struct vl_epoch epoch;
	struct lost_events events;
};

void outbox_lost_load(struct vl_outbox *outbox, struct vl_txn *txn)
{
	struct vl_cursor *cursor = row_open_lost(txn);
	struct vl_outbox_batch batch = {0};
	struct lost_events events;

	outbox->lost = 0;
	vl_buf_reset(&outbox->lost_ranges);
	for (bool more = row_next_lost(cursor, true, &batch, &events); more;
	     more = row_next_lost(cursor, false, &batch, &events)) {
		const struct outbox_lane *lane = outbox_find_lane(outbox, batch.lane);
		struct range range = {lane != NULL ? lane->number : UINT32_MAX, batch.epoch,
				      events};
		vl_buf_put(&outbox->lost_ranges, &range, sizeof(range));
		outbox->lost++;
	}
	vl_cursor_close(cursor);
	if (vl_buf_failed(&outbox->lost_ranges))
		vl_txn_fail(txn, VL_ERR_NOMEM);
}

bool outbox_lost_event(const struct vl_outbox *outbox, const struct event_row *row)
{
	struct range range;

	for (size_t at = 0; at + sizeof(range) <= outbox->lost_ranges.size; at += sizeof(range)) {
		memcpy(&range, outbox->lost_ranges.data + at, sizeof(range));
		if (range.number != row->number || row->epoch.n > range.epoch.n)
			continue;
		/* One of an epoch before may have been carried into that batch: nothing says
		 * where to. */
		if (row->epoch.n < range.epoch.n ||
		    (row->event.n >= range.events.first && row->event.n < range.events.end))
			return true;
	}
	return false;
}

/* Which events a damaged batch had, or, where that has rotted too, which it can have had: what
 * is said to be lost and is not comes to headquarters twice, and is one event there. */
static struct lost_events events_of(struct vl_outbox *outbox, const struct outbox_lane *lane,
				    struct vl_bytes place, struct vl_bytes raw)
{
	struct vl_bytes prefix = {(const uint8_t *)lane->name, strlen(lane->name) + 1}, key, value;
	struct vl_outbox_batch own, beside;
	struct lost_events events = {0, UINT64_MAX};

	if (row_read_batch(place, raw, &own))
		return (struct lost_events){own.first_event.n, own.first_event.n + own.n_events};
	struct vl_cursor *cursor = vl_cursor_open(outbox->txn, BATCH);
	bool here = vl_cursor_seek(cursor, place, NULL, NULL);
	if (here && vl_cursor_prev(cursor, &key, &value) && vl_key_has_prefix(key, prefix) &&
	    row_read_batch(key, value, &beside) && beside.epoch.n == own.epoch.n)
		events.first = beside.first_event.n + beside.n_events;
	here = vl_cursor_seek(cursor, place, NULL, NULL);
	if (here && vl_cursor_next(cursor, &key, &value) && vl_key_has_prefix(key, prefix) &&
	    row_read_batch(key, value, &beside) && beside.epoch.n == own.epoch.n)
		events.end = beside.first_event.n;
	vl_cursor_close(cursor);
	return events;
}

uint64_t vl_outbox_lost(const struct vl_outbox *outbox)
{
	return outbox->lost;
}

void outbox_put_aside(struct vl_outbox *outbox, const struct outbox_lane *lane,
		      struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_key key = row_batch_key(lane->name, epoch, seq);
	struct vl_bytes raw;

	if (!vl_txn_get(outbox->txn, BATCH, vl_key_done(&key), &raw))
		return;
	struct lost_events events = events_of(outbox, lane, vl_key_done(&key), raw);
	if (outbox->lost >= VL_OUTBOX_LOST_KEPT)
		raw.size = 0;
	row_put_lost(outbox->txn, vl_key_done(&key), outbox->round->now, events, raw);
	(void)vl_txn_delete(outbox->txn, BATCH, vl_key_done(&key));
	outbox_lost_load(outbox, outbox->txn);
	outbox->measured = false;
}

/* The digest of the last batch before a place that headquarters has or will be sent; zeros where
 * there never was one, or none is known: then headquarters takes the epoch as one that forgot. */
static struct vl_digest last_whole(struct vl_outbox *outbox, const struct outbox_lane *lane,
				   struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_bytes prefix = {(const uint8_t *)lane->name, strlen(lane->name) + 1}, key, value;
	struct vl_key place = row_batch_key(lane->name, epoch, seq);
	struct vl_outbox_batch batch;
	struct vl_digest digest = {0};
	struct vl_epoch acked_epoch;
	struct vl_seq acked_seq;
	bool found = false;

	row_get_place(outbox->txn, ACKED, lane->name, &acked_epoch, &acked_seq);
	struct vl_cursor *cursor = vl_cursor_open(outbox->txn, BATCH);
	bool more = vl_cursor_seek(cursor, vl_key_done(&place), NULL, NULL);
	while (more && !found && (more = vl_cursor_prev(cursor, &key, &value)) &&
	       vl_key_has_prefix(key, prefix)) {
		/* What Kafka has need not be whole here: its digest is what was signed, where
		 * the head is sound. */
		found = row_read_batch(key, value, &batch) &&
			(!vl_later(batch.epoch, batch.seq, acked_epoch, acked_seq) ||
			 vl_outbox_intact(&batch));
		if (found)
			digest = batch.digest;
	}
	vl_cursor_close(cursor);
	if (!found)
		(void)row_get_applied_digest(outbox->txn, lane->name, &digest);
	return digest;
}

/* Found as the sender found it: there, not applied, and not what was stored. */
static bool is_damaged(struct vl_outbox *outbox, const struct outbox_lane *lane,
		       struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_key key = row_batch_key(lane->name, epoch, seq);
	struct vl_outbox_batch batch;
	struct vl_epoch applied_epoch;
	struct vl_seq applied_seq;
	struct vl_bytes raw;

	row_get_place(outbox->txn, APPLIED, lane->name, &applied_epoch, &applied_seq);
	return vl_later(epoch, seq, applied_epoch, applied_seq) &&
	       vl_txn_get(outbox->txn, BATCH, vl_key_done(&key), &raw) &&
	       !(row_read_batch(vl_key_done(&key), raw, &batch) && vl_outbox_intact(&batch));
}

bool vl_outbox_give_up(struct vl_outbox *outbox, const char *name, struct vl_epoch epoch,
		       struct vl_seq seq)
{
	struct outbox_lane *lane = outbox_find_lane(outbox, name);

	if (lane == NULL || outbox_writing(outbox) == NULL || !is_damaged(outbox, lane, epoch, seq))
		return false;
	if (lane->carry.up_to.n != 0) {
		/* It is carried over sooner or later, or comes after what is: one thing after
		 * the other. */
		bool due = epoch.n <= lane->carry.up_to.n &&
			   vl_later(epoch, seq, lane->carry.kept_epoch, lane->carry.kept_seq);
		if (due)
			outbox_put_aside(outbox, lane, epoch, seq);
		return due;
	}
	struct vl_digest prev = last_whole(outbox, lane, epoch, seq);
	outbox_put_aside(outbox, lane, epoch, seq);
	outbox_carry_order(outbox, lane,
			   &(struct carry_row){lane->committed.epoch, prev, epoch, seq});
	return vl_txn_err(outbox->txn) == VL_OK;
}

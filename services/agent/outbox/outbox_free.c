/*
 * Batches that headquarters has applied are deleted.
 */
#include "agent/outbox/outbox_in.h"

#include <string.h>

struct outbox_lane *outbox_find_lane(const struct vl_outbox *outbox, const char *name)
{
	const struct vl_lane *known = vl_roster_find(name, strlen(name));

	return known != NULL ? outbox->by_roster[vl_roster_number(known)] : NULL;
}

struct vl_txn *outbox_writing(struct vl_outbox *outbox)
{
	if (outbox->txn != NULL)
		return outbox->txn;
	if (vl_outbox_land(outbox, NULL) != VL_OK || outbox->err != VL_OK)
		return NULL;
	outbox->txn = vl_txn_begin(outbox->store, true, NULL);
	if (outbox->txn == NULL)
		outbox_fail(outbox, VL_ERR_IO);
	return outbox->txn;
}

void outbox_free_again(struct vl_outbox *outbox)
{
	for (uint32_t i = 0; i < outbox->n_lanes; i++)
		if (outbox->lanes[i] != NULL) {
			outbox->lanes[i]->freeing = true;
			outbox->lanes[i]->carried = false;
		}
	outbox->ids_loaded = outbox->ids_sweeping = false;
	outbox_resign_again(outbox);
}

void outbox_free_abort(struct vl_outbox *outbox)
{
	if (outbox->txn == NULL)
		return;
	vl_txn_abort(outbox->txn);
	outbox->txn = NULL;
	outbox_free_again(outbox);
}

static void note(struct vl_outbox *outbox, struct outbox_lane *lane, struct vl_epoch epoch,
		 struct vl_seq seq, const struct vl_digest *digest)
{
	row_put_applied(outbox->txn, lane->name, epoch, seq, digest);
	lane->freeing = true;
	/* Its ack may have been lost with a link. */
	row_raise_place(outbox->txn, ACKED, lane->name, epoch, seq);
}

/* A place that we never came to. If this process has begun the lane's epoch, no other process
 * signs in it, and an epoch beyond is a clone's, which does as we did. */
static enum vl_outbox_fit meet_unknown(struct vl_outbox *outbox, struct outbox_lane *lane,
				       const struct vl_outbox_receipt *receipt)
{
	if (receipt->epoch.n > outbox->floor.n)
		outbox->floor = receipt->epoch;
	if (lane != NULL && (receipt->epoch.n == lane->committed.epoch.n || !lane->own))
		outbox_carry_order(outbox, lane,
				   &(struct carry_row){receipt->epoch, receipt->digest, {0}, {0}});
	return VL_OUTBOX_AHEAD;
}

/* What a receipt says of our batch of that place, for all of its epoch before it. */
static enum vl_outbox_fit judge(struct vl_outbox *outbox, const struct outbox_lane *lane,
				const struct vl_outbox_receipt *receipt)
{
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_outbox_batch batch;
	struct vl_bytes value;

	row_get_place(outbox->txn, APPLIED, lane->name, &epoch, &seq);
	if (!vl_later(receipt->epoch, receipt->seq, epoch, seq))
		return VL_OUTBOX_KNOWN;
	struct vl_key key = row_batch_key(lane->name, receipt->epoch, receipt->seq);
	if (!vl_txn_get(outbox->txn, BATCH, vl_key_done(&key), &value))
		return VL_OUTBOX_KNOWN;
	/* Damaged: which one it was cannot be said. A receipt for a later one frees it. */
	if (!row_read_batch(vl_key_done(&key), value, &batch))
		return VL_OUTBOX_KNOWN;
	return vl_digest_equal(&batch.digest, &receipt->digest) ? VL_OUTBOX_FREED : VL_OUTBOX_OTHER;
}

enum vl_outbox_fit vl_outbox_free(struct vl_outbox *outbox, const struct vl_outbox_receipt *receipt)
{
	struct outbox_lane *lane = outbox_find_lane(outbox, receipt->lane);
	struct vl_epoch suspended = receipt->suspended;
	struct vl_outbox_batch first;

	if (outbox_writing(outbox) == NULL)
		return VL_OUTBOX_KNOWN;
	if (lane == NULL ||
	    vl_later(receipt->epoch, receipt->seq, lane->committed.epoch, lane->committed.seq))
		return meet_unknown(outbox, lane, receipt);
	/* It speaks for our older epochs only where none of them is suspended or being left
	 * behind. */
	bool older = outbox_unapplied(outbox, lane, &first) && first.epoch.n < receipt->epoch.n;
	if (older && lane->carry.up_to.n != 0)
		return VL_OUTBOX_KNOWN;
	bool clash = older && first.epoch.n <= suspended.n;
	enum vl_outbox_fit fit = clash ? VL_OUTBOX_SUSPENDED : judge(outbox, lane, receipt);
	if (fit == VL_OUTBOX_FREED)
		note(outbox, lane, receipt->epoch, receipt->seq, &receipt->digest);
	if (lane->carry.up_to.n >= receipt->epoch.n)
		return fit == VL_OUTBOX_FREED ? fit : VL_OUTBOX_KNOWN;
	clash = clash ||
		(suspended.n != 0 &&
		 (suspended.n >= lane->committed.epoch.n ||
		  (outbox_unapplied(outbox, lane, &first) && first.epoch.n <= suspended.n)));
	if (clash || fit == VL_OUTBOX_OTHER)
		outbox_carry_order(outbox, lane,
				   &(struct carry_row){receipt->epoch, receipt->digest, {0}, {0}});
	return clash ? VL_OUTBOX_SUSPENDED : fit;
}

/* Whether it is that lane, or an address of it. */
static bool is_of(const char *lane, const char *of)
{
	size_t size = strlen(of);

	return strncmp(lane, of, size) == 0 && (lane[size] == '\0' || lane[size] == '.');
}

bool vl_outbox_unreceipted(const char *lane)
{
	return is_of(lane, VL_RECEIPT_LANE) || is_of(lane, VL_DIRECTIVE_LANE) ||
	       strcmp(lane, VL_PULSE_LANE) == 0;
}

/* The link says what is acked, and is not trusted: what is not there yet cannot be. */
void outbox_free_acked(struct vl_outbox *outbox, const char *name, struct vl_epoch epoch,
		       struct vl_seq seq)
{
	struct outbox_lane *lane = outbox_find_lane(outbox, name);
	struct vl_epoch applied_epoch;
	struct vl_seq applied_seq;

	if (outbox_writing(outbox) == NULL)
		return;
	if (lane == NULL || vl_later(epoch, seq, lane->committed.epoch, lane->committed.seq))
		return;
	row_get_place(outbox->txn, APPLIED, lane->name, &applied_epoch, &applied_seq);
	if (!vl_later(epoch, seq, applied_epoch, applied_seq))
		return;
	struct vl_key key = row_batch_key(lane->name, epoch, seq);
	struct vl_outbox_batch batch = {0};
	struct vl_bytes value;
	if (vl_txn_get(outbox->txn, BATCH, vl_key_done(&key), &value))
		(void)row_read_batch(vl_key_done(&key), value, &batch);
	note(outbox, lane, epoch, seq, &batch.digest);
}

/* Delete the lane's first batch where it is applied. False where it is not, or there is none. */
static bool free_first(struct vl_outbox *outbox, const struct outbox_lane *lane,
		       struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_bytes prefix = {(const uint8_t *)lane->name, strlen(lane->name) + 1}, found,
			value;
	struct vl_outbox_batch batch;
	struct vl_key key;
	struct vl_cursor *cursor = vl_cursor_open(outbox->txn, BATCH);

	bool mine =
		vl_cursor_seek(cursor, prefix, &found, &value) && vl_key_has_prefix(found, prefix);
	if (mine)
		(void)row_read_batch(found, value,
				     &batch); /* where it lies is enough: damaged ones go as well */
	bool good = mine && batch.lane != NULL;
	bool due = good && !vl_later(batch.epoch, batch.seq, epoch, seq);
	if (due)
		key = row_batch_key(lane->name, batch.epoch, batch.seq);
	vl_cursor_close(cursor);
	if (mine && !good)
		vl_txn_fail(outbox->txn, VL_ERR_CORRUPT);
	return due && vl_txn_delete(outbox->txn, BATCH, vl_key_done(&key));
}

/* Write the row anew as it is. */
static void touch_applied(struct vl_txn *txn, const char *lane, struct vl_epoch epoch,
			  struct vl_seq seq)
{
	struct vl_digest digest;

	if (row_get_applied_digest(txn, lane, &digest))
		row_put_applied(txn, lane, epoch, seq, &digest);
	else
		row_put_place(txn, APPLIED, lane, epoch, seq);
}

/* Delete what is applied of a lane, `*left` batches at most. */
static void free_lane(struct vl_outbox *outbox, struct outbox_lane *lane, unsigned *left)
{
	struct vl_epoch epoch;
	struct vl_seq seq;
	unsigned before = *left;

	row_get_place(outbox->txn, APPLIED, lane->name, &epoch, &seq);
	for (; *left > 0 && free_first(outbox, lane, epoch, seq); --*left)
		outbox->measured = false;
	if (*left == 0)
		return;
	lane->freeing = *left < before;
	/* LMDB uses freed pages from the second transaction on: let this be the first. */
	if (!lane->freeing && seq.n > 0)
		touch_applied(outbox->txn, lane->name, epoch, seq);
}

void vl_outbox_free_some(struct vl_outbox *outbox)
{
	unsigned left = VL_OUTBOX_FREE_STEP;

	if (!vl_outbox_freeing(outbox) || outbox_writing(outbox) == NULL)
		return;
	outbox_carry_some(outbox);
	for (uint32_t i = 0; i < outbox->n_lanes && left > 0; i++)
		if (outbox->lanes[i] != NULL && outbox->lanes[i]->freeing)
			free_lane(outbox, outbox->lanes[i], &left);
	if (left > 0)
		outbox_ids_some(outbox);
	outbox_resign_some(outbox);
}

bool vl_outbox_freeing(const struct vl_outbox *outbox)
{
	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		const struct outbox_lane *lane = outbox->lanes[i];
		if (lane != NULL && (lane->freeing || (lane->carry.up_to.n != 0 && !lane->carried)))
			return true;
	}
	return outbox->ids_sweeping || outbox_resign_due(outbox);
}

void vl_outbox_set_position(struct vl_outbox *outbox, const char *topic, int32_t partition,
			    int64_t offset)
{
	if (outbox_writing(outbox) != NULL)
		row_put_position(outbox->txn, topic, partition, offset);
}

/*
 * A new epoch, and the events that headquarters lacks, signed again in it.
 */
#include "agent/outbox/outbox_in.h"

#include <string.h>

void outbox_carry_order(struct vl_outbox *outbox, struct outbox_lane *lane,
			const struct carry_row *order)
{
	struct carry_row wanted = *order;

	/* All there is, not just the epoch in question: what is signed already may hang on a
	 * batch that would go. */
	if (wanted.up_to.n < lane->committed.epoch.n)
		wanted.up_to = lane->committed.epoch;
	if (lane->carry.up_to.n < wanted.up_to.n)
		lane->carry = wanted;
	row_put_carry(outbox->txn, lane->name, &lane->carry);
	lane->carried = false;
	lane->past_epoch = (struct vl_epoch){0};
	lane->past_seq = (struct vl_seq){0};
}

void outbox_carry_renew(struct vl_outbox *outbox)
{
	/* The end of a lane is the sealer's during an asynchronous commit; but an order is never
	 * given in such a round. */
	for (uint32_t i = 0; outbox->flying == NULL && i < outbox->n_lanes; i++) {
		struct outbox_lane *lane = outbox->lanes[i];
		if (lane != NULL && lane->carried) {
			lane->carry = (struct carry_row){0};
			lane->carried = false;
		}
		if (lane == NULL || lane->carry.up_to.n == 0 ||
		    lane->chain.epoch.n > lane->carry.up_to.n)
			continue;
		lane->chain = (struct vl_chain){
			.epoch = {outbox_unique_epoch(outbox, lane->carry.up_to.n)},
			.next_event = {1},
			.digest = lane->carry.prev,
		};
		lane->tail = lane->carry.prev;
		lane->own = true;
		outbox->round->ends[i].touched = true;
		outbox->round->empty = false;
	}
}

/* The first batch of a lane after a place. */
static bool seek(struct vl_outbox *outbox, const struct outbox_lane *lane, struct vl_epoch epoch,
		 struct vl_seq seq, struct vl_outbox_batch *batch)
{
	struct vl_bytes prefix = {(const uint8_t *)lane->name, strlen(lane->name) + 1}, found,
			value;
	struct vl_key from = row_batch_key(lane->name, epoch, (struct vl_seq){seq.n + 1});
	struct vl_cursor *cursor = vl_cursor_open(outbox->txn, BATCH);

	bool mine = vl_cursor_seek(cursor, vl_key_done(&from), &found, &value) &&
		    vl_key_has_prefix(found, prefix);
	/* A damaged one has its place, and cannot be carried. */
	bool good = mine;
	if (mine && !row_read_batch(found, value, batch)) {
		batch->state = VL_OUTBOX_DAMAGED;
		good = batch->epoch.n != 0;
	}
	vl_cursor_close(cursor);
	if (mine && !good)
		vl_txn_fail(outbox->txn, VL_ERR_CORRUPT);
	batch->lane = lane->name;
	return good;
}

bool outbox_unapplied(struct vl_outbox *outbox, const struct outbox_lane *lane,
		      struct vl_outbox_batch *batch)
{
	struct vl_epoch epoch;
	struct vl_seq seq;

	row_get_place(outbox->txn, APPLIED, lane->name, &epoch, &seq);
	return seek(outbox, lane, epoch, seq, batch);
}

/* Accept a batch's events anew, and delete it. Their ids are known already, with the answer that
 * was given. */
static void carry_batch(struct vl_outbox *outbox, struct outbox_lane *lane,
			const struct vl_outbox_batch *kept, struct vl_arena *arena)
{
	struct vl_key key = row_batch_key(lane->name, kept->epoch, kept->seq);
	struct vl_batch batch;
	bool good = vl_outbox_intact(kept) && kept->domain == outbox->options.domain;
	enum vl_err err = good ? vl_batch_read(kept->value, arena, &batch, NULL) : VL_ERR_CORRUPT;

	if (err == VL_ERR_NOMEM) {
		vl_txn_fail(outbox->txn, err);
		return;
	}
	if (err != VL_OK) {
		/* Its events are not what was accepted, or of an exercise, and must not be
		 * signed as if they were real. */
		outbox->damaged++;
		if (kept->domain == outbox->options.domain || kept->state == VL_OUTBOX_DAMAGED) {
			outbox_put_aside(outbox, lane, kept->epoch, kept->seq);
		} else {
			lane->past_epoch = kept->epoch;
			lane->past_seq = kept->seq;
		}
		return;
	}
	for (size_t i = 0; i < batch.n_events; i++)
		outbox_append(outbox, lane, batch.events[i]);
	outbox->carried += batch.n_events;
	outbox->measured = false;
	(void)vl_txn_delete(outbox->txn, BATCH, vl_key_done(&key));
}

/* The next one to carry: behind what is applied, behind what cannot be carried, and before the
 * lane's present epoch. */
static bool next_left(struct vl_outbox *outbox, const struct outbox_lane *lane,
		      struct vl_outbox_batch *batch)
{
	struct vl_epoch epoch;
	struct vl_seq seq;

	row_get_place(outbox->txn, APPLIED, lane->name, &epoch, &seq);
	if (vl_later(lane->past_epoch, lane->past_seq, epoch, seq)) {
		epoch = lane->past_epoch;
		seq = lane->past_seq;
	}
	if (vl_later(lane->carry.kept_epoch, lane->carry.kept_seq, epoch, seq)) {
		epoch = lane->carry.kept_epoch;
		seq = lane->carry.kept_seq;
	}
	return seek(outbox, lane, epoch, seq, batch) && batch->epoch.n < lane->chain.epoch.n;
}

static void carry_lane(struct vl_outbox *outbox, struct outbox_lane *lane, struct vl_arena *arena,
		       size_t *room)
{
	struct vl_outbox_batch batch;
	bool more;

	while ((more = next_left(outbox, lane, &batch)) && *room > 0 &&
	       vl_txn_err(outbox->txn) == VL_OK && outbox->err == VL_OK) {
		*room -= batch.value.size < *room ? batch.value.size : *room;
		carry_batch(outbox, lane, &batch, arena);
		vl_arena_reset(arena);
	}
	static const struct carry_row none;
	lane->carried = !more && vl_txn_err(outbox->txn) == VL_OK;
	row_put_carry(outbox->txn, lane->name, lane->carried ? &none : &lane->carry);
	if (lane->carried)
		outbox_ids_carried(outbox, lane);
}

void outbox_carry_some(struct vl_outbox *outbox)
{
	struct vl_arena *arena = NULL;
	size_t room = VL_OUTBOX_CARRY_STEP;

	for (uint32_t i = 0; i < outbox->n_lanes && room > 0; i++) {
		struct outbox_lane *lane = outbox->lanes[i];
		/* Not before the new epoch has begun, with the next round. */
		if (lane == NULL || lane->carry.up_to.n == 0 ||
		    lane->chain.epoch.n <= lane->carry.up_to.n)
			continue;
		if (arena == NULL && (arena = vl_arena_open(0)) == NULL) {
			vl_txn_fail(outbox->txn, VL_ERR_NOMEM);
			return;
		}
		carry_lane(outbox, lane, arena, &room);
	}
	vl_arena_close(arena);
}

void vl_outbox_carried(const struct vl_outbox *outbox, uint64_t *events, uint64_t *damaged)
{
	*events = outbox->carried;
	*damaged = outbox->damaged;
}

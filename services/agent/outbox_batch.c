#include "agent/outbox_in.h"

#include "bus/wire.h"

#include <string.h>

/*
 * A lane's open batch has its head first, and in it `prev`, the digest of the batch before, which may be with the sealer still: its
 * place is left and filled by the sealer. A batch that is full goes to the sealer's thread while the next one begins; the
 * closed ones stand in a ring until they are sealed and can be stored. What is open when the transaction ends is sealed here and
 * now: with one batch there is nothing to do beside it.
 */

#define BATCH_PREV 6

/* Where the head's `prev` stands. */
static size_t find_prev(const struct vl_buf *batch)
{
	struct vl_wire wire = vl_wire_open(vl_buf_bytes(batch));
	struct vl_wire_field field;

	while (vl_wire_next(&wire, &field))
		if (field.number == BATCH_PREV)
			return (size_t)(field.bytes.data - batch->data);
	return 0;
}

void outbox_batch_open(struct vl_outbox *outbox, struct outbox_lane *lane)
{
	struct vl_batch_head head = {
		.mission = row_text(outbox->mission),
		.lane = row_text(lane->name),
		.epoch = lane->chain.epoch,
		.seq = {lane->chain.seq.n + 1},
		.first_event = lane->chain.next_event,
		.signed_at = outbox->now,
	};

	if (lane->batch.data == NULL && outbox->n_spare > 0)
		lane->batch = outbox->spare[--outbox->n_spare];
	vl_buf_reset(&lane->batch);
	vl_batch_put_head(&lane->batch, &head);
	lane->prev_at = find_prev(&lane->batch);
	lane->n_events = 0;
}

/* Keep an empty buffer for the next batch; but not many, nor one that a big event has made big. */
static void put_away(struct vl_outbox *outbox, struct vl_buf *batch)
{
	vl_buf_reset(batch);
	if (outbox->n_spare < VL_OUTBOX_SPARE && batch->room <= 2 * outbox->options.batch_bytes &&
	    (outbox->n_spare + 1) * batch->room <= VL_OUTBOX_CLOSED_BYTES)
		outbox->spare[outbox->n_spare++] = *batch;
	else
		vl_buf_free(batch);
	*batch = (struct vl_buf){0};
}

void outbox_batch_drop(struct vl_outbox *outbox, struct outbox_lane *lane)
{
	lane->n_events = 0;
	put_away(outbox, &lane->batch);
}

/* Describe the lane's open batch; it counts as closed from here on. */
static void close_into(struct vl_outbox *outbox, struct outbox_lane *lane, struct outbox_closed *closed)
{
	if (vl_buf_failed(&lane->batch))
		vl_txn_fail(outbox->txn, VL_ERR_NOMEM);
	closed->value = lane->batch;
	lane->batch = (struct vl_buf){0};
	lane->chain.seq.n++;
	closed->lane = lane;
	closed->seq = lane->chain.seq;
	closed->n_events = lane->n_events;
	closed->first_event.n = lane->chain.next_event.n - lane->n_events;
	closed->seal = (struct vl_seal){
		.value = closed->value.data,
		.size = closed->value.size,
		.prev_at = lane->prev_at,
		.tail = &lane->chain.digest,
		.domain = outbox->options.domain,
	};
	lane->n_events = 0;
}

static void store(struct vl_outbox *outbox, struct outbox_closed *closed)
{
	struct vl_outbox_batch batch = {
		.lane = closed->lane->name,
		.epoch = closed->lane->chain.epoch,
		.seq = closed->seq,
		.first_event = closed->first_event,
		.n_events = closed->n_events,
		.stored_at = outbox->now,
		.domain = closed->seal.domain,
		.key = outbox->key,
		.signature = closed->seal.signature,
		.digest = closed->seal.digest,
		.value = vl_buf_bytes(&closed->value),
	};

	if (closed->seal.err != VL_OK)
		vl_txn_fail(outbox->txn, closed->seal.err);
	row_put_batch(outbox->txn, &batch);
	put_away(outbox, &closed->value);
}

static struct outbox_closed *nth(struct vl_outbox *outbox, unsigned n)
{
	return &outbox->closed[(outbox->first_closed + n) % VL_OUTBOX_CLOSED];
}

static void take_oldest(struct vl_outbox *outbox, bool keep)
{
	struct outbox_closed *closed = nth(outbox, 0);

	vl_sealer_take(outbox->sealer, &closed->seal);
	outbox->closed_bytes -= closed->value.size;
	outbox->first_closed = (outbox->first_closed + 1) % VL_OUTBOX_CLOSED;
	outbox->n_closed--;
	if (keep)
		store(outbox, closed);
	else
		put_away(outbox, &closed->value);
}

void outbox_batch_full(struct vl_outbox *outbox, struct outbox_lane *lane)
{
	bool crowded = outbox->n_closed == VL_OUTBOX_CLOSED || outbox->closed_bytes > VL_OUTBOX_CLOSED_BYTES;

	while (outbox->n_closed > 0 && (crowded || vl_sealer_ready(outbox->sealer))) {
		take_oldest(outbox, true);
		crowded = outbox->closed_bytes > VL_OUTBOX_CLOSED_BYTES;
	}
	struct outbox_closed *closed = nth(outbox, outbox->n_closed);
	close_into(outbox, lane, closed);
	if (vl_outbox_failed(outbox)) {
		put_away(outbox, &closed->value);
		return;
	}
	outbox->n_closed++;
	outbox->closed_bytes += closed->value.size;
	vl_sealer_give(outbox->sealer, &closed->seal);
}

void outbox_batches_store(struct vl_outbox *outbox)
{
	while (outbox->n_closed > 0)
		take_oldest(outbox, true);
}

void outbox_batch_last(struct vl_outbox *outbox, struct outbox_lane *lane)
{
	struct outbox_closed *closed = nth(outbox, 0);

	close_into(outbox, lane, closed);
	if (vl_outbox_failed(outbox)) {
		put_away(outbox, &closed->value);
		return;
	}
	vl_seal(outbox->options.signer, &closed->seal);
	store(outbox, closed);
}

void outbox_batches_drop(struct vl_outbox *outbox)
{
	while (outbox->n_closed > 0)
		take_oldest(outbox, false);
}

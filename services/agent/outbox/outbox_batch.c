/*
 * A lane's open batch begins with its head, which has `prev`, the digest of the previous batch. The
 * sealer may still have that batch. So its place is left, and filled when the batch is sealed.
 */
#include "agent/outbox/outbox_in.h"

#include "bus/wire.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_PREV 6

#define LINE_SECONDS 2
#define LINE_LEAST ((size_t)16 << 10)

void vl_outbox_set_line(struct vl_outbox *outbox, uint64_t rate)
{
	size_t most = outbox->options.batch_bytes;
	uint64_t wanted = rate * LINE_SECONDS > LINE_LEAST ? rate * LINE_SECONDS : LINE_LEAST;

	outbox->batch_bytes = wanted < most ? (size_t)wanted : most;
}

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
		.mission = vl_bytes_of(outbox->mission),
		.lane = vl_bytes_of(lane->name),
		.epoch = lane->chain.epoch,
		.seq = {lane->chain.seq.n + 1},
		.first_event = lane->chain.next_event,
		.signed_at = outbox->round->now,
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
	    (outbox->n_spare + 1) * batch->room <= VL_OUTBOX_SPARE_BYTES)
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

static void describe(const struct vl_outbox *outbox, struct outbox_lane *lane,
		     struct outbox_closed *closed)
{
	closed->lane = lane;
	closed->value = lane->batch;
	closed->epoch = lane->chain.epoch;
	closed->seq = lane->chain.seq;
	closed->n_events = lane->n_events;
	closed->first_event.n = lane->chain.next_event.n - lane->n_events;
	closed->seal = (struct vl_seal){
		.value = closed->value.data,
		.size = closed->value.size,
		.prev_at = lane->prev_at,
		.tail = &lane->tail,
		.domain = outbox->options.domain,
	};
}

void outbox_batch_close(struct vl_outbox *outbox, struct outbox_lane *lane, bool more)
{
	struct outbox_closed *closed = calloc(1, sizeof(*closed));
	struct outbox_round *round = outbox->round;

	if (closed == NULL || vl_buf_failed(&lane->batch)) {
		outbox_fail(outbox, VL_ERR_NOMEM);
		outbox_batch_drop(outbox, lane);
		free(closed);
		return;
	}
	lane->chain.seq.n++;
	describe(outbox, lane, closed);
	lane->batch = (struct vl_buf){0};
	lane->n_events = 0;
	/* With one batch there is nothing to do beside it. */
	closed->given = more || round->n_given > 0 || outbox->flying != NULL;
	if (closed->given)
		vl_sealer_give(outbox->sealer, &closed->seal);
	else
		vl_seal(outbox->options.signer, &closed->seal);
	if (round->first == NULL)
		round->first = closed;
	else
		round->last->next = closed;
	round->last = closed;
	round->n_given += closed->given;
	round->ends[lane->number].last = closed;
}

void outbox_batch_take(struct vl_outbox *outbox, struct outbox_closed *closed)
{
	if (closed->given)
		vl_sealer_take(outbox->sealer, &closed->seal);
	closed->given = false;
}

void outbox_batch_free(struct vl_outbox *outbox, struct outbox_closed *closed)
{
	put_away(outbox, &closed->value);
	free(closed);
}

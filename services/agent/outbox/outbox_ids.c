/*
 * Ids of events that headquarters has applied are let go after a while: headquarters keeps its
 * own for ever, and knows a double by it.
 *
 * Now and then it is noted how far each lane has come. When so many more ids have come since, or
 * so much time has passed, and all that was there then is applied, the ids from before that note
 * are let go, some in each transaction; then the next note is made. So what is known is never
 * less than one such span, and, but for what waits for headquarters, never more than two.
 */
#include "agent/outbox/outbox_in.h"

#include <string.h>

#define SPAN_SECONDS ((int64_t)15 * 24 * 3600)
/* of the size, for one in a span: a row takes 75 to 100 bytes, and there are two spans */
#define BYTES_AN_ID 1600
#define SPAN_LEAST 10000
#define STEP_ROWS 4096 /* looked at in one transaction */
#define STEP_IDS 512   /* let go in one */

uint64_t vl_outbox_ids_span(size_t size)
{
	return size / BYTES_AN_ID > SPAN_LEAST ? size / BYTES_AN_ID : SPAN_LEAST;
}

static uint64_t span_of(const struct vl_outbox *outbox)
{
	return outbox->options.ids > 0 ? outbox->options.ids
				       : vl_outbox_ids_span(outbox->options.size);
}

/* At the first use, and after a transaction that was not kept. */
static void load(struct vl_outbox *outbox)
{
	struct vl_txn *txn = outbox->txn;

	if (outbox->ids_loaded)
		return;
	outbox->ids_loaded = true;
	outbox->ids_noted = row_get_ids(txn, &outbox->ids);
	for (uint32_t i = 0; i < outbox->n_lanes; i++)
		if (outbox->lanes[i] != NULL)
			outbox->lanes[i]->ids = row_get_lane_ids(txn, outbox->lanes[i]->name);
}

static void make_note(struct vl_outbox *outbox)
{
	outbox->ids =
		(struct ids_row){outbox->round->now.seconds, vl_txn_count(outbox->txn, EVENT)};
	outbox->ids_noted = true;
	row_put_ids(outbox->txn, &outbox->ids);
	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		struct outbox_lane *lane = outbox->lanes[i];
		if (lane == NULL)
			continue;
		lane->ids = (struct lane_ids){lane->committed.epoch, lane->committed.next_event,
					      lane->committed.epoch, lane->committed.seq};
		row_put_lane_ids(outbox->txn, lane->name, &lane->ids);
	}
}

void outbox_ids_carried(struct vl_outbox *outbox, struct outbox_lane *lane)
{
	load(outbox);
	if (!outbox->ids_noted)
		return;
	lane->ids.due_epoch = lane->chain.epoch;
	lane->ids.due_seq.n = lane->chain.seq.n + 1;
	row_put_lane_ids(outbox->txn, lane->name, &lane->ids);
}

/* Whether headquarters has applied all that was there at the note. */
static bool all_applied(struct vl_outbox *outbox)
{
	struct vl_outbox_batch first;

	for (uint32_t i = 0; i < outbox->n_lanes; i++) {
		const struct outbox_lane *lane = outbox->lanes[i];
		if (lane != NULL &&
		    (lane->carry.up_to.n != 0 ||
		     (outbox_unapplied(outbox, lane, &first) &&
		      !vl_later(first.epoch, first.seq, lane->ids.due_epoch, lane->ids.due_seq))))
			return false;
	}
	return true;
}

static bool is_old(const struct vl_outbox *outbox, struct vl_bytes value)
{
	struct event_row row;

	if (!row_read_event(value, &row) || row.number >= outbox->n_lanes ||
	    outbox->lanes[row.number] == NULL)
		return false;
	const struct lane_ids *ids = &outbox->lanes[row.number]->ids;
	return row.epoch.n < ids->epoch.n ||
	       (row.epoch.n == ids->epoch.n && row.event.n < ids->event.n);
}

/* Look at some more, and let go of those that are old. */
static void sweep(struct vl_outbox *outbox)
{
	struct vl_event_id old[STEP_IDS];
	size_t n_old = 0, looked = 0;
	struct vl_bytes key, value, from = {outbox->ids_at.bytes, sizeof(outbox->ids_at.bytes)};
	struct vl_cursor *cursor = vl_cursor_open(outbox->txn, EVENT);

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool more = vl_cursor_seek(cursor, from, &key, &value);
	for (; more && looked < STEP_ROWS && n_old < STEP_IDS;
	     looked++, more = vl_cursor_next(cursor, &key, &value)) {
		if (key.size == sizeof(old[0].bytes) && is_old(outbox, value))
			memcpy(old[n_old++].bytes, key.data, key.size);
	}
	if (more && key.size == sizeof(outbox->ids_at.bytes))
		memcpy(outbox->ids_at.bytes, key.data, key.size);
	vl_cursor_close(cursor);
	for (size_t i = 0; i < n_old; i++)
		(void)vl_txn_delete(outbox->txn, EVENT,
				    (struct vl_bytes){old[i].bytes, sizeof(old[i].bytes)});
	outbox->ids_sweeping = more;
	if (n_old > 0)
		outbox->measured = false;
	if (!more)
		make_note(outbox);
}

void outbox_ids_some(struct vl_outbox *outbox)
{
	int64_t now = outbox->round->now.seconds;

	load(outbox);
	if (!outbox->ids_noted) {
		make_note(outbox);
		return;
	}
	uint64_t count = vl_txn_count(outbox->txn, EVENT);
	bool due = outbox->ids_sweeping || count >= outbox->ids.count + span_of(outbox) ||
		   now - outbox->ids.since >= SPAN_SECONDS || now < outbox->ids.since;
	if (!due || !all_applied(outbox))
		return;
	if (!outbox->ids_sweeping)
		outbox->ids_at = (struct vl_event_id){0};
	sweep(outbox);
}

/*
 * A chain's head that is corrupted. Where the chain had come to is not guessed: it begins a new
 * epoch, behind the newest batch that is kept and whole, or, where there is none, behind nothing.
 * And the lane's number, which the rows of ids have for it, is the one that they have and no other
 * chain does; where that is not certain they are left without a lane, and such an id cannot be
 * answered.
 */
#include "agent/outbox/outbox_in.h"

#include <string.h>

/* The numbers that rows of ids have and no chain; the least number above all. */
static enum vl_err find_orphans(const struct vl_outbox *outbox, struct vl_txn *txn,
				unsigned *orphans, uint32_t *orphan, uint32_t *beyond)
{
	bool used[VL_OUTBOX_LANES] = {false};
	struct event_row row;
	struct vl_bytes value;
	struct vl_cursor *cursor = vl_cursor_open(txn, EVENT);

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, &value); more;
	     more = vl_cursor_next(cursor, NULL, &value))
		if (row_read_event(value, &row) && row.number < VL_OUTBOX_LANES)
			used[row.number] = true;
	vl_cursor_close(cursor);
	*orphans = 0;
	*beyond = outbox->n_lanes;
	for (uint32_t i = 0; i < VL_OUTBOX_LANES; i++) {
		if (!used[i])
			continue;
		if (i >= *beyond)
			*beyond = i + 1;
		if (outbox->lanes[i] == NULL) {
			++*orphans;
			*orphan = i;
		}
	}
	return vl_txn_err(txn);
}

/* The newest batch of a lane that is whole; false where there is none. */
static bool newest_batch(struct vl_txn *txn, const char *lane, struct vl_outbox_batch *newest)
{
	struct vl_bytes prefix = {(const uint8_t *)lane, strlen(lane) + 1}, key, value;
	struct vl_key beyond =
		row_batch_key(lane, (struct vl_epoch){UINT64_MAX}, (struct vl_seq){UINT64_MAX});
	struct vl_cursor *cursor = vl_cursor_open(txn, BATCH);
	bool found = false;

	bool more = vl_cursor_seek(cursor, vl_key_done(&beyond), &key, &value)
			    ? vl_cursor_prev(cursor, &key, &value)
			    : vl_cursor_last(cursor, &key, &value);
	for (; more && !found && vl_key_has_prefix(key, prefix);
	     more = vl_cursor_prev(cursor, &key, &value))
		found = row_read_batch(key, value, newest) && vl_outbox_intact(newest);
	vl_cursor_close(cursor);
	return found;
}

static enum vl_err begin_anew(struct vl_outbox *outbox, struct vl_txn *txn,
			      const struct vl_lane *known, uint32_t number)
{
	struct outbox_lane *lane = outbox_add_lane(outbox, vl_bytes_of(known->name), number);
	struct vl_outbox_batch newest;
	struct vl_chain chain = {.next_event = {1}};

	if (lane == NULL)
		return VL_ERR_NOMEM;
	if (newest_batch(txn, known->name, &newest)) {
		chain.epoch = newest.epoch;
		chain.digest = newest.digest;
	}
	chain.epoch.n = outbox_new_epoch(outbox, chain.epoch.n);
	outbox_set_chain(lane, &chain);
	lane->freeing = true;
	lane->carry = row_get_carry(txn, lane->name);
	row_put_chain(txn, lane->name, &(struct chain_row){number, chain});
	outbox->repaired++;
	return VL_OK;
}

enum vl_err outbox_repair_chains(struct vl_outbox *outbox, struct vl_txn *txn, size_t damaged)
{
	unsigned orphans;
	uint32_t orphan = 0, beyond;
	enum vl_err err = find_orphans(outbox, txn, &orphans, &orphan, &beyond);

	for (size_t i = 0; i < vl_n_lanes && err == VL_OK; i++) {
		if (outbox->by_roster[i] != NULL ||
		    vl_txn_find(txn, CHAIN, vl_bytes_of(vl_lanes[i].name), NULL) ==
			    VL_ERR_NOT_FOUND)
			continue;
		bool certain = damaged == 1 && orphans == 1;
		err = begin_anew(outbox, txn, &vl_lanes[i], certain ? orphan : beyond++);
	}
	return err != VL_OK ? err : vl_txn_err(txn);
}

/*
 * Events and acks that come into a round (outbox.h).
 */
#include "agent/outbox/outbox_in.h"
#include "bus/wire.h"

#include <string.h>

/* -- a round -- */

enum vl_err vl_outbox_begin(struct vl_outbox *outbox, struct vl_why *why)
{
	struct outbox_round *round = &outbox->rounds[outbox->flying == &outbox->rounds[0]];

	outbox_measure(outbox);
	enum vl_err err = vl_txn_refresh(outbox->known);
	if (err != VL_OK)
		return vl_fail(why, err, "%s", vl_err_text(err));
	outbox->ordered = row_greatest_id(outbox->known, &outbox->greatest);
	for (size_t i = 0; i < 2; i++)
		if (&outbox->rounds[i] != outbox->flying)
			vl_ids_clear(&outbox->rounds[i].ids);
	memset(round->ends, 0, outbox->n_lanes * sizeof(round->ends[0]));
	round->n_given = 0;
	round->added = 0;
	round->empty = true;
	round->now = vl_clock_now(outbox->options.clock);
	outbox->round = round;
	outbox->err = VL_OK;
	outbox_carry_renew(outbox);
	return VL_OK;
}

void outbox_fail(struct vl_outbox *outbox, enum vl_err err)
{
	if (outbox->err == VL_OK)
		outbox->err = err;
}

bool vl_outbox_failed(const struct vl_outbox *outbox)
{
	if (outbox->round == NULL)
		return false;
	return outbox->err != VL_OK || (outbox->txn != NULL && vl_txn_err(outbox->txn) != VL_OK);
}

static struct outbox_lane *meet_lane(struct vl_outbox *outbox, const struct vl_lane *known)
{
	struct outbox_lane *lane = outbox->by_roster[vl_roster_number(known)];

	if (lane != NULL)
		return lane;
	lane = outbox_add_lane(outbox, vl_bytes_of(known->name), outbox->n_lanes);
	if (lane == NULL)
		return NULL;
	struct vl_chain chain = {.epoch = {outbox_new_epoch(outbox, outbox->floor.n)},
				 .next_event = {1}};
	outbox_set_chain(lane, &chain);
	return lane;
}

void outbox_append(struct vl_outbox *outbox, struct outbox_lane *lane, struct vl_bytes event)
{
	struct outbox_round *round = outbox->round;

	round->ends[lane->number].touched = true;
	round->empty = false;
	if (lane->n_events > 0 &&
	    lane->batch.size + vl_batch_event_size(event.size) > outbox->batch_bytes)
		outbox_batch_close(outbox, lane, true);
	if (lane->n_events == 0)
		outbox_batch_open(outbox, lane);
	vl_batch_put_event(&lane->batch, event);
	lane->n_events++;
	lane->chain.next_event.n++;
	outbox->added += outbox_footprint(event.size);
	round->added += outbox_footprint(event.size);
}

/* -- one event -- */

/* The row that an id was given when it first came. CORRUPT, and the round goes on, where it is
 * damaged. */
static enum vl_err find_id(struct vl_outbox *outbox, const struct vl_event_id *id,
			   struct vl_bytes *row)
{
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *found = vl_ids_find(&outbox->rounds[i].ids, id);
		if (found != NULL) {
			*row = (struct vl_bytes){found, VL_IDS_ROW};
			return VL_OK;
		}
	}
	/* Ids begin with the time: most are later than all that are on the disk. */
	if (outbox->ordered && vl_event_id_compare(id, &outbox->greatest) > 0)
		return VL_ERR_NOT_FOUND;
	enum vl_err err = vl_txn_find(outbox->known, EVENT,
				      (struct vl_bytes){id->bytes, sizeof(id->bytes)}, row);
	struct event_row place;
	if (vl_txn_err(outbox->known) != VL_OK)
		outbox_fail(outbox, vl_txn_err(outbox->known));
	if (err == VL_OK && outbox->lost > 0 && row_read_event(*row, &place) &&
	    outbox_lost_event(outbox, &place))
		return VL_ERR_NOT_FOUND;
	return err;
}

static enum vl_err refuse_unknowable(struct vl_why *why)
{
	return vl_fail(why, VL_ERR_CORRUPT,
		       "id: its entry in the outbox is damaged on this disk. So it is unknown "
		       "whether the event was accepted before; if headquarters does not have "
		       "it, publish it with a new id");
}

/* The same id for another event: if it were called a duplicate, its loss would go unnoticed. */
static enum vl_err refuse_reuse(const struct vl_accepted *first, struct vl_why *why)
{
	return vl_fail(why, VL_ERR_INVALID,
		       "id: is that of another event, number %llu of epoch %llu of lane '%s'; "
		       "give this one an id of its own",
		       (unsigned long long)first->event.n, (unsigned long long)first->epoch.n,
		       first->lane);
}

/* The answer that goes with it. */
static enum vl_err repeat_answer(const struct vl_outbox *outbox, struct vl_bytes row,
				 const struct vl_event *event, struct vl_accepted *accepted,
				 struct vl_why *why)
{
	struct event_row first = {0};
	bool good = row_read_event(row, &first) && first.number < outbox->n_lanes;

	if (!good || outbox->lanes[first.number] == NULL)
		return refuse_unknowable(why);
	accepted->lane = outbox->lanes[first.number]->name;
	accepted->epoch = first.epoch;
	accepted->event = first.event;
	accepted->duplicate = true;
	return first.has_gist && first.gist != vl_event_gist(event) ? refuse_reuse(accepted, why)
								    : VL_OK;
}

/* Put the id into an event that came without one. Its own field 1, were it there and empty,
 * would make the field twice. */
static enum vl_err give_id(struct vl_outbox *outbox, struct vl_bytes *event, struct vl_event_id *id,
			   struct vl_why *why)
{
	struct vl_wire wire = vl_wire_open(*event);
	struct vl_wire_field field;

	while (vl_wire_next(&wire, &field))
		if (field.number == 1)
			return vl_fail(why, VL_ERR_INVALID,
				       "id: is there but empty; leave it out or give the 16 "
				       "bytes of a UUID");
	*id = vl_uuid7(outbox->options.clock, outbox->options.rand);
	if (event->size + vl_wire_bytes_size(1, sizeof(id->bytes)) > VL_EVENT_MAX)
		return vl_fail(why, VL_ERR_TOO_LARGE,
			       "event: %zu bytes and an id are more than %zu; carry large "
			       "things beside the bag",
			       event->size, VL_EVENT_MAX);
	vl_buf_reset(&outbox->scratch);
	vl_wire_put_bytes(&outbox->scratch, 1, id->bytes, sizeof(id->bytes));
	vl_buf_put(&outbox->scratch, event->data, event->size);
	*event = vl_buf_bytes(&outbox->scratch);
	return VL_OK;
}

static void tidy_scratch(struct vl_outbox *outbox)
{
	if (outbox->scratch.room > outbox->options.batch_bytes)
		vl_buf_free(&outbox->scratch);
}

/* Whether the event is known by its id from now on. Receipts and pulses come for ever, and are
 * not said again by id: a row for each of them would fill the outbox. */
static bool remembered(const struct vl_lane *lane, bool id_given)
{
	return id_given || !vl_outbox_unreceipted(lane->name);
}

/* Each receipt to a mission says all that the ones before it said: they go with the transaction
 * that this one comes with. */
static void supersede(struct vl_outbox *outbox, const struct vl_lane *known,
		      const struct outbox_lane *lane)
{
	if (known->addressed && known->compacted && vl_outbox_unreceipted(known->name) &&
	    lane->committed.seq.n > 0)
		outbox_free_acked(outbox, lane->name, lane->committed.epoch, lane->committed.seq);
}

static enum vl_err put_event(struct vl_outbox *outbox, const struct vl_lane *known,
			     struct vl_bytes event, bool id_given, uint64_t gist,
			     struct vl_accepted *accepted)
{
	struct outbox_lane *lane = meet_lane(outbox, known);
	uint8_t row[VL_EVENT_ROW];

	if (lane == NULL || vl_buf_failed(&outbox->scratch)) {
		outbox_fail(outbox, VL_ERR_NOMEM);
		return VL_ERR_NOMEM;
	}
	*accepted = (struct vl_accepted){accepted->id, lane->name, lane->chain.epoch,
					 lane->chain.next_event, false};
	row_pack_event(
		&(struct event_row){lane->number, accepted->epoch, accepted->event, gist, true},
		row);
	supersede(outbox, known, lane);
	if (!remembered(known, id_given) || vl_ids_put(&outbox->round->ids, &accepted->id, row))
		outbox_append(outbox, lane, event);
	else
		outbox_fail(outbox, VL_ERR_NOMEM);
	return outbox->err;
}

/* On from the payload's lane to that of the mission which the payload is for. */
static enum vl_err address(const struct vl_event *event, const struct vl_lane **lane,
			   struct vl_why *why)
{
	size_t length;
	struct vl_bytes mission;
	const char *name =
		vl_type_name((const char *)event->type_url.data, event->type_url.size, &length);
	const struct vl_lane *of = *lane;

	if (!of->addressed)
		return VL_OK;
	if (!vl_type_addressee(vl_type_find(name, length), event->payload, &mission))
		return of->broadcast
			       ? VL_OK
			       : vl_fail(why, VL_ERR_INVALID,
					 "payload.mission: is no mission's id; say whom it is for");
	*lane = vl_roster_address(of, mission);
	return *lane != NULL ? VL_OK
			     : vl_fail(why, VL_ERR_FULL,
				       "this agent speaks to more than %zu missions already",
				       VL_ROSTER_ADDRESSED / 2);
}

static enum vl_err accept(struct vl_outbox *outbox, struct vl_bytes bytes, bool own,
			  struct vl_accepted *accepted, struct vl_why *why)
{
	struct vl_event event;
	const struct vl_lane *lane;
	struct vl_bytes row;

	if (outbox->err != VL_OK)
		return outbox->err;
	enum vl_err err = vl_event_check(bytes, &event, &lane, why);
	if (err != VL_OK)
		return err;
	if ((strcmp(lane->name, VL_PULSE_LANE) == 0) != own)
		return vl_fail(
			why, VL_ERR_INVALID,
			"payload: a pulse is the agent's own to give; leave it to the agent");
	if (lane->headquarters && strcmp(outbox->mission, VL_HEADQUARTERS) != 0)
		return vl_fail(why, VL_ERR_INVALID,
			       "payload: '%s' is headquarters' own lane, and this is the agent "
			       "of '%s'; leave it to " VL_HEADQUARTERS,
			       lane->name, outbox->mission);
	err = address(&event, &lane, why);
	if (err != VL_OK)
		return err;
	if (event.id.size == sizeof(accepted->id.bytes)) {
		memcpy(accepted->id.bytes, event.id.data, event.id.size);
		enum vl_err known = find_id(outbox, &accepted->id, &row);
		if (known == VL_OK)
			return repeat_answer(outbox, row, &event, accepted, why);
		if (known == VL_ERR_CORRUPT && outbox->err == VL_OK)
			return refuse_unknowable(why);
	}
	if (!outbox_fits(outbox, lane, bytes.size))
		return outbox_refuse_full(outbox, lane, bytes.size, why);
	if (event.id.size == 0)
		err = give_id(outbox, &bytes, &accepted->id, why);
	if (err == VL_OK && outbox->err == VL_OK)
		err = put_event(outbox, lane, bytes, event.id.size > 0, vl_event_gist(&event),
				accepted);
	tidy_scratch(outbox);
	return err != VL_OK ? err : outbox->err;
}

enum vl_err vl_outbox_accept(struct vl_outbox *outbox, struct vl_bytes event,
			     struct vl_accepted *accepted, struct vl_why *why)
{
	return accept(outbox, event, false, accepted, why);
}

enum vl_err vl_outbox_accept_pulse(struct vl_outbox *outbox, struct vl_bytes event,
				   struct vl_why *why)
{
	struct vl_accepted accepted;

	return accept(outbox, event, true, &accepted, why);
}

/* What the round is to note of a lane; NULL where there is no such lane. */
static struct outbox_end *end_of(struct vl_outbox *outbox, const char *name)
{
	const struct outbox_lane *lane = outbox_find_lane(outbox, name);

	if (lane == NULL)
		return NULL;
	outbox->round->empty = false;
	return &outbox->round->ends[lane->number];
}

void vl_outbox_sent(struct vl_outbox *outbox, const char *name, struct vl_epoch epoch,
		    struct vl_seq seq)
{
	struct outbox_end *end = end_of(outbox, name);

	if (end == NULL)
		return;
	end->sent = true;
	end->sent_epoch = epoch;
	end->sent_seq = seq;
}

void vl_outbox_ack(struct vl_outbox *outbox, const char *name, struct vl_epoch epoch,
		   struct vl_seq seq)
{
	struct outbox_end *end = end_of(outbox, name);

	if (end != NULL) {
		end->acked = true;
		end->acked_epoch = epoch;
		end->acked_seq = seq;
	}
	if (vl_outbox_unreceipted(name))
		outbox_free_acked(outbox, name, epoch, seq);
}

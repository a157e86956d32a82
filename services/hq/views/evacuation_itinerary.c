/*
 * The itinerary: what the people of a leg must know of it, and nothing else, so that it seldom
 * changes.
 *
 * Its facts come from two ends of the leg with two clocks, so nothing here depends on their
 * order, but for the plan, of which the last holds: what has departed has departed.
 */
#include "evacuation.h"

#include <string.h>

static EV(ItineraryRow) *row_of(ProtobufCMessage *row)
{
	return (EV(ItineraryRow) *)row;
}

static void name_operation(struct vl_fold *fold, EV(ItineraryRow) *row, const char *operation)
{
	if (vl_evacuation_is_empty(row->operation))
		row->operation = vl_view_keep_ref(fold, operation);
}

static void take_planned(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const EV(LegPlanned) *planned = (const EV(LegPlanned) *)fact->payload;
	EV(ItineraryRow) *row = row_of(message);
	if (!vl_evacuation_is_empty(planned->operation))
		row->operation = vl_view_keep_ref(fold, planned->operation);
	row->destination = vl_evacuation_keep_place(fold, planned->destination);
}

static void take_departed(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	EV(ItineraryRow) *row = row_of(message);
	name_operation(fold, row, ((const EV(LegDeparted) *)fact->payload)->operation);
	if (!row->departed)
		row->departed_at = vl_view_stamp(fold, fact->occurred_at);
	row->departed = true;
}

static void take_arrived(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	EV(ItineraryRow) *row = row_of(message);
	name_operation(fold, row, ((const EV(LegArrived) *)fact->payload)->operation);
	row->arrived = true;
}

static void take_closed(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	EV(ItineraryRow) *row = row_of(message);
	name_operation(fold, row, ((const EV(LegClosed) *)fact->payload)->operation);
	row->closed = true;
}

static void take_cancelled(struct vl_fold *fold, ProtobufCMessage *message,
			   const struct vl_fact *fact)
{
	EV(ItineraryRow) *row = row_of(message);
	name_operation(fold, row, ((const EV(LegCancelled) *)fact->payload)->operation);
	row->cancelled = true;
}

static void take_opened(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	vl_evacuation_keep_said(fold, fact);
	name_operation(fold, row_of(message), ((const EV(LegOpened) *)fact->payload)->operation);
}

static void take_manifest(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	const EV(ManifestSealed) *manifest = (const EV(ManifestSealed) *)fact->payload;
	EV(ItineraryRow) *row = row_of(message);
	name_operation(fold, row, manifest->operation);
	row->listed = row->listed || manifest->n_persons > 0;
}

static void keep(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	(void)message;
	vl_evacuation_keep_said(fold, fact);
}

/* Only from who planned it, who opened it at its gangway, and headquarters: the leg's row says
 * whose attempt changed nothing (E12). */
static const struct vl_step owned[] = {
	{&EV_TYPE(leg_planned), take_planned},
	{&EV_TYPE(leg_cancelled), take_cancelled},
	{&EV_TYPE(manifest_sealed), take_manifest},
	{NULL, NULL},
};

static const struct vl_step steps[] = {
	{&EV_TYPE(leg_planned), keep},           {&EV_TYPE(leg_opened), take_opened},
	{&EV_TYPE(leg_departed), take_departed}, {&EV_TYPE(leg_arrived), take_arrived},
	{&EV_TYPE(leg_closed), take_closed},     {&EV_TYPE(leg_cancelled), keep},
	{&EV_TYPE(manifest_sealed), keep},       {NULL, NULL},
};

EVACUATION_STEP(itinerary)
{
	vl_view_step(steps, fold, row, fact);
}

EVACUATION_FINISH(itinerary)
{
	EV(ItineraryRow) *itinerary = row_of(row);
	const struct evacuation_owning owning = {.begins = &EV_TYPE(leg_planned),
						 .opens = &EV_TYPE(leg_opened),
						 .theirs = true,
						 .steps = owned};
	const struct evacuation_owners owners = vl_evacuation_owners(fold, &owning);
	vl_evacuation_take_said(fold, row, &owning);
	if (owners.owner != NULL) {
		itinerary->owner = vl_view_keep(fold, owners.owner);
		itinerary->opener = vl_view_keep(fold, owners.opener);
	}
	/* A leg that has arrived has departed, whether or not the port of departure can tell us
	 * yet. */
	itinerary->departed = itinerary->departed || itinerary->arrived;
}

EVACUATION_CONTRIBUTE(itinerary)
{
	(void)row;
	vl_fold_dirty_each(fold, EVACUATION_PERSON, "member/");
	vl_fold_dirty(fold, EVACUATION_LEG, vl_fold_key(fold));
}

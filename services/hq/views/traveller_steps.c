/*
 * One fact on one traveller.
 */
#include "hq/fold/names.h"
#include "hq/views/traveller.h"

#include <string.h>

static TRAVELLER(TravellerRow) *row_of(ProtobufCMessage *row)
{
	return (void *)row;
}

/* A stay that does not say since when begins on the day it was told. */
static TRAVELLER(Stay) *keep_stay(struct vl_fold *fold, const TRAVELLER(Stay) *stay,
				  const struct vl_fact *fact)
{
	TRAVELLER(Stay) *kept = vl_fold_alloc(fold, sizeof(*kept));
	if (kept == NULL)
		return NULL;
	*kept = *stay;
	if (kept->from == NULL)
		kept->from = vl_view_stamp(fold, fact->occurred_at);
	return kept;
}

static void take_registered(struct vl_fold *fold, ProtobufCMessage *message,
			    const struct vl_fact *fact)
{
	const TRAVELLER(TravellerRegistered) *said = (const void *)fact->payload;
	TRAVELLER(TravellerRow) *row = row_of(message);
	row->state = TRAVELLER_STATE(REGISTERED);
	row->kind = said->kind;
	row->mission =
		vl_view_keep_ref(fold, said->mission[0] != '\0' ? said->mission : fact->mission);
	row->people = said->people;
	row->minors = said->minors;
	row->home_province = said->home_province;
	row->organisation = said->organisation;
	row->registered_at = vl_view_stamp(fold, fact->occurred_at);
	row->residence = said->residence == NULL ? NULL : keep_stay(fold, said->residence, fact);
	row->withdrawn_at = NULL;
	row->withdrawn_for = 0;
	row->instead = (char *)(uintptr_t)protobuf_c_empty_string;
}

/* A trip that a withdrawal ends, unless it has ended by then. */
struct planned {
	TRAVELLER(Trip) *trip;
	struct planned *next;
};

static void note_planned(struct vl_fold *fold, TRAVELLER(Trip) *trip)
{
	void **all = vl_fold_slot(fold, TRAVELLER_SLOT_PLANNED);
	struct planned *one = vl_fold_alloc(fold, sizeof(*one));
	if (one == NULL)
		return;
	*one = (struct planned){trip, *all};
	*all = one;
}

/* Its trips end with it, and do not begin again with a new registration. */
static void take_withdrawn(struct vl_fold *fold, ProtobufCMessage *message,
			   const struct vl_fact *fact)
{
	const TRAVELLER(RegistrationWithdrawn) *said = (const void *)fact->payload;
	TRAVELLER(TravellerRow) *row = row_of(message);
	row->state = TRAVELLER_STATE(WITHDRAWN);
	row->withdrawn_for = said->reason;
	row->withdrawn_at = vl_view_stamp(fold, fact->occurred_at);
	row->instead = said->instead;
	void **planned = vl_fold_slot(fold, TRAVELLER_SLOT_PLANNED);
	for (struct planned *one = *planned; one != NULL; one = one->next) {
		if (one->trip->state != TRAVELLER_TRIP(PLANNED))
			continue;
		one->trip->state = TRAVELLER_TRIP(ENDED);
		one->trip->ended_at = row->withdrawn_at;
	}
	*planned = NULL;
}

static void expect_registered(struct vl_fold *fold, TRAVELLER(TravellerRow) *row,
			      const struct vl_fact *fact, const char *what)
{
	if (row->state == TRAVELLER_STATE(WITHDRAWN))
		TRAVELLER_VIOLATION(fold, row, "T5", fact,
				    "%s after the registration was withdrawn", what);
}

static TRAVELLER(Trip) *trip_of(struct vl_fold *fold, TRAVELLER(TravellerRow) *row, char *name)
{
	void **named = vl_names_at(fold, vl_fold_slot(fold, TRAVELLER_SLOT_TRIPS), name);
	if (named == NULL || *named != NULL)
		return named == NULL ? NULL : *named;
	TRAVELLER(Trip) *trip =
		vl_fold_add(fold, TRAVELLER_DESCRIPTOR(trip), &row->n_trips, &row->trips);
	if (trip != NULL)
		trip->trip = name;
	return *named = trip;
}

static void take_planned(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const TRAVELLER(TripPlanned) *said = (const void *)fact->payload;
	TRAVELLER(TravellerRow) *row = row_of(message);
	TRAVELLER(Trip) *trip = trip_of(fold, row, said->trip);
	TRAVELLER(Stay) **stays = vl_fold_alloc(fold, said->n_stays * sizeof(*stays));
	expect_registered(fold, row, fact, "a trip told");
	if (trip == NULL || stays == NULL)
		return;
	if (trip->state != TRAVELLER_TRIP(PLANNED))
		note_planned(fold, trip);
	trip->state = TRAVELLER_TRIP(PLANNED);
	trip->purpose = said->purpose;
	trip->ended_at = NULL;
	trip->stays = stays;
	trip->n_stays = 0;
	for (size_t i = 0; i < said->n_stays; i++) {
		stays[trip->n_stays] = keep_stay(fold, said->stays[i], fact);
		trip->n_stays += stays[trip->n_stays] != NULL;
	}
}

static void take_cancelled(struct vl_fold *fold, ProtobufCMessage *message,
			   const struct vl_fact *fact)
{
	const TRAVELLER(TripCancelled) *said = (const void *)fact->payload;
	TRAVELLER(Trip) *trip = trip_of(fold, row_of(message), said->trip);
	if (trip != NULL)
		trip->state = TRAVELLER_TRIP(CANCELLED);
}

static void take_ended(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const TRAVELLER(TripEnded) *said = (const void *)fact->payload;
	TRAVELLER(Trip) *trip = trip_of(fold, row_of(message), said->trip);
	if (trip == NULL)
		return;
	trip->state = TRAVELLER_TRIP(ENDED);
	trip->ended_at =
		said->ended_at != NULL ? said->ended_at : vl_view_stamp(fold, fact->occurred_at);
}

/* -- answers -- */

TRAVELLER(Answer) *vl_traveller_answer(struct vl_fold *fold, TRAVELLER(TravellerRow) *row,
				       const char *check)
{
	char ref[VL_VIEW_REF];
	(void)vl_view_ref(check, ref);
	void **named = vl_names_at(fold, vl_fold_slot(fold, TRAVELLER_SLOT_ANSWERS), ref);
	if (named == NULL || *named != NULL)
		return named == NULL ? NULL : *named;
	TRAVELLER(Answer) *answer =
		vl_fold_add(fold, TRAVELLER_DESCRIPTOR(answer), &row->n_answers, &row->answers);
	if (answer != NULL)
		answer->check = vl_view_keep(fold, ref);
	return *named = answer;
}

static void take_replied(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const TRAVELLER(SafetyReplied) *said = (const void *)fact->payload;
	TRAVELLER(TravellerRow) *row = row_of(message);
	TRAVELLER(Answer) *answer = vl_traveller_answer(fold, row, said->check);
	expect_registered(fold, row, fact, "an answer");
	if (said->safe == 0 && said->help == 0)
		TRAVELLER_VIOLATION(fold, row, "T4", fact, "an answer for nobody");
	if (answer == NULL)
		return;
	if (answer->answerer == TRAVELLER_SELF && said->answerer != TRAVELLER_SELF) {
		if (said->help < answer->help)
			TRAVELLER_VIOLATION(fold, row, "T8", fact,
					    "their own call for help in %s is taken back",
					    answer->check);
		answer->said_safe = said->safe;
		answer->said_help = said->help;
		return;
	}
	answer->safe = said->safe;
	answer->help = said->help;
	/* Whoever took up an earlier call does not know of this one. */
	if (said->help > 0)
		answer->follow_up = (char *)(uintptr_t)protobuf_c_empty_string;
	answer->said_safe = answer->said_help = 0;
	answer->answerer = said->answerer;
	answer->place = said->place;
	answer->at = vl_view_stamp(fold, fact->occurred_at);
	answer->event = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)fact->id};
}

static void take_help_taken_up(struct vl_fold *fold, ProtobufCMessage *message,
			       const struct vl_fact *fact)
{
	const TRAVELLER(HelpTakenUp) *said = (const void *)fact->payload;
	TRAVELLER(Answer) *answer = vl_traveller_answer(fold, row_of(message), said->check);
	if (answer != NULL)
		answer->follow_up = said->follow_up[0] != '\0' ? said->follow_up : "?";
}

static const struct vl_step steps[] = {
	{TRAVELLER_DESCRIPTOR(traveller_registered), take_registered},
	{TRAVELLER_DESCRIPTOR(registration_withdrawn), take_withdrawn},
	{TRAVELLER_DESCRIPTOR(trip_planned), take_planned},
	{TRAVELLER_DESCRIPTOR(trip_cancelled), take_cancelled},
	{TRAVELLER_DESCRIPTOR(trip_ended), take_ended},
	{TRAVELLER_DESCRIPTOR(safety_replied), take_replied},
	{TRAVELLER_DESCRIPTOR(help_taken_up), take_help_taken_up},
	{NULL, NULL},
};

void vl_traveller_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	TRAVELLER(TravellerRow) *row = row_of(message);
	row->last_event = (char *)(uintptr_t)fact->payload->descriptor->short_name;
	if (row->last_event_at == NULL ||
	    vl_time_compare(vl_view_time(row->last_event_at), fact->occurred_at) < 0)
		row->last_event_at = vl_view_stamp(fold, fact->occurred_at);
	vl_view_step(steps, fold, message, fact);
}

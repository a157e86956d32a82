/*
 * The view of consular.evacuation.v1: which fact belongs to what, and the kinds of row in their
 * rank.
 *
 * registrar     whose a reference is                                                    one a
 * reference itinerary     what a leg's people must know of it
 * one a leg merges        which references are one human (E6)
 * one row, "all" registration  what is said under one reference of a person
 * one a reference person        the human: where he stands, which legs, E3, E7
 * one a reference, too party         E5, for it takes two people
 * one a party leg           the board at the gangway, E2, E4, E10
 * one a leg operation     all people, E1, E8, E10, E11
 * one an operation crisis        its operations together
 * one a crisis
 *
 * News travel upwards: merges tell registrations under whom they count, registrations tell their
 * person, the person tells party, legs and operation, as tallies. One thing travels otherwise:
 * when an itinerary changes (the leg has departed), the people on it have to be folded again,
 * and the itinerary knows them by tallies "member/P-17" that the persons left.
 */
#include "evacuation.h"

#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static void touch_ref(struct vl_touch *touch, unsigned kind, const char *reference)
{
	char ref[VL_VIEW_REF];
	vl_touch(touch, kind, vl_view_ref(reference, ref));
}

static void touch_leg(struct vl_touch *touch, const char *leg)
{
	touch_ref(touch, EVACUATION_ITINERARY, leg);
	touch_ref(touch, EVACUATION_LEG, leg);
}

static void touch_person(struct vl_touch *touch, const char *person)
{
	touch_ref(touch, EVACUATION_REGISTRATION, person);
}

static void touch_registered(struct vl_touch *touch, const char *person)
{
	touch_ref(touch, EVACUATION_REGISTRAR, person);
	touch_person(touch, person);
}

static void touch_operation(struct vl_touch *touch, const char *operation)
{
	touch_ref(touch, EVACUATION_OPERATION, operation);
}

static void touch_crisis(struct vl_touch *touch, const char *crisis)
{
	touch_ref(touch, EVACUATION_CRISIS, crisis);
}

static void touch_merge(struct vl_touch *touch, const char *person)
{
	vl_touch(touch, EVACUATION_MERGES, EVACUATION_ALL);
	touch_person(touch, person);
}

static void touch_merged(struct vl_touch *touch, const char *person)
{
	touch_ref(touch, EVACUATION_REGISTRAR, person);
	touch_merge(touch, person);
}

/* A field of a payload that names an entity, one or many, and what naming it touches. */
struct named {
	const ProtobufCMessageDescriptor *type;
	const char *field;
	void (*touch)(struct vl_touch *touch, const char *reference);
};

static const struct named named[] = {
	{&EV_TYPE(crisis_declared), "crisis", touch_crisis},
	{&EV_TYPE(crisis_ended), "crisis", touch_crisis},
	{&EV_TYPE(operation_opened), "operation", touch_operation},
	{&EV_TYPE(operation_closed), "operation", touch_operation},
	{&EV_TYPE(operation_reopened), "operation", touch_operation},
	{&EV_TYPE(estimate_made), "operation", touch_operation},
	{&EV_TYPE(figure_reported), "operation", touch_operation},
	{&EV_TYPE(figure_reported), "leg", touch_leg},
	{&EV_TYPE(situation_stated), "operation", touch_operation},
	{&EV_TYPE(cumulative_out_corrected), "operation", touch_operation},
	{&EV_TYPE(leg_planned), "leg", touch_leg},
	{&EV_TYPE(leg_opened), "leg", touch_leg},
	{&EV_TYPE(leg_departed), "leg", touch_leg},
	{&EV_TYPE(leg_arrived), "leg", touch_leg},
	{&EV_TYPE(leg_closed), "leg", touch_leg},
	{&EV_TYPE(leg_cancelled), "leg", touch_leg},
	{&EV_TYPE(manifest_sealed), "leg", touch_leg},
	{&EV_TYPE(manifest_sealed), "persons", touch_person},
	{&EV_TYPE(capacity_overridden), "leg", touch_leg},
	{&EV_TYPE(checkpoint_recorded), "person", touch_person},
	{&EV_TYPE(checkpoints_recorded), "persons", touch_person},
	{&EV_TYPE(no_shows_recorded), "persons", touch_person},
	{&EV_TYPE(guardian_overridden), "person", touch_person},
	{&EV_TYPE(person_registered), "person", touch_registered},
	{&EV_TYPE(party_joined), "person", touch_person},
	{&EV_TYPE(contact_recorded), "person", touch_person},
	{&EV_TYPE(wish_recorded), "person", touch_person},
	{&EV_TYPE(whereabouts_noted), "person", touch_person},
	{&EV_TYPE(disposition_recorded), "person", touch_person},
	{&EV_TYPE(disposition_written), "person", touch_person},
	{&EV_TYPE(staging_arrival_recorded), "persons", touch_person},
	{&EV_TYPE(staging_departure_recorded), "persons", touch_person},
	{&EV_TYPE(persons_merged), "person", touch_merged},
	{&EV_TYPE(persons_merged), "kept", touch_merged},
	{&EV_TYPE(persons_unmerged), "person", touch_merge},
	{&EV_TYPE(persons_unmerged), "kept", touch_merge},
	{&EV_TYPE(birth_recorded), "person", touch_registered},
	{&EV_TYPE(death_recorded), "person", touch_person},
};

/* What the subject is where the payload names nothing (evacuation.proto). */
static void touch_subject(struct vl_touch *touch, const struct vl_fact *fact)
{
	static const struct {
		const char *begins;
		void (*touch)(struct vl_touch *touch, const char *reference);
	} subjects[] = {
		{"Crisis", touch_crisis},
		{"Operation", touch_operation},
		{"Estimate", touch_operation},
		{"Figure", touch_operation},
		{"Situation", touch_operation},
		{"Cumulative", touch_operation},
		{"Staging", touch_operation},
		{"PersonRegistered", touch_registered},
		{"Birth", touch_registered},
		{"Leg", touch_leg},
		{"Manifest", touch_leg},
		{"Capacity", touch_leg},
		{"Checkpoint", touch_leg},
		{"NoShows", touch_leg},
		{"", touch_person},
	};
	for (size_t i = 0; i < N_OF(subjects); i++) {
		size_t size = strlen(subjects[i].begins);
		if (strncmp(fact->payload->descriptor->short_name, subjects[i].begins, size) != 0)
			continue;
		subjects[i].touch(touch, fact->subject);
		return;
	}
}

/* Whether it names anything. */
static bool touch_field(struct vl_touch *touch, const struct named *entry,
			const ProtobufCMessage *payload)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(entry->type, entry->field);
	const char *place = (const char *)payload + field->offset;
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		const char *reference = *(char *const *)(const void *)place;
		entry->touch(touch, reference);
		return reference[0] != '\0';
	}
	size_t count =
		*(const size_t *)(const void *)((const char *)payload + field->quantifier_offset);
	char *const *items = *(char *const *const *)(const void *)place;
	for (size_t i = 0; i < count; i++)
		entry->touch(touch, items[i]);
	return count > 0;
}

static void touch_fact(struct vl_touch *touch, const struct vl_fact *fact)
{
	bool belongs = false;
	for (size_t i = 0; i < N_OF(named); i++) {
		if (fact->payload->descriptor == named[i].type)
			belongs = touch_field(touch, &named[i], fact->payload) || belongs;
	}
	if (!belongs)
		touch_subject(touch, fact);
}

static const struct vl_kind kinds[EVACUATION_KINDS] = {
	[EVACUATION_REGISTRAR] =
		{
			.name = "registrar",
			.row = &EV_TYPE(registrar_row),
			.step = vl_evacuation_registrar_step,
			.contribute = vl_evacuation_registrar_contribute,
			.columns = vl_evacuation_registrar_columns,
		},
	[EVACUATION_ITINERARY] =
		{
			.name = "itinerary",
			.row = &EV_TYPE(itinerary_row),
			.step = vl_evacuation_itinerary_step,
			.finish = vl_evacuation_itinerary_finish,
			.contribute = vl_evacuation_itinerary_contribute,
			.columns = vl_evacuation_itinerary_columns,
		},
	[EVACUATION_MERGES] =
		{
			.name = "merges",
			.row = &EV_TYPE(merges_row),
			.step = vl_evacuation_merges_step,
			.finish = vl_evacuation_merges_finish,
			.contribute = vl_evacuation_merges_contribute,
			.columns = vl_evacuation_merges_columns,
		},
	[EVACUATION_REGISTRATION] =
		{
			.name = "registration",
			.row = &EV_TYPE(registration_row),
			.step = vl_evacuation_registration_step,
			.finish = vl_evacuation_registration_finish,
			.contribute = vl_evacuation_registration_contribute,
			.columns = vl_evacuation_registration_columns,
		},
	[EVACUATION_PERSON] =
		{
			.name = "person",
			.row = &EV_TYPE(person_row),
			.finish = vl_evacuation_person_finish,
			.contribute = vl_evacuation_person_contribute,
			.columns = vl_evacuation_person_columns,
		},
	[EVACUATION_PARTY] =
		{
			.name = "party",
			.row = &EV_TYPE(party_row),
			.finish = vl_evacuation_party_finish,
			.contribute = vl_evacuation_party_contribute,
			.columns = vl_evacuation_party_columns,
		},
	[EVACUATION_LEG] =
		{
			.name = "leg",
			.row = &EV_TYPE(leg_row),
			.step = vl_evacuation_leg_step,
			.finish = vl_evacuation_leg_finish,
			.contribute = vl_evacuation_leg_contribute,
			.columns = vl_evacuation_leg_columns,
		},
	[EVACUATION_OPERATION] =
		{
			.name = "operation",
			.row = &EV_TYPE(operation_row),
			.step = vl_evacuation_operation_step,
			.finish = vl_evacuation_operation_finish,
			.contribute = vl_evacuation_operation_contribute,
			.columns = vl_evacuation_operation_columns,
		},
	[EVACUATION_CRISIS] =
		{
			.name = "crisis",
			.row = &EV_TYPE(crisis_row),
			.step = vl_evacuation_crisis_step,
			.finish = vl_evacuation_crisis_finish,
			.columns = vl_evacuation_crisis_columns,
		},
	[EVACUATION_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_evacuation = {
	.lane = "consular.evacuation.v1",
	.noun = "evacuation",
	.kinds = kinds,
	.n_kinds = N_OF(kinds),
	.shown = EVACUATION_LEG,
	.touch = touch_fact,
};

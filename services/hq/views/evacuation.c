/*
 * The view of consular.evacuation.v1.
 *
 *   registrar     whose a reference is                         key: the reference
 *   itinerary     what a leg's people must know of it          key: the leg
 *   merges        which references are one human (E6)          key: "all"
 *   registration  what is said under one reference             key: the reference
 *   person        the human: where he stands, his legs         key: the reference, too
 *   party         people who travel together (E5)              key: the party
 *   leg           the board at the gangway                     key: the leg
 *   operation     all people                                   key: the operation
 *   crisis        its operations together                      key: the crisis
 *
 * News travel upwards: merges tell registrations under whom they count, registrations tell their
 * person, the person tells party, legs and operation, as tallies. One thing travels otherwise:
 * when an itinerary changes (the leg has departed), the people on it have to be folded again,
 * and the itinerary knows them by tallies "member/P-17" that the persons left.
 *
 * On a leg's itinerary nothing depends on the order of its two ends, which have two clocks: what
 * has departed has departed. Of the plan the last holds.
 */
#include "hq/views/evacuation.h"

#include "hq/fold/heads.h"

#include <string.h>

static TEST(names_person, PersonRegistered)
{
	return row->person[0] != '\0';
}

/* clang-format off */

/* -- which row an event belongs to -- */

#define TO(Event, kind, field) {MESSAGE(Event), EVACUATION_##kind, F(Event, field)}
#define TO_LEG(Event) TO(Event, ITINERARY, leg), TO(Event, LEG, leg)
#define TO_REGISTERED(Event, field) TO(Event, REGISTRAR, field), TO(Event, REGISTRATION, field)

static const struct vl_route routes[] = {
	TO(CrisisDeclared, CRISIS, crisis),
	TO(CrisisEnded, CRISIS, crisis),
	TO(OperationOpened, OPERATION, operation),
	TO(OperationClosed, OPERATION, operation),
	TO(OperationReopened, OPERATION, operation),
	TO(EstimateMade, OPERATION, operation),
	TO(FigureReported, OPERATION, operation),
	TO_LEG(FigureReported),
	TO(SituationStated, OPERATION, operation),
	TO(CumulativeOutCorrected, OPERATION, operation),
	TO_LEG(LegPlanned),
	TO_LEG(LegOpened),
	TO_LEG(LegDeparted),
	TO_LEG(LegArrived),
	TO_LEG(LegClosed),
	TO_LEG(LegCancelled),
	TO_LEG(ManifestSealed),
	TO(ManifestSealed, REGISTRATION, persons),
	TO_LEG(CapacityOverridden),
	TO(CheckpointRecorded, REGISTRATION, person),
	TO(CheckpointsRecorded, REGISTRATION, persons),
	TO(NoShowsRecorded, REGISTRATION, persons),
	TO(GuardianOverridden, REGISTRATION, person),
	TO_REGISTERED(PersonRegistered, person),
	{MESSAGE(PersonRegistered), EVACUATION_SOURCE, F(PersonRegistered, source_record),
	 IF(names_person)},
	TO(PartyJoined, REGISTRATION, person),
	TO(ContactRecorded, REGISTRATION, person),
	TO(WishRecorded, REGISTRATION, person),
	TO(WhereaboutsNoted, REGISTRATION, person),
	TO(DispositionRecorded, REGISTRATION, person),
	TO(DispositionWritten, REGISTRATION, person),
	TO(StagingArrivalRecorded, REGISTRATION, persons),
	TO(StagingDepartureRecorded, REGISTRATION, persons),
	TO_REGISTERED(PersonsMerged, person),
	TO_REGISTERED(PersonsMerged, kept),
	TO(PersonsUnmerged, REGISTRATION, person),
	TO(PersonsUnmerged, REGISTRATION, kept),
	TO_REGISTERED(BirthRecorded, person),
	TO(DeathRecorded, REGISTRATION, person),
	END,
};

/* What the subject is where the payload names nothing (evacuation.proto): by how the event's name
 * begins. */
static const struct {
	const char *begins;
	enum evacuation_kind kinds[2];
} subjects[] = {
	{"Crisis", {EVACUATION_CRISIS, EVACUATION_CRISIS}},
	{"Operation", {EVACUATION_OPERATION, EVACUATION_OPERATION}},
	{"Estimate", {EVACUATION_OPERATION, EVACUATION_OPERATION}},
	{"Figure", {EVACUATION_OPERATION, EVACUATION_OPERATION}},
	{"Situation", {EVACUATION_OPERATION, EVACUATION_OPERATION}},
	{"Cumulative", {EVACUATION_OPERATION, EVACUATION_OPERATION}},
	{"Staging", {EVACUATION_OPERATION, EVACUATION_OPERATION}},
	{"PersonRegistered", {EVACUATION_REGISTRAR, EVACUATION_REGISTRATION}},
	{"Birth", {EVACUATION_REGISTRAR, EVACUATION_REGISTRATION}},
	{"Leg", {EVACUATION_ITINERARY, EVACUATION_LEG}},
	{"Manifest", {EVACUATION_ITINERARY, EVACUATION_LEG}},
	{"Capacity", {EVACUATION_ITINERARY, EVACUATION_LEG}},
	{"Checkpoint", {EVACUATION_ITINERARY, EVACUATION_LEG}},
	{"NoShows", {EVACUATION_ITINERARY, EVACUATION_LEG}},
	{"", {EVACUATION_REGISTRATION, EVACUATION_REGISTRATION}},
};

/* clang-format on */

static void touch(struct vl_touch *touch, const struct vl_fact *fact)
{
	const ProtobufCMessageDescriptor *type = fact->payload->descriptor;
	bool named = vl_touched(touch);
	size_t i = 0;
	char ref[VL_VIEW_REF];

	if (type == MESSAGE(PersonsMerged) || type == MESSAGE(PersonsUnmerged))
		vl_touch(touch, EVACUATION_MERGES, EVACUATION_ALL);
	if (named)
		return;
	while (strncmp(type->short_name, subjects[i].begins, strlen(subjects[i].begins)) != 0)
		i++;
	(void)vl_view_ref(fact->subject, ref);
	vl_touch(touch, subjects[i].kinds[0], ref);
	if (subjects[i].kinds[1] != subjects[i].kinds[0])
		vl_touch(touch, subjects[i].kinds[1], ref);
}

/* clang-format off */

/* -- registrar: merges come before registrations, which count under what the merges say -- */

static const struct vl_set registrar_sets[] = {
	{MESSAGE(PersonsMerged), TYPE, F(RegistrarRow, merged), VL_SET},
	{MESSAGE(PersonRegistered), MISSION, F(RegistrarRow, mission), VL_FIRST},
	{MESSAGE(BirthRecorded), MISSION, F(RegistrarRow, mission), VL_FIRST},
	END,
};

/* clang-format on */

static CONTRIBUTE(registrar_contribute, RegistrarRow)
{
	if (row->merged)
		vl_fold_dirty(fold, EVACUATION_MERGES, EVACUATION_ALL);
}

/* clang-format off */

/* -- itinerary: seldom changes -- */

static const struct vl_set itinerary_sets[] = {
	COPY(LegPlanned, ItineraryRow, operation, VL_LAST | VL_REF),
	COPY(LegPlanned, ItineraryRow, destination, VL_EXACTLY),
	COPY(LegOpened, ItineraryRow, operation, VL_FIRST | VL_REF),
	COPY(LegDeparted, ItineraryRow, operation, VL_FIRST | VL_REF),
	{MESSAGE(LegDeparted), OCCURRED, F(ItineraryRow, departed_at), VL_FIRST},
	{MESSAGE(LegDeparted), TYPE, F(ItineraryRow, departed), VL_SET},
	COPY(LegArrived, ItineraryRow, operation, VL_FIRST | VL_REF),
	{MESSAGE(LegArrived), TYPE, F(ItineraryRow, arrived), VL_SET},
	COPY(LegClosed, ItineraryRow, operation, VL_FIRST | VL_REF),
	{MESSAGE(LegClosed), TYPE, F(ItineraryRow, closed), VL_SET},
	COPY(LegCancelled, ItineraryRow, operation, VL_FIRST | VL_REF),
	{MESSAGE(LegCancelled), TYPE, F(ItineraryRow, cancelled), VL_SET},
	COPY(ManifestSealed, ItineraryRow, operation, VL_FIRST | VL_REF),
	END,
};

static const ProtobufCMessageDescriptor *const itinerary_of_owner[] = {
	MESSAGE(LegPlanned), MESSAGE(LegCancelled), MESSAGE(ManifestSealed), NULL};
/* The leg's row says whose attempt changed nothing. */
static const struct vl_owned itinerary_owned = {
	.events = itinerary_of_owner, .begins = MESSAGE(LegPlanned), .opens = MESSAGE(LegOpened),
	.theirs = true};

/* clang-format on */

static STEP(list_people, ItineraryRow, ManifestSealed)
{
	row->listed = row->listed || event->n_persons > 0;
}

static const struct vl_step itinerary_steps[] = {{MESSAGE(ManifestSealed), list_people}, END};

static FINISH(itinerary_finish, ItineraryRow)
{
	const struct vl_owners owners = vl_owners_of(fold, &itinerary_owned);

	if (owners.owner != NULL) {
		row->owner = (char *)(uintptr_t)owners.owner;
		row->opener = vl_view_keep(fold, owners.opener);
	}
	/* A leg that has arrived has departed, whether or not the port of departure can say so
	 * yet. */
	row->departed = row->departed || row->arrived;
}

static CONTRIBUTE(itinerary_contribute, ItineraryRow)
{
	vl_fold_dirty_each(fold, EVACUATION_PERSON, "member/");
	vl_fold_dirty(fold, EVACUATION_LEG, vl_fold_key(fold));
}

/* clang-format off */

/* -- registration -- */

static const struct vl_set registration_sets[] = {
	{ANY_EVENT, TYPE, F(RegistrationRow, facts), VL_COUNT},
	COPY(PersonRegistered, RegistrationRow, operation, VL_LAST | VL_REF),
	{MESSAGE(PersonRegistered), TYPE, F(RegistrationRow, registered), VL_SET},
	COPY(PersonRegistered, RegistrationRow, standing, VL_EXACTLY),
	COPY(PersonRegistered, RegistrationRow, nationality, VL_EXACTLY | VL_REF),
	COPY(PersonRegistered, RegistrationRow, requesting_state, VL_EXACTLY | VL_REF),
	COPY(PersonRegistered, RegistrationRow, age_band, VL_EXACTLY),
	COPY(PersonRegistered, RegistrationRow, party, VL_LAST | VL_REF),
	COPY(PartyJoined, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(PartyJoined, RegistrationRow, party, VL_EXACTLY | VL_REF),
	COPY(BirthRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(BirthRecorded, RegistrationRow, party, VL_FIRST | VL_REF),
	COPY(ContactRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(WishRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(WhereaboutsNoted, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(WhereaboutsNoted, RegistrationRow, whereabouts, VL_EXACTLY),
	COPY(DispositionRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(DispositionWritten, RegistrationRow, operation, VL_FIRST | VL_REF),
	SET(DispositionWritten, disposition, RegistrationRow, written, VL_EXACTLY),
	SET(DispositionWritten, reference, RegistrationRow, written_reference, VL_EXACTLY),
	COPY(StagingArrivalRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(StagingDepartureRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(DeathRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(CheckpointRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(CheckpointsRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(NoShowsRecorded, RegistrationRow, operation, VL_FIRST | VL_REF),
	COPY(GuardianOverridden, RegistrationRow, operation, VL_FIRST | VL_REF),
	END,
};

/* -- leg -- */

static const struct vl_set leg_sets[] = {
	COPY(LegPlanned, LegRow, vehicle, VL_EXACTLY),
	COPY(LegPlanned, LegRow, origin, VL_EXACTLY),
	COPY(LegPlanned, LegRow, destination, VL_EXACTLY),
	COPY(LegPlanned, LegRow, capacity, VL_EXACTLY),
	COPY(LegPlanned, LegRow, planned_departure, VL_EXACTLY),
	COPY(LegPlanned, LegRow, planned_arrival, VL_EXACTLY),
	{MESSAGE(LegOpened), OCCURRED, F(LegRow, opened_at), VL_FIRST},
	{MESSAGE(LegDeparted), OCCURRED, F(LegRow, departed_at), VL_FIRST},
	{MESSAGE(LegArrived), OCCURRED, F(LegRow, arrived_at), VL_FIRST},
	{MESSAGE(LegClosed), OCCURRED, F(LegRow, closed_at), VL_FIRST},
	COPY(LegClosed, LegRow, stated, VL_LAST),
	{MESSAGE(LegCancelled), OCCURRED, F(LegRow, cancelled_at), VL_FIRST},
	COPY(CapacityOverridden, LegRow, allowed, VL_EXACTLY),
	END,
};

static const struct vl_move leg_moves[] = {
	{MESSAGE(LegPlanned), FROM_ANY, LEG_STATUS_PLANNED, NULL}, END};

/* That it opened, left, came and closed is said from both of its ends. */
static const ProtobufCMessageDescriptor *const leg_of_owner[] = {
	MESSAGE(LegPlanned), MESSAGE(LegCancelled), MESSAGE(CapacityOverridden),
	MESSAGE(ManifestSealed), NULL};
static const struct vl_owned leg_owned = {
	.events = leg_of_owner, .begins = MESSAGE(LegPlanned), .opens = MESSAGE(LegOpened),
	.theirs = true, .rule = "E12"};

static const struct vl_field leg_summed[] = {
	F(LegRow, allocated), F(LegRow, checked_in), F(LegRow, boarded),
	F(LegRow, boarded_nationals), F(LegRow, boarded_foreign), F(LegRow, aboard),
	F(LegRow, disembarked), F(LegRow, offloaded), F(LegRow, died), F(LegRow, born),
	F(LegRow, no_shows), F(LegRow, expected_named), F(LegRow, unlisted), END};

/* -- operation -- */

static const struct vl_set operation_sets[] = {
	COPY(OperationOpened, OperationRow, crisis, VL_EXACTLY | VL_REF),
	COPY(OperationOpened, OperationRow, title, VL_EXACTLY),
	COPY(OperationOpened, OperationRow, lead, VL_EXACTLY),
	{MESSAGE(OperationOpened), OCCURRED, F(OperationRow, opened_at), VL_FIRST},
	{MESSAGE(OperationClosed), OCCURRED, F(OperationRow, closed_at), VL_EXACTLY},
	END,
};

static const struct vl_move operation_moves[] = {
	{MESSAGE(OperationOpened), STATE(OPERATION_STATUS_UNSPECIFIED), OPERATION_STATUS_OPEN,
	 NULL},
	{MESSAGE(OperationClosed), FROM_ANY, OPERATION_STATUS_CLOSED, NULL},
	{MESSAGE(OperationReopened), FROM_ANY, OPERATION_STATUS_REOPENED, NULL},
	END,
};

static const ProtobufCMessageDescriptor *const operation_of_owner[] = {
	MESSAGE(OperationOpened), MESSAGE(OperationClosed), MESSAGE(OperationReopened),
	MESSAGE(CumulativeOutCorrected), NULL};
static const struct vl_owned operation_owned = {
	.events = operation_of_owner, .begins = MESSAGE(OperationOpened),
	.lead = F(OperationRow, lead), .rule = "E12"};

static const struct vl_field operation_summed[] = {
	F(OperationRow, references), F(OperationRow, duplicates), F(OperationRow, persons),
	F(OperationRow, nationals), F(OperationRow, foreign),
	F(OperationRow, standing_unknown),
	F(OperationRow, boarded), F(OperationRow, boarded_nationals),
	F(OperationRow, boarded_foreign), F(OperationRow, out_counted),
	F(OperationRow, out_nationals), F(OperationRow, out_foreign), F(OperationRow, legs),
	F(OperationRow, legs_open), END};

static const struct vl_sum crisis_sums[] = {
	{F(CrisisRow, operations)},
	{F(CrisisRow, persons), F(OperationRow, persons)},
	{F(CrisisRow, nationals), F(OperationRow, nationals)},
	{F(CrisisRow, foreign), F(OperationRow, foreign)},
	{F(CrisisRow, out), F(OperationRow, out)},
	{F(CrisisRow, home), F(OperationRow, home)},
	END,
};
static const struct vl_target operation_targets[] = {
	{EVACUATION_CRISIS, .key = F(OperationRow, crisis), .sums = crisis_sums}, END};

/* -- a record of another system -- */

static const struct vl_set source_sets[] = {
	{MESSAGE(PersonRegistered), F(PersonRegistered, person), F(SourceRow, persons), VL_APPEND},
	END,
};
static const struct vl_column source_columns[] = {
	KEY_COLUMN("RECORD"), COLUMN("PERSONS", SourceRow, persons), END};

/* -- crisis -- */

static const struct vl_set crisis_sets[] = {
	COPY(CrisisDeclared, CrisisRow, kind, VL_EXACTLY),
	COPY(CrisisDeclared, CrisisRow, title, VL_EXACTLY),
	COPY(CrisisDeclared, CrisisRow, countries, VL_EXACTLY),
	{MESSAGE(CrisisDeclared), OCCURRED, F(CrisisRow, declared_at), VL_FIRST},
	{MESSAGE(CrisisEnded), OCCURRED, F(CrisisRow, ended_at), VL_EXACTLY},
	END,
};

static const struct vl_move crisis_moves[] = {
	{MESSAGE(CrisisDeclared), FROM_ANY, CRISIS_STATUS_DECLARED, NULL},
	{MESSAGE(CrisisEnded), FROM_ANY, CRISIS_STATUS_ENDED, NULL},
	END,
};

static const ProtobufCMessageDescriptor *const crisis_of_owner[] = {
	MESSAGE(CrisisDeclared), MESSAGE(CrisisEnded), NULL};
static const struct vl_owned crisis_owned = {
	.events = crisis_of_owner, .begins = MESSAGE(CrisisDeclared), .rule = "E12"};

/* -- the rules in words -- */

static const struct vl_rule merges_rules[] = {
	{"E6", "one human counts once, whatever the number of references", IN_C},
	{"E12", "who registered both references, and headquarters, merge them", IN_C}, END};
static const struct vl_rule person_rules[] = {
	{"E3", "a person is aboard one open leg at most", IN_C},
	{"E5", "a minor boards with a guardian of the party, or with a written exception", IN_C},
	{"E7", "a foreign national has a requesting state, and a national has none", IN_C}, END};
static const struct vl_rule leg_rules[] = {
	{"E2", "boarded and born are disembarked, died or aboard", IN_C},
	{"E4", "no more board than there is room", IN_C},
	{"E10", "figures that are reported do not contradict the count", IN_C},
	{"E12", "who planned or opened a leg, and headquarters, plan and cancel it", IN_C}, END};
static const struct vl_rule operation_rules[] = {
	{"E1", "references are persons and duplicates, and each person has one disposition", IN_C},
	{"E8", "an operation closes when each person is settled, or written down", IN_C},
	{"E10", "figures that are reported do not contradict the count", IN_C},
	{"E11", "the number of those out falls only by a correction", IN_C},
	{"E12", "who opened or leads an operation, and headquarters, amend it and close it", IN_C},
	END};
static const struct vl_rule crisis_rules[] = {
	{"E12", "who declared a crisis, and headquarters, amend and end it", IN_C}, END};

/* -- the view -- */

#define IN_FILE(kind)                              \
	.finish = vl_evacuation_##kind##_finish,           \
	.contribute = vl_evacuation_##kind##_contribute,   \
	.columns = vl_evacuation_##kind##_columns

static const struct vl_kind kinds[EVACUATION_KINDS] = {
	[EVACUATION_REGISTRAR] = {
		.name = "registrar", .row = MESSAGE(RegistrarRow), .sets = registrar_sets,
		.contribute = registrar_contribute, .columns = vl_evacuation_registrar_columns},
	[EVACUATION_ITINERARY] = {
		.name = "itinerary", .row = MESSAGE(ItineraryRow), .sets = itinerary_sets,
		.owned = &itinerary_owned, .steps = itinerary_steps, .finish = itinerary_finish,
		.contribute = itinerary_contribute, .columns = vl_evacuation_itinerary_columns},
	[EVACUATION_MERGES] = {
		.name = "merges", .row = MESSAGE(MergesRow), .steps = vl_evacuation_merges_steps,
		.rules = merges_rules, IN_FILE(merges)},
	[EVACUATION_REGISTRATION] = {
		.name = "registration", .row = MESSAGE(RegistrationRow), .sets = registration_sets,
		.steps = vl_evacuation_registration_steps, IN_FILE(registration)},
	[EVACUATION_PERSON] = {
		.name = "person", .row = MESSAGE(PersonRow), .rules = person_rules,
		IN_FILE(person)},
	[EVACUATION_PARTY] = {.name = "party", .row = MESSAGE(PartyRow), IN_FILE(party)},
	[EVACUATION_LEG] = {
		.name = "leg", .row = MESSAGE(LegRow), .state = F(LegRow, status), .sets = leg_sets,
		.moves = leg_moves, .owned = &leg_owned, .steps = vl_evacuation_leg_steps,
		.summed = leg_summed, .rules = leg_rules, IN_FILE(leg)},
	[EVACUATION_OPERATION] = {
		.name = "operation", .row = MESSAGE(OperationRow), .state = F(OperationRow, status),
		.sets = operation_sets, .moves = operation_moves, .owned = &operation_owned,
		.steps = vl_evacuation_operation_steps, .summed = operation_summed,
		.rules = operation_rules, .targets = operation_targets, IN_FILE(operation)},
	[EVACUATION_CRISIS] = {
		.name = "crisis", .row = MESSAGE(CrisisRow), .state = F(CrisisRow, status),
		.sets = crisis_sets, .moves = crisis_moves, .owned = &crisis_owned,
		.rules = crisis_rules, .finish = vl_evacuation_crisis_finish,
		.columns = vl_evacuation_crisis_columns},
	[EVACUATION_SOURCE] = {
		.name = "source", .row = MESSAGE(SourceRow), .sets = source_sets,
		.columns = source_columns},
	[EVACUATION_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_evacuation = {
	.lane = "consular.evacuation.v1", .noun = "evacuation", .kinds = kinds,
	.n_kinds = EVACUATION_KINDS, .shown = EVACUATION_LEG, .references = true,
	.routes = routes, .touch = touch,
};

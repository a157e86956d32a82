/*
 * Columns of `valise evacuation ls`. Nothing here counts; nothing here is personal.
 */
#include "evacuation.h"

#include <inttypes.h>
#include <string.h>

/* The head of a cell's function. */
#define CELL(name) \
	static void name(const char *key, const ProtobufCMessage *row, struct vl_time now, struct vl_buf *out)

/* A column that shows one field as it stands. */
#define NUMBER(name, type, field)                                                        \
	CELL(name)                                                                       \
	{                                                                                \
		(void)key, (void)now;                                                    \
		vl_buf_printf(out, "%" PRId64, (int64_t)((const EV(type) *)row)->field); \
	}
#define TEXT(name, type, field)                                       \
	CELL(name)                                                    \
	{                                                             \
		(void)key, (void)now;                                 \
		vl_buf_put_text(out, ((const EV(type) *)row)->field); \
	}
#define CONSTANT(name, type, field, enumeration)                                                                \
	CELL(name)                                                                                              \
	{                                                                                                       \
		(void)key, (void)now;                                                                           \
		vl_buf_put_text(out, vl_view_name(&EV_TYPE(enumeration), (int)((const EV(type) *)row)->field)); \
	}

static void put_rules(struct vl_buf *out, size_t count, EV(RuleCount) *const *rules)
{
	for (size_t i = 0; i < count; i++)
		vl_buf_printf(out, "%s%s:%" PRId64, i == 0 ? "" : " ", rules[i]->rule, rules[i]->count);
}

/* Each rule once, in the order listed. */
static void put_violations(struct vl_buf *out, size_t count, Valise__V1__Violation *const *violations)
{
	bool first = true;
	for (size_t i = 0; i < count; i++) {
		size_t times = 0, before = 0;
		for (size_t j = 0; j < count; j++) {
			bool same = strcmp(violations[i]->rule, violations[j]->rule) == 0;
			times += same;
			before += same && j < i;
		}
		if (before > 0)
			continue;
		vl_buf_printf(out, "%s%s:%zu", first ? "" : " ", violations[i]->rule, times);
		first = false;
	}
}

#define VIOLATIONS(name, type)                                                                                   \
	CELL(name)                                                                                               \
	{                                                                                                        \
		(void)key, (void)now;                                                                            \
		put_violations(out, ((const EV(type) *)row)->n_violations, ((const EV(type) *)row)->violations); \
	}
#define RULES(name, type)                                                     \
	CELL(name)                                                            \
	{                                                                     \
		(void)key, (void)now;                                         \
		put_rules(out, ((const EV(type) *)row)->n_violations_by_rule, \
			  ((const EV(type) *)row)->violations_by_rule);       \
	}

/* -- registrar -- */

TEXT(registrar_mission, RegistrarRow, mission)

const struct vl_column vl_evacuation_registrar_columns[] = {
	{"REFERENCE", vl_view_put_key},
	{"REGISTERED BY", registrar_mission},
	{NULL, NULL},
};

/* -- itinerary -- */

TEXT(itinerary_operation, ItineraryRow, operation)
NUMBER(itinerary_departed, ItineraryRow, departed)
NUMBER(itinerary_closed, ItineraryRow, closed)

const struct vl_column vl_evacuation_itinerary_columns[] = {
	{"LEG", vl_view_put_key},
	{"OPERATION", itinerary_operation},
	{"DEPARTED", itinerary_departed},
	{"CLOSED", itinerary_closed},
	{NULL, NULL},
};

/* -- merges -- */

NUMBER(merges_count, MergesRow, n_merges)
VIOLATIONS(merges_violations, MergesRow)

const struct vl_column vl_evacuation_merges_columns[] = {
	{"MERGES", vl_view_put_key},
	{"COUNT", merges_count},
	{"VIOLATIONS", merges_violations},
	{NULL, NULL},
};

/* -- registration -- */

TEXT(registration_operation, RegistrationRow, operation)
TEXT(registration_canonical, RegistrationRow, canonical)
TEXT(registration_party, RegistrationRow, party)
CONSTANT(registration_standing, RegistrationRow, standing, standing)
NUMBER(registration_facts, RegistrationRow, facts)

const struct vl_column vl_evacuation_registration_columns[] = {
	{"REFERENCE", vl_view_put_key},
	{"OPERATION", registration_operation},
	{"STANDING", registration_standing},
	{"PARTY", registration_party},
	{"MERGED INTO", registration_canonical},
	{"FACTS", registration_facts},
	{NULL, NULL},
};

/* -- person -- */

TEXT(person_operation, PersonRow, operation)
CONSTANT(person_standing, PersonRow, standing, standing)
TEXT(person_asked_by, PersonRow, requesting_state)
VIOLATIONS(person_violations, PersonRow)

CELL(person_disposition)
{
	const EV(PersonRow) *person = (const EV(PersonRow) *)row;
	(void)key, (void)now;
	vl_buf_put_text(out, vl_view_name(&EV_TYPE(disposition), (int)person->disposition));
	if (!vl_evacuation_is_empty(person->duplicate_of))
		vl_buf_printf(out, " %s", person->duplicate_of);
}

CELL(person_legs)
{
	const EV(PersonRow) *person = (const EV(PersonRow) *)row;
	(void)key, (void)now;
	size_t said = 0;
	for (size_t i = 0; i < person->n_legs; i++) {
		const EV(PersonLeg) *leg = person->legs[i];
		/* Named by a manifest alone that does not count (E12). */
		if (leg->checkpoint == CHECKPOINT(UNSPECIFIED) && !leg->expected && !leg->no_show && !leg->born &&
		    !leg->died)
			continue;
		vl_buf_printf(out, "%s%s", said++ == 0 ? "" : " ", leg->leg);
	}
}

const struct vl_column vl_evacuation_person_columns[] = {
	{"PERSON", vl_view_put_key},         {"OPERATION", person_operation},
	{"DISPOSITION", person_disposition}, {"STANDING", person_standing},
	{"ASKED BY", person_asked_by},       {"LEGS", person_legs},
	{"VIOLATIONS", person_violations},   {NULL, NULL},
};

/* -- party -- */

NUMBER(party_members, PartyRow, members)
VIOLATIONS(party_violations, PartyRow)

const struct vl_column vl_evacuation_party_columns[] = {
	{"PARTY", vl_view_put_key},
	{"MEMBERS", party_members},
	{"VIOLATIONS", party_violations},
	{NULL, NULL},
};

/* -- leg -- */

TEXT(leg_operation, LegRow, operation)
CONSTANT(leg_status, LegRow, status, leg_status)

/* The seats, and where more were allowed on purpose, how many that makes. */
CELL(leg_capacity)
{
	const EV(LegRow) *leg = (const void *)row;
	(void)key, (void)now;
	vl_buf_printf(out, "%" PRId64, (int64_t)leg->capacity);
	if (leg->allowed > leg->capacity)
		vl_buf_printf(out, " (%" PRId64 " allowed)", (int64_t)leg->allowed);
}

NUMBER(leg_aboard, LegRow, aboard)
NUMBER(leg_disembarked, LegRow, disembarked)
VIOLATIONS(leg_violations, LegRow)

CELL(leg_vehicle)
{
	const EV(Vehicle) *vehicle = ((const EV(LegRow) *)row)->vehicle;
	(void)key, (void)now;
	if (vehicle != NULL && !vl_evacuation_is_empty(vehicle->name))
		vl_buf_put_text(out, vehicle->name);
	else if (vehicle != NULL)
		vl_buf_put_text(out, vl_view_name(&EV_TYPE(vehicle_kind), (int)vehicle->kind));
}

CELL(leg_route)
{
	const EV(LegRow) *leg = (const EV(LegRow) *)row;
	(void)key, (void)now;
	if (leg->origin != NULL || leg->destination != NULL)
		vl_buf_printf(out, "%s-%s", leg->origin == NULL ? "?" : leg->origin->name,
			      leg->destination == NULL ? "?" : leg->destination->name);
}

/* "678 (668 + 10)", and a third number for those of whom nobody has said whose nationals they are. */
CELL(leg_boarded)
{
	const EV(LegRow) *leg = (const EV(LegRow) *)row;
	(void)key, (void)now;
	vl_buf_printf(out, "%" PRId64 " (%" PRId64 " + %" PRId64, leg->boarded, leg->boarded_nationals,
		      leg->boarded_foreign);
	if (leg->boarded_unknown != 0)
		vl_buf_printf(out, " + %" PRId64 "?", leg->boarded_unknown);
	vl_buf_put_text(out, ")");
}

const struct vl_column vl_evacuation_leg_columns[] = {
	{"LEG", vl_view_put_key},
	{"OPERATION", leg_operation},
	{"VEHICLE", leg_vehicle},
	{"ROUTE", leg_route},
	{"STATUS", leg_status},
	{"CAPACITY", leg_capacity},
	{"BOARDED", leg_boarded},
	{"ABOARD", leg_aboard},
	{"DISEMBARKED", leg_disembarked},
	{"VIOLATIONS", leg_violations},
	{NULL, NULL},
};

/* -- operation -- */

CONSTANT(operation_status, OperationRow, status, operation_status)
NUMBER(operation_out, OperationRow, out)
NUMBER(operation_home, OperationRow, home)
NUMBER(operation_staging, OperationRow, at_staging)
RULES(operation_violations, OperationRow)

static const EV(Figure) *latest(size_t count, EV(Figure) *const *figures, EV(Measure) measure)
{
	const EV(Figure) *best = NULL;
	for (size_t i = 0; i < count; i++) {
		if (figures[i]->measure == measure &&
		    (best == NULL || vl_time_compare(vl_view_time(figures[i]->as_of), vl_view_time(best->as_of)) > 0))
			best = figures[i];
	}
	return best;
}

static void put_figure(struct vl_buf *out, const EV(Figure) *figure)
{
	if (figure == NULL)
		return;
	if (figure->qualifier == QUALIFIER(ABOUT))
		vl_buf_put_text(out, "~");
	vl_buf_printf(out, "%" PRId64, figure->value);
	if (figure->qualifier == QUALIFIER(AT_LEAST))
		vl_buf_put_text(out, "+");
}

CELL(operation_estimate)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	(void)key, (void)now;
	put_figure(out, latest(operation->n_estimates, operation->estimates, MEASURE(PRESENT)));
}

CELL(operation_reported)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	(void)key, (void)now;
	put_figure(out, latest(operation->n_reports, operation->reports, MEASURE(OUT)));
}

/* Ledger less reported. */
CELL(operation_difference)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	const EV(Figure) *reported = latest(operation->n_reports, operation->reports, MEASURE(OUT));
	(void)key, (void)now;
	if (reported != NULL)
		vl_buf_printf(out, "%+" PRId64, reported->difference);
}

CELL(operation_dispositions)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	(void)key, (void)now;
	for (size_t i = 0; i < operation->n_dispositions; i++)
		vl_buf_printf(out, "%s%s:%" PRId64, i == 0 ? "" : " ",
			      vl_view_name(&EV_TYPE(disposition), (int)operation->dispositions[i]->disposition),
			      operation->dispositions[i]->count);
}

CELL(operation_persons)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	(void)key, (void)now;
	vl_buf_printf(out, "%" PRId64 " (%" PRId64 " + %" PRId64, operation->persons, operation->nationals,
		      operation->foreign);
	if (operation->standing_unknown != 0)
		vl_buf_printf(out, " + %" PRId64 "?", operation->standing_unknown);
	vl_buf_put_text(out, ")");
}

const struct vl_column vl_evacuation_operation_columns[] = {
	{"OPERATION", vl_view_put_key},       {"STATUS", operation_status},
	{"PRESENT EST", operation_estimate},  {"PERSONS", operation_persons},
	{"LEDGER OUT", operation_out},        {"HOME", operation_home},
	{"AT STAGING", operation_staging},    {"BY DISPOSITION", operation_dispositions},
	{"REPORTED", operation_reported},     {"DIFFERENCE", operation_difference},
	{"VIOLATIONS", operation_violations}, {NULL, NULL},
};

/* -- crisis -- */

TEXT(crisis_title, CrisisRow, title)
CONSTANT(crisis_kind, CrisisRow, kind, crisis_kind)
CONSTANT(crisis_status, CrisisRow, status, crisis_status)
NUMBER(crisis_operations, CrisisRow, operations)
NUMBER(crisis_persons, CrisisRow, persons)
NUMBER(crisis_out, CrisisRow, out)
NUMBER(crisis_home, CrisisRow, home)
RULES(crisis_violations, CrisisRow)

const struct vl_column vl_evacuation_crisis_columns[] = {
	{"CRISIS", vl_view_put_key},
	{"TITLE", crisis_title},
	{"KIND", crisis_kind},
	{"STATUS", crisis_status},
	{"OPERATIONS", crisis_operations},
	{"PERSONS", crisis_persons},
	{"OUT", crisis_out},
	{"HOME", crisis_home},
	{"VIOLATIONS", crisis_violations},
	{NULL, NULL},
};

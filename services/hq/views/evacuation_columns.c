/*
 * Columns of `valise evacuation ls`. Nothing here counts; nothing here is personal.
 */
#include "evacuation.h"

#include "consular/evacuation/v1/short.h"

#include <inttypes.h>
#include <string.h>

/* The head of a cell's function. */
#undef CELL
#define CELL(name)                                                                         \
	static void name(const char *key, const ProtobufCMessage *row, struct vl_time now, \
			 struct vl_buf *out)

/* Each rule once, in the order listed. */
static void put_violations(struct vl_buf *out, size_t count,
			   Valise__V1__Violation *const *violations)
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

#define VIOLATIONS(name, type)                                             \
	CELL(name)                                                         \
	{                                                                  \
		(void)key, (void)now;                                      \
		put_violations(out, ((const EV(type) *)row)->n_violations, \
			       ((const EV(type) *)row)->violations);       \
	}

/* -- registrar -- */

const struct vl_column vl_evacuation_registrar_columns[] = {
	KEY_COLUMN("REFERENCE"),
	COLUMN("REGISTERED BY", RegistrarRow, mission),
	END,
};

/* -- itinerary -- */

const struct vl_column vl_evacuation_itinerary_columns[] = {
	KEY_COLUMN("LEG"),
	COLUMN("OPERATION", ItineraryRow, operation),
	COLUMN("DEPARTED", ItineraryRow, departed),
	COLUMN("CLOSED", ItineraryRow, closed),
	END,
};

/* -- merges -- */

VIOLATIONS(merges_violations, MergesRow)

const struct vl_column vl_evacuation_merges_columns[] = {
	KEY_COLUMN("MERGES"),
	LENGTH_COLUMN("COUNT", MergesRow, merges),
	{"VIOLATIONS", merges_violations},
	END,
};

/* -- registration -- */

const struct vl_column vl_evacuation_registration_columns[] = {
	KEY_COLUMN("REFERENCE"),
	COLUMN("OPERATION", RegistrationRow, operation),
	COLUMN("STANDING", RegistrationRow, standing),
	COLUMN("PARTY", RegistrationRow, party),
	COLUMN("MERGED INTO", RegistrationRow, canonical),
	COLUMN("FACTS", RegistrationRow, facts),
	END,
};

/* -- person -- */

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
		if (leg->checkpoint == CHECKPOINT(UNSPECIFIED) && !leg->expected && !leg->no_show &&
		    !leg->born && !leg->died)
			continue;
		vl_buf_printf(out, "%s%s", said++ == 0 ? "" : " ", leg->leg);
	}
}

const struct vl_column vl_evacuation_person_columns[] = {
	KEY_COLUMN("PERSON"),
	COLUMN("OPERATION", PersonRow, operation),
	{"DISPOSITION", person_disposition},
	COLUMN("STANDING", PersonRow, standing),
	COLUMN("ASKED BY", PersonRow, requesting_state),
	{"LEGS", person_legs},
	{"VIOLATIONS", person_violations},
	END,
};

/* -- party -- */

VIOLATIONS(party_violations, PartyRow)

const struct vl_column vl_evacuation_party_columns[] = {
	KEY_COLUMN("PARTY"),
	COLUMN("MEMBERS", PartyRow, members),
	{"VIOLATIONS", party_violations},
	END,
};

/* -- leg -- */

/* The seats, and where more were allowed on purpose, how many that makes. */
CELL(leg_capacity)
{
	const EV(LegRow) *leg = (const void *)row;
	(void)key, (void)now;
	vl_buf_printf(out, "%" PRId64, (int64_t)leg->capacity);
	if (leg->allowed > leg->capacity)
		vl_buf_printf(out, " (%" PRId64 " allowed)", (int64_t)leg->allowed);
}

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

/* "678 (668 + 10)", and a third number for those of whom nobody has said whose nationals they
 * are. */
CELL(leg_boarded)
{
	const EV(LegRow) *leg = (const EV(LegRow) *)row;
	(void)key, (void)now;
	vl_buf_printf(out, "%" PRId64 " (%" PRId64 " + %" PRId64, leg->boarded,
		      leg->boarded_nationals, leg->boarded_foreign);
	if (leg->boarded_unknown != 0)
		vl_buf_printf(out, " + %" PRId64 "?", leg->boarded_unknown);
	vl_buf_put_text(out, ")");
}

const struct vl_column vl_evacuation_leg_columns[] = {
	KEY_COLUMN("LEG"),
	COLUMN("OPERATION", LegRow, operation),
	{"VEHICLE", leg_vehicle},
	{"ROUTE", leg_route},
	COLUMN("STATUS", LegRow, status),
	{"CAPACITY", leg_capacity},
	{"BOARDED", leg_boarded},
	COLUMN("ABOARD", LegRow, aboard),
	COLUMN("DISEMBARKED", LegRow, disembarked),
	{"VIOLATIONS", leg_violations},
	END,
};

/* -- operation -- */

static const EV(Figure) *latest(size_t count, EV(Figure) *const *figures, EV(Measure) measure)
{
	const EV(Figure) *best = NULL;
	for (size_t i = 0; i < count; i++) {
		if (figures[i]->measure == measure &&
		    (best == NULL || vl_time_compare(vl_view_time(figures[i]->as_of),
						     vl_view_time(best->as_of)) > 0))
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
			      vl_view_name(&EV_TYPE(disposition),
					   (int)operation->dispositions[i]->disposition),
			      operation->dispositions[i]->count);
}

CELL(operation_persons)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	(void)key, (void)now;
	vl_buf_printf(out, "%" PRId64 " (%" PRId64 " + %" PRId64, operation->persons,
		      operation->nationals, operation->foreign);
	if (operation->standing_unknown != 0)
		vl_buf_printf(out, " + %" PRId64 "?", operation->standing_unknown);
	vl_buf_put_text(out, ")");
}

const struct vl_column vl_evacuation_operation_columns[] = {
	KEY_COLUMN("OPERATION"),
	COLUMN("STATUS", OperationRow, status),
	{"PRESENT EST", operation_estimate},
	{"PERSONS", operation_persons},
	COLUMN("LEDGER OUT", OperationRow, out),
	COLUMN("HOME", OperationRow, home),
	COLUMN("AT STAGING", OperationRow, at_staging),
	{"BY DISPOSITION", operation_dispositions},
	{"REPORTED", operation_reported},
	{"DIFFERENCE", operation_difference},
	COLUMN("VIOLATIONS", OperationRow, violations_by_rule),
	END,
};

/* -- crisis -- */

const struct vl_column vl_evacuation_crisis_columns[] = {
	KEY_COLUMN("CRISIS"),
	COLUMN("TITLE", CrisisRow, title),
	COLUMN("KIND", CrisisRow, kind),
	COLUMN("STATUS", CrisisRow, status),
	COLUMN("OPERATIONS", CrisisRow, operations),
	COLUMN("PERSONS", CrisisRow, persons),
	COLUMN("OUT", CrisisRow, out),
	COLUMN("HOME", CrisisRow, home),
	COLUMN("VIOLATIONS", CrisisRow, violations_by_rule),
	END,
};

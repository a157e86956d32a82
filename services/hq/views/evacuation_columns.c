/*
 * Columns of `valise evacuation ls`. Nothing here counts; nothing here is personal.
 */
#include "hq/fold/heads.h"
#include "hq/fold/value.h"
#include "hq/views/evacuation.h"

#include <inttypes.h>
#include <string.h>

/* Each rule once, in the order listed, with how often it is broken; of any kind. */
static void put_violations(const char *key, const ProtobufCMessage *row, struct vl_time now,
			   struct vl_buf *out)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(row->descriptor, "violations");
	const struct vl_value list = vl_value_get(row, field);
	Valise__V1__Violation *const *items = list.items;
	(void)key, (void)now;
	for (size_t i = 0, said = 0; i < list.count; i++) {
		size_t times = 0, before = 0;
		for (size_t j = 0; j < list.count; j++) {
			bool same = strcmp(items[i]->rule, items[j]->rule) == 0;
			times += same;
			before += same && j < i;
		}
		if (before == 0)
			vl_buf_printf(out, "%s%s:%zu", said++ == 0 ? "" : " ", items[i]->rule,
				      times);
	}
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

const struct vl_column vl_evacuation_merges_columns[] = {
	KEY_COLUMN("MERGES"),
	LENGTH_COLUMN("COUNT", MergesRow, merges),
	{"VIOLATIONS", put_violations},
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

static CELL(person_disposition, PersonRow)
{
	vl_buf_put_text(out, vl_view_name(MESSAGE(Disposition), (int)row->disposition));
	if (!vl_evacuation_is_empty(row->duplicate_of))
		vl_buf_printf(out, " %s", row->duplicate_of);
}

static CELL(person_legs, PersonRow)
{
	size_t said = 0;
	for (size_t i = 0; i < row->n_legs; i++) {
		const PersonLeg *leg = row->legs[i];
		/* Named by a manifest alone that does not count (E12). */
		if (leg->checkpoint == CHECKPOINT_UNSPECIFIED && !leg->expected && !leg->no_show &&
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
	{"VIOLATIONS", put_violations},
	END,
};

/* -- party -- */

const struct vl_column vl_evacuation_party_columns[] = {
	KEY_COLUMN("PARTY"),
	COLUMN("MEMBERS", PartyRow, members),
	{"VIOLATIONS", put_violations},
	END,
};

/* -- leg -- */

/* The seats, and where more were allowed on purpose, how many that makes. */
static CELL(leg_capacity, LegRow)
{
	vl_buf_printf(out, "%" PRId64, (int64_t)row->capacity);
	if (row->allowed > row->capacity)
		vl_buf_printf(out, " (%" PRId64 " allowed)", (int64_t)row->allowed);
}

static CELL(leg_vehicle, LegRow)
{
	const Vehicle *vehicle = row->vehicle;
	if (vehicle != NULL && !vl_evacuation_is_empty(vehicle->name))
		vl_buf_put_text(out, vehicle->name);
	else if (vehicle != NULL)
		vl_buf_put_text(out, vl_view_name(MESSAGE(VehicleKind), (int)vehicle->kind));
}

static CELL(leg_route, LegRow)
{
	if (row->origin != NULL || row->destination != NULL)
		vl_buf_printf(out, "%s-%s", row->origin == NULL ? "?" : row->origin->name,
			      row->destination == NULL ? "?" : row->destination->name);
}

/* "678 (668 + 10)", and a third number for those of whom nobody has said whose nationals they
 * are. */
static CELL(leg_boarded, LegRow)
{
	vl_buf_printf(out, "%" PRId64 " (%" PRId64 " + %" PRId64, row->boarded,
		      row->boarded_nationals, row->boarded_foreign);
	if (row->boarded_unknown != 0)
		vl_buf_printf(out, " + %" PRId64 "?", row->boarded_unknown);
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
	{"VIOLATIONS", put_violations},
	END,
};

/* -- operation -- */

static const Figure *latest(size_t count, Figure *const *figures, Measure measure)
{
	const Figure *best = NULL;
	for (size_t i = 0; i < count; i++) {
		if (figures[i]->measure == measure &&
		    (best == NULL || vl_time_compare(vl_view_time(figures[i]->as_of),
						     vl_view_time(best->as_of)) > 0))
			best = figures[i];
	}
	return best;
}

static void put_figure(struct vl_buf *out, const Figure *figure)
{
	if (figure == NULL)
		return;
	if (figure->qualifier == QUALIFIER_ABOUT)
		vl_buf_put_text(out, "~");
	vl_buf_printf(out, "%" PRId64, figure->value);
	if (figure->qualifier == QUALIFIER_AT_LEAST)
		vl_buf_put_text(out, "+");
}

static CELL(operation_estimate, OperationRow)
{
	put_figure(out, latest(row->n_estimates, row->estimates, MEASURE_PRESENT));
}

static CELL(operation_reported, OperationRow)
{
	put_figure(out, latest(row->n_reports, row->reports, MEASURE_OUT));
}

/* Ledger less reported. */
static CELL(operation_difference, OperationRow)
{
	const Figure *reported = latest(row->n_reports, row->reports, MEASURE_OUT);
	if (reported != NULL)
		vl_buf_printf(out, "%+" PRId64, reported->difference);
}

static CELL(operation_dispositions, OperationRow)
{
	for (size_t i = 0; i < row->n_dispositions; i++)
		vl_buf_printf(
			out, "%s%s:%" PRId64, i == 0 ? "" : " ",
			vl_view_name(MESSAGE(Disposition), (int)row->dispositions[i]->disposition),
			row->dispositions[i]->count);
}

static CELL(operation_persons, OperationRow)
{
	vl_buf_printf(out, "%" PRId64 " (%" PRId64 " + %" PRId64, row->persons, row->nationals,
		      row->foreign);
	if (row->standing_unknown != 0)
		vl_buf_printf(out, " + %" PRId64 "?", row->standing_unknown);
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

/*
 * Columns of `valise traveller ls`, and what it leaves out. Nothing here is personal.
 */
#include "hq/views/traveller.h"

#include "consular/traveller/v1/short.h"

#include <inttypes.h>
#include <string.h>

/* The head of a cell's function. */
#define CELL(name)                                                                             \
	static void name(const char *key, const ProtobufCMessage *message, struct vl_time now, \
			 struct vl_buf *out)

static void put_days(struct vl_buf *out, const char *from, const char *until)
{
	vl_buf_put_text(out, from);
	if (strcmp(from, until) != 0)
		vl_buf_printf(out, "..%s", until);
}

/* -- asked -- */

CELL(asked_checks)
{
	const TRAVELLER(AskedRow) *row = (const void *)message;
	(void)key, (void)now;
	for (size_t i = 0; i < row->n_asking; i++) {
		vl_buf_printf(out, "%s%s ", i == 0 ? "" : ", ", row->asking[i]->check);
		put_days(out, row->asking[i]->from, row->asking[i]->until);
	}
	if (row->left_out > 0)
		vl_buf_printf(out, ", and %" PRIu32 " that ask no more", row->left_out);
}

const struct vl_column vl_traveller_asked_columns[] = {
	KEY_COLUMN("PLACE"),
	{"CHECKS", asked_checks},
	END,
};

/* -- traveller -- */

CELL(traveller_state)
{
	const TRAVELLER(TravellerRow) *row = (const void *)message;
	(void)key, (void)now;
	vl_buf_put_text(out,
			vl_view_name(TRAVELLER_DESCRIPTOR(registration_state), (int)row->state));
	if (row->withdrawn_for == TRAVELLER_DUPLICATE)
		vl_buf_printf(out, " for %s", row->instead);
}

CELL(traveller_where)
{
	const TRAVELLER(TravellerRow) *row = (const void *)message;
	char today[TRAVELLER_DAY];
	bool first = true;
	(void)key, (void)vl_traveller_day(now, today);
	for (size_t i = 0; i < row->n_presences; i++) {
		if (!vl_traveller_meets(row->presences[i], today, today))
			continue;
		vl_buf_printf(out, "%s%s", first ? "" : " ", row->presences[i]->place);
		first = false;
	}
}

static bool is_open(const TRAVELLER(Answer) *answer)
{
	return answer->silent > 0 || (answer->help > 0 && answer->follow_up[0] == '\0');
}

static void put_part(struct vl_buf *out, uint32_t count, const char *what)
{
	if (count > 0)
		vl_buf_printf(out, " %" PRIu32 " %s", count, what);
}

CELL(traveller_checks)
{
	const TRAVELLER(TravellerRow) *row = (const void *)message;
	(void)key, (void)now;
	for (size_t i = 0; i < row->n_answers; i++) {
		const TRAVELLER(Answer) *answer = row->answers[i];
		vl_buf_printf(out, "%s%s:", i == 0 ? "" : ", ", answer->check);
		put_part(out, answer->help, "HELP");
		put_part(out, answer->safe, "safe");
		put_part(out, answer->silent, "silent");
		if (answer->follow_up[0] != '\0')
			vl_buf_printf(out, " %s", answer->follow_up);
	}
}

const struct vl_column vl_traveller_columns[] = {
	KEY_COLUMN("TRAVELLER"),
	{"STATE", traveller_state},
	COLUMN("KIND", TravellerRow, kind),
	COLUMN("MISSION", TravellerRow, mission),
	COLUMN("PEOPLE", TravellerRow, people),
	{"WHERE", traveller_where},
	{"CHECKS", traveller_checks},
	COLUMN("BREAKS", TravellerRow, violations),
	END,
};

/* Abroad today or later, or not heard of in a check, or breaking a rule. */
bool vl_traveller_listed(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	const TRAVELLER(TravellerRow) *row = (const void *)message;
	char today[TRAVELLER_DAY];
	bool listed = row->n_violations > 0;
	(void)key, (void)vl_traveller_day(now, today);
	for (size_t i = 0; i < row->n_presences && !listed; i++)
		listed = row->presences[i]->until[0] == '\0' ||
			 strcmp(today, row->presences[i]->until) <= 0;
	for (size_t i = 0; i < row->n_answers && !listed; i++)
		listed = is_open(row->answers[i]);
	return listed;
}

/* -- check -- */

CELL(check_state)
{
	const TRAVELLER(CheckRow) *row = (const void *)message;
	(void)key, (void)now;
	vl_buf_put_text(out, row->closed_at != NULL   ? "CLOSED"
			     : row->opened_at != NULL ? "OPEN"
						      : "UNKNOWN");
}

CELL(check_places)
{
	const TRAVELLER(CheckRow) *row = (const void *)message;
	(void)key, (void)now;
	for (size_t i = 0; i < row->n_places; i++) {
		vl_buf_printf(out, "%s%s ", i == 0 ? "" : ", ", row->places[i]->place);
		put_days(out, row->places[i]->from, row->places[i]->until);
	}
}

const struct vl_column vl_traveller_check_columns[] = {
	KEY_COLUMN("CHECK"),
	{"STATE", check_state},
	{"ASKS", check_places},
	COLUMN("ASKED", CheckRow, asked),
	COLUMN("SAFE", CheckRow, safe),
	COLUMN("HELP", CheckRow, help),
	COLUMN("SILENT", CheckRow, silent),
	COLUMN("BEYOND", CheckRow, beyond_safe),
	LENGTH_COLUMN("HELP OPEN", CheckRow, help_open),
	COLUMN("BREAKS", CheckRow, violations),
	END,
};

bool vl_traveller_check_listed(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	const TRAVELLER(CheckRow) *row = (const void *)message;
	(void)key, (void)now;
	return row->closed_at == NULL || row->n_violations > 0;
}

/* -- place -- */

/* Who has arrived by today, less who had left by yesterday. */
static TRAVELLER(Day) day_at(const TRAVELLER(PlaceRow) *row, struct vl_time now)
{
	TRAVELLER(Day) sum = CONSULAR__TRAVELLER__V1__DAY__INIT;
	char today[TRAVELLER_DAY];
	(void)vl_traveller_day(now, today);
	for (size_t i = 0; i < row->n_days; i++) {
		const TRAVELLER(Day) *day = row->days[i];
		int order = strcmp(day->day, today);
		if (order > 0)
			break;
		sum.arriving += day->arriving - (order < 0 ? day->leaving : 0);
		sum.references_arriving +=
			day->references_arriving - (order < 0 ? day->references_leaving : 0);
		sum.leaving = order == 0 ? day->leaving : 0;
	}
	return sum;
}

CELL(place_people)
{
	(void)key;
	vl_buf_printf(out, "%" PRId64, day_at((const void *)message, now).arriving);
}

CELL(place_references)
{
	(void)key;
	vl_buf_printf(out, "%" PRId64, day_at((const void *)message, now).references_arriving);
}

CELL(place_leaving)
{
	(void)key;
	vl_buf_printf(out, "%" PRId64, day_at((const void *)message, now).leaving);
}

const struct vl_column vl_traveller_place_columns[] = {
	KEY_COLUMN("PLACE"),
	{"REFERENCES", place_references},
	{"PEOPLE", place_people},
	{"LEAVING TODAY", place_leaving},
	END,
};

bool vl_traveller_place_listed(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	(void)key;
	return day_at((const void *)message, now).references_arriving > 0;
}

/* -- board -- */

const struct vl_column vl_traveller_board_columns[] = {
	KEY_COLUMN("BOARD"),
	COLUMN("REGISTERED", BoardRow, registered),
	COLUMN("WITHDRAWN", BoardRow, withdrawn),
	COLUMN("UNREGISTERED", BoardRow, unregistered),
	COLUMN("PEOPLE", BoardRow, people),
	COLUMN("BREAKS", BoardRow, violations_by_rule),
	COLUMN("BY KIND", BoardRow, people_by_kind),
	END,
};

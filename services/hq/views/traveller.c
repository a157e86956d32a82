/*
 * The view of consular.traveller.v1.
 *
 *   asked      the checks that ask about a place                        key: the place
 *   traveller  a registration, its trips, its answers                   key: its reference
 *   check      how many are safe, in need of help, silent               key: the check
 *   place      who arrives and leaves, day by day                       key: the place
 *   board      the numbers                                              key: a mission, or "all"
 *
 * Travellers read which checks ask about their places, and add to check, place and board, so that
 * no row walks the travellers. When a check is opened, those in its place have to be folded again:
 * the place knows them by tallies "member/T-17" that they left.
 */
#include "hq/views/traveller.h"
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/traveller_there.h"

#include <inttypes.h>
#include <string.h>

/* What a traveller's fold keeps: trips by name, and those that are planned. A check's: its places.
 * TRAVELLER_SLOT_ANSWERS is another. */
enum { SLOT_TRIPS, SLOT_PLANNED, SLOT_PLACES };

/* clang-format off */

static const struct vl_route routes[] = {
	{MESSAGE(SafetyCheckOpened), TRAVELLER_KIND_CHECK, SUBJECT},
	{MESSAGE(SafetyCheckOpened), TRAVELLER_KIND_ASKED, F(SafetyCheckOpened, place)},
	{MESSAGE(SafetyCheckClosed), TRAVELLER_KIND_CHECK, SUBJECT},
	{OTHER_EVENTS, TRAVELLER_KIND_TRAVELLER, SUBJECT},
	END,
};

static const char *const reads[] = {TRAVELLER_EVACUATIONS, NULL};

/* -- a traveller -- */

static const struct vl_set traveller_sets[] = {
	COPY(TravellerRegistered, TravellerRow, kind, VL_EXACTLY),
	{MESSAGE(TravellerRegistered), MISSION, F(TravellerRow, mission), VL_EXACTLY | VL_REF},
	COPY(TravellerRegistered, TravellerRow, mission, VL_LAST | VL_REF),
	COPY(TravellerRegistered, TravellerRow, people, VL_EXACTLY),
	COPY(TravellerRegistered, TravellerRow, minors, VL_EXACTLY),
	COPY(TravellerRegistered, TravellerRow, home_province, VL_EXACTLY),
	COPY(TravellerRegistered, TravellerRow, organisation, VL_EXACTLY),
	{MESSAGE(TravellerRegistered), OCCURRED, F(TravellerRow, registered_at), VL_EXACTLY},
	{MESSAGE(TravellerRegistered), TYPE, F(TravellerRow, withdrawn_at), VL_CLEAR},
	{MESSAGE(TravellerRegistered), TYPE, F(TravellerRow, withdrawn_for), VL_CLEAR},
	{MESSAGE(TravellerRegistered), TYPE, F(TravellerRow, instead), VL_CLEAR},
	SET(RegistrationWithdrawn, reason, TravellerRow, withdrawn_for, VL_EXACTLY),
	COPY(RegistrationWithdrawn, TravellerRow, instead, VL_EXACTLY),
	{MESSAGE(RegistrationWithdrawn), OCCURRED, F(TravellerRow, withdrawn_at), VL_EXACTLY},
	{ANY_EVENT, OCCURRED, F(TravellerRow, last_event_at), VL_GREATEST},
	{ANY_EVENT, TYPE, F(TravellerRow, last_event), VL_LAST},
	END,
};

static const struct vl_move traveller_moves[] = {
	{MESSAGE(TravellerRegistered), FROM_ANY, REGISTRATION_STATE_REGISTERED, NULL},
	{MESSAGE(RegistrationWithdrawn), FROM_ANY, REGISTRATION_STATE_WITHDRAWN, NULL},
	END,
};

static const struct vl_rule traveller_rules[] = {
	{"T1", "who travels or answers has registered", IN_C},
	{"T2", "a traveller is in one country at a time, but for days of travel", IN_C},
	{"T3", "a stay does not end before it begins", IN_C},
	{"T4", "an answer is for at least one, and for no more people than registered", IN_C},
	{"T5", "a withdrawn registration has no more trips and answers", IN_C},
	{"T8", "a call for help is taken back by who made it alone", IN_C},
	END,
};

/* clang-format on */

/* A stay that does not say since when begins on the day of its report. */
static Stay *keep_stay(struct vl_fold *fold, const Stay *stay, const struct vl_fact *fact)
{
	Stay *kept = vl_fold_alloc(fold, sizeof(*kept));
	if (kept == NULL)
		return NULL;
	*kept = *stay;
	if (kept->from == NULL)
		kept->from = vl_view_stamp(fold, fact->occurred_at);
	return kept;
}

static STEP(registered_again, TravellerRow, TravellerRegistered)
{
	row->residence = event->residence == NULL ? NULL : keep_stay(fold, event->residence, fact);
}

/* A trip that a withdrawal ends, unless it has ended by then. */
struct planned {
	Trip *trip;
	struct planned *next;
};

static void note_planned(struct vl_fold *fold, Trip *trip)
{
	void **all = vl_fold_slot(fold, SLOT_PLANNED);
	struct planned *one = vl_fold_alloc(fold, sizeof(*one));
	if (one == NULL)
		return;
	*one = (struct planned){trip, *all};
	*all = one;
}

/* Its trips end with it, and do not begin again with a new registration. */
static STEP(end_trips, TravellerRow, RegistrationWithdrawn)
{
	void **planned = vl_fold_slot(fold, SLOT_PLANNED);
	for (struct planned *one = *planned; one != NULL; one = one->next) {
		if (one->trip->state != TRIP_STATE_PLANNED)
			continue;
		one->trip->state = TRIP_STATE_ENDED;
		one->trip->ended_at = row->withdrawn_at;
	}
	*planned = NULL;
}

static Trip *trip_of(struct vl_fold *fold, TravellerRow *row, char *name)
{
	Trip *trip =
		vl_names_item(fold, SLOT_TRIPS, name, MESSAGE(Trip), &row->n_trips, &row->trips);
	if (trip != NULL)
		trip->trip = name;
	return trip;
}

static STEP(plan_trip, TravellerRow, TripPlanned)
{
	Trip *trip = trip_of(fold, row, event->trip);
	Stay **stays = vl_fold_alloc(fold, event->n_stays * sizeof(*stays));
	vl_traveller_expect(fold, row, fact, "a trip told");
	if (trip == NULL || stays == NULL)
		return;
	if (trip->state != TRIP_STATE_PLANNED)
		note_planned(fold, trip);
	trip->state = TRIP_STATE_PLANNED;
	trip->purpose = event->purpose;
	trip->ended_at = NULL;
	trip->stays = stays;
	trip->n_stays = 0;
	for (size_t i = 0; i < event->n_stays; i++) {
		stays[trip->n_stays] = keep_stay(fold, event->stays[i], fact);
		trip->n_stays += stays[trip->n_stays] != NULL;
	}
}

static STEP(cancel_trip, TravellerRow, TripCancelled)
{
	Trip *trip = trip_of(fold, row, event->trip);
	if (trip != NULL)
		trip->state = TRIP_STATE_CANCELLED;
}

static STEP(end_trip, TravellerRow, TripEnded)
{
	Trip *trip = trip_of(fold, row, event->trip);
	if (trip == NULL)
		return;
	trip->state = TRIP_STATE_ENDED;
	trip->ended_at =
		event->ended_at != NULL ? event->ended_at : vl_view_stamp(fold, fact->occurred_at);
}

static const struct vl_step traveller_steps[] = {
	{MESSAGE(TravellerRegistered), registered_again},
	{MESSAGE(RegistrationWithdrawn), end_trips},
	{MESSAGE(TripPlanned), plan_trip},
	{MESSAGE(TripCancelled), cancel_trip},
	{MESSAGE(TripEnded), end_trip},
	{MESSAGE(SafetyReplied), vl_traveller_reply},
	{MESSAGE(HelpTakenUp), vl_traveller_take_up},
	END,
};

static FINISH(traveller_finish, TravellerRow)
{
	if (row->people == 0)
		row->people = 1;
	if (row->state == 0)
		BREAKS(fold, row, "T1", NULL, "has not registered");
	vl_traveller_finish_presences(fold, row);
	vl_traveller_leave(fold, row);
	vl_traveller_finish_answers(fold, row);
}

/* -- what a traveller adds to the others -- */

static void add_to_places(struct vl_fold *fold, const TravellerRow *row)
{
	for (size_t i = 0; i < row->n_presences; i++) {
		const Presence *presence = row->presences[i];
		const char *place = presence->place;
		const char *const days[] = {presence->from, presence->until};
		if (i == 0 || strcmp(row->presences[i - 1]->place, place) != 0)
			vl_view_count(fold, TRAVELLER_KIND_ASKED, place, 1, "member/%s",
				      vl_fold_key(fold));
		for (size_t left = 0; left < presence->n_left; left++)
			vl_view_count(fold, TRAVELLER_KIND_PLACE, place, 1, "%s leaving",
				      presence->left[left]->day);
		for (size_t end = 0; end < 2 && days[end][0] != '\0'; end++) {
			const char *what = end == 0 ? "arriving" : "leaving";
			int64_t people = row->people - (end == 0 ? 0 : (int64_t)presence->n_left);
			vl_view_count(fold, TRAVELLER_KIND_PLACE, place, people, "%s %s", days[end],
				      what);
			vl_view_count(fold, TRAVELLER_KIND_PLACE, place, 1, "%s references %s",
				      days[end], what);
		}
	}
}

static CONTRIBUTE(traveller_contribute, TravellerRow)
{
	add_to_places(fold, row);
	for (size_t i = 0; i < row->n_answers; i++)
		vl_traveller_add_to_check(fold, row, row->answers[i]);
}

static TEST(registered, TravellerRow)
{
	return row->state == REGISTRATION_STATE_REGISTERED;
}
static TEST(withdrawn, TravellerRow)
{
	return row->state != REGISTRATION_STATE_REGISTERED && row->withdrawn_at != NULL;
}
static TEST(unregistered, TravellerRow)
{
	return row->state != REGISTRATION_STATE_REGISTERED && row->withdrawn_at == NULL;
}

/* clang-format off */

static const struct vl_sum board_sums[] = {
	{F(BoardRow, registered), .when = IF(registered)},
	{F(BoardRow, withdrawn), .when = IF(withdrawn)},
	{F(BoardRow, unregistered), .when = IF(unregistered)},
	{F(BoardRow, people), F(TravellerRow, people), .when = IF(registered)},
	{F(BoardRow, people_by_kind), F(TravellerRow, people), F(TravellerRow, kind),
	 IF(registered)},
	{F(BoardRow, violations_by_rule), .group = BROKEN_RULES},
	END,
};

static const struct vl_target traveller_targets[] = {
	{TRAVELLER_KIND_BOARD, .fixed = "all", .sums = board_sums},
	{TRAVELLER_KIND_BOARD, .key = F(TravellerRow, mission), .sums = board_sums},
	END,
};

/* -- a check: sums of what the travellers said -- */

static const struct vl_set check_sets[] = {
	{MESSAGE(SafetyCheckOpened), OCCURRED, F(CheckRow, opened_at), VL_FIRST},
	{MESSAGE(SafetyCheckOpened), TYPE, F(CheckRow, closed_at), VL_CLEAR},
	COPY(SafetyCheckOpened, CheckRow, crisis, VL_LAST),
	COPY(SafetyCheckOpened, CheckRow, alert, VL_LAST),
	{MESSAGE(SafetyCheckClosed), OCCURRED, F(CheckRow, closed_at), VL_EXACTLY},
	END,
};

static const ProtobufCMessageDescriptor *const of_owner[] = {
	MESSAGE(SafetyCheckOpened), MESSAGE(SafetyCheckClosed), NULL};
static const struct vl_owned check_owned = {
	.events = of_owner, .begins = MESSAGE(SafetyCheckOpened), .rule = "T11"};

static const struct vl_rule check_rules[] = {
	{"T6", "a check is closed when every call for help has been taken up", IN_C},
	{"T7", "a check that is answered or closed has been opened", IN_C},
	{"T10", "a mission asks about one place in its last 64 checks only", IN_C},
	{"T11", "who opened a check first, and headquarters, open it again or close it", IN_C},
	{"T9", "those asked are not safe, in need of help or silent", .sum = F(CheckRow, asked),
	 .parts = {F(CheckRow, safe), F(CheckRow, help), F(CheckRow, silent)}},
	END,
};

static const struct vl_field check_summed[] = {
	F(CheckRow, references), F(CheckRow, asked), F(CheckRow, safe), F(CheckRow, help),
	F(CheckRow, silent), F(CheckRow, beyond_safe), F(CheckRow, beyond_help),
	F(CheckRow, help_taken_up), F(CheckRow, help_open), END,
};

static const struct vl_sum check_sums[] = {
	{F(BoardRow, violations_by_rule), .group = BROKEN_RULES}, END};
static const struct vl_target check_targets[] = {
	{TRAVELLER_KIND_BOARD, .fixed = "all", .sums = check_sums}, END};

/* clang-format on */

static STEP(ask, CheckRow, SafetyCheckOpened)
{
	char *name = vl_view_keep_ref(fold, event->place);
	Presence *place = vl_names_item(fold, SLOT_PLACES, name, MESSAGE(Presence), &row->n_places,
					&row->places);
	if (place == NULL)
		return;
	struct traveller_days days = vl_traveller_days_of(fold, event, fact);
	place->place = name;
	place->from = days.from;
	place->until = days.until;
}

static const struct vl_step check_steps[] = {{MESSAGE(SafetyCheckOpened), ask}, END};

static FINISH(check_finish, CheckRow)
{
	if (row->n_places == 0)
		BREAKS(fold, row, "T7", NULL, "answered or closed, and never opened");
	if (row->closed_at != NULL && row->n_help_open > 0)
		BREAKS(fold, row, "T6", NULL,
		       "closed while %zu calls for help have not been taken up", row->n_help_open);
	for (size_t i = 0; i < row->n_places; i++) {
		const char *place = row->places[i]->place;
		if (place[0] != '\0' && !vl_traveller_asks(fold, vl_fold_key(fold), place))
			BREAKS(fold, row, "T10", NULL,
			       "asks nobody in %s any more, after %d newer checks", place,
			       TRAVELLER_ASKING_MOST);
	}
}

/* -- the days of a place -- */

struct place {
	struct vl_fold *fold;
	PlaceRow *row;
};

/* "2026-11-23 arriving" and its like; those of one day follow on one another. */
static void add_day(void *context, const char *name, int64_t value)
{
	const struct place *place = context;
	PlaceRow *row = place->row;
	Day *day = row->n_days > 0 ? row->days[row->n_days - 1] : NULL;
	const char *what = strchr(name, ' ');
	if (what == NULL)
		return;
	if (day == NULL || strncmp(day->day, name, (size_t)(what - name)) != 0) {
		day = vl_fold_add(place->fold, MESSAGE(Day), &row->n_days, &row->days);
		if (day == NULL)
			return;
		day->day = vl_fold_printf(place->fold, "%.*s", (int)(what - name), name);
	}
	bool references = strncmp(what, " references", strlen(" references")) == 0;
	int64_t *arriving = references ? &day->references_arriving : &day->arriving;
	int64_t *leaving = references ? &day->references_leaving : &day->leaving;
	*(strstr(what, " arriving") != NULL ? arriving : leaving) = value;
}

static FINISH(place_finish, PlaceRow)
{
	struct place place = {fold, row};
	vl_fold_each_tally(fold, TRAVELLER_KIND_PLACE, vl_fold_key(fold), "", add_day, &place);
}

/* -- what `ls` shows; nothing here is personal -- */

static void put_days(struct vl_buf *out, size_t i, const char *what, const char *from,
		     const char *until)
{
	vl_buf_printf(out, "%s%s %s", i == 0 ? "" : ", ", what, from);
	if (strcmp(from, until) != 0)
		vl_buf_printf(out, "..%s", until);
}

static CELL(asked_checks, AskedRow)
{
	for (size_t i = 0; i < row->n_asking; i++)
		put_days(out, i, row->asking[i]->check, row->asking[i]->from,
			 row->asking[i]->until);
	if (row->left_out > 0)
		vl_buf_printf(out, ", and %" PRIu32 " that ask no more", row->left_out);
}

static CELL(traveller_state, TravellerRow)
{
	vl_buf_put_text(out, vl_view_name(MESSAGE(RegistrationState), (int)row->state));
	if (row->withdrawn_for == WITHDRAWAL_REASON_DUPLICATE)
		vl_buf_printf(out, " for %s", row->instead);
}

static CELL(traveller_where, TravellerRow)
{
	char today[TRAVELLER_DAY];
	bool first = true;
	(void)vl_traveller_day(now, today);
	for (size_t i = 0; i < row->n_presences; i++) {
		if (!vl_traveller_meets(row->presences[i], today, today))
			continue;
		vl_buf_printf(out, "%s%s", first ? "" : " ", row->presences[i]->place);
		first = false;
	}
}

static void put_part(struct vl_buf *out, uint32_t count, const char *what)
{
	if (count > 0)
		vl_buf_printf(out, " %" PRIu32 " %s", count, what);
}

static CELL(traveller_checks, TravellerRow)
{
	for (size_t i = 0; i < row->n_answers; i++) {
		const Answer *answer = row->answers[i];
		vl_buf_printf(out, "%s%s:", i == 0 ? "" : ", ", answer->check);
		put_part(out, answer->help, "HELP");
		put_part(out, answer->safe, "safe");
		put_part(out, answer->silent, "silent");
		if (answer->follow_up[0] != '\0')
			vl_buf_printf(out, " %s", answer->follow_up);
	}
}

/* Abroad today or later, or not heard of in a check, or breaking a rule. */
static LISTED(traveller_listed, TravellerRow)
{
	char today[TRAVELLER_DAY];
	bool listed = row->n_violations > 0;
	(void)vl_traveller_day(now, today);
	for (size_t i = 0; i < row->n_presences && !listed; i++)
		listed = row->presences[i]->until[0] == '\0' ||
			 strcmp(today, row->presences[i]->until) <= 0;
	for (size_t i = 0; i < row->n_answers && !listed; i++)
		listed = row->answers[i]->silent > 0 ||
			 (row->answers[i]->help > 0 && row->answers[i]->follow_up[0] == '\0');
	return listed;
}

static CELL(check_state, CheckRow)
{
	vl_buf_put_text(out, row->closed_at != NULL   ? "CLOSED"
			     : row->opened_at != NULL ? "OPEN"
						      : "UNKNOWN");
}

static CELL(check_places, CheckRow)
{
	for (size_t i = 0; i < row->n_places; i++)
		put_days(out, i, row->places[i]->place, row->places[i]->from,
			 row->places[i]->until);
}

static LISTED(check_listed, CheckRow)
{
	return row->closed_at == NULL || row->n_violations > 0;
}

/* Who has arrived by today, less who had left by yesterday. */
static Day day_at(size_t count, Day *const *days, struct vl_time now)
{
	Day sum = CONSULAR__TRAVELLER__V1__DAY__INIT;
	char today[TRAVELLER_DAY];
	(void)vl_traveller_day(now, today);
	for (size_t i = 0; i < count; i++) {
		const Day *day = days[i];
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

int64_t vl_traveller_there(size_t count, Day *const *days, struct vl_time now)
{
	return day_at(count, days, now).arriving;
}

static CELL(place_references, PlaceRow)
{
	vl_buf_printf(out, "%" PRId64, day_at(row->n_days, row->days, now).references_arriving);
}

static CELL(place_people, PlaceRow)
{
	vl_buf_printf(out, "%" PRId64, day_at(row->n_days, row->days, now).arriving);
}

static CELL(place_leaving, PlaceRow)
{
	vl_buf_printf(out, "%" PRId64, day_at(row->n_days, row->days, now).leaving);
}

static LISTED(place_listed, PlaceRow)
{
	return day_at(row->n_days, row->days, now).references_arriving > 0;
}

/* clang-format off */

static const struct vl_column asked_columns[] = {
	KEY_COLUMN("PLACE"), {"CHECKS", asked_checks}, END};
static const struct vl_column traveller_columns[] = {
	KEY_COLUMN("TRAVELLER"), {"STATE", traveller_state}, COLUMN("KIND", TravellerRow, kind),
	COLUMN("MISSION", TravellerRow, mission), COLUMN("PEOPLE", TravellerRow, people),
	{"WHERE", traveller_where}, {"CHECKS", traveller_checks},
	COLUMN("BREAKS", TravellerRow, violations), END};
static const struct vl_column check_columns[] = {
	KEY_COLUMN("CHECK"), {"STATE", check_state}, {"ASKS", check_places},
	COLUMN("ASKED", CheckRow, asked), COLUMN("SAFE", CheckRow, safe),
	COLUMN("HELP", CheckRow, help), COLUMN("SILENT", CheckRow, silent),
	COLUMN("BEYOND", CheckRow, beyond_safe), LENGTH_COLUMN("HELP OPEN", CheckRow, help_open),
	COLUMN("BREAKS", CheckRow, violations), END};
static const struct vl_column place_columns[] = {
	KEY_COLUMN("PLACE"), {"REFERENCES", place_references}, {"PEOPLE", place_people},
	{"LEAVING TODAY", place_leaving}, END};
static const struct vl_column board_columns[] = {
	KEY_COLUMN("BOARD"), COLUMN("REGISTERED", BoardRow, registered),
	COLUMN("WITHDRAWN", BoardRow, withdrawn), COLUMN("UNREGISTERED", BoardRow, unregistered),
	COLUMN("PEOPLE", BoardRow, people), COLUMN("BREAKS", BoardRow, violations_by_rule),
	COLUMN("BY KIND", BoardRow, people_by_kind), END};

/* -- the view -- */

static const struct vl_kind kinds[TRAVELLER_KINDS] = {
	[TRAVELLER_KIND_ASKED] = {
		.name = "asked", .row = MESSAGE(AskedRow), .steps = vl_traveller_asked_steps,
		.finish = vl_traveller_asked_finish, .contribute = vl_traveller_asked_contribute,
		.columns = asked_columns},
	[TRAVELLER_KIND_TRAVELLER] = {
		.name = "traveller", .row = MESSAGE(TravellerRow), .lookups = vl_traveller_lookups,
		.look = vl_traveller_look, .state = F(TravellerRow, state),
		.sets = traveller_sets, .moves = traveller_moves, .steps = traveller_steps,
		.finish = traveller_finish, .rules = traveller_rules, .targets = traveller_targets,
		.contribute = traveller_contribute, .columns = traveller_columns,
		.listed = traveller_listed, .dated = true},
	[TRAVELLER_KIND_CHECK] = {
		.name = "check", .row = MESSAGE(CheckRow), .sets = check_sets,
		.owned = &check_owned, .steps = check_steps, .summed = check_summed,
		.finish = check_finish, .rules = check_rules, .targets = check_targets,
		.columns = check_columns, .listed = check_listed},
	[TRAVELLER_KIND_PLACE] = {
		.name = "place", .row = MESSAGE(PlaceRow), .finish = place_finish,
		.columns = place_columns, .listed = place_listed, .dated = true},
	[TRAVELLER_KIND_BOARD] = {
		.name = "board", .row = MESSAGE(BoardRow), .columns = board_columns},
	[TRAVELLER_KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_traveller = {
	.lane = "consular.traveller.v1", .noun = "traveller", .kinds = kinds,
	.n_kinds = TRAVELLER_KINDS, .shown = TRAVELLER_KIND_TRAVELLER, .references = true,
	.reads = reads,
	.routes = routes,
};

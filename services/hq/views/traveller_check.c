/*
 * What a safety check has come to, the days of a place, and the numbers: sums of what the
 * travellers said, so that no row here walks them.
 */
#include "hq/fold/names.h"
#include "hq/views/traveller.h"

#include <inttypes.h>
#include <string.h>

/* -- a check -- */

/* The places of a check by name. */
#define SLOT_PLACES 0
#define SLOT_SAID 7

static void take_opened(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const TRAVELLER(SafetyCheckOpened) *said = (const void *)fact->payload;
	TRAVELLER(CheckRow) *row = (void *)message;
	char *name = vl_view_keep_ref(fold, said->place);
	void **named = vl_names_at(fold, vl_fold_slot(fold, SLOT_PLACES), name);
	if (named != NULL && *named == NULL)
		*named = vl_fold_add(fold, TRAVELLER_DESCRIPTOR(presence), &row->n_places,
				     &row->places);
	TRAVELLER(Presence) *place = named == NULL ? NULL : *named;
	if (place == NULL)
		return;
	struct traveller_days days = vl_traveller_days_of(fold, fact);
	place->place = name;
	place->from = days.from;
	place->until = days.until;
	if (row->opened_at == NULL)
		row->opened_at = vl_view_stamp(fold, fact->occurred_at);
	row->closed_at = NULL;
	if (said->crisis[0] != '\0')
		row->crisis = said->crisis;
	if (said->alert[0] != '\0')
		row->alert = said->alert;
}

static void take_closed(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	((TRAVELLER(CheckRow) *)(void *)message)->closed_at =
		vl_view_stamp(fold, fact->occurred_at);
}

/* T11: a check is headquarters' where headquarters has ever opened it, else the first mission's.
 * It is judged when all of it is known: the facts wait in the fold until then. */
struct said {
	const struct vl_fact **facts;
	size_t count;
};

static bool is_headquarters(const struct vl_fact *fact)
{
	return strcmp(fact->mission, TRAVELLER_HQ) == 0;
}

static const char *owner_of(const struct said *said)
{
	const char *owner = NULL;
	for (size_t i = 0; i < said->count; i++) {
		if (said->facts[i]->payload->descriptor !=
		    TRAVELLER_DESCRIPTOR(safety_check_opened))
			continue;
		if (is_headquarters(said->facts[i]))
			return TRAVELLER_HQ;
		if (owner == NULL)
			owner = said->facts[i]->mission;
	}
	return owner;
}

static const struct vl_step check_steps[] = {
	{TRAVELLER_DESCRIPTOR(safety_check_opened), take_opened},
	{TRAVELLER_DESCRIPTOR(safety_check_closed), take_closed},
	{NULL, NULL},
};

void vl_traveller_check_step(struct vl_fold *fold, ProtobufCMessage *message,
			     const struct vl_fact *fact)
{
	(void)message;
	void **slot = vl_fold_slot(fold, SLOT_SAID);
	struct said *said = *slot != NULL ? *slot : (*slot = vl_fold_alloc(fold, sizeof(*said)));
	const struct vl_fact **larger =
		said == NULL ? NULL : vl_view_grow(fold, said->facts, said->count, sizeof(*larger));
	if (larger == NULL)
		return;
	said->facts = larger;
	said->facts[said->count++] = fact;
}

#define TRIED_MAX 16

static void take_said(struct vl_fold *fold, TRAVELLER(CheckRow) *row)
{
	const struct said *said = *vl_fold_slot(fold, SLOT_SAID);
	const char *owner = said == NULL ? NULL : owner_of(said);
	size_t refused = 0;
	for (size_t i = 0; said != NULL && i < said->count; i++) {
		const struct vl_fact *fact = said->facts[i];
		if (owner == NULL || is_headquarters(fact) || strcmp(fact->mission, owner) == 0)
			vl_view_step(check_steps, fold, &row->base, fact);
		else if (refused++ < TRIED_MAX)
			TRAVELLER_VIOLATION(
				fold, row, "T11", fact, "%s by %s changes nothing: it is %s's",
				fact->payload->descriptor->short_name, fact->mission, owner);
	}
}

static void find_places_left_out(struct vl_fold *fold, TRAVELLER(CheckRow) *row)
{
	for (size_t i = 0; i < row->n_places; i++) {
		const char *place = row->places[i]->place;
		if (place[0] != '\0' && !vl_traveller_asks(fold, vl_fold_key(fold), place))
			TRAVELLER_VIOLATION(fold, row, "T10", NULL,
					    "asks nobody in %s any more, after %d newer checks",
					    place, TRAVELLER_ASKING_MOST);
	}
}

static void find_breaks(struct vl_fold *fold, TRAVELLER(CheckRow) *row)
{
	if (row->n_places == 0)
		TRAVELLER_VIOLATION(fold, row, "T7", NULL, "answered or closed, and never opened");
	if (row->closed_at != NULL && row->n_help_open > 0)
		TRAVELLER_VIOLATION(fold, row, "T6", NULL,
				    "closed while %zu calls for help have not been taken up",
				    row->n_help_open);
	if (row->asked != row->safe + row->help + row->silent)
		TRAVELLER_VIOLATION(fold, row, "T9", NULL,
				    "%" PRId64 " asked, but %" PRId64 " safe, %" PRId64
				    " in need and %" PRId64 " silent",
				    row->asked, row->safe, row->help, row->silent);
	find_places_left_out(fold, row);
}

void vl_traveller_check_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	TRAVELLER(CheckRow) *row = (void *)message;
	take_said(fold, row);
	const struct {
		int64_t *field;
		const char *tally;
	} sums[] = {
		{&row->references, "references"},
		{&row->asked, "asked"},
		{&row->safe, "safe"},
		{&row->help, "help"},
		{&row->silent, "silent"},
		{&row->beyond_safe, "beyond safe"},
		{&row->beyond_help, "beyond help"},
	};
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		*sums[i].field =
			vl_fold_tally(fold, TRAVELLER_KIND_CHECK, vl_fold_key(fold), sums[i].tally);
	vl_view_list_counts(fold, TRAVELLER_KIND_CHECK, "taken/", &row->n_help_taken_up,
			    &row->help_taken_up);
	vl_view_list_counts(fold, TRAVELLER_KIND_CHECK, "open/", &row->n_help_open,
			    &row->help_open);
	find_breaks(fold, row);
}

/* -- the days of a place -- */

struct place {
	struct vl_fold *fold;
	TRAVELLER(PlaceRow) *row;
};

/* "2026-11-23 arriving" and its like; those of one day follow on one another. */
static void add_day(void *context, const char *name, int64_t value)
{
	const struct place *place = context;
	TRAVELLER(PlaceRow) *row = place->row;
	TRAVELLER(Day) *day = row->n_days > 0 ? row->days[row->n_days - 1] : NULL;
	const char *what = strchr(name, ' ');
	if (what == NULL)
		return;
	if (day == NULL || strncmp(day->day, name, (size_t)(what - name)) != 0) {
		day = vl_fold_add(place->fold, TRAVELLER_DESCRIPTOR(day), &row->n_days, &row->days);
		if (day == NULL)
			return;
		day->day = vl_fold_printf(place->fold, "%.*s", (int)(what - name), name);
	}
	const struct {
		const char *name;
		int64_t *field;
	} fields[] = {
		{" arriving", &day->arriving},
		{" leaving", &day->leaving},
		{" references arriving", &day->references_arriving},
		{" references leaving", &day->references_leaving},
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, what) == 0)
			*fields[i].field = value;
	}
}

void vl_traveller_place_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	struct place place = {fold, (void *)message};
	vl_fold_each_tally(fold, TRAVELLER_KIND_PLACE, vl_fold_key(fold), "", add_day, &place);
}

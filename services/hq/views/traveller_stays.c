/*
 * Residence and trips as days in places. A stay in a part of a country is one in the country
 * too; where stays in one place meet, they are one presence, so that nobody is counted twice in
 * a place on a day.
 */
#include "hq/views/traveller.h"

#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS 86400
#define FIRST_DAY INT64_C(-719162) /* 0001-01-01 */
#define LAST_DAY INT64_C(2932896)  /* 9999-12-31 */

/* Days since 1970, both included; LAST_DAY + 1 is no end. */
struct span {
	const char *place;
	int64_t from, until;
	bool country;
};

struct spans {
	struct vl_fold *fold;
	struct span *items;
	size_t count, room;
};

static int64_t day_of(struct vl_time time)
{
	int64_t day = time.seconds / DAY_SECONDS - (time.seconds % DAY_SECONDS < 0);
	return day < FIRST_DAY ? FIRST_DAY : day > LAST_DAY ? LAST_DAY : day;
}

char *vl_traveller_day(struct vl_time time, char day[TRAVELLER_DAY])
{
	char text[VL_TIME_TEXT];
	(void)vl_time_format((struct vl_time){day_of(time) * DAY_SECONDS, 0}, text);
	memcpy(day, text, TRAVELLER_DAY - 1);
	day[TRAVELLER_DAY - 1] = '\0';
	return day;
}

char *vl_traveller_keep_day(struct vl_fold *fold, struct vl_time time)
{
	char day[TRAVELLER_DAY];
	return vl_view_keep(fold, vl_traveller_day(time, day));
}

bool vl_traveller_meets(const Presence *presence, const char *from, const char *until)
{
	return strcmp(presence->from, until) <= 0 &&
	       (presence->until[0] == '\0' || strcmp(from, presence->until) <= 0);
}

/* -- from stays to spans -- */

static void add_span(struct spans *spans, const char *place, bool country, int64_t from,
		     int64_t until)
{
	if (place[0] == '\0' || until < from || spans->count == spans->room)
		return;
	char *kept = vl_view_keep_ref(spans->fold, place);
	spans->items[spans->count++] = (struct span){kept, from, until, country};
}

/* Where a stay is, and its days; none where it ends before it begins. */
struct days {
	char country[VL_VIEW_REF], area[VL_VIEW_REF];
	int64_t from, until;
};

/* Nobody is there after `end`; NULL for no end. */
static struct days days_of(struct spans *spans, TravellerRow *row, const Stay *stay,
			   const Google__Protobuf__Timestamp *end)
{
	struct days days = {.from = day_of(vl_view_time(stay->from)), .until = LAST_DAY + 1};
	if (stay->until != NULL)
		days.until = day_of(vl_view_time(stay->until));
	(void)vl_view_ref(stay->country, days.country);
	(void)vl_view_ref(stay->area, days.area);
	if (days.country[0] == '\0' && strlen(days.area) > 2 && days.area[2] == '-')
		memcpy(days.country, days.area, 2);
	if (days.until < days.from)
		BREAKS(spans->fold, row, "T3", NULL, "a stay in %s ends before it begins",
		       days.area[0] != '\0' ? days.area : days.country);
	if (end != NULL && day_of(vl_view_time(end)) < days.until)
		days.until = day_of(vl_view_time(end));
	return days;
}

static void add_days(struct spans *spans, const struct days *days, int64_t from, int64_t until)
{
	add_span(spans, days->country, true, from, until);
	add_span(spans, days->area, false, from, until);
}

static void add_trip(struct spans *spans, TravellerRow *row, const Trip *trip)
{
	for (size_t i = 0; i < trip->n_stays; i++) {
		struct days days = days_of(spans, row, trip->stays[i],
					   trip->state == TRIP_STATE_ENDED ? trip->ended_at : NULL);
		add_days(spans, &days, days.from, days.until);
	}
}

/* -- from spans to presences -- */

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	int order = strcmp(x->place, y->place);
	if (order == 0)
		order = (x->from > y->from) - (x->from < y->from);
	return order != 0 ? order : (x->until > y->until) - (x->until < y->until);
}

/* Spans of one place that meet, or follow on one another, become one. */
static void join(struct spans *spans)
{
	size_t kept = 0;
	qsort(spans->items, spans->count, sizeof(*spans->items), compare_spans);
	for (size_t i = 0; i < spans->count; i++) {
		struct span *last = kept > 0 ? &spans->items[kept - 1] : NULL;
		const struct span *next = &spans->items[i];
		if (last == NULL || strcmp(last->place, next->place) != 0 ||
		    next->from > last->until + 1)
			spans->items[kept++] = *next;
		else if (next->until > last->until)
			last->until = next->until;
	}
	spans->count = kept;
}

static void list(struct vl_fold *fold, TravellerRow *row, const struct span *span)
{
	Presence *presence =
		vl_fold_add(fold, MESSAGE(Presence), &row->n_presences, &row->presences);
	if (presence == NULL)
		return;
	presence->place = (char *)(uintptr_t)span->place;
	presence->from = vl_traveller_keep_day(fold, (struct vl_time){span->from * DAY_SECONDS, 0});
	if (span->until <= LAST_DAY)
		presence->until =
			vl_traveller_keep_day(fold, (struct vl_time){span->until * DAY_SECONDS, 0});
}

/* -- being away -- */

static int compare_from(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	return x->from != y->from ? (x->from < y->from ? -1 : 1) : compare_spans(a, b);
}

/* What the trips say of countries, by the day they begin. */
static struct spans countries_of(const struct spans *trips)
{
	struct spans away = {.fold = trips->fold, .room = trips->count};
	away.items = vl_fold_alloc(away.fold, (away.room + 1) * sizeof(*away.items));
	for (size_t i = 0; away.items != NULL && i < trips->count; i++) {
		if (trips->items[i].country)
			away.items[away.count++] = trips->items[i];
	}
	if (away.count > 0)
		qsort(away.items, away.count, sizeof(*away.items), compare_from);
	return away;
}

/* Each against the one before it that lasts longest: what ends sooner cannot meet it either, nor
 * can one in the same country, as those are joined. */
static void find_two_countries(const struct spans *away, TravellerRow *row)
{
	const struct span *longest = NULL;
	for (size_t i = 0; i < away->count; i++) {
		const struct span *stay = &away->items[i];
		if (longest != NULL && stay->from < longest->until && stay->from < stay->until)
			BREAKS(away->fold, row, "T2", NULL, "in %s and in %s at once",
			       longest->place, stay->place);
		if (longest == NULL || stay->until > longest->until)
			longest = stay;
	}
}

/* The residence, but for the days between going to another country and coming back. Who goes on
 * to a third does not come home between. */
static void add_residence(struct spans *spans, const struct days *home, const struct spans *away)
{
	int64_t at = home->from;
	for (size_t i = 0; i < away->count && away->items[i].from < home->until; i++) {
		const struct span *trip = &away->items[i];
		if (strcmp(trip->place, home->country) == 0 || trip->until <= at)
			continue;
		if (trip->from > at || at == home->from)
			add_days(spans, home, at, trip->from);
		at = trip->until;
	}
	if (at <= LAST_DAY)
		add_days(spans, home, at, home->until);
}

/* -- all of it -- */

static void make_room(struct spans *spans, const TravellerRow *row)
{
	size_t stays = 1;
	for (size_t i = 0; i < row->n_trips; i++)
		stays += row->trips[i]->n_stays;
	/* A trip has its own, and parts the residence once. */
	spans->room = 4 * stays;
	spans->items = vl_fold_alloc(spans->fold, spans->room * sizeof(*spans->items));
}

/* Trips are held against each other only: for them the residence is left. */
void vl_traveller_finish_presences(struct vl_fold *fold, TravellerRow *row)
{
	struct spans spans = {.fold = fold};
	make_room(&spans, row);
	if (spans.items == NULL || row->withdrawn_for == WITHDRAWAL_REASON_DUPLICATE)
		return;
	for (size_t i = 0; i < row->n_trips; i++) {
		if (row->trips[i]->state != TRIP_STATE_CANCELLED)
			add_trip(&spans, row, row->trips[i]);
	}
	join(&spans);
	struct spans away = countries_of(&spans);
	find_two_countries(&away, row);
	if (row->residence != NULL) {
		struct days home = days_of(&spans, row, row->residence, row->withdrawn_at);
		add_residence(&spans, &home, &away);
		join(&spans);
	}
	for (size_t i = 0; i < spans.count; i++)
		list(fold, row, &spans.items[i]);
}

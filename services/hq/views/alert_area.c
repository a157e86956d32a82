/*
 * The level of an area is a function of what has been published (A5): standing levels, each
 * until the next, and alerts, each within its hours and until another message ended it. Where
 * several hold, the highest counts; the level at a point is the highest over the areas that
 * contain it, so that a part may exceed its country and never falls below it (A8).
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/alert.h"

#include <stdio.h>
#include <string.h>

bool vl_alert_higher(RiskColour a, RiskColour b)
{
	return vl_view_rank(MESSAGE(RiskColour), (int)a) >
	       vl_view_rank(MESSAGE(RiskColour), (int)b);
}

bool vl_alert_stronger(Wording a, Wording b)
{
	return vl_view_rank(MESSAGE(Wording), (int)a) > vl_view_rank(MESSAGE(Wording), (int)b);
}

static bool covers(const LevelEntry *entry, struct vl_time at)
{
	return vl_time_compare(vl_view_time(entry->since), at) <= 0 &&
	       (entry->until == NULL || vl_time_compare(at, vl_view_time(entry->until)) < 0);
}

RiskColour vl_alert_area_level_at(const AreaRow *row, struct vl_time at)
{
	RiskColour highest = RISK_COLOUR_UNSPECIFIED;
	for (size_t i = 0; i < row->n_standing; i++) {
		if (covers(row->standing[i], at) &&
		    vl_alert_higher(row->standing[i]->colour, highest))
			highest = row->standing[i]->colour;
	}
	for (size_t i = 0; i < row->n_alerts; i++) {
		if (covers(row->alerts[i], at) && vl_alert_higher(row->alerts[i]->colour, highest))
			highest = row->alerts[i]->colour;
	}
	return highest;
}

Wording vl_alert_area_wording_at(const AreaRow *row, struct vl_time at)
{
	Wording strongest = WORDING_UNSPECIFIED;
	for (size_t i = 0; i < row->n_standing; i++) {
		if (covers(row->standing[i], at) &&
		    vl_alert_stronger(row->standing[i]->wording, strongest))
			strongest = row->standing[i]->wording;
	}
	for (size_t i = 0; i < row->n_alerts; i++) {
		if (covers(row->alerts[i], at) &&
		    vl_alert_stronger(row->alerts[i]->wording, strongest))
			strongest = row->alerts[i]->wording;
	}
	return strongest;
}

RiskColour vl_alert_level_at(const AreaRow *const *rows, size_t count, struct vl_time at)
{
	RiskColour highest = RISK_COLOUR_UNSPECIFIED;
	for (size_t i = 0; i < count; i++) {
		RiskColour level = rows[i] != NULL ? vl_alert_area_level_at(rows[i], at) : highest;
		if (vl_alert_higher(level, highest))
			highest = level;
	}
	return highest;
}

/* -- standing levels -- */

static void describe(AreaRow *row, const AreaLevel *level)
{
	if (level->name[0] != '\0')
		row->name = level->name;
	if (level->n_within > 0) {
		row->n_within = level->n_within;
		row->within = level->within;
	}
}

/* The area is headquarters' where it has ever spoken, else the first mission's. */
static bool may_describe(AreaRow *row, const struct vl_fact *fact)
{
	if (row->owner[0] == '\0' || strcmp(fact->mission, ALERT_HQ) == 0)
		row->owner = (char *)(uintptr_t)fact->mission;
	return strcmp(fact->mission, row->owner) == 0;
}

static LevelEntry *add_standing(struct vl_fold *fold, AreaRow *row, const struct vl_fact *fact,
				Google__Protobuf__Timestamp *since)
{
	LevelEntry *entry =
		vl_fold_add(fold, MESSAGE(LevelEntry), &row->n_standing, &row->standing);
	if (entry == NULL)
		return NULL;
	entry->mission = (char *)(uintptr_t)fact->mission;
	entry->event = vl_view_id(fact);
	entry->since = since != NULL ? since : vl_view_stamp(fold, fact->occurred_at);
	return entry;
}

static STEP(set_country, AreaRow, CountryRiskSet)
{
	LevelEntry *entry = add_standing(fold, row, fact, event->since);
	(void)may_describe(row, fact);
	if (entry != NULL)
		entry->colour = event->colour;
}

static STEP(set_area, AreaRow, AreaLevelSet)
{
	LevelEntry *entry = add_standing(fold, row, fact, event->since);
	bool describes = may_describe(row, fact);
	if (entry == NULL)
		return;
	entry->until = event->until;
	if (event->level == NULL)
		return;
	entry->colour = event->level->colour;
	entry->wording = event->level->wording;
	if (describes)
		describe(row, event->level);
}

const struct vl_step vl_alert_area_steps[] = {
	{MESSAGE(CountryRiskSet), set_country}, {MESSAGE(AreaLevelSet), set_area}, END};

static int since_order(const void *left, const void *right)
{
	const LevelEntry *a = left, *b = right;
	return vl_time_compare(vl_view_time(a->since), vl_view_time(b->since));
}

/* The first time from which headquarters has set the level; NULL where it never has. */
static const Google__Protobuf__Timestamp *taken_over(const AreaRow *row)
{
	const Google__Protobuf__Timestamp *first = NULL;
	for (size_t i = 0; i < row->n_standing; i++) {
		const LevelEntry *entry = row->standing[i];
		if (strcmp(entry->mission, ALERT_HQ) == 0 &&
		    (first == NULL ||
		     vl_time_compare(vl_view_time(entry->since), vl_view_time(first)) < 0))
			first = entry->since;
	}
	return first;
}

/* A9: a mission sets the level of an area that it was the first to set, for the time before
 * headquarters did. */
static void set_aside(struct vl_fold *fold, AreaRow *row)
{
	const Google__Protobuf__Timestamp *from = taken_over(row);
	const char *first = NULL;
	size_t kept = 0;
	for (size_t i = 0; i < row->n_standing; i++) {
		LevelEntry *entry = row->standing[i];
		bool headquarters = strcmp(entry->mission, ALERT_HQ) == 0;
		if (!headquarters && first == NULL)
			first = entry->mission;
		if (headquarters || (strcmp(entry->mission, first) == 0 &&
				     (from == NULL || vl_time_compare(vl_view_time(entry->since),
								      vl_view_time(from)) < 0))) {
			row->standing[kept++] = entry;
			continue;
		}
		struct vl_fact fact = {.id = entry->event.data};
		if (row->refused++ < ALERT_TRIED_MAX)
			BREAKS(fold, row, "A9", &fact,
			       "%s by %s changes nothing: the level is %s's to set",
			       vl_alert_name(MESSAGE(RiskColour), (int)entry->colour),
			       entry->mission, from != NULL ? ALERT_HQ : first);
	}
	row->n_standing = kept;
}

/* Each level until the next begins. Two from the same instant both hold, and disagree where
 * their colours do. */
static void finish_standing(struct vl_fold *fold, AreaRow *row)
{
	size_t next = 0;
	set_aside(fold, row);
	vl_view_sort(fold, row->standing, row->n_standing, since_order);
	for (size_t i = 0; i < row->n_standing; i++) {
		LevelEntry *entry = row->standing[i];
		if (next <= i)
			next = i + 1;
		while (next < row->n_standing && since_order(entry, row->standing[next]) == 0)
			next++;
		if (i + 1 < next && entry->colour != row->standing[i + 1]->colour) {
			struct vl_fact fact = {.id = row->standing[i + 1]->event.data};
			BREAKS(fold, row, "A5", &fact,
			       "%s by %s and %s by %s from the same instant",
			       vl_alert_name(MESSAGE(RiskColour), (int)entry->colour),
			       entry->mission,
			       vl_alert_name(MESSAGE(RiskColour),
					     (int)row->standing[i + 1]->colour),
			       row->standing[i + 1]->mission);
		}
		if (next == row->n_standing)
			continue;
		Google__Protobuf__Timestamp *end = row->standing[next]->since;
		if (entry->until == NULL ||
		    vl_time_compare(vl_view_time(end), vl_view_time(entry->until)) < 0) {
			entry->until = end;
			entry->superseded = true;
		}
	}
}

/* -- alerts -- */

struct alerts {
	struct vl_fold *fold;
	AreaRow *row;
};

static void end_by(LevelEntry *entry, Google__Protobuf__Timestamp *end)
{
	if (end != NULL && (entry->until == NULL ||
			    vl_time_compare(vl_view_time(end), vl_view_time(entry->until)) < 0))
		entry->until = end;
}

static void add_entry(struct vl_fold *fold, AreaRow *row, const AlertRow *alert,
		      const AreaLevel *level)
{
	LevelEntry *entry = vl_fold_add(fold, MESSAGE(LevelEntry), &row->n_alerts, &row->alerts);
	if (entry == NULL)
		return;
	describe(row, level);
	entry->alert = alert->identifier;
	entry->colour = level->colour;
	entry->wording = level->wording;
	entry->since = alert->published_at;
	if (alert->effective != NULL &&
	    vl_time_compare(vl_view_time(alert->effective), vl_view_time(entry->since)) > 0)
		entry->since = alert->effective;
	end_by(entry, alert->expires);
	end_by(entry, alert->expired_at);
	end_by(entry, alert->ended_at);
	entry->cancelled = alert->state == ALERT_STATE_CANCELLED;
	entry->superseded = alert->state == ALERT_STATE_UPDATED;
	entry->mission = alert->mission;
	entry->event = alert->publication;
}

/* An alert's levels of one area, in their order. */
struct level {
	const AreaLevel *said;
	struct level *next;
};

/* An alert of many levels, kept for all the areas that it speaks of. */
struct spread {
	const AlertRow *alert;
	void *by_area; /* struct level */
};

/* Where a list is longer than that, it is kept for the turn. */
#define SHORT_LIST 8

static void spread_out(struct vl_fold *fold, struct spread *spread)
{
	for (size_t i = spread->alert->n_levels; i > 0; i--) {
		const AreaLevel *said = spread->alert->levels[i - 1];
		void **first = vl_names_keep(fold, &spread->by_area, said->area);
		struct level *level = vl_turn_alloc(fold, sizeof(*level));
		if (first == NULL || level == NULL)
			return;
		*level = (struct level){said, *first};
		*first = level;
	}
}

static struct spread *make_spread(struct vl_fold *fold, const char *key)
{
	struct spread *spread = vl_turn_alloc(fold, sizeof(*spread));
	if (spread == NULL)
		return NULL;
	spread->alert = (const void *)vl_turn_row(fold, ALERT_KIND_ALERT, key);
	if (spread->alert != NULL)
		spread_out(fold, spread);
	return spread;
}

static void add_level(struct alerts *alerts, const AlertRow *alert, const AreaLevel *level,
		      const AreaLevel *said)
{
	add_entry(alerts->fold, alerts->row, alert, level);
	if (said == NULL || said->colour == level->colour)
		return;
	struct vl_fact fact = {.id = alert->publication.data};
	BREAKS(alerts->fold, alerts->row, "A5", &fact, "%s gives it both %s and %s",
	       alert->identifier, vl_alert_name(MESSAGE(RiskColour), (int)said->colour),
	       vl_alert_name(MESSAGE(RiskColour), (int)level->colour));
}

static void add_spread(struct alerts *alerts, const struct spread *spread)
{
	const AreaLevel *said = NULL;
	const struct level *level = vl_names_find(&spread->by_area, vl_fold_key(alerts->fold));
	for (; level != NULL; level = level->next) {
		add_level(alerts, spread->alert, level->said, said);
		said = level->said;
	}
}

static void add_alert(void *context, const char *name, int64_t value)
{
	struct alerts *alerts = context;
	struct vl_fold *fold = alerts->fold;
	const char *key = name + strlen("alert/");
	const struct spread *spread = vl_names_find(vl_turn_slot(fold), key);
	const AreaLevel *said = NULL;
	(void)value;
	const AlertRow *alert =
		spread != NULL ? NULL : (const void *)vl_fold_row(fold, ALERT_KIND_ALERT, key);
	if (alert != NULL && alert->n_levels > SHORT_LIST) {
		void **kept = vl_names_keep(fold, vl_turn_slot(fold), key);
		spread = kept == NULL ? NULL : (*kept = make_spread(fold, key));
		alert = NULL;
	}
	if (spread != NULL)
		add_spread(alerts, spread);
	for (size_t i = 0; alert != NULL && i < alert->n_levels; i++) {
		if (strcmp(alert->levels[i]->area, vl_fold_key(fold)) != 0)
			continue;
		add_level(alerts, alert, alert->levels[i], said);
		said = alert->levels[i];
	}
}

FINISH(vl_alert_area_finish, AreaRow)
{
	struct alerts alerts = {fold, row};
	finish_standing(fold, alerts.row);
	vl_fold_each_tally(fold, ALERT_KIND_AREA, vl_fold_key(fold), "alert/", add_alert, &alerts);
}

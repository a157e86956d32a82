/*
 * Where a human stands, concluded from everything that was said of him.
 *
 * The body decides before the paper: who is aboard is in transit, whoever else was last heard of
 * elsewhere, unless a post said so after the boarding. A wish moves only those who have not set
 * out. The dead stay dead until a post says otherwise. Without any of these it is what the
 * contacts and the registration give.
 */
#include "hq/views/evacuation_person.h"

#include <string.h>

/* 1 where a is the later, by time, then by sender and the sender's own count. */
static int compare_senders(const Statement *a, const Statement *b)
{
	int order = vl_time_compare(vl_view_time(a->occurred_at), vl_view_time(b->occurred_at));
	if (order == 0)
		order = strcmp(a->mission, b->mission);
	if (order == 0)
		order = a->epoch < b->epoch ? -1 : a->epoch > b->epoch;
	if (order == 0)
		order = a->event < b->event ? -1 : a->event > b->event;
	return order;
}

bool vl_evacuation_later(const Statement *a, const Statement *b)
{
	if (a == NULL || b == NULL)
		return a != NULL;
	if (strcmp(a->person, b->person) == 0)
		return a->place > b->place;
	return compare_senders(a, b) > 0;
}

PlaceZone vl_evacuation_zone(const struct evacuation_way *way)
{
	if (way->itinerary == NULL || way->itinerary->destination == NULL)
		return PLACE_ZONE_UNSPECIFIED;
	return way->itinerary->destination->zone;
}

/* What being off a leg at its end means. */
static Disposition at_destination(const struct evacuation_way *way, Standing standing)
{
	if (way->facts.handed_over && standing == STANDING_FOREIGN)
		return DISPOSITION_ONWARD_OTHER;
	PlaceZone zone = vl_evacuation_zone(way);
	if (zone == PLACE_ZONE_HOME)
		return DISPOSITION_HOME;
	if (zone == PLACE_ZONE_THIRD_STATE)
		return DISPOSITION_ONWARD_OTHER;
	return zone == PLACE_ZONE_DANGER ? DISPOSITION_WISHES_TO_LEAVE : DISPOSITION_AT_STAGING;
}

static Disposition by_leg(const struct evacuation_way *way, Standing standing)
{
	const PersonLeg *shown = way->shown;
	if (shown->aboard)
		return DISPOSITION_IN_TRANSIT;
	if (way->facts.disembarked || way->facts.handed_over)
		return at_destination(way, standing);
	if (shown->offloaded || shown->no_show)
		return DISPOSITION_WISHES_TO_LEAVE;
	return way->facts.checked_in ? DISPOSITION_CHECKED_IN : DISPOSITION_ALLOCATED;
}

/* The leg that tells where the human is: one that he is aboard of, else the one last heard of. */
static const struct evacuation_way *telling_leg(const struct evacuation_human *human)
{
	const struct evacuation_way *best = NULL;
	for (size_t i = 0; i < human->n_ways; i++) {
		const struct evacuation_way *way = human->ways[i];
		if (way->facts.last == NULL)
			continue;
		if (best == NULL || (way->shown->aboard && !best->shown->aboard) ||
		    (way->shown->aboard == best->shown->aboard &&
		     vl_evacuation_later(way->facts.last, best->facts.last)))
			best = way;
	}
	return best;
}

/* Whether a wish still counts for somebody who stands there. */
static bool may_wish(Disposition disposition, const struct evacuation_way *way)
{
	if (way != NULL && (way->facts.disembarked || way->facts.handed_over))
		return false;
	return disposition <= DISPOSITION_CHECKED_IN;
}

static void stand(struct vl_fold *fold, PersonRow *row, const struct evacuation_human *human)
{
	const struct evacuation_way *way = telling_leg(human);
	const Statement *by = way == NULL ? NULL : way->facts.last;
	if (human->contacted)
		row->disposition = DISPOSITION_CONTACTED;
	else
		row->disposition = human->registered ? DISPOSITION_REGISTERED : DISPOSITION_UNKNOWN;
	if (way != NULL)
		row->disposition = by_leg(way, row->standing);
	if (vl_evacuation_later(human->stated, by)) {
		by = human->stated;
		way = NULL;
		row->disposition = by->disposition;
	}
	if (vl_evacuation_later(human->wish, by) && may_wish(row->disposition, way)) {
		bool stays = human->wish->wish == WISH_STAY;
		row->disposition = stays ? DISPOSITION_STAYS : DISPOSITION_WISHES_TO_LEAVE;
	}
	if (row->disposition != DISPOSITION_AT_STAGING)
		return;
	if (way == NULL)
		row->staging_area = vl_view_keep(fold, by->area);
	else if (way->itinerary != NULL && way->itinerary->destination != NULL)
		row->staging_area = vl_view_keep_ref(fold, way->itinerary->destination->name);
}

/* -- out of danger -- */

static bool leads_out(const struct evacuation_way *way)
{
	return vl_evacuation_is_safe(vl_evacuation_zone(way));
}

static bool is_out_by(const struct evacuation_way *way)
{
	bool off = way->facts.disembarked || way->facts.handed_over;
	bool carried = way->shown->boarded || way->shown->born;
	return leads_out(way) && (off || (carried && way->itinerary->departed));
}

/* Counted out when the leg left, and taken off it by a later word of the dock. */
static bool is_withdrawn_from(const struct evacuation_way *way)
{
	return leads_out(way) && way->shown->offloaded && way->itinerary->departed_at != NULL &&
	       way->facts.gangway != NULL &&
	       vl_time_compare(vl_view_time(way->facts.gangway->occurred_at),
			       vl_view_time(way->itinerary->departed_at)) > 0;
}

void vl_evacuation_conclude(struct vl_fold *fold, PersonRow *row,
			    const struct evacuation_human *human)
{
	bool withdrawn = false;
	row->out = human->ever_out;
	for (size_t i = 0; i < human->n_ways; i++) {
		row->out = row->out || is_out_by(human->ways[i]);
		withdrawn = withdrawn || is_withdrawn_from(human->ways[i]);
		row->boarded = row->boarded || human->ways[i]->shown->boarded;
	}
	row->out_withdrawn = withdrawn && !row->out;
	row->out = row->out || withdrawn;
	if (human->death != NULL)
		row->disposition = DISPOSITION_DECEASED;
	else
		stand(fold, row, human);
}

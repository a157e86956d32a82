/*
 * Who has left by an evacuation (consular.evacuation.v1), and so is no longer where a registration
 * says. A person is one of a reference's people where PersonRegistered.source_record names the
 * reference, or where HelpTakenUp names the person. A human counts once, whatever the references.
 */
#include "consular/evacuation/v1/view.pb-c.h"
#include "hq/fold/names.h"
#include "hq/views/traveller.h"

#include <string.h>

#define EV(name) Consular__Evacuation__V1__##name

enum { SOURCE, PERSON, PERSON_LEGS, LEG, LEG_DESTINATION, LEG_OPENED, LEG_DEPARTED };

const struct vl_lookup vl_traveller_lookups[] = {
	[SOURCE] = {{0}, TRAVELLER_EVACUATIONS, "source", F(EV(SourceRow), persons)},
	[PERSON] = {{0}, TRAVELLER_EVACUATIONS, "person", F(EV(PersonRow), duplicate_of)},
	[PERSON_LEGS] = {{0}, TRAVELLER_EVACUATIONS, "person", F(EV(PersonRow), legs)},
	[LEG] = {{0}, TRAVELLER_EVACUATIONS, "leg", F(EV(LegRow), origin)},
	[LEG_DESTINATION] = {{0}, TRAVELLER_EVACUATIONS, "leg", F(EV(LegRow), destination)},
	[LEG_OPENED] = {{0}, TRAVELLER_EVACUATIONS, "leg", F(EV(LegRow), opened_at)},
	[LEG_DEPARTED] = {{0}, TRAVELLER_EVACUATIONS, "leg", F(EV(LegRow), departed_at)},
	END,
};

/* -- who, and from where -- */

struct gathering {
	struct vl_fold *fold;
	TravellerRow *row;
	void *humans; /* by name */
};

static const char *country_of(const EV(Place) *place)
{
	return place != NULL ? place->country : "";
}

/* A leg within one country takes nobody out of it. */
static void add_leg(struct gathering *g, const char *person, const char *name)
{
	const EV(LegRow) *leg = (const void *)vl_fold_look(g->fold, LEG, name);
	const char *from = leg != NULL ? country_of(leg->origin) : "";
	if (from[0] == '\0' || strcmp(from, country_of(leg->destination)) == 0)
		return;
	const Google__Protobuf__Timestamp *at =
		leg->departed_at != NULL ? leg->departed_at : leg->opened_at;
	Evacuated *evacuated = at == NULL ? NULL
					  : vl_fold_add(g->fold, MESSAGE(Evacuated),
							&g->row->n_evacuated, &g->row->evacuated);
	if (evacuated == NULL)
		return;
	evacuated->person = vl_view_keep(g->fold, person);
	evacuated->leg = vl_view_keep(g->fold, name);
	evacuated->country = (char *)(uintptr_t)from;
	evacuated->day = vl_traveller_keep_day(g->fold, vl_view_time(at));
}

static void add_human(struct gathering *g, const char *name)
{
	const EV(PersonRow) *person = (const void *)vl_fold_look(g->fold, PERSON, name);
	if (person != NULL && person->duplicate_of[0] != '\0') {
		name = person->duplicate_of;
		person = (const void *)vl_fold_look(g->fold, PERSON, name);
	}
	void **known = person != NULL ? vl_names_at(g->fold, &g->humans, name) : NULL;
	if (known == NULL || *known != NULL)
		return;
	*known = g;
	for (size_t i = 0; i < person->n_legs; i++)
		if (person->legs[i]->boarded)
			add_leg(g, name, person->legs[i]->leg);
}

static int by_day(const void *left, const void *right)
{
	const Evacuated *a = left, *b = right;
	int order = strcmp(a->day, b->day);
	if (order == 0)
		order = strcmp(a->person, b->person);
	return order != 0 ? order : strcmp(a->leg, b->leg);
}

void vl_traveller_look(struct vl_fold *fold, ProtobufCMessage *message)
{
	TravellerRow *row = (void *)message;
	struct gathering g = {fold, row, NULL};
	char *record = vl_fold_printf(fold, "%s/%s", TRAVELLER_LANE, vl_fold_key(fold));
	const EV(SourceRow) *source =
		record != NULL ? (const void *)vl_fold_look(fold, SOURCE, record) : NULL;
	for (size_t i = 0; source != NULL && i < source->n_persons; i++)
		add_human(&g, source->persons[i]);
	for (size_t i = 0; i < row->n_answers; i++)
		add_human(&g, row->answers[i]->follow_up);
	vl_view_sort(fold, row->evacuated, row->n_evacuated, by_day);
}

/* -- where they are no longer -- */

static bool is_in(const char *place, const char *country)
{
	size_t size = strlen(country);
	return strncmp(place, country, size) == 0 && (place[size] == '\0' || place[size] == '-');
}

static bool leaves(const Presence *presence, const Evacuated *evacuated)
{
	return is_in(presence->place, evacuated->country) &&
	       strcmp(presence->from, evacuated->day) <= 0 &&
	       (presence->until[0] == '\0' || strcmp(evacuated->day, presence->until) < 0);
}

static void leave_one(struct vl_fold *fold, const TravellerRow *row, Presence *presence)
{
	void *humans = NULL;
	for (size_t i = 0; i < row->n_evacuated && presence->n_left < row->people; i++) {
		Evacuated *evacuated = row->evacuated[i];
		void **known = leaves(presence, evacuated)
				       ? vl_names_at(fold, &humans, evacuated->person)
				       : NULL;
		if (known == NULL || *known != NULL)
			continue;
		*known = evacuated;
		Evacuated *left =
			vl_fold_add(fold, MESSAGE(Evacuated), &presence->n_left, &presence->left);
		if (left != NULL)
			*left = *evacuated;
	}
	if (presence->n_left > 0 && presence->n_left >= row->people)
		presence->until = presence->left[presence->n_left - 1]->day;
}

void vl_traveller_leave(struct vl_fold *fold, TravellerRow *row)
{
	for (size_t i = 0; row->n_evacuated > 0 && i < row->n_presences; i++)
		leave_one(fold, row, row->presences[i]);
}

uint32_t vl_traveller_left(const Presence *presence, const char *day)
{
	uint32_t left = 0;
	for (size_t i = 0; i < presence->n_left; i++)
		left += strcmp(presence->left[i]->day, day) < 0;
	return left;
}

/*
 * A human while being put together from his references: between evacuation_person.c, which
 * gathers, and evacuation_disposition.c, which concludes where he stands.
 */
#ifndef VALISE_HQ_VIEWS_EVACUATION_PERSON_H
#define VALISE_HQ_VIEWS_EVACUATION_PERSON_H

#include "evacuation.h"

/* One leg of the human: the facts of all references together, the leg's own, and what is shown
 * of both. */
struct evacuation_way {
	EV(RegistrationLeg) facts;
	const EV(ItineraryRow) *itinerary; /* NULL where nobody has told of the leg itself */
	EV(PersonLeg) *shown;
};

/* What all references say together. Statements are the last of their sort over all references,
 * or NULL. */
struct evacuation_human {
	struct evacuation_way **ways;
	size_t n_ways;
	const EV(Statement) *wish, *stated, *death;
	bool registered, contacted, ever_out;
};

/* Which of two statements is the last: by the history where it is one, else by time and sender.
 * NULL is before all. */
bool vl_evacuation_later(const EV(Statement) *a, const EV(Statement) *b);

/* Disposition, staging area, and whether the human is or has been out of danger (E11). */
void vl_evacuation_conclude(struct vl_fold *fold, EV(PersonRow) *row,
			    const struct evacuation_human *human);

/* The zone where a leg ends, unspecified where not known. */
EV(PlaceZone) vl_evacuation_zone(const struct evacuation_way *way);

#endif

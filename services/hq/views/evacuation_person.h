/*
 * A human while being put together from his references: between evacuation_person.c, which gathers,
 * and evacuation_disposition.c, which concludes his disposition.
 *
 * Next: hq/reply/receipts.h, what the missions receive.
 */
#ifndef VALISE_HQ_VIEWS_EVACUATION_PERSON_H
#define VALISE_HQ_VIEWS_EVACUATION_PERSON_H

#include "hq/views/evacuation.h"

/* One leg of the human: the facts of all references together, the leg's own, and the part of
 * both that is shown. */
struct evacuation_way {
	RegistrationLeg facts;
	const ItineraryRow *itinerary; /* NULL if no event has described the leg itself */
	PersonLeg *shown;
};

/* The facts of all references together. Statements are the last of their sort over all
 * references, or NULL. */
struct evacuation_human {
	struct evacuation_way **ways;
	size_t n_ways;
	const Statement *wish, *stated, *death;
	bool registered, contacted, ever_out;
};

/* Which of two statements is the last: by the history if both are in one, else by time and
 * sender. NULL is before all. */
bool vl_evacuation_later(const Statement *a, const Statement *b);

/* Disposition, staging area, and whether the human is or has been out of danger (E11). */
void vl_evacuation_conclude(struct vl_fold *fold, PersonRow *row,
			    const struct evacuation_human *human);

/* The zone where a leg ends; unspecified if unknown. */
PlaceZone vl_evacuation_zone(const struct evacuation_way *way);

#endif

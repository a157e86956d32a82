/*
 * What the files of the view of evacuations share.
 *
 *   evacuation.c               the declaration
 *   evacuation_merges.c        which references are one human (E6)
 *   evacuation_registration.c  what is said under one reference
 *   evacuation_person.c        the human; evacuation_disposition.c: where he stands (E3, E7, E11)
 *   evacuation_party.c         people who travel together (E5)
 *   evacuation_leg.c           the board at the gangway (E2, E4, E10)
 *   evacuation_operation.c     all people of an operation, and of a crisis (E1, E8, E10, E11)
 *   evacuation_columns.c       what `ls` shows
 *
 * A head is counted once. It is counted where the human's row is made, and reaches legs and
 * operations as tallies, so that no row above walks the people.
 *
 * Next: evacuation_person.h, one human.
 */
#ifndef VALISE_HQ_VIEWS_EVACUATION_H
#define VALISE_HQ_VIEWS_EVACUATION_H

#include "bus/types.h"
#include "hq/fold/declare.h"

#include "consular/evacuation/v1/short.h"

/* In rank: a row reads those before it and adds to those after it. */
enum evacuation_kind {
	EVACUATION_REGISTRAR,
	EVACUATION_ITINERARY,
	EVACUATION_MERGES,
	EVACUATION_REGISTRATION,
	EVACUATION_PERSON,
	EVACUATION_PARTY,
	EVACUATION_LEG,
	EVACUATION_OPERATION,
	EVACUATION_CRISIS,
	EVACUATION_SOURCE,
	EVACUATION_STRAY,
	EVACUATION_KINDS,
};

/* The one row of EVACUATION_MERGES. A human may be registered with two operations, so merges
 * have no bounds of an operation. */
#define EVACUATION_ALL "all"

/* Separates two references within a tally's name. */
#define EVACUATION_PART "\t"

/* `time` if it is set, else when the fact happened; copied. */
Google__Protobuf__Timestamp *vl_evacuation_as_of(struct vl_fold *fold, const struct vl_fact *fact,
						 const Google__Protobuf__Timestamp *time);

/* Whether people are out of danger in such a place; in a place of an unknown zone they are not. */
static inline bool vl_evacuation_is_safe(PlaceZone zone)
{
	return vl_view_rank(MESSAGE(PlaceZone), (int)zone) >= PLACE_ZONE_STAGING;
}

static inline bool vl_evacuation_is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* Violations by rule, in the order in which their rules first come. */
struct evacuation_rules {
	size_t count;
	Valise__V1__Count **items;
};
void vl_evacuation_add_rules(struct vl_fold *fold, size_t count,
			     Valise__V1__Violation *const *violations,
			     struct evacuation_rules *rules);

/* Keep a figure among `figures`, whose names are in `slot`: the later `as_of` of the same
 * measure, source and place replaces the earlier. */
void vl_evacuation_keep_figure(struct vl_fold *fold, unsigned slot, size_t *count,
			       Figure ***figures, const Figure *figure);

/* A FigureReported as a figure. */
void vl_evacuation_report(struct vl_fold *fold, const struct vl_fact *fact, Figure *figure);

/* E10: compare a figure with the ledger's count. True if the two contradict each other: the
 * ledger cannot show a figure that was reported as exact or as the least. Or, when `final`, an
 * exact figure differs at all. */
bool vl_evacuation_compare(Figure *figure, int64_t ledger, bool final);

/* What each kind does in C, in the file named after it (fold/declare.h). */
extern const struct vl_step vl_evacuation_merges_steps[], vl_evacuation_registration_steps[],
	vl_evacuation_leg_steps[], vl_evacuation_operation_steps[];
#define EVACUATION_KIND(kind)                                                            \
	void vl_evacuation_##kind##_finish(struct vl_fold *fold, ProtobufCMessage *row); \
	void vl_evacuation_##kind##_contribute(struct vl_fold *fold, const ProtobufCMessage *row)
EVACUATION_KIND(merges);
EVACUATION_KIND(registration);
EVACUATION_KIND(person);
EVACUATION_KIND(party);
EVACUATION_KIND(leg);
EVACUATION_KIND(operation);
void vl_evacuation_crisis_finish(struct vl_fold *fold, ProtobufCMessage *row);

/* Columns of `ls`, in evacuation_columns.c. */
extern const struct vl_column vl_evacuation_registrar_columns[], vl_evacuation_itinerary_columns[],
	vl_evacuation_merges_columns[], vl_evacuation_registration_columns[],
	vl_evacuation_person_columns[], vl_evacuation_party_columns[], vl_evacuation_leg_columns[],
	vl_evacuation_operation_columns[], vl_evacuation_crisis_columns[];

#endif

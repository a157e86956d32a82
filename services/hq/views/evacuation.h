/*
 * What the parts of the evacuation view share. Read evacuation.c first: it lists the kinds and
 * who tells whom what.
 *
 * The rule that orders everything here: a head is counted once. What is counted is counted where
 * the human's row is made (evacuation_person.c) and reaches legs and operations as tallies, so
 * that no row above ever walks the people.
 */
#ifndef VALISE_HQ_VIEWS_EVACUATION_H
#define VALISE_HQ_VIEWS_EVACUATION_H

#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/evacuation/v1/types.pb-c.h"
#include "consular/evacuation/v1/view.pb-c.h"
#include "hq/fold/declare.h"

/* The generated names in short. */
#define EV(name) Consular__Evacuation__V1__##name
#define EV_TYPE(name) consular__evacuation__v1__##name##__descriptor
#define DISPOSITION(name) CONSULAR__EVACUATION__V1__DISPOSITION__DISPOSITION_##name
#define CHECKPOINT(name) CONSULAR__EVACUATION__V1__CHECKPOINT__CHECKPOINT_##name
#define ZONE(name) CONSULAR__EVACUATION__V1__PLACE_ZONE__PLACE_ZONE_##name
#define STANDING(name) CONSULAR__EVACUATION__V1__STANDING__STANDING_##name
#define MEASURE(name) CONSULAR__EVACUATION__V1__MEASURE__MEASURE_##name
#define QUALIFIER(name) CONSULAR__EVACUATION__V1__QUALIFIER__QUALIFIER_##name
#define LEG_STATUS(name) CONSULAR__EVACUATION__V1__LEG_STATUS__LEG_STATUS_##name
#define OPERATION_STATUS(name) CONSULAR__EVACUATION__V1__OPERATION_STATUS__OPERATION_STATUS_##name
#define CRISIS_STATUS(name) CONSULAR__EVACUATION__V1__CRISIS_STATUS__CRISIS_STATUS_##name

/* In rank: a row reads those before it and tells those after it. */
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
	EVACUATION_STRAY,
	EVACUATION_KINDS,
};

/* The one row of EVACUATION_MERGES: a human may be registered with two operations, so the merges
 * know no bounds. */
#define EVACUATION_ALL "all"

/* Parts two references within a tally's name. */
#define EVACUATION_PART "\t"

/* A copy in the fold's memory; NULL for NULL. */
EV(Place) *vl_evacuation_keep_place(struct vl_fold *fold, const EV(Place) *place);

/* `time` where given, else when the fact happened; copied. */
Google__Protobuf__Timestamp *vl_evacuation_as_of(struct vl_fold *fold, const struct vl_fact *fact,
						 const Google__Protobuf__Timestamp *time);

/* Whether people are out of danger in such a place; in one of a zone that is not known here they
 * are not said to be. */
static inline bool vl_evacuation_is_safe(EV(PlaceZone) zone)
{
	return vl_view_rank(&EV_TYPE(place_zone), (int)zone) >= ZONE(STAGING);
}

static inline bool vl_evacuation_is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* Tell an operation (or a leg, a crisis) of every violation listed, by rule. */
void vl_evacuation_count_rules(struct vl_fold *fold, unsigned kind, const char *key, size_t count,
			       Valise__V1__Violation *const *violations);

/* Violations by rule: those listed, in the order in which their rules first come; and in the
 * order of the rules, with those of the tallies "violation/..." of the entity being folded. */
struct evacuation_rules {
	size_t count;
	Valise__V1__Count **items;
	int64_t total;
};
void vl_evacuation_add_rules(struct vl_fold *fold, size_t count,
			     Valise__V1__Violation *const *violations,
			     struct evacuation_rules *rules);
void vl_evacuation_rules(struct vl_fold *fold, unsigned kind, size_t count,
			 Valise__V1__Violation *const *own, struct evacuation_rules *rules);

/* Keep a figure among `figures`, whose names are in `slot`: the later `as_of` of the same
 * measure, source and place replaces the earlier. */
void vl_evacuation_keep_figure(struct vl_fold *fold, unsigned slot, size_t *count,
			       EV(Figure) ***figures, const EV(Figure) *figure);

/* A FigureReported as a figure. */
void vl_evacuation_report(struct vl_fold *fold, const struct vl_fact *fact, EV(Figure) *figure);

/* E10: set a figure beside the ledger's count. True where the two contradict each other: the
 * ledger cannot show what was reported as exact or as the least; or, when `final`, an exact
 * figure differs at all. */
bool vl_evacuation_compare(EV(Figure) *figure, int64_t ledger, bool final);

/* Whom the catalogue of rules binds least: headquarters may say everything. */
#define EVACUATION_HQ "HQ"

/* E12 (evacuation_say.c): the step keeps what needs an owner, and the finish takes of it what
 * the owner and headquarters said. Of the attempts of others the first EVACUATION_TRIED_MAX are
 * listed. */
#define EVACUATION_SLOT_SAID 7
#define EVACUATION_TRIED_MAX 16
struct evacuation_owning {
	const ProtobufCMessageDescriptor *begins; /* who says this first owns it */
	/* and who says this first, where it may be another; or NULL */
	const ProtobufCMessageDescriptor *opens;
	/* what headquarters begins is the missions' to carry out */
	bool theirs;
	const struct vl_step *steps;
	/* a mission that the owner has put in charge; or NULL */
	const char *(*lead)(const ProtobufCMessage *row);
	/* where they are listed; NULL: elsewhere */
	size_t *n_violations;
	Valise__V1__Violation ***violations;
};
void vl_evacuation_keep_said(struct vl_fold *fold, const struct vl_fact *fact);

/* Who that is, as far as it is known; NULL for nobody. */
struct evacuation_owners {
	const char *owner, *opener;
};
struct evacuation_owners vl_evacuation_owners(struct vl_fold *fold,
					      const struct evacuation_owning *owning);
void vl_evacuation_take_said(struct vl_fold *fold, ProtobufCMessage *row,
			     const struct evacuation_owning *owning);

/* What each kind is made by, in the file named after it; see struct vl_kind. */
#define EVACUATION_STEP(kind)                                                         \
	void vl_evacuation_##kind##_step(struct vl_fold *fold, ProtobufCMessage *row, \
					 const struct vl_fact *fact)
#define EVACUATION_FINISH(kind) \
	void vl_evacuation_##kind##_finish(struct vl_fold *fold, ProtobufCMessage *row)
#define EVACUATION_CONTRIBUTE(kind) \
	void vl_evacuation_##kind##_contribute(struct vl_fold *fold, const ProtobufCMessage *row)

/* E12: whether the mission may say that two references are one human. */
bool vl_evacuation_may_merge(struct vl_fold *fold, const char *mission, const char *person,
			     const char *kept);

EVACUATION_STEP(registrar);
EVACUATION_CONTRIBUTE(registrar);
EVACUATION_STEP(itinerary);
EVACUATION_FINISH(itinerary);
EVACUATION_CONTRIBUTE(itinerary);
EVACUATION_STEP(merges);
EVACUATION_FINISH(merges);
EVACUATION_CONTRIBUTE(merges);
EVACUATION_STEP(registration);
EVACUATION_FINISH(registration);
EVACUATION_CONTRIBUTE(registration);
EVACUATION_FINISH(person);
EVACUATION_CONTRIBUTE(person);
EVACUATION_FINISH(party);
EVACUATION_CONTRIBUTE(party);
EVACUATION_STEP(leg);
EVACUATION_FINISH(leg);
EVACUATION_CONTRIBUTE(leg);
EVACUATION_STEP(operation);
EVACUATION_FINISH(operation);
EVACUATION_CONTRIBUTE(operation);
EVACUATION_STEP(crisis);
EVACUATION_FINISH(crisis);

/* Columns of `ls`, in evacuation_columns.c. */
extern const struct vl_column vl_evacuation_registrar_columns[], vl_evacuation_itinerary_columns[],
	vl_evacuation_merges_columns[], vl_evacuation_registration_columns[],
	vl_evacuation_person_columns[], vl_evacuation_party_columns[], vl_evacuation_leg_columns[],
	vl_evacuation_operation_columns[], vl_evacuation_crisis_columns[];

#endif

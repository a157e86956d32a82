/*
 * What the files of the view of cases share.
 *
 *   case.c          the declaration
 *   case_steps.c    one fact on one case
 *   case_owner.c    who owns a case: assignment, offers and answers (C1)
 *   case_offers.c   the offers that are open
 *   case_clocks.c   time limits (C5)
 *   case_rules.c    what only the whole history shows, and the numbers of the boards
 *   case_merges.c   the merge of a case; case_circles.c: merges that run in a circle (C6)
 *
 * Next: case.c.
 */
#ifndef VALISE_HQ_VIEWS_CASE_H
#define VALISE_HQ_VIEWS_CASE_H

#include "hq/fold/declare.h"

#include "consular/case/v1/short.h"

/* Headquarters coordinates (Decree 763 art. 4): it may move a case that it does not own. */
#define CASE_HQ "HQ"

/* Ranks of the view's kinds. */
enum {
	CASE_KIND_MERGE,
	CASE_KIND_WALK,
	CASE_KIND_FOREST,
	CASE_KIND_CASE,
	CASE_KIND_BOARD,
	CASE_KIND_STRAY,
	CASE_KINDS
};

/* A circle of more cases than that is not looked for: its merges hold. */
#define CASE_CIRCLE_MOST ((size_t)10000)
/* A merge's tallies that name the circle it is on. */
#define CASE_CIRCLE "circle/"

/* case_steps.c */
void vl_case_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact);
int64_t vl_case_count_of(const CaseRow *row, const char *event);

/* What a case's fold keeps by name or in order: its clocks, its transfers, and those that are
 * open. */
enum {
	CASE_SLOT_CLOCKS,
	CASE_SLOT_TRANSFERS,
	CASE_SLOT_OPEN_TO,
	CASE_SLOT_OPEN,
	CASE_SLOT_OWNED,
	CASE_SLOT_EARLY,
	CASE_SLOT_EARLY_TOO
};

/* case_offers.c: say that an offer has come to be open (`place`: its index among the row's
 * transfers), and ask for the latest that is: to a mission, and of all. NULL where there is
 * none. */
void vl_case_offer_opened(struct vl_fold *fold, Transfer *offer, size_t place);
Transfer *vl_case_offer_open_to(struct vl_fold *fold, const char *to);
Transfer *vl_case_offer_open(struct vl_fold *fold);

/* case_owner.c */
bool vl_case_may_move(const CaseRow *row, const struct vl_fact *fact);
/* A mission's own opening comes before its own merges: as long as nobody owns the case only
 * headquarters merges it. */
bool vl_case_may_merge(const CaseRow *row, const struct vl_fact *fact);
void vl_case_assigned(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
void vl_case_offered(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
void vl_case_answered(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
void vl_case_finish_owner(struct vl_fold *fold, CaseRow *row);

/* case_clocks.c */
void vl_case_clock_started(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
void vl_case_clock_met(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact);
void vl_case_clock_breached(struct vl_fold *fold, ProtobufCMessage *row,
			    const struct vl_fact *fact);
void vl_case_finish_clocks(struct vl_fold *fold, CaseRow *row);

/* case_rules.c */
void vl_case_finish(struct vl_fold *fold, ProtobufCMessage *message);
extern const struct vl_target vl_case_targets[];
extern const struct vl_field vl_case_board_summed[];
void vl_case_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
void vl_case_board_finish(struct vl_fold *fold, ProtobufCMessage *message);
bool vl_case_ended(CaseState state);

/* case_merges.c. What `into` is after a merge or an unmerge; `clash` is set where the case was
 * merged elsewhere. */
const char *vl_case_merged(const char *into, const struct vl_fact *fact, bool *clash);
void vl_case_merge_step(struct vl_fold *fold, ProtobufCMessage *message,
			const struct vl_fact *fact);
void vl_case_merge_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_case_merge_contribute(struct vl_fold *fold, const ProtobufCMessage *message);

/* case_circles.c */
void vl_case_walk_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_case_forest_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_case_forest_contribute(struct vl_fold *fold, const ProtobufCMessage *message);

/* A constant's name without the enum's prefix; its number for one this build does not know. */
const char *vl_case_name(struct vl_fold *fold, const ProtobufCEnumDescriptor *type, int value);

#endif

/*
 * Inside the view of cases: the declarations that its files share.
 *
 *     case.c          the declaration
 *     case_steps.c    one fact on one case
 *     case_owner.c    the owner of a case: assignment, offers and answers (C1)
 *     case_offers.c   open offers
 *     case_clocks.c   time limits (C5)
 *     case_rules.c    rules that need the whole history, and the numbers of the boards
 *     case_merges.c   the merge of a case; case_circles.c: merges that run in a circle (C6)
 *
 * Next: alert.h, another view.
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

/* A circle of more cases than that is not searched for: its merges hold. */
#define CASE_CIRCLE_MOST ((size_t)10000)
/* A merge's tallies that name the circle it is on. */
#define CASE_CIRCLE "circle/"

/* case_steps.c */
void vl_case_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact);
int64_t vl_case_count_of(const CaseRow *row, const char *event);

/* The slots of a case's fold: its clocks, its transfers, and the open ones, by name or in order. */
enum {
	CASE_SLOT_CLOCKS,
	CASE_SLOT_TRANSFERS,
	CASE_SLOT_OPEN_TO,
	CASE_SLOT_OPEN,
	CASE_SLOT_OWNED,
	CASE_SLOT_EARLY,
	CASE_SLOT_EARLY_TOO
};

/* case_offers.c: record that an offer is open; `place` is its index among the row's transfers.
 * And return the latest open one: to a mission, and of all. NULL if there is none. */
void vl_case_offer_opened(struct vl_fold *fold, Transfer *offer, size_t place);
Transfer *vl_case_offer_open_to(struct vl_fold *fold, const char *to);
Transfer *vl_case_offer_open(struct vl_fold *fold);

/* case_owner.c */
bool vl_case_may_move(const CaseRow *row, const struct vl_fact *fact);
/* A mission's own opening comes before its own merges: while the case has no owner, only
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

/* case_merges.c. The value of `into` after a merge or an unmerge; `clash` is set if the case was
 * already merged elsewhere. */
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

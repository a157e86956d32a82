/*
 * What the files of the view of cases share. Start with case.c: it names the kinds and says
 * where each is worked out.
 *
 * case.c         kinds, columns, which case a fact belongs to case_steps.c   one fact on one
 * case: a table of events and a function for each that moves something case_owner.c   who owns a
 * case: assignment, offers and answers (C1) case_offers.c  the offers that are open
 * case_clocks.c  time limits (C5) case_rules.c   what only the whole history shows, and what a
 * case adds to the boards case_merges.c  the merge of a case (C6) case_circles.c merges that run
 * in a circle (C6) case_board.c   the numbers
 */
#ifndef VALISE_HQ_VIEWS_CASE_H
#define VALISE_HQ_VIEWS_CASE_H

#include "consular/case/v1/case.pb-c.h"
#include "consular/case/v1/view.pb-c.h"
#include "hq/fold/declare.h"

#define CASE(name) Consular__Case__V1__##name
#define CASE_DESCRIPTOR(name) &consular__case__v1__##name##__descriptor
#define CASE_STATE(name) CONSULAR__CASE__V1__CASE_STATE__CASE_STATE_##name
#define CASE_TYPE(name) CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_##name
#define CASE_TRANSFER(name) CONSULAR__CASE__V1__TRANSFER_STATE__TRANSFER_STATE_##name

/* Headquarters coordinates (Decree 763 art. 4): it may move a case that it does not own. */
#define CASE_HQ "HQ"
/* The board of all cases; the others are named by their mission. */
#define CASE_BOARD_ALL "all"

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
int64_t vl_case_count_of(const CASE(CaseRow) *row, const char *event);

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
void vl_case_offer_opened(struct vl_fold *fold, CASE(Transfer) *offer, size_t place);
CASE(Transfer) *vl_case_offer_open_to(struct vl_fold *fold, const char *to);
CASE(Transfer) *vl_case_offer_open(struct vl_fold *fold);

/* case_owner.c */
bool vl_case_may_move(const CASE(CaseRow) *row, const struct vl_fact *fact);
/* A mission's own opening comes before its own merges: as long as nobody owns the case only
 * headquarters merges it. */
bool vl_case_may_merge(const CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_assigned(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_offered(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_answered(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_finish_owner(struct vl_fold *fold, CASE(CaseRow) *row);

/* case_clocks.c */
void vl_case_clock_started(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_clock_met(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_clock_breached(struct vl_fold *fold, CASE(CaseRow) *row, const struct vl_fact *fact);
void vl_case_finish_clocks(struct vl_fold *fold, CASE(CaseRow) *row);

/* case_rules.c */
void vl_case_finish(struct vl_fold *fold, ProtobufCMessage *message);
void vl_case_contribute(struct vl_fold *fold, const ProtobufCMessage *message);
bool vl_case_ended(CASE(CaseState) state);

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

/* case_board.c */
void vl_case_board_finish(struct vl_fold *fold, ProtobufCMessage *message);

/* The value's name without the enum's prefix of `skip` characters; its number for one this build
 * does not know. */
void vl_case_enum_text(const ProtobufCEnumDescriptor *type, size_t skip, int value,
		       struct vl_buf *out);
char *vl_case_enum(struct vl_fold *fold, const ProtobufCEnumDescriptor *type, size_t skip,
		   int value);
#define CASE_STATE_TEXT &consular__case__v1__case_state__descriptor, sizeof("CASE_STATE_") - 1
#define CASE_TYPE_TEXT &consular__case__v1__case_type__descriptor, sizeof("CASE_TYPE_") - 1
#define CASE_PRIORITY_TEXT &consular__case__v1__priority__descriptor, sizeof("PRIORITY_") - 1
#define CASE_OUTCOME_TEXT &consular__case__v1__outcome__descriptor, sizeof("OUTCOME_") - 1

#define CASE_VIOLATION(fold, row, rule, fact, ...) \
	vl_fold_violation(fold, &(row)->n_violations, &(row)->violations, rule, fact, __VA_ARGS__)

#endif

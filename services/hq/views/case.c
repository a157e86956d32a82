/*
 * The view of consular.case.v1.
 *
 *   merge   into which case a case was merged             key: its number
 *   walk    looks for a circle from a merge on            key: the case's number
 *   forest  a circle of merges                            key: the least number on it
 *   case    one case                                      key: its number
 *   board   the numbers                                   key: a mission, or "all"
 */
#include "hq/views/case.h"

#include "consular/evacuation/v1/view.pb-c.h"
#include "hq/fold/heads.h"

const char *vl_case_name(struct vl_fold *fold, const ProtobufCEnumDescriptor *type, int value)
{
	const char *name = vl_view_name(type, value);
	if (name[0] != '\0')
		return name;
	name = value == 0 ? "UNSPECIFIED" : vl_fold_printf(fold, "%d", value);
	return name != NULL ? name : "";
}

#define TO_MERGE(Event)                                  \
	{                                                \
		MESSAGE(Event), CASE_KIND_MERGE, SUBJECT \
	}

static const struct vl_route routes[] = {
	{ANY_EVENT, CASE_KIND_CASE, SUBJECT},
	/* Merges, and what says whose the case is when it is merged. */
	TO_MERGE(CaseMerged),
	TO_MERGE(CaseUnmerged),
	TO_MERGE(CaseOpened),
	TO_MERGE(CaseAssigned),
	TO_MERGE(CaseClosed),
	TO_MERGE(CaseReopened),
	TO_MERGE(TransferOffered),
	TO_MERGE(TransferAccepted),
	TO_MERGE(TransferDeclined),
	TO_MERGE(TransferWithdrawn),
	END,
};

/* -- what it belongs to -- */

#define EVACUATIONS "consular.evacuation.v1"

static const char *const reads[] = {EVACUATIONS, NULL};

static const struct vl_lookup case_lookups[] = {
	{F(CaseRow, crisis), EVACUATIONS, "crisis", F(Consular__Evacuation__V1__CrisisRow, status),
	 F(CaseRow, crisis_status)},
	{F(CaseRow, crisis), EVACUATIONS, "operation",
	 F(Consular__Evacuation__V1__OperationRow, status), F(CaseRow, operation_status)},
	END,
};

static TEST(belongs_nowhere, CaseRow)
{
	return row->type == CASE_TYPE_EMERGENCY && row->crisis_status == 0 &&
	       row->operation_status == 0;
}

/* -- columns of a case -- */

static void put_name(struct vl_buf *out, const ProtobufCEnumDescriptor *type, int value)
{
	const char *name = vl_view_name(type, value);
	if (name[0] != '\0' || value == 0)
		vl_buf_put_text(out, name[0] != '\0' ? name : "UNSPECIFIED");
	else
		vl_buf_printf(out, "%d", value);
}

static CELL(put_state, CaseRow)
{
	put_name(out, MESSAGE(CaseState), (int)row->state);
	if (row->merged_into[0] != '\0')
		vl_buf_printf(out, " %s", row->merged_into);
	if (row->help_refused && row->state != CASE_STATE_REFUSED_BY_SUBJECT)
		vl_buf_put_text(out, " (help refused)");
}

static CELL(put_type, CaseRow)
{
	if (row->type == CASE_TYPE_UNSPECIFIED)
		return;
	vl_buf_printf(out, "%d ", (int)row->type);
	put_name(out, MESSAGE(CaseType), (int)row->type);
}

static void put_time(const Google__Protobuf__Timestamp *stamp, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];
	if (stamp != NULL)
		vl_buf_put_text(out, vl_time_format(vl_view_time(stamp), text));
}

/* The next time limit that runs, marked when it is past; else whether one was ever breached. */
static CELL(put_due, CaseRow)
{
	const Google__Protobuf__Timestamp *due = NULL;
	bool breached = false;
	for (size_t i = 0; i < row->n_clocks; i++) {
		const Clock *limit = row->clocks[i];
		breached = breached || limit->breached;
		if (limit->due_at == NULL || limit->met_at != NULL)
			continue;
		if (due == NULL ||
		    vl_time_compare(vl_view_time(limit->due_at), vl_view_time(due)) < 0)
			due = limit->due_at;
	}
	if (due != NULL && !vl_case_ended(row->state)) {
		put_time(due, out);
		if (vl_time_compare(vl_view_time(due), now) < 0)
			vl_buf_put_text(out, " overdue");
	} else if (breached) {
		vl_buf_put_text(out, "breached");
	}
}

static LISTED(listed, CaseRow)
{
	return !vl_case_ended(row->state) || row->n_violations > 0;
}

/* -- columns of the others -- */

static LISTED(merge_holds, MergeRow)
{
	return row->into[0] != '\0';
}

static LISTED(never, WalkRow)
{
	return false;
}

static LISTED(runs_round, ForestRow)
{
	return row->n_circle > 0;
}

static CELL(put_circles, ForestRow)
{
	for (size_t i = 0; i < row->n_set_aside; i++)
		vl_buf_printf(out, "%s%s>%s", i == 0 ? "" : " ", row->set_aside[i]->case_number,
			      row->set_aside[i]->into);
}

/* clang-format off */

static const struct vl_column merge_columns[] = {
	KEY_COLUMN("CASE"), COLUMN("INTO", MergeRow, into), END};
static const struct vl_column walk_columns[] = {KEY_COLUMN("CASE"), END};
static const struct vl_column forest_columns[] = {
	KEY_COLUMN("CASE"), {"SET ASIDE", put_circles}, END};
static const struct vl_column case_columns[] = {
	KEY_COLUMN("CASE"), {"STATE", put_state}, {"TYPE", put_type},
	COLUMN("PRI", CaseRow, priority),
	COLUMN("OWNER", CaseRow, owner), COLUMN("HOST", CaseRow, host_country),
	COLUMN("PERSONS", CaseRow, persons), {"DUE", put_due},
	COLUMN("LAST", CaseRow, last_event_at), COLUMN("BREAKS", CaseRow, violations), END};
static const struct vl_column board_columns[] = {
	KEY_COLUMN("BOARD"), COLUMN("INCIDENTS", BoardRow, incidents),
	COLUMN("CONSULTATIONS", BoardRow, consultations), COLUMN("CASES", BoardRow, cases),
	COLUMN("OPEN", BoardRow, open), COLUMN("BREACHED", BoardRow, breached_clocks),
	COLUMN("BREAKS", BoardRow, violations_by_rule),
	COLUMN("BY STATE", BoardRow, by_state), END};

/* -- the rules in words -- */

static const struct vl_rule case_rules[] = {
	{"C1", "one mission owns a case, and it and headquarters alone move it", IN_C},
	{"C3", "who refused help in detention gets none against their will", IN_C},
	{"C4", "the family is notified of a death before the public", IN_C},
	{"C5", "a time limit that was breached stays breached", IN_C},
	{"C6", "a case is merged into one case, and merges close no circle", IN_C},
	{"C7", "a case closes with an outcome, and with a contact or a reason for none", IN_C},
	{"C8", "a program does not close a case or make it less urgent", IN_C},
	{"C10", "an act outside the mission's district quotes a consent", IN_C},
	{"C11", "an emergency, and no crisis was declared nor operation opened that it belongs to",
	 IF(belongs_nowhere)},
	END,
};
static const struct vl_rule board_rules[] = {
	{"C9", "incidents are consultations and cases", IN_C}, END};

static const struct vl_kind kinds[CASE_KINDS] = {
	[CASE_KIND_MERGE] = {
		.name = "merge", .row = MESSAGE(MergeRow), .step = vl_case_merge_step,
		.finish = vl_case_merge_finish, .contribute = vl_case_merge_contribute,
		.columns = merge_columns, .listed = merge_holds},
	[CASE_KIND_WALK] = {
		.name = "walk", .row = MESSAGE(WalkRow), .finish = vl_case_walk_finish,
		.columns = walk_columns, .listed = never},
	[CASE_KIND_FOREST] = {
		.name = "forest", .row = MESSAGE(ForestRow), .finish = vl_case_forest_finish,
		.contribute = vl_case_forest_contribute, .columns = forest_columns,
		.listed = runs_round},
	[CASE_KIND_CASE] = {
		.name = "case", .row = MESSAGE(CaseRow), .step = vl_case_step,
		.lookups = case_lookups,
		.finish = vl_case_finish, .rules = case_rules, .targets = vl_case_targets,
		.contribute = vl_case_contribute, .columns = case_columns, .listed = listed},
	[CASE_KIND_BOARD] = {
		.name = "board", .row = MESSAGE(BoardRow), .summed = vl_case_board_summed,
		.finish = vl_case_board_finish, .rules = board_rules, .columns = board_columns},
	[CASE_KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_case = {
	.lane = "consular.case.v1", .noun = "case", .kinds = kinds, .n_kinds = CASE_KINDS,
	.shown = CASE_KIND_CASE, .reads = reads, .routes = routes,
};

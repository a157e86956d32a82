#include "hq/views/case.h"

#include "consular/case/v1/short.h"

void vl_case_enum_text(const ProtobufCEnumDescriptor *type, size_t skip, int value,
		       struct vl_buf *out)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
	if (known != NULL)
		vl_buf_put_text(out, known->name + skip);
	else
		vl_buf_printf(out, "%d", value);
}

char *vl_case_enum(struct vl_fold *fold, const ProtobufCEnumDescriptor *type, size_t skip,
		   int value)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
	return known != NULL ? vl_fold_printf(fold, "%s", known->name + skip)
			     : vl_fold_printf(fold, "%d", value);
}

static const struct vl_route routes[] = {
	{ANY_EVENT, CASE_KIND_CASE, SUBJECT},
	/* Merges, and what says whose the case is when it is merged. */
	{MESSAGE(CaseMerged), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(CaseUnmerged), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(CaseOpened), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(CaseAssigned), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(CaseClosed), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(CaseReopened), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(TransferOffered), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(TransferAccepted), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(TransferDeclined), CASE_KIND_MERGE, SUBJECT},
	{MESSAGE(TransferWithdrawn), CASE_KIND_MERGE, SUBJECT},
	END,
};

/* -- columns of a case -- */

static void put_state(const char *key, const ProtobufCMessage *message, struct vl_time now,
		      struct vl_buf *out)
{
	(void)key, (void)now;
	const CASE(CaseRow) *row = (const void *)message;
	vl_case_enum_text(CASE_STATE_TEXT, row->state, out);
	if (row->merged_into[0] != '\0')
		vl_buf_printf(out, " %s", row->merged_into);
	if (row->help_refused && row->state != CASE_STATE(REFUSED_BY_SUBJECT))
		vl_buf_put_text(out, " (help refused)");
}

static void put_type(const char *key, const ProtobufCMessage *message, struct vl_time now,
		     struct vl_buf *out)
{
	(void)key, (void)now;
	const CASE(CaseRow) *row = (const void *)message;
	if (row->type == CASE_TYPE(UNSPECIFIED))
		return;
	vl_buf_printf(out, "%d ", (int)row->type);
	vl_case_enum_text(CASE_TYPE_TEXT, row->type, out);
}

static void put_time(const Google__Protobuf__Timestamp *stamp, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];
	if (stamp != NULL)
		vl_buf_put_text(out, vl_time_format(vl_view_time(stamp), text));
}

/* The next time limit that runs, marked when it is past; else whether one was ever breached. */
static void put_due(const char *key, const ProtobufCMessage *message, struct vl_time now,
		    struct vl_buf *out)
{
	(void)key;
	const CASE(CaseRow) *row = (const void *)message;
	const Google__Protobuf__Timestamp *due = NULL;
	bool breached = false;
	for (size_t i = 0; i < row->n_clocks; i++) {
		const CASE(Clock) *limit = row->clocks[i];
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

static bool listed(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	(void)key, (void)now;
	const CASE(CaseRow) *row = (const void *)message;
	return !vl_case_ended(row->state) || row->n_violations > 0;
}

/* -- columns of the others -- */

static bool merge_holds(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	(void)key, (void)now;
	return ((const CASE(MergeRow) *)(const void *)message)->into[0] != '\0';
}

static bool never(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	(void)key, (void)message, (void)now;
	return false;
}

static bool runs_round(const char *key, const ProtobufCMessage *message, struct vl_time now)
{
	(void)key, (void)now;
	return ((const CASE(ForestRow) *)(const void *)message)->n_circle > 0;
}

static void put_circles(const char *key, const ProtobufCMessage *message, struct vl_time now,
			struct vl_buf *out)
{
	(void)key, (void)now;
	const CASE(ForestRow) *row = (const void *)message;
	for (size_t i = 0; i < row->n_set_aside; i++)
		vl_buf_printf(out, "%s%s>%s", i == 0 ? "" : " ", row->set_aside[i]->case_number,
			      row->set_aside[i]->into);
}

static const struct vl_column merge_columns[] = {
	KEY_COLUMN("CASE"),
	COLUMN("INTO", MergeRow, into),
	END,
};
static const struct vl_column walk_columns[] = {
	KEY_COLUMN("CASE"),
	END,
};
static const struct vl_column forest_columns[] = {
	KEY_COLUMN("CASE"),
	{"SET ASIDE", put_circles},
	END,
};
static const struct vl_column case_columns[] = {
	KEY_COLUMN("CASE"),
	{"STATE", put_state},
	{"TYPE", put_type},
	COLUMN("PRI", CaseRow, priority),
	COLUMN("OWNER", CaseRow, owner),
	COLUMN("HOST", CaseRow, host_country),
	COLUMN("PERSONS", CaseRow, persons),
	{"DUE", put_due},
	COLUMN("LAST", CaseRow, last_event_at),
	COLUMN("BREAKS", CaseRow, violations),
	END,
};
static const struct vl_column board_columns[] = {
	KEY_COLUMN("BOARD"),
	COLUMN("INCIDENTS", BoardRow, incidents),
	COLUMN("CONSULTATIONS", BoardRow, consultations),
	COLUMN("CASES", BoardRow, cases),
	COLUMN("OPEN", BoardRow, open),
	COLUMN("BREACHED", BoardRow, breached_clocks),
	COLUMN("BREAKS", BoardRow, violations_by_rule),
	COLUMN("BY STATE", BoardRow, by_state),
	END,
};

static const struct vl_kind kinds[CASE_KINDS] = {
	[CASE_KIND_MERGE] = {.name = "merge",
			     .row = CASE_DESCRIPTOR(merge_row),
			     .step = vl_case_merge_step,
			     .finish = vl_case_merge_finish,
			     .contribute = vl_case_merge_contribute,
			     .columns = merge_columns,
			     .listed = merge_holds},
	[CASE_KIND_WALK] = {.name = "walk",
			    .row = CASE_DESCRIPTOR(walk_row),
			    .finish = vl_case_walk_finish,
			    .columns = walk_columns,
			    .listed = never},
	[CASE_KIND_FOREST] = {.name = "forest",
			      .row = CASE_DESCRIPTOR(forest_row),
			      .finish = vl_case_forest_finish,
			      .contribute = vl_case_forest_contribute,
			      .columns = forest_columns,
			      .listed = runs_round},
	[CASE_KIND_CASE] = {.name = "case",
			    .row = CASE_DESCRIPTOR(case_row),
			    .step = vl_case_step,
			    .finish = vl_case_finish,
			    .contribute = vl_case_contribute,
			    .columns = case_columns,
			    .listed = listed},
	[CASE_KIND_BOARD] = {.name = "board",
			     .row = CASE_DESCRIPTOR(board_row),
			     .finish = vl_case_board_finish,
			     .columns = board_columns},
	[CASE_KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_case = {
	.lane = "consular.case.v1",
	.noun = "case",
	.kinds = kinds,
	.n_kinds = CASE_KINDS,
	.shown = CASE_KIND_CASE,
	.routes = routes,
};

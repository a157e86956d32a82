/*
 * Time limits of a case (C5). A limit's due time is the first one said; a breach, once recorded
 * or plain from the times, stays, and meeting the limit late is a fact beside it. Whether a
 * limit that nobody has met is past is for the hour of asking.
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/case.h"

static Clock *clock_of(struct vl_fold *fold, CaseRow *row, char *name)
{
	Clock *limit = vl_names_item(fold, CASE_SLOT_CLOCKS, name, MESSAGE(Clock), &row->n_clocks,
				     &row->clocks);
	if (limit != NULL)
		limit->clock = name;
	return limit;
}

STEP(vl_case_clock_started, CaseRow, ClockStarted)
{
	Clock *limit = clock_of(fold, row, event->clock);
	if (limit == NULL)
		return;
	if (limit->started_at == NULL) {
		limit->kind = event->kind;
		limit->started_at = vl_view_stamp(fold, fact->occurred_at);
		limit->due_at = event->due_at;
	} else if (vl_time_compare(vl_view_time(limit->due_at), vl_view_time(event->due_at)) != 0) {
		limit->set_again = vl_view_id(fact);
	}
}

STEP(vl_case_clock_met, CaseRow, ClockMet)
{
	Clock *limit = clock_of(fold, row, event->clock);
	if (limit == NULL)
		return;
	if (limit->met_at == NULL)
		limit->met_at = vl_view_stamp(fold, fact->occurred_at);
	if (event->in_time && limit->said_in_time.len == 0)
		limit->said_in_time = vl_view_id(fact);
}

STEP(vl_case_clock_breached, CaseRow, ClockBreached)
{
	Clock *limit = clock_of(fold, row, event->clock);
	if (limit == NULL || limit->breached)
		return;
	limit->breached = true;
	limit->breached_at = vl_view_stamp(fold, fact->occurred_at);
}

/* Being late follows from the two times as well as from a recorded breach, and never goes away. */
static void finish_clock(struct vl_fold *fold, CaseRow *row, Clock *limit)
{
	bool late = limit->met_at != NULL && limit->due_at != NULL &&
		    vl_time_compare(vl_view_time(limit->met_at), vl_view_time(limit->due_at)) > 0;
	if (late && !limit->breached) {
		limit->breached = true;
		limit->breached_at = limit->due_at;
	}
	limit->met_late =
		late || (limit->breached && limit->met_at != NULL && limit->due_at == NULL);
	if (!limit->breached)
		return;
	struct vl_fact said = {.id = limit->said_in_time.data},
		       again = {.id = limit->set_again.data};
	if (limit->said_in_time.len > 0)
		BREAKS(fold, row, "C5", &said, "clock %s said to be met in time, but breached",
		       limit->clock);
	if (limit->set_again.len > 0)
		BREAKS(fold, row, "C5", &again, "clock %s breached and set again", limit->clock);
}

void vl_case_finish_clocks(struct vl_fold *fold, CaseRow *row)
{
	for (size_t i = 0; i < row->n_clocks; i++)
		finish_clock(fold, row, row->clocks[i]);
}

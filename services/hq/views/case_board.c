/*
 * The numbers of a board are sums of what the cases contributed, so that a figure published at
 * an offset can be made again from that offset (C9).
 */
#include "hq/views/case.h"

#include <inttypes.h>

void vl_case_board_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	CASE(BoardRow) *row = (void *)message;
	const struct {
		int64_t *field;
		const char *tally;
	} sums[] = {
		{&row->incidents, "incident"}, {&row->consultations, "consultation"},
		{&row->cases, "case"},         {&row->open, "open"},
		{&row->merged, "merged"},      {&row->unopened, "unopened"},
		{&row->persons, "persons"},    {&row->breached_clocks, "breached"},
		{&row->late_facts, "late"},
	};
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		*sums[i].field =
			vl_fold_tally(fold, CASE_KIND_BOARD, vl_fold_key(fold), sums[i].tally);
	vl_view_list_counts(fold, CASE_KIND_BOARD, "state/", &row->n_by_state, &row->by_state);
	vl_view_list_counts(fold, CASE_KIND_BOARD, "group/", &row->n_by_group, &row->by_group);
	vl_view_list_counts(fold, CASE_KIND_BOARD, "priority/", &row->n_by_priority,
			    &row->by_priority);
	vl_view_list_counts(fold, CASE_KIND_BOARD, "violation/", &row->n_violations_by_rule,
			    &row->violations_by_rule);
	if (row->incidents != row->consultations + row->cases)
		CASE_VIOLATION(fold, row, "C9", NULL,
			       "%" PRId64 " incidents, but %" PRId64 " consultations and cases",
			       row->incidents, row->consultations + row->cases);
}

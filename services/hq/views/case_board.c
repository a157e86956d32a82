/*
 * The numbers of a board are sums of what the cases contributed, so that a figure published at an offset can be made
 * again from that offset (C9).
 */
#include "hq/views/case.h"

#include <inttypes.h>
#include <string.h>

struct list {
	struct vl_fold *fold;
	size_t skip, *count;
	CASE(Count) ***items;
};

static void add_count(void *context, const char *name, int64_t value)
{
	const struct list *list = context;
	CASE(Count) *count = vl_fold_add(list->fold, CASE_DESCRIPTOR(count), list->count, list->items);
	if (count == NULL)
		return;
	count->name = (char *)(uintptr_t)(name + list->skip);
	count->count = value;
}

static void list_all(struct vl_fold *fold, const char *prefix, size_t *count, CASE(Count) ***items)
{
	struct list list = {.fold = fold, .skip = strlen(prefix), .count = count, .items = items};
	vl_fold_each_tally(fold, CASE_KIND_BOARD, vl_fold_key(fold), prefix, add_count, &list);
}

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
		*sums[i].field = vl_fold_tally(fold, CASE_KIND_BOARD, vl_fold_key(fold), sums[i].tally);
	list_all(fold, "state/", &row->n_by_state, &row->by_state);
	list_all(fold, "group/", &row->n_by_group, &row->by_group);
	list_all(fold, "priority/", &row->n_by_priority, &row->by_priority);
	list_all(fold, "violation/", &row->n_violations_by_rule, &row->violations_by_rule);
	if (row->incidents != row->consultations + row->cases)
		CASE_VIOLATION(fold, row, "C9", NULL, "%" PRId64 " incidents, but %" PRId64 " consultations and cases",
			       row->incidents, row->consultations + row->cases);
}

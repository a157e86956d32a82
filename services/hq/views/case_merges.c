/*
 * Merges form a forest (C6). A case holds at most one merge at a time; what its own history says
 * is its MergeRow. Whether several cases' merges run in a circle is looked for in
 * case_circles.c.
 */
#include "hq/views/case.h"

#include <string.h>

const char *vl_case_merged(const char *into, const struct vl_fact *fact, bool *clash)
{
	*clash = false;
	if (fact->payload->descriptor == MESSAGE(CaseUnmerged)) {
		const CaseUnmerged *undone = (const void *)fact->payload;
		bool this_one = undone->from[0] == '\0' || strcmp(undone->from, into) == 0;
		return this_one ? "" : into;
	}
	const CaseMerged *merged = (const void *)fact->payload;
	if (into[0] == '\0')
		return merged->into;
	*clash = merged->into[0] != '\0' && strcmp(merged->into, into) != 0;
	return into;
}

/* Who owns the case so far: a row of the case as far as what moves its owner makes it. NULL when
 * out of memory. */
static CaseRow *owned(struct vl_fold *fold)
{
	void **slot = vl_fold_slot(fold, CASE_SLOT_OWNED);
	if (*slot == NULL)
		*slot = vl_view_make(fold, MESSAGE(CaseRow));
	return *slot;
}

void vl_case_merge_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	MergeRow *row = (void *)message;
	CaseRow *own = owned(fold);
	bool clash;
	if (own == NULL)
		return;
	if (fact->payload->descriptor != MESSAGE(CaseMerged) &&
	    fact->payload->descriptor != MESSAGE(CaseUnmerged)) {
		vl_case_step(fold, &own->base, fact);
		return;
	}
	if (!vl_case_may_merge(own, fact))
		return;
	const char *into = vl_case_merged(row->into, fact, &clash);
	if (into == row->into)
		return;
	row->into = (char *)(uintptr_t)into;
	row->merged_at = into[0] == '\0' ? NULL : vl_view_stamp(fold, fact->occurred_at);
	row->mission = (char *)(uintptr_t)fact->mission;
	row->epoch = fact->epoch;
	row->event = fact->event;
}

void vl_case_merge_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	MergeRow *row = (void *)message;
	if (row->into[0] != '\0')
		row->case_number = vl_fold_printf(fold, "%s", vl_fold_key(fold));
}

void vl_case_merge_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const MergeRow *row = (const void *)message;
	/* Also when the merge went away; the walk from here learns of that by its tally. */
	vl_fold_dirty_each(fold, CASE_KIND_FOREST, CASE_CIRCLE);
	if (row->into[0] == '\0')
		return;
	vl_fold_dirty(fold, CASE_KIND_WALK, row->case_number);
	vl_view_count(fold, CASE_KIND_WALK, row->case_number, 1, "edge");
	vl_view_count(fold, CASE_KIND_FOREST, row->case_number, 1, "edge");
	vl_view_count(fold, CASE_KIND_CASE, row->into, 1, "merged/%s", row->case_number);
}

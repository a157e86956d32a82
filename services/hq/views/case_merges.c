/*
 * Merges form a forest (C6). A case holds at most one merge at a time; what its own history says is its MergeRow.
 * Whether several cases' merges run in a circle only all of them show: the one ForestRow walks from each case, and of
 * every circle sets aside the merge that was made last. Which that is follows from the events, not from their
 * arrival.
 */
#include "hq/views/case.h"

#include <stdio.h>
#include <string.h>

#define EDGE "edge/"

const char *vl_case_merged(const char *into, const struct vl_fact *fact, bool *clash)
{
	*clash = false;
	if (fact->payload->descriptor == CASE_DESCRIPTOR(case_unmerged)) {
		const CASE(CaseUnmerged) *undone = (const void *)fact->payload;
		bool this_one = undone->from[0] == '\0' || strcmp(undone->from, into) == 0;
		return this_one ? "" : into;
	}
	const CASE(CaseMerged) *merged = (const void *)fact->payload;
	if (into[0] == '\0')
		return merged->into;
	*clash = merged->into[0] != '\0' && strcmp(merged->into, into) != 0;
	return into;
}

void vl_case_merge_step(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	CASE(MergeRow) *row = (void *)message;
	bool clash;
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
	CASE(MergeRow) *row = (void *)message;
	row->case_number = vl_fold_printf(fold, "%s", vl_fold_key(fold));
}

void vl_case_merge_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const CASE(MergeRow) *row = (const void *)message;
	/* Also when the merge went from one case to another, or away. */
	vl_fold_dirty(fold, CASE_KIND_FOREST, CASE_BOARD_ALL);
	if (row->into[0] == '\0')
		return;
	char name[sizeof(EDGE) + 128];
	snprintf(name, sizeof(name), EDGE "%s", row->case_number);
	vl_fold_contribute(fold, CASE_KIND_FOREST, CASE_BOARD_ALL, name, 1);
	snprintf(name, sizeof(name), "merged/%s", row->case_number);
	vl_fold_contribute(fold, CASE_KIND_CASE, row->into, name, 1);
}

struct walk {
	struct vl_fold *fold;
	CASE(ForestRow) *row;
	size_t edges;
};

static void count_edge(void *context, const char *name, int64_t value)
{
	(void)name, (void)value;
	((struct walk *)context)->edges++;
}

static int made_order(const CASE(MergeRow) *a, const CASE(MergeRow) *b)
{
	int order = vl_time_compare(vl_view_time(a->merged_at), vl_view_time(b->merged_at));
	if (order == 0)
		order = strcmp(a->mission, b->mission);
	if (order == 0 && a->epoch != b->epoch)
		order = a->epoch < b->epoch ? -1 : 1;
	if (order == 0 && a->event != b->event)
		order = a->event < b->event ? -1 : 1;
	return order != 0 ? order : strcmp(a->case_number, b->case_number);
}

/* Set the merge of the case named by the tally aside if it lies on a circle and is the last one made there. */
static void walk_from(void *context, const char *name, int64_t value)
{
	(void)value;
	struct walk *walk = context;
	const char *start = name + strlen(EDGE);
	const CASE(MergeRow) *first = (const void *)vl_fold_row(walk->fold, CASE_KIND_MERGE, start);
	if (first == NULL)
		return;
	const CASE(MergeRow) *at = first;
	for (size_t steps = 0; steps < walk->edges; steps++) {
		at = (const void *)vl_fold_row(walk->fold, CASE_KIND_MERGE, at->into);
		if (at == NULL || at->into[0] == '\0')
			return;
		if (strcmp(at->case_number, start) == 0) {
			CASE(SetAsideMerge) *aside = vl_fold_add(walk->fold, CASE_DESCRIPTOR(set_aside_merge),
								 &walk->row->n_set_aside, &walk->row->set_aside);
			if (aside == NULL)
				return;
			aside->case_number = (char *)(uintptr_t)start;
			aside->into = first->into;
			return;
		}
		if (made_order(at, first) > 0)
			return;
	}
}

void vl_case_forest_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	struct walk walk = {.fold = fold, .row = (void *)message};
	vl_fold_each_tally(fold, CASE_KIND_FOREST, vl_fold_key(fold), EDGE, count_edge, &walk);
	vl_fold_each_tally(fold, CASE_KIND_FOREST, vl_fold_key(fold), EDGE, walk_from, &walk);
}

void vl_case_forest_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const CASE(ForestRow) *row = (const void *)message;
	for (size_t i = 0; i < row->n_set_aside; i++) {
		const CASE(SetAsideMerge) *aside = row->set_aside[i];
		char name[sizeof("merged/") + 128];
		snprintf(name, sizeof(name), "merged/%s", aside->case_number);
		vl_fold_contribute(fold, CASE_KIND_CASE, aside->case_number, "circle", 1);
		/* Takes back what the merge itself contributed. */
		vl_fold_contribute(fold, CASE_KIND_CASE, aside->into, name, -1);
	}
}

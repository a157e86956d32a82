/*
 * Merges form a forest (C6). A case holds at most one merge at a time; what its own history says is its MergeRow.
 * Whether several cases' merges run in a circle only all of them show: the one ForestRow walks over them once, and of
 * every circle sets aside the merge that was made last. Which that is follows from the events, not from their
 * arrival.
 */
#include "hq/names.h"
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

/* -- the forest -- */

/* A merge that holds, and where its case is merged into in turn. */
struct edge {
	const CASE(MergeRow) *merge;
	struct edge *next;
	size_t walk; /* that came by here first; 0 for none yet */
	bool aside;
};

struct edges {
	struct vl_fold *fold;
	void *by_case;
	struct edge **items;
	size_t count;
};

static void add_edge(void *context, const char *name, int64_t value)
{
	(void)value;
	struct edges *edges = context;
	struct vl_fold *fold = edges->fold;
	struct edge *edge = vl_fold_alloc(fold, sizeof(*edge));
	void **named = vl_names_at(fold, &edges->by_case, name + strlen(EDGE));
	struct edge **larger = vl_view_grow(fold, edges->items, edges->count, sizeof(struct edge *));
	if (edge == NULL || named == NULL || larger == NULL)
		return;
	edge->merge = (const void *)vl_fold_row(fold, CASE_KIND_MERGE, name + strlen(EDGE));
	if (edge->merge == NULL)
		return;
	*named = edge;
	edges->items = larger;
	edges->items[edges->count++] = edge;
}

static void link_edges(const struct edges *edges)
{
	for (size_t i = 0; i < edges->count; i++) {
		/* By its row, as a long number is filed under a shorter one. */
		const CASE(MergeRow) *into =
			(const void *)vl_fold_row(edges->fold, CASE_KIND_MERGE, edges->items[i]->merge->into);
		if (into != NULL)
			edges->items[i]->next = vl_names_find(&edges->by_case, into->case_number);
	}
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

/* Of a circle, the merge that was made last. */
static struct edge *last_made(struct edge *circle)
{
	struct edge *last = circle;
	for (struct edge *at = circle->next; at != circle; at = at->next) {
		if (made_order(at->merge, last->merge) > 0)
			last = at;
	}
	return last;
}

/* No merge is passed by two walks: a walk that meets itself has gone round, and one that meets another's way finds nothing new. */
static void find_circles(const struct edges *edges)
{
	for (size_t i = 0; i < edges->count; i++) {
		struct edge *at = edges->items[i];
		for (; at != NULL && at->walk == 0; at = at->next)
			at->walk = i + 1;
		if (at != NULL && at->walk == i + 1)
			last_made(at)->aside = true;
	}
}

void vl_case_forest_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	CASE(ForestRow) *row = (void *)message;
	struct edges edges = {.fold = fold};
	vl_fold_each_tally(fold, CASE_KIND_FOREST, vl_fold_key(fold), EDGE, add_edge, &edges);
	link_edges(&edges);
	find_circles(&edges);
	for (size_t i = 0; i < edges.count; i++) {
		const CASE(MergeRow) *merge = edges.items[i]->merge;
		CASE(SetAsideMerge) *aside = !edges.items[i]->aside
						     ? NULL
						     : vl_fold_add(fold, CASE_DESCRIPTOR(set_aside_merge),
								   &row->n_set_aside, &row->set_aside);
		if (aside == NULL)
			continue;
		aside->case_number = merge->case_number;
		aside->into = merge->into;
	}
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

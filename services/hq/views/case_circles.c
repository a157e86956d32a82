/*
 * Circles of merges (C6), found where something changed and nowhere else.
 *
 * Of each merge that changed the walk goes along the merges that hold. A circle is named after
 * the least case on it, and its ForestRow sets aside the merge that was made last. Which that is
 * follows from the events, not from their arrival. The circle leaves its name with the merges
 * that it is made of, so that it is looked at again when one of them changes; a circle that
 * comes to be has a merge that changed last, whose walk finds it.
 */
#include "hq/fold/names.h"
#include "hq/views/case.h"

#include <stdio.h>
#include <string.h>

/* The merge that holds for a case; NULL where none does. */
static const MergeRow *merge_of(struct vl_fold *fold, const char *case_number)
{
	const MergeRow *row = (const void *)vl_fold_row(fold, CASE_KIND_MERGE, case_number);
	return row == NULL || row->into[0] == '\0' ? NULL : row;
}

/* -- a walk -- */

struct walk {
	struct vl_fold *fold;
	void *by_case; /* where each case stands in it, from 1 */
	const MergeRow **merges;
	size_t count;
};

static size_t place_of(struct walk *walk, const char *case_number)
{
	return (size_t)(uintptr_t)vl_names_find(&walk->by_case, case_number);
}

/* False when out of memory. */
static bool pass(struct walk *walk, const MergeRow *merge)
{
	void **named = vl_names_at(walk->fold, &walk->by_case, merge->case_number);
	const MergeRow **larger =
		vl_view_grow(walk->fold, walk->merges, walk->count, sizeof(const MergeRow *));
	if (named == NULL || larger == NULL)
		return false;
	walk->merges = larger;
	walk->merges[walk->count++] = merge;
	*named = (void *)(uintptr_t)walk->count;
	return true;
}

/* From `start` on, until the merges end, come to a case that is known to be on no circle, or
 * meet the walk itself: then the place where, from 1; else 0. *cut says that the walk is longer
 * than any. */
static size_t go(struct walk *walk, const char *start, void **known, bool *cut)
{
	const MergeRow *merge = merge_of(walk->fold, start);
	*cut = false;
	while (merge != NULL &&
	       (known == NULL || vl_names_find(known, merge->case_number) == NULL)) {
		size_t met = place_of(walk, merge->case_number);
		if (met != 0)
			return met;
		*cut = walk->count == 2 * CASE_CIRCLE_MOST;
		if (*cut || !pass(walk, merge))
			return 0;
		merge = merge_of(walk->fold, merge->into);
	}
	return 0;
}

static const char *least(const struct walk *walk, size_t from)
{
	const char *name = walk->merges[from]->case_number;
	for (size_t i = from + 1; i < walk->count; i++) {
		if (strcmp(walk->merges[i]->case_number, name) < 0)
			name = walk->merges[i]->case_number;
	}
	return name;
}

/* What the turn knows of a case: that it is on no circle, or the name of the one that it is on. */
static const char NO_CIRCLE[] = "";

static void remember(struct walk *walk, void **known, size_t from, size_t to, const char *circle)
{
	for (size_t i = from; i < to; i++) {
		void **named = vl_names_keep(walk->fold, known, walk->merges[i]->case_number);
		if (named != NULL)
			*named = (void *)(uintptr_t)circle;
	}
}

static const char *keep_for_turn(struct vl_fold *fold, const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = vl_turn_alloc(fold, size);
	return copy == NULL ? NO_CIRCLE : memcpy(copy, name, size);
}

/* Walk from a case, and keep for the turn what that shows, so that no case is passed again. The
 * circle that the way leads into, if that was not known before; else NULL. */
static const char *explore(struct vl_fold *fold, const char *start)
{
	struct walk walk = {.fold = fold};
	void **known = vl_turn_slot(fold);
	bool cut;
	size_t met = go(&walk, start, known, &cut);
	if (met == 0 || walk.count - (met - 1) > CASE_CIRCLE_MOST) {
		/* Of a walk that was cut only the first half: a circle of those would have
		 * closed in the second. */
		remember(&walk, known, 0, cut ? CASE_CIRCLE_MOST : walk.count, NO_CIRCLE);
		return NULL;
	}
	const char *circle = keep_for_turn(fold, least(&walk, met - 1));
	remember(&walk, known, 0, met - 1, NO_CIRCLE);
	remember(&walk, known, met - 1, walk.count, circle);
	return circle;
}

void vl_case_walk_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	(void)message;
	const char *circle = explore(fold, vl_fold_key(fold));
	if (circle != NULL)
		vl_fold_dirty(fold, CASE_KIND_FOREST, circle);
}

/* -- a circle -- */

static int made_order(const MergeRow *a, const MergeRow *b)
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

void vl_case_forest_finish(struct vl_fold *fold, ProtobufCMessage *message)
{
	ForestRow *row = (void *)message;
	struct walk walk = {.fold = fold};
	bool cut;
	const char *key = vl_fold_key(fold);
	(void)explore(fold, key);
	const char *circle = vl_names_find(vl_turn_slot(fold), key);
	if (circle == NULL || strcmp(circle, key) != 0)
		return;
	(void)go(&walk, key, NULL, &cut);
	const MergeRow *last = walk.merges[0];
	for (size_t i = 0; i < walk.count; i++) {
		vl_fold_add_text(fold, walk.merges[i]->case_number, &row->n_circle, &row->circle);
		if (made_order(walk.merges[i], last) > 0)
			last = walk.merges[i];
	}
	SetAsideMerge *aside =
		vl_fold_add(fold, MESSAGE(SetAsideMerge), &row->n_set_aside, &row->set_aside);
	if (aside == NULL)
		return;
	aside->case_number = last->case_number;
	aside->into = last->into;
}

void vl_case_forest_contribute(struct vl_fold *fold, const ProtobufCMessage *message)
{
	const ForestRow *row = (const void *)message;
	for (size_t i = 0; i < row->n_circle; i++)
		vl_view_count(fold, CASE_KIND_MERGE, row->circle[i], 1, CASE_CIRCLE "%s",
			      vl_fold_key(fold));
	for (size_t i = 0; i < row->n_set_aside; i++) {
		const SetAsideMerge *aside = row->set_aside[i];
		vl_view_count(fold, CASE_KIND_CASE, aside->case_number, 1, "circle");
		/* Takes back what the merge itself contributed. */
		vl_view_count(fold, CASE_KIND_CASE, aside->into, -1, "merged/%s",
			      aside->case_number);
	}
}

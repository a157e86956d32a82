/*
 * Merges: which references are one human (E6).
 *
 * The merges that stand form a forest: each reference has at most one that it is kept under.
 * They are taken in the order of their facts; one that would give a reference a second parent,
 * or close a circle, is not followed and shown as a violation until somebody undoes one of the
 * two. Every reference then counts under the root of its tree.
 */
#include "evacuation.h"

#include <stdlib.h>
#include <string.h>

static void take_merge(struct vl_fold *fold, EV(MergesRow) *row, const struct vl_fact *fact,
		       const char *person, const char *kept, bool undone)
{
	EV(Merge) *merge = vl_fold_add(fold, &EV_TYPE(merge), &row->n_merges, &row->merges);
	if (merge == NULL)
		return;
	merge->person = vl_view_keep_ref(fold, person);
	merge->kept = vl_view_keep_ref(fold, kept);
	merge->undone = undone;
	merge->mission = (char *)(uintptr_t)fact->mission;
	merge->event.data = vl_fold_alloc(fold, 16);
	if (merge->event.data != NULL) {
		memcpy(merge->event.data, fact->id, 16);
		merge->event.len = 16;
	}
}

static void take_merged(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)
{
	const EV(PersonsMerged) *merged = (const EV(PersonsMerged) *)fact->payload;
	take_merge(fold, (EV(MergesRow) *)row, fact, merged->person, merged->kept, false);
}

static void take_unmerged(struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)
{
	const EV(PersonsUnmerged) *unmerged = (const EV(PersonsUnmerged) *)fact->payload;
	take_merge(fold, (EV(MergesRow) *)row, fact, unmerged->person, unmerged->kept, true);
}

static const struct vl_step steps[] = {
	{&EV_TYPE(persons_merged), take_merged},
	{&EV_TYPE(persons_unmerged), take_unmerged},
	{NULL, NULL},
};

EVACUATION_STEP(merges)
{
	vl_view_step(steps, fold, row, fact);
}

/* -- which statements stand -- */

struct said {
	EV(Merge) *merge;
	size_t place;
};

static int by_pair(const void *left, const void *right)
{
	const struct said *a = left, *b = right;
	int order = strcmp(a->merge->person, b->merge->person);
	if (order == 0)
		order = strcmp(a->merge->kept, b->merge->kept);
	return order != 0 ? order : a->place < b->place ? -1 : a->place > b->place;
}

static int by_place(const void *left, const void *right)
{
	const struct said *a = left, *b = right;
	return a->place < b->place ? -1 : a->place > b->place;
}

static bool same_pair(const EV(Merge) *a, const EV(Merge) *b)
{
	return strcmp(a->person, b->person) == 0 && strcmp(a->kept, b->kept) == 0;
}

/* E12: who merged, or headquarters. Another's attempt leaves its word in `refused`. */
static bool may_undo(EV(Merge) *undoing, const EV(Merge) *merge)
{
	if (strcmp(undoing->mission, merge->mission) == 0 ||
	    strcmp(undoing->mission, EVACUATION_HQ) == 0)
		return true;
	undoing->refused = (char *)(uintptr_t) "it is another mission's";
	return false;
}

/* E12: those of the statements that may be made; one that may not leaves its word. Returns how
 * many. */
static size_t keep_owned(struct vl_fold *fold, EV(MergesRow) *merges, struct said *said)
{
	size_t kept = 0;
	for (size_t i = 0; i < merges->n_merges; i++) {
		EV(Merge) *merge = merges->merges[i];
		if (merge->undone ||
		    vl_evacuation_may_merge(fold, merge->mission, merge->person, merge->kept))
			said[kept++] = (struct said){merge, i};
		else
			merge->refused = (char *)(uintptr_t) "it has not registered both first";
	}
	return kept;
}

/* Of each pair keep the first statement since the last undoing, where it was not undone. Returns
 * how many. */
static size_t standing(struct said *said, size_t count)
{
	qsort(said, count, sizeof(*said), by_pair);
	size_t kept = 0;
	for (size_t from = 0, to; from < count; from = to) {
		const struct said *first = NULL;
		for (to = from; to < count && same_pair(said[to].merge, said[from].merge); to++) {
			if (said[to].merge->undone)
				first = first != NULL && !may_undo(said[to].merge, first->merge)
						? first
						: NULL;
			else if (first == NULL)
				first = &said[to];
		}
		if (first != NULL)
			said[kept++] = *first;
	}
	qsort(said, kept, sizeof(*said), by_place);
	return kept;
}

/* -- the forest -- */

/* A reference that is kept under another, or under which others are kept. */
struct node {
	const char *name;
	EV(Merge) *up;
	struct node *above; /* on the way to the root, or NULL at it */
};

struct forest {
	struct node *nodes; /* by name */
	size_t count;
};

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct node *)left)->name, ((const struct node *)right)->name);
}

static struct node *find(const struct forest *forest, const char *name)
{
	struct node wanted = {.name = name};
	return bsearch(&wanted, forest->nodes, forest->count, sizeof(wanted), by_name);
}

/* The way there is halved, so that many questions cost little more than one each. */
static struct node *root_of(struct node *node)
{
	while (node->above != NULL) {
		if (node->above->above != NULL)
			node->above = node->above->above;
		node = node->above;
	}
	return node;
}

static const char *follow(const struct forest *forest, EV(Merge) *merge)
{
	if (vl_evacuation_is_empty(merge->person) || vl_evacuation_is_empty(merge->kept))
		return "a reference is missing";
	struct node *node = find(forest, merge->person), *kept = find(forest, merge->kept);
	if (node->up != NULL)
		return "belongs to another already";
	if (root_of(kept) == node)
		return "would close a circle";
	node->up = merge;
	node->above = kept;
	return NULL;
}

static struct forest make_forest(struct node *nodes, const struct said *said, size_t count)
{
	struct forest forest = {.nodes = nodes};
	for (size_t i = 0; i < count; i++) {
		nodes[2 * i] = (struct node){.name = said[i].merge->person};
		nodes[2 * i + 1] = (struct node){.name = said[i].merge->kept};
	}
	qsort(nodes, 2 * count, sizeof(*nodes), by_name);
	for (size_t i = 0; i < 2 * count; i++) {
		if (forest.count == 0 || strcmp(nodes[forest.count - 1].name, nodes[i].name) != 0)
			nodes[forest.count++] = nodes[i];
	}
	return forest;
}

static void list_refused(struct vl_fold *fold, EV(MergesRow) *merges)
{
	size_t refused = 0;
	for (size_t i = 0; i < merges->n_merges; i++) {
		const EV(Merge) *merge = merges->merges[i];
		if (vl_evacuation_is_empty(merge->refused) || refused++ >= EVACUATION_TRIED_MAX)
			continue;
		const struct vl_fact fact = {.id = merge->event.data};
		vl_fold_violation(fold, &merges->n_violations, &merges->violations, "E12",
				  fact.id != NULL ? &fact : NULL,
				  "%s %s %s by %s changes nothing: %s", merge->person,
				  merge->undone ? "unmerged from" : "merged into", merge->kept,
				  merge->mission, merge->refused);
	}
}

EVACUATION_FINISH(merges)
{
	EV(MergesRow) *merges = (EV(MergesRow) *)row;
	size_t count = merges->n_merges;
	struct said *said = vl_fold_alloc(fold, (count + 1) * sizeof(*said));
	struct node *nodes = vl_fold_alloc(fold, (2 * count + 1) * sizeof(*nodes));
	if (said == NULL || nodes == NULL)
		return;
	count = keep_owned(fold, merges, said);
	count = standing(said, count);
	list_refused(fold, merges);
	struct forest forest = make_forest(nodes, said, count);
	for (size_t i = 0; i < count; i++) {
		EV(Merge) *merge = merges->merges[i] = said[i].merge;
		const char *why = follow(&forest, merge);
		if (why == NULL)
			continue;
		merge->refused = vl_view_keep(fold, why);
		const struct vl_fact fact = {.id = merge->event.data};
		vl_fold_violation(fold, &merges->n_violations, &merges->violations, "E6",
				  fact.id != NULL ? &fact : NULL, "%s merged into %s: %s",
				  merge->person, merge->kept, why);
	}
	merges->n_merges = count;
	for (size_t i = 0; i < count; i++)
		merges->merges[i]->canonical =
			(char *)(uintptr_t)root_of(find(&forest, merges->merges[i]->person))->name;
}

EVACUATION_CONTRIBUTE(merges)
{
	const EV(MergesRow) *merges = (const EV(MergesRow) *)row;
	for (size_t i = 0; i < merges->n_merges; i++) {
		const EV(Merge) *merge = merges->merges[i];
		if (vl_evacuation_is_empty(merge->refused))
			vl_view_count(fold, EVACUATION_REGISTRATION, merge->person, 1,
				      "canonical/%s", merge->canonical);
		else
			vl_view_count(fold, EVACUATION_REGISTRATION, merge->person, 1, "refused/%s",
				      merge->kept);
	}
}

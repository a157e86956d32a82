/*
 * Merges: which references are one human (E6).
 *
 * The merges that stand form a forest: each reference has at most one that it is kept under.
 * They are taken in the order of their facts; one that would give a reference a second parent,
 * or close a circle, is not followed and shown as a violation until somebody undoes one of the
 * two. Every reference then counts under the root of its tree.
 */
#include "hq/fold/heads.h"
#include "hq/views/evacuation.h"

#include <stdlib.h>
#include <string.h>

static void take_merge(struct vl_fold *fold, MergesRow *row, const struct vl_fact *fact,
		       const char *person, const char *kept, bool undone)
{
	Merge *merge = vl_fold_add(fold, MESSAGE(Merge), &row->n_merges, &row->merges);
	if (merge == NULL)
		return;
	merge->person = vl_view_keep_ref(fold, person);
	merge->kept = vl_view_keep_ref(fold, kept);
	merge->undone = undone;
	merge->mission = (char *)(uintptr_t)fact->mission;
	merge->event = vl_view_id(fact);
}

static STEP(take_merged, MergesRow, PersonsMerged)
{
	take_merge(fold, row, fact, event->person, event->kept, false);
}

static STEP(take_unmerged, MergesRow, PersonsUnmerged)
{
	take_merge(fold, row, fact, event->person, event->kept, true);
}

const struct vl_step vl_evacuation_merges_steps[] = {
	{MESSAGE(PersonsMerged), take_merged}, {MESSAGE(PersonsUnmerged), take_unmerged}, END};

/* -- which statements stand -- */

struct said {
	Merge *merge;
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

static bool same_pair(const Merge *a, const Merge *b)
{
	return strcmp(a->person, b->person) == 0 && strcmp(a->kept, b->kept) == 0;
}

/* E12: who merged, or headquarters. Another's attempt leaves its word in `refused`. */
static bool may_undo(Merge *undoing, const Merge *merge)
{
	if (strcmp(undoing->mission, merge->mission) == 0 ||
	    strcmp(undoing->mission, VL_HEADQUARTERS) == 0)
		return true;
	undoing->refused = (char *)(uintptr_t) "it is another mission's";
	return false;
}

/* E12: whether the mission may say that two references are one human. */
static bool registered(struct vl_fold *fold, const char *mission, const char *reference)
{
	const RegistrarRow *row = (const void *)vl_fold_row(fold, EVACUATION_REGISTRAR, reference);
	return row != NULL && strcmp(row->mission, mission) == 0;
}

static bool may_merge(struct vl_fold *fold, const Merge *merge)
{
	return strcmp(merge->mission, VL_HEADQUARTERS) == 0 ||
	       (registered(fold, merge->mission, merge->person) &&
		registered(fold, merge->mission, merge->kept));
}

/* E12: those of the statements that may be made; one that may not leaves its word. Returns how
 * many. */
static size_t keep_owned(struct vl_fold *fold, MergesRow *merges, struct said *said)
{
	size_t kept = 0;
	for (size_t i = 0; i < merges->n_merges; i++) {
		Merge *merge = merges->merges[i];
		if (merge->undone || may_merge(fold, merge))
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
	Merge *up;
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

static const char *follow(const struct forest *forest, Merge *merge)
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

static void list_refused(struct vl_fold *fold, MergesRow *merges)
{
	size_t refused = 0;
	for (size_t i = 0; i < merges->n_merges; i++) {
		const Merge *merge = merges->merges[i];
		if (vl_evacuation_is_empty(merge->refused) || refused++ >= VL_TRIED_MOST)
			continue;
		const struct vl_fact fact = {.id = merge->event.data};
		BREAKS(fold, merges, "E12", fact.id != NULL ? &fact : NULL,
		       "%s %s %s by %s changes nothing: %s", merge->person,
		       merge->undone ? "unmerged from" : "merged into", merge->kept, merge->mission,
		       merge->refused);
	}
}

FINISH(vl_evacuation_merges_finish, MergesRow)
{
	size_t count = row->n_merges;
	struct said *said = vl_fold_alloc(fold, (count + 1) * sizeof(*said));
	struct node *nodes = vl_fold_alloc(fold, (2 * count + 1) * sizeof(*nodes));
	if (said == NULL || nodes == NULL)
		return;
	count = keep_owned(fold, row, said);
	count = standing(said, count);
	list_refused(fold, row);
	struct forest forest = make_forest(nodes, said, count);
	for (size_t i = 0; i < count; i++) {
		Merge *merge = row->merges[i] = said[i].merge;
		const char *why = follow(&forest, merge);
		if (why == NULL)
			continue;
		merge->refused = vl_view_keep(fold, why);
		const struct vl_fact fact = {.id = merge->event.data};
		BREAKS(fold, row, "E6", fact.id != NULL ? &fact : NULL, "%s merged into %s: %s",
		       merge->person, merge->kept, why);
	}
	row->n_merges = count;
	for (size_t i = 0; i < count; i++)
		row->merges[i]->canonical =
			(char *)(uintptr_t)root_of(find(&forest, row->merges[i]->person))->name;
}

CONTRIBUTE(vl_evacuation_merges_contribute, MergesRow)
{
	for (size_t i = 0; i < row->n_merges; i++) {
		const Merge *merge = row->merges[i];
		if (vl_evacuation_is_empty(merge->refused))
			vl_view_count(fold, EVACUATION_REGISTRATION, merge->person, 1,
				      "canonical/%s", merge->canonical);
		else
			vl_view_count(fold, EVACUATION_REGISTRATION, merge->person, 1, "refused/%s",
				      merge->kept);
	}
}

/*
 * What a row reads of others, bound: the lookups of a kind, and the lanes that a view reads, which
 * have no circle.
 */
#include "hq/fold/binder.h"
#include "hq/fold/views.h"

/* -- the lanes -- */

static const struct vl_view *view_of(const char *lane)
{
	int view = vl_view_of_lane(lane, strlen(lane));

	return view >= 0 ? vl_views[view] : NULL;
}

/* The first lane on a way from `lane` to the view itself; NULL where there is no way. As long a way
 * as there are lanes has met one twice. */
static bool comes_round(const struct vl_view *self, const char *lane, size_t most)
{
	const struct vl_view *view = view_of(lane);

	if (strcmp(lane, self->lane) == 0)
		return true;
	for (size_t i = 0;
	     most > 0 && view != NULL && view->reads != NULL && view->reads[i] != NULL; i++)
		if (comes_round(self, view->reads[i], most - 1))
			return true;
	return false;
}

void binder_reads(struct binder *b)
{
	const struct vl_view *self = b->bound->view;

	b->table = "reads";
	for (b->row = 0; self->reads != NULL && self->reads[b->row] != NULL; b->row++) {
		const char *lane = self->reads[b->row];
		if (view_of(lane) == NULL)
			binder_fault(b, "there is no lane %s", lane);
		else if (comes_round(self, lane, vl_views_count()))
			binder_fault(b, "%s reads %s itself, and lanes read in one direction only",
				     lane, self->lane);
	}
	b->table = NULL;
}

static bool is_read(const struct vl_view *view, const char *lane)
{
	for (size_t i = 0; view->reads != NULL && view->reads[i] != NULL; i++)
		if (strcmp(view->reads[i], lane) == 0)
			return true;
	return false;
}

/* -- the lookups of a kind -- */

/* The kind that is read; NULL, with the fault said, where there is none. */
static const struct vl_kind *find_kind(struct binder *b, unsigned rank, struct bound_lookup *bound)
{
	const struct vl_lookup *lookup = bound->lookup;
	const struct vl_view *view = b->bound->view;

	bound->view = VL_OWN_LANE;
	if (lookup->lane != NULL) {
		int index = vl_view_of_lane(lookup->lane, strlen(lookup->lane));
		if (!is_read(view, lookup->lane) || index < 0) {
			binder_fault(b, "%s is not among the lanes that the view reads",
				     lookup->lane);
			return NULL;
		}
		bound->view = (size_t)index;
		view = vl_views[index];
	}
	int kind = vl_view_kind(view, lookup->kind);
	if (kind < 0)
		binder_fault(b, "%s has no kind '%s'", view->lane, lookup->kind);
	else if (lookup->lane == NULL && (unsigned)kind >= rank)
		binder_fault(b, "a row looks up kinds of a lower rank only, and '%s' is none",
			     lookup->kind);
	if (kind < 0 || (lookup->lane == NULL && (unsigned)kind >= rank))
		return NULL;
	bound->kind = (unsigned)kind;
	return &view->kinds[kind];
}

static bool fits(const ProtobufCFieldDescriptor *from, const ProtobufCFieldDescriptor *to)
{
	bool typed = to->type == PROTOBUF_C_TYPE_MESSAGE || to->type == PROTOBUF_C_TYPE_ENUM;

	if (vl_value_class(from) != vl_value_class(to) || vl_value_class(to) == VL_NOTHING)
		return false;
	return typed || to->label == PROTOBUF_C_LABEL_REPEATED
		       ? from->type == to->type && from->descriptor == to->descriptor
		       : from->type != PROTOBUF_C_TYPE_ENUM;
}

static void bind_key(struct binder *b, const struct bound_kind *kind, struct bound_lookup *bound)
{
	const struct vl_lookup *lookup = bound->lookup;

	bound->own_key = lookup->key.name != NULL && strcmp(lookup->key.name, "@key") == 0;
	if ((lookup->key.name == NULL) != (lookup->to.name == NULL))
		binder_fault(b, "it needs both a key and a field to fill, or neither");
	if (lookup->key.name == NULL && kind->kind->look == NULL)
		binder_fault(b, "without a key it is for a function 'look', and there is none");
	if (lookup->key.name != NULL && !bound->own_key)
		bound->key = binder_field(b, kind->kind->row, &lookup->key);
	if (bound->key != NULL && (bound->key->type != PROTOBUF_C_TYPE_STRING ||
				   bound->key->label == PROTOBUF_C_LABEL_REPEATED))
		binder_fault(b, "a key is a text, and '%s' is none", lookup->key.name);
}

static void bind_lookup(struct binder *b, unsigned rank, const struct bound_kind *kind,
			struct bound_lookup *bound)
{
	const struct vl_lookup *lookup = bound->lookup;
	const struct vl_kind *there = find_kind(b, rank, bound);

	bind_key(b, kind, bound);
	if (there == NULL)
		return;
	bound->from = binder_field(b, there->row, &lookup->from);
	if (bound->from != NULL && vl_value_class(bound->from) == VL_NOTHING)
		binder_fault(b, "'%s' cannot be read", lookup->from.name);
	if (lookup->to.name == NULL)
		return;
	bound->to = binder_field(b, kind->kind->row, &lookup->to);
	if (bound->from != NULL && bound->to != NULL && !fits(bound->from, bound->to))
		binder_fault(b, "'%s' cannot become '%s' of %s: their types differ",
			     lookup->to.name, lookup->from.name, there->row->short_name);
}

void binder_lookups(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	const struct vl_lookup *lookups = kind->kind->lookups;
	bool failed = b->failed;

	while (lookups != NULL && lookups[kind->n_lookups].kind != NULL)
		kind->n_lookups++;
	kind->lookups = binder_make(b, kind->n_lookups, sizeof(*kind->lookups));
	b->table = "lookups";
	for (b->row = 0; kind->lookups != NULL && b->row < kind->n_lookups; b->row++) {
		kind->lookups[b->row].lookup = &lookups[b->row];
		bind_lookup(b, rank, kind, &kind->lookups[b->row]);
	}
	b->table = NULL;
	if (kind->kind->look != NULL && kind->n_lookups == 0 && !failed)
		binder_fault(b, "it has a function 'look' and no lookups that say what it reads");
}

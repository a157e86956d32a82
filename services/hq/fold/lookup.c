/*
 * What a row reads of others. Whichever engine folds gives the other row (vl_fold_look); here is
 * which rows are asked for, and what of them can be seen.
 */
#include "hq/fold/bound.h"

#include <string.h>

bool vl_bound_looks(const struct vl_bound *bound, unsigned kind)
{
	return bound->kinds[kind].n_lookups > 0;
}

bool vl_bound_lookup(const struct vl_bound *bound, unsigned kind, unsigned n, size_t *view,
		     unsigned *there)
{
	const struct bound_kind *of = &bound->kinds[kind];

	if (n >= of->n_lookups)
		return false;
	*view = of->lookups[n].view;
	*there = of->lookups[n].kind;
	return true;
}

static bool sees(const struct bound_kind *kind, size_t view, unsigned there,
		 const ProtobufCMessage *row, ProtobufCMessage *seen)
{
	bool any = false;

	for (size_t i = 0; i < kind->n_lookups; i++) {
		const struct bound_lookup *lookup = &kind->lookups[i];
		if (lookup->view != view || lookup->kind != there)
			continue;
		any = true;
		if (row == NULL)
			continue;
		struct vl_value value = vl_value_get(row, lookup->from);
		vl_value_set(seen, lookup->from, &value);
	}
	return any;
}

bool vl_bound_sees(const struct vl_bound *bound, unsigned kind, size_t view, unsigned there,
		   const ProtobufCMessage *row, ProtobufCMessage *seen)
{
	bool any = false;

	if (kind != VL_ANY_KIND)
		return sees(&bound->kinds[kind], view, there, row, seen);
	for (unsigned rank = 0; rank < bound->view->n_kinds; rank++)
		any = sees(&bound->kinds[rank], view, there, row, seen) || any;
	return any;
}

void bound_look(const struct bound_kind *kind, struct vl_fold *fold, ProtobufCMessage *row)
{
	for (unsigned i = 0; i < kind->n_lookups; i++) {
		const struct bound_lookup *lookup = &kind->lookups[i];
		if (lookup->lookup->key.name == NULL)
			continue;
		const char *key =
			lookup->own_key ? vl_fold_key(fold) : vl_value_get(row, lookup->key).text;
		const ProtobufCMessage *other = vl_fold_look(fold, i, key);
		if (other == NULL)
			continue;
		struct vl_value value = vl_value_get(other, lookup->from);
		vl_value_set(row, lookup->to, &value);
	}
	if (kind->kind->look != NULL)
		kind->kind->look(fold, row);
}

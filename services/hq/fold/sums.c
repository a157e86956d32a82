/*
 * What rows add to others: named numbers that the engine keeps for the other row (view.h calls them
 * tallies), and that become its fields when it is folded.
 */
#include "hq/fold/bound.h"

#include <string.h>

/* -- from a row -- */

static void add_by_rule(const struct bound_kind *kind, struct vl_fold *fold,
			const ProtobufCMessage *row, unsigned to, const char *key, const char *name)
{
	const struct vl_value list = vl_value_get(row, kind->violations);
	Valise__V1__Violation *const *items = list.items;

	for (size_t i = 0; i < list.count; i++)
		vl_view_count(fold, to, key, 1, "%s/%s", name, items[i]->rule);
}

static void add_sum(const struct bound_kind *kind, const struct bound_sum *sum,
		    struct vl_fold *fold, const ProtobufCMessage *row, unsigned to, const char *key)
{
	const char *name = sum->sum->to.name;

	if (sum->sum->when.holds != NULL && !sum->sum->when.holds(row))
		return;
	struct vl_value group =
		sum->group != NULL ? vl_value_get(row, sum->group) : (struct vl_value){0};
	int64_t amount = sum->amount != NULL ? vl_value_get(row, sum->amount).number : 1;
	if (sum->rules)
		add_by_rule(kind, fold, row, to, key, name);
	else if (sum->counts)
		vl_view_count(fold, to, key, amount, "%s/%s", name,
			      vl_value_name(sum->group, &group));
	else
		vl_view_count(fold, to, key, amount, "%s", name);
}

static const char *target_key(const struct bound_target *target, const ProtobufCMessage *row,
			      struct vl_buf *room)
{
	if (target->target->fixed != NULL)
		return target->target->fixed;
	if (target->key != NULL)
		return vl_value_get(row, target->key).text;
	target->target->key_of(row, room);
	return vl_buf_text(room);
}

void vl_bound_contribute(const struct vl_bound *bound, unsigned rank, struct vl_fold *fold,
			 const ProtobufCMessage *row)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	for (size_t i = 0; i < kind->n_targets; i++) {
		const struct bound_target *target = &kind->targets[i];
		struct vl_buf room = {0};
		const char *key = target_key(target, row, &room);
		for (size_t s = 0; s < target->n_sums; s++)
			add_sum(kind, &target->sums[s], fold, row, target->target->kind, key);
		vl_buf_free(&room);
	}
	if (kind->kind->contribute != NULL)
		kind->kind->contribute(fold, row);
}

/* -- into a row -- */

static void fill_counts(const ProtobufCFieldDescriptor *field, unsigned rank, struct vl_fold *fold,
			ProtobufCMessage *row)
{
	char *prefix = vl_fold_printf(fold, "%s/", field->name);

	if (prefix != NULL)
		vl_view_list_counts(fold, rank, prefix, vl_field_count(row, field),
				    vl_field_items(row, field));
}

void bound_fill_sums(const struct bound_kind *kind, unsigned rank, struct vl_fold *fold,
		     ProtobufCMessage *row)
{
	for (size_t i = 0; i < kind->n_summed; i++) {
		const ProtobufCFieldDescriptor *field = kind->summed[i];
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			fill_counts(field, rank, fold, row);
			continue;
		}
		struct vl_value sum = {
			.class = VL_NUMBER,
			.number = vl_fold_tally(fold, rank, vl_fold_key(fold), field->name)};
		vl_value_set(row, field, &sum);
	}
}

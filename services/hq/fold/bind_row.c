/*
 * What follows from a row, bound: the rules, the targets with their sums, and the columns of a
 * kind.
 */
#include "hq/fold/binder.h"

/* -- rules -- */

static void bind_rule(struct binder *b, struct bound_kind *kind, struct bound_rule *bound,
		      const struct vl_rule *rule)
{
	bound->rule = rule;
	if (rule->text == NULL || rule->text[0] == '\0')
		binder_fault(b, "rule %s has no words", rule->id);
	if ((rule->broken.name == NULL) == (rule->sum.name == NULL))
		binder_fault(b, "rule %s needs either a function or a sum", rule->id);
	if (rule->sum.name == NULL)
		return;
	bound->sum = binder_field(b, kind->kind->row, &rule->sum);
	if (bound->sum != NULL && vl_value_class(bound->sum) != VL_NUMBER)
		binder_fault(b, "'%s' is no number", rule->sum.name);
	for (; bound->n_parts < VL_PARTS && rule->parts[bound->n_parts].name != NULL;
	     bound->n_parts++) {
		const ProtobufCFieldDescriptor *part =
			binder_field(b, kind->kind->row, &rule->parts[bound->n_parts]);
		if (part != NULL && vl_value_class(part) != VL_NUMBER)
			binder_fault(b, "'%s' is no number", part->name);
		bound->parts[bound->n_parts] = part;
	}
	if (bound->n_parts == 0)
		binder_fault(b, "rule %s has a sum without parts", rule->id);
}

static void bind_rules(struct binder *b, struct bound_kind *kind)
{
	const struct vl_rule *rules = kind->kind->rules;

	while (rules != NULL && rules[kind->n_rules].id != NULL)
		kind->n_rules++;
	kind->rules = binder_make(b, kind->n_rules, sizeof(*kind->rules));
	if (kind->n_rules > 0 && kind->violations == NULL)
		binder_fault(b,
			     "it has rules, and %s no field 'repeated valise.v1.Violation "
			     "violations = %d'",
			     kind->kind->row->short_name, VIOLATIONS_ID);
	b->table = "rules";
	for (b->row = 0; kind->rules != NULL && b->row < kind->n_rules; b->row++)
		bind_rule(b, kind, &kind->rules[b->row], &rules[b->row]);
	b->table = NULL;
}

/* -- sums -- */

static void bind_group(struct binder *b, const struct bound_kind *kind, struct bound_sum *bound)
{
	const struct vl_sum *sum = bound->sum;

	bound->rules = sum->group.name != NULL && strcmp(sum->group.name, "@rules") == 0;
	if (bound->counts != (sum->group.name != NULL))
		binder_fault(b, "'%s' is %s", sum->to.name,
			     bound->counts ? "a list of counts, and needs a group"
					   : "one number, and has no groups");
	if (bound->rules && kind->violations == NULL)
		binder_fault(b, "%s has no violations to count", kind->kind->row->short_name);
	if (bound->rules || sum->group.name == NULL)
		return;
	bound->group = binder_field(b, kind->kind->row, &sum->group);
	if (bound->group != NULL && (bound->group->label == PROTOBUF_C_LABEL_REPEATED ||
				     (bound->group->type != PROTOBUF_C_TYPE_ENUM &&
				      bound->group->type != PROTOBUF_C_TYPE_STRING)))
		binder_fault(b, "'%s' is neither an enum nor a text, and cannot be a group",
			     sum->group.name);
}

/* A field that is filled with what others add, once. */
static void add_summed(struct binder *b, struct bound_kind *kind,
		       const ProtobufCFieldDescriptor *field)
{
	for (size_t i = 0; i < kind->n_summed; i++)
		if (kind->summed[i] == field)
			return;
	if (kind->summed == NULL)
		kind->summed = binder_make(b, kind->kind->row->n_fields, sizeof(*kind->summed));
	if (kind->summed != NULL)
		kind->summed[kind->n_summed++] = field;
}

static void bind_summed(struct binder *b, struct bound_kind *kind)
{
	const struct vl_field *fields = kind->kind->summed;

	b->table = "summed";
	for (b->row = 0; fields != NULL && fields[b->row].name != NULL; b->row++) {
		const ProtobufCFieldDescriptor *field =
			binder_field(b, kind->kind->row, &fields[b->row]);
		if (field == NULL)
			continue;
		if (vl_value_class(field) != VL_NUMBER &&
		    !vl_field_is_list_of(field, &valise__v1__count__descriptor))
			binder_fault(b, "'%s' is neither a number nor a list of valise.v1.Count",
				     field->name);
		add_summed(b, kind, field);
	}
	b->table = NULL;
}

static void bind_sum(struct binder *b, const struct bound_kind *kind, unsigned to,
		     struct bound_sum *bound, const struct vl_sum *sum)
{
	struct bound_kind *other = &b->bound->kinds[to];
	const ProtobufCFieldDescriptor *field =
		binder_field(b, b->bound->view->kinds[to].row, &sum->to);

	bound->sum = sum;
	if (field == NULL)
		return;
	bound->counts = vl_field_is_list_of(field, &valise__v1__count__descriptor);
	if (!bound->counts && vl_value_class(field) != VL_NUMBER)
		binder_fault(b, "'%s' is neither a number nor a list of valise.v1.Count",
			     sum->to.name);
	bind_group(b, kind, bound);
	if (sum->amount.name != NULL) {
		bound->amount = binder_field(b, kind->kind->row, &sum->amount);
		if (bound->amount != NULL && vl_value_class(bound->amount) != VL_NUMBER)
			binder_fault(b, "'%s' is no number", sum->amount.name);
	}
	add_summed(b, other, field);
}

static void bind_target(struct binder *b, unsigned rank, struct bound_target *bound,
			const struct vl_target *target)
{
	const struct bound_kind *kind = &b->bound->kinds[rank];

	bound->target = target;
	if (target->kind <= rank || target->kind >= b->bound->view->n_kinds) {
		binder_fault(b, "a row adds to kinds of a higher rank only, and %u is none",
			     target->kind);
		return;
	}
	if ((target->key.name != NULL) + (target->fixed != NULL) + (target->key_of != NULL) != 1)
		binder_fault(b, "its key is a field, or fixed, or a function's: one of them");
	if (target->key.name != NULL) {
		bound->key = binder_field(b, kind->kind->row, &target->key);
		if (bound->key != NULL && bound->key->type != PROTOBUF_C_TYPE_STRING)
			binder_fault(b, "a key is a text, and '%s' is none", target->key.name);
	}
	while (target->sums != NULL && target->sums[bound->n_sums].to.name != NULL)
		bound->n_sums++;
	bound->sums = binder_make(b, bound->n_sums, sizeof(*bound->sums));
	size_t row = b->row;
	b->table = "sums";
	for (b->row = 0; bound->sums != NULL && b->row < bound->n_sums; b->row++)
		bind_sum(b, kind, target->kind, &bound->sums[b->row], &target->sums[b->row]);
	b->table = "targets";
	b->row = row;
}

static bool is_target(const struct vl_target *target)
{
	return target->key.name != NULL || target->fixed != NULL || target->key_of != NULL;
}

static void bind_targets(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	const struct vl_target *targets = kind->kind->targets;

	while (targets != NULL && is_target(&targets[kind->n_targets]))
		kind->n_targets++;
	kind->targets = binder_make(b, kind->n_targets, sizeof(*kind->targets));
	b->table = "targets";
	for (b->row = 0; kind->targets != NULL && b->row < kind->n_targets; b->row++)
		bind_target(b, rank, &kind->targets[b->row], &targets[b->row]);
	b->table = NULL;
}

/* -- columns -- */

static void bind_column(struct binder *b, const struct bound_kind *kind, struct bound_column *bound)
{
	const struct vl_column *column = bound->column;

	if (column->field.name != NULL)
		bound->field = binder_field(b, kind->kind->row, &column->field);
	else if (column->cell == NULL && column->form == VL_AS_IT_IS)
		binder_fault(b, "column %s has neither a field nor a function", column->title);
	if (column->form == VL_DUE && kind->clocks == NULL)
		binder_fault(b, "column %s shows a time limit, and there is no clock",
			     column->title);
	for (size_t i = 0; i < b->row; i++)
		if (strcmp(kind->kind->columns[i].title, column->title) == 0)
			binder_fault(b, "two columns are called %s", column->title);
}

static void bind_columns(struct binder *b, struct bound_kind *kind)
{
	const struct vl_column *columns = kind->kind->columns;

	while (columns != NULL && columns[kind->n_columns].title != NULL)
		kind->n_columns++;
	if (kind->n_columns == 0)
		binder_fault(b, "it has no columns");
	kind->columns = binder_make(b, kind->n_columns, sizeof(*kind->columns));
	b->table = "columns";
	for (b->row = 0; kind->columns != NULL && b->row < kind->n_columns; b->row++) {
		kind->columns[b->row].column = &columns[b->row];
		bind_column(b, kind, &kind->columns[b->row]);
	}
	b->table = NULL;
}

void binder_row(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	bind_rules(b, kind);
	bind_summed(b, kind);
	bind_targets(b, rank, kind);
	bind_columns(b, kind);
}

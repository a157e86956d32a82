#include "hq/fold/source.h"

#include "hq/fold/bound.h"

#include <stdio.h>
#include <string.h>

/* -- the lines of the declaration -- */

static void put_sums(const struct vl_bound *bound, unsigned kind, const char *field,
		     struct vl_buf *out)
{
	for (const struct vl_field *sum = bound->kinds[kind].kind->summed;
	     sum != NULL && sum->name != NULL; sum++)
		if (strcmp(sum->name, field) == 0)
			vl_buf_printf(out, "%s += what others add in C\n", field);
	for (unsigned from = 0; from < bound->view->n_kinds; from++) {
		const struct bound_kind *adder = &bound->kinds[from];
		for (size_t i = 0; i < adder->n_targets; i++) {
			const struct bound_target *target = &adder->targets[i];
			for (size_t s = 0; target->target->kind == kind && s < target->n_sums; s++)
				if (strcmp(target->sums[s].sum->to.name, field) == 0) {
					vl_buf_printf(out, "each %s: ", adder->kind->name);
					bound_put_sum(&target->sums[s], out);
				}
		}
	}
}

void vl_bound_sources(const struct vl_bound *bound, unsigned rank,
		      const ProtobufCFieldDescriptor *field, struct vl_buf *out)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	for (const struct vl_set *set = kind->kind->sets; set != NULL && set->to.name != NULL;
	     set++)
		if (strcmp(set->to.name, field->name) == 0)
			bound_put_set(set, out);
	if (field == kind->state)
		for (const struct vl_move *move = kind->kind->moves;
		     move != NULL && move->from != 0; move++)
			bound_put_move(kind, move, out);
	if (field == kind->clocks)
		for (const struct vl_clock_rule *clock = kind->kind->clocks;
		     clock != NULL && clock->name != NULL; clock++)
			bound_put_clock(clock, out);
	if (field == kind->violations)
		for (size_t i = 0; i < kind->n_rules; i++)
			bound_put_rule(&kind->rules[i], out);
	for (size_t i = 0; i < kind->n_lookups; i++)
		if (kind->lookups[i].to == field)
			bound_put_lookup(&kind->lookups[i], out);
	put_sums(bound, rank, field->name, out);
}

/* -- rules -- */

static bool is(const char *name, const char *rule)
{
	return name != NULL && strcmp(name, rule) == 0;
}

void vl_bound_rule(const struct vl_bound *bound, unsigned rank, const char *rule,
		   struct vl_buf *out)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	for (size_t i = 0; i < kind->n_rules; i++)
		if (is(kind->rules[i].rule->id, rule))
			bound_put_rule(&kind->rules[i], out);
	for (const struct vl_move *move = kind->kind->moves; move != NULL && move->from != 0;
	     move++)
		if (is(move->rule, rule))
			bound_put_move(kind, move, out);
	for (const struct vl_clock_rule *clock = kind->kind->clocks;
	     clock != NULL && clock->name != NULL; clock++)
		if (is(clock->rule, rule))
			bound_put_clock(clock, out);
}

const char *vl_bound_rule_words(const struct vl_bound *bound, unsigned rank, const char *rule)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	for (size_t i = 0; i < kind->n_rules; i++)
		if (is(kind->rules[i].rule->id, rule))
			return kind->rules[i].rule->text;
	return NULL;
}

bool vl_bound_rule_named(const struct vl_bound *bound, unsigned rank, const char *rule)
{
	struct vl_buf lines = {0};

	vl_bound_rule(bound, rank, rule, &lines);
	bool named = lines.size > 0;
	vl_buf_free(&lines);
	return named;
}

bool vl_bound_in_c(const struct vl_bound *bound, unsigned rank)
{
	const struct vl_kind *kind = bound->kinds[rank].kind;

	return kind->step != NULL || kind->finish != NULL || kind->steps != NULL ||
	       kind->look != NULL;
}

const ProtobufCFieldDescriptor *vl_bound_column_field(const struct vl_bound *bound, unsigned rank,
						      size_t n)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	return kind->columns[n].column->form == VL_DUE ? kind->clocks : kind->columns[n].field;
}

/* -- what one fact says -- */

static bool is_of_payload(const struct bound_set *set)
{
	return set->source == OF_PAYLOAD && bound_how(set->set) != VL_SET &&
	       bound_how(set->set) != VL_CLEAR;
}

/* A value that is no field of the payload. */
static void put_words(const struct bound_set *set, const struct vl_value *value,
		      struct vl_said *said)
{
	char time[VL_TIME_TEXT];

	if (bound_how(set->set) == VL_SET || bound_how(set->set) == VL_CLEAR)
		(void)snprintf(said->words, sizeof(said->words), "%s",
			       bound_how(set->set) == VL_SET ? "yes" : "nothing");
	else if (set->source == OF_OCCURRED)
		(void)snprintf(said->words, sizeof(said->words), "%s",
			       vl_time_format(vl_view_time((const void *)value->message), time));
	else if (value->class == VL_TEXT && value->text != NULL)
		(void)snprintf(said->words, sizeof(said->words), "%s", value->text);
}

static enum vl_saying saying_of(const struct bound_set *set, const ProtobufCMessage *row,
				const struct vl_value *value)
{
	struct vl_value was;

	switch (bound_how(set->set)) {
	case VL_COUNT:
		return VL_SAYS_MORE;
	case VL_APPEND:
		return vl_value_says(value) ? VL_SAYS_MORE : VL_SAYS_NOTHING;
	case VL_SET:
	case VL_CLEAR:
		return VL_SAYS_IT;
	default:
		was = vl_value_get(row, set->to);
		if (bound_replaces(bound_how(set->set), &was, value))
			return VL_SAYS_IT;
		return vl_value_says(value) ? VL_SAYS_IN_VAIN : VL_SAYS_NOTHING;
	}
}

static void look_at_set(const struct bound_set *set, struct vl_fold *fold,
			const ProtobufCMessage *row, const struct vl_fact *fact,
			struct vl_said *said)
{
	struct vl_value value = bound_value(fold, fact, set->source, set->from);
	enum vl_saying how = saying_of(set, row, &value);

	if (how < said->how || how == VL_SAYS_NOTHING)
		return;
	*said = (struct vl_said){.how = how};
	if (is_of_payload(set))
		said->field = set->from;
	else
		put_words(set, &value, said);
}

static void look_at_moves(const struct bound_kind *kind, const struct bound_work *work,
			  const ProtobufCMessage *row, struct vl_said *said)
{
	int64_t state = vl_value_get(row, kind->state).number;

	if (work->n_moves == 0)
		return;
	for (size_t i = 0; i < work->n_moves; i++)
		if (bound_holds(work->moves[i], state)) {
			*said = (struct vl_said){.how = VL_SAYS_IT,
						 .moves = work->moves[i]->to != state};
			(void)snprintf(said->words, sizeof(said->words), "%s to %s",
				       bound_state_name(kind, state),
				       bound_state_name(kind, work->moves[i]->to));
			return;
		}
	*said = (struct vl_said){.how = VL_SAYS_IN_VAIN};
	(void)snprintf(said->words, sizeof(said->words), "changes nothing: the state is %s",
		       bound_state_name(kind, state));
}

static void look_at_clocks(const struct bound_work *work, struct vl_said *said)
{
	for (size_t i = 0; i < work->n_clocks; i++) {
		const struct bound_clock *clock = &work->clocks[i];
		size_t size = strlen(said->words);
		said->how = VL_SAYS_IN_VAIN;
		(void)snprintf(said->words + size, sizeof(said->words) - size, "%s%s '%s'",
			       size > 0 ? ", " : "",
			       clock->starts  ? "starts"
			       : clock->voids ? "takes away"
					      : "meets",
			       clock->clock->name);
	}
}

void vl_bound_said(const struct vl_bound *bound, unsigned rank,
		   const ProtobufCFieldDescriptor *field, struct vl_fold *fold,
		   const ProtobufCMessage *row, const struct vl_fact *fact, struct vl_said *said)
{
	const struct bound_kind *kind = &bound->kinds[rank];
	const struct bound_event *event = bound_event_of(bound, fact->payload->descriptor);

	*said = (struct vl_said){0};
	if (event == NULL)
		return;
	const struct bound_work *work = &event->work[rank];
	for (size_t i = 0; i < work->n_sets; i++)
		if (work->sets[i].to == field)
			look_at_set(&work->sets[i], fold, row, fact, said);
	if (field == kind->state)
		look_at_moves(kind, work, row, said);
	if (field == kind->clocks)
		look_at_clocks(work, said);
}

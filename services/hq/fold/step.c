/*
 * What the tables do with one fact: its rows, its values, its state.
 */
#include "hq/fold/bound.h"
#include "hq/fold/trial.h"

#include <string.h>

/* -- which rows -- */

static void touch_one(const struct vl_view *view, struct vl_touch *touch, unsigned kind,
		      const char *key)
{
	char ref[VL_VIEW_REF];

	vl_touch(touch, kind, view->references ? vl_view_ref(key, ref) : key);
}

static void touch_each(const struct vl_view *view, struct vl_touch *touch, unsigned kind,
		       const struct vl_value *keys)
{
	char *const *texts = keys->items;

	for (size_t i = 0; i < keys->count; i++)
		touch_one(view, touch, kind, texts[i]);
}

static const char *text_of(const struct vl_fact *fact, enum source source)
{
	switch (source) {
	case OF_MISSION:
		return fact->mission;
	case OF_ACTOR:
		return fact->actor != NULL ? fact->actor : "";
	case OF_SUBJECT:
		return fact->subject;
	case OF_TYPE:
		return fact->payload->descriptor->short_name;
	default:
		return "";
	}
}

static void follow(const struct vl_view *view, const struct bound_route *route,
		   struct vl_touch *touch, const struct vl_fact *fact)
{
	struct vl_value key;

	if (route->route->when.holds != NULL && !route->route->when.holds(fact->payload))
		return;
	if (route->source != OF_PAYLOAD) {
		touch_one(view, touch, route->route->kind, text_of(fact, route->source));
		return;
	}
	key = vl_value_get(fact->payload, route->key);
	if (key.class == VL_LIST)
		touch_each(view, touch, route->route->kind, &key);
	else
		touch_one(view, touch, route->route->kind, key.text);
}

void vl_bound_route(const struct vl_bound *bound, struct vl_touch *touch,
		    const struct vl_fact *fact)
{
	const struct vl_view *view = bound->view;
	const struct bound_event *event = bound_event_of(bound, fact->payload->descriptor);

	for (size_t i = 0; event != NULL && i < event->n_routes; i++)
		follow(view, &event->routes[i], touch, fact);
	if (view->touch != NULL)
		view->touch(touch, fact);
	if (!vl_touched(touch) && (event == NULL || !event->ignored))
		vl_touch(touch, view->n_kinds - 1, fact->mission);
}

/* -- what is written -- */

struct vl_value bound_value(struct vl_fold *fold, const struct vl_fact *fact, enum source source,
			    const ProtobufCFieldDescriptor *field)
{
	if (source == OF_PAYLOAD)
		return vl_value_get(fact->payload, field);
	if (source != OF_OCCURRED)
		return (struct vl_value){.class = VL_TEXT, .text = text_of(fact, source)};
	Google__Protobuf__Timestamp *stamp = vl_view_stamp(fold, fact->occurred_at);
	return (struct vl_value){.class = VL_MESSAGE,
				 .message = stamp == NULL ? NULL : (ProtobufCMessage *)stamp};
}

/* Counts stay in the order of their names. */
static void count_by_name(struct vl_fold *fold, ProtobufCMessage *row,
			  const ProtobufCFieldDescriptor *to, const char *name)
{
	size_t *count = vl_field_count(row, to), at = 0;
	Valise__V1__Count ***items = vl_field_items(row, to);

	while (at < *count && strcmp((*items)[at]->name, name) < 0)
		at++;
	if (at < *count && strcmp((*items)[at]->name, name) == 0) {
		(*items)[at]->count++;
		return;
	}
	Valise__V1__Count *added = vl_fold_add(fold, &valise__v1__count__descriptor, count, items);
	if (added == NULL)
		return;
	added->name = (char *)(uintptr_t)name;
	added->count = 1;
	memmove(*items + at + 1, *items + at, (*count - 1 - at) * sizeof(**items));
	(*items)[at] = added;
}

static void append_once(struct vl_fold *fold, ProtobufCMessage *row,
			const ProtobufCFieldDescriptor *to, const char *text)
{
	size_t *count = vl_field_count(row, to);
	char ***items = vl_field_items(row, to);

	for (size_t i = 0; i < *count; i++)
		if (strcmp((*items)[i], text) == 0)
			return;
	if (text[0] != '\0')
		vl_fold_add_text(fold, text, count, items);
}

static void append_all(struct vl_fold *fold, ProtobufCMessage *row,
		       const ProtobufCFieldDescriptor *to, const struct vl_value *value)
{
	char *const *texts = value->items;

	if (value->class != VL_LIST)
		append_once(fold, row, to, value->text);
	for (size_t i = 0; value->class == VL_LIST && i < value->count; i++)
		append_once(fold, row, to, texts[i]);
}

static void put_one_more(struct vl_fold *fold, ProtobufCMessage *row, const struct bound_set *set,
			 const struct vl_value *value)
{
	if (set->to->label == PROTOBUF_C_LABEL_REPEATED) {
		count_by_name(fold, row, set->to, vl_value_name(set->from, value));
		return;
	}
	struct vl_value number = vl_value_get(row, set->to);
	number.number++;
	vl_value_set(row, set->to, &number);
}

/* Nothing said, of the field's class. */
static struct vl_value nothing(const ProtobufCFieldDescriptor *field)
{
	return (struct vl_value){.class = vl_value_class(field), .text = protobuf_c_empty_string};
}

bool bound_replaces(enum vl_how how, const struct vl_value *was, const struct vl_value *is)
{
	switch (how) {
	case VL_LAST:
		return vl_value_says(is);
	case VL_EXACTLY:
		return true;
	case VL_FIRST:
		return !vl_value_says(was) && vl_value_says(is);
	case VL_GREATEST:
		return vl_value_says(is) && (!vl_value_says(was) || vl_value_compare(is, was) > 0);
	case VL_LEAST:
		return vl_value_says(is) && (!vl_value_says(was) || vl_value_compare(is, was) < 0);
	default:
		return false;
	}
}

static void apply_set(const struct bound_set *set, struct vl_fold *fold, ProtobufCMessage *row,
		      const struct vl_fact *fact)
{
	struct vl_value value = bound_value(fold, fact, set->source, set->from), was;

	switch (bound_how(set->set)) {
	case VL_COUNT:
		put_one_more(fold, row, set, &value);
		return;
	case VL_SET:
		value = (struct vl_value){.class = VL_NUMBER, .number = 1};
		vl_value_set(row, set->to, &value);
		return;
	case VL_CLEAR:
		value = nothing(set->to);
		vl_value_set(row, set->to, &value);
		return;
	case VL_APPEND:
		append_all(fold, row, set->to, &value);
		return;
	default:
		was = vl_value_get(row, set->to);
		if (!bound_replaces(bound_how(set->set), &was, &value))
			return;
		if ((set->set->how & VL_REF) != 0)
			value.text = vl_view_keep_ref(fold, value.text);
		vl_value_set(row, set->to, &value);
	}
}

/* -- where it leads -- */

void bound_violation(const struct bound_kind *kind, struct vl_fold *fold, ProtobufCMessage *row,
		     const char *rule, const struct vl_fact *fact, const char *detail)
{
	if (kind->violations != NULL)
		vl_fold_violation(fold, vl_field_count(row, kind->violations),
				  vl_field_items(row, kind->violations), rule, fact, "%s", detail);
}

/* A constant as people read it. */
const char *bound_state_name(const struct bound_kind *kind, int64_t state)
{
	const char *name = vl_view_name(kind->state->descriptor, (int)state);

	return name[0] != '\0' ? name : "new";
}

/* A state that this build does not know is none of those that a table can name. */
bool bound_holds(const struct vl_move *move, int64_t state)
{
	if (state < 0 || state >= 64)
		return move->from == FROM_ANY;
	return (move->from & STATE(state)) != 0;
}

static void apply_moves(const struct bound_kind *kind, const struct bound_work *work,
			struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)
{
	if (work->n_moves == 0)
		return;
	struct vl_value state = vl_value_get(row, kind->state);
	const char *rule = NULL;

	for (size_t i = 0; i < work->n_moves; i++) {
		if (bound_holds(work->moves[i], state.number)) {
			state.number = work->moves[i]->to;
			vl_value_set(row, kind->state, &state);
			return;
		}
		if (rule == NULL)
			rule = work->moves[i]->rule;
	}
	char *detail = rule == NULL ? NULL
				    : vl_fold_printf(fold, "%s changes nothing: the state is %s",
						     fact->payload->descriptor->short_name,
						     bound_state_name(kind, state.number));
	if (detail != NULL)
		bound_violation(kind, fold, row, rule, fact, detail);
}

bool vl_bound_has_facts(const struct vl_bound *bound, unsigned kind)
{
	return bound->kinds[kind].has_facts;
}

void bound_apply(const struct bound_kind *kind, const struct bound_work *work, struct vl_fold *fold,
		 ProtobufCMessage *row, const struct vl_fact *fact)
{
	vl_trial_look(fold, row, fact);
	for (size_t i = 0; i < work->n_sets; i++)
		apply_set(&work->sets[i], fold, row, fact);
	if (kind->kind->admit != NULL &&
	    !kind->kind->admit(fold, row, fact, work->step != NULL ? work->step->flags : 0))
		return;
	apply_moves(kind, work, fold, row, fact);
	for (size_t i = 0; i < work->n_clocks; i++)
		bound_clock_step(kind, &work->clocks[i], fold, row, fact);
	if (work->step != NULL && work->step->take != NULL)
		work->step->take(fold, row, fact);
	if (kind->kind->step != NULL)
		kind->kind->step(fold, row, fact);
}

void vl_bound_step(const struct vl_bound *bound, unsigned rank, struct vl_fold *fold,
		   ProtobufCMessage *row, const struct vl_fact *fact)
{
	const struct bound_event *event = bound_event_of(bound, fact->payload->descriptor);
	const struct bound_work *work = event != NULL ? &event->work[rank] : NULL;

	if (work == NULL)
		return;
	if (work->kept)
		bound_owned_keep(fold, fact);
	if (!work->waits)
		bound_apply(&bound->kinds[rank], work, fold, row, fact);
}

/* -- rules -- */

static int64_t number_in(const ProtobufCMessage *row, const ProtobufCFieldDescriptor *field)
{
	return vl_value_get(row, field).number;
}

static void look_at_sum(const struct bound_kind *kind, const struct bound_rule *rule,
			struct vl_fold *fold, ProtobufCMessage *row)
{
	int64_t sum = number_in(row, rule->sum), parts = 0;

	for (size_t i = 0; i < rule->n_parts; i++)
		parts += number_in(row, rule->parts[i]);
	char *detail = sum == parts
			       ? NULL
			       : vl_fold_printf(fold, "%s: %lld against %lld", rule->rule->text,
						(long long)sum, (long long)parts);
	if (detail != NULL)
		bound_violation(kind, fold, row, rule->rule->id, NULL, detail);
}

static void look_at_rules(const struct bound_kind *kind, struct vl_fold *fold,
			  ProtobufCMessage *row)
{
	for (size_t i = 0; i < kind->n_rules; i++) {
		const struct bound_rule *rule = &kind->rules[i];
		if (rule->sum != NULL)
			look_at_sum(kind, rule, fold, row);
		else if (rule->rule->broken.holds != NULL && rule->rule->broken.holds(row))
			bound_violation(kind, fold, row, rule->rule->id, NULL, rule->rule->text);
	}
}

void vl_bound_finish(const struct vl_bound *bound, unsigned rank, struct vl_fold *fold,
		     ProtobufCMessage *row)
{
	const struct bound_kind *kind = &bound->kinds[rank];

	if (kind->kind->owned != NULL)
		bound_owned_finish(bound, rank, fold, row);
	vl_trial_look(fold, row, NULL);
	bound_fill_sums(kind, rank, fold, row);
	bound_look(kind, fold, row);
	vl_trial_look(fold, row, NULL);
	if (kind->kind->finish != NULL)
		kind->kind->finish(fold, row);
	bound_clocks_finish(kind, fold, row);
	look_at_rules(kind, fold, row);
}

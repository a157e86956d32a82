/*
 * What events do to a row, bound: the sets, the moves and the clocks of a kind.
 */
#include "hq/fold/binder.h"

/* -- sets -- */

static bool fits(const struct bound_set *set)
{
	const ProtobufCFieldDescriptor *from = set->from, *to = set->to;

	if (set->source == OF_OCCURRED)
		return vl_field_is_time(to);
	if (set->source != OF_PAYLOAD)
		return to->label != PROTOBUF_C_LABEL_REPEATED && to->type == PROTOBUF_C_TYPE_STRING;
	if (vl_value_class(from) != vl_value_class(to) || vl_value_class(to) == VL_NOTHING)
		return false;
	bool typed = to->type == PROTOBUF_C_TYPE_MESSAGE || to->type == PROTOBUF_C_TYPE_ENUM;
	return typed || to->label == PROTOBUF_C_LABEL_REPEATED
		       ? from->type == to->type && from->descriptor == to->descriptor
		       : from->type != PROTOBUF_C_TYPE_ENUM;
}

static bool suits(const struct bound_set *set)
{
	const ProtobufCFieldDescriptor *to = set->to;
	bool is_list = to->label == PROTOBUF_C_LABEL_REPEATED;

	if ((set->set->how & VL_REF) != 0 &&
	    (is_list || to->type != PROTOBUF_C_TYPE_STRING || bound_how(set->set) > VL_FIRST))
		return false;
	switch (bound_how(set->set)) {
	case VL_COUNT:
		return vl_field_is_list_of(to, &valise__v1__count__descriptor) ||
		       vl_value_class(to) == VL_NUMBER;
	case VL_SET:
		return to->type == PROTOBUF_C_TYPE_BOOL && !is_list;
	case VL_CLEAR:
		return vl_value_class(to) != VL_NOTHING;
	case VL_APPEND:
		return is_list && to->type == PROTOBUF_C_TYPE_STRING &&
		       set->source != OF_OCCURRED &&
		       (set->from == NULL || set->from->type == PROTOBUF_C_TYPE_STRING);
	case VL_GREATEST:
	case VL_LEAST:
		return fits(set) && (vl_field_is_time(to) || vl_value_class(to) == VL_NUMBER);
	default:
		return fits(set);
	}
}

static void bind_set(struct binder *b, struct bound_set *bound, const struct vl_set *set,
		     const ProtobufCMessageDescriptor *row)
{
	static const char *const hows[] = {
		[VL_LAST] = "LAST",         [VL_EXACTLY] = "EXACTLY", [VL_FIRST] = "FIRST",
		[VL_GREATEST] = "GREATEST", [VL_LEAST] = "LEAST",     [VL_COUNT] = "COUNT",
		[VL_SET] = "SET",           [VL_CLEAR] = "CLEAR",     [VL_APPEND] = "APPEND",
	};

	bound->set = set;
	bound->from = binder_source(b, set->event, &set->from, &bound->source);
	bound->to = binder_field(b, row, &set->to);
	if (bound->to == NULL || (bound->source == OF_PAYLOAD && bound->from == NULL))
		return;
	if (bound_how(set) < VL_LAST || bound_how(set) > VL_APPEND)
		binder_fault(b, "it says not how '%s' is set", set->to.name);
	else if (!suits(bound))
		binder_fault(b, "'%s' cannot become %s of '%s': their types differ", set->to.name,
			     hows[bound_how(set)], set->from.name);
}

static void bind_sets(struct binder *b, unsigned rank, const ProtobufCMessageDescriptor *row)
{
	const struct vl_set *sets = b->bound->view->kinds[rank].sets;
	size_t count = 0;

	while (sets != NULL && sets[count].to.name != NULL)
		count++;
	struct bound_set *all = binder_make(b, count, sizeof(*all));
	b->table = "sets";
	for (b->row = 0; all != NULL && b->row < count; b->row++)
		if (binder_event(b, sets[b->row].event))
			bind_set(b, &all[b->row], &sets[b->row], row);
	for (size_t e = 0; all != NULL && e < b->bound->n_events; e++) {
		struct bound_work *work = &b->bound->events[e].work[rank];
		work->sets = binder_make(b, count, sizeof(*work->sets));
		for (size_t i = 0; work->sets != NULL && i < count; i++)
			if (sets[i].event == ANY_EVENT || sets[i].event == b->bound->events[e].type)
				work->sets[work->n_sets++] = all[i];
	}
	b->table = NULL;
}

/* -- moves -- */

static bool is_state(const ProtobufCEnumDescriptor *states, int state)
{
	return state >= 0 && state < 64 &&
	       protobuf_c_enum_descriptor_get_value(states, state) != NULL;
}

static void check_move(struct binder *b, const ProtobufCEnumDescriptor *states,
		       const struct vl_move *move)
{
	if (!is_state(states, move->to))
		binder_fault(b, "%d is no state of %s below 64", move->to, states->name);
	for (int state = 0; move->from != FROM_ANY && state < 64; state++)
		if ((move->from & STATE(state)) != 0 && !is_state(states, state))
			binder_fault(b, "%d is no state of %s", state, states->name);
	if (move->from == 0)
		binder_fault(b, "it leads from no state");
}

static const ProtobufCEnumDescriptor *bind_state(struct binder *b, struct bound_kind *kind)
{
	const struct vl_field *state = &kind->kind->state;

	if (state->name != NULL)
		kind->state = binder_field(b, kind->kind->row, state);
	if (kind->state != NULL && (kind->state->type != PROTOBUF_C_TYPE_ENUM ||
				    kind->state->label == PROTOBUF_C_LABEL_REPEATED)) {
		binder_fault(b, "'%s' is no enum, and cannot be the state", state->name);
		kind->state = NULL;
	}
	if (kind->state == NULL && (kind->kind->moves != NULL || kind->kind->done != 0) &&
	    !b->failed)
		binder_fault(
			b,
			"it has moves or states that are over, and names no field for the state");
	return kind->state != NULL ? kind->state->descriptor : NULL;
}

static void bind_moves(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	const struct vl_move *moves = kind->kind->moves;
	const ProtobufCEnumDescriptor *states = bind_state(b, kind);
	size_t count = 0;

	while (moves != NULL && moves[count].from != 0)
		count++;
	b->table = "moves";
	for (b->row = 0; states != NULL && b->row < count; b->row++) {
		const struct vl_move *move = &moves[b->row];
		check_move(b, states, move);
		if (move->rule != NULL && kind->violations == NULL)
			binder_fault(b, "the row has no list of violations for rule %s",
				     move->rule);
		if (!binder_event(b, move->event))
			continue;
		for (size_t e = 0; e < b->bound->n_events; e++) {
			struct bound_work *work = &b->bound->events[e].work[rank];
			if (work->moves == NULL)
				work->moves = binder_make(b, count, sizeof(*work->moves));
			if (work->moves != NULL &&
			    (move->event == ANY_EVENT || move->event == b->bound->events[e].type))
				work->moves[work->n_moves++] = move;
		}
	}
	b->table = NULL;
}

/* -- clocks -- */

static void add_clock(struct binder *b, unsigned rank, size_t count,
		      const ProtobufCMessageDescriptor *event, struct bound_clock clock)
{
	struct bound_event *of =
		event == NULL ? NULL : (struct bound_event *)bound_event_of(b->bound, event);

	if (of == NULL)
		return;
	struct bound_work *work = &of->work[rank];
	if (work->clocks == NULL)
		work->clocks = binder_make(b, 3 * count, sizeof(*work->clocks));
	if (work->clocks != NULL)
		work->clocks[work->n_clocks++] = clock;
}

static void bind_clock(struct binder *b, unsigned rank, size_t count,
		       const struct vl_clock_rule *clock)
{
	struct bound_clock starts = {.clock = clock, .starts = true};

	if (clock->starts == NULL || clock->met_by == NULL) {
		binder_fault(b, "clock '%s' needs an event that starts it and one that meets it",
			     clock->name);
		return;
	}
	if (!binder_event(b, clock->starts) || !binder_event(b, clock->met_by) ||
	    !binder_event(b, clock->void_by))
		return;
	if ((clock->seconds == 0) == (clock->due.name == NULL))
		binder_fault(b, "clock '%s' needs either seconds or a field", clock->name);
	if (clock->due.name != NULL) {
		starts.due = binder_field(b, clock->starts, &clock->due);
		if (starts.due != NULL && !vl_field_is_time(starts.due))
			binder_fault(b, "'%s' is no time", clock->due.name);
	}
	/* What meets it comes before what starts it: one event may do both. */
	add_clock(b, rank, count, clock->met_by,
		  (struct bound_clock){.clock = clock, .meets = true});
	add_clock(b, rank, count, clock->void_by,
		  (struct bound_clock){.clock = clock, .voids = true});
	add_clock(b, rank, count, clock->starts, starts);
}

static void bind_clocks(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	const struct vl_clock_rule *clocks = kind->kind->clocks;
	size_t count = 0;

	while (clocks != NULL && clocks[count].name != NULL)
		count++;
	if (count == 0)
		return;
	kind->clocks = protobuf_c_message_descriptor_get_field_by_name(kind->kind->row, "clocks");
	if (kind->clocks == NULL ||
	    !vl_field_is_list_of(kind->clocks, &valise__v1__clock__descriptor)) {
		binder_fault(b, "%s has no field 'repeated valise.v1.Clock clocks'",
			     kind->kind->row->short_name);
		kind->clocks = NULL;
		return;
	}
	b->table = "clocks";
	for (b->row = 0; b->row < count; b->row++) {
		bind_clock(b, rank, count, &clocks[b->row]);
		if (clocks[b->row].rule != NULL && kind->violations == NULL)
			binder_fault(b, "the row has no list of violations for rule %s",
				     clocks[b->row].rule);
	}
	b->table = NULL;
}

/* -- steps, and what has an owner -- */

static struct bound_work *work_of(struct binder *b, unsigned rank,
				  const ProtobufCMessageDescriptor *type)
{
	const struct bound_event *event = type != NULL ? bound_event_of(b->bound, type) : NULL;

	if (event == NULL && type != NULL)
		(void)binder_event(b, type);
	return event != NULL ? &event->work[rank] : NULL;
}

static void bind_steps(struct binder *b, unsigned rank, const struct bound_kind *kind)
{
	const struct vl_step *steps = kind->kind->steps;

	b->table = "steps";
	for (b->row = 0; steps != NULL && steps[b->row].type != NULL; b->row++) {
		struct bound_work *work = work_of(b, rank, steps[b->row].type);
		if (work != NULL && work->step != NULL)
			binder_fault(b, "%s has a line already", steps[b->row].type->short_name);
		if (work != NULL)
			work->step = &steps[b->row];
	}
	b->table = NULL;
}

static void bind_owned(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	const struct vl_owned *owned = kind->kind->owned;

	if (owned == NULL)
		return;
	b->table = "owned";
	for (b->row = 0; owned->events != NULL && owned->events[b->row] != NULL; b->row++) {
		struct bound_work *work = work_of(b, rank, owned->events[b->row]);
		if (work != NULL)
			work->kept = work->waits = true;
	}
	const ProtobufCMessageDescriptor *const says[] = {owned->begins, owned->opens};
	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		struct bound_work *work = work_of(b, rank, says[i]);
		if (work != NULL)
			work->kept = true;
	}
	if (owned->begins == NULL)
		binder_fault(b, "nothing begins it");
	if (owned->rule != NULL && kind->violations == NULL)
		binder_fault(b, "the row has no list of violations for rule %s", owned->rule);
	if (owned->lead.name != NULL)
		kind->lead = binder_field(b, kind->kind->row, &owned->lead);
	if (kind->lead != NULL && vl_value_class(kind->lead) != VL_TEXT)
		binder_fault(b, "'%s' is no text, and names no mission", owned->lead.name);
	b->table = NULL;
}

void binder_facts(struct binder *b, unsigned rank, struct bound_kind *kind)
{
	bind_steps(b, rank, kind);
	bind_owned(b, rank, kind);
	bind_sets(b, rank, kind->kind->row);
	bind_moves(b, rank, kind);
	bind_clocks(b, rank, kind);
}

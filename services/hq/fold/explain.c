/*
 * A declaration as text, for `valise view explain`. It is made from the tables alone, so that the
 * same tables give the same text.
 */
#include "bus/types.h"
#include "hq/fold/bound.h"

#include <inttypes.h>
#include <string.h>

static const char *event_name(const ProtobufCMessageDescriptor *event)
{
	return event == ANY_EVENT ? "any event" : event->short_name;
}

/* What is known of each fact in words; a field by its name. */
static const char *source_name(const struct vl_field *field)
{
	for (size_t i = OF_PAYLOAD + 1; i < SOURCES; i++)
		if (strcmp(field->name, bound_sources[i].name) == 0)
			return bound_sources[i].words;
	return field->name;
}

static void put_when(const struct vl_test *when, struct vl_buf *out)
{
	if (when->holds != NULL)
		vl_buf_printf(out, " when %s()", when->name);
	else if (when->name != NULL)
		vl_buf_printf(out, " (%s)", when->name);
}

/* -- routes -- */

static void put_routes(const struct vl_view *view, struct vl_buf *out)
{
	for (const struct vl_route *route = view->routes; route != NULL && route->key.name != NULL;
	     route++) {
		vl_buf_printf(out, "  %s -> %s by %s", event_name(route->event),
			      view->kinds[route->kind].name, source_name(&route->key));
		put_when(&route->when, out);
		vl_buf_put_byte(out, '\n');
	}
	for (const ProtobufCMessageDescriptor *const *type = view->touched;
	     type != NULL && *type != NULL; type++)
		vl_buf_printf(out, "  %s -> in C, too\n", (*type)->short_name);
	if (view->touch != NULL && view->routes == NULL)
		vl_buf_put_text(out, "  any event -> in C\n");
	for (const ProtobufCMessageDescriptor *const *type = view->ignored;
	     type != NULL && *type != NULL; type++)
		vl_buf_printf(out, "  %s is ignored\n", (*type)->short_name);
	vl_buf_printf(out, "  events that name no row -> stray by mission\n");
}

static void put_reads(const struct vl_view *view, struct vl_buf *out)
{
	for (size_t i = 0; view->reads != NULL && view->reads[i] != NULL; i++)
		vl_buf_printf(out, "  reads rows of %s\n", view->reads[i]);
}

/* Which types there are tells an older program from one that knows more. */
static void put_events(const char *lane, struct vl_buf *out)
{
	size_t count;
	const ProtobufCMessageDescriptor *const *types = vl_types_of(lane, &count);

	vl_buf_put_text(out, "  events:");
	for (size_t i = 0; i < count; i++)
		vl_buf_printf(out, "%s%s %s", i > 0 ? "," : "", i > 0 && i % 5 == 0 ? "\n   " : "",
			      types[i]->short_name);
	vl_buf_put_byte(out, '\n');
}

/* -- one kind -- */

void bound_put_set(const struct vl_set *set, struct vl_buf *out)
{
	static const char *const hows[] = {
		[VL_LAST] = "the last",   [VL_EXACTLY] = "exactly the last",
		[VL_FIRST] = "the first", [VL_GREATEST] = "the greatest",
		[VL_LEAST] = "the least", [VL_APPEND] = "each",
	};

	enum vl_how how = bound_how(set);

	vl_buf_printf(out, "set %s = ", set->to.name);
	if (how == VL_COUNT)
		vl_buf_printf(out, "how many %s\n", event_name(set->event));
	else if (how == VL_SET || how == VL_CLEAR)
		vl_buf_printf(out, "%s on %s\n", how == VL_SET ? "yes" : "nothing",
			      event_name(set->event));
	else
		vl_buf_printf(out, "%s %s of %s%s\n", hows[how], source_name(&set->from),
			      event_name(set->event),
			      (set->how & VL_REF) != 0 ? ", as a reference" : "");
}

/* Where a line of a kind begins. */
#define INDENT "    "

static void put_sets(const struct vl_set *set, struct vl_buf *out)
{
	for (; set != NULL && set->to.name != NULL; set++) {
		vl_buf_put_text(out, INDENT);
		bound_put_set(set, out);
	}
}

static void put_states(const ProtobufCEnumDescriptor *states, uint64_t from, struct vl_buf *out)
{
	const char *between = "";

	if (from == FROM_ANY) {
		vl_buf_put_text(out, "any state");
		return;
	}
	for (int state = 0; state < 64; state++) {
		if ((from & STATE(state)) == 0)
			continue;
		vl_buf_printf(out, "%s%s", between,
			      state == 0 ? "new" : vl_view_name(states, state));
		between = " or ";
	}
}

void bound_put_move(const struct bound_kind *kind, const struct vl_move *move, struct vl_buf *out)
{
	const ProtobufCEnumDescriptor *states = kind->state->descriptor;

	vl_buf_printf(out, "state %s on %s from ", vl_view_name(states, move->to),
		      event_name(move->event));
	put_states(states, move->from, out);
	if (move->rule != NULL)
		vl_buf_printf(out, ", else it breaks %s", move->rule);
	vl_buf_put_byte(out, '\n');
}

static void put_moves(const struct bound_kind *kind, struct vl_buf *out)
{
	for (const struct vl_move *move = kind->kind->moves; move != NULL && move->from != 0;
	     move++) {
		vl_buf_put_text(out, INDENT);
		bound_put_move(kind, move, out);
	}
	if (kind->kind->done != 0) {
		vl_buf_put_text(out, "    over in ");
		put_states(kind->state->descriptor, kind->kind->done, out);
		vl_buf_put_byte(out, '\n');
	}
}

void bound_put_clock(const struct vl_clock_rule *clock, struct vl_buf *out)
{
	vl_buf_printf(out, "clock '%s': ", clock->name);
	if (clock->due.name != NULL)
		vl_buf_printf(out, "until %s", clock->due.name);
	else
		vl_buf_printf(out, "%" PRIu32 " s", clock->seconds);
	vl_buf_printf(out, " from %s, met by %s", event_name(clock->starts),
		      event_name(clock->met_by));
	if (clock->void_by != NULL)
		vl_buf_printf(out, ", void by %s", event_name(clock->void_by));
	if (clock->rule != NULL)
		vl_buf_printf(out, ", late breaks %s", clock->rule);
	vl_buf_put_byte(out, '\n');
}

static void put_clocks(const struct vl_clock_rule *clock, struct vl_buf *out)
{
	for (; clock != NULL && clock->name != NULL; clock++) {
		vl_buf_put_text(out, INDENT);
		bound_put_clock(clock, out);
	}
}

void bound_put_lookup(const struct bound_lookup *bound, struct vl_buf *out)
{
	const struct vl_lookup *lookup = bound->lookup;
	const char *lane = lookup->lane != NULL ? lookup->lane : "", *of = *lane ? " of " : "";

	if (lookup->key.name == NULL)
		vl_buf_printf(out, "reads %s.%s%s%s in C\n", lookup->kind, lookup->from.name, of,
			      lane);
	else
		vl_buf_printf(out, "looks up %s = %s.%s%s%s by %s\n", lookup->to.name, lookup->kind,
			      lookup->from.name, of, lane,
			      bound->own_key ? "its own key" : lookup->key.name);
}

static void put_lookups(const struct bound_kind *kind, struct vl_buf *out)
{
	for (size_t i = 0; i < kind->n_lookups; i++) {
		vl_buf_put_text(out, INDENT);
		bound_put_lookup(&kind->lookups[i], out);
	}
}

void bound_put_rule(const struct bound_rule *bound, struct vl_buf *out)
{
	const struct vl_rule *rule = bound->rule;

	vl_buf_printf(out, "rule %s: %s", rule->id, rule->text);
	put_when(&rule->broken, out);
	if (rule->sum.name != NULL) {
		vl_buf_printf(out, " unless %s =", rule->sum.name);
		for (size_t part = 0; part < bound->n_parts; part++)
			vl_buf_printf(out, "%s %s", part > 0 ? " +" : "", rule->parts[part].name);
	}
	vl_buf_put_byte(out, '\n');
}

static void put_rules(const struct bound_kind *kind, struct vl_buf *out)
{
	for (size_t i = 0; i < kind->n_rules; i++) {
		vl_buf_put_text(out, INDENT);
		bound_put_rule(&kind->rules[i], out);
	}
}

static void put_target_key(const struct vl_target *target, struct vl_buf *out)
{
	if (target->fixed != NULL)
		vl_buf_printf(out, "'%s'", target->fixed);
	else
		vl_buf_put_text(out,
				target->key.name != NULL ? target->key.name : "a function's key");
}

void bound_put_sum(const struct bound_sum *bound, struct vl_buf *out)
{
	const struct vl_sum *sum = bound->sum;

	vl_buf_printf(out, "%s += %s", sum->to.name,
		      sum->amount.name != NULL ? sum->amount.name : "1");
	if (sum->group.name != NULL)
		vl_buf_printf(out, " for each of %s",
			      bound->rules ? "the rules that are broken" : sum->group.name);
	put_when(&sum->when, out);
	vl_buf_put_byte(out, '\n');
}

static void put_targets(const struct vl_view *view, const struct bound_kind *kind,
			struct vl_buf *out)
{
	for (size_t i = 0; i < kind->n_targets; i++) {
		const struct vl_target *target = kind->targets[i].target;
		vl_buf_printf(out, "    adds to %s ", view->kinds[target->kind].name);
		put_target_key(target, out);
		vl_buf_put_byte(out, '\n');
		for (size_t s = 0; s < kind->targets[i].n_sums; s++) {
			vl_buf_put_text(out, INDENT "  ");
			bound_put_sum(&kind->targets[i].sums[s], out);
		}
	}
}

static void put_owned(const struct vl_owned *owned, struct vl_buf *out)
{
	if (owned == NULL)
		return;
	vl_buf_put_text(out, "    only its owner or headquarters says");
	for (size_t i = 0; owned->events[i] != NULL; i++)
		vl_buf_printf(out, "%s %s", i > 0 ? "," : "", owned->events[i]->short_name);
	vl_buf_printf(out, "\n      its owner is %s says %s first",
		      owned->theirs ? "the mission that" : "headquarters, or who",
		      owned->begins->short_name);
	if (owned->opens != NULL)
		vl_buf_printf(out, ", and who says %s first", owned->opens->short_name);
	if (owned->lead.name != NULL)
		vl_buf_printf(out, ", and whom %s names", owned->lead.name);
	if (owned->rule != NULL)
		vl_buf_printf(out, "; another breaks %s", owned->rule);
	vl_buf_put_byte(out, '\n');
}

static void put_steps(const struct vl_step *step, struct vl_buf *out)
{
	for (size_t i = 0; step != NULL && step[i].type != NULL; i++)
		vl_buf_printf(out, "%s%s",
			      i == 0       ? "    in C: "
			      : i % 5 == 0 ? ",\n      "
					   : ", ",
			      step[i].type->short_name);
	if (step != NULL)
		vl_buf_put_byte(out, '\n');
}

static void put_functions(const struct vl_kind *kind, struct vl_buf *out)
{
	const struct {
		bool there;
		const char *what;
	} functions[] = {
		{kind->step != NULL, "each fact"},
		{kind->look != NULL, "which rows it looks up"},
		{kind->finish != NULL, "the whole row"},
		{kind->contribute != NULL, "what it adds to others"},
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (functions[i].there)
			vl_buf_printf(out, "    in C: %s\n", functions[i].what);
}

static void put_columns(const struct vl_column *column, struct vl_buf *out)
{
	vl_buf_put_text(out, "    ls shows ");
	for (size_t i = 0; column != NULL && column[i].title != NULL; i++)
		vl_buf_printf(out, "%s%s", i > 0 ? ", " : "", column[i].title);
	vl_buf_put_byte(out, '\n');
}

void vl_bound_explain(const struct vl_bound *bound, struct vl_buf *out)
{
	const struct vl_view *view = bound->view;

	vl_buf_printf(out, "%s (%s)\n", view->lane, view->noun);
	put_events(view->lane, out);
	put_routes(view, out);
	put_reads(view, out);
	for (unsigned rank = 0; rank < view->n_kinds; rank++) {
		const struct bound_kind *kind = &bound->kinds[rank];
		vl_buf_printf(out, "\n  %s, a %s\n", kind->kind->name, kind->kind->row->short_name);
		put_sets(kind->kind->sets, out);
		put_moves(kind, out);
		put_clocks(kind->kind->clocks, out);
		put_owned(kind->kind->owned, out);
		put_steps(kind->kind->steps, out);
		put_lookups(kind, out);
		put_functions(kind->kind, out);
		put_rules(kind, out);
		put_targets(view, kind, out);
		put_columns(kind->kind->columns, out);
	}
}

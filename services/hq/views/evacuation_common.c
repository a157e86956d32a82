/*
 * What the kinds of the evacuation view share: copies of places, tallies by rule, and figures.
 */
#include "evacuation.h"
#include "hq/fold/names.h"

#include <string.h>

EV(Place) *vl_evacuation_keep_place(struct vl_fold *fold, const EV(Place) *place)
{
	EV(Place) *copy = place == NULL ? NULL : vl_fold_alloc(fold, sizeof(*copy));
	if (copy != NULL) {
		consular__evacuation__v1__place__init(copy);
		copy->name = vl_view_keep(fold, place->name);
		copy->country = vl_view_keep(fold, place->country);
		copy->code = vl_view_keep(fold, place->code);
		copy->zone = place->zone;
	}
	return copy;
}

Google__Protobuf__Timestamp *vl_evacuation_as_of(struct vl_fold *fold, const struct vl_fact *fact,
						 const Google__Protobuf__Timestamp *time)
{
	return vl_view_stamp(fold, time != NULL ? vl_view_time(time) : fact->occurred_at);
}

void vl_evacuation_count_rules(struct vl_fold *fold, unsigned kind, const char *key, size_t count,
			       Valise__V1__Violation *const *violations)
{
	for (size_t i = 0; i < count; i++)
		vl_view_count(fold, kind, key, 1, "violation/%s", violations[i]->rule);
}

/* -- violations by rule -- */

struct gathering {
	struct vl_fold *fold;
	struct evacuation_rules *rules;
};

static void add_rule(struct vl_fold *fold, struct evacuation_rules *rules, const char *rule,
		     int64_t count)
{
	rules->total += count;
	for (size_t i = 0; i < rules->count; i++) {
		if (strcmp(rules->items[i]->name, rule) == 0) {
			rules->items[i]->count += count;
			return;
		}
	}
	Valise__V1__Count *item =
		vl_fold_add(fold, &valise__v1__count__descriptor, &rules->count, &rules->items);
	if (item != NULL) {
		item->name = vl_view_keep(fold, rule);
		item->count = count;
	}
}

static void gather_rule(void *context, const char *name, int64_t value)
{
	const struct gathering *gathering = context;
	add_rule(gathering->fold, gathering->rules, name + strlen("violation/"), value);
}

/* "E2" before "E10". */
static int rule_order(const char *a, const char *b)
{
	size_t size_a = strlen(a), size_b = strlen(b);
	if (size_a != size_b)
		return size_a < size_b ? -1 : 1;
	return strcmp(a, b);
}

void vl_evacuation_add_rules(struct vl_fold *fold, size_t count,
			     Valise__V1__Violation *const *violations,
			     struct evacuation_rules *rules)
{
	for (size_t i = 0; i < count; i++)
		add_rule(fold, rules, violations[i]->rule, 1);
}

void vl_evacuation_rules(struct vl_fold *fold, unsigned kind, size_t count,
			 Valise__V1__Violation *const *own, struct evacuation_rules *rules)
{
	*rules = (struct evacuation_rules){0};
	vl_fold_each_tally(fold, kind, vl_fold_key(fold), "violation/", gather_rule,
			   &(struct gathering){fold, rules});
	vl_evacuation_add_rules(fold, count, own, rules);
	for (size_t i = 1; i < rules->count; i++) {
		Valise__V1__Count *moved = rules->items[i];
		size_t to = i;
		for (; to > 0 && rule_order(rules->items[to - 1]->name, moved->name) > 0; to--)
			rules->items[to] = rules->items[to - 1];
		rules->items[to] = moved;
	}
}

/* -- figures -- */

void vl_evacuation_keep_figure(struct vl_fold *fold, unsigned slot, size_t *count,
			       EV(Figure) ***figures, const EV(Figure) *figure)
{
	char *name = vl_fold_printf(fold, "%d %d %s", (int)figure->measure, (int)figure->source,
				    figure->place);
	void **named = name == NULL ? NULL : vl_names_at(fold, vl_fold_slot(fold, slot), name);
	if (named == NULL)
		return;
	EV(Figure) *kept = *named;
	if (kept == NULL)
		kept = *named = vl_fold_add(fold, &EV_TYPE(figure), count, figures);
	else if (vl_time_compare(vl_view_time(figure->as_of), vl_view_time(kept->as_of)) < 0)
		return;
	if (kept != NULL)
		*kept = *figure;
}

void vl_evacuation_report(struct vl_fold *fold, const struct vl_fact *fact, EV(Figure) *figure)
{
	const EV(FigureReported) *said = (const EV(FigureReported) *)fact->payload;
	*figure = (EV(Figure))CONSULAR__EVACUATION__V1__FIGURE__INIT;
	figure->measure = said->measure;
	figure->value = said->value;
	figure->qualifier = said->qualifier;
	figure->source = said->source;
	figure->place = vl_view_keep_ref(fold, said->place);
	figure->reference = vl_view_keep(fold, said->reference);
	figure->as_of = vl_evacuation_as_of(fold, fact, said->as_of);
}

bool vl_evacuation_compare(EV(Figure) *figure, int64_t ledger, bool final)
{
	figure->counted = true;
	figure->ledger = ledger;
	figure->difference = (int64_t)((uint64_t)ledger - (uint64_t)figure->value);
	if (figure->qualifier == QUALIFIER(ABOUT))
		return false;
	if (ledger < figure->value)
		return true;
	return final && ledger > figure->value && figure->qualifier == QUALIFIER(EXACT);
}

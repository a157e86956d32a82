/*
 * Time limits. A row says when one started, is due, was met; whether it is overdue is asked of it
 * with a time.
 */
#include "hq/fold/bound.h"

#include <string.h>

static Valise__V1__Clock *find(const struct bound_kind *kind, const ProtobufCMessage *row,
			       const char *name)
{
	const struct vl_value list = vl_value_get(row, kind->clocks);
	Valise__V1__Clock *const *items = list.items;

	for (size_t i = 0; i < list.count; i++)
		if (strcmp(items[i]->name, name) == 0)
			return items[i];
	return NULL;
}

static bool runs(const Valise__V1__Clock *clock)
{
	return clock->started_at != NULL && clock->met_at == NULL && clock->void_at == NULL;
}

static Google__Protobuf__Timestamp *due_of(const struct bound_clock *rule, struct vl_fold *fold,
					   const struct vl_fact *fact)
{
	if (rule->due != NULL)
		return (Google__Protobuf__Timestamp *)(uintptr_t)vl_value_get(fact->payload,
									      rule->due)
			.message;
	struct vl_time due = fact->occurred_at;
	due.seconds += rule->clock->seconds;
	return vl_view_stamp(fold, due);
}

/* Without a time in the field there is no limit. */
static void start(const struct bound_kind *kind, const struct bound_clock *rule,
		  struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)
{
	Valise__V1__Clock *clock = find(kind, row, rule->clock->name);
	Google__Protobuf__Timestamp *due = due_of(rule, fold, fact);

	if (due == NULL || (clock != NULL && runs(clock)))
		return;
	if (clock == NULL)
		clock = vl_fold_add(fold, &valise__v1__clock__descriptor,
				    vl_field_count(row, kind->clocks),
				    vl_field_items(row, kind->clocks));
	if (clock == NULL)
		return;
	clock->name = (char *)(uintptr_t)rule->clock->name;
	clock->started_at = vl_view_stamp(fold, fact->occurred_at);
	clock->due_at = due;
	clock->met_at = clock->void_at = NULL;
}

static void breach(const struct bound_kind *kind, const struct bound_clock *rule,
		   struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact,
		   Valise__V1__Clock *clock)
{
	long long late = (long long)(fact->occurred_at.seconds - clock->due_at->seconds);

	clock->breaches++;
	char *detail = rule->clock->rule == NULL
			       ? NULL
			       : vl_fold_printf(fold, "%s came %lld s late", clock->name, late);
	if (detail != NULL)
		bound_violation(kind, fold, row, rule->clock->rule, fact, detail);
}

void bound_clock_step(const struct bound_kind *kind, const struct bound_clock *rule,
		      struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)
{
	if (rule->starts) {
		start(kind, rule, fold, row, fact);
		return;
	}
	Valise__V1__Clock *clock = find(kind, row, rule->clock->name);
	if (clock == NULL || !runs(clock))
		return;
	if (rule->voids) {
		clock->void_at = vl_view_stamp(fold, fact->occurred_at);
		return;
	}
	clock->met_at = vl_view_stamp(fold, fact->occurred_at);
	if (vl_time_compare(fact->occurred_at, vl_view_time(clock->due_at)) > 0)
		breach(kind, rule, fold, row, fact, clock);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const Valise__V1__Clock *)a)->name, ((const Valise__V1__Clock *)b)->name);
}

void bound_clocks_finish(const struct bound_kind *kind, struct vl_fold *fold, ProtobufCMessage *row)
{
	if (kind->clocks == NULL)
		return;
	Valise__V1__Clock ***items = vl_field_items(row, kind->clocks);
	vl_view_sort(fold, *items, *vl_field_count(row, kind->clocks), by_name);
}

/* The limit that is due next, "answer 2026-11-28T14:00:20Z" or "answer overdue since ...". */
void bound_put_due(const struct bound_kind *kind, const ProtobufCMessage *row, struct vl_time now,
		   struct vl_buf *out)
{
	const struct vl_value list = vl_value_get(row, kind->clocks);
	Valise__V1__Clock *const *items = list.items, *next = NULL;
	char text[VL_TIME_TEXT];

	for (size_t i = 0; i < list.count; i++)
		if (runs(items[i]) &&
		    (next == NULL || vl_time_compare(vl_view_time(items[i]->due_at),
						     vl_view_time(next->due_at)) < 0))
			next = items[i];
	if (next == NULL)
		return;
	bool overdue = vl_time_compare(vl_view_time(next->due_at), now) < 0;
	vl_buf_printf(out, "%s %s%s", next->name, overdue ? "overdue since " : "",
		      vl_time_format(vl_view_time(next->due_at), text));
}

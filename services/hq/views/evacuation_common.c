/*
 * What the kinds of the evacuation view share: references, copies, tallies by rule, and figures.
 */
#include "evacuation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What of a long reference stays readable, and the check of the whole behind it. */
#define REF_PLAIN 80
#define REF_HEAD 56

static bool is_plain(const char *text)
{
	size_t i = 0;
	for (; text[i] != '\0'; i++) {
		if (i >= REF_PLAIN || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return true;
}

const char *vl_evacuation_ref(const char *text, char out[EVACUATION_REF])
{
	if (text == NULL)
		text = "";
	if (is_plain(text)) {
		snprintf(out, EVACUATION_REF, "%s", text);
		return out;
	}
	uint64_t check = 0xcbf29ce484222325; /* FNV-1a */
	for (const char *c = text; *c != '\0'; c++)
		check = (check ^ (unsigned char)*c) * 0x100000001b3;
	size_t head = 0;
	for (; head < REF_HEAD && text[head] != '\0'; head++) {
		unsigned char c = (unsigned char)text[head];
		out[head] = c < 0x20 || c >= 0x7f ? '_' : (char)c;
	}
	snprintf(out + head, EVACUATION_REF - head, "~%016" PRIx64, check);
	return out;
}

char *vl_evacuation_keep_ref(struct vl_fold *fold, const char *text)
{
	char ref[EVACUATION_REF];
	return vl_evacuation_keep(fold, vl_evacuation_ref(text, ref));
}

char *vl_evacuation_keep(struct vl_fold *fold, const char *text)
{
	size_t size = text == NULL ? 0 : strlen(text);
	if (size == 0)
		return (char *)(uintptr_t)protobuf_c_empty_string;
	char *copy = vl_fold_alloc(fold, size + 1);
	return copy == NULL ? (char *)(uintptr_t)protobuf_c_empty_string : memcpy(copy, text, size + 1);
}

Google__Protobuf__Timestamp *vl_evacuation_keep_time(struct vl_fold *fold, struct vl_time time)
{
	Google__Protobuf__Timestamp *copy = vl_fold_alloc(fold, sizeof(*copy));
	if (copy != NULL) {
		google__protobuf__timestamp__init(copy);
		copy->seconds = time.seconds;
		copy->nanos = time.nanos;
	}
	return copy;
}

EV(Place) *vl_evacuation_keep_place(struct vl_fold *fold, const EV(Place) *place)
{
	EV(Place) *copy = place == NULL ? NULL : vl_fold_alloc(fold, sizeof(*copy));
	if (copy != NULL) {
		consular__evacuation__v1__place__init(copy);
		copy->name = vl_evacuation_keep(fold, place->name);
		copy->country = vl_evacuation_keep(fold, place->country);
		copy->code = vl_evacuation_keep(fold, place->code);
		copy->zone = place->zone;
	}
	return copy;
}

struct vl_time vl_evacuation_time(const Google__Protobuf__Timestamp *time)
{
	if (time == NULL)
		return (struct vl_time){0};
	return (struct vl_time){time->seconds, time->nanos};
}

Google__Protobuf__Timestamp *vl_evacuation_as_of(struct vl_fold *fold, const struct vl_fact *fact,
                                                 const Google__Protobuf__Timestamp *time)
{
	return vl_evacuation_keep_time(fold, time != NULL ? vl_evacuation_time(time) : fact->occurred_at);
}

void vl_evacuation_step(const struct evacuation_step *table, struct vl_fold *fold, ProtobufCMessage *row,
                        const struct vl_fact *fact)
{
	for (; table->type != NULL; table++) {
		if (table->type == fact->payload->descriptor)
			table->take(fold, row, fact);
	}
}

void vl_evacuation_count(struct vl_fold *fold, unsigned kind, const char *key, int64_t count, const char *format, ...)
{
	if (count == 0 || vl_evacuation_is_empty(key))
		return;
	char name[201];
	va_list args;
	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	vl_fold_contribute(fold, kind, key, name, count);
}

void vl_evacuation_count_rules(struct vl_fold *fold, unsigned kind, const char *key, size_t count,
                               Valise__V1__Violation *const *violations)
{
	for (size_t i = 0; i < count; i++)
		vl_evacuation_count(fold, kind, key, 1, "violation/%s", violations[i]->rule);
}

const char *vl_evacuation_name(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *constant = value == 0 ? NULL : protobuf_c_enum_descriptor_get_value(type, value);
	const ProtobufCEnumValue *first = protobuf_c_enum_descriptor_get_value(type, 0);
	if (constant == NULL || first == NULL)
		return "";
	return constant->name + (strlen(first->name) - strlen("UNSPECIFIED"));
}

/* -- violations by rule -- */

struct gathering {
	struct vl_fold *fold;
	struct evacuation_rules *rules;
};

static void add_rule(struct vl_fold *fold, struct evacuation_rules *rules, const char *rule, int64_t count)
{
	rules->total += count;
	for (size_t i = 0; i < rules->count; i++) {
		if (strcmp(rules->items[i]->rule, rule) == 0) {
			rules->items[i]->count += count;
			return;
		}
	}
	EV(RuleCount) *item = vl_fold_add(fold, &EV_TYPE(rule_count), &rules->count, &rules->items);
	if (item != NULL) {
		item->rule = vl_evacuation_keep(fold, rule);
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

void vl_evacuation_rules(struct vl_fold *fold, unsigned kind, size_t count, Valise__V1__Violation *const *own,
                         struct evacuation_rules *rules)
{
	*rules = (struct evacuation_rules){0};
	vl_fold_each_tally(fold, kind, vl_fold_key(fold), "violation/", gather_rule, &(struct gathering){fold, rules});
	for (size_t i = 0; i < count; i++)
		add_rule(fold, rules, own[i]->rule, 1);
	for (size_t i = 1; i < rules->count; i++) {
		EV(RuleCount) *moved = rules->items[i];
		size_t to = i;
		for (; to > 0 && rule_order(rules->items[to - 1]->rule, moved->rule) > 0; to--)
			rules->items[to] = rules->items[to - 1];
		rules->items[to] = moved;
	}
}

/* -- figures -- */

void vl_evacuation_keep_figure(struct vl_fold *fold, size_t *count, EV(Figure) ***figures, const EV(Figure) *figure)
{
	for (size_t i = 0; i < *count; i++) {
		EV(Figure) *kept = (*figures)[i];
		if (kept->measure != figure->measure || kept->source != figure->source ||
		    strcmp(kept->place, figure->place) != 0)
			continue;
		if (vl_time_compare(vl_evacuation_time(figure->as_of), vl_evacuation_time(kept->as_of)) >= 0)
			*kept = *figure;
		return;
	}
	EV(Figure) *added = vl_fold_add(fold, &EV_TYPE(figure), count, figures);
	if (added != NULL)
		*added = *figure;
}

void vl_evacuation_report(struct vl_fold *fold, const struct vl_fact *fact, EV(Figure) *figure)
{
	const EV(FigureReported) *said = (const EV(FigureReported) *)fact->payload;
	*figure = (EV(Figure))CONSULAR__EVACUATION__V1__FIGURE__INIT;
	figure->measure = said->measure;
	figure->value = said->value;
	figure->qualifier = said->qualifier;
	figure->source = said->source;
	figure->place = vl_evacuation_keep_ref(fold, said->place);
	figure->reference = vl_evacuation_keep(fold, said->reference);
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

#include "hq/fold/view.h"

#include "base/text.h"
#include "base/unicode.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What of a long reference stays readable, and the digest of the whole behind it. */
#define REF_PLAIN 80
#define REF_HEAD 44
#define REF_DIGEST 16

#define TALLY_NAME 201

/* More rules than any lane has. */
#define MOST_RULES 32

void *vl_view_make(struct vl_fold *fold, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *made = vl_fold_alloc(fold, type->sizeof_message);

	if (made != NULL)
		protobuf_c_message_init(type, made);
	return made;
}

ProtobufCBinaryData vl_view_id(const struct vl_fact *fact)
{
	return (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)(uintptr_t)fact->id};
}

/* -- references and copies -- */

static bool is_plain(const char *text)
{
	size_t i = 0;

	for (; text[i] != '\0'; i++)
		if (i >= REF_PLAIN || (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

const char *vl_view_ref(const char *text, char out[VL_VIEW_REF])
{
	if (text == NULL)
		text = "";
	if (is_plain(text)) {
		(void)snprintf(out, VL_VIEW_REF, "%s", text);
		return out;
	}
	uint8_t digest[REF_DIGEST];
	size_t head = 0;
	crypto_generichash(digest, sizeof(digest), (const uint8_t *)text, strlen(text), NULL, 0);
	for (; head < REF_HEAD && text[head] != '\0'; head++) {
		unsigned char c = (unsigned char)text[head];
		out[head] = c < 0x20 || c >= 0x7f ? '_' : (char)c;
	}
	out[head] = '~';
	(void)vl_hex(digest, sizeof(digest), out + head + 1);
	return out;
}

char *vl_view_keep_ref(struct vl_fold *fold, const char *text)
{
	char ref[VL_VIEW_REF];

	return vl_view_keep(fold, vl_view_ref(text, ref));
}

char *vl_view_keep(struct vl_fold *fold, const char *text)
{
	size_t size = text == NULL ? 0 : strlen(text);

	if (size == 0)
		return (char *)(uintptr_t)protobuf_c_empty_string;
	char *copy = vl_fold_alloc(fold, size + 1);
	return copy == NULL ? (char *)(uintptr_t)protobuf_c_empty_string
			    : memcpy(copy, text, size + 1);
}

Google__Protobuf__Timestamp *vl_view_stamp(struct vl_fold *fold, struct vl_time time)
{
	Google__Protobuf__Timestamp *stamp = vl_fold_alloc(fold, sizeof(*stamp));

	if (stamp == NULL)
		return NULL;
	google__protobuf__timestamp__init(stamp);
	stamp->seconds = time.seconds;
	stamp->nanos = time.nanos;
	return stamp;
}

struct vl_time vl_view_time(const Google__Protobuf__Timestamp *stamp)
{
	return stamp == NULL ? (struct vl_time){0} : (struct vl_time){stamp->seconds, stamp->nanos};
}

int vl_view_rank(const ProtobufCEnumDescriptor *type, int value)
{
	return protobuf_c_enum_descriptor_get_value(type, value) != NULL ? value : 0;
}

const char *vl_view_name(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *constant =
		value == 0 ? NULL : protobuf_c_enum_descriptor_get_value(type, value);
	const ProtobufCEnumValue *first = protobuf_c_enum_descriptor_get_value(type, 0);

	if (constant == NULL || first == NULL)
		return "";
	return constant->name + (strlen(first->name) - strlen("UNSPECIFIED"));
}

/* -- lists -- */

void *vl_view_grow(struct vl_fold *fold, void *items, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return items;
	void *larger = vl_fold_alloc(fold, (count == 0 ? 1 : count * 2) * size);
	if (larger != NULL && count > 0)
		memcpy(larger, items, count * size);
	return larger;
}

/* Two runs that are in order become one; of equals those of the first run go first. */
static void merge_runs(void *const *a, size_t n_a, void *const *b, size_t n_b, void **out,
		       int (*compare)(const void *a, const void *b))
{
	while (n_a > 0 && n_b > 0) {
		bool first = compare(*a, *b) <= 0;
		*out++ = first ? *a : *b;
		a += first, n_a -= first;
		b += !first, n_b -= !first;
	}
	memcpy(out, n_a > 0 ? a : b, (n_a + n_b) * sizeof(*out));
}

void vl_view_sort(struct vl_fold *fold, void *items, size_t count,
		  int (*compare)(const void *a, const void *b))
{
	void **from = items, **to = count > 1 ? vl_fold_alloc(fold, count * sizeof(*to)) : NULL;

	if (to == NULL)
		return;
	for (size_t run = 1; run < count; run *= 2) {
		for (size_t at = 0; at < count; at += 2 * run) {
			size_t n_a = count - at < run ? count - at : run, left = count - at - n_a;
			size_t n_b = left < run ? left : run;
			merge_runs(from + at, n_a, from + at + n_a, n_b, to + at, compare);
		}
		void **sorted = to;
		to = from;
		from = sorted;
	}
	if (from != (void **)items)
		memcpy(items, from, count * sizeof(*from));
}

/* -- tallies -- */

void vl_view_count(struct vl_fold *fold, unsigned kind, const char *key, int64_t count,
		   const char *format, ...)
{
	char name[TALLY_NAME];
	va_list args;

	if (count == 0 || key == NULL || key[0] == '\0')
		return;
	va_start(args, format);
	(void)vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	vl_fold_contribute(fold, kind, key, name, count);
}

struct list {
	struct vl_fold *fold;
	size_t skip, *count;
	Valise__V1__Count ***items;
};

static void add_count(void *context, const char *name, int64_t value)
{
	const struct list *list = context;
	Valise__V1__Count *count =
		vl_fold_add(list->fold, &valise__v1__count__descriptor, list->count, list->items);

	if (count == NULL)
		return;
	count->name = (char *)(uintptr_t)(name + list->skip);
	count->count = value;
}

void vl_view_list_counts(struct vl_fold *fold, unsigned kind, const char *prefix, size_t *count,
			 Valise__V1__Count ***items)
{
	struct list list = {.fold = fold, .skip = strlen(prefix), .count = count, .items = items};

	vl_fold_each_tally(fold, kind, vl_fold_key(fold), prefix, add_count, &list);
}

/* -- cells -- */

void vl_view_put_key(const char *key, const ProtobufCMessage *row, struct vl_time now,
		     struct vl_buf *out)
{
	(void)row, (void)now;
	vl_name_put(out, vl_bytes_of(key));
}

void vl_view_put_rules(struct vl_buf *out, size_t count, Valise__V1__Violation *const *violations)
{
	const char *rules[MOST_RULES];
	size_t said = 0;

	for (size_t i = 0; i < count && said < MOST_RULES; i++) {
		size_t at = 0;
		while (at < said && strcmp(rules[at], violations[i]->rule) != 0)
			at++;
		if (at < said)
			continue;
		vl_buf_printf(out, "%s%s", said == 0 ? "" : " ", violations[i]->rule);
		rules[said++] = violations[i]->rule;
	}
}

void vl_view_put_counts(struct vl_buf *out, size_t count, Valise__V1__Count *const *counts)
{
	for (size_t i = 0; i < count; i++)
		vl_buf_printf(out, "%s%s:%" PRId64, i == 0 ? "" : " ", counts[i]->name,
			      counts[i]->count);
}

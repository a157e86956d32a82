#include "hq/view.h"

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

void vl_view_step(const struct vl_step *table, struct vl_fold *fold, ProtobufCMessage *row, const struct vl_fact *fact)
{
	for (; table->type != NULL; table++)
		if (table->type == fact->payload->descriptor)
			table->take(fold, row, fact);
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
	return copy == NULL ? (char *)(uintptr_t)protobuf_c_empty_string : memcpy(copy, text, size + 1);
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

const char *vl_view_name(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *constant = value == 0 ? NULL : protobuf_c_enum_descriptor_get_value(type, value);
	const ProtobufCEnumValue *first = protobuf_c_enum_descriptor_get_value(type, 0);

	if (constant == NULL || first == NULL)
		return "";
	return constant->name + (strlen(first->name) - strlen("UNSPECIFIED"));
}

/* -- tallies -- */

void vl_view_count(struct vl_fold *fold, unsigned kind, const char *key, int64_t count, const char *format, ...)
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
	Valise__V1__Count *count = vl_fold_add(list->fold, &valise__v1__count__descriptor, list->count, list->items);

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

void vl_view_put_key(const char *key, const ProtobufCMessage *row, struct vl_time now, struct vl_buf *out)
{
	(void)row, (void)now;
	vl_name_put(out, vl_bytes_of(key));
}

void vl_view_put_rules(struct vl_buf *out, size_t count, Valise__V1__Violation *const *violations)
{
	for (size_t i = 0; i < count; i++) {
		bool said = false;
		for (size_t j = 0; j < i && !said; j++)
			said = strcmp(violations[i]->rule, violations[j]->rule) == 0;
		if (!said)
			vl_buf_printf(out, "%s%s", i == 0 ? "" : " ", violations[i]->rule);
	}
}

void vl_view_put_counts(struct vl_buf *out, size_t count, Valise__V1__Count *const *counts)
{
	for (size_t i = 0; i < count; i++)
		vl_buf_printf(out, "%s%s:%" PRId64, i == 0 ? "" : " ", counts[i]->name, counts[i]->count);
}

#include "ask/value.h"

#include "base/near.h"
#include "base/text.h"
#include "base/when.h"
#include "bus/json_field.h"
#include "hq/fold/view.h"

#include <errno.h>
#include <google/protobuf/duration.pb-c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 128

/* -- walking -- */

static const void *at_offset(const ProtobufCMessage *message, size_t offset)
{
	return (const char *)message + offset;
}

/* Where a field that is not repeated lies; NULL where another member of its oneof is set. */
static const void *place_of(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
	    *(const uint32_t *)at_offset(message, field->quantifier_offset) != field->id)
		return NULL;
	return at_offset(message, field->offset);
}

/* The message that the last field of the path is in. */
static const ProtobufCMessage *holder(const ProtobufCMessage *message,
				      const ProtobufCFieldDescriptor *const *path, unsigned n_path)
{
	for (unsigned i = 0; i + 1 < n_path && message != NULL; i++) {
		ProtobufCMessage *const *place = place_of(message, path[i]);
		message = place != NULL ? *place : NULL;
	}
	return message;
}

/* The item of a level, as it stands in the list's array. */
static const void *item_of(const struct vl_ask_walk *walk, unsigned level)
{
	const struct vl_ask_list *list = &walk->table->lists[level];
	size_t size = vl_json_value_size(list->path[list->n_path - 1]->type);

	return walk->level[level].items + walk->level[level].at * size;
}

/* The message that lists of this level are in; with the number of lists, the innermost item. */
static const ProtobufCMessage *parent_of(const struct vl_ask_walk *walk, unsigned level)
{
	return level == 0 ? walk->row : *(const ProtobufCMessage *const *)item_of(walk, level - 1);
}

static void open_list(struct vl_ask_walk *walk, unsigned level)
{
	const struct vl_ask_list *list = &walk->table->lists[level];
	const ProtobufCFieldDescriptor *field = list->path[list->n_path - 1];
	const ProtobufCMessage *message = holder(parent_of(walk, level), list->path, list->n_path);

	walk->level[level].at = 0;
	walk->level[level].count = 0;
	if (message == NULL)
		return;
	walk->level[level].count = *(const size_t *)at_offset(message, field->quantifier_offset);
	walk->level[level].items = *(const char *const *)at_offset(message, field->offset);
}

/* Open the lists from `level` inwards; where one is empty, go on with the next item outside. */
static bool descend(struct vl_ask_walk *walk, unsigned level)
{
	while (level < walk->table->n_lists) {
		open_list(walk, level);
		while (walk->level[level].at >= walk->level[level].count) {
			if (level == 0)
				return false;
			level--;
			walk->level[level].at++;
		}
		level++;
	}
	return true;
}

bool vl_ask_first(struct vl_ask_walk *walk, const struct vl_ask_table *table,
		  const ProtobufCMessage *row)
{
	*walk = (struct vl_ask_walk){.table = table, .row = row};
	return descend(walk, 0);
}

bool vl_ask_next(struct vl_ask_walk *walk)
{
	unsigned level = walk->table->n_lists;

	while (level > 0) {
		level--;
		if (++walk->level[level].at < walk->level[level].count)
			return descend(walk, level + 1);
	}
	return false;
}

/* -- reading -- */

static void read_unsigned(struct vl_ask_value *value, uint64_t number)
{
	value->number = (int64_t)number;
	value->beyond = number > INT64_MAX;
}

static void read_bytes(struct vl_ask_value *value, const ProtobufCBinaryData *bytes)
{
	value->bytes = (struct vl_bytes){bytes->data, bytes->len};
	value->none = bytes->len == 0;
}

static void read_message(struct vl_ask_value *value, const ProtobufCMessage *message)
{
	value->none = message == NULL;
	if (message == NULL)
		return;
	if (value->form == VL_ASK_TIME) {
		const Google__Protobuf__Timestamp *stamp = (const void *)message;
		value->time = (struct vl_time){stamp->seconds, stamp->nanos};
	} else {
		const Google__Protobuf__Duration *duration = (const void *)message;
		value->real = (double)duration->seconds + duration->nanos / 1e9;
	}
}

static void read_at(struct vl_ask_value *value, const ProtobufCFieldDescriptor *field,
		    const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		value->number = *(const int32_t *)at;
		return;
	case PROTOBUF_C_TYPE_ENUM:
		value->number = *(const int *)at;
		value->words = field->descriptor;
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		value->number = *(const int64_t *)at;
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		value->number = *(const uint32_t *)at;
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		read_unsigned(value, *(const uint64_t *)at);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		value->number = *(const protobuf_c_boolean *)at != 0;
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		value->real = (double)*(const float *)at;
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		value->real = *(const double *)at;
		return;
	case PROTOBUF_C_TYPE_STRING:
		value->bytes = vl_bytes_of(*(char *const *)at != NULL ? *(char *const *)at : "");
		return;
	case PROTOBUF_C_TYPE_BYTES:
		read_bytes(value, at);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		read_message(value, *(ProtobufCMessage *const *)at);
		return;
	}
}

void vl_ask_read(const struct vl_ask_walk *walk, const struct vl_ask_column *column,
		 const char *key, struct vl_ask_value *value)
{
	const ProtobufCMessage *message;
	const void *at;

	*value = (struct vl_ask_value){.form = column->form};
	switch (column->source) {
	case VL_ASK_KEY:
		value->bytes = vl_bytes_of(key);
		return;
	case VL_ASK_POSITION:
		value->number = (int64_t)walk->level[column->level].at + 1;
		return;
	case VL_ASK_ITEM:
		read_at(value, column->path[0], item_of(walk, walk->table->n_lists - 1));
		return;
	case VL_ASK_FIELD:
		message =
			holder(parent_of(walk, walk->table->n_lists), column->path, column->n_path);
		at = message != NULL ? place_of(message, column->path[column->n_path - 1]) : NULL;
		if (at == NULL)
			value->none = true;
		else
			read_at(value, column->path[column->n_path - 1], at);
		return;
	}
}

/* -- as text -- */

static void print_id(struct vl_bytes id, struct vl_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	char uuid[VL_UUID_TEXT];

	if (id.size == 16) {
		vl_buf_put_text(out, vl_uuid_format(id.data, uuid));
		return;
	}
	for (size_t i = 0; i < id.size; i++) {
		vl_buf_put_byte(out, (uint8_t)digits[id.data[i] >> 4]);
		vl_buf_put_byte(out, (uint8_t)digits[id.data[i] & 15]);
	}
}

static void print_word(const struct vl_ask_value *value, struct vl_buf *out)
{
	const char *name = vl_view_name(value->words, (int)value->number);

	if (name[0] != '\0' || value->number == 0)
		vl_buf_put_text(out, name);
	else
		vl_buf_printf(out, "%" PRId64, value->number);
}

void vl_ask_print(const struct vl_ask_value *value, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];

	if (value->none)
		return;
	switch (value->form) {
	case VL_ASK_TEXT:
		vl_buf_put(out, value->bytes.data, value->bytes.size);
		return;
	case VL_ASK_NUMBER:
	case VL_ASK_YESNO:
		if (value->beyond)
			vl_buf_printf(out, "%" PRIu64, (uint64_t)value->number);
		else
			vl_buf_printf(out, "%" PRId64, value->number);
		return;
	case VL_ASK_REAL:
		vl_buf_printf(out, "%.15g", value->real);
		return;
	case VL_ASK_WORD:
		print_word(value, out);
		return;
	case VL_ASK_TIME:
		vl_buf_put_text(out, vl_time_format(value->time, text));
		return;
	case VL_ASK_ID:
		print_id(value->bytes, out);
		return;
	}
}

/* -- order -- */

static int compare_bytes(struct vl_bytes a, struct vl_bytes b)
{
	size_t least = a.size < b.size ? a.size : b.size;
	int order = least > 0 ? memcmp(a.data, b.data, least) : 0;

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

int vl_ask_compare(const struct vl_ask_value *a, const struct vl_ask_value *b)
{
	if (a->none || b->none)
		return (int)b->none - (int)a->none;
	switch (a->form) {
	case VL_ASK_TEXT:
	case VL_ASK_ID:
		return compare_bytes(a->bytes, b->bytes);
	case VL_ASK_NUMBER:
	case VL_ASK_YESNO:
	case VL_ASK_WORD:
		if (a->beyond != b->beyond)
			return (int)a->beyond - (int)b->beyond;
		return (a->number > b->number) - (a->number < b->number);
	case VL_ASK_REAL:
		return (a->real > b->real) - (a->real < b->real);
	case VL_ASK_TIME:
		return vl_time_compare(a->time, b->time);
	}
	return 0;
}

/* -- what a person writes -- */

static bool parse_number(const char *text, struct vl_ask_value *value)
{
	char *end;

	errno = 0;
	value->number = strtoll(text, &end, 10);
	if (errno == ERANGE && text[0] != '-') {
		errno = 0;
		read_unsigned(value, strtoull(text, &end, 10));
	}
	return errno == 0 && end != text && *end == '\0';
}

static bool parse_real(const char *text, struct vl_ask_value *value)
{
	char *end;

	value->real = strtod(text, &end);
	return end != text && *end == '\0';
}

static bool parse_yesno(const char *text, struct vl_ask_value *value)
{
	static const char *const words[] = {"0", "no", "false", "1", "yes", "true"};

	for (size_t i = 0; i < 6; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			value->number = i >= 3;
			return true;
		}
	}
	return false;
}

static bool parse_id(const char *text, uint8_t room[VL_ASK_ID_MOST], struct vl_ask_value *value)
{
	size_t length = strlen(text);

	value->bytes = (struct vl_bytes){room, 16};
	if (vl_uuid_parse(text, length, room))
		return true;
	value->bytes.size = length / 2;
	return length % 2 == 0 && length / 2 <= VL_ASK_ID_MOST &&
	       vl_unhex(text, length, room, length / 2);
}

/* A constant by its short name, its whole name, or its number. */
static enum vl_err parse_word(const char *text, struct vl_ask_value *value, struct vl_why *why)
{
	const ProtobufCEnumDescriptor *type = value->words;
	const char *names[WORDS_MOST];
	size_t n = 0;

	for (unsigned i = 0; i < type->n_values; i++) {
		const char *name = vl_view_name(type, type->values[i].value);
		value->number = type->values[i].value;
		if (strcasecmp(type->values[i].name, text) == 0 ||
		    (name[0] != '\0' && strcasecmp(name, text) == 0))
			return VL_OK;
		if (name[0] != '\0' && n < WORDS_MOST)
			names[n++] = name;
	}
	if (parse_number(text, value))
		return VL_OK;
	const char *near = vl_nearest(text, names, n);
	struct vl_buf all = {0};
	for (size_t i = 0; near == NULL && i < n && all.size < 120; i++)
		vl_buf_printf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
	enum vl_err err =
		near != NULL
			? vl_fail(why, VL_ERR_INVALID, "no such value '%.40s'; did you mean '%s'?",
				  text, near)
			: vl_fail(why, VL_ERR_INVALID, "no such value '%.40s'; there are %.140s",
				  text, vl_buf_text(&all));
	vl_buf_free(&all);
	return err;
}

enum vl_err vl_ask_parse(const struct vl_ask_column *column, const char *text, struct vl_time now,
			 uint8_t room[VL_ASK_ID_MOST], struct vl_ask_value *value,
			 struct vl_why *why)
{
	bool good = true;
	const char *what = "";

	*value = (struct vl_ask_value){.form = column->form, .bytes = vl_bytes_of(text)};
	if (column->form == VL_ASK_WORD)
		value->words = column->path[column->n_path - 1]->descriptor;
	if (text[0] == '\0') {
		value->none = column->form == VL_ASK_TIME || column->form == VL_ASK_ID;
		return VL_OK;
	}
	switch (column->form) {
	case VL_ASK_TEXT:
		return VL_OK;
	case VL_ASK_WORD:
		return parse_word(text, value, why);
	case VL_ASK_NUMBER:
		good = parse_number(text, value);
		what = "a whole number";
		break;
	case VL_ASK_REAL:
		good = parse_real(text, value);
		what = "a number";
		break;
	case VL_ASK_YESNO:
		good = parse_yesno(text, value);
		what = "yes or no";
		break;
	case VL_ASK_TIME:
		good = vl_when_parse(text, now, &value->time);
		what = "a time: 2024-04-15T08:00:00Z, 2024-04-15, or 1h (ago)";
		break;
	case VL_ASK_ID:
		good = parse_id(text, room, value);
		what = "a UUID, or hexadecimal digits";
		break;
	}
	return good ? VL_OK : vl_fail(why, VL_ERR_INVALID, "'%.60s' is not %s", text, what);
}

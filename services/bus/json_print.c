/*
 * A protobuf message printed as proto3 JSON (json.h).
 */
#include "bus/json.h"

#include "base/clock.h"
#include "base/text.h"
#include "bus/json_field.h"
#include "bus/types.h"
#include "bus/wire.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct printer {
	struct vl_buf *out;
	struct vl_arena *arena; /* what opened Any messages live in; made when the first is met */
	int depth;
};

static void print_message(struct printer *p, const ProtobufCMessage *message);

/* DEL and the C1 controls too: a terminal may obey them. */
static bool plain(const uint8_t *at, const uint8_t *end)
{
	if (*at < 0x20 || *at == '"' || *at == '\\' || *at == 0x7f)
		return false;
	return *at != 0xc2 || at + 1 == end || at[1] >= 0xa0;
}

static size_t print_escape(struct vl_buf *out, const uint8_t *at)
{
	static const char letters[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
	const char *letter = *at != 0 ? strchr(letters, *at) : NULL;

	if (letter != NULL) {
		char text[2] = {'\\', names[letter - letters]};
		vl_buf_put(out, text, sizeof(text));
		return 1;
	}
	bool c1 = *at == 0xc2;
	vl_buf_printf(out, "\\u%04x", (unsigned)(c1 ? at[1] : *at));
	return c1 ? 2 : 1;
}

static void print_valid(struct vl_buf *out, const uint8_t *at, size_t length)
{
	const uint8_t *end = at + length;

	while (at < end) {
		const uint8_t *from = at;
		while (at < end && plain(at, end))
			at++;
		vl_buf_put(out, from, (size_t)(at - from));
		if (at < end)
			at += print_escape(out, at);
	}
}

void vl_json_print_text(struct vl_buf *out, const char *text, size_t length)
{
	const uint8_t *at = (const uint8_t *)text;

	vl_buf_put_byte(out, '"');
	while (length > 0) {
		size_t good = length;
		bool valid = vl_utf8_valid(at, length, &good);
		print_valid(out, at, good);
		at += good;
		length -= good;
		if (!valid) {
			vl_buf_put_text(out, *at == 0 ? "\\u0000" : "\xef\xbf\xbd");
			at++;
			length--;
		}
	}
	vl_buf_put_byte(out, '"');
}

static void print_string(struct vl_buf *out, const char *text)
{
	vl_json_print_text(out, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static void print_unsigned(struct vl_buf *out, uint64_t number)
{
	char text[20];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	vl_buf_put(out, text + at, sizeof(text) - at);
}

static void print_signed(struct vl_buf *out, int64_t number)
{
	if (number < 0)
		vl_buf_put_byte(out, '-');
	print_unsigned(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void print_quoted(struct vl_buf *out, bool is_signed, int64_t number)
{
	vl_buf_put_byte(out, '"');
	if (is_signed)
		print_signed(out, number);
	else
		print_unsigned(out, (uint64_t)number);
	vl_buf_put_byte(out, '"');
}

/* The fewest digits that read back as the same number. */
static void print_real(struct vl_buf *out, double number, bool single)
{
	char text[40];

	if (isnan(number))
		vl_buf_put_text(out, "\"NaN\"");
	else if (isinf(number))
		vl_buf_put_text(out, number < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	else {
		for (int digits = single ? 6 : 15; digits <= 17; digits++) {
			(void)snprintf(text, sizeof(text), "%.*g", digits, number);
			if (single ? strtof(text, NULL) == (float)number
				   : strtod(text, NULL) == number)
				break;
		}
		vl_buf_put_text(out, text);
	}
}

static void print_bytes(struct vl_buf *out, const uint8_t *data, size_t size)
{
	size_t room = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);

	vl_buf_put_byte(out, '"');
	uint8_t *to = vl_buf_add(out, room);
	if (to == NULL)
		return;
	(void)sodium_bin2base64((char *)to, room, data, size, sodium_base64_VARIANT_ORIGINAL);
	to[room - 1] = '"';
}

static void print_enum(struct vl_buf *out, const ProtobufCEnumDescriptor *type, int32_t number)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

	if (value != NULL)
		print_string(out, value->name);
	else
		print_signed(out, number);
}

static void print_value(struct printer *p, const ProtobufCFieldDescriptor *field, const void *at)
{
	struct vl_buf *out = p->out;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		print_signed(out, *(const int32_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		print_unsigned(out, *(const uint32_t *)at);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		print_quoted(out, true, *(const int64_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		print_quoted(out, false, *(const int64_t *)at);
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		print_real(out, (double)*(const float *)at, true);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		print_real(out, *(const double *)at, false);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		vl_buf_put_text(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		return;
	case PROTOBUF_C_TYPE_ENUM:
		print_enum(out, field->descriptor, *(const int32_t *)at);
		return;
	case PROTOBUF_C_TYPE_STRING:
		print_string(out, *(const char *const *)at);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		print_bytes(out, ((const ProtobufCBinaryData *)at)->data,
			    ((const ProtobufCBinaryData *)at)->len);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		print_message(p, *(const ProtobufCMessage *const *)at);
		return;
	}
}

static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	static const uint8_t zero[8];

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return *(const char *const *)at == NULL || **(const char *const *)at == '\0';
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)at)->len == 0;
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(void *const *)at == NULL;
	case PROTOBUF_C_TYPE_FLOAT:
		return *(const float *)at == 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const double *)at == 0;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		return memcmp(at, zero, vl_json_value_size(field->type)) == 0;
	}
	return true;
}

static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const uint8_t *base = (const uint8_t *)message, *at = base + field->offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(base + field->quantifier_offset) > 0;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(base + field->quantifier_offset) == field->id &&
		       (field->type != PROTOBUF_C_TYPE_MESSAGE || *(void *const *)at != NULL);
	return !is_default(field, at);
}

static void print_name(struct vl_buf *out, const char *name)
{
	char text[VL_JSON_NAME];
	size_t length = vl_json_name(name, text);

	vl_buf_put_byte(out, '"');
	vl_buf_put(out, text, length);
	vl_buf_put(out, "\":", 2);
}

static void print_list(struct printer *p, const ProtobufCFieldDescriptor *field, size_t count,
		       const uint8_t *at)
{
	vl_buf_put_byte(p->out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			vl_buf_put_byte(p->out, ',');
		print_value(p, field, at + i * vl_json_value_size(field->type));
	}
	vl_buf_put_byte(p->out, ']');
}

/* What stands between the braces. */
static void print_fields(struct printer *p, const ProtobufCMessage *message, bool comma)
{
	const uint8_t *base = (const uint8_t *)message;

	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		if (!is_set(message, field))
			continue;
		if (comma)
			vl_buf_put_byte(p->out, ',');
		comma = true;
		print_name(p->out, field->name);
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			print_list(p, field, *(const size_t *)(base + field->quantifier_offset),
				   *(const uint8_t *const *)(base + field->offset));
		else
			print_value(p, field, base + field->offset);
	}
}

static void print_object(struct printer *p, const ProtobufCMessage *message)
{
	vl_buf_put_byte(p->out, '{');
	print_fields(p, message, false);
	vl_buf_put_byte(p->out, '}');
}

/* An instant that RFC 3339 has no text for is shown as the two numbers it is. */
static void print_timestamp(struct printer *p, const Google__Protobuf__Timestamp *t)
{
	char text[VL_TIME_TEXT];

	if (t->seconds < VL_TIME_MIN || t->seconds > VL_TIME_MAX || t->nanos < 0 ||
	    t->nanos > VL_JSON_NANOS_MAX)
		print_object(p, &t->base);
	else
		print_string(p->out, vl_time_format((struct vl_time){t->seconds, t->nanos}, text));
}

static void print_duration(struct printer *p, const Google__Protobuf__Duration *d)
{
	bool minus = d->seconds < 0 || d->nanos < 0;

	if (d->seconds < -VL_JSON_DURATION_MAX || d->seconds > VL_JSON_DURATION_MAX ||
	    d->nanos < -VL_JSON_NANOS_MAX || d->nanos > VL_JSON_NANOS_MAX ||
	    (minus && (d->seconds > 0 || d->nanos > 0))) {
		print_object(p, &d->base);
		return;
	}
	vl_buf_put_text(p->out, minus ? "\"-" : "\"");
	print_unsigned(p->out, (uint64_t)llabs(d->seconds));
	unsigned nanos = (unsigned)abs(d->nanos);
	if (nanos % 1000 != 0)
		vl_buf_printf(p->out, ".%09u", nanos);
	else if (nanos % 1000000 != 0)
		vl_buf_printf(p->out, ".%06u", nanos / 1000);
	else if (nanos != 0)
		vl_buf_printf(p->out, ".%03u", nanos / 1000000);
	vl_buf_put_text(p->out, "s\"");
}

/* NULL where what it holds is not what it says, or is deeper than we follow. */
static const ProtobufCMessage *open_any(struct printer *p, const Google__Protobuf__Any *any)
{
	size_t length;
	const char *name = vl_type_name(any->type_url, strlen(any->type_url), &length);
	const ProtobufCMessageDescriptor *type = vl_message_find(name, length);
	struct vl_bytes value = {any->value.data, any->value.len};

	if (type == NULL || p->depth >= VL_JSON_DEPTH ||
	    vl_wire_check(type, value, true, NULL) != VL_OK)
		return NULL;
	if (p->arena == NULL)
		p->arena = vl_arena_open(0);
	const ProtobufCMessage *inner =
		p->arena != NULL ? vl_wire_unpack(type, value, p->arena) : NULL;
	if (inner == NULL)
		p->out->failed = true;
	return inner;
}

static void print_any(struct printer *p, const Google__Protobuf__Any *any)
{
	vl_buf_put_byte(p->out, '{');
	if (*any->type_url != '\0' || any->value.len > 0) {
		const ProtobufCMessage *inner = open_any(p, any);
		vl_buf_put_text(p->out, "\"@type\":");
		print_string(p->out, any->type_url);
		if (inner != NULL && vl_json_form_of(inner->descriptor) == VL_JSON_OBJECT)
			print_fields(p, inner, true);
		else {
			vl_buf_put_text(p->out, ",\"value\":");
			if (inner != NULL)
				print_message(p, inner);
			else
				print_bytes(p->out, any->value.data, any->value.len);
		}
	}
	vl_buf_put_byte(p->out, '}');
}

static void print_message(struct printer *p, const ProtobufCMessage *message)
{
	p->depth++;
	switch (vl_json_form_of(message->descriptor)) {
	case VL_JSON_OBJECT:
		print_object(p, message);
		break;
	case VL_JSON_TIMESTAMP:
		print_timestamp(p, (const Google__Protobuf__Timestamp *)message);
		break;
	case VL_JSON_DURATION:
		print_duration(p, (const Google__Protobuf__Duration *)message);
		break;
	case VL_JSON_ANY:
		print_any(p, (const Google__Protobuf__Any *)message);
		break;
	}
	p->depth--;
}

void vl_json_print(const ProtobufCMessage *message, struct vl_buf *out)
{
	struct printer p = {.out = out};

	print_message(&p, message);
	vl_arena_close(p.arena);
}

/*
 * A JSON value read into one field of a protobuf message.
 */
#include "bus/json_parse.h"

#include "base/clock.h"
#include "base/text.h"
#include "bus/json_field.h"
#include "bus/json_number.h"

#include <errno.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* From here on a number is rounded to no float. */
#define FLOAT_END 0x1.ffffffp127

static enum vl_err read_signed(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			       json_t *json, uint64_t max, int64_t *to)
{
	struct vl_json_whole number;

	if (!vl_json_read_whole(json, &number))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a whole number");
	if (number.size > max + number.minus)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "number out of range");
	*to = (int64_t)(number.minus ? 0 - number.size : number.size);
	return VL_OK;
}

static enum vl_err read_unsigned(const struct vl_json_parser *p, const struct vl_json_spot *spot,
				 json_t *json, uint64_t max, uint64_t *to)
{
	struct vl_json_whole number;

	if (!vl_json_read_whole(json, &number))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a whole number");
	if (number.size > max || (number.minus && number.size > 0))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "number out of range");
	*to = number.size;
	return VL_OK;
}

static bool parse_real(const char *text, double *number)
{
	char *end;

	if (strcmp(text, "NaN") == 0)
		*number = NAN;
	else if (strcmp(text, "Infinity") == 0)
		*number = INFINITY;
	else if (strcmp(text, "-Infinity") == 0)
		*number = -INFINITY;
	else {
		*number = strtod(text, &end);
		return *text != '\0' && strspn(text, "0123456789+-.eE") == strlen(text) &&
		       *end == '\0' && !isinf(*number);
	}
	return true;
}

static enum vl_err read_real(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			     json_t *json, bool single, double *to)
{
	bool good = json_is_string(json) ? parse_real(json_string_value(json), to)
					 : vl_json_read_double(json, to);
	if (!good)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a number");
	if (single && isfinite(*to) && fabs(*to) >= FLOAT_END)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "number out of range");
	return VL_OK;
}

/* The names there are, comma-separated, but for "..._UNSPECIFIED"; false where they are too many to
 * say. */
static bool list_names(const ProtobufCEnumDescriptor *type, char *text, size_t room)
{
	size_t n = 0;

	for (unsigned i = 0; i < type->n_values; i++) {
		const char *name = type->values[i].name;
		size_t length = strlen(name);
		if (type->values[i].value == 0 && length > 12 &&
		    strcmp(name + length - 12, "_UNSPECIFIED") == 0)
			continue;
		if (n + length + 3 > room)
			return false;
		if (n > 0)
			n = (size_t)(stpcpy(text + n, ", ") - text);
		n = (size_t)(stpcpy(text + n, name) - text);
	}
	return n > 0;
}

static enum vl_err read_enum(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			     const ProtobufCEnumDescriptor *type, json_t *json, int32_t *to)
{
	const ProtobufCEnumValue *value = NULL;
	struct vl_json_whole number;
	char names[160];

	if (json_is_string(json))
		value = protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(json));
	if (value != NULL) {
		*to = value->value;
		return VL_OK;
	}
	/* A newer program may have codes that are not known here: proto3's enums are open. */
	if (vl_json_is_number(json) && vl_json_read_whole(json, &number) &&
	    number.size <= INT32_MAX + (uint64_t)number.minus) {
		*to = (int32_t)(number.minus ? 0 - number.size : number.size);
		return VL_OK;
	}
	if (list_names(type, names, sizeof(names)))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "no such value; one of %s", names);
	return vl_json_refuse(p, spot, VL_ERR_INVALID, "no such value of %s", type->name);
}

static enum vl_err read_text(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			     json_t *json, char **to)
{
	if (!json_is_string(json))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a string");
	*to = vl_arena_text(p->arena, json_string_value(json), json_string_length(json));
	return *to != NULL ? VL_OK : VL_ERR_NOMEM;
}

/* The 36 characters of a UUID would be base64 too. */
static bool read_uuid(const char *name, const char *text, size_t length, uint8_t *bytes)
{
	return length == 36 && (strcmp(name, "id") == 0 || strcmp(name, "after") == 0) &&
	       vl_uuid_parse(text, length, bytes);
}

/* Either alphabet, padded or not. Bits of the last character that count for nothing may be any;
 * libsodium wants them to be zero, so that they are made so. */
static bool read_base64(const char *text, size_t length, uint8_t *bytes, size_t room, size_t *count)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	bool is_url = strpbrk(text, "-_") != NULL;
	const char *alphabet = is_url ? url : plain;
	size_t padding = length % 4 == 0 ? length - strcspn(text, "=") : 0, n = length - padding;
	char end[4];

	/* The last group, with zero bits; all before it has none that are loose. */
	size_t rest = n % 4, head = n - rest, tail = 0;
	int variant = is_url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING
			     : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
	if (padding > 2 || rest == 1 || (padding > 0 && rest + padding != 4))
		return false;
	if (sodium_base642bin(bytes, room, text, head, NULL, count, NULL, variant) != 0)
		return false;
	if (rest == 0)
		return true;
	memcpy(end, text + head, rest);
	const char *last = end[rest - 1] != '\0' ? strchr(alphabet, end[rest - 1]) : NULL;
	if (last == NULL)
		return false;
	end[rest - 1] = alphabet[(last - alphabet) & (rest == 2 ? 0x30 : 0x3c)];
	bool good = sodium_base642bin(bytes + *count, room - *count, end, rest, NULL, &tail, NULL,
				      variant) == 0;
	*count += tail;
	return good;
}

static enum vl_err read_bytes(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			      json_t *json, ProtobufCBinaryData *to)
{
	if (!json_is_string(json))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a string of base64");
	const char *text = json_string_value(json);
	size_t length = json_string_length(json), room = length / 4 * 3 + 3;
	to->data = vl_arena_alloc(p->arena, room < 16 ? 16 : room);
	if (to->data == NULL)
		return VL_ERR_NOMEM;
	to->len = 16;
	if (read_uuid(spot->name, text, length, to->data))
		return VL_OK;
	if (!read_base64(text, length, to->data, room, &to->len))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not base64");
	return VL_OK;
}

static enum vl_err read_number(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			       const ProtobufCFieldDescriptor *field, json_t *json, void *at)
{
	bool wide = vl_json_value_size(field->type) == 8;
	bool is_unsigned =
		field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32 ||
		field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_FIXED64;
	int64_t number = 0;
	uint64_t positive = 0;
	enum vl_err err =
		is_unsigned
			? read_unsigned(p, spot, json, wide ? UINT64_MAX : UINT32_MAX, &positive)
			: read_signed(p, spot, json, wide ? INT64_MAX : INT32_MAX, &number);
	uint64_t bits = is_unsigned ? positive : (uint64_t)number;
	uint32_t low = (uint32_t)bits;
	memcpy(at, wide ? (void *)&bits : (void *)&low, wide ? sizeof(bits) : sizeof(low));
	return err;
}

enum vl_err vl_json_value(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			  const ProtobufCFieldDescriptor *field, json_t *json, void *at)
{
	double real = 0;
	enum vl_err err;

	switch (field->type) {
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
		return read_number(p, spot, field, json, at);
	case PROTOBUF_C_TYPE_FLOAT:
		err = read_real(p, spot, json, true, &real);
		*(float *)at = (float)real;
		return err;
	case PROTOBUF_C_TYPE_DOUBLE:
		return read_real(p, spot, json, false, at);
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = json_is_true(json);
		return json_is_boolean(json)
			       ? VL_OK
			       : vl_json_refuse(p, spot, VL_ERR_INVALID, "not true or false");
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(p, spot, field->descriptor, json, at);
	case PROTOBUF_C_TYPE_STRING:
		return read_text(p, spot, json, at);
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(p, spot, json, at);
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return vl_json_refuse(p, spot, VL_ERR_BUG, "not a single value");
}

enum vl_err vl_json_timestamp(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			      json_t *json, ProtobufCMessage *message)
{
	Google__Protobuf__Timestamp *to = (Google__Protobuf__Timestamp *)message;
	struct vl_time t;

	/* RFC 3339 lets 't', 'z' and a blank pass; the JSON mapping does not. */
	if (!json_is_string(json) || strpbrk(json_string_value(json), "tz ") != NULL ||
	    !vl_time_parse(json_string_value(json), json_string_length(json), &t))
		return vl_json_refuse(
			p, spot, VL_ERR_INVALID,
			"not a time; write it as 2026-03-01T08:00:00Z, with Z or an offset");
	if (t.seconds < VL_TIME_MIN || t.seconds > VL_TIME_MAX)
		return vl_json_refuse(p, spot, VL_ERR_INVALID,
				      "time outside the years 0001 to 9999");
	to->seconds = t.seconds;
	to->nanos = t.nanos;
	return VL_OK;
}

/* "-1.5s": digits, at most nine decimals. */
static bool parse_duration(const char *text, size_t length, Google__Protobuf__Duration *to)
{
	bool minus = length > 0 && *text == '-';
	size_t digits = strspn(text + minus, "0123456789");
	const char *at = text + minus + digits;
	struct vl_json_whole seconds;
	int32_t nanos = 0, unit = 100000000;

	if (!vl_json_parse_whole(text + minus, digits, &seconds) ||
	    seconds.size > VL_JSON_DURATION_MAX)
		return false;
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9' && unit > 0; at++, unit /= 10)
			nanos += (*at - '0') * unit;
		if (unit == 100000000)
			return false;
	}
	to->seconds = minus ? -(int64_t)seconds.size : (int64_t)seconds.size;
	to->nanos = minus ? -nanos : nanos;
	return *at == 's' && at + 1 == text + length &&
	       (seconds.size < VL_JSON_DURATION_MAX || nanos == 0);
}

enum vl_err vl_json_duration(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			     json_t *json, ProtobufCMessage *message)
{
	if (!json_is_string(json) ||
	    !parse_duration(json_string_value(json), json_string_length(json),
			    (Google__Protobuf__Duration *)message))
		return vl_json_refuse(p, spot, VL_ERR_INVALID,
				      "not a duration; write seconds as 90s or 1.5s");
	return VL_OK;
}

#include "bus/json_parse.h"

#include "base/clock.h"
#include "base/text.h"
#include "bus/json_field.h"

#include <errno.h>
#include <float.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* A double holds every whole number up to here. */
#define WHOLE_MAX 9007199254740992.0

/* A whole number that may need 64 bits of either kind. */
struct whole {
	bool minus;
	uint64_t size;
};

/* Digits as JSON has them: no plus, no leading zero. */
static bool parse_whole(const char *text, size_t length, struct whole *number)
{
	*number = (struct whole){.minus = length > 0 && *text == '-'};
	size_t at = number->minus;
	if (at == length || (text[at] == '0' && length > at + 1))
		return false;
	for (; at < length; at++) {
		unsigned digit = (unsigned)text[at] - '0';
		if (digit > 9 || __builtin_mul_overflow(number->size, 10, &number->size) ||
		    __builtin_add_overflow(number->size, digit, &number->size))
			return false;
	}
	return true;
}

static bool read_whole(json_t *json, struct whole *number)
{
	if (json_is_integer(json)) {
		json_int_t n = json_integer_value(json);
		*number = (struct whole){n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n};
		return true;
	}
	if (json_is_real(json)) {
		double n = json_real_value(json);
		*number = (struct whole){n < 0, fabs(n) <= WHOLE_MAX ? (uint64_t)fabs(n) : 0};
		return fabs(n) <= WHOLE_MAX && n == trunc(n);
	}
	return json_is_string(json) && parse_whole(json_string_value(json), json_string_length(json), number);
}

static enum vl_err read_signed(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json,
			       uint64_t max, int64_t *to)
{
	struct whole number;

	if (!read_whole(json, &number))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a whole number");
	if (number.size > max + number.minus)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "number out of range");
	*to = (int64_t)(number.minus ? 0 - number.size : number.size);
	return VL_OK;
}

static enum vl_err read_unsigned(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json,
				 uint64_t max, uint64_t *to)
{
	struct whole number;

	if (!read_whole(json, &number))
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
		return *text != '\0' && strspn(text, "0123456789+-.eE") == strlen(text) && *end == '\0' &&
		       !isinf(*number);
	}
	return true;
}

static enum vl_err read_real(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json, bool single,
			     double *to)
{
	if (json_is_string(json) ? !parse_real(json_string_value(json), to) : !json_is_number(json))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a number");
	if (json_is_number(json))
		*to = json_number_value(json);
	if (single && isfinite(*to) && fabs(*to) > (double)FLT_MAX)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "number out of range");
	return VL_OK;
}

/* The names there are, comma-separated, but for "..._UNSPECIFIED"; false where they are too many to say. */
static bool list_names(const ProtobufCEnumDescriptor *type, char *text, size_t room)
{
	size_t n = 0;

	for (unsigned i = 0; i < type->n_values; i++) {
		const char *name = type->values[i].name;
		size_t length = strlen(name);
		if (type->values[i].value == 0 && length > 12 && strcmp(name + length - 12, "_UNSPECIFIED") == 0)
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
	char names[160];

	if (json_is_string(json))
		value = protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(json));
	else if (json_is_integer(json) && json_integer_value(json) == (int32_t)json_integer_value(json))
		value = protobuf_c_enum_descriptor_get_value(type, (int)json_integer_value(json));
	if (value != NULL) {
		*to = value->value;
		return VL_OK;
	}
	if (list_names(type, names, sizeof(names)))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "no such value; one of %s", names);
	return vl_json_refuse(p, spot, VL_ERR_INVALID, "no such value of %s", type->name);
}

static enum vl_err read_text(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json, char **to)
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

static enum vl_err read_bytes(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json,
			      ProtobufCBinaryData *to)
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
	bool url = strpbrk(text, "-_") != NULL, bare = length % 4 != 0;
	int variant = url ? (bare ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_URLSAFE)
			  : (bare ? sodium_base64_VARIANT_ORIGINAL_NO_PADDING : sodium_base64_VARIANT_ORIGINAL);
	if (sodium_base642bin(to->data, room, text, length, NULL, &to->len, NULL, variant) != 0)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not base64");
	return VL_OK;
}

static enum vl_err read_number(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			       const ProtobufCFieldDescriptor *field, json_t *json, void *at)
{
	bool wide = vl_json_value_size(field->type) == 8;
	bool is_unsigned = field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_FIXED32 ||
			   field->type == PROTOBUF_C_TYPE_UINT64 || field->type == PROTOBUF_C_TYPE_FIXED64;
	int64_t number = 0;
	uint64_t positive = 0;
	enum vl_err err = is_unsigned ? read_unsigned(p, spot, json, wide ? UINT64_MAX : UINT32_MAX, &positive)
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
		return json_is_boolean(json) ? VL_OK : vl_json_refuse(p, spot, VL_ERR_INVALID, "not true or false");
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

enum vl_err vl_json_timestamp(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json,
			      ProtobufCMessage *message)
{
	Google__Protobuf__Timestamp *to = (Google__Protobuf__Timestamp *)message;
	struct vl_time t;

	if (!json_is_string(json) || !vl_time_parse(json_string_value(json), json_string_length(json), &t))
		return vl_json_refuse(p, spot, VL_ERR_INVALID,
				      "not a time; write it as 2026-03-01T08:00:00Z, with Z or an offset");
	if (t.seconds < VL_JSON_SECONDS_MIN || t.seconds > VL_JSON_SECONDS_MAX)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "time outside the years 0001 to 9999");
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
	struct whole seconds;
	int32_t nanos = 0, unit = 100000000;

	if (!parse_whole(text + minus, digits, &seconds) || seconds.size > VL_JSON_DURATION_MAX)
		return false;
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9' && unit > 0; at++, unit /= 10)
			nanos += (*at - '0') * unit;
		if (unit == 100000000)
			return false;
	}
	to->seconds = minus ? -(int64_t)seconds.size : (int64_t)seconds.size;
	to->nanos = minus ? -nanos : nanos;
	return *at == 's' && at + 1 == text + length && (seconds.size < VL_JSON_DURATION_MAX || nanos == 0);
}

enum vl_err vl_json_duration(const struct vl_json_parser *p, const struct vl_json_spot *spot, json_t *json,
			     ProtobufCMessage *message)
{
	if (!json_is_string(json) ||
	    !parse_duration(json_string_value(json), json_string_length(json), (Google__Protobuf__Duration *)message))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not a duration; write seconds as 90s or 1.5s");
	return VL_OK;
}

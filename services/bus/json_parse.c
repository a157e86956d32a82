#include "bus/json_parse.h"

#include "base/text.h"
#include "bus/json.h"
#include "bus/json_field.h"
#include "bus/json_number.h"
#include "bus/types.h"

#include <google/protobuf/any.pb-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX ((size_t)4 * 1024 * 1024)
#define QUOTE_MAX 81 /* of a name that came from outside, with its NUL */

static enum vl_err parse_message(struct vl_json_parser *p, const struct vl_json_spot *spot,
				 const ProtobufCMessageDescriptor *type, json_t *json,
				 ProtobufCMessage **to);

static void put_path(const struct vl_json_spot *spot, char *text, size_t room, size_t *at)
{
	if (spot == NULL)
		return;
	put_path(spot->up, text, room, at);
	const char *dot = *at > 0 ? "." : "";
	int n = spot->index == VL_JSON_NO_INDEX
			? snprintf(text + *at, room - *at, "%s%s", dot, spot->name)
			: snprintf(text + *at, room - *at, "%s%s[%zu]", dot, spot->name,
				   spot->index);
	*at = *at + (size_t)n < room ? *at + (size_t)n : room - 1;
}

enum vl_err vl_json_refuse(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			   enum vl_err err, const char *format, ...)
{
	char path[120] = "", reason[220];
	size_t at = 0;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	put_path(spot, path, sizeof(path), &at);
	return vl_fail(p->why, err, "%s%s%s", path, at > 0 ? ": " : "", reason);
}

/* "caseNumber" to "case_number", or the name as it is where it has no capitals. */
static bool to_proto_name(const char *key, char text[VL_JSON_NAME])
{
	size_t n = 0;
	bool capitals = false, lines = false;

	for (; *key != '\0' && n < VL_JSON_NAME - 2; key++) {
		bool capital = *key >= 'A' && *key <= 'Z';
		if (capital)
			text[n++] = '_';
		text[n++] = capital ? (char)(*key - 'A' + 'a') : *key;
		capitals |= capital;
		lines |= *key == '_';
	}
	text[n] = '\0';
	return *key == '\0' && !(capitals && lines);
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
						  const char *key)
{
	char name[VL_JSON_NAME];

	if (to_proto_name(key, name)) {
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(type, name);
		if (field != NULL)
			return field;
	}
	for (unsigned i = 0; i < type->n_fields; i++) {
		/* Such as "line_1", which is "line1" in JSON, and from there there is no way
		 * back. */
		(void)vl_json_name(type->fields[i].name, name);
		if (strcmp(name, key) == 0)
			return &type->fields[i];
	}
	return NULL;
}

static enum vl_err parse_value(struct vl_json_parser *p, const struct vl_json_spot *spot,
			       const ProtobufCFieldDescriptor *field, json_t *json, void *at)
{
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return parse_message(p, spot, field->descriptor, json, at);
	return vl_json_value(p, spot, field, json, at);
}

static enum vl_err parse_list(struct vl_json_parser *p, const struct vl_json_spot *field_spot,
			      const ProtobufCFieldDescriptor *field, json_t *json,
			      ProtobufCMessage *message)
{
	struct vl_json_spot spot = *field_spot;
	size_t count = json_array_size(json), size = vl_json_value_size(field->type);

	if (!json_is_array(json))
		return vl_json_refuse(p, &spot, VL_ERR_INVALID, "not a list");
	if (count == 0)
		return VL_OK;
	uint8_t *values = vl_arena_alloc(p->arena, count * size);
	if (values == NULL)
		return VL_ERR_NOMEM;
	for (spot.index = 0; spot.index < count; spot.index++) {
		json_t *element = json_array_get(json, spot.index);
		if (json_is_null(element))
			return vl_json_refuse(p, &spot, VL_ERR_INVALID, "null in a list");
		enum vl_err err = parse_value(p, &spot, field, element, values + spot.index * size);
		if (err != VL_OK)
			return err;
	}
	*(size_t *)((uint8_t *)message + field->quantifier_offset) = count;
	*(uint8_t **)((uint8_t *)message + field->offset) = values;
	return VL_OK;
}

static enum vl_err parse_field(struct vl_json_parser *p, const struct vl_json_spot *up,
			       const ProtobufCFieldDescriptor *field, json_t *json,
			       ProtobufCMessage *message)
{
	struct vl_json_spot spot = {up, field->name, VL_JSON_NO_INDEX};
	uint8_t *base = (uint8_t *)message;

	if (json_is_null(json))
		return VL_OK;
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return parse_list(p, &spot, field, json, message);
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		uint32_t *which = (uint32_t *)(base + field->quantifier_offset);
		if (*which != 0)
			return vl_json_refuse(
				p, &spot, VL_ERR_MALFORMED,
				"excludes %s, which is there too; give one",
				protobuf_c_message_descriptor_get_field(message->descriptor, *which)
					->name);
		*which = field->id;
	}
	return parse_value(p, &spot, field, json, base + field->offset);
}

/* Every key but "@type", which is an Any's. */
static enum vl_err parse_fields(struct vl_json_parser *p, const struct vl_json_spot *spot,
				json_t *json, bool in_any, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	bool *seen = vl_arena_alloc(p->arena, type->n_fields + 1);
	char quote[QUOTE_MAX];
	const char *key;
	json_t *value;

	if (seen == NULL)
		return VL_ERR_NOMEM;
	json_object_foreach(json, key, value)
	{
		if (in_any && strcmp(key, "@type") == 0)
			continue;
		const ProtobufCFieldDescriptor *field = find_field(type, key);
		if (field == NULL)
			return vl_json_refuse(p, spot, VL_ERR_UNKNOWN_FIELD, "no field '%s' in %s",
					      vl_printable(key, quote, sizeof(quote)), type->name);
		if (seen[field - type->fields])
			return vl_json_refuse(p, spot, VL_ERR_MALFORMED,
					      "%s is there twice, under both its names",
					      field->name);
		seen[field - type->fields] = true;
		enum vl_err err = parse_field(p, spot, field, value, message);
		if (err != VL_OK)
			return err;
	}
	return VL_OK;
}

/* What follows the one prefix there is, or the whole. */
static const ProtobufCMessageDescriptor *find_type(const char *url)
{
	size_t prefix = strlen(VL_TYPE_PREFIX);

	if (strncmp(url, VL_TYPE_PREFIX, prefix) == 0)
		url += prefix;
	return vl_message_find(url, strlen(url));
}

static enum vl_err fill_any(struct vl_json_parser *p, const ProtobufCMessage *inner,
			    Google__Protobuf__Any *any)
{
	size_t size = protobuf_c_message_get_packed_size(inner);
	const char *name = inner->descriptor->name;
	char *url = vl_arena_alloc(p->arena, strlen(VL_TYPE_PREFIX) + strlen(name) + 1);
	uint8_t *bytes = vl_arena_alloc(p->arena, size);

	if (url == NULL || bytes == NULL)
		return VL_ERR_NOMEM;
	(void)stpcpy(stpcpy(url, VL_TYPE_PREFIX), name);
	any->type_url = url;
	any->value = (ProtobufCBinaryData){protobuf_c_message_pack(inner, bytes), bytes};
	return VL_OK;
}

/* The types with a form of their own stand beside "@type" under "value". */
static enum vl_err parse_wrapped(struct vl_json_parser *p, const struct vl_json_spot *spot,
				 const ProtobufCMessageDescriptor *type, json_t *json,
				 ProtobufCMessage **to)
{
	struct vl_json_spot inner = {spot, "value", VL_JSON_NO_INDEX};
	json_t *value = json_object_get(json, "value");

	if (value == NULL || json_object_size(json) != 2)
		return vl_json_refuse(p, spot, VL_ERR_INVALID,
				      "%s needs \"value\", and nothing else, beside \"@type\"",
				      type->name);
	return parse_message(p, &inner, type, value, to);
}

static enum vl_err parse_any(struct vl_json_parser *p, const struct vl_json_spot *spot,
			     json_t *json, ProtobufCMessage *message)
{
	json_t *url = json_object_get(json, "@type");
	char quote[QUOTE_MAX];
	ProtobufCMessage *inner;
	enum vl_err err;

	if (!json_is_object(json))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not an object");
	if (json_object_size(json) == 0)
		return VL_OK;
	if (!json_is_string(url))
		return vl_json_refuse(p, spot, VL_ERR_INVALID,
				      "no \"@type\"; name the message's type, as in "
				      "\"consular.case.v1.CaseOpened\"");
	const ProtobufCMessageDescriptor *type = find_type(json_string_value(url));
	if (type == NULL)
		return vl_json_refuse(p, spot, VL_ERR_UNKNOWN_TYPE, "no type '%s'",
				      vl_printable(json_string_value(url), quote, sizeof(quote)));
	if (vl_json_form_of(type) != VL_JSON_OBJECT)
		err = parse_wrapped(p, spot, type, json, &inner);
	else {
		inner = vl_arena_alloc(p->arena, type->sizeof_message);
		if (inner == NULL)
			return VL_ERR_NOMEM;
		protobuf_c_message_init(type, inner);
		err = parse_fields(p, spot, json, true, inner);
	}
	return err != VL_OK ? err : fill_any(p, inner, (Google__Protobuf__Any *)message);
}

static enum vl_err parse_form(struct vl_json_parser *p, const struct vl_json_spot *spot,
			      json_t *json, ProtobufCMessage *message)
{
	switch (vl_json_form_of(message->descriptor)) {
	case VL_JSON_TIMESTAMP:
		return vl_json_timestamp(p, spot, json, message);
	case VL_JSON_DURATION:
		return vl_json_duration(p, spot, json, message);
	case VL_JSON_ANY:
		return parse_any(p, spot, json, message);
	case VL_JSON_OBJECT:
		break;
	}
	if (!json_is_object(json) || vl_json_is_number(json))
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "not an object");
	return parse_fields(p, spot, json, false, message);
}

static enum vl_err parse_message(struct vl_json_parser *p, const struct vl_json_spot *spot,
				 const ProtobufCMessageDescriptor *type, json_t *json,
				 ProtobufCMessage **to)
{
	if (p->depth == VL_JSON_DEPTH)
		return vl_json_refuse(p, spot, VL_ERR_INVALID, "more than %d messages deep",
				      VL_JSON_DEPTH);
	ProtobufCMessage *message = vl_arena_alloc(p->arena, type->sizeof_message);
	if (message == NULL)
		return VL_ERR_NOMEM;
	protobuf_c_message_init(type, message);
	p->depth++;
	enum vl_err err = parse_form(p, spot, json, message);
	p->depth--;
	*to = message;
	return err;
}

static const char *broken_reason(enum json_error_code code)
{
	switch (code) {
	case json_error_premature_end_of_input:
		return "the JSON ends too early";
	case json_error_end_of_input_expected:
		return "something follows the JSON value";
	case json_error_invalid_utf8:
		return "not UTF-8";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "a NUL character";
	case json_error_duplicate_key:
		return "a field twice";
	case json_error_stack_overflow:
		return "nested too deep";
	case json_error_numeric_overflow:
		return "a number too large for JSON; write it as a string";
	case json_error_unknown:
	case json_error_out_of_memory:
	case json_error_cannot_open_file:
	case json_error_invalid_argument:
	case json_error_invalid_syntax:
	case json_error_invalid_format:
	case json_error_wrong_type:
	case json_error_null_value:
	case json_error_item_not_found:
	case json_error_index_out_of_range:
		break;
	}
	return "not JSON";
}

/* jansson's own text quotes what it stumbled over, so only its place is said. It stops behind
 * the fault. */
static enum vl_err broken(const json_error_t *error, struct vl_why *why)
{
	enum json_error_code code = json_error_code(error);
	enum vl_err err = code == json_error_numeric_overflow ? VL_ERR_INVALID : VL_ERR_MALFORMED;

	if (code == json_error_out_of_memory)
		return VL_ERR_NOMEM;
	int column = error->column > 0 ? error->column : 1;
	if (error->line > 1)
		return vl_fail(why, err, "line %d, column %d: %s", error->line, column,
			       broken_reason(code));
	return vl_fail(why, err, "column %d: %s", column, broken_reason(code));
}

enum vl_err vl_json_parse(const ProtobufCMessageDescriptor *type, const char *text, size_t length,
			  struct vl_arena *arena, ProtobufCMessage **message, struct vl_why *why)
{
	struct vl_json_parser p = {.arena = arena, .why = why};
	json_error_t error;

	if (length > TEXT_MAX)
		return vl_fail(why, VL_ERR_MALFORMED, "%zu bytes of JSON; %zu at most", length,
			       TEXT_MAX);
	vl_json_wrap_numbers(&text, &length, arena);
	if (text == NULL)
		return VL_ERR_NOMEM;
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (json == NULL)
		return broken(&error, why);
	enum vl_err err = parse_message(&p, NULL, type, json, message);
	json_decref(json);
	return err;
}

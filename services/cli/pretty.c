#include "cli/views.h"

#include "ask/table.h"
#include "base/text.h"
#include "bus/json.h"
#include "bus/json_field.h"
#include "cli/table.h"
#include "cli/zone.h"
#include "hq/fold/view.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16
#define LINE_NAME 256
#define BYTES_SHOWN ((size_t)32)

/* `begun`: the first line has its indentation already. */
static void put_message(const ProtobufCMessage *message, const char *without, unsigned depth,
			bool begun, struct vl_buf *out);

static void indent(struct vl_buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		vl_buf_put_text(out, "  ");
}

static void put_bytes(const ProtobufCBinaryData *bytes, struct vl_buf *out)
{
	char text[2 * BYTES_SHOWN + 1], uuid[VL_UUID_TEXT];

	if (bytes->len == 16)
		vl_buf_put_text(out, vl_uuid_format(bytes->data, uuid));
	else if (bytes->len <= BYTES_SHOWN)
		vl_buf_put_text(out, vl_hex(bytes->data, bytes->len, text));
	else
		vl_buf_printf(out, "%s... (%zu bytes)", vl_hex(bytes->data, BYTES_SHOWN, text),
			      bytes->len);
}

/* Without the enum's name in front. */
static void put_enum(const ProtobufCEnumDescriptor *type, int number, struct vl_buf *out)
{
	const char *name = vl_view_name(type, number);

	if (name[0] != '\0')
		vl_buf_put_text(out, name);
	else
		vl_buf_printf(out, "%d", number);
}

/* One value that is no message. */
static void put_scalar(const ProtobufCFieldDescriptor *field, const void *at, struct vl_buf *out)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		vl_buf_printf(out, "%" PRId32, *(const int32_t *)at);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		vl_buf_printf(out, "%" PRId64, *(const int64_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		vl_buf_printf(out, "%" PRIu32, *(const uint32_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		vl_buf_printf(out, "%" PRIu64, *(const uint64_t *)at);
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		vl_buf_printf(out, "%.9g", (double)*(const float *)at);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		vl_buf_printf(out, "%.17g", *(const double *)at);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		vl_buf_put_text(out, *(const protobuf_c_boolean *)at ? "yes" : "no");
		return;
	case PROTOBUF_C_TYPE_ENUM:
		put_enum(field->descriptor, *(const int *)at, out);
		return;
	case PROTOBUF_C_TYPE_STRING: {
		const char *text = *(char *const *)at;
		cli_cell(out, text != NULL ? text : "", text != NULL ? strlen(text) : 0, 0, false);
		return;
	}
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(at, out);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		return;
	}
}

static void put_timestamp(const Google__Protobuf__Timestamp *time, struct vl_buf *out)
{
	char text[VL_TIME_TEXT];

	vl_buf_put_text(out, cli_zone_format((struct vl_time){time->seconds, time->nanos}, text));
}

/* The value behind "name:", or in a list behind "-", to the end of its last line. */
static void put_value(const ProtobufCFieldDescriptor *field, const void *at, unsigned depth,
		      bool in_list, struct vl_buf *out)
{
	const ProtobufCMessage *message =
		field->type == PROTOBUF_C_TYPE_MESSAGE ? *(ProtobufCMessage *const *)at : NULL;

	if (vl_ask_is_personal(field))
		vl_buf_put_text(out, " (personal; not shown here)\n");
	else if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
		vl_buf_put_byte(out, ' ');
		put_scalar(field, at, out);
		vl_buf_put_byte(out, '\n');
	} else if (vl_json_form_of(message->descriptor) == VL_JSON_TIMESTAMP) {
		vl_buf_put_byte(out, ' ');
		put_timestamp((const Google__Protobuf__Timestamp *)message, out);
		vl_buf_put_byte(out, '\n');
	} else {
		vl_buf_put_byte(out, in_list ? ' ' : '\n');
		put_message(message, NULL, depth + 1, in_list, out);
	}
}

/* Whether a field that is not repeated says anything. */
static bool is_set(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;
	const void *at = base + field->offset;
	static const char zeros[sizeof(ProtobufCBinaryData)];

	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0)
		return *(const uint32_t *)(const void *)(base + field->quantifier_offset) ==
		       field->id;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(ProtobufCMessage *const *)at != NULL;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return *(char *const *)at != NULL && (*(char *const *)at)[0] != '\0';
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)at)->len > 0;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
		return *(const protobuf_c_boolean *)(const void *)(base + field->quantifier_offset);
	return memcmp(at, zeros, vl_json_value_size(field->type)) != 0;
}

static bool is_filled(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return *(const size_t *)(const void *)((const char *)message + field->quantifier_offset) >
	       0;
}

static void put_repeated(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			 unsigned depth, struct vl_buf *out)
{
	const char *base = (const char *)message;
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	const char *items = *(const char *const *)(const void *)(base + field->offset);

	vl_buf_put_byte(out, '\n');
	for (size_t i = 0; i < count; i++) {
		indent(out, depth + 1);
		vl_buf_put_byte(out, '-');
		put_value(field, items + i * vl_json_value_size(field->type), depth + 1, true, out);
	}
}

static void put_message(const ProtobufCMessage *message, const char *without, unsigned depth,
			bool begun, struct vl_buf *out)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	size_t from = out->size;

	for (unsigned i = 0; i < type->n_fields && depth <= DEPTH_MAX; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
		if ((without != NULL && strcmp(field->name, without) == 0) ||
		    !(repeated ? is_filled(message, field) : is_set(message, field)))
			continue;
		indent(out, begun && out->size == from ? 0 : depth);
		vl_buf_printf(out, "%s:", field->name);
		if (repeated)
			put_repeated(message, field, depth, out);
		else
			put_value(field, (const char *)message + field->offset, depth, false, out);
	}
	if (begun && out->size == from)
		vl_buf_put_byte(out, '\n');
}

/* -- in one line -- */

static void put_line(const ProtobufCMessage *message, const char *before, unsigned depth,
		     struct vl_buf *out);

/* A text that has blanks in it is quoted. */
static void put_line_value(const ProtobufCFieldDescriptor *field, const void *at,
			   struct vl_buf *out)
{
	const char *text = field->type == PROTOBUF_C_TYPE_STRING ? *(char *const *)at : NULL;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		put_timestamp(*(const Google__Protobuf__Timestamp *const *)at, out);
	else if (text != NULL && text[strcspn(text, " \"\t\n,")] != '\0')
		vl_json_print_text(out, text, strlen(text));
	else
		put_scalar(field, at, out);
}

static void put_line_list(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			  struct vl_buf *out)
{
	const char *base = (const char *)message;
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	const char *items = *(const char *const *)(const void *)(base + field->offset);

	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		vl_buf_printf(out, "[%zu]", count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		vl_buf_put_byte(out, i == 0 ? '=' : ',');
		put_line_value(field, items + i * vl_json_value_size(field->type), out);
	}
}

static void put_line_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			   const char *before, unsigned depth, struct vl_buf *out)
{
	const void *at = (const char *)message + field->offset;
	bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
	char name[LINE_NAME];

	(void)snprintf(name, sizeof(name), "%s%s", before, field->name);
	if (!repeated && !vl_ask_is_personal(field) && field->type == PROTOBUF_C_TYPE_MESSAGE &&
	    vl_json_form_of(field->descriptor) != VL_JSON_TIMESTAMP) {
		(void)snprintf(name, sizeof(name), "%s%s.", before, field->name);
		put_line(*(ProtobufCMessage *const *)at, name, depth + 1, out);
		return;
	}
	vl_buf_put_text(out, out->size > 0 ? " " : "");
	vl_buf_put_text(out, name);
	if (vl_ask_is_personal(field)) {
		vl_buf_put_text(out, "=(not shown)");
	} else if (repeated) {
		put_line_list(message, field, out);
	} else {
		vl_buf_put_byte(out, '=');
		put_line_value(field, at, out);
	}
}

static bool says(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED ? is_filled(message, field)
							 : is_set(message, field);
}

static void put_line(const ProtobufCMessage *message, const char *before, unsigned depth,
		     struct vl_buf *out)
{
	for (unsigned i = 0; i < message->descriptor->n_fields && depth <= DEPTH_MAX; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		if (says(message, field))
			put_line_field(message, field, before, depth, out);
	}
}

/* A line begins empty: what stands before it in `out` is none of it. */
static void end_line(struct vl_buf *line, struct vl_buf *out)
{
	vl_buf_put(out, line->data, line->size);
	out->failed = out->failed || vl_buf_failed(line);
	vl_buf_free(line);
}

void cli_pretty_line(const ProtobufCMessage *message, struct vl_buf *out)
{
	struct vl_buf line = {0};

	put_line(message, "", 0, &line);
	end_line(&line, out);
}

void cli_pretty_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
		      struct vl_buf *out)
{
	struct vl_buf line = {0};

	if (says(message, field))
		put_line_field(message, field, "", 0, &line);
	end_line(&line, out);
}

void cli_pretty(const ProtobufCMessage *message, const char *without, struct vl_buf *out)
{
	put_message(message, without, 0, false, out);
}

#include "hq/fold/value.h"

#include "hq/fold/view.h"

#include <string.h>

enum vl_class vl_value_class(const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return VL_LIST;
	switch (field->type) {
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return VL_NOTHING;
	case PROTOBUF_C_TYPE_STRING:
		return VL_TEXT;
	case PROTOBUF_C_TYPE_BYTES:
		return VL_BYTES;
	case PROTOBUF_C_TYPE_MESSAGE:
		return VL_MESSAGE;
	default:
		return VL_NUMBER;
	}
}

static int64_t get_number(const void *at, ProtobufCType type)
{
	uint64_t large;

	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		return *(const int32_t *)at;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return *(const uint32_t *)at;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		large = *(const uint64_t *)at;
		return large > INT64_MAX ? INT64_MAX : (int64_t)large;
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)at != 0;
	default:
		return *(const int64_t *)at;
	}
}

static int64_t within(int64_t number, int64_t least, int64_t most)
{
	return number < least ? least : number > most ? most : number;
}

static void set_number(void *at, ProtobufCType type, int64_t number)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		*(int32_t *)at = (int32_t)within(number, INT32_MIN, INT32_MAX);
		return;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*(uint32_t *)at = (uint32_t)within(number, 0, UINT32_MAX);
		return;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*(uint64_t *)at = (uint64_t)within(number, 0, INT64_MAX);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = number != 0;
		return;
	default:
		*(int64_t *)at = number;
	}
}

/* Of a oneof the field is there only where its case says so. */
static bool is_there(const char *base, const ProtobufCFieldDescriptor *field)
{
	if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
		return true;
	return *(const uint32_t *)(const void *)(base + field->quantifier_offset) == field->id;
}

struct vl_value vl_value_get(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;
	const void *at = base + field->offset;
	struct vl_value value = {.class = vl_value_class(field), .text = ""};

	if (!is_there(base, field))
		return value;
	if (value.class == VL_NUMBER) {
		value.number = get_number(at, field->type);
	} else if (value.class == VL_TEXT) {
		const char *text = *(const char *const *)at;
		value.text = text != NULL ? text : "";
	} else if (value.class == VL_BYTES) {
		value.bytes = *(const ProtobufCBinaryData *)at;
	} else if (value.class == VL_MESSAGE) {
		value.message = *(const ProtobufCMessage *const *)at;
	} else if (value.class == VL_LIST) {
		value.items = *(const void *const *)at;
		value.count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	}
	return value;
}

void vl_value_set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
		  const struct vl_value *value)
{
	char *base = (char *)message;
	void *at = base + field->offset;

	if (value->class == VL_NUMBER) {
		set_number(at, field->type, value->number);
	} else if (value->class == VL_TEXT) {
		*(const char **)at = value->text;
	} else if (value->class == VL_BYTES) {
		*(ProtobufCBinaryData *)at = value->bytes;
	} else if (value->class == VL_MESSAGE) {
		*(const ProtobufCMessage **)at = value->message;
	} else if (value->class == VL_LIST) {
		*(const void **)at = value->items;
		*(size_t *)(void *)(base + field->quantifier_offset) = value->count;
	}
}

bool vl_value_says(const struct vl_value *value)
{
	switch (value->class) {
	case VL_NUMBER:
		return value->number != 0;
	case VL_TEXT:
		return value->text[0] != '\0';
	case VL_BYTES:
		return value->bytes.len > 0;
	case VL_MESSAGE:
		return value->message != NULL;
	case VL_LIST:
		return value->count > 0;
	default:
		return false;
	}
}

const char *vl_value_name(const ProtobufCFieldDescriptor *field, const struct vl_value *value)
{
	const char *name = "";

	if (field != NULL && field->type == PROTOBUF_C_TYPE_ENUM)
		name = vl_view_name(field->descriptor, (int)value->number);
	else if (value->class == VL_TEXT)
		name = value->text;
	return name[0] != '\0' ? name : "UNSPECIFIED";
}

static struct vl_time time_of(const struct vl_value *value)
{
	return vl_view_time((const Google__Protobuf__Timestamp *)(const void *)value->message);
}

int vl_value_compare(const struct vl_value *a, const struct vl_value *b)
{
	if (a->class == VL_MESSAGE)
		return vl_time_compare(time_of(a), time_of(b));
	return (a->number > b->number) - (a->number < b->number);
}

bool vl_field_is_time(const ProtobufCFieldDescriptor *field)
{
	return field->label != PROTOBUF_C_LABEL_REPEATED &&
	       field->type == PROTOBUF_C_TYPE_MESSAGE &&
	       field->descriptor == &google__protobuf__timestamp__descriptor;
}

bool vl_field_is_list_of(const ProtobufCFieldDescriptor *field,
			 const ProtobufCMessageDescriptor *type)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED &&
	       field->type == PROTOBUF_C_TYPE_MESSAGE && field->descriptor == type;
}

size_t *vl_field_count(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (size_t *)(void *)((char *)message + field->quantifier_offset);
}

void *vl_field_items(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (char *)message + field->offset;
}

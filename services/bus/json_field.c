#include "bus/json_field.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>

enum vl_json_form vl_json_form_of(const ProtobufCMessageDescriptor *type)
{
	if (type == &google__protobuf__timestamp__descriptor)
		return VL_JSON_TIMESTAMP;
	if (type == &google__protobuf__duration__descriptor)
		return VL_JSON_DURATION;
	return type == &google__protobuf__any__descriptor ? VL_JSON_ANY : VL_JSON_OBJECT;
}

size_t vl_json_value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	}
	return 0;
}

size_t vl_json_name(const char *name, char text[VL_JSON_NAME])
{
	size_t n = 0;

	for (bool raise = false; *name != '\0' && n < VL_JSON_NAME - 1; name++) {
		if (*name != '_')
			text[n++] = raise && *name >= 'a' && *name <= 'z'
					    ? (char)(*name - 'a' + 'A')
					    : *name;
		raise = *name == '_';
	}
	text[n] = '\0';
	return n;
}

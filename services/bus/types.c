#include "bus/types.h"

#include "bus/batch.h"
#include "bus/wire.h"

#include <string.h>

/* In types_gen.c, made by proto/types.cmake; each by full name, in strcmp's order. */
extern const ProtobufCMessageDescriptor *const vl_event_types[];
extern const size_t vl_n_event_types;
extern const ProtobufCMessageDescriptor *const vl_message_types[];
extern const size_t vl_n_message_types;

/* strcmp, for a key that no NUL ends and that may hold one. */
static int compare(const char *key, size_t length, const char *name)
{
	size_t name_length = strlen(name);
	int order = memcmp(key, name, length < name_length ? length : name_length);

	return order != 0 ? order : (length > name_length) - (length < name_length);
}

static const ProtobufCMessageDescriptor *find(const ProtobufCMessageDescriptor *const *types,
					      size_t count, const char *name, size_t length)
{
	for (size_t low = 0; low < count;) {
		size_t middle = (low + count) / 2;
		int order = compare(name, length, types[middle]->name);
		if (order == 0)
			return types[middle];
		if (order < 0)
			count = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const ProtobufCMessageDescriptor *vl_type_find(const char *name, size_t length)
{
	/* Events come in runs of one type. */
	static _Thread_local const ProtobufCMessageDescriptor *last;

	if (last == NULL || compare(name, length, last->name) != 0)
		last = find(vl_event_types, vl_n_event_types, name, length);
	return last;
}

const ProtobufCMessageDescriptor *const *vl_types_of(const char *lane, size_t *count)
{
	size_t first = 0;

	while (first < vl_n_event_types && strcmp(vl_event_types[first]->package_name, lane) != 0)
		first++;
	for (*count = 0; first + *count < vl_n_event_types; (*count)++)
		if (strcmp(vl_event_types[first + *count]->package_name, lane) != 0)
			break;
	return vl_event_types + first;
}

const ProtobufCMessageDescriptor *vl_message_find(const char *name, size_t length)
{
	return find(vl_message_types, vl_n_message_types, name, length);
}

const struct vl_lane *vl_lane_find(const char *name, size_t length)
{
	for (size_t low = 0, high = vl_n_lanes; low < high;) {
		size_t middle = (low + high) / 2;
		int order = compare(name, length, vl_lanes[middle].name);
		if (order == 0)
			return &vl_lanes[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct vl_lane *vl_lane_named(const char *name, size_t length, struct vl_bytes *mission)
{
	const struct vl_lane *lane = vl_lane_find(name, length);
	const char *dot = lane == NULL && length > 0 ? memrchr(name, '.', length) : NULL;
	struct vl_bytes whom = {0};

	if (dot != NULL) {
		whom = (struct vl_bytes){(const uint8_t *)dot + 1,
					 length - (size_t)(dot + 1 - name)};
		lane = vl_mission_valid(dot + 1, whom.size)
			       ? vl_lane_find(name, (size_t)(dot - name))
			       : NULL;
		if (lane != NULL && !lane->addressed)
			lane = NULL;
	}
	if (mission != NULL)
		*mission = whom;
	return lane;
}

bool vl_type_addressee(const ProtobufCMessageDescriptor *type, struct vl_bytes payload,
		       struct vl_bytes *mission)
{
	const ProtobufCFieldDescriptor *named =
		protobuf_c_message_descriptor_get_field_by_name(type, "mission");
	struct vl_wire wire = vl_wire_open(payload);
	struct vl_wire_field field;

	*mission = (struct vl_bytes){0};
	while (named != NULL && vl_wire_next(&wire, &field))
		if (field.number == named->id && field.type == VL_WIRE_BYTES)
			*mission = field.bytes;
	return vl_mission_valid((const char *)mission->data, mission->size);
}

const struct vl_lane *vl_type_lane(const ProtobufCMessageDescriptor *type)
{
	static _Thread_local const ProtobufCMessageDescriptor *last;
	static _Thread_local const struct vl_lane *lane;

	if (type != last) {
		lane = vl_lane_find(type->package_name, strlen(type->package_name));
		last = type;
	}
	return lane;
}

const char *vl_precedence_name(enum vl_precedence precedence)
{
	switch (precedence) {
	case VL_FLASH:
		return "FLASH";
	case VL_IMMEDIATE:
		return "IMMEDIATE";
	case VL_PRIORITY:
		return "PRIORITY";
	case VL_ROUTINE:
		return "ROUTINE";
	case VL_PRECEDENCES:
		break;
	}
	return "none";
}

const char *vl_type_name(const char *url, size_t length, size_t *name_length)
{
	const char *slash = length > 0 ? memrchr(url, '/', length) : NULL;
	const char *name = slash != NULL ? slash + 1 : url;

	*name_length = length - (size_t)(name - url);
	return name;
}

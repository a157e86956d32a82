/*
 * Whether bytes are a strict message of a type; and unpacking and packing (wire.h).
 */
#include "bus/wire_in.h"

#include "base/clock.h"
#include "base/text.h"

#include <google/protobuf/timestamp.pb-c.h>
#include <string.h>

#define DEPTH_MAX 16
#define FIELDS_MAX 512 /* of one message type */

struct check {
	const uint8_t *origin;
	bool allow_unknown;
	struct vl_why *why;
};

static enum vl_err malformed(const struct check *check, const ProtobufCMessageDescriptor *type,
			     const ProtobufCFieldDescriptor *field, const uint8_t *at,
			     const char *what)
{
	return vl_fail(check->why, VL_ERR_MALFORMED, "%s%s%s, byte %zu: %s", type->name,
		       field != NULL ? "." : "", field != NULL ? field->name : "",
		       (size_t)(at - check->origin), what);
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *type,
						  uint32_t number)
{
	const ProtobufCIntRange *ranges = type->field_ranges;
	size_t low = 0, high = type->n_field_ranges;

	while (low < high) {
		size_t middle = (low + high) / 2;
		uint32_t first = (uint32_t)ranges[middle].start_value;
		/* The range after the last one is a sentinel, there to give the last its length. */
		if (number < first)
			high = middle;
		else if (number - first >=
			 ranges[middle + 1].orig_index - ranges[middle].orig_index)
			low = middle + 1;
		else
			return &type->fields[ranges[middle].orig_index + (number - first)];
	}
	return NULL;
}

/* Whether another member of the field's oneof has been seen. A oneof is known by where its case
 * stands. */
static bool is_rival_seen(const ProtobufCMessageDescriptor *type,
			  const ProtobufCFieldDescriptor *field, const uint64_t *seen)
{
	for (size_t word = 0; word <= (type->n_fields - 1) / 64; word++)
		for (uint64_t bits = seen[word]; bits != 0; bits &= bits - 1) {
			const ProtobufCFieldDescriptor *other =
				&type->fields[word * 64 + (size_t)__builtin_ctzll(bits)];
			if (other != field && (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
			    other->quantifier_offset == field->quantifier_offset)
				return true;
		}
	return false;
}

static enum vl_wire_type wire_type_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		return VL_WIRE_VARINT;
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return VL_WIRE_FIXED32;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return VL_WIRE_FIXED64;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return VL_WIRE_BYTES;
}

/* Whether a number can be one of this type. Out of range, some parsers cut it and others refuse.
 * A negative int32 comes with its sign extended to 64 bits, from some old writers to 32. */
static bool number_fits(ProtobufCType type, uint64_t value)
{
	if (type == PROTOBUF_C_TYPE_BOOL)
		return value <= 1;
	if (type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_SINT32)
		return value <= UINT32_MAX;
	if (type == PROTOBUF_C_TYPE_INT32 || type == PROTOBUF_C_TYPE_ENUM)
		return value <= UINT32_MAX || value >= (uint64_t)INT32_MIN;
	return true;
}

static bool packed_fits(ProtobufCType type, struct vl_bytes bytes)
{
	struct vl_wire wire = vl_wire_open(bytes);
	uint64_t value;

	switch (wire_type_of(type)) {
	case VL_WIRE_FIXED64:
		return bytes.size % 8 == 0;
	case VL_WIRE_FIXED32:
		return bytes.size % 4 == 0;
	case VL_WIRE_VARINT:
		while (wire.at < wire.end)
			if (!read_varint(&wire, NUMBER_BYTES, &value) || !number_fits(type, value))
				return false;
		return true;
	case VL_WIRE_BYTES:
		break;
	}
	return false;
}

/* Most text is ASCII in long runs; eight bytes at a time, vl_utf8_valid need only look from the
 * first that is not. */
static bool text_fits(struct vl_bytes text)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;

	while (text.size >= 8) {
		uint64_t word;
		memcpy(&word, text.data, 8);
		if (((word | (word - ones)) & highs) != 0)
			break;
		text.data += 8;
		text.size -= 8;
	}
	return vl_utf8_valid(text.data, text.size, NULL);
}

static enum vl_err check_message(const struct check *check, const ProtobufCMessageDescriptor *type,
				 struct vl_bytes message, unsigned depth);

static enum vl_err check_value(const struct check *check, const ProtobufCMessageDescriptor *type,
			       const ProtobufCFieldDescriptor *field,
			       const struct vl_wire_field *at, unsigned depth)
{
	enum vl_wire_type expected = wire_type_of(field->type);

	if (at->type != expected) {
		if (at->type != VL_WIRE_BYTES || field->label != PROTOBUF_C_LABEL_REPEATED)
			return malformed(check, type, field, at->start,
					 "is of another wire type than its type's");
		return packed_fits(field->type, at->bytes)
			       ? VL_OK
			       : malformed(check, type, field, at->start,
					   "holds a packed number that does not fit");
	}
	if (expected == VL_WIRE_VARINT && !number_fits(field->type, at->value))
		return malformed(check, type, field, at->start,
				 "holds a number out of its type's range");
	if (field->type == PROTOBUF_C_TYPE_STRING && !text_fits(at->bytes))
		return malformed(check, type, field, at->start, "is not UTF-8 without NUL");
	if (field->type != PROTOBUF_C_TYPE_MESSAGE)
		return VL_OK;
	if (depth == DEPTH_MAX)
		return malformed(check, type, field, at->start, "is nested too deep");
	return check_message(check, field->descriptor, at->bytes, depth + 1);
}

static enum vl_err check_field(const struct check *check, const ProtobufCMessageDescriptor *type,
			       const struct vl_wire_field *at, uint64_t *seen, unsigned depth)
{
	const ProtobufCFieldDescriptor *field = find_field(type, at->number);

	if (field == NULL)
		return check->allow_unknown
			       ? VL_OK
			       : vl_fail(check->why, VL_ERR_UNKNOWN_FIELD,
					 "%s, byte %zu: has no field %u", type->name,
					 (size_t)(at->start - check->origin), at->number);
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		size_t index = (size_t)(field - type->fields);
		uint64_t bit = UINT64_C(1) << (index % 64);
		if ((seen[index / 64] & bit) != 0)
			return malformed(check, type, field, at->start, "is given twice");
		if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
		    is_rival_seen(type, field, seen))
			return malformed(check, type, field, at->start,
					 "is given beside another member of its oneof");
		seen[index / 64] |= bit;
	}
	return check_value(check, type, field, at, depth);
}

static enum vl_err check_message(const struct check *check, const ProtobufCMessageDescriptor *type,
				 struct vl_bytes message, unsigned depth)
{
	uint64_t seen[FIELDS_MAX / 64] = {0};
	struct vl_wire wire = vl_wire_open(message);
	struct vl_wire_field at;

	if (type->n_fields > FIELDS_MAX)
		return vl_fail(check->why, VL_ERR_BUG, "%s has more than %d fields", type->name,
			       FIELDS_MAX);
	while (wire_next(&wire, &at)) {
		enum vl_err err = check_field(check, type, &at, seen, depth);
		if (err != VL_OK)
			return err;
	}
	return wire.failed ? malformed(check, type, NULL, at.start, "is cut short or not protobuf")
			   : VL_OK;
}

enum vl_err vl_wire_check(const ProtobufCMessageDescriptor *type, struct vl_bytes message,
			  bool allow_unknown, struct vl_why *why)
{
	struct check check = {.origin = message.data, .allow_unknown = allow_unknown, .why = why};

	return check_message(&check, type, message, 1);
}

static bool time_fits(struct vl_bytes stamp)
{
	struct vl_wire wire = vl_wire_open(stamp);
	struct vl_wire_field at;
	int64_t seconds = 0;
	uint64_t nanos = 0;

	while (wire_next(&wire, &at)) {
		if (at.number == 1)
			seconds = (int64_t)at.value;
		else if (at.number == 2)
			nanos = at.value;
	}
	return seconds >= VL_TIME_MIN && seconds <= VL_TIME_MAX && nanos <= 999999999;
}

enum vl_err vl_wire_check_times(const ProtobufCMessageDescriptor *type, struct vl_bytes message,
				struct vl_why *why)
{
	struct vl_wire wire = vl_wire_open(message);
	struct vl_wire_field at;
	enum vl_err err = VL_OK;

	while (err == VL_OK && wire_next(&wire, &at)) {
		const ProtobufCFieldDescriptor *field = find_field(type, at.number);
		if (field == NULL || field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->descriptor != &google__protobuf__timestamp__descriptor)
			err = vl_wire_check_times(field->descriptor, at.bytes, why);
		else if (!time_fits(at.bytes))
			err = vl_fail(why, VL_ERR_INVALID,
				      "%s.%s: a time outside the years 0001 to 9999", type->name,
				      field->name);
	}
	return err;
}

static void *arena_alloc(void *arena, size_t size)
{
	return vl_arena_alloc(arena, size);
}

static void arena_free(void *arena, void *memory)
{
	(void)arena;
	(void)memory;
}

ProtobufCMessage *vl_wire_unpack(const ProtobufCMessageDescriptor *type, struct vl_bytes message,
				 struct vl_arena *arena)
{
	ProtobufCAllocator allocator = {
		.alloc = arena_alloc, .free = arena_free, .allocator_data = arena};

	return protobuf_c_message_unpack(type, &allocator, message.size, message.data);
}

void vl_wire_pack(const ProtobufCMessage *message, struct vl_buf *buf)
{
	uint8_t *to = vl_buf_add(buf, protobuf_c_message_get_packed_size(message));

	if (to != NULL)
		(void)protobuf_c_message_pack(message, to);
}

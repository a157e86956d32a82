/*
 * The cursor of wire.h, inlined where every byte of every event is walked: wire.c, which depends on
 * no protobuf library, and wire_check.c.
 *
 * Next: sign.h, signatures over a batch's digest.
 */
#ifndef VALISE_BUS_WIRE_IN_H
#define VALISE_BUS_WIRE_IN_H

#include "bus/wire.h"

#define NUMBER_BYTES 10 /* of a varint that is a value */
/* of one that is a tag or a length: protobuf-c reads no more, others would */
#define TAG_BYTES 5

static inline bool read_varint(struct vl_wire *wire, unsigned room, uint64_t *value)
{
	const uint8_t *at = wire->at;
	uint64_t number = 0;

	for (unsigned i = 0; i < room && at < wire->end; i++) {
		uint8_t byte = *at++;
		/* What overflows 64 bits is dropped by some parsers and refused by others. */
		if (i == NUMBER_BYTES - 1 && byte > 1)
			return false;
		number |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			wire->at = at;
			*value = number;
			return true;
		}
	}
	return false;
}

static inline bool read_fixed(struct vl_wire *wire, size_t count, uint64_t *value)
{
	if ((size_t)(wire->end - wire->at) < count)
		return false;
	*value = 0;
	for (size_t i = count; i > 0; i--)
		*value = *value << 8 | wire->at[i - 1];
	wire->at += count;
	return true;
}

static inline bool read_bytes(struct vl_wire *wire, struct vl_bytes *bytes)
{
	uint64_t length;

	if (!read_varint(wire, TAG_BYTES, &length) || length > (size_t)(wire->end - wire->at))
		return false;
	*bytes = (struct vl_bytes){wire->at, (size_t)length};
	wire->at += length;
	return true;
}

static inline bool read_value(struct vl_wire *wire, struct vl_wire_field *field)
{
	field->value = 0;
	field->bytes = (struct vl_bytes){0};
	switch (field->type) {
	case VL_WIRE_VARINT:
		return read_varint(wire, NUMBER_BYTES, &field->value);
	case VL_WIRE_FIXED64:
		return read_fixed(wire, 8, &field->value);
	case VL_WIRE_BYTES:
		return read_bytes(wire, &field->bytes);
	case VL_WIRE_FIXED32:
		return read_fixed(wire, 4, &field->value);
	}
	return false; /* a group, or a wire type that does not exist */
}

static inline bool wire_next(struct vl_wire *wire, struct vl_wire_field *field)
{
	uint64_t tag;

	if (wire->failed || wire->at == wire->end)
		return false;
	field->start = wire->at;
	wire->failed = !read_varint(wire, TAG_BYTES, &tag) || tag > UINT32_MAX || tag >> 3 == 0;
	if (wire->failed)
		return false;
	field->number = (uint32_t)(tag >> 3);
	field->type = (enum vl_wire_type)(tag & 7);
	wire->failed = !read_value(wire, field);
	return !wire->failed;
}

#endif

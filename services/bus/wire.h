/*
 * The protobuf wire format, read without allocating and checked strictly
 * (protobuf.dev/programming-guides/encoding).
 *
 * protobuf-c is lenient: it accepts bad UTF-8, a repeated scalar field and a wrong wire type, and
 * cuts a string at a NUL. Therefore `vl_wire_check` looks first. Then two parsers can never
 * disagree about the signed bytes, and an agent that accepts an event knows that headquarters can
 * read it.
 *
 * Next: wire_in.h, how it is checked.
 */
#ifndef VALISE_BUS_WIRE_H
#define VALISE_BUS_WIRE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

enum vl_wire_type {
	VL_WIRE_VARINT = 0,
	VL_WIRE_FIXED64 = 1,
	VL_WIRE_BYTES = 2,
	VL_WIRE_FIXED32 = 5
};

/* A cursor over one message. Its error sticks: after it, vl_wire_next says false. */
struct vl_wire {
	const uint8_t *at, *end;
	bool failed;
};

/* One field. For BYTES read `bytes`, for the other types `value` (fixed types in host order). */
struct vl_wire_field {
	uint32_t number;
	enum vl_wire_type type;
	uint64_t value;
	struct vl_bytes bytes;
	const uint8_t *start; /* where its tag begins */
};

struct vl_wire vl_wire_open(struct vl_bytes message);

/* False at the end and on error: check `failed` afterwards. Groups are an error. */
bool vl_wire_next(struct vl_wire *wire, struct vl_wire_field *field);

/* Write a tag and value. */
void vl_wire_put_varint(struct vl_buf *buf, uint32_t field, uint64_t value);
void vl_wire_put_bytes(struct vl_buf *buf, uint32_t field, const void *bytes, size_t count);

/* The bytes that vl_wire_put_bytes would write for `count`. */
size_t vl_wire_bytes_size(uint32_t field, size_t count);

/* Whether `message` is of `type`, so that every parser reads the same from it. It must be well
 * formed to the end, with each field of the right wire type and no singular field twice. No two
 * members of one oneof may occur. Strings are UTF-8 without NUL, and messages are at most 16
 * deep. If `allow_unknown`, fields that the type does not know pass; else they are
 * VL_ERR_UNKNOWN_FIELD. Any payloads (google.protobuf.Any) are checked as Any, not opened.
 * MALFORMED names the field and the offset, never a value. */
enum vl_err vl_wire_check(const ProtobufCMessageDescriptor *type, struct vl_bytes message,
			  bool allow_unknown, struct vl_why *why) VL_CHECKED;

/* Check every google.protobuf.Timestamp of a message that vl_wire_check has passed. It must be
 * in the years 0001 to 9999, with nanoseconds 0 to 999,999,999. INVALID, with the field's name.
 * Types in an Any are left to the caller. */
enum vl_err vl_wire_check_times(const ProtobufCMessageDescriptor *type, struct vl_bytes message,
				struct vl_why *why) VL_CHECKED;

/* Unpack a message that vl_wire_check has passed, into the arena. NULL only when out of memory.
 * Never freed by hand. */
ProtobufCMessage *vl_wire_unpack(const ProtobufCMessageDescriptor *type, struct vl_bytes message,
				 struct vl_arena *arena);

/* protobuf-c's packing, appended to `buf`. */
void vl_wire_pack(const ProtobufCMessage *message, struct vl_buf *buf);

#endif

/*
 * proto3 JSON (protobuf.dev/programming-guides/json), both ways, over protobuf-c's descriptors.
 *
 * Printing: lowerCamelCase names, 64-bit numbers as strings, enums by name, bytes in base64,
 * Timestamp as RFC 3339, Any with "@type" beside the fields, defaults left out, in field order,
 * one line. A value that is not what it should be (an Any of unknown type) prints as {"@type":
 * ..., "value": base64}: printing never fails but for memory. Parsing is strict: unknown fields,
 * unknown types, wrong enum names, numbers out of range, a field twice, two members of one
 * oneof, bad UTF-8 and anything after the value are each an error that says what and where.
 */
#ifndef VALISE_BUS_JSON_H
#define VALISE_BUS_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

/* Append the message as one line of JSON, without newline. */
void vl_json_print(const ProtobufCMessage *message, struct vl_buf *out);

/* Append a JSON string, quoted and escaped; text that is not UTF-8 has its bad bytes replaced by
 * U+FFFD. */
void vl_json_print_text(struct vl_buf *out, const char *text, size_t length);

/* Parse one JSON value of at most 4 MB into a message of `type`, allocated in the arena. Accepts
 * "@type" with and without the "type.googleapis.com/" prefix, and stores the prefix with it.
 * UUID-shaped text (36 characters) is accepted for a 16-byte bytes field named id or after,
 * besides base64. The reason names the field's path and, for broken JSON, the column (from 1).
 * Errors: MALFORMED, UNKNOWN_TYPE, UNKNOWN_FIELD, INVALID, NOMEM. */
enum vl_err vl_json_parse(const ProtobufCMessageDescriptor *type, const char *text, size_t length,
			  struct vl_arena *arena, ProtobufCMessage **message,
			  struct vl_why *why) VL_CHECKED;

#endif

/*
 * proto3 JSON (protobuf.dev/programming-guides/json), both ways, over protobuf-c's descriptors.
 *
 * Printing writes one line, in field order, with lowerCamelCase names. 64-bit numbers are strings,
 * enums are names, bytes are base64, and a Timestamp is RFC 3339. An Any has "@type" beside its
 * fields. Defaults are left out. An Any of unknown type prints as {"@type": ..., "value": base64}.
 * Printing fails only if memory ends.
 *
 * Parsing is strict. Unknown fields and types, wrong enum names, numbers out of range and bad UTF-8
 * are errors. So are a field twice, two members of one oneof, and anything behind the value. The
 * reason says what is wrong and where.
 *
 * Next: json_field.h, the fields.
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

/* Parse one JSON value of at most 4 MB into a message of `type`, allocated in the arena. It
 * accepts "@type" with and without the "type.googleapis.com/" prefix, and stores the prefix with
 * it. For a 16-byte bytes field named id or after it accepts UUID-shaped text (36 characters)
 * besides base64. The reason names the field's path and, for broken JSON, the column (from 1).
 * Errors: MALFORMED, UNKNOWN_TYPE, UNKNOWN_FIELD, INVALID, NOMEM. */
enum vl_err vl_json_parse(const ProtobufCMessageDescriptor *type, const char *text, size_t length,
			  struct vl_arena *arena, ProtobufCMessage **message,
			  struct vl_why *why) VL_CHECKED;

#endif

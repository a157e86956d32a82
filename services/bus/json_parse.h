/*
 * Parsing JSON, between its two halves: json_parse.c walks messages and fields, json_value.c reads
 * single values.
 *
 * Next: frame.h, events over a socket.
 */
#ifndef VALISE_BUS_JSON_PARSE_H
#define VALISE_BUS_JSON_PARSE_H

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* One parse, and the arena of its memory. */
struct vl_json_parser {
	struct vl_arena *arena;
	struct vl_why *why;
	int depth;
};

/* The position in the message: a chain of these on the stack, innermost first. NULL at the root. */
struct vl_json_spot {
	const struct vl_json_spot *up;
	const char *name; /* of the field, as in the .proto */
	size_t index;     /* in a repeated field, from 0; VL_JSON_NO_INDEX elsewhere */
};
#define VL_JSON_NO_INDEX SIZE_MAX

/* vl_fail with the spot's path in front: "payload.legs[2].capacity: ...". */
enum vl_err vl_json_refuse(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			   enum vl_err err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Read one value that is not a message into *at, which has the size of its type. The reason
 * never quotes it. */
enum vl_err vl_json_value(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			  const ProtobufCFieldDescriptor *field, json_t *json, void *at) VL_CHECKED;

/* The same for the messages that JSON writes as text: `message` is a Timestamp or a Duration. */
enum vl_err vl_json_timestamp(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			      json_t *json, ProtobufCMessage *message) VL_CHECKED;
enum vl_err vl_json_duration(const struct vl_json_parser *p, const struct vl_json_spot *spot,
			     json_t *json, ProtobufCMessage *message) VL_CHECKED;

#endif

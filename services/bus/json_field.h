/*
 * The facts about a protobuf-c field that printing and parsing JSON share. Only json_*.c include
 * this.
 *
 * Next: json_number.h, exact numbers.
 */
#ifndef VALISE_BUS_JSON_FIELD_H
#define VALISE_BUS_JSON_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* The deepest nesting of messages, and of Any in Any. vl_wire_check allows fewer in one message. */
#define VL_JSON_DEPTH 32

/* The types that proto3 JSON writes in a form of their own. */
enum vl_json_form { VL_JSON_OBJECT, VL_JSON_TIMESTAMP, VL_JSON_DURATION, VL_JSON_ANY };

enum vl_json_form vl_json_form_of(const ProtobufCMessageDescriptor *type);

/* Bytes of one value of a field, as it stands in a struct or an array. */
size_t vl_json_value_size(ProtobufCType type);

/* The JSON name of a field: its proto name with every '_' dropped and the letter behind it
 * raised. Returns its length; `text` has a NUL behind it. */
#define VL_JSON_NAME 128
size_t vl_json_name(const char *name, char text[VL_JSON_NAME]);

/* What google.protobuf.Timestamp and Duration may hold. */
#define VL_JSON_DURATION_MAX 315576000000
#define VL_JSON_NANOS_MAX 999999999

#endif

/*
 * One value out of a message or into it, by the descriptor of its field. The tables of a view copy,
 * compare, count and print such values.
 *
 * Next: binder.h, how tables are bound.
 */
#ifndef VALISE_HQ_FOLD_VALUE_H
#define VALISE_HQ_FOLD_VALUE_H

#include "base/buf.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vl_class { VL_NOTHING, VL_NUMBER, VL_TEXT, VL_BYTES, VL_MESSAGE, VL_LIST };

/* Messages, texts and lists are pointers to existing memory; nothing is copied. An enum and a
 * bool are numbers. */
struct vl_value {
	enum vl_class class;
	int64_t number;
	const char *text;
	ProtobufCBinaryData bytes;
	const ProtobufCMessage *message;
	const void *items;
	size_t count;
};

/* The class of the field's values; VL_NOTHING for a type without one (a fraction). */
enum vl_class vl_value_class(const ProtobufCFieldDescriptor *field);

struct vl_value vl_value_get(const ProtobufCMessage *message,
			     const ProtobufCFieldDescriptor *field);

/* `value` is of the field's class. A number that does not fit the field becomes its greatest or
 * least. */
void vl_value_set(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
		  const struct vl_value *value);

/* Whether it is set: present, not 0, and not empty. */
bool vl_value_says(const struct vl_value *value);

/* The name under which a value is counted: a constant's, without the enum's, or the text.
 * "UNSPECIFIED" if it has none. `field` may be NULL for a text that is no field. */
const char *vl_value_name(const ProtobufCFieldDescriptor *field, const struct vl_value *value);

/* Numbers, and messages that are times: below 0, 0 or above, as the first is less, equal or
 * greater. */
int vl_value_compare(const struct vl_value *a, const struct vl_value *b);

/* Whether the field is a time, and whether it is a list of valise.v1.Count or .Violation. */
bool vl_field_is_time(const ProtobufCFieldDescriptor *field);
bool vl_field_is_list_of(const ProtobufCFieldDescriptor *field,
			 const ProtobufCMessageDescriptor *type);

/* The two parts of a repeated message field: its count and its array. */
size_t *vl_field_count(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);
void *vl_field_items(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field);

#endif

/*
 * Values out of rows: the items of a table in one row, and the value of a column in each.
 *
 * 	struct vl_ask_walk walk;
 * 	for (bool more = vl_ask_first(&walk, table, row); more; more = vl_ask_next(&walk))
 * 		vl_ask_read(&walk, column, key, &value);
 *
 * Values point into the row and the key.
 *
 * Next: where.h, conditions and order.
 */
#ifndef VALISE_ASK_VALUE_H
#define VALISE_ASK_VALUE_H

#include "ask/table.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdint.h>

/* The position in a row. A kind's own table has one item, the row. */
struct vl_ask_walk {
	const struct vl_ask_table *table;
	const ProtobufCMessage *row;
	struct {
		const char *items;
		size_t count, at;
	} level[VL_ASK_LISTS];
};

/* Move to the first item, to the next. False if there is none. */
bool vl_ask_first(struct vl_ask_walk *walk, const struct vl_ask_table *table,
		  const ProtobufCMessage *row);
bool vl_ask_next(struct vl_ask_walk *walk);

/* One value. `none`: the field is unset. An unset text, word or id is empty and not none, unless
 * its message is absent. An empty id is none. */
struct vl_ask_value {
	enum vl_ask_form form;
	bool none;
	int64_t number; /* NUMBER, YESNO, WORD */
	bool beyond;    /* NUMBER: it is (uint64_t)number, more than an int64_t holds */
	double real;
	struct vl_time time;
	struct vl_bytes bytes;                /* TEXT, ID */
	const ProtobufCEnumDescriptor *words; /* WORD */
};

/* `row` of the walk may be NULL for columns that do not need it: the key, and the positions of a
 * kind's own table. */
void vl_ask_read(const struct vl_ask_walk *walk, const struct vl_ask_column *column,
		 const char *key, struct vl_ask_value *value);

/* Append the value as text: times as RFC 3339, words without the enum's name, an unknown
 * constant by its number. None is empty. */
void vl_ask_print(const struct vl_ask_value *value, struct vl_buf *out);

/* Below 0, 0, above 0. None comes first, and so do unset words. Both values have one form. */
int vl_ask_compare(const struct vl_ask_value *a, const struct vl_ask_value *b);

/* The value that a text means in that column. It points into the text, or into `room` (an id).
 * An empty text means unset. INVALID; the reason names the possible values. */
#define VL_ASK_ID_MOST ((size_t)64)
enum vl_err vl_ask_parse(const struct vl_ask_column *column, const char *text, struct vl_time now,
			 uint8_t room[VL_ASK_ID_MOST], struct vl_ask_value *value,
			 struct vl_why *why) VL_CHECKED;

#endif

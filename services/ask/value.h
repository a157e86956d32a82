/*
 * Values out of rows: the items of a table in one row, and what a column says of each.
 *
 *	struct vl_ask_walk walk;
 *	for (bool more = vl_ask_first(&walk, table, row); more; more = vl_ask_next(&walk))
 *		vl_ask_read(&walk, column, key, &value);
 *
 * Values point into the row and the key. Next: where.h, which rows are asked for.
 */
#ifndef VALISE_ASK_VALUE_H
#define VALISE_ASK_VALUE_H

#include "ask/table.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdint.h>

/* Where one is in a row. A kind's own table has one item, the row. */
struct vl_ask_walk {
	const struct vl_ask_table *table;
	const ProtobufCMessage *row;
	struct {
		const char *items;
		size_t count, at;
	} level[VL_ASK_LISTS];
};

/* Stand on the first item, on the next. False where there is none. */
bool vl_ask_first(struct vl_ask_walk *walk, const struct vl_ask_table *table,
		  const ProtobufCMessage *row);
bool vl_ask_next(struct vl_ask_walk *walk);

/* One value. `none`: nobody has said it. A text, a word or an id that nobody has said is empty, not
 * none, unless the message that it belongs to is not there; an empty id is none. */
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

/* `row` of the walk may be NULL for the columns that need none: the key, and of a kind's own
 * table the positions. */
void vl_ask_read(const struct vl_ask_walk *walk, const struct vl_ask_column *column,
		 const char *key, struct vl_ask_value *value);

/* Append the value as text: times as RFC 3339, words without the enum's name, a constant that is
 * not known by its number; nothing for none. */
void vl_ask_print(const struct vl_ask_value *value, struct vl_buf *out);

/* Below 0, 0, above 0. None comes before all else, and so do words that nobody has said. Both
 * are of one form. */
int vl_ask_compare(const struct vl_ask_value *a, const struct vl_ask_value *b);

/* The value that a text means in that column, pointing into the text, or into `room` (an id).
 * INVALID with the reason, which names what is possible. An empty text is what nobody has said. */
#define VL_ASK_ID_MOST ((size_t)64)
enum vl_err vl_ask_parse(const struct vl_ask_column *column, const char *text, struct vl_time now,
			 uint8_t room[VL_ASK_ID_MOST], struct vl_ask_value *value,
			 struct vl_why *why) VL_CHECKED;

#endif

/*
 * Conditions and order: which rows of a kind `ls` shows, and in what order.
 *
 * A term is a field (table.h), or a column as `ls` prints it, named by its title: DUE, BREAKS, "IN
 * FORCE". If a name is both, capitals as in the title mean the column.
 *
 * A condition is TERM OP VALUE, with = != < <= > >= ~ (contains that text, in any case) or " in "
 * and values with commas. The field's form says how values are read: P1, 2023-04-26, 1h (ago), yes,
 * a UUID. An empty value means unset. A field of a list matches if one of its items does; with !=
 * it matches if none is equal.
 *
 * Next: sql.h, questions in SQL.
 */
#ifndef VALISE_ASK_WHERE_H
#define VALISE_ASK_WHERE_H

#include "ask/value.h"
#include "base/arena.h"
#include "hq/fold/bind.h"

/* The kind of a view that is searched. All of it must outlive the things made here. */
struct vl_ask_kind {
	struct vl_ask_tables *tables;
	const struct vl_bound *bound;
	size_t view; /* an index of vl_views */
	unsigned kind;
};

struct vl_ask_term {
	const struct vl_ask_kind *of;
	struct vl_ask_field field;
	int cell; /* if it is not -1, the term is this column, and not the field */
};

/* NOT_FOUND, with near names. */
enum vl_err vl_ask_term_find(const struct vl_ask_kind *of, const char *name,
			     struct vl_ask_term *term, struct vl_why *why) VL_CHECKED;

/* The row that is checked. */
struct vl_ask_row {
	const char *key;
	const ProtobufCMessage *message;
	struct vl_time now;
};

/* Append the term's value in the row: yes or no, times as RFC 3339, the items of a list with ",
 * " between. */
void vl_ask_term_print(const struct vl_ask_term *term, const struct vl_ask_row *row,
		       struct vl_buf *out);

/* A condition, made in the arena. INVALID with the reason if the text is no condition; NOT_FOUND
 * as above. */
struct vl_ask_condition;
enum vl_err vl_ask_condition_parse(const struct vl_ask_kind *of, const char *text,
				   struct vl_time now, struct vl_arena *arena,
				   struct vl_ask_condition **condition,
				   struct vl_why *why) VL_CHECKED;

/* `room` is for the function's use. */
bool vl_ask_fits(const struct vl_ask_condition *condition, const struct vl_ask_row *row,
		 struct vl_buf *room);

/* One field of the order. With `has`, the rows that contain this text come first, and all others
 * are equal. */
struct vl_ask_order {
	struct vl_ask_term term;
	bool down;
	const char *has;
};

/* NAME, or -NAME for the greatest first. Errors as vl_ask_term_find. */
enum vl_err vl_ask_order_parse(const struct vl_ask_kind *of, const char *text,
			       struct vl_ask_order *order, struct vl_why *why) VL_CHECKED;

/* The default order: overdue first, then urgent by priority or colour. Then rows in need of help
 * or not settled, then by the next due time. A kind uses those fields that it has. Returns how
 * many. */
#define VL_ASK_ORDERS 8
size_t vl_ask_urgency(const struct vl_ask_kind *of, struct vl_ask_order orders[VL_ASK_ORDERS]);

/* The sort key of a row, in the arena, and the order of two such. Unset values come last, up or
 * down. Of a list its least item counts. NULL when out of memory. */
struct vl_ask_value *vl_ask_sort_keys(const struct vl_ask_order *orders, size_t n,
				      const struct vl_ask_row *row, struct vl_arena *arena,
				      struct vl_buf *room);
int vl_ask_sort_compare(const struct vl_ask_order *orders, size_t n, const struct vl_ask_value *a,
			const struct vl_ask_value *b);

#endif

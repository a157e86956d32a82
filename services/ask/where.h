/*
 * Which rows of a kind are asked for, and in what order: what `ls` takes.
 *
 * A term is a field (table.h), or a column as `ls` prints it, named by its title: DUE, BREAKS,
 * "IN FORCE". Where a name is both, capitals as in the title mean the column.
 *
 * A condition is TERM OP VALUE, with = != < <= > >= ~ (has that text in it, whatever the case)
 * or " in " and values with commas. Values are read by the field's form: P1, 2023-04-26, 1h
 * (ago), yes, a UUID. An empty value is what nobody has said. A field of a list fits where one
 * of its items does, and with != where none is equal.
 */
#ifndef VALISE_ASK_WHERE_H
#define VALISE_ASK_WHERE_H

#include "ask/value.h"
#include "base/arena.h"
#include "hq/fold/bind.h"

/* What is asked about: one kind of a view. All of it must outlive what is made here. */
struct vl_ask_kind {
	struct vl_ask_tables *tables;
	const struct vl_bound *bound;
	size_t view; /* an index of vl_views */
	unsigned kind;
};

struct vl_ask_term {
	const struct vl_ask_kind *of;
	struct vl_ask_field field;
	int cell; /* where this is not -1, it is this column, and not the field */
};

/* NOT_FOUND, naming those that are near. */
enum vl_err vl_ask_term_find(const struct vl_ask_kind *of, const char *name,
			     struct vl_ask_term *term, struct vl_why *why) VL_CHECKED;

/* A row that is looked at. */
struct vl_ask_row {
	const char *key;
	const ProtobufCMessage *message;
	struct vl_time now;
};

/* Append what the term says of the row: yes or no, times as RFC 3339, the items of a list with
 * ", " between. */
void vl_ask_term_print(const struct vl_ask_term *term, const struct vl_ask_row *row,
		       struct vl_buf *out);

/* A condition, made in the arena. INVALID with the reason where the text is none, NOT_FOUND as
 * above. */
struct vl_ask_condition;
enum vl_err vl_ask_condition_parse(const struct vl_ask_kind *of, const char *text,
				   struct vl_time now, struct vl_arena *arena,
				   struct vl_ask_condition **condition,
				   struct vl_why *why) VL_CHECKED;

/* `room` is for the function's use. */
bool vl_ask_fits(const struct vl_ask_condition *condition, const struct vl_ask_row *row,
		 struct vl_buf *room);

/* What rows are put in order by. `has`: the rows whose text has this in it come first, and
 * nothing else is looked at. */
struct vl_ask_order {
	struct vl_ask_term term;
	bool down;
	const char *has;
};

/* NAME, or -NAME for the greatest first. Errors as vl_ask_term_find. */
enum vl_err vl_ask_order_parse(const struct vl_ask_kind *of, const char *text,
			       struct vl_ask_order *order, struct vl_why *why) VL_CHECKED;

/* The order when none is asked for: overdue, then urgent by priority or colour, then those in
 * need of help or not settled, then what is due first; of these what the kind has. Returns how
 * many. */
#define VL_ASK_ORDERS 8
size_t vl_ask_urgency(const struct vl_ask_kind *of, struct vl_ask_order orders[VL_ASK_ORDERS]);

/* What a row is sorted by, in the arena, and the order of two such. What nobody has said comes
 * last, up or down. Of a list its least item counts. NULL when out of memory. */
struct vl_ask_value *vl_ask_sort_keys(const struct vl_ask_order *orders, size_t n,
				      const struct vl_ask_row *row, struct vl_arena *arena,
				      struct vl_buf *room);
int vl_ask_sort_compare(const struct vl_ask_order *orders, size_t n, const struct vl_ask_value *a,
			const struct vl_ask_value *b);

#endif

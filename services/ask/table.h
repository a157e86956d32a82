/*
 * The tables of the views: each kind of row is a table, with a column for each field.
 *
 * Nothing here is written for one lane. Tables follow from the descriptors of the rows, so that a
 * new lane has its tables without a line of code.
 *
 * - A kind's table has the row's `key` and the fields of its message. A message within it has a
 *   column for each of its own fields, named with '_' between: residence_place.
 * - A repeated field is a table of its own: the row's `key`, the item's `position` (from 1), then
 *   the item's fields. If the items are not messages, they have one column `value`. A list within a
 *   list names the outer position by its list: trips_position.
 * - Names are NOUN_KIND (evacuation_person), with a list behind it (evacuation_person_legs). The
 *   kind that `valise NOUN ls` shows by default has the noun alone (case, case_clocks). If that
 *   kind has another name than the noun, both names work (evacuation and evacuation_leg).
 * - No table has a field for personal data.
 *
 * A field, for `ls`, is a column of the kind's table or of one of its lists: priority,
 * clocks_due_at, merged_from. There case, '_', '.' and '-' do not matter, so that openedAt is
 * opened_at.
 *
 * Next: value.h, how a column is read out of a row.
 */
#ifndef VALISE_ASK_TABLE_H
#define VALISE_ASK_TABLE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* The deepest nesting of messages, and of lists; deeper fields are left out. */
#define VL_ASK_DEPTH 6
#define VL_ASK_LISTS 3

/* The most columns of one table; SQLite gets the same bound. */
#define VL_ASK_COLUMNS 256

/* What a column holds. */
enum vl_ask_form {
	VL_ASK_TEXT,
	VL_ASK_NUMBER,
	VL_ASK_REAL,
	VL_ASK_YESNO, /* 0 or 1 */
	VL_ASK_WORD,  /* a constant of an enum, without the enum's name */
	VL_ASK_TIME,
	VL_ASK_ID, /* bytes: a UUID if they are 16, else hexadecimal */
};

/* The source of its value. */
enum vl_ask_source {
	VL_ASK_KEY,
	VL_ASK_POSITION, /* in the list `level` */
	VL_ASK_FIELD,    /* by `path`, from the item */
	VL_ASK_ITEM,     /* the item itself; path[0] is the repeated field */
};

struct vl_ask_column {
	const char *name;
	enum vl_ask_form form;
	enum vl_ask_source source;
	unsigned level;
	unsigned n_path;
	const ProtobufCFieldDescriptor *path[VL_ASK_DEPTH];
};

/* The path to a list: messages, then the repeated field. */
struct vl_ask_list {
	unsigned n_path;
	const ProtobufCFieldDescriptor *path[VL_ASK_DEPTH];
};

struct vl_ask_table {
	const char *name, *alias; /* `alias` may be NULL */
	const char *list;         /* "clocks"; "" for a kind's own table */
	size_t view;              /* an index of vl_views */
	unsigned kind, n_lists;   /* the lists down to the items; none in a kind's own table */
	struct vl_ask_list lists[VL_ASK_LISTS];
	size_t n_columns;
	struct vl_ask_column *columns; /* the key first */
};

struct vl_ask_tables;

/* The tables of all views. NULL when out of memory. */
struct vl_ask_tables *vl_ask_tables_open(void);
void vl_ask_tables_close(struct vl_ask_tables *tables);

/* By number: the tables of a view together, and a kind's own table before its lists. By name or
 * alias. NULL if there is none. */
const struct vl_ask_table *vl_ask_table_at(const struct vl_ask_tables *tables, size_t i);
const struct vl_ask_table *vl_ask_table_named(const struct vl_ask_tables *tables, const char *name);

/* A field of a kind. */
struct vl_ask_field {
	const struct vl_ask_table *table;
	const struct vl_ask_column *column;
};

/* False where the kind has no field of that name. */
bool vl_ask_field_find(const struct vl_ask_tables *tables, size_t view, unsigned kind,
		       const char *name, struct vl_ask_field *field);

/* The names of a kind's fields, up to `most`, each in `names` until vl_ask_tables_close. Returns
 * how many. */
size_t vl_ask_field_names(struct vl_ask_tables *tables, size_t view, unsigned kind,
			  const char **names, size_t most);

/* Whether two names are one, but for case, '_', '.' and '-'. */
bool vl_ask_same_name(const char *a, const char *b);

/* Whether a field holds personal data, open or sealed. */
bool vl_ask_is_personal(const ProtobufCFieldDescriptor *field);

#endif

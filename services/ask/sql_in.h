/*
 * Inside SQL: the declarations that its parts share. sql.c opens SQLite with its bounds and runs a
 * question. sql_words.c quotes names that are words of SQL. sql_table.c shows a table to SQLite.
 * sql_index.c finds rows by a column that is no key.
 *
 * Next: cli/cli.h, the command line.
 */
#ifndef VALISE_ASK_SQL_IN_H
#define VALISE_ASK_SQL_IN_H

#include "ask/sql.h"
#include "ask/value.h"
#include "base/arena.h"

#include <sqlite3.h>

/* The most damaged rows that are counted separately. */
#define SQL_DAMAGED 1024

/* A table as SQLite's module has it. */
struct sql_module {
	struct vl_ask_sql *sql;
	const struct vl_ask_table *table;
};

struct sql_index;

struct vl_ask_sql {
	sqlite3 *db;
	struct vl_txn *txn;
	const struct vl_ask_tables *tables;
	struct vl_ask_bounds bounds;
	sqlite3_int64 memory_before;
	int64_t end_ms;
	bool late;
	bool declares; /* declaring a table, which SQLite treats as a write to its schema */
	struct sql_module *modules;
	struct sql_index *indexes;
	struct vl_arena *arena; /* of the indexes, and of one question */
	uint64_t damaged[SQL_DAMAGED];
	size_t n_damaged;
};

/* Whether the question's time is over; from then on it stays so. */
bool sql_is_late(struct vl_ask_sql *sql);

/* A row of that database is damaged. `key` as it is there. */
void sql_note_damaged(struct vl_ask_sql *sql, unsigned db, struct vl_bytes key);

/* Append the question, with quotes around each word that can only be a name. That is a word of
 * SQL beside a '.', or one that names a table behind FROM or JOIN. */
void sql_quote_names(const struct vl_ask_tables *tables, const char *question, struct vl_buf *out);

/* Declare the tables to SQLite. Returns a code of SQLite. */
int sql_tables_open(struct vl_ask_sql *sql);

/* The keys of the rows that have a text in a column, and perhaps of others. */
struct sql_member {
	struct sql_member *next;
	const char *key;
};

/* The index of a column, made at its second use within a question. NULL if there is none, yet or
 * for lack of memory or time: then all rows must be searched. */
struct sql_index *sql_index_of(struct sql_module *module, unsigned column);
const struct sql_member *sql_index_find(const struct sql_index *index, struct vl_bytes text);

/* Call it before another question. */
void sql_indexes_close(struct vl_ask_sql *sql);

#endif

/*
 * SQL over the views, read-only: SQLite sees each table of table.h, and nothing else.
 *
 * A question is SELECT, WITH, expressions and functions. SQLite may not write, attach or make a
 * file, load an extension, or set anything. It works in memory alone. A key that is given or joined
 * on (=, IN), and a range of keys (<, >, BETWEEN, GLOB 'SD-*'), are looked up. For a join on
 * another text an index is made for the question.
 *
 * A question reads one snapshot, which keeps valise-hq from using pages again. So it has a bound in
 * time and one in memory. Its caller keeps the answer, and prints it after the snapshot has ended.
 *
 * Times compare as times: opened_at >= '2023-04-26' and < '2023-04-26T10:00:00+08:00' are right,
 * with any number of decimals. An unset field is '' for texts and words, NULL for times and ids. A
 * damaged row is left out and counted.
 *
 * Next: sql_in.h, its parts.
 */
#ifndef VALISE_ASK_SQL_H
#define VALISE_ASK_SQL_H

#include "ask/table.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

#include <stdint.h>

#define VL_ASK_SQL_MS 30000
#define VL_ASK_SQL_MEMORY ((size_t)256 << 20)

/* `now_ms` never goes back. SQLite has one bound on memory for the whole process: the last one
 * set. */
struct vl_ask_bounds {
	int64_t (*now_ms)(void);
	int64_t ms;
	size_t memory;
};

struct vl_ask_sql;

/* `txn` and `tables` must outlive it. NOMEM, or BUG with SQLite's words. Call vl_ask_sql_close
 * in any case. */
enum vl_err vl_ask_sql_open(struct vl_txn *txn, const struct vl_ask_tables *tables,
			    const struct vl_ask_bounds *bounds, struct vl_ask_sql **sql,
			    struct vl_why *why) VL_CHECKED;
void vl_ask_sql_close(struct vl_ask_sql *sql);

/* One value of an answer; valid during the call that gives it. */
enum vl_ask_type {
	VL_ASK_IS_NULL,
	VL_ASK_IS_NUMBER,
	VL_ASK_IS_REAL,
	VL_ASK_IS_TEXT,
	VL_ASK_IS_BYTES
};
struct vl_ask_cell {
	enum vl_ask_type type;
	int64_t number;
	double real;
	struct vl_bytes bytes;
};

/* The receiver of the answer: the titles once, then each row. False: it takes no more; that is
 * TOO_LARGE. */
struct vl_ask_sink {
	bool (*titles)(void *context, const char *const *titles, size_t n);
	bool (*row)(void *context, const struct vl_ask_cell *cells, size_t n);
	void *context;
};

/* Answer one question. `values` stand for its ?1, ?2 ... and are texts. USAGE, with SQLite's
 * words, if it is no question, or is not allowed. TOO_LARGE at a bound, with advice. CORRUPT,
 * NOMEM and IO as from the store. */
enum vl_err vl_ask_sql_run(struct vl_ask_sql *sql, const char *question, const char *const *values,
			   size_t n_values, const struct vl_ask_sink *sink,
			   struct vl_why *why) VL_CHECKED;

/* Different damaged rows in the answer. Of very many only the first are counted. */
size_t vl_ask_sql_damaged(const struct vl_ask_sql *sql);

/* Whether the name is a word of SQL, so that it must be written "name". */
bool vl_ask_sql_reserved(const char *name);

#endif

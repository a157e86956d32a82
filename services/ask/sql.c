#include "ask/sql_in.h"

#include "base/checksum.h"
#include "base/near.h"
#include "base/when.h"
#include "hq/ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

/* Instructions of SQLite's between two looks at the time. */
#define LATE_STEPS 1000

#define INDEX_MEMORY ((size_t)64 << 20)
#define TEXT_MOST (4 << 20)
#define NAMES_MOST 8192

bool sql_is_late(struct vl_ask_sql *sql)
{
	sql->late = sql->late || sql->bounds.now_ms() >= sql->end_ms;
	return sql->late;
}

static int look_at_time(void *context)
{
	return sql_is_late(context);
}

void sql_note_damaged(struct vl_ask_sql *sql, unsigned db, struct vl_bytes key)
{
	uint64_t sum = vl_checksum(key) + db;

	for (size_t i = 0; i < sql->n_damaged; i++)
		if (sql->damaged[i] == sum)
			return;
	if (sql->n_damaged < SQL_DAMAGED)
		sql->damaged[sql->n_damaged++] = sum;
}

size_t vl_ask_sql_damaged(const struct vl_ask_sql *sql)
{
	return sql->n_damaged;
}

bool vl_ask_sql_reserved(const char *name)
{
	return sqlite3_keyword_check(name, (int)strlen(name)) != 0;
}

/* -- what a question may do -- */

static int authorize(void *context, int action, const char *a, const char *b, const char *database,
		     const char *trigger)
{
	const struct vl_ask_sql *sql = context;

	(void)a, (void)database, (void)trigger;
	if (sql->declares)
		return SQLITE_OK;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return sqlite3_stricmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

/* Times come first, by time, then what is no time, by its bytes. */
static int compare_times(void *context, int n, const void *a, int m, const void *b)
{
	struct vl_time x, y;
	bool is_x = vl_when_stated(a, (size_t)n, &x), is_y = vl_when_stated(b, (size_t)m, &y);

	(void)context;
	if (is_x && is_y)
		return vl_time_compare(x, y);
	if (is_x || is_y)
		return is_x ? -1 : 1;
	int order = memcmp(a, b, (size_t)(n < m ? n : m));
	return order != 0 ? order : n - m;
}

static void set_limits(struct vl_ask_sql *sql)
{
	static const struct {
		int what, most;
	} limits[] = {
		{SQLITE_LIMIT_LENGTH, TEXT_MOST},          {SQLITE_LIMIT_SQL_LENGTH, 100000},
		{SQLITE_LIMIT_COLUMN, 2 * VL_ASK_COLUMNS}, {SQLITE_LIMIT_EXPR_DEPTH, 200},
		{SQLITE_LIMIT_COMPOUND_SELECT, 100},       {SQLITE_LIMIT_ATTACHED, 0},
		{SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200},   {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
		{SQLITE_LIMIT_WORKER_THREADS, 0},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		(void)sqlite3_limit(sql->db, limits[i].what, limits[i].most);
}

/* What is sorted or kept stays in memory; from the last line on nothing but questions is
 * allowed. */
static int close_doors(struct vl_ask_sql *sql)
{
	sqlite3 *db = sql->db;
	int rc = sqlite3_exec(db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	set_limits(sql);
	sqlite3_progress_handler(db, LATE_STEPS, look_at_time, sql);
	return rc == SQLITE_OK ? sqlite3_set_authorizer(db, authorize, sql) : rc;
}

enum vl_err vl_ask_sql_open(struct vl_txn *txn, const struct vl_ask_tables *tables,
			    const struct vl_ask_bounds *bounds, struct vl_ask_sql **made,
			    struct vl_why *why)
{
	struct vl_ask_sql *sql = calloc(1, sizeof(*sql));

	*made = sql;
	if (sql == NULL)
		return VL_ERR_NOMEM;
	*sql = (struct vl_ask_sql){.txn = txn, .tables = tables, .bounds = *bounds};
	sql->memory_before = sqlite3_hard_heap_limit64((sqlite3_int64)bounds->memory);
	sql->end_ms = bounds->now_ms() + bounds->ms;
	sql->arena = vl_arena_open(INDEX_MEMORY);
	int rc = sql->arena != NULL
			 ? sqlite3_open_v2(":memory:", &sql->db,
					   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
						   SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
					   NULL)
			 : SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		rc = sqlite3_create_collation(sql->db, "valise_time", SQLITE_UTF8, NULL,
					      compare_times);
	if (rc == SQLITE_OK)
		rc = sql_tables_open(sql);
	if (rc == SQLITE_OK)
		rc = close_doors(sql);
	if (rc == SQLITE_OK)
		return VL_OK;
	return rc == SQLITE_NOMEM ? VL_ERR_NOMEM
				  : vl_fail(why, VL_ERR_BUG, "SQLite: %s", sqlite3_errstr(rc));
}

void vl_ask_sql_close(struct vl_ask_sql *sql)
{
	if (sql == NULL)
		return;
	(void)sqlite3_close(sql->db);
	(void)sqlite3_hard_heap_limit64(sql->memory_before);
	if (sql->arena != NULL)
		sql_indexes_close(sql);
	vl_arena_close(sql->arena);
	free(sql->modules);
	free(sql);
}

/* -- what is wrong -- */

/* Names that are near to the one that SQLite does not know, in words; nothing where it knows
 * all. */
static void put_near(const struct vl_ask_tables *tables, const char *said, struct vl_buf *out)
{
	static const char table[] = "no such table: ", column[] = "no such column: ";
	bool is_table = strncmp(said, table, sizeof(table) - 1) == 0;
	const char **names = malloc(NAMES_MOST * sizeof(const char *)), *near[3];
	const struct vl_ask_table *t;
	size_t n = 0;

	if (names == NULL || (!is_table && strncmp(said, column, sizeof(column) - 1) != 0)) {
		free(names);
		return;
	}
	const char *name = strrchr(said, ' ') + 1, *dot = strrchr(name, '.');
	for (size_t i = 0; (t = vl_ask_table_at(tables, i)) != NULL; i++)
		for (size_t c = 0; c < (is_table ? 1 : t->n_columns) && n < NAMES_MOST; c++)
			names[n++] = is_table ? t->name : t->columns[c].name;
	size_t found = vl_nearest_few(dot != NULL ? dot + 1 : name, names, n, near, 1);
	if (found > 0)
		vl_buf_printf(out, "; did you mean '%s'?", near[0]);
	vl_buf_put_text(out, found > 0 ? " 'valise query --schema' lists all"
				       : "; 'valise query --schema' lists them");
	free(names);
}

static enum vl_err explain(struct vl_ask_sql *sql, int rc, struct vl_why *why)
{
	struct vl_buf near = {0};

	if (vl_txn_err(sql->txn) != VL_OK)
		return vl_txn_explain(sql->txn, why);
	if (sql->late)
		return vl_fail(
			why, VL_ERR_TOO_LARGE,
			"given up after %lld s, since a long question keeps valise-hq from "
			"using freed room again. Narrow it (a key, a range of keys, LIMIT), or "
			"ask part by part",
			(long long)sql->bounds.ms / 1000);
	switch (rc) {
	case SQLITE_NOMEM:
		return vl_fail(
			why, VL_ERR_TOO_LARGE,
			"it takes more than %zu MB of memory; narrow it by WHERE, or sort less",
			sql->bounds.memory >> 20);
	case SQLITE_TOOBIG:
		return vl_fail(why, VL_ERR_TOO_LARGE,
			       "a text of more than %d MB, or a question of more than 100 kB",
			       TEXT_MOST >> 20);
	case SQLITE_AUTH:
		return vl_fail(why, VL_ERR_USAGE,
			       "only SELECT is answered, over the tables of 'valise query "
			       "--schema': %.120s",
			       sqlite3_errmsg(sql->db));
	default:
		put_near(sql->tables, sqlite3_errmsg(sql->db), &near);
		(void)vl_fail(why, VL_ERR_USAGE, "%.140s%.100s", sqlite3_errmsg(sql->db),
			      vl_buf_text(&near));
		vl_buf_free(&near);
		return VL_ERR_USAGE;
	}
}

/* -- one question -- */

static void read_cell(sqlite3_stmt *statement, int i, struct vl_ask_cell *cell)
{
	*cell = (struct vl_ask_cell){.type = VL_ASK_IS_NULL};
	switch (sqlite3_column_type(statement, i)) {
	case SQLITE_INTEGER:
		cell->type = VL_ASK_IS_NUMBER;
		cell->number = sqlite3_column_int64(statement, i);
		break;
	case SQLITE_FLOAT:
		cell->type = VL_ASK_IS_REAL;
		cell->real = sqlite3_column_double(statement, i);
		break;
	case SQLITE_TEXT:
		cell->type = VL_ASK_IS_TEXT;
		cell->bytes.data = sqlite3_column_text(statement, i);
		cell->bytes.size = (size_t)sqlite3_column_bytes(statement, i);
		break;
	case SQLITE_BLOB:
		cell->type = VL_ASK_IS_BYTES;
		cell->bytes.data = sqlite3_column_blob(statement, i);
		cell->bytes.size = (size_t)sqlite3_column_bytes(statement, i);
		break;
	default:
		break;
	}
}

static enum vl_err too_much(struct vl_why *why)
{
	return vl_fail(why, VL_ERR_TOO_LARGE,
		       "the answer is too large to be kept; narrow it, or end it with LIMIT 1000");
}

static enum vl_err answer(struct vl_ask_sql *sql, sqlite3_stmt *statement,
			  const struct vl_ask_sink *sink, struct vl_why *why)
{
	struct vl_ask_cell cells[2 * VL_ASK_COLUMNS];
	const char *titles[2 * VL_ASK_COLUMNS];
	int n = sqlite3_column_count(statement), rc;

	for (int i = 0; i < n; i++)
		titles[i] = sqlite3_column_name(statement, i);
	if (!sink->titles(sink->context, titles, (size_t)n))
		return too_much(why);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		for (int i = 0; i < n; i++)
			read_cell(statement, i, &cells[i]);
		if (!sink->row(sink->context, cells, (size_t)n))
			return too_much(why);
	}
	return rc == SQLITE_DONE && vl_txn_err(sql->txn) == VL_OK ? VL_OK : explain(sql, rc, why);
}

static enum vl_err bind(sqlite3_stmt *statement, const char *const *values, size_t n_values,
			struct vl_why *why)
{
	int wanted = sqlite3_bind_parameter_count(statement);

	if ((size_t)wanted != n_values)
		return vl_fail(why, VL_ERR_USAGE,
			       "it asks for %d values (?1, ?2 ...), and %zu are given behind it",
			       wanted, n_values);
	for (int i = 0; i < wanted; i++)
		if (sqlite3_bind_text(statement, i + 1, values[i], -1, SQLITE_STATIC) != SQLITE_OK)
			return VL_ERR_NOMEM;
	return VL_OK;
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n\f;")] == '\0';
}

static enum vl_err run(struct vl_ask_sql *sql, const char *question, const char *const *values,
		       size_t n_values, const struct vl_ask_sink *sink, struct vl_why *why)
{
	sqlite3_stmt *statement = NULL, *more = NULL;
	const char *rest, *end;

	int rc = sqlite3_prepare_v2(sql->db, question, -1, &statement, &rest);
	if (rc != SQLITE_OK)
		return explain(sql, rc, why);
	if (statement == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "nothing is asked; it begins with SELECT or WITH");
	enum vl_err err = VL_OK;
	bool alone =
		is_blank(rest) ||
		(sqlite3_prepare_v2(sql->db, rest, -1, &more, &end) == SQLITE_OK && more == NULL);
	if (!alone)
		err = vl_fail(why, VL_ERR_USAGE,
			      "one question at a time; join two by UNION ALL, or ask twice");
	else if (sqlite3_column_count(statement) == 0 || !sqlite3_stmt_readonly(statement))
		err = vl_fail(why, VL_ERR_USAGE, "only SELECT is answered");
	if (err == VL_OK)
		err = bind(statement, values, n_values, why);
	if (err == VL_OK)
		err = answer(sql, statement, sink, why);
	(void)sqlite3_finalize(more);
	(void)sqlite3_finalize(statement);
	return err;
}

enum vl_err vl_ask_sql_run(struct vl_ask_sql *sql, const char *question, const char *const *values,
			   size_t n_values, const struct vl_ask_sink *sink, struct vl_why *why)
{
	struct vl_buf quoted = {0};
	enum vl_err err = VL_ERR_NOMEM;

	sql_indexes_close(sql);
	sql->late = false;
	sql->end_ms = sql->bounds.now_ms() + sql->bounds.ms;
	sql_quote_names(sql->tables, question, &quoted);
	if (!vl_buf_failed(&quoted))
		err = run(sql, (const char *)quoted.data, values, n_values, sink, why);
	vl_buf_free(&quoted);
	return err;
}

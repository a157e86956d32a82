/* A table of the views, as a virtual table of SQLite's. */
#include "ask/sql_in.h"

#include "base/checksum.h"
#include "bus/wire.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"

#include <stdlib.h>
#include <string.h>

#define LATE_EVERY 256
#define NAME_OF_TIME "valise_time"

/* How rows are found, from xBestIndex to xFilter; the column is above. */
enum { BY_KEY = 1, FROM_KEY = 2, TO_KEY = 4, BY_COLUMN = 8, WHOLE_ROW = 16, COLUMN_SHIFT = 8 };

struct view_table {
	sqlite3_vtab base;
	struct sql_module *module;
};

/* A look through a table. */
struct scan {
	sqlite3_vtab_cursor base;
	struct sql_module *module;
	struct vl_arena *arena; /* of the row at hand */
	struct vl_key prefix;
	struct vl_cursor *rows;          /* NULL where keys are looked up */
	const struct sql_member *member; /* to be looked up next */
	bool whole, at_end, begun;
	struct vl_buf to, text; /* the greatest key, if any */
	bool bounded;
	const char *key;
	struct vl_ask_walk walk;
	size_t steps;
};

static struct scan *scan_of(sqlite3_vtab_cursor *cursor)
{
	return (struct scan *)cursor;
}

static const struct vl_ask_table *table_of(const struct scan *scan)
{
	return scan->module->table;
}

static unsigned db_of(const struct vl_ask_table *table)
{
	return vl_view_db(table->view, VL_VIEW_ROW);
}

/* -- what it is -- */

static const char *type_of(enum vl_ask_form form)
{
	switch (form) {
	case VL_ASK_NUMBER:
	case VL_ASK_YESNO:
		return "INTEGER";
	case VL_ASK_REAL:
		return "REAL";
	case VL_ASK_TIME:
		return "TEXT COLLATE " NAME_OF_TIME;
	case VL_ASK_TEXT:
	case VL_ASK_WORD:
	case VL_ASK_ID:
		break;
	}
	return "TEXT";
}

static int connect(sqlite3 *db, void *context, int argc, const char *const *argv,
		   sqlite3_vtab **made, char **error)
{
	struct sql_module *module = context;
	const struct vl_ask_table *table = module->table;
	struct view_table *t = sqlite3_malloc(sizeof(*t));
	struct vl_buf sql = {0};

	(void)argc, (void)argv;
	vl_buf_put_text(&sql, "CREATE TABLE x(");
	for (size_t i = 0; i < table->n_columns; i++)
		vl_buf_printf(&sql, "%s\"%s\" %s", i > 0 ? ", " : "", table->columns[i].name,
			      type_of(table->columns[i].form));
	vl_buf_put_text(&sql, ")");
	module->sql->declares = true;
	int rc = t != NULL && !vl_buf_failed(&sql) ? sqlite3_declare_vtab(db, vl_buf_text(&sql))
						   : SQLITE_NOMEM;
	module->sql->declares = false;
	vl_buf_free(&sql);
	if (rc == SQLITE_OK) {
		*t = (struct view_table){.module = module};
		*made = &t->base;
	} else {
		*error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
		sqlite3_free(t);
	}
	return rc;
}

static int disconnect(sqlite3_vtab *table)
{
	sqlite3_free(table);
	return SQLITE_OK;
}

/* -- how rows are best found -- */

/* Which constraints are taken, by their place in the list; -1 for none. */
struct taken {
	int key, from, to, column;
};

static bool is_binary(sqlite3_index_info *info, int i)
{
	return sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0;
}

static bool is_indexed(const struct vl_ask_column *column)
{
	return (column->source == VL_ASK_FIELD || column->source == VL_ASK_ITEM) &&
	       (column->form == VL_ASK_TEXT || column->form == VL_ASK_WORD ||
		column->form == VL_ASK_ID);
}

static struct taken look_at(const struct vl_ask_table *table, sqlite3_index_info *info)
{
	struct taken taken = {-1, -1, -1, -1};

	for (int i = 0; i < info->nConstraint; i++) {
		int column = info->aConstraint[i].iColumn, op = info->aConstraint[i].op;
		if (!info->aConstraint[i].usable || column < 0 || !is_binary(info, i))
			continue;
		if (op == SQLITE_INDEX_CONSTRAINT_EQ && column == 0)
			taken.key = i;
		else if (op == SQLITE_INDEX_CONSTRAINT_EQ && is_indexed(&table->columns[column]))
			taken.column = i;
		else if (column == 0 &&
			 (op == SQLITE_INDEX_CONSTRAINT_GT || op == SQLITE_INDEX_CONSTRAINT_GE))
			taken.from = i;
		else if (column == 0 &&
			 (op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE))
			taken.to = i;
	}
	return taken;
}

static bool needs_row(const struct vl_ask_table *table, const sqlite3_index_info *info)
{
	return table->n_lists > 0 || (info->colUsed & ~(sqlite3_uint64)1) != 0;
}

/* Rows come in the order of their keys. */
static void say_order(sqlite3_index_info *info)
{
	info->orderByConsumed =
		info->nOrderBy == 1 && info->aOrderBy[0].iColumn == 0 && !info->aOrderBy[0].desc;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct sql_module *module = ((struct view_table *)base)->module;
	struct taken taken = look_at(module->table, info);
	double rows = 1 + (double)vl_txn_count(module->sql->txn, db_of(module->table));
	int arguments = 0;

	info->idxNum = needs_row(module->table, info) ? WHOLE_ROW : 0;
	if (taken.key >= 0) {
		info->idxNum |= BY_KEY;
		info->aConstraintUsage[taken.key].argvIndex = 1;
		rows = module->table->n_lists > 0 ? 4 : 1;
	} else if (taken.column >= 0 && taken.from < 0 && taken.to < 0) {
		info->idxNum |= BY_COLUMN | info->aConstraint[taken.column].iColumn << COLUMN_SHIFT;
		info->aConstraintUsage[taken.column].argvIndex = 1;
		rows = 2 + rows / 100;
	} else {
		if (taken.from >= 0) {
			info->idxNum |= FROM_KEY;
			info->aConstraintUsage[taken.from].argvIndex = ++arguments;
			rows = 1 + rows / 4;
		}
		if (taken.to >= 0) {
			info->idxNum |= TO_KEY;
			info->aConstraintUsage[taken.to].argvIndex = ++arguments;
			rows = 1 + rows / 4;
		}
		say_order(info);
	}
	info->estimatedRows = (sqlite3_int64)rows;
	info->estimatedCost = 10 * rows;
	return SQLITE_OK;
}

/* -- walking -- */

static int open_scan(sqlite3_vtab *base, sqlite3_vtab_cursor **made)
{
	struct scan *scan = calloc(1, sizeof(*scan));

	if (scan == NULL)
		return SQLITE_NOMEM;
	scan->module = ((struct view_table *)base)->module;
	scan->arena = vl_arena_open(0);
	*made = &scan->base;
	if (scan->arena != NULL)
		return SQLITE_OK;
	free(scan);
	return SQLITE_NOMEM;
}

static int close_scan(sqlite3_vtab_cursor *cursor)
{
	struct scan *scan = scan_of(cursor);

	vl_cursor_close(scan->rows);
	vl_buf_free(&scan->to);
	vl_buf_free(&scan->text);
	vl_arena_close(scan->arena);
	free(scan);
	return SQLITE_OK;
}

static void note_damaged(void *context, struct vl_bytes key)
{
	struct scan *scan = context;

	sql_note_damaged(scan->module->sql, db_of(table_of(scan)), key);
}

/* Stand on the first item of a row: 1; 0 where it has none. */
static int take_row(struct scan *scan, struct vl_bytes key, struct vl_bytes bytes)
{
	const struct vl_ask_table *table = table_of(scan);
	size_t before = vl_key_done(&scan->prefix).size;
	const ProtobufCMessage *row = NULL;

	vl_arena_reset(scan->arena);
	scan->key = vl_arena_text(scan->arena, key.data + before, key.size - before);
	if (scan->whole)
		row = vl_wire_unpack(vl_views[table->view]->kinds[table->kind].row, bytes,
				     scan->arena);
	if (vl_arena_failed(scan->arena)) {
		vl_txn_fail(scan->module->sql->txn, VL_ERR_NOMEM);
		return 0;
	}
	if (scan->whole && row == NULL) {
		note_damaged(scan, key);
		return 0;
	}
	return vl_ask_first(&scan->walk, table, row);
}

/* One key looked up. */
static int look_up(struct scan *scan, const char *key)
{
	struct sql_module *module = scan->module;
	struct vl_bytes bytes;
	struct vl_key row;

	if (key[0] == '\0' || strlen(key) > VL_ENTITY_MAX)
		return 0;
	vl_row_key(&row, module->table->kind, key);
	enum vl_err err =
		vl_txn_find(module->sql->txn, db_of(module->table), vl_key_done(&row), &bytes);
	if (err == VL_ERR_CORRUPT)
		note_damaged(scan, vl_key_done(&row));
	return err == VL_OK ? take_row(scan, vl_key_done(&row), bytes) : 0;
}

static bool is_beyond(const struct scan *scan, struct vl_bytes key)
{
	size_t before = vl_key_done(&scan->prefix).size;
	size_t size = strnlen((const char *)key.data + before, key.size - before);
	size_t least = size < scan->to.size ? size : scan->to.size;
	int order = least > 0 ? memcmp(key.data + before, scan->to.data, least) : 0;

	return scan->bounded && (order > 0 || (order == 0 && size > scan->to.size));
}

/* The next row that has an item. */
static int next_row(struct scan *scan)
{
	struct vl_bytes prefix = vl_key_done(&scan->prefix), key, bytes;
	struct vl_ask_sql *sql = scan->module->sql;

	for (;;) {
		int found = 0;
		if (++scan->steps % LATE_EVERY == 0 && sql_is_late(sql))
			return SQLITE_INTERRUPT;
		if (scan->rows != NULL) {
			scan->at_end = !vl_cursor_next(scan->rows, &key, &bytes) ||
				       !vl_key_has_prefix(key, prefix) || is_beyond(scan, key);
			found = scan->at_end ? 0 : take_row(scan, key, bytes);
		} else if (scan->member != NULL) {
			found = look_up(scan, scan->member->key);
			scan->member = scan->member->next;
		} else {
			scan->at_end = true;
		}
		if (vl_txn_err(sql->txn) != VL_OK)
			return SQLITE_IOERR;
		if (found != 0 || scan->at_end)
			return SQLITE_OK;
	}
}

static int next(sqlite3_vtab_cursor *cursor)
{
	struct scan *scan = scan_of(cursor);

	return vl_ask_next(&scan->walk) ? SQLITE_OK : next_row(scan);
}

/* Begin with the keys from `from` on; NULL: with the first. */
static int begin(struct scan *scan, const char *from)
{
	struct vl_ask_sql *sql = scan->module->sql;
	struct vl_bytes prefix = vl_key_done(&scan->prefix), key, bytes;
	struct vl_key first = scan->prefix;

	if (from != NULL && from[0] != '\0' && strlen(from) <= VL_ENTITY_MAX)
		vl_row_key(&first, table_of(scan)->kind, from);
	scan->rows = vl_cursor_open(sql->txn, db_of(table_of(scan)));
	if (scan->rows == NULL)
		return SQLITE_IOERR;
	vl_cursor_pass_over(scan->rows, prefix, note_damaged, scan);
	scan->at_end = !vl_cursor_seek(scan->rows, vl_key_done(&first), &key, &bytes) ||
		       !vl_key_has_prefix(key, prefix) || is_beyond(scan, key);
	if (vl_txn_err(sql->txn) != VL_OK)
		return SQLITE_IOERR;
	return scan->at_end || take_row(scan, key, bytes) ? SQLITE_OK : next_row(scan);
}

/* The text to compare with; NULL where the value is none that a text can be equal to, or has an
 * order to. */
static const char *text_of(sqlite3_value *value)
{
	int type = sqlite3_value_type(value);
	const char *text = type != SQLITE_NULL && type != SQLITE_BLOB
				   ? (const char *)sqlite3_value_text(value)
				   : NULL;

	return text != NULL && strlen(text) == (size_t)sqlite3_value_bytes(value) ? text : NULL;
}

static void bound_to(struct scan *scan, sqlite3_value *value)
{
	const char *text = text_of(value);

	scan->bounded = text != NULL;
	if (text != NULL)
		vl_buf_put_text(&scan->to, text);
	scan->bounded = scan->bounded && !vl_buf_failed(&scan->to);
}

static int begin_listed(struct scan *scan, int plan, sqlite3_value *value)
{
	const char *text = text_of(value);
	struct sql_index *index = sql_index_of(scan->module, (unsigned)plan >> COLUMN_SHIFT);

	if (scan->module->sql->late)
		return SQLITE_INTERRUPT;
	if (text == NULL || index == NULL)
		return text == NULL && sqlite3_value_type(value) != SQLITE_TEXT ? next_row(scan)
										: begin(scan, NULL);
	scan->member = sql_index_find(index, vl_bytes_of(text));
	return next_row(scan);
}

static int filter(sqlite3_vtab_cursor *cursor, int plan, const char *text, int argc,
		  sqlite3_value **argv)
{
	struct scan *scan = scan_of(cursor);

	(void)text;
	vl_cursor_close(scan->rows);
	scan->rows = NULL;
	scan->member = NULL;
	scan->at_end = false;
	scan->bounded = false;
	scan->whole = (plan & WHOLE_ROW) != 0;
	vl_buf_reset(&scan->to);
	vl_row_key(&scan->prefix, table_of(scan)->kind, "");
	if ((plan & BY_COLUMN) != 0)
		return begin_listed(scan, plan, argv[0]);
	if ((plan & BY_KEY) != 0) {
		const char *key = text_of(argv[0]);
		scan->at_end = key == NULL || look_up(scan, key) == 0;
		return vl_txn_err(scan->module->sql->txn) == VL_OK ? SQLITE_OK : SQLITE_IOERR;
	}
	if ((plan & TO_KEY) != 0)
		bound_to(scan, argv[argc - 1]);
	return begin(scan, (plan & FROM_KEY) != 0 ? text_of(argv[0]) : NULL);
}

static int eof(sqlite3_vtab_cursor *cursor)
{
	return scan_of(cursor)->at_end;
}

/* -- what a row says -- */

static int column(sqlite3_vtab_cursor *cursor, sqlite3_context *result, int i)
{
	struct scan *scan = scan_of(cursor);
	struct vl_ask_value value;

	vl_ask_read(&scan->walk, &table_of(scan)->columns[i], scan->key, &value);
	if (value.none) {
		sqlite3_result_null(result);
	} else if (value.form == VL_ASK_REAL) {
		sqlite3_result_double(result, value.real);
	} else if ((value.form == VL_ASK_NUMBER || value.form == VL_ASK_YESNO) && !value.beyond) {
		sqlite3_result_int64(result, value.number);
	} else if (value.form == VL_ASK_TEXT) {
		sqlite3_result_text64(result, (const char *)value.bytes.data, value.bytes.size,
				      SQLITE_TRANSIENT, SQLITE_UTF8);
	} else {
		vl_buf_reset(&scan->text);
		vl_ask_print(&value, &scan->text);
		if (vl_buf_failed(&scan->text))
			return SQLITE_NOMEM;
		sqlite3_result_text64(result, vl_buf_text(&scan->text), scan->text.size,
				      SQLITE_TRANSIENT, SQLITE_UTF8);
	}
	return SQLITE_OK;
}

/* SQLite distinguishes rows by this if it looks for several keys at once. */
static int rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
	const struct scan *scan = scan_of(cursor);
	uint64_t sum = vl_checksum(vl_bytes_of(scan->key));

	for (unsigned i = 0; i < table_of(scan)->n_lists; i++)
		sum = sum * UINT64_C(0x9e3779b97f4a7c15) + scan->walk.level[i].at + 1;
	*id = (sqlite3_int64)sum;
	return SQLITE_OK;
}

/* No xCreate: the table is there under the module's name, and cannot be made or dropped. */
static const sqlite3_module view_module = {
	.xConnect = connect,
	.xDisconnect = disconnect,
	.xBestIndex = best_index,
	.xOpen = open_scan,
	.xClose = close_scan,
	.xFilter = filter,
	.xNext = next,
	.xEof = eof,
	.xColumn = column,
	.xRowid = rowid,
};

int sql_tables_open(struct vl_ask_sql *sql)
{
	size_t n = 0;
	int rc = SQLITE_OK;

	while (vl_ask_table_at(sql->tables, n) != NULL)
		n++;
	sql->modules = calloc(n, sizeof(*sql->modules));
	if (sql->modules == NULL)
		return SQLITE_NOMEM;
	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		const struct vl_ask_table *table = vl_ask_table_at(sql->tables, i);
		sql->modules[i] = (struct sql_module){sql, table};
		rc = sqlite3_create_module_v2(sql->db, table->name, &view_module, &sql->modules[i],
					      NULL);
		if (rc == SQLITE_OK && table->alias != NULL)
			rc = sqlite3_create_module_v2(sql->db, table->alias, &view_module,
						      &sql->modules[i], NULL);
	}
	return rc;
}

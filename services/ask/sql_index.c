/* SQLite makes an index for a join by itself, but not for tables that are somebody else's. */
#include "ask/sql_in.h"

#include "base/hash.h"
#include "bus/wire.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"

#include <stdlib.h>

#define LATE_EVERY 256

/* All rows that have one text. */
struct text {
	UT_hash_handle hh;
	struct sql_member *first, *last;
};

struct sql_index {
	struct sql_index *next;
	const struct vl_ask_table *table;
	unsigned column;
	bool tried, made;
	struct text *texts;
};

static bool add_row(struct vl_ask_sql *sql, struct sql_index *index, struct vl_bytes text,
		    const char *key)
{
	struct text *found;

	HASH_FIND(hh, index->texts, text.data, text.size, found);
	if (found == NULL) {
		const char *kept = vl_arena_text(sql->arena, text.data, text.size);
		found = kept != NULL ? vl_arena_alloc(sql->arena, sizeof(*found)) : NULL;
		if (found == NULL)
			return false;
		HASH_ADD_KEYPTR(hh, index->texts, kept, text.size, found);
		if (found->hh.tbl == NULL)
			return false;
	}
	if (found->last != NULL && found->last->key == key)
		return true;
	struct sql_member *member = vl_arena_alloc(sql->arena, sizeof(*member));
	if (member == NULL)
		return false;
	member->key = key;
	if (found->last != NULL)
		found->last->next = member;
	else
		found->first = member;
	found->last = member;
	return true;
}

static bool add_items(struct vl_ask_sql *sql, struct sql_index *index, const ProtobufCMessage *row,
		      struct vl_bytes entity, struct vl_buf *text)
{
	const char *key = vl_arena_text(sql->arena, entity.data, entity.size);
	struct vl_ask_walk walk;
	struct vl_ask_value value;
	bool good = key != NULL;

	for (bool more = vl_ask_first(&walk, index->table, row); more && good;
	     more = vl_ask_next(&walk)) {
		vl_ask_read(&walk, &index->table->columns[index->column], key, &value);
		vl_buf_reset(text);
		vl_ask_print(&value, text);
		good = value.none ||
		       (!vl_buf_failed(text) && add_row(sql, index, vl_buf_bytes(text), key));
	}
	return good;
}

static bool make(struct vl_ask_sql *sql, struct sql_index *index)
{
	const struct vl_ask_table *table = index->table;
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_cursor *rows = vl_cursor_open(sql->txn, vl_view_db(table->view, VL_VIEW_ROW));
	struct vl_bytes key, bytes;
	struct vl_buf text = {0};
	struct vl_key prefix;
	size_t n = 0;

	vl_row_key(&prefix, table->kind, "");
	struct vl_bytes from = vl_key_done(&prefix);
	bool good = arena != NULL && rows != NULL;
	if (good)
		vl_cursor_pass_over(rows, from, NULL, NULL);
	for (bool more = good && vl_cursor_seek(rows, from, &key, &bytes);
	     good && more && vl_key_has_prefix(key, from);
	     more = vl_cursor_next(rows, &key, &bytes)) {
		struct vl_bytes entity = {key.data + from.size, key.size - from.size};
		vl_arena_reset(arena);
		const ProtobufCMessage *row =
			vl_wire_unpack(vl_views[table->view]->kinds[table->kind].row, bytes, arena);
		good = !vl_arena_failed(arena) &&
		       (row == NULL || add_items(sql, index, row, entity, &text)) &&
		       (++n % LATE_EVERY != 0 || !sql_is_late(sql));
	}
	vl_cursor_close(rows);
	vl_arena_close(arena);
	vl_buf_free(&text);
	return good && vl_txn_err(sql->txn) == VL_OK;
}

struct sql_index *sql_index_of(struct sql_module *module, unsigned column)
{
	struct vl_ask_sql *sql = module->sql;
	struct sql_index *index = sql->indexes;

	while (index != NULL && (index->table != module->table || index->column != column))
		index = index->next;
	if (index == NULL) {
		index = calloc(1, sizeof(*index));
		if (index == NULL)
			return NULL;
		*index = (struct sql_index){
			.next = sql->indexes, .table = module->table, .column = column};
		sql->indexes = index;
		return NULL;
	}
	if (!index->tried) {
		index->tried = true;
		index->made = make(sql, index);
	}
	return index->made ? index : NULL;
}

const struct sql_member *sql_index_find(const struct sql_index *index, struct vl_bytes text)
{
	struct text *found;

	HASH_FIND(hh, index->texts, text.data, text.size, found);
	return found != NULL ? found->first : NULL;
}

void sql_indexes_close(struct vl_ask_sql *sql)
{
	while (sql->indexes != NULL) {
		struct sql_index *index = sql->indexes;
		sql->indexes = index->next;
		HASH_CLEAR(hh, index->texts);
		free(index);
	}
	vl_arena_reset(sql->arena);
}

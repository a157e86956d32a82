#include "ask/table.h"

#include "base/arena.h"
#include "bus/json_field.h"
#include "hq/fold/views.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_ROOM 256

struct vl_ask_tables {
	struct vl_arena *arena;
	struct vl_ask_table **all;
	size_t n, room;
	bool failed;
};

/* A table while its columns are gathered. */
struct making {
	struct vl_ask_tables *tables;
	struct vl_ask_table *table;
	const ProtobufCFieldDescriptor *path[VL_ASK_DEPTH];
	unsigned n_path;
	char prefix[NAME_ROOM];
};

bool vl_ask_is_personal(const ProtobufCFieldDescriptor *field)
{
	return strcmp(field->name, "personal") == 0 || strcmp(field->name, "sealed_personal") == 0;
}

static const char *keep(struct vl_ask_tables *t, const char *text)
{
	const char *kept = vl_arena_text(t->arena, text, strlen(text));

	t->failed = t->failed || kept == NULL;
	return kept != NULL ? kept : "";
}

static const char *join(struct vl_ask_tables *t, const char *a, const char *b)
{
	char name[NAME_ROOM];

	(void)snprintf(name, sizeof(name), "%s%s%s", a, a[0] != '\0' && b[0] != '\0' ? "_" : "", b);
	return keep(t, name);
}

/* -- columns -- */

static struct vl_ask_column *add_column(struct making *m, const char *name, enum vl_ask_form form,
					enum vl_ask_source source)
{
	struct vl_ask_table *table = m->table;

	if (table->n_columns == VL_ASK_COLUMNS)
		return NULL;
	struct vl_ask_column *column = &table->columns[table->n_columns++];
	*column = (struct vl_ask_column){
		.name = keep(m->tables, name), .form = form, .source = source};
	return column;
}

/* The form of a value that has a column of its own; -1 for a message that is taken apart. */
static int form_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return VL_ASK_TEXT;
	case PROTOBUF_C_TYPE_BYTES:
		return VL_ASK_ID;
	case PROTOBUF_C_TYPE_ENUM:
		return VL_ASK_WORD;
	case PROTOBUF_C_TYPE_BOOL:
		return VL_ASK_YESNO;
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return VL_ASK_REAL;
	case PROTOBUF_C_TYPE_MESSAGE:
		switch (vl_json_form_of(field->descriptor)) {
		case VL_JSON_TIMESTAMP:
			return VL_ASK_TIME;
		case VL_JSON_DURATION:
			return VL_ASK_REAL;
		default:
			return -1;
		}
	default:
		return VL_ASK_NUMBER;
	}
}

static bool is_opaque(const ProtobufCFieldDescriptor *field)
{
	return vl_ask_is_personal(field) || (field->type == PROTOBUF_C_TYPE_MESSAGE &&
					     vl_json_form_of(field->descriptor) == VL_JSON_ANY);
}

static void add_fields(struct making *m, const ProtobufCMessageDescriptor *type);

static void add_field(struct making *m, const ProtobufCFieldDescriptor *field)
{
	char before[NAME_ROOM], name[2 * NAME_ROOM];
	int form = form_of(field);

	m->path[m->n_path++] = field;
	(void)snprintf(name, sizeof(name), "%s%s", m->prefix, field->name);
	if (form >= 0) {
		struct vl_ask_column *column =
			add_column(m, name, (enum vl_ask_form)form, VL_ASK_FIELD);
		if (column != NULL) {
			column->n_path = m->n_path;
			memcpy(column->path, m->path, sizeof(m->path));
		}
	} else if (strlen(name) + 2 < sizeof(m->prefix)) {
		memcpy(before, m->prefix, sizeof(before));
		(void)snprintf(m->prefix, sizeof(m->prefix), "%.*s_", NAME_ROOM - 2, name);
		add_fields(m, field->descriptor);
		memcpy(m->prefix, before, sizeof(before));
	}
	m->n_path--;
}

static void add_fields(struct making *m, const ProtobufCMessageDescriptor *type)
{
	for (unsigned i = 0; i < type->n_fields && m->n_path < VL_ASK_DEPTH; i++)
		if (type->fields[i].label != PROTOBUF_C_LABEL_REPEATED &&
		    !is_opaque(&type->fields[i]))
			add_field(m, &type->fields[i]);
}

static const ProtobufCFieldDescriptor *last_of(const struct vl_ask_list *list)
{
	return list->path[list->n_path - 1];
}

static void add_key_and_positions(struct making *m)
{
	const struct vl_ask_table *table = m->table;
	char name[NAME_ROOM];

	(void)add_column(m, "key", VL_ASK_TEXT, VL_ASK_KEY);
	for (unsigned i = 0; i < table->n_lists; i++) {
		bool inner = i + 1 == table->n_lists;
		(void)snprintf(name, sizeof(name), "%s%sposition",
			       inner ? "" : last_of(&table->lists[i])->name, inner ? "" : "_");
		struct vl_ask_column *column = add_column(m, name, VL_ASK_NUMBER, VL_ASK_POSITION);
		if (column != NULL)
			column->level = i;
	}
}

/* -- tables -- */

static struct vl_ask_table *add_table(struct vl_ask_tables *t, const struct vl_ask_table *like)
{
	if (t->n == t->room) {
		size_t room = t->room > 0 ? 2 * t->room : 64;
		struct vl_ask_table **all = realloc(t->all, room * sizeof(struct vl_ask_table *));
		if (all == NULL) {
			t->failed = true;
			return NULL;
		}
		t->all = all;
		t->room = room;
	}
	struct vl_ask_table *table = vl_arena_alloc(t->arena, sizeof(*table));
	struct vl_ask_column *columns = vl_arena_alloc(t->arena, VL_ASK_COLUMNS * sizeof(*columns));
	if (table == NULL || columns == NULL) {
		t->failed = true;
		return NULL;
	}
	*table = *like;
	table->columns = columns;
	table->n_columns = 0;
	t->all[t->n++] = table;
	return table;
}

/* The tables of the lists in a message that is reached from `parent` by `path`. */
static void add_lists(struct vl_ask_tables *t, const struct vl_ask_table *parent,
		      struct vl_ask_list *path, const char *prefix,
		      const ProtobufCMessageDescriptor *type);

static void add_list(struct vl_ask_tables *t, const struct vl_ask_table *parent,
		     const struct vl_ask_list *path, const char *name)
{
	const ProtobufCFieldDescriptor *field = last_of(path);
	struct vl_ask_table like = *parent;

	like.lists[like.n_lists++] = *path;
	like.list = join(t, parent->list, name);
	like.name = join(t, parent->name, name);
	like.alias = parent->alias != NULL ? join(t, parent->alias, name) : NULL;
	struct vl_ask_table *table = add_table(t, &like);
	if (table == NULL)
		return;
	struct making m = {.tables = t, .table = table};
	int form = form_of(field);
	add_key_and_positions(&m);
	if (form >= 0) {
		struct vl_ask_column *column =
			add_column(&m, "value", (enum vl_ask_form)form, VL_ASK_ITEM);
		column->path[0] = field;
		column->n_path = 1;
		return;
	}
	add_fields(&m, field->descriptor);
	if (table->n_lists < VL_ASK_LISTS)
		add_lists(t, table, &(struct vl_ask_list){0}, "", field->descriptor);
}

static void add_lists(struct vl_ask_tables *t, const struct vl_ask_table *parent,
		      struct vl_ask_list *path, const char *prefix,
		      const ProtobufCMessageDescriptor *type)
{
	char name[NAME_ROOM];

	for (unsigned i = 0; i < type->n_fields && path->n_path < VL_ASK_DEPTH; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		if (is_opaque(field))
			continue;
		(void)snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] != '\0' ? "_" : "",
			       field->name);
		path->path[path->n_path++] = field;
		if (field->label == PROTOBUF_C_LABEL_REPEATED)
			add_list(t, parent, path, name);
		else if (form_of(field) < 0)
			add_lists(t, parent, path, name, field->descriptor);
		path->n_path--;
	}
}

static void add_kind(struct vl_ask_tables *t, size_t v, unsigned kind)
{
	const struct vl_view *view = vl_views[v];
	const char *name = view->kinds[kind].name;
	struct vl_ask_table like = {
		.view = v, .kind = kind, .list = "", .name = join(t, view->noun, name)};

	if (kind == view->shown && strcmp(name, view->noun) == 0)
		like.name = view->noun;
	else if (kind == view->shown)
		like.alias = view->noun;
	struct vl_ask_table *table = add_table(t, &like);
	if (table == NULL)
		return;
	struct making m = {.tables = t, .table = table};
	add_key_and_positions(&m);
	add_fields(&m, view->kinds[kind].row);
	add_lists(t, table, &(struct vl_ask_list){0}, "", view->kinds[kind].row);
}

struct vl_ask_tables *vl_ask_tables_open(void)
{
	struct vl_ask_tables *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->arena = vl_arena_open(0);
	t->failed = t->arena == NULL;
	for (size_t v = 0; vl_views[v] != NULL && !t->failed; v++)
		for (unsigned kind = 0; kind < vl_views[v]->n_kinds && !t->failed; kind++)
			add_kind(t, v, kind);
	if (!t->failed)
		return t;
	vl_ask_tables_close(t);
	return NULL;
}

void vl_ask_tables_close(struct vl_ask_tables *tables)
{
	if (tables == NULL)
		return;
	vl_arena_close(tables->arena);
	free(tables->all);
	free(tables);
}

/* -- names -- */

const struct vl_ask_table *vl_ask_table_at(const struct vl_ask_tables *tables, size_t i)
{
	return i < tables->n ? tables->all[i] : NULL;
}

const struct vl_ask_table *vl_ask_table_named(const struct vl_ask_tables *tables, const char *name)
{
	for (size_t i = 0; i < tables->n; i++) {
		const struct vl_ask_table *table = tables->all[i];
		if (strcasecmp(table->name, name) == 0 ||
		    (table->alias != NULL && strcasecmp(table->alias, name) == 0))
			return table;
	}
	return NULL;
}

static const char *next_letter(const char *at)
{
	return at + strspn(at, "_.-");
}

/* Past what `whole` has of the name, or NULL where it goes another way. */
static const char *match(const char *name, const char *part)
{
	for (part = next_letter(part); *part != '\0'; part = next_letter(part + 1)) {
		name = next_letter(name);
		if (tolower((unsigned char)*name) != tolower((unsigned char)*part))
			return NULL;
		name++;
	}
	return next_letter(name);
}

bool vl_ask_same_name(const char *a, const char *b)
{
	const char *end = match(a, b);

	return end != NULL && *end == '\0';
}

/* The column's part of a field's name: a list of values is named by the list alone. */
static const char *own_name(const struct vl_ask_column *column)
{
	return column->source == VL_ASK_ITEM ? "" : column->name;
}

/* The key and the positions of a list are fields of its table alone. */
static bool is_field(const struct vl_ask_table *table, const struct vl_ask_column *column)
{
	return table->n_lists == 0 || column->source == VL_ASK_FIELD ||
	       column->source == VL_ASK_ITEM;
}

bool vl_ask_field_find(const struct vl_ask_tables *tables, size_t view, unsigned kind,
		       const char *name, struct vl_ask_field *field)
{
	for (size_t i = 0; i < tables->n; i++) {
		const struct vl_ask_table *table = tables->all[i];
		const char *rest = table->view == view && table->kind == kind
					   ? match(name, table->list)
					   : NULL;
		for (size_t c = 0; rest != NULL && c < table->n_columns; c++)
			if (is_field(table, &table->columns[c]) &&
			    vl_ask_same_name(rest, own_name(&table->columns[c]))) {
				*field = (struct vl_ask_field){table, &table->columns[c]};
				return true;
			}
	}
	return false;
}

size_t vl_ask_field_names(struct vl_ask_tables *tables, size_t view, unsigned kind,
			  const char **names, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < tables->n; i++) {
		const struct vl_ask_table *table = tables->all[i];
		for (size_t c = 0;
		     table->view == view && table->kind == kind && c < table->n_columns && n < most;
		     c++)
			if (is_field(table, &table->columns[c]))
				names[n++] =
					join(tables, table->list, own_name(&table->columns[c]));
	}
	return n;
}

#include "ask/where.h"

#include "base/near.h"
#include "base/when.h"
#include "hq/fold/views.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MOST 128
#define NAMES_MOST 1024
#define NEAR_MOST 4
#define VALUES_MOST 64

/* -- terms -- */

static const struct vl_column *columns_of(const struct vl_ask_kind *of)
{
	return vl_views[of->view]->kinds[of->kind].columns;
}

static int cell_named(const struct vl_ask_kind *of, const char *name, bool any_case)
{
	const struct vl_column *columns = columns_of(of);

	for (int i = 0; columns[i].title != NULL; i++)
		if (strcmp(columns[i].title, name) == 0 ||
		    (any_case && vl_ask_same_name(columns[i].title, name)))
			return i;
	return -1;
}

static bool find_field(const struct vl_ask_kind *of, const char *name, struct vl_ask_field *field)
{
	return vl_ask_field_find(of->tables, of->view, of->kind, name, field);
}

static size_t all_names(const struct vl_ask_kind *of, const char **names)
{
	const struct vl_column *columns = columns_of(of);
	size_t n = vl_ask_field_names(of->tables, of->view, of->kind, names, NAMES_MOST);

	for (size_t i = 0; columns[i].title != NULL && n < NAMES_MOST; i++)
		names[n++] = columns[i].title;
	return n;
}

static enum vl_err no_field(const struct vl_ask_kind *of, const char *name, struct vl_why *why)
{
	const char **names = malloc(NAMES_MOST * sizeof(const char *)), *near[NEAR_MOST];
	struct vl_ask_field key;
	struct vl_buf list = {0};

	if (names == NULL)
		return VL_ERR_NOMEM;
	size_t n = vl_nearest_few(name, names, all_names(of, names), near, NEAR_MOST);
	for (size_t i = 0; i < n; i++)
		vl_buf_printf(&list, "%s%s", i > 0 ? ", " : "near it: ", near[i]);
	bool found = find_field(of, "key", &key);
	enum vl_err err =
		vl_fail(why, VL_ERR_NOT_FOUND,
			"no field '%.40s'; %.90s%s'valise query --schema %s' lists all", name,
			vl_buf_text(&list), n > 0 ? "; " : "", found ? key.table->name : "");
	vl_buf_free(&list);
	free(names);
	return err;
}

enum vl_err vl_ask_term_find(const struct vl_ask_kind *of, const char *name,
			     struct vl_ask_term *term, struct vl_why *why)
{
	*term = (struct vl_ask_term){.of = of, .cell = cell_named(of, name, false)};
	if (term->cell >= 0 || find_field(of, name, &term->field))
		return VL_OK;
	term->cell = cell_named(of, name, true);
	return term->cell >= 0 ? VL_OK : no_field(of, name, why);
}

static void print_value(const struct vl_ask_value *value, struct vl_buf *out)
{
	if (value->form == VL_ASK_YESNO && !value->none)
		vl_buf_put_text(out, value->number != 0 ? "yes" : "no");
	else
		vl_ask_print(value, out);
}

void vl_ask_term_print(const struct vl_ask_term *term, const struct vl_ask_row *row,
		       struct vl_buf *out)
{
	struct vl_ask_walk walk;
	struct vl_ask_value value;
	size_t n = 0;

	if (term->cell >= 0) {
		vl_bound_cell(term->of->bound, term->of->kind, (size_t)term->cell, row->key,
			      row->message, row->now, out);
		return;
	}
	for (bool more = vl_ask_first(&walk, term->field.table, row->message); more;
	     more = vl_ask_next(&walk)) {
		vl_ask_read(&walk, term->field.column, row->key, &value);
		vl_buf_put_text(out, n++ > 0 ? ", " : "");
		print_value(&value, out);
	}
}

/* -- conditions -- */

enum comparison { EQUAL, UNEQUAL, LESS, AT_MOST, GREATER, AT_LEAST, HAS, AMONG };

/* The longer of two that begin alike goes first. */
static const struct {
	const char *text;
	enum comparison what;
} signs[] = {
	{"!=", UNEQUAL}, {"<=", AT_MOST}, {">=", AT_LEAST}, {"=", EQUAL},
	{"<", LESS},     {">", GREATER},  {"~", HAS},       {" in ", AMONG},
};

struct vl_ask_condition {
	struct vl_ask_term term;
	enum comparison what;
	size_t n;
	struct {
		const char *text;
		struct vl_ask_value value;
		uint8_t room[VL_ASK_ID_MOST];
	} values[VALUES_MOST];
};

/* Where the sign stands, and which it is; NULL where there is none. */
static const char *find_sign(const char *text, size_t *sign)
{
	for (const char *at = text; *at != '\0'; at++)
		for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
			if (strncasecmp(at, signs[i].text, strlen(signs[i].text)) == 0) {
				*sign = i;
				return at;
			}
	return NULL;
}

static const char *copy_trimmed(struct vl_arena *arena, const char *from, const char *end)
{
	while (from < end && *from == ' ')
		from++;
	while (end > from && end[-1] == ' ')
		end--;
	return vl_arena_text(arena, from, (size_t)(end - from));
}

static enum vl_err add_value(struct vl_ask_condition *c, const char *text, struct vl_time now,
			     struct vl_why *why)
{
	if (text == NULL)
		return VL_ERR_NOMEM;
	if (c->n == VALUES_MOST)
		return vl_fail(why, VL_ERR_INVALID, "more than %d values", VALUES_MOST);
	c->values[c->n].text = text;
	c->values[c->n].value =
		(struct vl_ask_value){.form = VL_ASK_TEXT, .bytes = vl_bytes_of(text)};
	if (c->term.cell >= 0 || c->what == HAS) {
		c->n++;
		return VL_OK;
	}
	enum vl_err err = vl_ask_parse(c->term.field.column, text, now, c->values[c->n].room,
				       &c->values[c->n].value, why);
	c->n++;
	return err;
}

static enum vl_err add_values(struct vl_ask_condition *c, const char *text, struct vl_time now,
			      struct vl_arena *arena, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	for (bool more = true; more && err == VL_OK;) {
		size_t length = strcspn(text, c->what == AMONG ? "," : "");
		err = add_value(c, copy_trimmed(arena, text, text + length), now, why);
		more = text[length] != '\0';
		text += length + more;
	}
	return err;
}

enum vl_err vl_ask_condition_parse(const struct vl_ask_kind *of, const char *text,
				   struct vl_time now, struct vl_arena *arena,
				   struct vl_ask_condition **condition, struct vl_why *why)
{
	size_t sign = 0;
	const char *at = find_sign(text, &sign);

	if (at == NULL || at == text)
		return vl_fail(
			why, VL_ERR_INVALID,
			"'%.60s' is no condition; write FIELD=VALUE, or with <, >, ~, 'in A,B'",
			text);
	struct vl_ask_condition *c = vl_arena_alloc(arena, sizeof(*c));
	const char *name = copy_trimmed(arena, text, at);
	*condition = c;
	if (c == NULL || name == NULL)
		return VL_ERR_NOMEM;
	c->what = signs[sign].what;
	enum vl_err err = vl_ask_term_find(of, name, &c->term, why);
	return err == VL_OK ? add_values(c, at + strlen(signs[sign].text), now, arena, why) : err;
}

static bool is_said(const struct vl_ask_value *value)
{
	if (value->none)
		return false;
	if (value->form == VL_ASK_TEXT || value->form == VL_ASK_ID)
		return value->bytes.size > 0;
	return value->form != VL_ASK_WORD || value->number != 0;
}

/* What is written as text in a column of `ls`: its numbers and times count as such. */
static void read_cell(const char *text, struct vl_ask_value *value)
{
	size_t length = strcspn(text, " ");
	char *end;

	*value = (struct vl_ask_value){
		.form = VL_ASK_TEXT, .bytes = vl_bytes_of(text), .none = text[0] == '\0'};
	if (vl_when_stated(text, length, &value->time)) {
		value->form = VL_ASK_TIME;
		return;
	}
	value->number = strtoll(text, &end, 10);
	if (end != text && *end == '\0')
		value->form = VL_ASK_NUMBER;
}

/* Values of two forms have no order but that of the forms. */
static int compare(const struct vl_ask_value *a, const struct vl_ask_value *b)
{
	if (!a->none && !b->none && a->form != b->form)
		return (int)a->form - (int)b->form;
	return vl_ask_compare(a, b);
}

static bool fits_one(enum comparison what, const struct vl_ask_value *value,
		     const struct vl_ask_value *wanted)
{
	if (what == EQUAL || what == UNEQUAL || what == AMONG) {
		if (!is_said(wanted) || !is_said(value))
			return is_said(wanted) == is_said(value);
		return compare(value, wanted) == 0;
	}
	if (!is_said(value) || value->form != wanted->form)
		return false;
	int order = compare(value, wanted);
	return what == LESS      ? order < 0
	       : what == AT_MOST ? order <= 0
	       : what == GREATER ? order > 0
				 : order >= 0;
}

static bool fits_value(const struct vl_ask_condition *c, const struct vl_ask_value *value)
{
	for (size_t i = 0; i < c->n; i++)
		if (fits_one(c->what, value, &c->values[i].value))
			return true;
	return false;
}

/* A column as it is printed: as a text where it is asked for as such. */
static bool fits_cell(const struct vl_ask_condition *c, const char *text)
{
	struct vl_ask_value value, wanted;
	bool by_text = c->what == EQUAL || c->what == UNEQUAL || c->what == AMONG;

	for (size_t i = 0; i < c->n; i++) {
		read_cell(text, &value);
		read_cell(c->values[i].text, &wanted);
		if (by_text ? strcasecmp(text, c->values[i].text) == 0
			    : fits_one(c->what, &value, &wanted))
			return true;
	}
	return false;
}

static bool has_text(const struct vl_ask_condition *c, const struct vl_ask_row *row,
		     struct vl_buf *room)
{
	vl_buf_reset(room);
	vl_ask_term_print(&c->term, row, room);
	return strcasestr(vl_buf_text(room), c->values[0].text) != NULL;
}

bool vl_ask_fits(const struct vl_ask_condition *c, const struct vl_ask_row *row,
		 struct vl_buf *room)
{
	struct vl_ask_walk walk;
	struct vl_ask_value value = {.form = VL_ASK_TEXT, .none = true};
	bool fits = false;

	if (c->what == HAS)
		return has_text(c, row, room);
	if (c->term.cell >= 0) {
		vl_buf_reset(room);
		vl_ask_term_print(&c->term, row, room);
		return fits_cell(c, vl_buf_text(room)) != (c->what == UNEQUAL);
	}
	bool more = vl_ask_first(&walk, c->term.field.table, row->message);
	if (!more)
		fits = fits_value(c, &value); /* an empty list is unset */
	for (; more && !fits; more = vl_ask_next(&walk)) {
		vl_ask_read(&walk, c->term.field.column, row->key, &value);
		fits = fits_value(c, &value);
	}
	return fits != (c->what == UNEQUAL);
}

/* -- order -- */

enum vl_err vl_ask_order_parse(const struct vl_ask_kind *of, const char *text,
			       struct vl_ask_order *order, struct vl_why *why)
{
	*order = (struct vl_ask_order){.down = text[0] == '-'};
	return vl_ask_term_find(of, text + order->down, &order->term, why);
}

size_t vl_ask_urgency(const struct vl_ask_kind *of, struct vl_ask_order orders[VL_ASK_ORDERS])
{
	static const struct {
		const char *name;
		bool down;
		const char *has;
	} urgent[] = {
		{"DUE", false, "overdue"}, {"priority", false, NULL}, {"colour", true, NULL},
		{"HELP OPEN", true, NULL}, {"unsettled", true, NULL}, {"DUE", false, NULL},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(urgent) / sizeof(urgent[0]) && n < VL_ASK_ORDERS; i++) {
		struct vl_ask_order order = {.down = urgent[i].down, .has = urgent[i].has};
		order.term.of = of;
		order.term.cell = cell_named(of, urgent[i].name, false);
		if (order.term.cell >= 0 || find_field(of, urgent[i].name, &order.term.field))
			orders[n++] = order;
	}
	return n;
}

static bool keep_bytes(struct vl_ask_value *value, struct vl_arena *arena)
{
	if (value->form != VL_ASK_TEXT && value->form != VL_ASK_ID)
		return true;
	value->bytes.data =
		(const uint8_t *)vl_arena_text(arena, value->bytes.data, value->bytes.size);
	return value->bytes.data != NULL;
}

static bool sort_key(const struct vl_ask_order *order, const struct vl_ask_row *row,
		     struct vl_arena *arena, struct vl_buf *room, struct vl_ask_value *key)
{
	struct vl_ask_walk walk;
	struct vl_ask_value value;

	*key = (struct vl_ask_value){.form = VL_ASK_TEXT, .none = true};
	if (order->term.cell >= 0) {
		vl_buf_reset(room);
		vl_ask_term_print(&order->term, row, room);
		const char *text = vl_buf_text(room);
		if (order->has != NULL)
			*key = (struct vl_ask_value){.form = VL_ASK_YESNO,
						     .none = strstr(text, order->has) == NULL};
		else
			read_cell(text, key);
		return key->none || keep_bytes(key, arena);
	}
	for (bool more = vl_ask_first(&walk, order->term.field.table, row->message); more;
	     more = vl_ask_next(&walk)) {
		vl_ask_read(&walk, order->term.field.column, row->key, &value);
		if (is_said(&value) && (key->none || compare(&value, key) < 0))
			*key = value;
	}
	return key->none || keep_bytes(key, arena);
}

struct vl_ask_value *vl_ask_sort_keys(const struct vl_ask_order *orders, size_t n,
				      const struct vl_ask_row *row, struct vl_arena *arena,
				      struct vl_buf *room)
{
	struct vl_ask_value *keys = vl_arena_alloc(arena, (n + 1) * sizeof(*keys));

	for (size_t i = 0; i < n && keys != NULL; i++)
		if (!sort_key(&orders[i], row, arena, room, &keys[i]))
			return NULL;
	return keys;
}

int vl_ask_sort_compare(const struct vl_ask_order *orders, size_t n, const struct vl_ask_value *a,
			const struct vl_ask_value *b)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i].none || b[i].none) {
			if (a[i].none != b[i].none)
				return (int)a[i].none - (int)b[i].none;
			continue;
		}
		int order = compare(&a[i], &b[i]);
		if (order != 0)
			return orders[i].down ? -order : order;
	}
	return 0;
}

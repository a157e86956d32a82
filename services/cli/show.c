#include "ask/value.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/unicode.h"
#include "bus/json.h"
#include "bus/wire.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/views.h"
#include "cli/zone.h"
#include "hq/fold/bind.h"
#include "hq/fold/fold.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <valise/v1/batch.pb-c.h>
#include <valise/v1/view.pb-c.h>

#define VIOLATIONS "violations"

struct entity {
	const struct vl_view *view;
	size_t index; /* of the view */
	unsigned kind;
	const char *key;
	char room[VL_ENTITY_MAX + 1];
	bool damaged; /* its row is: then there is none */
	const ProtobufCMessage *row;
	struct vl_history_item *history;
	size_t n_history, n_damaged;
	struct vl_arena *arena;
	struct vl_bound *bound;
	struct vl_ask_tables *tables;
};

/* -- finding it -- */

static bool take_row(struct entity *e, struct vl_txn *txn, unsigned kind)
{
	struct vl_bytes value;
	struct vl_key key;

	vl_row_key(&key, kind, e->key);
	enum vl_err err =
		vl_txn_find(txn, vl_view_db(e->index, VL_VIEW_ROW), vl_key_done(&key), &value);
	if (err != VL_OK && err != VL_ERR_CORRUPT)
		return false;
	e->kind = kind;
	e->damaged = err == VL_ERR_CORRUPT;
	if (e->damaged)
		return true;
	e->row = vl_wire_unpack(e->view->kinds[kind].row, value, e->arena);
	return true;
}

/* The rows of a kind are looked through for a key like the one that was asked for, but not more
 * of them than this. */
#define NEAR_MOST 100000

/* A character that is invisible, or looks like a plain blank. */
static bool is_hidden(uint32_t c)
{
	return vl_character_unsafe(c) || c == 0xa0 || c == 0xad || (c >= 0x2000 && c <= 0x200d) ||
	       c == 0x202f || c == 0x3000;
}

/* Whether the key would be the other one, but for invisible characters. */
static bool looks_like(const char *key, const char *asked)
{
	size_t left = strlen(key), length;

	for (; left > 0; key += length, left -= length) {
		if (is_hidden(vl_character(key, left, &length)))
			continue;
		if (strncmp(asked, key, length) != 0)
			return false;
		asked += length;
	}
	return *asked == '\0';
}

/* How far a key is from the one that was asked for: one that only looks like it is nearest of
 * all. */
static size_t apart(const char *key, const char *asked)
{
	if (looks_like(key, asked))
		return 0;
	return cli_nearest(asked, &key, 1) != NULL ? 1 + cli_distance(asked, key) : SIZE_MAX;
}

/* A key of the kind that is like it, as a person may see it, in `shown`; false where there is
 * none. */
static bool find_near(struct vl_txn *txn, const struct entity *e, unsigned kind,
		      struct vl_buf *shown)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(e->index, VL_VIEW_ROW));
	struct vl_bytes found, value;
	struct vl_key prefix;
	size_t best = SIZE_MAX, n = 0;

	vl_row_key(&prefix, kind, "");
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &found, &value);
	     more && n++ < NEAR_MOST && vl_key_has_prefix(found, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &found, &value)) {
		/* A byte for the kind, then the key and a NUL. */
		const char *key = (const char *)found.data + 1;
		size_t far = apart(key, e->key);
		if (far >= best)
			continue;
		best = far;
		vl_buf_reset(shown);
		vl_name_put(shown, vl_bytes_of(key));
	}
	vl_cursor_close(cursor);
	vl_buf_put_byte(shown, '\0');
	return best != SIZE_MAX && !vl_buf_failed(shown);
}

static enum vl_err not_found(const struct entity *e, const struct cli_options *options,
			     struct vl_txn *txn, unsigned kind, struct vl_why *why)
{
	struct vl_buf near = {0};
	bool found = find_near(txn, e, kind, &near);

	(void)vl_fail(why, VL_ERR_NOT_FOUND,
		      "no such %s; %s%s%s'valise %s ls%s%s --all' lists the keys",
		      options->kind != NULL ? options->kind : options->command,
		      found ? "did you mean '" : "", found ? (const char *)near.data : "",
		      found ? "'? " : "", options->command, options->kind != NULL ? " " : "",
		      options->kind != NULL ? options->kind : "");
	vl_buf_free(&near);
	return VL_ERR_NOT_FOUND;
}

static enum vl_err find(struct entity *e, const struct cli_options *options, struct vl_txn *txn,
			struct vl_why *why)
{
	unsigned kind;

	enum vl_err err = cli_views_kind(e->view, options->kind, &kind, why);
	if (err != VL_OK)
		return err;
	bool found = take_row(e, txn, kind);
	for (unsigned i = e->view->n_kinds; options->kind == NULL && !found && i-- > 0;)
		found = take_row(e, txn, i);
	if (vl_txn_err(txn) != VL_OK)
		return vl_txn_explain(txn, why);
	if (!found)
		return not_found(e, options, txn, kind, why);
	return e->row != NULL || e->damaged
		       ? vl_history_read(txn, e->index, e->kind, e->key, e->arena, &e->history,
					 &e->n_history, &e->n_damaged)
		       : VL_ERR_NOMEM;
}

/* -- for people -- */

/* A rule's words in the view's declaration; NULL where it stands in C alone. */
static const char *words_of(const struct vl_kind *kind, const char *rule)
{
	for (const struct vl_rule *r = kind->rules; r != NULL && r->id != NULL; r++)
		if (strcmp(r->id, rule) == 0)
			return r->text;
	return NULL;
}

static void print_violation(const struct vl_kind *kind, const Valise__V1__Violation *violation,
			    struct vl_buf *out)
{
	const char *words = words_of(kind, violation->rule);
	char id[VL_UUID_TEXT];

	vl_buf_put_text(out, "  ");
	cli_cell(out, violation->rule, strlen(violation->rule), 5, false);
	if (words != NULL && strcmp(words, violation->detail) != 0)
		vl_buf_printf(out, "%s: ", words);
	cli_cell(out, violation->detail, strlen(violation->detail), 0, false);
	if (violation->event.len == 16)
		vl_buf_printf(out, " (event %s)", vl_uuid_format(violation->event.data, id));
	vl_buf_put_byte(out, '\n');
}

static void print_violations(const struct vl_kind *kind, const ProtobufCMessage *row,
			     struct vl_buf *out)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(row->descriptor, VIOLATIONS);

	if (field == NULL || field->label != PROTOBUF_C_LABEL_REPEATED ||
	    field->descriptor != &valise__v1__violation__descriptor)
		return;
	const char *base = (const char *)row;
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	Valise__V1__Violation *const *items =
		*(Valise__V1__Violation * *const *)(const void *)(base + field->offset);
	vl_buf_printf(out, count > 0 ? "\nVIOLATIONS\n" : "\nno violations\n");
	for (size_t i = 0; i < count; i++)
		print_violation(kind, items[i], out);
}

static const char *short_name(const ProtobufCMessage *payload)
{
	return payload != NULL ? payload->descriptor->short_name : "";
}

static void print_history(const struct entity *e, struct vl_buf *out)
{
	static const char *const titles[] = {"TIME", "MISSION", "EPOCH", "BATCH", "EVENT",
					     "ID",   "ACTOR",   "TYPE",  "SAID"};
	struct cli_table *table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	char text[VL_TIME_TEXT], id[VL_UUID_TEXT];
	struct vl_buf said = {0};

	if (table == NULL)
		return;
	for (size_t i = 0; i < e->n_history; i++) {
		const struct vl_history_item *item = &e->history[i];
		vl_buf_reset(&said);
		if (item->fact.payload != NULL)
			cli_pretty_line(item->fact.payload, &said);
		cli_table_put(table, cli_zone_format(item->fact.occurred_at, text));
		cli_table_put(table, item->fact.mission);
		cli_table_printf(table, "%" PRIu64, item->place.epoch.n);
		cli_table_printf(table, "%" PRIu64, item->place.seq.n);
		cli_table_printf(table, "%" PRIu64, item->place.event.n);
		cli_table_put(table,
			      item->fact.id != NULL ? vl_uuid_format(item->fact.id, id) : "");
		cli_table_put(table, item->fact.actor != NULL ? item->fact.actor : "");
		cli_table_put(table, short_name(item->fact.payload));
		cli_table_put_bytes(table, vl_buf_bytes(&said));
	}
	vl_buf_free(&said);
	vl_buf_put_byte(out, '\n');
	cli_table_print(table, cli_bold(), out);
	cli_table_close(table);
}

/* -- what is due -- */

/* Whether the view says that something is due; true where it has no column for it. */
static bool has_due(const struct entity *e, struct vl_time now)
{
	const struct vl_column *columns = e->view->kinds[e->kind].columns;
	struct vl_buf cell = {0};
	bool due = true;

	for (size_t i = 0; columns[i].title != NULL; i++)
		if (strcmp(columns[i].title, "DUE") == 0) {
			vl_bound_cell(e->bound, e->kind, i, e->key, e->row, now, &cell);
			due = cell.size > 0 && cell.data[0] >= '0' && cell.data[0] <= '9';
		}
	vl_buf_free(&cell);
	return due;
}

/* A value of a clock, by its column's name; none where clocks of this kind have no such column. */
static struct vl_ask_value clock_value(const struct vl_ask_walk *walk, const char *name)
{
	struct vl_ask_value value = {.none = true};

	for (size_t i = 0; i < walk->table->n_columns; i++)
		if (strcmp(walk->table->columns[i].name, name) == 0)
			vl_ask_read(walk, &walk->table->columns[i], "", &value);
	return value;
}

static void print_clock(const struct vl_ask_walk *walk, struct vl_time now, struct vl_buf *out)
{
	struct vl_ask_value due = clock_value(walk, "due_at"), name = clock_value(walk, "clock");
	char text[VL_TIME_TEXT];

	if (due.none || !clock_value(walk, "met_at").none || !clock_value(walk, "void_at").none)
		return;
	if (name.none)
		name = clock_value(walk, "name");
	vl_buf_put_text(out, "  ");
	cli_cell(out, (const char *)name.bytes.data, name.bytes.size, 20, false);
	vl_buf_printf(out, " %s%s\n", cli_zone_format(due.time, text),
		      vl_time_compare(due.time, now) < 0 ? " overdue" : "");
}

/* Each time limit that is neither met nor void. */
static void print_due(const struct entity *e, struct vl_buf *out)
{
	struct vl_time now = vl_clock_now(&vl_clock_system);
	struct vl_buf lines = {0};
	struct vl_ask_field due;
	struct vl_ask_walk walk;

	if (!vl_ask_field_find(e->tables, e->index, e->kind, "clocks_due_at", &due) ||
	    !has_due(e, now))
		return;
	for (bool more = vl_ask_first(&walk, due.table, e->row); more; more = vl_ask_next(&walk))
		print_clock(&walk, now, &lines);
	vl_buf_put_text(out, lines.size > 0 ? "\nDUE\n" : "");
	vl_buf_put(out, lines.data, lines.size);
	vl_buf_free(&lines);
}

static void print_entity(const struct entity *e, struct vl_buf *out)
{
	vl_buf_printf(out, "%s ", e->view->kinds[e->kind].name);
	vl_name_put(out, vl_bytes_of(e->key));
	vl_buf_printf(out, "  %s\n\n", e->view->lane);
	if (e->row != NULL) {
		cli_pretty(e->row, VIOLATIONS, out);
		print_due(e, out);
		print_violations(&e->view->kinds[e->kind], e->row, out);
	} else {
		vl_buf_put_text(out, "its row is damaged in the views; valise-hq makes it "
				     "again while it runs\n");
	}
	if (e->n_history > 0)
		print_history(e, out);
}

/* -- for programs -- */

static void print_item_json(const struct entity *e, const struct vl_history_item *item,
			    struct vl_buf *out)
{
	const ProtobufCMessage *event =
		vl_wire_unpack(&valise__v1__event__descriptor, item->bytes, e->arena);
	char uuid[VL_UUID_TEXT];

	vl_buf_put_text(out, "{\"mission\":");
	vl_json_print_text(out, item->fact.mission, strlen(item->fact.mission));
	vl_buf_printf(out,
		      ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64 "\",\"eventNo\":\"%" PRIu64
		      "\"",
		      item->place.epoch.n, item->place.seq.n, item->place.event.n);
	if (item->fact.id != NULL)
		vl_buf_printf(out, ",\"uuid\":\"%s\"", vl_uuid_format(item->fact.id, uuid));
	if (event != NULL) {
		vl_buf_put_text(out, ",\"event\":");
		vl_json_print(event, out);
	}
	vl_buf_put_byte(out, '}');
}

static void print_entity_json(const struct entity *e, struct vl_buf *out)
{
	vl_buf_put_text(out, "{\"key\":");
	vl_json_print_text(out, e->key, strlen(e->key));
	vl_buf_printf(out,
		      ",\"kind\":\"%s\",\"lane\":\"%s\",\"row\":", e->view->kinds[e->kind].name,
		      e->view->lane);
	if (e->row != NULL)
		vl_json_print(e->row, out);
	else
		vl_buf_put_text(out, "null,\"damaged\":true");
	vl_buf_put_text(out, ",\"history\":[");
	for (size_t i = 0; i < e->n_history; i++) {
		vl_buf_put_text(out, i > 0 ? "," : "");
		print_item_json(e, &e->history[i], out);
	}
	vl_buf_put_text(out, "]}\n");
}

int cli_show(const struct cli_options *options)
{
	struct entity e = {.arena = vl_arena_open(0)};
	struct cli_views views = {0};
	struct vl_why why = {0};
	struct vl_buf out = {0};
	enum vl_err err = e.arena != NULL ? VL_OK : VL_ERR_NOMEM;

	e.index = (size_t)vl_view_of_noun(options->command);
	e.view = vl_views[e.index];
	e.key = vl_entity_key(options->args[0], e.room);
	if (err == VL_OK)
		err = cli_zone_set(options->zone, &why);
	if (err == VL_OK)
		err = vl_view_bind_one(e.view, &e.bound, &why);
	if (err == VL_OK && (e.tables = vl_ask_tables_open()) == NULL)
		err = VL_ERR_NOMEM;
	if (err == VL_OK)
		err = cli_views_open(options, &views, &why);
	if (err == VL_OK)
		err = find(&e, options, views.txn, &why);
	if (err == VL_OK && options->json)
		print_entity_json(&e, &out);
	else if (err == VL_OK)
		print_entity(&e, &out);
	cli_views_close(&views);
	if (err == VL_OK && (vl_buf_failed(&out) || vl_arena_failed(e.arena)))
		err = VL_ERR_NOMEM;
	int code = err == VL_OK ? CLI_OK : cli_cannot("show", options->args[0], &why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	if (err == VL_OK && e.n_damaged > 0)
		code = cli_views_damaged("events of it", e.n_damaged);
	if (err == VL_OK && e.damaged)
		code = cli_views_damaged("rows", 1);
	vl_buf_free(&out);
	vl_view_unbind(e.bound);
	vl_ask_tables_close(e.tables);
	vl_arena_close(e.arena);
	return code;
}

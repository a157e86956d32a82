#include "base/buf.h"
#include "base/text.h"
#include "base/unicode.h"
#include "bus/json.h"
#include "bus/wire.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/fold.h"

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
	const ProtobufCMessage *row;
	struct vl_history_item *history;
	size_t n_history, n_damaged;
	struct vl_arena *arena;
};

/* -- finding it -- */

static bool take_row(struct entity *e, struct vl_txn *txn, unsigned kind)
{
	struct vl_bytes value;
	struct vl_key key;

	vl_row_key(&key, kind, e->key);
	if (!vl_txn_get(txn, vl_view_db(e->index, VL_VIEW_ROW), vl_key_done(&key), &value))
		return false;
	e->kind = kind;
	e->row = vl_wire_unpack(e->view->kinds[kind].row, value, e->arena);
	return true;
}

/* The rows of a kind are looked through for a key like the one that was asked for, but not more of them than this. */
#define NEAR_MOST 100000

/* A character that nobody sees, or takes for a plain blank. */
static bool is_hidden(uint32_t c)
{
	return vl_character_unsafe(c) || c == 0xa0 || c == 0xad || (c >= 0x2000 && c <= 0x200d) || c == 0x202f ||
	       c == 0x3000;
}

/* Whether the key would be the other one, but for what nobody sees. */
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

/* How far a key is from the one that was asked for: one that only looks like it is nearest of all. */
static size_t apart(const char *key, const char *asked)
{
	if (looks_like(key, asked))
		return 0;
	return cli_nearest(asked, &key, 1) != NULL ? 1 + cli_distance(asked, key) : SIZE_MAX;
}

/* A key of the kind that is like it, as a person may see it, in `shown`; false where there is none. */
static bool find_near(struct vl_txn *txn, const struct entity *e, unsigned kind, struct vl_buf *shown)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(e->index, VL_VIEW_ROW));
	struct vl_bytes found, value;
	struct vl_key prefix;
	size_t best = SIZE_MAX, n = 0;

	vl_row_key(&prefix, kind, "");
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

static enum vl_err not_found(const struct entity *e, const struct cli_options *options, struct vl_txn *txn,
			     unsigned kind, struct vl_why *why)
{
	struct vl_buf near = {0};
	bool found = find_near(txn, e, kind, &near);

	(void)vl_fail(why, VL_ERR_NOT_FOUND, "no such %s; %s%s%s'valise %s ls%s%s --all' lists what there is",
		      options->kind != NULL ? options->kind : options->command, found ? "did you mean '" : "",
		      found ? (const char *)near.data : "", found ? "'? " : "", options->command,
		      options->kind != NULL ? " " : "", options->kind != NULL ? options->kind : "");
	vl_buf_free(&near);
	return VL_ERR_NOT_FOUND;
}

static enum vl_err find(struct entity *e, const struct cli_options *options, struct vl_txn *txn, struct vl_why *why)
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
	return e->row != NULL ? vl_history_read(txn, e->index, e->kind, e->key, e->arena, &e->history, &e->n_history,
						&e->n_damaged)
			      : VL_ERR_NOMEM;
}

/* -- for people -- */

static void print_violations(const ProtobufCMessage *row, struct vl_buf *out)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(row->descriptor, VIOLATIONS);
	char id[VL_UUID_TEXT];

	if (field == NULL || field->label != PROTOBUF_C_LABEL_REPEATED ||
	    field->descriptor != &valise__v1__violation__descriptor)
		return;
	const char *base = (const char *)row;
	size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
	Valise__V1__Violation *const *items = *(Valise__V1__Violation * *const *)(const void *)(base + field->offset);
	vl_buf_printf(out, count > 0 ? "\nVIOLATIONS\n" : "\nno violations\n");
	for (size_t i = 0; i < count; i++) {
		vl_buf_put_text(out, "  ");
		cli_cell(out, items[i]->rule, strlen(items[i]->rule), 5, false);
		cli_cell(out, items[i]->detail, strlen(items[i]->detail), 0, false);
		if (items[i]->event.len == 16)
			vl_buf_printf(out, " (event %s)", vl_uuid_format(items[i]->event.data, id));
		vl_buf_put_byte(out, '\n');
	}
}

static const char *short_name(const ProtobufCMessage *payload)
{
	return payload != NULL ? payload->descriptor->short_name : "";
}

static void print_history(const struct entity *e, struct vl_buf *out)
{
	static const char *const titles[] = {"TIME", "MISSION", "EPOCH", "BATCH", "EVENT", "TYPE", "ACTOR", "ID"};
	struct cli_table *table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	char text[VL_TIME_TEXT], id[VL_UUID_TEXT];

	if (table == NULL)
		return;
	for (size_t i = 0; i < e->n_history; i++) {
		const struct vl_history_item *item = &e->history[i];
		cli_table_put(table, vl_time_format(item->fact.occurred_at, text));
		cli_table_put(table, item->fact.mission);
		cli_table_printf(table, "%" PRIu64, item->place.epoch.n);
		cli_table_printf(table, "%" PRIu64, item->place.seq.n);
		cli_table_printf(table, "%" PRIu64, item->place.event.n);
		cli_table_put(table, short_name(item->fact.payload));
		cli_table_put(table, item->fact.actor != NULL ? item->fact.actor : "");
		cli_table_put(table, item->fact.id != NULL ? vl_uuid_format(item->fact.id, id) : "");
	}
	vl_buf_put_byte(out, '\n');
	cli_table_print(table, cli_bold(), out);
	cli_table_close(table);
}

static void print_entity(const struct entity *e, struct vl_buf *out)
{
	vl_buf_printf(out, "%s ", e->view->kinds[e->kind].name);
	vl_name_put(out, vl_bytes_of(e->key));
	vl_buf_printf(out, "  %s\n\n", e->view->lane);
	cli_pretty(e->row, VIOLATIONS, out);
	print_violations(e->row, out);
	if (e->n_history > 0)
		print_history(e, out);
}

/* -- for programs -- */

static void print_item_json(const struct entity *e, const struct vl_history_item *item, struct vl_buf *out)
{
	const ProtobufCMessage *event = vl_wire_unpack(&valise__v1__event__descriptor, item->bytes, e->arena);
	char uuid[VL_UUID_TEXT];

	vl_buf_put_text(out, "{\"mission\":");
	vl_json_print_text(out, item->fact.mission, strlen(item->fact.mission));
	vl_buf_printf(out, ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64 "\",\"eventNo\":\"%" PRIu64 "\"",
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
	vl_buf_printf(out, ",\"kind\":\"%s\",\"lane\":\"%s\",\"row\":", e->view->kinds[e->kind].name, e->view->lane);
	vl_json_print(e->row, out);
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
	vl_buf_free(&out);
	vl_arena_close(e.arena);
	return code;
}

#include "ask/value.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/unicode.h"
#include "bus/json.h"
#include "bus/wire.h"
#include "cli/cli.h"
#include "cli/entity.h"
#include "cli/table.h"
#include "cli/views.h"
#include "cli/zone.h"
#include "hq/fold/bind.h"
#include "hq/fold/fold.h"
#include "hq/fold/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <valise/v1/batch.pb-c.h>
#include <valise/v1/view.pb-c.h>

#define VIOLATIONS "violations"

/* -- for people -- */

static void print_violation(const struct cli_entity *e, const Valise__V1__Violation *violation,
			    struct vl_buf *out)
{
	const char *words = vl_bound_rule_words(e->bound, e->kind, violation->rule);
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

static void print_violations(const struct cli_entity *e, struct vl_buf *out)
{
	const ProtobufCMessage *row = e->row;
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
		print_violation(e, items[i], out);
}

static const char *short_name(const ProtobufCMessage *payload)
{
	return payload != NULL ? payload->descriptor->short_name : "";
}

static void print_history(const struct cli_entity *e, struct vl_buf *out)
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
static bool has_due(const struct cli_entity *e, struct vl_time now)
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
static void print_due(const struct cli_entity *e, struct vl_time now, struct vl_buf *out)
{
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

static void print_entity(const struct cli_entity *e, const struct cli_views *views,
			 struct vl_buf *out)
{
	cli_entity_title(e, views, out);
	if (e->row != NULL) {
		cli_pretty(e->row, VIOLATIONS, out);
		print_due(e, views->now, out);
		print_violations(e, out);
	} else {
		vl_buf_put_text(out, "its row is damaged in the views; valise-hq makes it "
				     "again while it runs\n");
	}
	if (e->n_history > 0)
		print_history(e, out);
}

/* -- for programs -- */

static void print_item_json(const struct cli_entity *e, const struct vl_history_item *item,
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

static void print_entity_json(const struct cli_entity *e, const struct cli_views *views,
			      struct vl_buf *out)
{
	vl_buf_put_text(out, "{\"key\":");
	vl_json_print_text(out, e->key, strlen(e->key));
	vl_buf_printf(out, ",\"kind\":\"%s\",\"lane\":\"%s\"", e->view->kinds[e->kind].name,
		      e->view->lane);
	cli_views_put_json(views, out);
	vl_buf_put_text(out, ",\"row\":");
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
	struct cli_entity e = {0};
	struct cli_views views = {0};
	struct vl_why why = {0};
	struct vl_buf out = {0};

	enum vl_err err = cli_entity_open(&e, options, &views, &why);
	if (err == VL_OK && options->json)
		print_entity_json(&e, &views, &out);
	else if (err == VL_OK)
		print_entity(&e, &views, &out);
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
	if (err == VL_OK)
		code = cli_views_end(&views, code);
	vl_buf_free(&out);
	cli_entity_close(&e);
	return code;
}

/*
 * `valise NOUN why KEY FIELD`: the signed events behind one field of a row, and what others add.
 */
#include "ask/reasons.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/unicode.h"
#include "bus/json.h"
#include "cli/entity.h"
#include "cli/table.h"
#include "cli/views.h"
#include "cli/zone.h"

#include <inttypes.h>
#include <string.h>

#define ADDS 20 /* where --limit does not say otherwise */

struct answer {
	struct cli_entity *e;
	struct cli_views *views;
	struct vl_ask_kind of;
	struct vl_ask_probe probe;
	struct vl_reasons reasons;
	const char *field; /* as it was asked for */
};

static const char *const roles[] = {
	[VL_REASON_NONE] = "",           [VL_REASON_PART] = "part of it",
	[VL_REASON_IN_VAIN] = "no more", [VL_REASON_MATTERS] = "matters",
	[VL_REASON_ADDS] = "adds",       [VL_REASON_DECIDES] = "decides",
};

static bool is_rule(const struct answer *a)
{
	return a->probe.form == VL_PROBE_RULE;
}

static const struct vl_kind *kind_of(const struct answer *a)
{
	return &a->e->view->kinds[a->e->kind];
}

/* What the event says for the field, or, where no table says which part of it that is, all that is
 * not personal. */
static void put_said(const struct vl_reason_event *event, struct vl_buf *out)
{
	const ProtobufCMessage *payload = event->item->fact.payload;

	if (event->said.words[0] != '\0')
		vl_buf_put_text(out, event->said.words);
	else if (event->said.field != NULL)
		cli_pretty_field(payload, event->said.field, out);
	else
		cli_pretty_line(payload, out);
}

/* -- for people -- */

static void put_events(const struct answer *a, struct vl_buf *out)
{
	static const char *const titles[] = {"TIME",  "ROLE", "MISSION", "EPOCH", "BATCH",
					     "EVENT", "ID",   "TYPE",    "SAID"};
	struct cli_table *table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	char time[VL_TIME_TEXT], id[VL_UUID_TEXT];
	struct vl_buf said = {0};

	if (table == NULL) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < a->reasons.n_events; i++) {
		const struct vl_reason_event *event = &a->reasons.events[i];
		const struct vl_history_item *item = event->item;
		vl_buf_reset(&said);
		put_said(event, &said);
		cli_table_put(table, cli_zone_format(item->fact.occurred_at, time));
		cli_table_put(table, roles[event->role]);
		cli_table_put(table, item->fact.mission);
		cli_table_printf(table, "%" PRIu64, item->place.epoch.n);
		cli_table_printf(table, "%" PRIu64, item->place.seq.n);
		cli_table_printf(table, "%" PRIu64, item->place.event.n);
		cli_table_put(table, vl_uuid_format(item->fact.id, id));
		cli_table_put(table, item->fact.payload->descriptor->short_name);
		cli_table_put_bytes(table, vl_buf_bytes(&said));
	}
	out->failed = out->failed || !cli_table_whole(table) || vl_buf_failed(&said);
	vl_buf_free(&said);
	vl_buf_put_byte(out, '\n');
	cli_table_print(table, cli_bold(), out);
	cli_table_close(table);
}

static void put_adds(const struct answer *a, struct vl_buf *out)
{
	static const char *const titles[] = {"ADDED BY", "KEY", "TO", "AMOUNT"};
	struct cli_table *table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	const struct vl_reasons *r = &a->reasons;

	if (table == NULL) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < r->n_adds; i++) {
		cli_table_put(table, r->adds[i].kind);
		cli_table_put(table, r->adds[i].key);
		cli_table_put(table, r->adds[i].name);
		cli_table_printf(table, "%" PRId64, r->adds[i].amount);
	}
	out->failed = out->failed || !cli_table_whole(table);
	vl_buf_put_byte(out, '\n');
	cli_table_print(table, cli_bold(), out);
	vl_buf_printf(out, "%" PRIu64 " in all, which come to %" PRId64 "%s\n", r->adding, r->sum,
		      r->n_adds < r->adding ? "; --limit gives more of them" : "");
	if (r->not_all)
		vl_buf_printf(out, "of more than %" PRIu64 " rows only so many were looked at\n",
			      VL_REASON_ROWS);
	cli_table_close(table);
}

static void put_rows(const struct answer *a, struct vl_buf *out)
{
	for (size_t i = 0; i < a->reasons.n_rows; i++) {
		vl_buf_printf(out, "%s  %s %s ", i == 0 ? "\nREADS\n" : "",
			      vl_views[a->reasons.rows[i].view]->noun, a->reasons.rows[i].kind);
		vl_name_put(out, vl_bytes_of(a->reasons.rows[i].key));
		vl_buf_put_byte(out, '\n');
	}
}

/* The lines of the declaration. */
static void put_sources(const struct answer *a, struct vl_buf *out)
{
	for (const char *line = a->reasons.sources; *line != '\0';) {
		size_t size = strcspn(line, "\n");
		vl_buf_printf(out, "  %.*s\n", (int)size, line);
		line += size + (line[size] != '\0');
	}
	if (a->reasons.in_c)
		vl_buf_put_text(out, "  made by the view's own C\n");
}

static void put_notes(const struct answer *a, struct vl_buf *out)
{
	const struct vl_reasons *r = &a->reasons;

	if (r->whole)
		vl_buf_printf(out,
			      "\nit follows from the whole history, and no event of it makes the "
			      "difference alone: all %zu events\n",
			      r->n_history);
	else if (r->n_events == 0 && r->adding == 0 && r->n_rows == 0)
		vl_buf_printf(out, "\n%s\n",
			      is_rule(a) ? "nothing breaks it" : "no event says anything for it");
	if (r->many)
		vl_buf_printf(out,
			      "\nit has %zu events; of more than %zu it is not tried what the row "
			      "would be without each\n",
			      r->n_history, VL_REASON_FACTS);
}

static void put_value(const struct answer *a, struct vl_buf *out)
{
	const char *words =
		is_rule(a) ? vl_bound_rule_words(a->e->bound, a->e->kind, a->field) : NULL;

	vl_buf_printf(out, "%s: ", a->field);
	if (is_rule(a) && a->reasons.value[0] == '\0')
		vl_buf_printf(out, "not broken%s%s", words != NULL ? ": " : "",
			      words != NULL ? words : "");
	else
		cli_cell(out, a->reasons.value, strlen(a->reasons.value), 0, false);
	vl_buf_put_byte(out, '\n');
}

static void put_answer(const struct answer *a, struct vl_buf *out)
{
	cli_entity_title(a->e, a->views, out);
	put_value(a, out);
	put_sources(a, out);
	put_notes(a, out);
	if (a->reasons.n_events > 0)
		put_events(a, out);
	if (a->reasons.adding > 0)
		put_adds(a, out);
	put_rows(a, out);
}

/* -- for programs -- */

static void put_event_json(const struct answer *a, const struct vl_reason_event *event,
			   struct vl_buf *out)
{
	const struct vl_history_item *item = event->item;
	char time[VL_TIME_TEXT], id[VL_UUID_TEXT];
	struct vl_buf said = {0};

	put_said(event, &said);
	vl_buf_printf(out, "{\"role\":\"%s\"", roles[event->role]);
	cli_put_json_text(out, "mission", vl_bytes_of(item->fact.mission));
	cli_put_json_text(out, "lane", vl_bytes_of(a->e->view->lane));
	vl_buf_printf(out,
		      ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64 "\",\"eventNo\":\"%" PRIu64
		      "\"",
		      item->place.epoch.n, item->place.seq.n, item->place.event.n);
	cli_put_json_text(out, "uuid", vl_bytes_of(vl_uuid_format(item->fact.id, id)));
	cli_put_json_text(out, "type", vl_bytes_of(item->fact.payload->descriptor->short_name));
	cli_put_json_text(out, "occurredAt",
			  vl_bytes_of(vl_time_format(item->fact.occurred_at, time)));
	cli_put_json_text(out, "said", vl_buf_bytes(&said));
	vl_buf_put_byte(out, '}');
	out->failed = out->failed || vl_buf_failed(&said);
	vl_buf_free(&said);
}

static void put_add_json(const struct vl_reason_add *add, struct vl_buf *out)
{
	vl_buf_put_byte(out, '{');
	cli_put_json_text(out, "kind", vl_bytes_of(add->kind));
	cli_put_json_text(out, "key", vl_bytes_of(add->key));
	cli_put_json_text(out, "to", vl_bytes_of(add->name));
	vl_buf_printf(out, ",\"amount\":\"%" PRId64 "\"}", add->amount);
}

static void put_lists_json(const struct answer *a, struct vl_buf *out)
{
	const struct vl_reasons *r = &a->reasons;

	vl_buf_put_text(out, ",\"events\":[");
	for (size_t i = 0; i < r->n_events; i++) {
		vl_buf_put_text(out, i > 0 ? "," : "");
		put_event_json(a, &r->events[i], out);
	}
	vl_buf_put_text(out, "],\"adds\":[");
	for (size_t i = 0; i < r->n_adds; i++) {
		vl_buf_put_text(out, i > 0 ? "," : "");
		put_add_json(&r->adds[i], out);
	}
	vl_buf_put_text(out, "],\"rows\":[");
	for (size_t i = 0; i < r->n_rows; i++) {
		vl_buf_put_text(out, i > 0 ? ",{" : "{");
		cli_put_json_text(out, "lane", vl_bytes_of(vl_views[r->rows[i].view]->lane));
		cli_put_json_text(out, "kind", vl_bytes_of(r->rows[i].kind));
		cli_put_json_text(out, "key", vl_bytes_of(r->rows[i].key));
		vl_buf_put_byte(out, '}');
	}
	vl_buf_put_text(out, "]}\n");
}

static void put_answer_json(const struct answer *a, struct vl_buf *out)
{
	const struct vl_reasons *r = &a->reasons;

	vl_buf_put_byte(out, '{');
	cli_put_json_text(out, "key", vl_bytes_of(a->e->key));
	cli_put_json_text(out, "kind", vl_bytes_of(kind_of(a)->name));
	cli_put_json_text(out, "lane", vl_bytes_of(a->e->view->lane));
	cli_views_put_json(a->views, out);
	cli_put_json_text(out, is_rule(a) ? "rule" : "field", vl_bytes_of(a->field));
	cli_put_json_text(out, "value", vl_bytes_of(r->value));
	cli_put_json_text(out, "declared", vl_bytes_of(r->sources));
	vl_buf_printf(out,
		      ",\"inC\":%s,\"wholeHistory\":%s,\"history\":\"%zu\",\"adding\":\"%" PRIu64
		      "\",\"sum\":\"%" PRId64 "\"",
		      r->in_c ? "true" : "false", r->whole ? "true" : "false", r->n_history,
		      r->adding, r->sum);
	put_lists_json(a, out);
}

/* -- the verb -- */

static enum vl_err find(struct answer *a, const struct cli_options *options, struct vl_why *why)
{
	struct cli_entity *e = a->e;
	size_t most = options->limit > 0 ? (size_t)options->limit : ADDS;

	if (e->damaged)
		return vl_fail(why, VL_ERR_CORRUPT,
			       "its row is damaged in the views; valise-hq makes it again while it "
			       "runs");
	a->of = (struct vl_ask_kind){e->tables, e->bound, e->index, e->kind};
	a->field = options->args[1];
	enum vl_err err = vl_ask_probe_find(&a->of, e->row, a->field, &a->probe, why);
	if (err == VL_OK)
		err = vl_reasons_find(&a->probe, a->views->txn, e->key, a->views->now, most,
				      e->arena, &a->reasons);
	return err;
}

int cli_why(const struct cli_options *options)
{
	struct cli_entity e = {0};
	struct cli_views views = {0};
	struct answer a = {.e = &e, .views = &views};
	struct vl_why why = {0};
	struct vl_buf out = {0};

	enum vl_err err = cli_entity_open(&e, options, &views, &why);
	if (err == VL_OK)
		err = find(&a, options, &why);
	if (err == VL_OK && options->json)
		put_answer_json(&a, &out);
	else if (err == VL_OK)
		put_answer(&a, &out);
	cli_views_close(&views);
	if (err == VL_OK && (vl_buf_failed(&out) || vl_arena_failed(e.arena)))
		err = VL_ERR_NOMEM;
	int code = err == VL_OK ? CLI_OK : cli_cannot("explain", options->args[0], &why, err);
	if (err == VL_OK)
		cli_views_print(&out);
	if (err == VL_OK && a.reasons.n_damaged > 0)
		code = cli_views_damaged("events of it", a.reasons.n_damaged);
	if (err == VL_OK)
		code = cli_views_end(&views, code);
	vl_buf_free(&out);
	cli_entity_close(&e);
	return code;
}

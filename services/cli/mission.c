#include "base/buf.h"
#include "base/log.h"
#include "bus/json.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/ledger/unread.h"
#include "hq/watch/pulse_board.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct listing {
	const struct cli_options *options;
	const char *only;        /* this mission's lines; NULL for all */
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out, cell;
	/* struct vl_unread: what headquarters cannot read, or finds not as it relies on */
	struct vl_buf unread;
	size_t shown, damaged;
	bool deaf;
};

/* -- words -- */

static void put_instant(struct cli_table *table, int64_t ms)
{
	char time[VL_TIME_TEXT];

	cli_table_put(table, ms > 0 ? vl_time_format(vl_time_from_ms(ms), time) : "");
}

static void put_age(struct cli_table *table, uint64_t seconds)
{
	static const struct {
		uint64_t below, unit;
		char letter;
	} steps[] = {{120, 1, 's'}, {7200, 60, 'm'}, {172800, 3600, 'h'}, {UINT64_MAX, 86400, 'd'}};
	size_t i = 0;

	while (seconds >= steps[i].below && i < 3)
		i++;
	cli_table_printf(table, "%" PRIu64 "%c", seconds / steps[i].unit, steps[i].letter);
}

static void put_missing(struct vl_buf *out, const struct vl_missing *missing)
{
	if (missing->to.n > 0)
		vl_buf_printf(out, "%" PRIu64 "/%" PRIu64 "-%" PRIu64, missing->epoch.n,
			      missing->from.n, missing->to.n);
}

static void put_missing_json(struct vl_buf *out, const struct vl_missing *missing)
{
	if (missing->to.n > 0)
		vl_buf_printf(out,
			      ",\"missing\":{\"epoch\":\"%" PRIu64 "\",\"from\":\"%" PRIu64
			      "\",\"to\":\"%" PRIu64 "\"}",
			      missing->epoch.n, missing->from.n, missing->to.n);
}

static void put_instant_json(struct vl_buf *out, const char *name, int64_t ms)
{
	char time[VL_TIME_TEXT];

	if (ms > 0)
		vl_buf_printf(out, ",\"%s\":\"%s\"", name,
			      vl_time_format(vl_time_from_ms(ms), time));
}

static void put_named(struct vl_buf *out, const char *before, const char *text)
{
	vl_buf_put_text(out, before);
	vl_json_print_text(out, text, strlen(text));
}

/* -- unreadable parts: their sender is unknown -- */

#define UNREAD_SHOWN 20

static void keep_unread(void *context, const struct vl_unread *unread)
{
	struct listing *l = context;

	vl_buf_put(&l->unread, unread, sizeof(*unread));
}

static size_t unread_of(const struct listing *l, const struct vl_unread **all)
{
	*all = (const struct vl_unread *)(const void *)l->unread.data;
	return l->unread.size / sizeof(**all);
}

/* "consular.case.v1 not read": once for each topic. They come sorted. */
static void put_unread_lanes(struct listing *l)
{
	const struct vl_unread *all;
	size_t n = unread_of(l, &all);
	const char *last = "";

	for (size_t i = 0; i < n; i++) {
		if (all[i].kind != VL_UNREAD_WAITING || strcmp(all[i].topic, last) == 0)
			continue;
		last = all[i].topic;
		vl_buf_printf(&l->cell, "%s%s not read", l->cell.size > 0 ? ", " : "", last);
	}
}

static void put_unread_json(struct listing *l)
{
	struct vl_buf *out = &l->out;
	const struct vl_unread *all;
	size_t n = unread_of(l, &all);

	if (n == 0)
		return;
	vl_buf_printf(out, ",\"unreadCount\":%zu,\"unread\":[", n);
	for (size_t i = 0; i < n && i < UNREAD_SHOWN; i++) {
		const struct vl_unread *u = &all[i];
		vl_buf_printf(out, "%s{\"kind\":\"%s\"", i > 0 ? "," : "", vl_unread_name(u->kind));
		put_named(out, ",\"lane\":", u->topic);
		if (u->partition >= 0)
			vl_buf_printf(out, ",\"partition\":%" PRId32, u->partition);
		if (u->kind == VL_UNREAD_PASSED)
			vl_buf_printf(out,
				      ",\"offset\":%" PRId64 ",\"lastOffset\":%" PRId64
				      ",\"batches\":%" PRIu64 ",\"bytes\":%" PRIu64,
				      u->from, u->to - 1, u->times, u->bytes);
		if (u->kind == VL_UNREAD_SETTING)
			put_named(out, ",\"setting\":", u->name);
		vl_buf_printf(out, ",\"reason\":\"%s\"", vl_err_name(u->err));
		put_named(out, ",\"words\":", u->words);
		put_instant_json(out, "since", u->since_ms);
		vl_buf_put_text(out, "}");
	}
	vl_buf_put_text(out, "]");
}

static void tell_unread(const struct listing *l)
{
	const struct vl_unread *all;
	size_t n = unread_of(l, &all);
	char text[VL_UNREAD_TEXT];

	for (size_t i = 0; i < n && i < UNREAD_SHOWN; i++)
		vl_log_warning("%s", vl_unread_text(&all[i], text));
	if (n > UNREAD_SHOWN)
		vl_log_warning("and %zu more", n - UNREAD_SHOWN);
}

/* -- troubles that an officer has acknowledged -- */

#define TROUBLES_SHOWN 20

/* "fork acknowledged by officer:7 at 2023-04-21T08:00:00Z" */
static void put_rested(struct vl_buf *out, const struct vl_trouble *rested)
{
	char time[VL_TIME_TEXT];

	vl_buf_printf(out, "%s acknowledged by %s at %s", vl_verdict_name(rested->kind), rested->by,
		      vl_time_format(rested->at, time));
}

static void put_troubles_json(struct vl_buf *out, const struct vl_troubles *troubles)
{
	char time[VL_TIME_TEXT];

	if (troubles->count == 0)
		return;
	vl_buf_printf(out, ",\"troubleCount\":%zu,\"troubles\":[", troubles->count);
	for (size_t i = 0; i < troubles->count && i < TROUBLES_SHOWN; i++) {
		const struct vl_trouble *t = &troubles->items[i];
		vl_buf_printf(out,
			      "%s{\"kind\":\"%s\",\"epoch\":\"%" PRIu64 "\",\"batches\":\"%" PRIu64
			      "\",\"acknowledged\":%s",
			      i > 0 ? "," : "", vl_verdict_name(t->kind), t->epoch.n, t->batches,
			      t->acknowledged ? "true" : "false");
		if (t->acknowledged) {
			put_named(out, ",\"by\":", t->by);
			vl_buf_printf(out, ",\"at\":\"%s\"", vl_time_format(t->at, time));
		}
		vl_buf_put_text(out, "}");
	}
	vl_buf_put_text(out, "]");
}

/* -- ls: a line a mission -- */

/* "consular.case.v1 gap 1700000000/3-5, ..." */
static void put_troubles(struct listing *l, const struct vl_mission_state *m)
{
	vl_buf_reset(&l->cell);
	for (size_t i = 0; i < m->n_lanes; i++) {
		const struct vl_lane_state *lane = &m->lanes[i];
		if (lane->standing.unread > 0)
			vl_buf_printf(&l->cell, "%s%s %" PRIu64 " unread",
				      l->cell.size > 0 ? ", " : "", lane->lane,
				      lane->standing.unread);
		if (lane->standing.shared > 0)
			vl_buf_printf(&l->cell, "%s%s %" PRIu64 " with ids of other events",
				      l->cell.size > 0 ? ", " : "", lane->lane,
				      lane->standing.shared);
		const struct vl_trouble *rested = vl_troubles_rested(&lane->troubles);
		if (rested != NULL) {
			vl_buf_printf(&l->cell, "%s%s ", l->cell.size > 0 ? ", " : "", lane->lane);
			put_rested(&l->cell, rested);
		}
		if (lane->verdict == VL_VERDICT_OK || lane->verdict == VL_VERDICT_SILENT)
			continue;
		vl_buf_printf(&l->cell, "%s%s %s", l->cell.size > 0 ? ", " : "", lane->lane,
			      vl_verdict_name(lane->verdict));
		if (lane->missing.to.n > 0)
			vl_buf_put_text(&l->cell, " ");
		put_missing(&l->cell, &lane->missing);
	}
	put_unread_lanes(l);
	cli_table_put_bytes(l->table, vl_buf_bytes(&l->cell));
}

/* Events of a mission's that are archived and in no view: a chain may be whole, and what it says
 * unknown all the same. */
static uint64_t unread_events(const struct vl_mission_state *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n_lanes; i++)
		n += m->lanes[i].standing.unread;
	return n;
}

/* Events that have the id of another mission's, or of one on another lane. */
static uint64_t shared_ids(const struct vl_mission_state *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < m->n_lanes; i++)
		n += m->lanes[i].standing.shared;
	return n;
}

static void put_mission(struct listing *l, const struct vl_mission_state *m)
{
	const Valise__Pulse__V1__Pulse *said = m->pulse != NULL ? m->pulse->said : NULL;

	cli_table_put(l->table, m->mission);
	cli_table_printf(l->table, "%s%s%s", vl_verdict_name(m->verdict),
			 unread_events(m) > 0 ? ", unread" : "",
			 shared_ids(m) > 0 ? ", shared ids" : "");
	put_instant(l->table, m->heard_ms);
	if (said == NULL) {
		for (int i = 0; i < 4; i++)
			cli_table_put(l->table, "");
	} else {
		cli_table_printf(l->table, "%" PRIu64, said->waiting_batches);
		if (said->waiting_batches > 0)
			put_age(l->table, said->oldest_seconds);
		else
			cli_table_put(l->table, "");
		if (said->clock_offset != NULL)
			cli_table_printf(l->table, "%+" PRId64 " ms",
					 said->clock_offset->milliseconds);
		else
			cli_table_put(l->table, "");
		cli_table_put(l->table, said->version);
	}
	put_troubles(l, m);
}

static void put_pulse_json(struct vl_buf *out, const struct vl_pulse_kept *pulse)
{
	const Valise__Pulse__V1__Pulse *said = pulse->said;

	put_instant_json(out, "pulse", pulse->at_ms);
	vl_buf_printf(out,
		      ",\"waiting\":%" PRIu64 ",\"oldestSeconds\":%" PRIu64
		      ",\"intervalSeconds\":%" PRIu32,
		      said->waiting_batches, said->oldest_seconds, said->interval_seconds);
	if (said->clock_offset != NULL)
		vl_buf_printf(out, ",\"clockOffsetMs\":%" PRId64, said->clock_offset->milliseconds);
	put_named(out, ",\"version\":", said->version);
}

static void put_mission_json(struct listing *l, const struct vl_mission_state *m)
{
	struct vl_buf *out = &l->out;
	const char *comma = "";

	put_named(out, "{\"mission\":", m->mission);
	vl_buf_printf(out,
		      ",\"verdict\":\"%s\",\"unreadEvents\":%" PRIu64 ",\"sharedIds\":%" PRIu64
		      ",\"lanes\":[",
		      vl_verdict_name(m->verdict), unread_events(m), shared_ids(m));
	for (size_t i = 0; i < m->n_lanes; i++) {
		const struct vl_lane_state *lane = &m->lanes[i];
		if (lane->verdict == VL_VERDICT_OK && lane->troubles.count == 0)
			continue;
		vl_buf_put_text(out, comma);
		put_named(out, "{\"lane\":", lane->lane);
		vl_buf_printf(out, ",\"verdict\":\"%s\"", vl_verdict_name(lane->verdict));
		put_missing_json(out, &lane->missing);
		put_troubles_json(out, &lane->troubles);
		vl_buf_put_text(out, "}");
		comma = ",";
	}
	vl_buf_put_text(out, "]");
	put_instant_json(out, "received", m->heard_ms);
	if (m->pulse != NULL)
		put_pulse_json(out, m->pulse);
	if (l->deaf)
		vl_buf_put_text(out, ",\"deaf\":true");
	put_unread_json(l);
	vl_buf_put_text(out, "}\n");
}

/* -- show: a line a lane -- */

static void put_lane(struct listing *l, const char *mission, const struct vl_lane_state *lane)
{
	const struct vl_standing *s = &lane->standing;
	const uint64_t numbers[] = {s->batches,  s->events, s->replayed,
				    s->repeated, s->unread, s->parked};

	cli_table_put(l->table, mission);
	cli_table_put(l->table, lane->lane);
	cli_table_put(l->table, vl_verdict_name(lane->verdict));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cli_table_printf(l->table, "%" PRIu64, numbers[i]);
	cli_table_printf(l->table, "%" PRIu64 "/%" PRIu64, s->epoch.n, s->seq.n);
	put_instant(l->table, s->batches > 0 ? s->applied_ms : 0);
	vl_buf_reset(&l->cell);
	put_missing(&l->cell, &lane->missing);
	cli_table_put_bytes(l->table, vl_buf_bytes(&l->cell));
	const struct vl_trouble *rested = vl_troubles_rested(&lane->troubles);
	vl_buf_reset(&l->cell);
	if (rested != NULL)
		put_rested(&l->cell, rested);
	cli_table_put_bytes(l->table, vl_buf_bytes(&l->cell));
}

static void put_lane_json(struct vl_buf *out, const char *mission, const struct vl_lane_state *lane)
{
	const struct vl_standing *s = &lane->standing;
	char signed_at[VL_TIME_TEXT];

	put_named(out, "{\"mission\":", mission);
	put_named(out, ",\"lane\":", lane->lane);
	vl_buf_printf(out,
		      ",\"verdict\":\"%s\",\"batches\":%" PRIu64 ",\"events\":%" PRIu64
		      ",\"replayed\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"unread\":%" PRIu64
		      ",\"sharedIds\":%" PRIu64 ",\"forks\":%" PRIu64 ",\"rollbacks\":%" PRIu64
		      ",\"parked\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"epoch\":\"%" PRIu64
		      "\",\"seq\":\"%" PRIu64 "\",\"nextEvent\":\"%" PRIu64 "\"",
		      vl_verdict_name(lane->verdict), s->batches, s->events, s->replayed,
		      s->repeated, s->unread, s->shared, s->forks, s->rollbacks, s->parked,
		      s->dropped, s->epoch.n, s->seq.n, s->next_event.n);
	if (s->batches > 0) {
		put_instant_json(out, "applied", s->applied_ms);
		vl_buf_printf(out, ",\"signedAt\":\"%s\"", vl_time_format(s->signed_at, signed_at));
	}
	put_missing_json(out, &lane->missing);
	put_troubles_json(out, &lane->troubles);
	vl_buf_put_text(out, "}\n");
}

/* -- both -- */

static bool is_show(const struct listing *l)
{
	return strcmp(l->options->verb, "show") == 0;
}

static void put(void *context, const struct vl_mission_state *m)
{
	struct listing *l = context;

	if (l->only != NULL && strcmp(l->only, m->mission) != 0)
		return;
	l->shown++;
	if (!is_show(l) && l->table != NULL)
		put_mission(l, m);
	else if (!is_show(l))
		put_mission_json(l, m);
	for (size_t i = 0; is_show(l) && i < m->n_lanes; i++) {
		if (l->table != NULL)
			put_lane(l, m->mission, &m->lanes[i]);
		else
			put_lane_json(&l->out, m->mission, &m->lanes[i]);
	}
}

static struct cli_table *open_table(bool show)
{
	static const char *const missions[] = {"MISSION", "VERDICT", "RECEIVED", "WAITING",
					       "OLDEST",  "CLOCK",   "VERSION",  "LANES"};
	static const char *const lanes[] = {
		"MISSION", "LANE",   "VERDICT",     "BATCHES", "EVENTS",  "REPLAYED",    "REPEATED",
		"UNREAD",  "PARKED", "EPOCH/BATCH", "LAST",    "MISSING", "ACKNOWLEDGED"};

	return show ? cli_table_open(lanes, sizeof(lanes) / sizeof(lanes[0]))
		    : cli_table_open(missions, sizeof(missions) / sizeof(missions[0]));
}

static enum vl_err gather(struct listing *l, struct vl_why *why)
{
	struct vl_time now = vl_clock_now(&vl_clock_system);
	struct cli_views views;
	enum vl_err err = cli_views_open(l->options, &views, why);

	if (err == VL_OK) {
		l->deaf = vl_board_deaf(views.txn, now);
		vl_unread_each(views.txn, keep_unread, l);
		err = vl_board_each(views.txn, now, put, l);
		l->damaged = vl_board_damaged(views.txn);
	}
	cli_views_close(&views);
	if (err == VL_OK && l->only != NULL && is_show(l) && l->shown == 0)
		err = vl_fail(why, VL_ERR_NOT_FOUND,
			      "headquarters has received nothing from a mission of that id");
	return err;
}

static int run(const struct cli_options *options)
{
	struct listing l = {.options = options, .only = options->mission};
	struct vl_why why = {0};
	enum vl_err err = VL_OK;

	if (options->n_args > 0)
		l.only = options->args[0];
	if (!options->json && (l.table = open_table(is_show(&l))) == NULL)
		err = VL_ERR_NOMEM;
	if (err == VL_OK)
		err = gather(&l, &why);
	if (err == VL_OK && l.table != NULL)
		cli_table_print(l.table, cli_bold(), &l.out);
	if (err == VL_OK &&
	    (vl_buf_failed(&l.out) || (l.table != NULL && !cli_table_whole(l.table))))
		err = VL_ERR_NOMEM;
	int code = err == VL_OK ? CLI_OK
				: cli_cannot(is_show(&l) ? "show" : "list", "missions", &why, err);
	if (err == VL_OK)
		cli_views_print(&l.out);
	if (err == VL_OK && l.damaged > 0)
		code = cli_views_damaged("standings", l.damaged);
	if (err == VL_OK && l.deaf)
		(void)fputs("valise: headquarters itself receives no pulse in time from any "
			    "mission; the silent ones are unknown\n",
			    stderr);
	if (err == VL_OK && !options->json)
		tell_unread(&l);
	vl_buf_free(&l.out);
	vl_buf_free(&l.unread);
	vl_buf_free(&l.cell);
	cli_table_close(l.table);
	return code;
}

const struct cli_verb cli_mission_verbs[] = {
	{
		.name = "ls",
		.args = "",
		.about = "Show the verdict on each mission, one line each.\n\n"
			 "VERDICT is the worst verdict of its lanes. RECEIVED is when its "
			 "newest record reached Kafka, by the broker's clock. The next columns "
			 "come from its newest pulse. WAITING is the number of batches in its "
			 "outbox that wait for a receipt. OLDEST is the age of the oldest of "
			 "them. CLOCK is how far the broker's clock is ahead of its own, and "
			 "VERSION is its agent's version. A mission that never sent a pulse "
			 "has - there. LANES names the lanes that are not ok, and what is "
			 "missing (EPOCH/FROM-TO).\n\n"
			 "Verdicts, worst first:\n\n"
			 "  fork      two signed batches have the same number\n"
			 "  rollback  an epoch began that does not know of the one before\n"
			 "  gap       batches are missing: others wait behind them, or a pulse "
			 "says that Kafka had them\n"
			 "  silent    no pulse for three intervals, while other missions send "
			 "theirs\n"
			 "  ok\n\n"
			 "A fork or rollback that was acknowledged is no verdict, and is shown "
			 "with who acknowledged it.\n\n"
			 "Under the table, stderr lists three more things (-o json: "
			 "\"unread\"):\n\n"
			 "  topics and partitions that headquarters cannot read\n"
			 "  records that it passed over because they are unreadable\n"
			 "  topics whose settings differ from what headquarters relies on",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT | CLI_OPT_MISSION,
		.run = run,
	},
	{
		.name = "show",
		.args = "[MISSION]",
		.about = "Show the lanes of one mission, or of all: verdict and counts. "
			 "REPLAYED batches and REPEATED events came again and changed nothing. "
			 "UNREAD events are archived, but this headquarters does not know "
			 "their type. PARKED batches wait behind a gap. MISSING is "
			 "EPOCH/FROM-TO of the first missing batches. ACKNOWLEDGED is the fork "
			 "that was acknowledged last, or else the rollback. -o json has all of "
			 "them (\"troubles\").",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT,
		.max_args = 1,
		.run = run,
	},
	{
		.name = "acknowledge",
		.args = "MISSION [LANE]",
		.about = "Record that an officer has looked into the forks and rollbacks of a "
			 "mission, as the views have them now. LANE limits it to one lane. "
			 "Headquarters' own agent (--socket) signs the record. From then on "
			 "they are shown as acknowledged, by whom and when. They are no "
			 "verdict any more, in valise verify either.\n\n"
			 "A new fork or rollback is a verdict as before, and so is another "
			 "batch of a forked epoch. Only headquarters acknowledges.",
		.options = CLI_OPT_VIEWS | CLI_OPT_SOCKET | CLI_OPT_BY | CLI_OPT_OUTPUT,
		.min_args = 1,
		.max_args = 2,
		.run = cli_mission_acknowledge,
	},
	{0},
};

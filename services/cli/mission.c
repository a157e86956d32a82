#include "base/buf.h"
#include "bus/json.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/standing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct listing {
	const struct cli_options *options;
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out;
};

static void put_standing(struct listing *l, const char *mission, const char *lane, const struct vl_standing *s)
{
	const uint64_t numbers[] = {s->batches, s->events, s->replayed, s->repeated, s->unread, s->parked};
	char time[VL_TIME_TEXT];

	cli_table_put(l->table, mission);
	cli_table_put(l->table, lane);
	cli_table_put(l->table, vl_verdict_name(vl_standing_verdict(s)));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		cli_table_printf(l->table, "%" PRIu64, numbers[i]);
	cli_table_printf(l->table, "%" PRIu64 "/%" PRIu64, s->epoch.n, s->seq.n);
	cli_table_put(l->table, s->batches > 0 ? vl_time_format(vl_time_from_ms(s->applied_ms), time) : "");
}

static void put_standing_json(struct vl_buf *out, const char *mission, const char *lane, const struct vl_standing *s)
{
	char applied[VL_TIME_TEXT], signed_at[VL_TIME_TEXT];

	vl_buf_put_text(out, "{\"mission\":");
	vl_json_print_text(out, mission, strlen(mission));
	vl_buf_put_text(out, ",\"lane\":");
	vl_json_print_text(out, lane, strlen(lane));
	vl_buf_printf(out,
		      ",\"verdict\":\"%s\",\"batches\":%" PRIu64 ",\"events\":%" PRIu64 ",\"replayed\":%" PRIu64
		      ",\"repeated\":%" PRIu64 ",\"unread\":%" PRIu64 ",\"forks\":%" PRIu64 ",\"rollbacks\":%" PRIu64
		      ",\"parked\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64
		      "\",\"nextEvent\":\"%" PRIu64 "\"",
		      vl_verdict_name(vl_standing_verdict(s)), s->batches, s->events, s->replayed, s->repeated,
		      s->unread, s->forks, s->rollbacks, s->parked, s->dropped, s->epoch.n, s->seq.n, s->next_event.n);
	if (s->batches > 0)
		vl_buf_printf(out, ",\"applied\":\"%s\",\"signedAt\":\"%s\"",
			      vl_time_format(vl_time_from_ms(s->applied_ms), applied),
			      vl_time_format(s->signed_at, signed_at));
	vl_buf_put_text(out, "}\n");
}

static void put(void *context, const char *mission, const char *lane, const struct vl_standing *standing)
{
	struct listing *l = context;

	if (l->options->mission != NULL && strcmp(l->options->mission, mission) != 0)
		return;
	if (l->table != NULL)
		put_standing(l, mission, lane, standing);
	else
		put_standing_json(&l->out, mission, lane, standing);
}

static int ls(const struct cli_options *options)
{
	static const char *const titles[] = {"MISSION",  "LANE",   "VERDICT", "BATCHES",     "EVENTS", "REPLAYED",
					     "REPEATED", "UNREAD", "PARKED",  "EPOCH/BATCH", "LAST"};
	struct listing l = {.options = options};
	struct cli_views views = {0};
	struct vl_why why = {0};

	enum vl_err err = cli_views_open(options, &views, &why);
	if (err == VL_OK && !options->json)
		l.table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
	if (err == VL_OK && !options->json && l.table == NULL)
		err = VL_ERR_NOMEM;
	if (err == VL_OK) {
		vl_standing_each(views.txn, put, &l);
		err = vl_txn_err(views.txn);
	}
	cli_views_close(&views);
	if (err == VL_OK && l.table != NULL)
		cli_table_print(l.table, cli_bold(), &l.out);
	int code = err == VL_OK ? CLI_OK : cli_cannot("list", options->command, &why, err);
	if (err == VL_OK)
		cli_views_print(&l.out);
	vl_buf_free(&l.out);
	cli_table_close(l.table);
	return code;
}

const struct cli_verb cli_mission_verbs[] = {
	{
		.name = "ls",
		.args = "",
		.about = "How headquarters stands with each mission on each lane: ok, gap (something is missing and "
			 "what\n"
			 "follows waits), rollback (an epoch began that does not know of the one before) or fork (two\n"
			 "signed batches for one place). REPLAYED batches and REPEATED events came again and changed\n"
			 "nothing; UNREAD events are archived but of a type that this headquarters does not know.",
		.options = CLI_OPT_VIEWS | CLI_OPT_OUTPUT | CLI_OPT_MISSION,
		.run = ls,
	},
	{0},
};

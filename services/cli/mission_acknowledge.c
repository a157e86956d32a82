/*
 * `valise mission acknowledge`: an officer at headquarters has looked into a fork or a rollback.
 */
#include "base/buf.h"
#include "base/log.h"
#include "base/unicode.h"
#include "bus/json.h"
#include "cli/publish.h"
#include "cli/table.h"
#include "cli/views.h"
#include "hq/watch/pulse_board.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define EVENT_TROUBLES 4096 /* in one event, which stays far below the most that one may have */
#define OFFICER_MOST ((size_t)200)

struct acknowledging {
	const struct cli_options *options;
	const char *mission, *lane; /* NULL: all its lanes */
	struct cli_table *table;    /* NULL for JSON */
	struct vl_buf events, out;
	size_t heard, new, rested;
};

/* -- what stands -- */

static void put_text(struct vl_buf *out, const char *before, const char *text)
{
	vl_buf_put_text(out, before);
	vl_json_print_text(out, text, strlen(text));
}

static void begin_event(struct acknowledging *a, const char *lane)
{
	char subject[VL_MISSION_MAX + 1 + VL_LEDGER_NAME], id[VL_UUID_TEXT];
	struct vl_event_id uuid = vl_uuid7(&vl_clock_system, &vl_rand_system);

	(void)snprintf(subject, sizeof(subject), "%s/%s", a->mission, lane);
	vl_buf_printf(&a->events, "{\"id\":\"%s\"", vl_uuid_format(uuid.bytes, id));
	put_text(&a->events, ",\"subject\":", subject);
	put_text(&a->events, ",\"actor\":", a->options->by);
	vl_buf_put_text(&a->events,
			",\"payload\":{\"@type\":\"valise.trouble.v1.TroubleAcknowledged\"");
	put_text(&a->events, ",\"mission\":", a->mission);
	put_text(&a->events, ",\"lane\":", lane);
	vl_buf_put_text(&a->events, ",\"troubles\":[");
}

static void put_trouble(struct acknowledging *a, const struct vl_trouble *trouble, bool first)
{
	vl_buf_printf(&a->events,
		      "%s{\"kind\":\"TROUBLE_KIND_%s\",\"epoch\":\"%" PRIu64
		      "\",\"batches\":\"%" PRIu64 "\"}",
		      first ? "" : ",", trouble->kind == VL_VERDICT_FORK ? "FORK" : "ROLLBACK",
		      trouble->epoch.n, trouble->batches);
}

static void show(struct acknowledging *a, const char *lane, const struct vl_trouble *trouble)
{
	if (a->table == NULL) {
		put_text(&a->out, "{\"mission\":", a->mission);
		put_text(&a->out, ",\"lane\":", lane);
		vl_buf_printf(&a->out,
			      ",\"kind\":\"%s\",\"epoch\":\"%" PRIu64 "\",\"batches\":\"%" PRIu64
			      "\"}\n",
			      vl_verdict_name(trouble->kind), trouble->epoch.n, trouble->batches);
		return;
	}
	cli_table_put(a->table, a->mission);
	cli_table_put(a->table, lane);
	cli_table_put(a->table, vl_verdict_name(trouble->kind));
	cli_table_printf(a->table, "%" PRIu64, trouble->epoch.n);
	cli_table_printf(a->table, "%" PRIu64, trouble->batches);
}

static void take_lane(struct acknowledging *a, const struct vl_lane_state *lane)
{
	size_t n = 0;

	for (size_t i = 0; i < lane->troubles.count; i++) {
		const struct vl_trouble *trouble = &lane->troubles.items[i];
		a->rested += trouble->acknowledged;
		if (trouble->acknowledged)
			continue;
		if (n % EVENT_TROUBLES == 0) {
			vl_buf_put_text(&a->events, n > 0 ? "]}}\n" : "");
			begin_event(a, lane->lane);
		}
		put_trouble(a, trouble, n % EVENT_TROUBLES == 0);
		show(a, lane->lane, trouble);
		n++;
	}
	vl_buf_put_text(&a->events, n > 0 ? "]}}\n" : "");
	a->new += n;
}

static void take(void *context, const struct vl_mission_state *m)
{
	struct acknowledging *a = context;

	if (strcmp(m->mission, a->mission) != 0)
		return;
	for (size_t i = 0; i < m->n_lanes; i++) {
		if (a->lane != NULL && strcmp(a->lane, m->lanes[i].lane) != 0)
			continue;
		a->heard++;
		take_lane(a, &m->lanes[i]);
	}
}

static enum vl_err check_officer(const char *by, struct vl_why *why)
{
	if (by == NULL || *by == '\0')
		return vl_fail(why, VL_ERR_USAGE,
			       "name the officer who looked into it: --by OFFICER, such as "
			       "officer:7");
	enum vl_name_flaw flaw = vl_name_check(vl_bytes_of(by), NULL);
	if (flaw != VL_NAME_GOOD || strlen(by) > OFFICER_MOST)
		return vl_fail(why, VL_ERR_USAGE, "--by: %s",
			       flaw != VL_NAME_GOOD ? vl_name_flaw_text(flaw)
						    : "is longer than 200 bytes");
	return VL_OK;
}

static enum vl_err gather(struct acknowledging *a, struct vl_why *why)
{
	struct cli_views views = {0};
	enum vl_err err = check_officer(a->options->by, why);

	if (err == VL_OK)
		err = cli_views_open(a->options, &views, why);
	if (err == VL_OK)
		err = vl_board_each(views.txn, vl_clock_now(&vl_clock_system), take, a);
	cli_views_close(&views);
	if (err == VL_OK && a->heard == 0)
		err = vl_fail(why, VL_ERR_NOT_FOUND,
			      "headquarters has received nothing from it%s; valise mission "
			      "show lists the missions and lanes",
			      a->lane != NULL ? " on that lane" : "");
	if (err == VL_OK && a->new + a->rested == 0)
		err = vl_fail(why, VL_ERR_NOT_FOUND,
			      "there is no fork and no rollback to acknowledge");
	if (err == VL_OK && (vl_buf_failed(&a->events) || vl_buf_failed(&a->out)))
		err = VL_ERR_NOMEM;
	return err;
}

/* -- saying it -- */

static void ignore(void *context, struct vl_bytes lines)
{
	(void)context, (void)lines;
}

/* The agent reads lines, and so they come from a file that only this process sees. The exit
 * code. */
static int give(struct acknowledging *a)
{
	struct vl_why why = {0};
	int input = memfd_create("acknowledgement", MFD_CLOEXEC);
	ssize_t n = input >= 0 ? write(input, a->events.data, a->events.size) : -1;
	int code;

	if (n != (ssize_t)a->events.size || lseek(input, 0, SEEK_SET) != 0)
		code = cli_cannot("acknowledge", a->mission, &why,
				  vl_fail(&why, VL_ERR_IO, "%s", strerror(errno)));
	else
		code = cli_publish_run(&(struct cli_publish){
			.input = input,
			.name = "acknowledgement",
			.socket =
				a->options->socket != NULL ? a->options->socket : VL_CLIENT_SOCKET,
			.print = ignore,
			.patience_ms = PATIENCE_MS,
			.clock = &vl_clock_system,
			.rand = &vl_rand_system,
		});
	if (input >= 0)
		(void)close(input);
	return code;
}

int cli_mission_acknowledge(const struct cli_options *options)
{
	static const char *const titles[] = {"MISSION", "LANE", "KIND", "EPOCH", "BATCHES"};
	struct acknowledging a = {.options = options,
				  .mission = options->args[0],
				  .lane = options->n_args > 1 ? options->args[1] : NULL,
				  .table = options->json ? NULL : cli_table_open(titles, 5)};
	struct vl_why why = {0};
	enum vl_err err = options->json || a.table != NULL ? gather(&a, &why) : VL_ERR_NOMEM;
	int code = err == VL_OK ? CLI_OK : cli_cannot("acknowledge", a.mission, &why, err);

	if (err == VL_OK && a.new == 0)
		vl_log_info("all forks and rollbacks of %s are acknowledged already", a.mission);
	if (err == VL_OK && a.new > 0)
		code = give(&a);
	if (err == VL_OK && a.new > 0 && code == CLI_OK) {
		if (a.table != NULL)
			cli_table_print(a.table, cli_bold(), &a.out);
		cli_views_print(&a.out);
	}
	vl_buf_free(&a.events);
	vl_buf_free(&a.out);
	cli_table_close(a.table);
	return code;
}

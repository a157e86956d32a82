#include "agent/outbox/outbox.h"
#include "base/buf.h"
#include "base/log.h"
#include "bus/json.h"
#include "cli/cli.h"
#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Copied under one snapshot: the agent cannot use freed room again meanwhile. */
#define LOOK_BATCHES 64
#define LOOK_BYTES ((size_t)64 << 10)

struct listing {
	struct vl_outbox *outbox;
	struct cli_table *table; /* NULL for JSON */
	struct vl_buf out, copies;
	uint64_t n, damaged, lost;
};

static const char *state_name(enum vl_outbox_state state)
{
	switch (state) {
	case VL_OUTBOX_STORED:
		return "stored";
	case VL_OUTBOX_SENT:
		return "sent";
	case VL_OUTBOX_ACKED:
		return "acked";
	case VL_OUTBOX_APPLIED:
		return "applied";
	case VL_OUTBOX_DAMAGED:
		return "damaged";
	case VL_OUTBOX_LOST:
		return "lost";
	}
	return "unknown";
}

static void put(struct listing *l, const struct vl_outbox_batch *b)
{
	char time[VL_TIME_TEXT];

	(void)vl_time_format(b->stored_at, time);
	if (l->table == NULL) {
		vl_buf_put_text(&l->out, "{\"lane\":");
		vl_json_print_text(&l->out, b->lane, strlen(b->lane));
		vl_buf_printf(&l->out,
			      ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64
			      "\",\"firstEvent\":\"%" PRIu64 "\",\"events\":%" PRIu32
			      ",\"bytes\":%zu,\"storedAt\":\"%s\",\"state\":\"%s\"%s}\n",
			      b->epoch.n, b->seq.n, b->first_event.n, b->n_events, b->value.size,
			      time, state_name(b->state),
			      b->domain == VL_DOMAIN_DRILL ? ",\"drill\":true" : "");
		return;
	}
	cli_table_put(l->table, b->lane);
	cli_table_printf(l->table, "%" PRIu64, b->epoch.n);
	cli_table_printf(l->table, "%" PRIu64, b->seq.n);
	cli_table_printf(l->table, "%" PRIu64, b->first_event.n);
	cli_table_printf(l->table, "%" PRIu32, b->n_events);
	cli_table_printf(l->table, "%zu", b->value.size);
	cli_table_put(l->table, time);
	cli_table_put(l->table, state_name(b->state));
}

/* How far headquarters has applied a lane. Those batches are no longer here, so that is one
 * line. */
static void put_applied(struct listing *l, struct vl_outbox_look *look, const char *lane)
{
	struct vl_epoch epoch;
	struct vl_seq seq;

	vl_outbox_applied(look, lane, &epoch, &seq);
	if (seq.n == 0)
		return;
	if (l->table == NULL) {
		vl_buf_put_text(&l->out, "{\"lane\":");
		vl_json_print_text(&l->out, lane, strlen(lane));
		vl_buf_printf(&l->out,
			      ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64
			      "\",\"state\":\"applied\"}\n",
			      epoch.n, seq.n);
		return;
	}
	cli_table_put(l->table, lane);
	cli_table_printf(l->table, "%" PRIu64, epoch.n);
	cli_table_printf(l->table, "to %" PRIu64, seq.n);
	for (int i = 0; i < 4; i++)
		cli_table_put(l->table, "");
	cli_table_put(l->table, "applied");
}

/* Batches that were damaged and are given up; there are few. */
static enum vl_err put_lost(struct listing *l, struct vl_why *why)
{
	struct vl_outbox_look *look = vl_outbox_look(l->outbox, why);
	struct vl_outbox_batch batch = {0};

	if (look == NULL)
		return VL_ERR_IO;
	for (; vl_outbox_each_lost(look, &batch); l->lost++)
		put(l, &batch);
	enum vl_err err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	return err;
}

/* A batch as it lay there; its bytes are in `copies`, from `at` on. */
struct seen {
	struct vl_outbox_batch batch;
	size_t at;
};

/* Under one snapshot the next batches of a lane after `*epoch` and `*seq`, which move on, are
 * copied and no more. False at its end, or on an error. */
static bool see_some(struct listing *l, const char *lane, struct vl_epoch *epoch,
		     struct vl_seq *seq, struct seen seen[LOOK_BATCHES], size_t *n,
		     enum vl_err *err, struct vl_why *why)
{
	struct vl_outbox_look *look = vl_outbox_look(l->outbox, why);
	bool more = true;

	*err = look != NULL ? VL_OK : VL_ERR_NOMEM;
	if (look == NULL)
		return false;
	if (epoch->n == 0 && seq->n == 0)
		put_applied(l, look, lane);
	vl_buf_reset(&l->copies);
	for (*n = 0; *n < LOOK_BATCHES && l->copies.size < LOOK_BYTES; ++*n) {
		struct seen *next = &seen[*n];
		next->batch = (struct vl_outbox_batch){0};
		more = vl_outbox_next(look, lane, *epoch, *seq, &next->batch);
		if (!more)
			break;
		next->at = l->copies.size;
		vl_buf_put(&l->copies, next->batch.value.data, next->batch.value.size);
		next->batch.lane = lane;
		*epoch = next->batch.epoch;
		*seq = next->batch.seq;
	}
	*err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	if (*err == VL_OK && vl_buf_failed(&l->copies))
		*err = VL_ERR_NOMEM;
	return more && *err == VL_OK;
}

/* Some more batches of a lane. */
static bool put_some(struct listing *l, const char *lane, struct vl_epoch *epoch,
		     struct vl_seq *seq, enum vl_err *err, struct vl_why *why)
{
	struct seen seen[LOOK_BATCHES];
	sigset_t before;
	size_t n = 0;

	cli_hold_stops(&before);
	bool more = see_some(l, lane, epoch, seq, seen, &n, err, why);
	cli_let_stops(&before);
	for (size_t i = 0; *err == VL_OK && i < n; i++) {
		struct vl_outbox_batch *batch = &seen[i].batch;
		batch->value.data = l->copies.data + seen[i].at;
		if (!vl_outbox_intact(batch)) {
			batch->state = VL_OUTBOX_DAMAGED;
			l->damaged++;
		}
		put(l, batch);
		l->n++;
	}
	cli_progress("%" PRIu64 " batches", l->n);
	return more;
}

static enum vl_err put_lane(struct listing *l, const char *lane, struct vl_why *why)
{
	struct vl_epoch epoch = {0};
	struct vl_seq seq = {0};
	enum vl_err err = VL_OK;

	while (put_some(l, lane, &epoch, &seq, &err, why))
		;
	return err;
}

static void keep_addressed(void *context, const char *lane)
{
	if (vl_lane_find(lane, strlen(lane)) == NULL)
		vl_buf_put(context, lane, strlen(lane) + 1);
}

/* The names of the lanes that are not in the catalogue, one after the other; headquarters' own
 * agent has such. */
static enum vl_err list_addressed(struct listing *l, struct vl_buf *names, struct vl_why *why)
{
	struct vl_outbox_look *look = vl_outbox_look(l->outbox, why);

	if (look == NULL)
		return VL_ERR_IO;
	vl_outbox_each_lane(look, keep_addressed, names);
	vl_outbox_look_end(look);
	return vl_buf_failed(names) ? VL_ERR_NOMEM : VL_OK;
}

static enum vl_err put_all(struct listing *l, struct vl_why *why)
{
	struct vl_buf names = {0};
	enum vl_err err = list_addressed(l, &names, why);

	for (size_t i = 0; i < vl_n_lanes && err == VL_OK; i++)
		err = put_lane(l, vl_lanes[i].name, why);
	for (size_t at = 0; at < names.size && err == VL_OK;
	     at += strlen((const char *)names.data + at) + 1)
		err = put_lane(l, (const char *)names.data + at, why);
	vl_buf_free(&names);
	return err == VL_OK ? put_lost(l, why) : err;
}

static int ls(const struct cli_options *options)
{
	static const char *const titles[] = {"LANE",   "EPOCH", "BATCH",  "FIRST EVENT",
					     "EVENTS", "BYTES", "STORED", "STATE"};
	struct listing l = {0};
	struct vl_why why = {0};
	enum vl_err err;

	if (options->outbox == NULL)
		err = vl_fail(&why, VL_ERR_USAGE,
			      "no outbox; give --outbox DIR or set VALISE_OUTBOX");
	else
		err = vl_outbox_open_reader(options->outbox, &l.outbox, &why);
	if (err == VL_OK && !options->json) {
		l.table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));
		err = l.table != NULL ? VL_OK : VL_ERR_NOMEM;
	}
	if (err == VL_OK)
		err = put_all(&l, &why);
	vl_outbox_close(l.outbox);
	cli_progress_end();
	if (err == VL_OK && l.table != NULL)
		cli_table_print(l.table, cli_bold(), &l.out);
	int code = err == VL_OK ? CLI_OK
				: cli_cannot("list",
					     options->outbox != NULL ? options->outbox : "outbox",
					     &why, err);
	if (err == VL_OK)
		cli_write(l.out.data, l.out.size);
	if (err == VL_OK && l.damaged > 0) {
		vl_log_error("%" PRIu64 " batches are damaged on this disk; the agent gives "
			     "them up when they are due to be sent",
			     l.damaged);
		code = CLI_UNVERIFIED;
	}
	if (err == VL_OK && l.lost > 0) {
		vl_log_error("%" PRIu64 " damaged batches were given up: their events are lost "
			     "unless headquarters has them",
			     l.lost);
		code = CLI_UNVERIFIED;
	}
	vl_buf_free(&l.out);
	vl_buf_free(&l.copies);
	cli_table_close(l.table);
	return code;
}

const struct cli_verb cli_outbox_verbs[] = {
	{
		.name = "ls",
		.args = "",
		.about = "List the batches that a mission's agent keeps, and the state of each:\n\n"
			 "  stored   on this disk\n"
			 "  sent     given to a Kafka that was answering; Kafka may have it or "
			 "not\n"
			 "  acked    acknowledged by Kafka\n"
			 "  damaged  corrupted on this disk; it is not sent\n"
			 "  lost     damaged and given up\n\n"
			 "A batch that headquarters has applied is no longer kept: one line a "
			 "lane says how far that is. The exit code is 4 if a batch is damaged "
			 "or lost. This works while the agent runs and while it does not.",
		.options = CLI_OPT_OUTBOX | CLI_OPT_OUTPUT,
		.run = ls,
	},
	{
		.name = "carry",
		.args = "",
		.about = "Give the mission's agent the events that an outbox put aside still "
			 "has. --outbox is its folder: a replaced old copy, a clone's, or that "
			 "of a broken machine. It is only read, and must belong to the same "
			 "mission. The agent runs on another folder. Every event that "
			 "headquarters is not known to have applied is published with its own "
			 "id. So an event that had arrived all the same stays one event.\n\n"
			 "Prints {\"line\",\"id\",\"lane\",\"epoch\",\"event\"} for each, as "
			 "publish does, with \"duplicate\":true if the agent knows the id "
			 "already. If anything fails, run it again. With --dry-run nothing is "
			 "sent, and epoch and event say where each event is in the folder.",
		.options = CLI_OPT_OUTBOX | CLI_OPT_SOCKET | CLI_OPT_DRY,
		.run = cli_outbox_carry,
	},
	{0},
};

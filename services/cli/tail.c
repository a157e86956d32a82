#include "base/unicode.h"
#include "bus/json.h"
#include "bus/types.h"
#include "bus/wire.h"
#include "cli/cli.h"
#include "cli/scan.h"
#include "cli/table.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <valise/v1/batch.pb-c.h>

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static const struct cli_stream_column columns[] = {
	{"TIME", 24},  {"AT", 10}, {"VERDICT", 13}, {"MISSION", 11}, {"LANE", 22},
	{"EPOCH", 10}, {"SEQ", 6}, {"EVENT", 7},    {"TYPE", 22},    {"SUBJECT", 0},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct tail {
	const struct cli_options *options;
	const struct vl_ring *ring;
	struct vl_arena *arena;
	struct vl_buf out;
	uint64_t shown, bad;
	size_t unflushed;
};

/* -- one record, for people -- */

/* What all of a record's lines begin with. */
struct row {
	char time[VL_TIME_TEXT], at[40], epoch[24], seq[24], event[24];
	struct vl_bytes cells[COLUMNS];
};

static void begin_row(struct row *row, const struct vl_record *record, const char *verdict)
{
	(void)vl_time_format(vl_time_from_ms(record->timestamp_ms), row->time);
	(void)snprintf(row->at, sizeof(row->at), "%" PRId32 ":%" PRId64, record->partition,
		       record->offset);
	memset(row->cells, 0, sizeof(row->cells));
	row->cells[0] = vl_bytes_of(row->time);
	row->cells[1] = vl_bytes_of(row->at);
	row->cells[2] = vl_bytes_of(verdict);
}

static void print_bad_row(struct tail *tail, const struct vl_record *record, enum vl_err verdict)
{
	struct row row;

	begin_row(&row, record, vl_err_name(verdict));
	if (vl_mission_valid((const char *)record->key.data, record->key.size))
		row.cells[3] = record->key;
	row.cells[4] = record->topic;
	cli_stream_row(columns, COLUMNS, row.cells, &tail->out);
}

/* The type without its package: the lane has it. */
static struct vl_bytes short_type(struct vl_bytes url)
{
	const char *dot = url.size > 0 ? memrchr(url.data, '.', url.size) : NULL;
	size_t skip = dot != NULL ? (size_t)((const uint8_t *)dot + 1 - url.data) : 0;

	return (struct vl_bytes){url.data + skip, url.size - skip};
}

static void print_event_row(struct tail *tail, const struct vl_record *record,
			    const struct vl_verified *verified, size_t i)
{
	const struct vl_batch_head *head = &verified->batch.head;
	struct vl_event event;
	struct vl_buf subject = {0};
	struct row row;

	begin_row(&row, record, verified->domain == VL_DOMAIN_DRILL ? "ok (drill)" : "ok");
	(void)snprintf(row.epoch, sizeof(row.epoch), "%" PRIu64, head->epoch.n);
	(void)snprintf(row.seq, sizeof(row.seq), "%" PRIu64, head->seq.n);
	(void)snprintf(row.event, sizeof(row.event), "%" PRIu64, head->first_event.n + i);
	row.cells[3] = head->mission;
	row.cells[4] = head->lane;
	row.cells[5] = vl_bytes_of(row.epoch);
	row.cells[6] = vl_bytes_of(row.seq);
	row.cells[7] = vl_bytes_of(row.event);
	if (vl_event_read(verified->batch.events[i], &event, NULL) == VL_OK) {
		row.cells[8] = short_type(event.type_url);
		vl_name_put(&subject, event.subject);
		row.cells[9] = vl_buf_bytes(&subject);
	}
	cli_stream_row(columns, COLUMNS, row.cells, &tail->out);
	vl_buf_free(&subject);
}

/* -- one record, for programs -- */

static void put_text(struct vl_buf *out, const char *name, struct vl_bytes text)
{
	vl_buf_printf(out, "\"%s\":", name);
	vl_json_print_text(out, (const char *)text.data, text.size);
}

static void print_place(struct vl_buf *out, const struct vl_record *record)
{
	char time[VL_TIME_TEXT];

	vl_buf_printf(out, "\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"timestamp\":\"%s\"",
		      record->partition, record->offset,
		      vl_time_format(vl_time_from_ms(record->timestamp_ms), time));
}

static void print_bad_json(struct tail *tail, const struct vl_record *record, enum vl_err verdict,
			   const struct vl_why *why)
{
	struct vl_buf *out = &tail->out;

	vl_buf_printf(out, "{\"verdict\":\"%s\",", vl_err_name(verdict));
	put_text(out, "reason", vl_bytes_of(vl_why_text(why, verdict)));
	if (vl_mission_valid((const char *)record->key.data, record->key.size)) {
		vl_buf_put_byte(out, ',');
		put_text(out, "key", record->key);
	}
	vl_buf_put_byte(out, ',');
	put_text(out, "topic", record->topic);
	vl_buf_put_byte(out, ',');
	print_place(out, record);
	vl_buf_printf(out, ",\"keySize\":%zu,\"valueSize\":%zu,\"headers\":%zu}\n",
		      record->key.size, record->value.size, record->n_headers);
}

static void print_event_json(struct tail *tail, const struct vl_record *record,
			     const struct vl_verified *verified, size_t i)
{
	const struct vl_batch_head *head = &verified->batch.head;
	struct vl_buf *out = &tail->out;
	ProtobufCMessage *event = vl_wire_unpack(&valise__v1__event__descriptor,
						 verified->batch.events[i], tail->arena);
	struct vl_event read;
	char uuid[VL_UUID_TEXT];

	vl_buf_printf(out, "{\"verdict\":\"ok\",%s",
		      verified->domain == VL_DOMAIN_DRILL ? "\"drill\":true," : "");
	put_text(out, "mission", head->mission);
	vl_buf_put_byte(out, ',');
	put_text(out, "lane", head->lane);
	vl_buf_printf(out,
		      ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64 "\",\"eventNo\":\"%" PRIu64
		      "\",",
		      head->epoch.n, head->seq.n, head->first_event.n + i);
	print_place(out, record);
	if (vl_event_read(verified->batch.events[i], &read, NULL) == VL_OK && read.id.size == 16)
		vl_buf_printf(out, ",\"uuid\":\"%s\"", vl_uuid_format(read.id.data, uuid));
	if (event != NULL) {
		vl_buf_put_text(out, ",\"event\":");
		vl_json_print(event, out);
	}
	vl_buf_put_text(out, "}\n");
}

/* -- all records -- */

static bool wanted(const struct tail *tail, const struct vl_record *record)
{
	const char *mission = tail->options->mission;

	return mission == NULL || vl_bytes_are(record->key, mission);
}

static bool enough(const struct tail *tail)
{
	return tail->options->count != 0 && tail->shown >= tail->options->count;
}

static void print_record(struct tail *tail, const struct vl_record *record)
{
	bool json = tail->options->json;
	struct vl_verified verified;
	struct vl_why why = {0};

	enum vl_err verdict = vl_record_verify(record, tail->ring, tail->arena, &verified, &why);
	if (verdict != VL_OK) {
		if (json)
			print_bad_json(tail, record, verdict, &why);
		else
			print_bad_row(tail, record, verdict);
		tail->bad++;
		tail->shown++;
		return;
	}
	for (size_t i = 0; i < verified.batch.n_events && !enough(tail); i++) {
		if (json)
			print_event_json(tail, record, &verified, i);
		else
			print_event_row(tail, record, &verified, i);
		tail->shown++;
	}
}

/* False if stdout is no longer read. */
static bool hand_over(struct tail *tail, bool flush)
{
	if (tail->out.size > 0) {
		cli_write(tail->out.data, tail->out.size);
		tail->unflushed += tail->out.size;
	}
	vl_buf_reset(&tail->out);
	if (!flush && tail->unflushed < 65536)
		return true;
	tail->unflushed = 0;
	return cli_flush();
}

static enum vl_err print_all(struct tail *tail, struct cli_scan *scan, struct vl_why *why)
{
	struct vl_message *message;

	while (!stopped && !enough(tail)) {
		enum vl_err err = cli_scan_next(scan, &message, why);
		bool idle = err == VL_ERR_TIMEOUT;
		if (err != VL_OK && !idle)
			return err == VL_ERR_END ? VL_OK : err;
		if (!idle && wanted(tail, vl_message_record(message))) {
			vl_arena_reset(tail->arena);
			print_record(tail, vl_message_record(message));
		}
		vl_message_free(message);
		if (vl_arena_failed(tail->arena) || vl_buf_failed(&tail->out))
			return VL_ERR_NOMEM;
		if (!hand_over(tail, idle || tail->options->follow))
			return VL_OK;
		cli_progress("%" PRIu64 " of %" PRIu64 " records", cli_scan_done(scan),
			     cli_scan_total(scan));
	}
	return VL_OK;
}

static enum vl_err tail_lanes(struct tail *tail, struct vl_why *why)
{
	const struct cli_options *o = tail->options;
	struct cli_scan *scan;

	enum vl_err err = cli_scan_open(o, (const char *const *)o->args, o->n_args, &scan, why);
	if (err != VL_OK)
		return err;
	if (o->follow)
		(void)signal(SIGINT, stop);
	if (!o->json)
		cli_stream_titles(columns, COLUMNS, cli_bold(), &tail->out);
	err = print_all(tail, scan, why);
	(void)hand_over(tail, true);
	cli_progress_end();
	tail->bad += cli_scan_tell_unread(scan);
	cli_scan_close(scan);
	return err;
}

static int run(const struct cli_options *options)
{
	struct tail tail = {.options = options, .arena = vl_arena_open(0)};
	struct vl_ring *ring = NULL;
	struct vl_why why = {0};
	enum vl_err err = tail.arena != NULL ? VL_OK : VL_ERR_NOMEM;
	int code;

	if (options->follow && options->until.given)
		err = vl_fail(&why, VL_ERR_USAGE, "--follow has no end; leave out --until");
	if (err == VL_OK)
		err = cli_ring_open(options, &ring, &why);
	tail.ring = ring;
	if (err == VL_OK)
		err = tail_lanes(&tail, &why);
	code = err != VL_OK   ? cli_cannot("tail", options->args[0], &why, err)
	       : tail.bad > 0 ? CLI_UNVERIFIED
			      : CLI_OK;
	vl_ring_close(ring);
	vl_buf_free(&tail.out);
	vl_arena_close(tail.arena);
	return code;
}

const struct cli_verb cli_tail_verbs[] = {
	{
		.args = "LANE...",
		.about = "Show the events of lanes, one by one. Each record is verified as it "
			 "prints: ok, or the reason why it may not be believed. The table "
			 "shows no personal data. -o json gives every event whole, with "
			 "mission, lane, epoch, seq, partition and offset. Of a bad record it "
			 "gives place and sizes alone.\n\n"
			 "It reads from the first record to the present last one. With "
			 "--follow it goes on until Ctrl-C, with exit code 0; --since now "
			 "leaves out what is there already. It joins no group and commits "
			 "nothing. The exit code is 4 if a printed record is not authentic, or "
			 "if a record cannot be read. An unreadable record is passed over and "
			 "reported at the end.",
		.options = CLI_OPT_BROKERS | CLI_OPT_KEYS | CLI_OPT_OUTPUT | CLI_OPT_MISSION |
			   CLI_OPT_RANGE | CLI_OPT_COUNT | CLI_OPT_FOLLOW,
		.min_args = 1,
		.max_args = 64,
		.run = run,
	},
	{0},
};

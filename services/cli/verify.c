#include "base/log.h"
#include "bus/json.h"
#include "bus/types.h"
#include "bus/wire.h"
#include "cli/audit.h"
#include "cli/cli.h"
#include "cli/scan.h"
#include "cli/table.h"
#include "valise/trouble/v1/trouble.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOLD 20 /* findings of each line on stderr; JSON has more */

static enum vl_err read_all(struct cli_scan *scan, const struct vl_ring *ring,
			    struct vl_arena *arena, struct cli_audit *audit, struct vl_why *why)
{
	struct vl_message *message;

	for (;;) {
		enum vl_err err = cli_scan_next(scan, &message, why);
		if (err == VL_ERR_TIMEOUT)
			continue;
		if (err != VL_OK)
			return err == VL_ERR_END ? cli_audit_finish(audit) : err;
		struct vl_verified verified;
		vl_arena_reset(arena);
		enum vl_err verdict =
			vl_record_verify(vl_message_record(message), ring, arena, &verified, NULL);
		if (verdict != VL_ERR_NOMEM)
			cli_audit_add(audit, vl_message_record(message), verdict, &verified);
		vl_message_free(message);
		if (verdict == VL_ERR_NOMEM)
			return verdict;
		cli_progress("%" PRIu64 " of %" PRIu64 " records", cli_scan_done(scan),
			     cli_scan_total(scan));
	}
}

/* -- what an officer has looked into -- */

#define TROUBLE_LANE "valise.trouble.v1"
#define ACKNOWLEDGED (&valise__trouble__v1__trouble_acknowledged__descriptor)

static void take_acknowledged(struct cli_audit *audit,
			      const Valise__Trouble__V1__TroubleAcknowledged *said)
{
	for (size_t i = 0; i < said->n_troubles; i++) {
		const Valise__Trouble__V1__Trouble *t = said->troubles[i];
		bool fork = t->kind == VALISE__TROUBLE__V1__TROUBLE_KIND__TROUBLE_KIND_FORK;
		if (fork || t->kind == VALISE__TROUBLE__V1__TROUBLE_KIND__TROUBLE_KIND_ROLLBACK)
			cli_audit_acknowledge(audit, said->mission, said->lane,
					      fork ? CLI_FINDING_FORK : CLI_FINDING_ROLLBACK,
					      (struct vl_epoch){t->epoch}, t->batches);
	}
}

/* Only headquarters acknowledges. */
static enum vl_err take_record(const struct vl_record *record, const struct vl_ring *ring,
			       struct vl_arena *arena, struct cli_audit *audit)
{
	struct vl_verified verified;
	struct vl_bytes payload;

	vl_arena_reset(arena);
	enum vl_err verdict = vl_record_verify(record, ring, arena, &verified, NULL);
	if (verdict != VL_OK || verified.domain == VL_DOMAIN_DRILL ||
	    !vl_bytes_are(record->key, VL_HEADQUARTERS))
		return verdict == VL_ERR_NOMEM ? verdict : VL_OK;
	for (size_t i = 0; i < verified.batch.n_events; i++) {
		if (!vl_event_payload(verified.batch.events[i], ACKNOWLEDGED, &payload))
			continue;
		const void *said = vl_wire_unpack(ACKNOWLEDGED, payload, arena);
		if (said == NULL)
			return VL_ERR_NOMEM;
		take_acknowledged(audit, said);
	}
	return VL_OK;
}

static bool has_trouble(const struct cli_audit *audit)
{
	for (size_t i = 0; i < cli_audit_count(audit); i++)
		if (cli_audit_at(audit, i)->forks + cli_audit_at(audit, i)->rollbacks > 0)
			return true;
	return false;
}

/* Where it cannot be read nothing is acknowledged; a lane that is not there has nothing to say. */
static enum vl_err read_acknowledged(const struct cli_options *options, const struct vl_ring *ring,
				     struct vl_arena *arena, struct cli_audit *audit)
{
	static const char *const lanes[] = {TROUBLE_LANE};
	struct cli_scan *scan = NULL;
	struct vl_message *message;
	struct vl_why why = {0};
	enum vl_err err = has_trouble(audit) ? cli_scan_open(options, lanes, 1, &scan, &why)
					     : VL_ERR_NOT_FOUND;

	while (err == VL_OK) {
		err = cli_scan_next(scan, &message, &why);
		if (err == VL_OK) {
			err = take_record(vl_message_record(message), ring, arena, audit);
			vl_message_free(message);
		}
		if (err == VL_ERR_TIMEOUT)
			err = VL_OK;
	}
	cli_scan_close(scan);
	if (err == VL_ERR_NOMEM)
		return err;
	if (err != VL_ERR_END && err != VL_ERR_NOT_FOUND)
		vl_log_warning("'" TROUBLE_LANE
			       "' cannot be read, and so nothing is known to be acknowledged: %s",
			       vl_why_text(&why, err));
	return VL_OK;
}

/* -- for people -- */

static void tell_finding(const struct cli_audit_line *line, const struct cli_finding *f)
{
	char what[96] = "";

	switch (f->kind) {
	case CLI_FINDING_FORK:
		(void)snprintf(what, sizeof(what), "epoch %" PRIu64 ", batch %" PRIu64, f->epoch.n,
			       f->seq.n);
		break;
	case CLI_FINDING_ROLLBACK:
		(void)snprintf(what, sizeof(what),
			       "epoch %" PRIu64 " does not know of the one before", f->epoch.n);
		break;
	case CLI_FINDING_GAP:
		if (f->seq.n == 0)
			(void)snprintf(what, sizeof(what),
				       "the end of the epoch before %" PRIu64 " is missing",
				       f->epoch.n);
		else
			(void)snprintf(what, sizeof(what),
				       "epoch %" PRIu64 ", batches %" PRIu64 " to %" PRIu64
				       " are missing",
				       f->epoch.n, f->seq.n, f->last_seq.n);
		break;
	case CLI_FINDING_BAD:
		(void)snprintf(what, sizeof(what), "%s", vl_err_text(f->reason));
		break;
	}
	vl_log(f->acknowledged ? VL_LOG_INFO : VL_LOG_ERROR,
	       "%s%s: %s %s: %s (partition %" PRId32 ", offset %" PRId64 ")",
	       cli_finding_name(f->kind), f->acknowledged ? ", acknowledged" : "", line->mission,
	       line->lane, what, f->partition, f->offset);
}

static void tell(const struct cli_audit *audit)
{
	for (size_t i = 0; i < cli_audit_count(audit); i++) {
		const struct cli_audit_line *line = cli_audit_at(audit, i);
		for (size_t j = 0; j < line->n_findings && j < TOLD; j++)
			tell_finding(line, &line->findings[j]);
		if (line->unsure > 0)
			vl_log_error("%s %s: %" PRIu64 " batches could not be compared, since "
				     "their numbers are no longer "
				     "remembered. The lane is too long, or "
				     "too many batches waited",
				     line->mission, line->lane, line->unsure);
		if (line->n_findings > TOLD)
			vl_log_error("%s %s: more than %d findings; -o json lists them",
				     line->mission, line->lane, TOLD);
	}
}

static void print_table(const struct cli_audit *audit, struct vl_buf *out)
{
	static const char *const titles[] = {"MISSION",      "LANE",   "BATCHES", "EVENTS",
					     "REPLAYED",     "GAPS",   "FORKS",   "ROLLBACKS",
					     "ACKNOWLEDGED", "DRILLS", "BAD",     "VERDICT"};
	struct cli_table *table = cli_table_open(titles, sizeof(titles) / sizeof(titles[0]));

	if (table == NULL)
		return;
	for (size_t i = 0; i < cli_audit_count(audit); i++) {
		const struct cli_audit_line *line = cli_audit_at(audit, i);
		const uint64_t numbers[] = {line->batches,
					    line->events,
					    line->replayed,
					    line->gaps,
					    line->forks,
					    line->rollbacks,
					    line->rested_forks + line->rested_rollbacks,
					    line->drills,
					    line->bad};
		cli_table_put(table, line->mission);
		cli_table_put(table, line->lane);
		for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
			cli_table_printf(table, "%" PRIu64, numbers[n]);
		cli_table_put(table, cli_audit_verdict(line));
	}
	cli_table_print(table, cli_bold(), out);
	cli_table_close(table);
}

/* -- for programs -- */

static void print_finding(const struct cli_finding *f, struct vl_buf *out)
{
	vl_buf_printf(out, "{\"kind\":\"%s\"", cli_finding_name(f->kind));
	if (f->kind == CLI_FINDING_BAD)
		vl_buf_printf(out, ",\"reason\":\"%s\"", vl_err_name(f->reason));
	else
		vl_buf_printf(out,
			      ",\"epoch\":\"%" PRIu64 "\",\"seq\":\"%" PRIu64
			      "\",\"lastSeq\":\"%" PRIu64 "\"",
			      f->epoch.n, f->seq.n, f->last_seq.n);
	if (f->acknowledged)
		vl_buf_put_text(out, ",\"acknowledged\":true");
	vl_buf_printf(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 "}", f->partition,
		      f->offset);
}

static void print_line(const struct cli_audit_line *line, struct vl_buf *out)
{
	const char *comma = "";

	vl_buf_put_text(out, "{\"mission\":");
	vl_json_print_text(out, line->mission, strlen(line->mission));
	vl_buf_put_text(out, ",\"lane\":");
	vl_json_print_text(out, line->lane, strlen(line->lane));
	vl_buf_printf(out,
		      ",\"verdict\":\"%s\",\"batches\":%" PRIu64 ",\"events\":%" PRIu64
		      ",\"replayed\":%" PRIu64 ",\"gaps\":%" PRIu64 ",\"forks\":%" PRIu64
		      ",\"rollbacks\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"unsure\":%" PRIu64
		      ",\"drills\":%" PRIu64 ",\"bad\":%" PRIu64 ",\"reasons\":{",
		      cli_audit_verdict(line), line->batches, line->events, line->replayed,
		      line->gaps, line->forks, line->rollbacks,
		      line->rested_forks + line->rested_rollbacks, line->unsure, line->drills,
		      line->bad);
	for (enum vl_err err = 0; err < VL_ERR_COUNT; err++) {
		if (line->reasons[err] == 0)
			continue;
		vl_buf_printf(out, "%s\"%s\":%" PRIu64, comma, vl_err_name(err),
			      line->reasons[err]);
		comma = ",";
	}
	vl_buf_put_text(out, "},\"findings\":[");
	for (size_t i = 0; i < line->n_findings; i++) {
		vl_buf_put_text(out, i > 0 ? "," : "");
		print_finding(&line->findings[i], out);
	}
	vl_buf_put_text(out, "]}\n");
}

static void print_unread(const struct cli_scan *scan, struct vl_buf *out)
{
	const struct cli_unread *unread;
	size_t n = cli_scan_unread(scan, &unread);

	for (size_t i = 0; i < n; i++) {
		const struct cli_unread *u = &unread[i];
		const char *words = vl_why_text(&u->why, u->err);
		vl_buf_put_text(out, "{\"unread\":{\"lane\":");
		vl_json_print_text(out, u->at.topic, strlen(u->at.topic));
		vl_buf_printf(out, ",\"partition\":%" PRId32, u->at.partition);
		if (u->to >= 0)
			vl_buf_printf(out, ",\"offset\":%" PRId64 ",\"lastOffset\":%" PRId64,
				      u->at.offset, u->to - 1);
		if (u->bytes > 0)
			vl_buf_printf(out, ",\"bytes\":%" PRIu64, u->bytes);
		vl_buf_printf(out, ",\"reason\":\"%s\",\"words\":", vl_err_name(u->err));
		vl_json_print_text(out, words, strlen(words));
		vl_buf_put_text(out, "}}\n");
	}
}

/* 4 where anything is wrong, or could not be read. */
static int report(const struct cli_options *options, const struct cli_audit *audit,
		  const struct cli_scan *scan)
{
	const struct cli_unread *unread;
	struct vl_buf out = {0};
	int code = cli_scan_unread(scan, &unread) > 0 ? CLI_UNVERIFIED : CLI_OK;

	for (size_t i = 0; i < cli_audit_count(audit); i++) {
		const struct cli_audit_line *line = cli_audit_at(audit, i);
		if (options->json)
			print_line(line, &out);
		if (strcmp(cli_audit_verdict(line), "ok") != 0)
			code = CLI_UNVERIFIED;
	}
	if (options->json)
		print_unread(scan, &out);
	else
		print_table(audit, &out);
	if (vl_buf_failed(&out))
		code = cli_cannot("verify", options->args[0], NULL, VL_ERR_NOMEM);
	cli_write(out.data, out.size);
	(void)cli_flush();
	vl_buf_free(&out);
	if (!options->json) {
		tell(audit);
		(void)cli_scan_tell_unread(scan);
	}
	return code;
}

static int run(const struct cli_options *options)
{
	struct vl_arena *arena = vl_arena_open(0);
	struct cli_audit *audit = cli_audit_open();
	struct vl_ring *ring = NULL;
	struct cli_scan *scan = NULL;
	struct vl_why why = {0};
	enum vl_err err = arena != NULL && audit != NULL ? VL_OK : VL_ERR_NOMEM;

	if (err == VL_OK)
		err = cli_ring_open(options, &ring, &why);
	if (err == VL_OK)
		err = cli_scan_open(options, (const char *const *)options->args, options->n_args,
				    &scan, &why);
	if (err == VL_OK)
		err = read_all(scan, ring, arena, audit, &why);
	if (err == VL_OK)
		err = read_acknowledged(options, ring, arena, audit);
	cli_progress_end();
	int code = err == VL_OK ? report(options, audit, scan)
				: cli_cannot("verify", options->args[0], &why, err);
	cli_scan_close(scan);
	vl_ring_close(ring);
	cli_audit_close(audit);
	vl_arena_close(arena);
	return code;
}

const struct cli_verb cli_verify_verbs[] = {
	{
		.args = "LANE...",
		.about = "Audit whole lanes from their first record to the present last one: "
			 "every signature, every chain. Prints one line for each mission and "
			 "lane. Findings go to stderr, or into \"findings\" of -o json. The "
			 "verdict of a line is the worst of these:\n\n"
			 "  bad       a record is not authentic or not readable\n"
			 "  fork      two batches have the same number\n"
			 "  rollback  an epoch does not know of the one before\n"
			 "  gap       batches are missing\n"
			 "  ok\n\n"
			 "The exit code is 4 unless all are ok and all records could be read. "
			 "If a batch is unreadable (a broken checksum, or it unpacks to too "
			 "much), it is passed over and reported (\"unread\" in -o json). The "
			 "rest is judged.\n\n"
			 "Forks and rollbacks that headquarters has acknowledged (valise "
			 "mission acknowledge) are no verdict. A batch that comes again is "
			 "counted as replayed, and is not wrong: a sender that received no "
			 "answer sends it again. Missing batches on a lane whose topic is "
			 "compacted are not wrong either, since Kafka itself drops old batches "
			 "there.",
		.options = CLI_OPT_BROKERS | CLI_OPT_KEYS | CLI_OPT_OUTPUT,
		.min_args = 1,
		.max_args = 64,
		.run = run,
	},
	{0},
};

#include "cli/publish.h"
#include "cli/published.h"

#include "base/log.h"
#include "bus/json.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 30000
#define BLANK " \t\r"

struct publisher {
	const struct cli_publish *how;
	struct cli_lines lines;
	struct vl_client *client;
	struct vl_arena *arena;
	struct vl_buf bytes, printed;
	uint64_t accepted, duplicates, refused;
	bool made; /* some events had no id */
	struct vl_digest content;
	/* the input is a file that can be given again, and `content` is its digest */
	bool whole;
};

static void complain(struct publisher *p, uint64_t line, const struct vl_why *why, enum vl_err err)
{
	char where[256];

	(void)snprintf(where, sizeof(where), "%.200s:%" PRIu64, p->how->name, line);
	(void)cli_cannot("publish", where, why, err);
	p->refused++;
}

/* -- what the agent says -- */

void cli_print_accepted(struct vl_buf *out, uint64_t line, const struct vl_client_answer *answer)
{
	char id[sodium_base64_ENCODED_LEN(16, sodium_base64_VARIANT_ORIGINAL)], uuid[VL_UUID_TEXT];

	(void)sodium_bin2base64(id, sizeof(id), answer->id, sizeof(answer->id),
				sodium_base64_VARIANT_ORIGINAL);
	vl_buf_printf(out, "{\"line\":%" PRIu64 ",\"id\":\"%s\",\"uuid\":\"%s\",\"lane\":", line,
		      id, vl_uuid_format(answer->id, uuid));
	vl_json_print_text(out, answer->lane, strlen(answer->lane));
	vl_buf_printf(out, ",\"epoch\":%" PRIu64 ",\"event\":%" PRIu64 "%s}\n", answer->epoch,
		      answer->event, answer->duplicate ? ",\"duplicate\":true" : "");
}

static void answered(void *context, uint64_t line, const struct vl_client_answer *answer)
{
	struct publisher *p = context;
	struct vl_why why = {0};
	char id[VL_UUID_TEXT];

	switch (answer->outcome) {
	case VL_CLIENT_ACCEPTED:
		cli_print_accepted(&p->printed, line, answer);
		p->accepted++;
		p->duplicates += answer->duplicate;
		return;
	case VL_CLIENT_REFUSED:
	case VL_CLIENT_FULL:
		complain(p, line, &why, vl_fail(&why, VL_ERR_INVALID, "%s", answer->reason));
		return;
	case VL_CLIENT_UNKNOWN:
		complain(p, line, &why,
			 vl_fail(&why, VL_ERR_OUTCOME_UNKNOWN,
				 "whether it was stored is unknown; publish it again with "
				 "\"id\":\"%s\"",
				 vl_uuid_format(answer->id, id)));
		return;
	case VL_CLIENT_UNSENT:
		complain(p, line, &why,
			 vl_fail(&why, VL_ERR_UNREACHABLE, "not sent; publish it again"));
		return;
	}
}

static void lost(void *context, const char *reason)
{
	const struct publisher *p = context;

	vl_log_warning("%s; trying again for %d s", reason, p->how->patience_ms / 1000);
}

/* stdout may be gone; the facts still have to reach the agent. */
static void show(struct publisher *p)
{
	if (p->printed.size == 0)
		return;
	p->how->print(p->how->context, vl_buf_bytes(&p->printed));
	vl_buf_reset(&p->printed);
	cli_progress("published %" PRIu64 " events", p->accepted);
}

/* -- what comes in -- */

static bool is_blank(struct vl_bytes line)
{
	for (size_t i = 0; i < line.size; i++) {
		if (strchr(BLANK, line.data[i]) == NULL || line.data[i] == '\0')
			return false;
	}
	return true;
}

/* Some editors put a byte order mark before everything. */
static struct vl_bytes without_mark(struct vl_bytes line)
{
	bool marked = line.size >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0;

	return marked ? (struct vl_bytes){line.data + 3, line.size - 3} : line;
}

static enum vl_err take_line(struct publisher *p, struct vl_bytes line, struct vl_why *why)
{
	struct vl_event_id id;
	bool made;

	vl_buf_reset(&p->bytes);
	vl_arena_reset(p->arena);
	enum vl_err err = cli_event_make(line, p->arena, p->how, &p->bytes, &id, &made, why);
	if (err != VL_OK)
		return err;
	p->made |= made;
	if (!vl_client_add_packed(p->client, p->bytes.data, p->bytes.size, p->lines.line))
		return vl_fail(why, VL_ERR_NOMEM, "%s", vl_client_reason(p->client));
	return VL_OK;
}

/* Whole lines, as many as there is room for. True where the input holds no further one for now. */
static bool take_lines(struct publisher *p)
{
	struct vl_bytes line;

	while (vl_client_has_room(p->client)) {
		struct vl_why why = {0};
		enum vl_err err = cli_lines_next(&p->lines, &line);
		if (err == VL_ERR_END)
			return true;
		if (err == VL_ERR_TOO_LARGE)
			(void)vl_fail(&why, err,
				      "the line is longer than %zu bytes; it was skipped",
				      CLI_LINE_MAX);
		if (p->lines.line == 1)
			line = without_mark(line);
		if (err == VL_OK && !is_blank(line))
			err = take_line(p, line, &why);
		if (err != VL_OK)
			complain(p, p->lines.line, &why, err);
	}
	return false;
}

/* Each line without an answer has its own complaint by now. */
static void give_up(struct publisher *p)
{
	struct vl_why why = {0};

	(void)cli_cannot("publish", p->how->name, &why,
			 vl_fail(&why, VL_ERR_UNREACHABLE, "%s", vl_client_reason(p->client)));
	if (!p->lines.eof || p->lines.at < p->lines.buf.size)
		vl_log_error("nothing behind line %" PRIu64 " was read", p->lines.line);
	p->refused++;
}

/* -- the loop -- */

static bool wait_for_either(struct publisher *p, bool want_input, struct vl_why *why)
{
	struct pollfd fds[2] = {{.fd = want_input ? p->lines.fd : -1, .events = POLLIN}};
	int timeout;

	vl_client_poll(p->client, vl_monotonic_ms(), &fds[1].fd, &fds[1].events, &timeout);
	if (poll(fds, 2, timeout) < 0 && errno != EINTR)
		return false;
	if (fds[0].revents == 0)
		return true;
	enum vl_err err = cli_lines_read(&p->lines, why);
	if (err != VL_OK) {
		(void)cli_cannot("read", p->how->name, why, err);
		p->refused++;
	}
	return true;
}

static void publish_all(struct publisher *p)
{
	for (;;) {
		struct vl_why why = {0};
		bool dry = take_lines(p);
		bool going = vl_client_work(p->client, vl_monotonic_ms());
		show(p);
		if (!going) {
			give_up(p);
			return;
		}
		if (dry && p->lines.eof && vl_client_unanswered(p->client) == 0)
			return;
		if ((dry || !vl_client_has_room(p->client)) &&
		    !wait_for_either(p, dry && !p->lines.eof, &why))
			return;
	}
}

static void warn_of_repeat(struct publisher *p)
{
	char when[VL_TIME_TEXT];

	p->whole = cli_published_digest(p->how->input, &p->content);
	if (p->whole && cli_published_find(&p->content, when))
		vl_log_warning(
			"%s was already published at %s. Its events without an id become new "
			"events each time; give each an \"id\" to make a second time harmless",
			p->how->name, when);
}

static void summarise(const struct publisher *p)
{
	cli_progress_end();
	if (p->refused == 0 && !isatty(STDERR_FILENO))
		return;
	if (p->duplicates > 0)
		vl_log_info("%" PRIu64 " accepted (%" PRIu64 " of them before), %" PRIu64
			    " refused",
			    p->accepted, p->duplicates, p->refused);
	else
		vl_log_info("%" PRIu64 " accepted, %" PRIu64 " refused", p->accepted, p->refused);
}

/* A client that is connected; else what is wrong was said. */
static bool connect_client(struct publisher *p)
{
	const struct vl_client_options options = {
		.socket = p->how->socket,
		.patience_ms = p->how->patience_ms,
		.answered = answered,
		.lost = lost,
		.context = p,
	};
	struct vl_why why = {0};
	enum vl_err err = VL_ERR_NOMEM;

	p->client = vl_client_open(&options);
	if (p->client != NULL && vl_client_ready(p->client, vl_monotonic_ms()))
		return true;
	if (p->client != NULL)
		err = vl_fail(&why, VL_ERR_UNREACHABLE, "%s", vl_client_reason(p->client));
	(void)cli_cannot("publish", p->how->name, &why, err);
	p->refused++;
	return false;
}

int cli_publish_run(const struct cli_publish *publish)
{
	struct publisher p = {
		.how = publish, .lines = {.fd = publish->input}, .arena = vl_arena_open(0)};
	struct vl_why why = {0};

	if (p.arena == NULL) {
		(void)cli_cannot("publish", publish->name, &why, VL_ERR_NOMEM);
		return CLI_FAILED;
	}
	if (connect_client(&p)) {
		warn_of_repeat(&p);
		publish_all(&p);
		/* However it ended: a line without an answer is never success. */
		if (p.refused == 0 && vl_client_unanswered(p.client) > 0)
			give_up(&p);
		summarise(&p);
		if (p.whole && p.made && p.accepted > 0)
			cli_published_note(&p.content, vl_clock_now(publish->clock));
	}
	vl_client_close(p.client);
	cli_lines_free(&p.lines);
	vl_buf_free(&p.bytes);
	vl_buf_free(&p.printed);
	vl_arena_close(p.arena);
	return p.refused > 0 ? CLI_FAILED : CLI_OK;
}

static void print(void *context, struct vl_bytes lines)
{
	(void)context;
	cli_write(lines.data, lines.size);
	(void)cli_flush();
}

static int run(const struct cli_options *options)
{
	const char *path = options->n_args > 0 ? options->args[0] : "-";
	bool standard = strcmp(path, "-") == 0;
	struct vl_why why = {0};
	int input = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (input < 0)
		return cli_cannot("read", path, &why,
				  vl_fail(&why, errno == ENOENT ? VL_ERR_NOT_FOUND : VL_ERR_IO,
					  "%s", strerror(errno)));
	int code = cli_publish_run(&(struct cli_publish){
		.input = input,
		.name = standard ? "stdin" : path,
		.socket = options->socket != NULL ? options->socket : VL_CLIENT_SOCKET,
		.print = print,
		.patience_ms = PATIENCE_MS,
		.clock = &vl_clock_system,
		.rand = &vl_rand_system,
	});
	if (!standard)
		(void)close(input);
	return code;
}

const struct cli_verb cli_publish_verbs[] = {
	{
		.args = "[FILE|-]",
		.about = "Give events to the mission's agent. Each line is one valise.v1.Event "
			 "in proto3 JSON:\n\n"
			 "  {\"subject\":\"SD-1\","
			 "\"payload\":{\"@type\":\"consular.case.v1.CaseOpened\",...}}\n\n"
			 "Prints {\"line\",\"id\",\"lane\",\"epoch\",\"event\"} for each, as "
			 "soon as it is on the disk. An event without an id gets one. If an id "
			 "is used again for the same event, it stays one event and gets the "
			 "first answer, with \"duplicate\":true. If a line is refused, stderr "
			 "says why, the other lines go on, and the exit code is 1. If the "
			 "agent stops, valise waits 30 s for it, and then gives it the "
			 "unanswered events again under the same ids.",
		.options = CLI_OPT_SOCKET,
		.max_args = 1,
		.run = run,
	},
	{0},
};

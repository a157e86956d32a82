/*
 * Publishing, between its parts: publish.c is the verb and the loop, publish_lines.c turns lines
 * into events, and client/client.h speaks with the agent.
 *
 * What is promised: a line is printed as accepted only after the agent said so, and a line whose
 * answer got lost is sent again with the same id, which the agent takes as the same event.
 */
#ifndef VALISE_CLI_PUBLISH_H
#define VALISE_CLI_PUBLISH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/rand.h"
#include "base/text.h"
#include "client/client.h"

#define CLI_LINE_MAX ((size_t)4 << 20) /* what vl_json_parse takes */

/* How to publish. `input` stays the caller's; `print` gets whole lines, each the moment its
 * event is durable. */
struct cli_publish {
	int input;
	const char *name; /* of the input, for people */
	const char *socket;
	void (*print)(void *context, struct vl_bytes lines);
	void *context;
	int patience_ms; /* how long a lost agent is waited for */
	const struct vl_clock *clock;
	const struct vl_rand *rand;
};

/* Publish all of the input; complaints go to stderr. The exit code. */
int cli_publish_run(const struct cli_publish *publish);

/* -- publish_lines.c -- */

/* Input cut into lines. Start with {.fd = ...}; free with _free. */
struct cli_lines {
	int fd;
	bool eof;
	bool skipping; /* within a line that is too long and has been told of */
	uint64_t line; /* of the last line given, from 1 */
	size_t at;     /* where in `buf` the next line begins */
	size_t seen;   /* how far there is no newline */
	struct vl_buf buf;
};

/* Read once; call it when poll says there is something. Not ok: IO, NOMEM. */
enum vl_err cli_lines_read(struct cli_lines *lines, struct vl_why *why) VL_CHECKED;

/* The next whole line (the last one may lack its newline), valid until the next read. END: none
 * yet. TOO_LARGE: it is, and what is left of it will be skipped. */
enum vl_err cli_lines_next(struct cli_lines *lines, struct vl_bytes *line) VL_CHECKED;
void cli_lines_free(struct cli_lines *lines);

/* Make an event of a line of proto3 JSON: give it an id and an occurred_at where it has none,
 * check that the bus takes it, and append its bytes. *made says that the id is a new one. The
 * reason is for a person. */
enum vl_err cli_event_make(struct vl_bytes line, struct vl_arena *arena,
			   const struct cli_publish *publish, struct vl_buf *bytes,
			   struct vl_event_id *id, bool *made, struct vl_why *why) VL_CHECKED;

/* The line of JSON that stands for an accepted event of that line of the input. */
void cli_print_accepted(struct vl_buf *out, uint64_t line, const struct vl_client_answer *answer);

#endif

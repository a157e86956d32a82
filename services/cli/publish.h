/*
 * Inside publishing: publish.c is the verb and the loop, publish_lines.c turns lines into events,
 * and client/client.h talks to the agent.
 *
 * The promise: a line is printed as accepted only after the agent said so. If its answer was lost,
 * the line is sent again with the same id, which the agent takes for the same event.
 *
 * Next: published.h, which files were published before.
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

#define CLI_LINE_MAX ((size_t)4 << 20) /* the most that vl_json_parse takes */

/* How to publish. `input` stays the caller's. `print` gets whole lines, each as soon as its
 * event is on the disk. */
struct cli_publish {
	int input;
	const char *name; /* of the input, for people */
	const char *socket;
	void (*print)(void *context, struct vl_bytes lines);
	void *context;
	int patience_ms; /* how long it waits for a lost agent */
	const struct vl_clock *clock;
	const struct vl_rand *rand;
};

/* Publish all of the input; errors go to stderr. Returns the exit code. */
int cli_publish_run(const struct cli_publish *publish);

/* -- publish_lines.c -- */

/* Input cut into lines. Start with {.fd = ...}; free with _free. */
struct cli_lines {
	int fd;
	bool eof;
	bool skipping; /* within a line that is too long and was reported */
	uint64_t line; /* of the last returned line, from 1 */
	size_t at;     /* the position in `buf` of the next line */
	size_t seen;   /* up to here there is no newline */
	struct vl_buf buf;
};

/* Read once; call it when poll reports bytes. IO, NOMEM. */
enum vl_err cli_lines_read(struct cli_lines *lines, struct vl_why *why) VL_CHECKED;

/* The next whole line (the last one may lack its newline), valid until the next read. END: none
 * yet. TOO_LARGE: the line is too long, and the rest of it will be skipped. */
enum vl_err cli_lines_next(struct cli_lines *lines, struct vl_bytes *line) VL_CHECKED;
void cli_lines_free(struct cli_lines *lines);

/* Make an event of a line of proto3 JSON, and append its bytes. Missing id and occurred_at are
 * added, and the event is checked as the bus does. *made says that the id is a new one. The
 * reason is for a person. */
enum vl_err cli_event_make(struct vl_bytes line, struct vl_arena *arena,
			   const struct cli_publish *publish, struct vl_buf *bytes,
			   struct vl_event_id *id, bool *made, struct vl_why *why) VL_CHECKED;

/* The line of JSON for an accepted event of that line of the input. */
void cli_print_accepted(struct vl_buf *out, uint64_t line, const struct vl_client_answer *answer);

#endif

/*
 * The declarations that the verbs of `valise` share. command.c shows how a line becomes a call;
 * each verb has a file of its own.
 *
 * Data goes to stdout, messages go to stderr. A verb is one row of a `struct cli_verb` table with
 * its name, arguments, options and help. The parser, `--help` and the checks all use this table. A
 * verb returns an exit code and never exits by itself.
 *
 * Next: views.h, how verbs read the views.
 */
#ifndef VALISE_CLI_CLI_H
#define VALISE_CLI_CLI_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* refused, or impossible */
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_UNVERIFIED = 4, /* a record or entry failed its verification */
	CLI_UNREACHABLE = 5,
};

/* The exit code an error stands for. */
int cli_exit_of(enum vl_err err);

/* `valise: cannot VERB 'OBJECT': reason` on stderr; returns the exit code. */
int cli_cannot(const char *verb, const char *object, const struct vl_why *why, enum vl_err err);

/* All options. A verb takes those whose bits it sets; the table of options.c describes each. */
enum {
	CLI_OPT_BROKERS = 1 << 0, /* -b, and with it -X and -F */
	CLI_OPT_KEYS = 1 << 1,
	CLI_OPT_VIEWS = 1 << 2,
	CLI_OPT_SOCKET = 1 << 3,
	CLI_OPT_OUTBOX = 1 << 4,
	CLI_OPT_OUTPUT = 1 << 5,
	CLI_OPT_MISSION = 1 << 6,
	CLI_OPT_RANGE = 1 << 7, /* --since and --until */
	CLI_OPT_COUNT = 1 << 8,
	CLI_OPT_FOLLOW = 1 << 9,
	CLI_OPT_ALL = 1 << 10,
	CLI_OPT_AT = 1 << 11,
	CLI_OPT_KIND = 1 << 12,
	CLI_OPT_ID = 1 << 13,
	CLI_OPT_OUT = 1 << 14,
	CLI_OPT_RAW = 1 << 15,
	CLI_OPT_DRY = 1 << 16,
	CLI_OPT_ASK = 1 << 17,   /* --where, --sort, --limit, --columns */
	CLI_OPT_FORMS = 1 << 18, /* -o, with csv; not together with OUTPUT */
	CLI_OPT_SCHEMA = 1 << 19,
	CLI_OPT_ZONE = 1 << 20,
	CLI_OPT_LIMIT = 1 << 21, /* --limit alone; not together with ASK */
	CLI_OPT_PAST = 1 << 22,  /* --known and --true */
	CLI_OPT_BY = 1 << 23,
	CLI_OPT_FROM = 1 << 24, /* only some of its values need brokers */
};

#define CLI_PAIRS 64
#define CLI_LIST 16

/* An option that may be given again. */
struct cli_list {
	const char *items[CLI_LIST];
	size_t n;
};

struct cli_instant {
	bool given;
	struct vl_time time;
};

/* A line as read. Texts belong to argv, the environment or `arena`. One that was not given is
 * NULL. */
struct cli_options {
	const char *command, *verb; /* "case", "ls"; `verb` is NULL if the command is the verb */
	const char *brokers, *keys, *views, *socket, *outbox, *mission, *kind, *id, *out, *from,
		*by;
	struct cli_instant since, until, at, known, truth;
	uint64_t count; /* 0: no limit */
	struct cli_list where, sort;
	const char *columns, *zone;
	uint64_t limit; /* 0: none */
	bool json, csv, follow, all, raw, dry_run, schema;
	struct vl_conf_pair pairs[CLI_PAIRS]; /* librdkafka's properties, brokers among them */
	size_t n_pairs;
	char *const *args; /* the arguments that are no options */
	size_t n_args;
	struct vl_arena *arena;
};

/* One verb. A table of verbs ends with a NULL `run`. */
struct cli_verb {
	const char *name;  /* "ls"; NULL if the command itself is the verb */
	const char *args;  /* as shown in its usage: "[KIND]" */
	const char *about; /* what it does, for --help; wrapped when it is printed (base/wrap.h) */
	unsigned options;
	size_t min_args, max_args;
	int (*run)(const struct cli_options *options);
};

/* One command. A table of commands ends with a NULL name. */
struct cli_command {
	const char *name;
	const char *help; /* one line */
	const struct cli_verb *verbs;
	int (*main)(int argc, char **argv); /* instead of verbs: argv[0] is the command's name */
};

/* Find the command of argv[1] and run it. The nouns of views are commands, besides those of the
 * table. Returns the exit code. */
int cli_run(const struct cli_command *commands, int argc, char **argv);

/* Read argv[1...] after the verb and run it. A command's own `main` may use it too. */
int cli_run_verb(const char *command, const struct cli_verb *verb, int argc, char **argv);

/* Run the verb of argv[1]; else a usage error or help. */
int cli_run_verbs(const char *command, const struct cli_verb *verbs, int argc, char **argv);

/* -- options.c -- */

/* Read a verb's options. -1: go on. Else the exit code: help was requested, or an error was
 * reported. Call cli_options_close in any case. */
int cli_options_parse(const char *command, const struct cli_verb *verb, int argc, char **argv,
		      struct cli_options *options);
void cli_options_close(struct cli_options *options);

/* The options of a verb, one a line, as `--help` shows them. */
struct vl_buf;
void cli_options_print(unsigned options, struct vl_buf *out);

/* A time: RFC 3339, a date (00:00 UTC), "now", milliseconds since 1970, or how long before `now`
 * ("90s", "15m", "1h", "2d", "1w"). False for any other text. */
bool cli_time_parse(const char *text, struct vl_time now, struct vl_time *time);

/* How many bytes must be changed, added or removed to turn one text into the other. */
size_t cli_distance(const char *a, const char *b);

/* The nearest of `count` names to a written one, or NULL if none is near. */
const char *cli_nearest(const char *written, const char *const *names, size_t count);

/* -- talk.c -- */

/* Whether stdout may be coloured: a terminal, and NO_COLOR is not set. */
bool cli_bold(void);

/* Print to stdout. Verbs print large or long output by this, so that the first error is known. */
void cli_write(const void *bytes, size_t count);

/* If this program were stopped while it reads a store, it would keep the store's freed room from
 * use. Until cli_let_stops, a stop by the terminal (Ctrl-Z) is delayed. */
void cli_hold_stops(sigset_t *before);
void cli_let_stops(const sigset_t *before);

/* Flush stdout. False when that is no longer possible: stop; cli_finish reports the reason. */
bool cli_flush(void);

/* At the end of the program: `code`, unless stdout could not be written. If the reader of stdout
 * went away, that is not reported. */
int cli_finish(int code);

/* A line on stderr that is overwritten again and again, if stderr is a terminal and stdout is
 * not. */
void cli_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_progress_end(void);

/* A member of a JSON object: a comma if needed, the name, the text in quotes. */
void cli_put_json_text(struct vl_buf *out, const char *name, struct vl_bytes text);

/* -- the commands; main.c has them in a table -- */

extern const struct cli_verb cli_key_verbs[], cli_publish_verbs[], cli_tail_verbs[],
	cli_verify_verbs[], cli_noun_verbs[], cli_query_verbs[], cli_mission_verbs[],
	cli_view_verbs[], cli_outbox_verbs[], cli_deadletter_verbs[];

/* Verbs in files of their own. */
int cli_outbox_carry(const struct cli_options *options);
int cli_mission_acknowledge(const struct cli_options *options);
int cli_deadletter_refused(const struct cli_options *options);

int cli_topic(int argc, char **argv);

#endif

#include "cli/cli.h"

#include "base/buf.h"
#include "base/ini.h"
#include "base/log.h"
#include "base/near.h"
#include "base/when.h"
#include "base/wrap.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

enum form { FLAG, TEXT, LIST, COUNT, TIME, FORMAT, PROPERTY, PROPERTIES };

/* One option; `letter` is 0 where it has none. */
struct row {
	unsigned bit;
	char letter;
	const char *name, *value, *env;
	enum form form;
	size_t offset;
	const char *help;
};

#define AT(field) offsetof(struct cli_options, field)

static const struct row rows[] = {
	{CLI_OPT_BROKERS, 'b', "brokers", "HOST:PORT,...", "VALISE_BROKERS", TEXT, AT(brokers),
	 "Kafka's addresses"},
	{CLI_OPT_BROKERS, 'X', "property", "NAME=VALUE", NULL, PROPERTY, 0,
	 "a property of librdkafka, such as TLS files"},
	{CLI_OPT_BROKERS, 'F', "properties", "FILE", NULL, PROPERTIES, 0,
	 "a file of such properties, one a line; # begins a comment"},
	{CLI_OPT_KEYS, 0, "keys", "DIR", "VALISE_KEYS", TEXT, AT(keys),
	 "folder of the senders' public keys (*.pub)"},
	{CLI_OPT_VIEWS, 0, "views", "DIR", "VALISE_VIEWS", TEXT, AT(views),
	 "folder of headquarters' views"},
	{CLI_OPT_SOCKET, 0, "socket", "PATH", "VALISE_SOCKET", TEXT, AT(socket),
	 "the agent's socket"},
	{CLI_OPT_OUTBOX, 0, "outbox", "DIR", "VALISE_OUTBOX", TEXT, AT(outbox),
	 "folder of the agent's outbox"},
	{CLI_OPT_OUTPUT, 'o', "output", "table|json", NULL, FORMAT, 0,
	 "a table, or one JSON value a line"},
	{CLI_OPT_FORMS, 'o', "output", "table|json|csv", NULL, FORMAT, 0,
	 "a table, one JSON value a line, or CSV"},
	{CLI_OPT_ASK, 'w', "where", "CONDITION", NULL, LIST, AT(where),
	 "only rows that match: FIELD=VALUE, != < <= > >= ~, 'FIELD in A,B'; may be given again"},
	{CLI_OPT_ASK, 's', "sort", "FIELD", NULL, LIST, AT(sort),
	 "sort by FIELD; -FIELD puts the greatest first; may be given again"},
	{CLI_OPT_ASK | CLI_OPT_LIMIT, 'n', "limit", "COUNT", NULL, COUNT, AT(limit),
	 "show at most COUNT rows"},
	{CLI_OPT_ASK, 'c', "columns", "FIELD,...", NULL, TEXT, AT(columns),
	 "show only these columns"},
	{CLI_OPT_SCHEMA, 0, "schema", NULL, NULL, FLAG, AT(schema),
	 "list the tables, their columns and types"},
	{CLI_OPT_ZONE, 'z', "zone", "ZONE", NULL, TEXT, AT(zone),
	 "print times in this zone: UTC, +08:00, Asia/Shanghai; default: the host's"},
	{CLI_OPT_MISSION, 0, "mission", "ID", NULL, TEXT, AT(mission), "only this sender"},
	{CLI_OPT_RANGE, 0, "since", "TIME", NULL, TIME, AT(since), "only from this broker time on"},
	{CLI_OPT_RANGE, 0, "until", "TIME", NULL, TIME, AT(until), "only before this broker time"},
	{CLI_OPT_COUNT, 'n', "count", "COUNT", NULL, COUNT, AT(count), "stop after COUNT events"},
	{CLI_OPT_FOLLOW, 'f', "follow", NULL, NULL, FLAG, AT(follow),
	 "wait for more; Ctrl-C ends it"},
	{CLI_OPT_ALL, 'a', "all", NULL, NULL, FLAG, AT(all), "also closed rows"},
	{CLI_OPT_AT, 0, "at", "TIME", NULL, TIME, AT(at),
	 "show rows as at TIME; refused for kinds that are kept only as they are now"},
	{CLI_OPT_PAST, 0, "known", "TIME", NULL, TIME, AT(known),
	 "show what headquarters knew at TIME: of the batches that it had applied by then"},
	{CLI_OPT_PAST, 0, "true", "TIME", NULL, TIME, AT(truth),
	 "show what was true at TIME: of the events that had occurred by then, by all that is "
	 "known today"},
	{CLI_OPT_KIND, 'k', "kind", "KIND", NULL, TEXT, AT(kind), "only this kind of row"},
	{CLI_OPT_ID, 0, "id", "ID", NULL, TEXT, AT(id), "the sender, such as CN-SD-EMB"},
	{CLI_OPT_OUT, 0, "out", "DIR", NULL, TEXT, AT(out), "the folder to write to"},
	{CLI_OPT_RAW, 0, "raw", NULL, NULL, FLAG, AT(raw),
	 "write only the bytes of the value, to stdout"},
	{CLI_OPT_FROM, 0, "from", "archive|kafka|both", NULL, TEXT, AT(from),
	 "the source to read; default: archive"},
	{CLI_OPT_BY, 0, "by", "OFFICER", NULL, TEXT, AT(by),
	 "the officer who looked into it, such as officer:7"},
	{CLI_OPT_DRY, 0, "dry-run", NULL, NULL, FLAG, AT(dry_run),
	 "print what would be done, and do nothing"},
};

#define LONG_BASE 256

/* -- names and times, as base has them -- */

size_t cli_distance(const char *a, const char *b)
{
	return vl_distance(a, b);
}

const char *cli_nearest(const char *written, const char *const *names, size_t count)
{
	return vl_nearest(written, names, count);
}

bool cli_time_parse(const char *text, struct vl_time now, struct vl_time *time)
{
	return vl_when_parse(text, now, time);
}

/* -- librdkafka's properties -- */

static enum vl_err add_pair(struct cli_options *options, const char *key, const char *value,
			    struct vl_why *why)
{
	if (options->n_pairs + 1 >= CLI_PAIRS) /* one is left for the brokers */
		return vl_fail(why, VL_ERR_USAGE, "more than %d properties", CLI_PAIRS - 1);
	struct vl_conf_pair pair = {vl_arena_text(options->arena, key, strlen(key)),
				    vl_arena_text(options->arena, value, strlen(value))};
	if (pair.key == NULL || pair.value == NULL)
		return VL_ERR_NOMEM;
	options->pairs[options->n_pairs++] = pair;
	return VL_OK;
}

static enum vl_err add_property(struct cli_options *options, const char *text, struct vl_why *why)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text)
		return vl_fail(why, VL_ERR_USAGE, "a property is written NAME=VALUE");
	const char *key = vl_arena_text(options->arena, text, (size_t)(equals - text));
	return key != NULL ? add_pair(options, key, equals + 1, why) : VL_ERR_NOMEM;
}

/* A file's properties, while it is read. */
struct properties {
	struct cli_options *options;
	size_t first; /* what stands before in the options is not the file's */
};

static enum vl_err take_property(void *context, const struct vl_ini_item *item, struct vl_why *why)
{
	struct properties *p = context;
	struct cli_options *options = p->options;

	if (item->section[0] != '\0')
		return vl_fail(why, VL_ERR_USAGE, "line %d: a file of properties has no [section]",
			       item->line);
	for (size_t i = p->first; i < options->n_pairs; i++)
		if (strcmp(options->pairs[i].key, item->key) == 0)
			return vl_fail(why, VL_ERR_USAGE, "line %d: %.60s is given twice",
				       item->line, item->key);
	return add_pair(options, item->key, item->value, why);
}

static enum vl_err add_properties(struct cli_options *options, const char *path, struct vl_why *why)
{
	struct properties p = {options, options->n_pairs};
	struct vl_why reason = {0};
	enum vl_err err = vl_ini_read(path, take_property, &p, &reason);

	if (err == VL_OK || err == VL_ERR_NOMEM)
		return err;
	return vl_fail(why, VL_ERR_USAGE, "'%.80s': %s", path, vl_why_text(&reason, err));
}

static bool has_brokers(const struct cli_options *options)
{
	for (size_t i = 0; i < options->n_pairs; i++) {
		if (strcmp(options->pairs[i].key, "bootstrap.servers") == 0 ||
		    strcmp(options->pairs[i].key, "metadata.broker.list") == 0)
			return true;
	}
	return false;
}

/* -- reading a line -- */

static enum vl_err set_format(const struct row *row, struct cli_options *options, const char *text,
			      struct vl_why *why)
{
	bool with_csv = (row->bit & CLI_OPT_FORMS) != 0;

	options->json = strcmp(text, "json") == 0;
	options->csv = with_csv && strcmp(text, "csv") == 0;
	if (options->json || options->csv || strcmp(text, "table") == 0)
		return VL_OK;
	return vl_fail(why, VL_ERR_USAGE, "-o takes %s",
		       with_csv ? "table, json or csv" : "table or json");
}

static enum vl_err add_to_list(struct cli_list *list, const struct row *row, const char *text,
			       struct vl_why *why)
{
	if (list->n == CLI_LIST)
		return vl_fail(why, VL_ERR_USAGE, "more than %d of --%s", CLI_LIST, row->name);
	list->items[list->n++] = text;
	return VL_OK;
}

static enum vl_err set_count(uint64_t *count, const char *text, struct vl_why *why)
{
	char *end;

	errno = 0;
	*count = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || *count == 0)
		return vl_fail(why, VL_ERR_USAGE, "a count is a whole number from 1");
	return VL_OK;
}

static enum vl_err set_time(struct cli_instant *instant, const char *text, struct vl_why *why)
{
	instant->given = cli_time_parse(text, vl_clock_now(&vl_clock_system), &instant->time);
	if (!instant->given)
		return vl_fail(why, VL_ERR_USAGE,
			       "a time is 2024-04-15T08:00:00Z, 2024-04-15, milliseconds since "
			       "1970, or 1h (ago)");
	return VL_OK;
}

static enum vl_err set(const struct row *row, struct cli_options *options, const char *value,
		       struct vl_why *why)
{
	void *field = (char *)options + row->offset;

	switch (row->form) {
	case FLAG:
		*(bool *)field = true;
		return VL_OK;
	case TEXT:
		*(const char **)field = value;
		return VL_OK;
	case LIST:
		return add_to_list(field, row, value, why);
	case COUNT:
		return set_count(field, value, why);
	case TIME:
		return set_time(field, value, why);
	case FORMAT:
		return set_format(row, options, value, why);
	case PROPERTY:
		return add_property(options, value, why);
	case PROPERTIES:
		return add_properties(options, value, why);
	}
	return VL_ERR_BUG;
}

/* getopt's two tables for the options of one verb. */
struct getopt_tables {
	char letters[3 * N_OF(rows) + 4];
	struct option longs[N_OF(rows) + 2];
};

static void fill_tables(unsigned options, struct getopt_tables *tables)
{
	char *to = stpcpy(tables->letters, ":h");
	size_t n = 0;

	for (size_t i = 0; i < N_OF(rows); i++) {
		if ((rows[i].bit & options) == 0)
			continue;
		tables->longs[n++] = (struct option){
			rows[i].name, rows[i].value != NULL ? required_argument : no_argument, NULL,
			LONG_BASE + (int)i};
		if (rows[i].letter != 0) {
			*to++ = rows[i].letter;
			to = stpcpy(to, rows[i].value != NULL ? ":" : "");
		}
	}
	tables->longs[n++] = (struct option){"help", no_argument, NULL, 'h'};
	tables->longs[n] = (struct option){0};
}

static const struct row *row_of(unsigned options, int found)
{
	for (size_t i = 0; i < N_OF(rows); i++) {
		bool same = found >= LONG_BASE ? (size_t)(found - LONG_BASE) == i
					       : rows[i].letter == found;
		if (same && (rows[i].bit & options) != 0)
			return &rows[i];
	}
	return NULL;
}

static enum vl_err refuse_option(const char *written, bool no_value, unsigned options,
				 struct vl_why *why)
{
	const char *names[N_OF(rows)], *name = written + strspn(written, "-");
	size_t n = 0;

	if (no_value)
		return vl_fail(why, VL_ERR_USAGE, "option '%.64s' needs a value", written);
	for (size_t i = 0; i < N_OF(rows); i++) {
		if ((rows[i].bit & options) != 0)
			names[n++] = rows[i].name;
	}
	const char *near = strncmp(written, "--", 2) == 0 ? cli_nearest(name, names, n) : NULL;
	return near != NULL ? vl_fail(why, VL_ERR_USAGE, "no option '%.64s'; did you mean '--%s'?",
				      written, near)
			    : vl_fail(why, VL_ERR_USAGE, "no option '%.64s'", written);
}

static void fill_from_environment(unsigned options, struct cli_options *o)
{
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *value = rows[i].env != NULL ? getenv(rows[i].env) : NULL;
		if ((rows[i].bit & options) != 0 && value != NULL && value[0] != '\0')
			(void)set(&rows[i], o, value, NULL);
	}
}

/* True where help was asked for. */
static bool read_line(unsigned options, int argc, char **argv, struct cli_options *o,
		      enum vl_err *err, struct vl_why *why)
{
	struct getopt_tables tables;
	int found;

	fill_tables(options, &tables);
	optind = 0;
	opterr = 0;
	while (*err == VL_OK &&
	       (found = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
		if (found == 'h')
			return true;
		const struct row *row =
			found != '?' && found != ':' ? row_of(options, found) : NULL;
		if (row != NULL)
			*err = set(row, o, optarg, why);
		else if (found == '?' && optopt != 0 && optopt < LONG_BASE)
			*err = refuse_option((const char[]){'-', (char)optopt, '\0'}, false,
					     options, why);
		else
			*err = refuse_option(argv[optind - 1], found == ':', options, why);
	}
	o->args = argv + optind;
	o->n_args = *err == VL_OK ? (size_t)(argc - optind) : 0;
	return false;
}

/* Brokers named with -b go before those of -X and -F; the environment's are for when none are
 * named. */
static enum vl_err settle_brokers(unsigned options, const char *environment, struct cli_options *o,
				  struct vl_why *why)
{
	bool from_environment = o->brokers == environment;

	if ((options & CLI_OPT_BROKERS) == 0 || (has_brokers(o) && from_environment))
		return VL_OK;
	if ((options & CLI_OPT_FROM) != 0 && (o->from == NULL || strcmp(o->from, "archive") == 0))
		return VL_OK;
	if (o->brokers == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "no brokers; give -b HOST:PORT or set VALISE_BROKERS");
	o->pairs[o->n_pairs++] = (struct vl_conf_pair){"bootstrap.servers", o->brokers};
	return VL_OK;
}

static enum vl_err check_args(const struct cli_verb *verb, const struct cli_options *o,
			      struct vl_why *why)
{
	if (o->n_args < verb->min_args)
		return vl_fail(why, VL_ERR_USAGE, "an argument is missing: %s", verb->args);
	if (o->n_args > verb->max_args)
		return vl_fail(why, VL_ERR_USAGE, "'%.64s' is one argument too many",
			       o->args[verb->max_args]);
	return VL_OK;
}

static void print_usage(const char *command, const struct cli_verb *verb, struct vl_buf *out)
{
	vl_buf_printf(out, "usage: valise %s%s%s", command, verb->name != NULL ? " " : "",
		      verb->name != NULL ? verb->name : "");
	vl_buf_printf(out, "%s%s%s\n", verb->options != 0 ? " [OPTION]..." : "",
		      verb->args[0] != '\0' ? " " : "", verb->args);
}

static int help(const char *command, const struct cli_verb *verb)
{
	struct vl_buf out = {0};

	print_usage(command, verb, &out);
	vl_buf_put_byte(&out, '\n');
	vl_wrap(&out, verb->about, "", vl_wrap_width(STDOUT_FILENO));
	if (verb->options != 0) {
		vl_buf_put_text(&out, "\n");
		cli_options_print(verb->options, &out);
	}
	(void)fputs(vl_buf_text(&out), stdout);
	vl_buf_free(&out);
	return CLI_OK;
}

int cli_options_parse(const char *command, const struct cli_verb *verb, int argc, char **argv,
		      struct cli_options *o)
{
	struct vl_why why = {0};
	enum vl_err err = VL_OK;
	char name[64];

	*o = (struct cli_options){
		.command = command, .verb = verb->name, .arena = vl_arena_open(0)};
	if (o->arena == NULL)
		return cli_cannot("run", command, NULL, VL_ERR_NOMEM);
	fill_from_environment(verb->options, o);
	const char *environment = o->brokers;
	if (read_line(verb->options, argc, argv, o, &err, &why))
		return help(command, verb);
	if (err == VL_OK)
		err = check_args(verb, o, &why);
	if (err == VL_OK)
		err = settle_brokers(verb->options, environment, o, &why);
	if (err == VL_OK)
		return -1;
	(void)snprintf(name, sizeof(name), "%s%s%s", command, verb->name != NULL ? " " : "",
		       verb->name != NULL ? verb->name : "");
	int code = cli_cannot("run", name, &why, err);
	vl_log_info("hint: valise %s --help", name);
	return code;
}

void cli_options_close(struct cli_options *options)
{
	vl_arena_close(options->arena);
	options->arena = NULL;
}

void cli_options_print(unsigned options, struct vl_buf *out)
{
	size_t width = vl_wrap_width(STDOUT_FILENO);

	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct row *row = &rows[i];
		char left[64], line[256];
		if ((row->bit & options) == 0)
			continue;
		(void)snprintf(left, sizeof(left), "  %c%c%c --%s%s%s",
			       row->letter != 0 ? '-' : ' ', row->letter != 0 ? row->letter : ' ',
			       row->letter != 0 ? ',' : ' ', row->name,
			       row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
		(void)snprintf(line, sizeof(line), "%-29s  %s%s%s%s", left, row->help,
			       row->env != NULL ? " [" : "", row->env != NULL ? row->env : "",
			       row->env != NULL ? "]" : "");
		vl_wrap(out, line, "", width);
	}
}

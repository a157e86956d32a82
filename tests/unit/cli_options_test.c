/* The command line: times, near names, options from line, environment and file, and the words
 * for what is wrong. */
#include "cli/cli.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* After the four headers it needs. */
#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NOW ((struct vl_time){1713139200, 500})

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		int32_t nanos;
	} good[] = {
		{"now", 1713139200, 500},
		{"0s", 1713139200, 500},
		{"90s", 1713139110, 500},
		{"15m", 1713138300, 500},
		{"1h", 1713135600, 500},
		{"2d", 1712966400, 500},
		{"1w", 1712534400, 500},
		{"2024-04-15", 1713139200, 0},
		{"2024-04-15T08:00:00+08:00", 1713139200, 0},
		{"1713139200123", 1713139200, 123000000},
		{"0", 0, 0},
	};
	static const char *const bad[] = {
		"", "1", "h", "1y", "1hh", "-1h", "2024-13-01", "2024-04-15T08", "tomorrow", " 1h"};
	struct vl_time time;

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		assert_true(cli_time_parse(good[i].text, NOW, &time));
		assert_int_equal(good[i].seconds, time.seconds);
		assert_int_equal(good[i].nanos, time.nanos);
	}
	/* "1" is one millisecond. */
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_int_equal(i == 1, cli_time_parse(bad[i], NOW, &time));
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"publish", "tail", "verify", "evacuation", "alert"};

	(void)state;
	assert_string_equal("tail", cli_nearest("tial", names, N_OF(names)));
	assert_string_equal("verify", cli_nearest("verfy", names, N_OF(names)));
	assert_string_equal("evacuation", cli_nearest("evac", names, N_OF(names)));
	assert_string_equal("alert", cli_nearest("alerts", names, N_OF(names)));
	assert_null(cli_nearest("zebra", names, N_OF(names)));
	assert_null(cli_nearest("x", names, N_OF(names)));
	assert_null(cli_nearest("tail", names, 0));
	char long_name[200];
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_null(cli_nearest(long_name, names, N_OF(names)));
}

static const struct cli_verb verb = {
	.name = "try",
	.args = "LANE...",
	.about = "Try it.",
	.options = CLI_OPT_BROKERS | CLI_OPT_KEYS | CLI_OPT_OUTPUT | CLI_OPT_RANGE | CLI_OPT_COUNT |
		   CLI_OPT_FOLLOW,
	.min_args = 1,
	.max_args = 2,
};

static int parse(struct cli_options *options, char **argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return cli_options_parse("test", &verb, argc, argv, options);
}
#define PARSE(options, ...) parse(options, (char *[]){(char[]){"try"}, __VA_ARGS__, NULL})
#define ARG(text) ((char[]){text})

static int clear_environment(void **state)
{
	(void)state;
	unsetenv("VALISE_BROKERS");
	unsetenv("VALISE_KEYS");
	return 0;
}

static void assert_pair(const struct cli_options *options, size_t i, const char *key,
			const char *value)
{
	assert_true(i < options->n_pairs);
	assert_string_equal(key, options->pairs[i].key);
	assert_string_equal(value, options->pairs[i].value);
}

static void test_options(void **state)
{
	struct cli_options o;

	(void)state;
	assert_int_equal(-1, PARSE(&o, ARG("-b"), ARG("h:1"), ARG("a"), ARG("-X"),
				   ARG("ssl.ca.location=/x=y"), ARG("-n5"), ARG("--keys=k"),
				   ARG("-fo"), ARG("json"), ARG("--since"), ARG("0"), ARG("b")));
	assert_int_equal(2, o.n_args);
	assert_string_equal("a", o.args[0]);
	assert_string_equal("b", o.args[1]);
	assert_int_equal(5, o.count);
	assert_string_equal("k", o.keys);
	assert_true(o.follow && o.json && o.since.given && !o.until.given);
	assert_int_equal(2, o.n_pairs);
	assert_pair(&o, 0, "ssl.ca.location", "/x=y");
	assert_pair(&o, 1, "bootstrap.servers", "h:1");
	assert_string_equal("try", o.verb);
	cli_options_close(&o);
}

static void test_environment(void **state)
{
	struct cli_options o;

	(void)state;
	setenv("VALISE_BROKERS", "env:1", 1);
	setenv("VALISE_KEYS", "env-keys", 1);
	assert_int_equal(-1, PARSE(&o, ARG("a")));
	assert_pair(&o, 0, "bootstrap.servers", "env:1");
	assert_string_equal("env-keys", o.keys);
	cli_options_close(&o);
	assert_int_equal(
		-1, PARSE(&o, ARG("a"), ARG("-b"), ARG("line:1"), ARG("--keys"), ARG("line-keys")));
	assert_int_equal(1, o.n_pairs);
	assert_pair(&o, 0, "bootstrap.servers", "line:1");
	assert_string_equal("line-keys", o.keys);
	cli_options_close(&o);
	/* Brokers named as a property are named on the line. */
	assert_int_equal(-1, PARSE(&o, ARG("a"), ARG("-X"), ARG("bootstrap.servers=prop:1")));
	assert_int_equal(1, o.n_pairs);
	assert_pair(&o, 0, "bootstrap.servers", "prop:1");
	cli_options_close(&o);
}

static void test_property_file(void **state)
{
	static const char text[] = "# TLS\n\nsecurity.protocol=ssl\r\n  "
				   "ssl.ca.location=/ca.pem\nbootstrap.servers=f:1";
	char path[] = "/tmp/valise-cli-XXXXXX";
	int fd = mkstemp(path);
	struct cli_options o;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal((ssize_t)sizeof(text) - 1, write(fd, text, sizeof(text) - 1));
	assert_int_equal(-1, PARSE(&o, ARG("-F"), path, ARG("a")));
	assert_int_equal(3, o.n_pairs);
	assert_pair(&o, 0, "security.protocol", "ssl");
	assert_pair(&o, 1, "ssl.ca.location", "/ca.pem");
	assert_pair(&o, 2, "bootstrap.servers", "f:1");
	cli_options_close(&o);
	assert_int_equal(8, write(fd, "\nnonsens", 8));
	assert_int_equal(CLI_USAGE, PARSE(&o, ARG("-F"), path, ARG("a")));
	cli_options_close(&o);
	(void)close(fd);
	(void)unlink(path);
	assert_int_equal(CLI_USAGE, PARSE(&o, ARG("-F"), path, ARG("a")));
	cli_options_close(&o);
}

static void test_usage(void **state)
{
	char *const wrong[][6] = {
		{ARG("try"), ARG("a"), NULL},                                 /* no brokers */
		{ARG("try"), ARG("-bx"), NULL},                               /* no lane */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("b"), ARG("c"), NULL}, /* too many */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("--nope"), NULL},      /* unknown */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("-q"), NULL},          /* unknown */
		/* another verb's */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("--views"), ARG("v"), NULL},
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("-n"), NULL},                /* no value */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("-n0"), NULL},               /* no count */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("-n-1"), NULL},              /* no count */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("-oxml"), NULL},             /* no format */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("--since"), ARG("x"), NULL}, /* no time */
		/* no property */
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("-Xx"), NULL},
		{ARG("try"), ARG("-bx"), ARG("a"), ARG("--follow=1"), NULL}, /* takes none */
	};
	struct cli_options o;

	(void)state;
	for (size_t i = 0; i < N_OF(wrong); i++) {
		char *argv[7] = {NULL};
		memcpy(argv, wrong[i], sizeof(wrong[i]));
		if (parse(&o, argv) != CLI_USAGE)
			fail_msg("line %zu was taken", i);
		cli_options_close(&o);
	}
	/* Help comes first, whatever else the line lacks. */
	assert_int_equal(CLI_OK, PARSE(&o, ARG("-h")));
	cli_options_close(&o);
}

static void test_help_lists_every_option(void **state)
{
	struct vl_buf out = {0};

	(void)state;
	cli_options_print(verb.options, &out);
	const char *text = vl_buf_text(&out);
	assert_non_null(strstr(text, "  -b, --brokers HOST:PORT,..."));
	assert_non_null(strstr(text, "      --since TIME"));
	assert_non_null(strstr(text, "[VALISE_KEYS]"));
	assert_null(strstr(text, "--views"));
	vl_buf_free(&out);
}

static void test_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(0, cli_exit_of(VL_OK));
	assert_int_equal(1, cli_exit_of(VL_ERR_INVALID));
	assert_int_equal(1, cli_exit_of(VL_ERR_PERMISSION));
	assert_int_equal(2, cli_exit_of(VL_ERR_USAGE));
	assert_int_equal(3, cli_exit_of(VL_ERR_NOT_FOUND));
	assert_int_equal(4, cli_exit_of(VL_ERR_BAD_SIGNATURE));
	assert_int_equal(5, cli_exit_of(VL_ERR_UNREACHABLE));
	assert_int_equal(5, cli_exit_of(VL_ERR_TIMEOUT));
}

static int ran(const struct cli_options *options)
{
	return options->n_args == 1 ? 77 : 78;
}

static void test_dispatch(void **state)
{
	static const struct cli_verb verbs[] = {
		{.name = "go", .args = "[X]", .about = "", .max_args = 1, .run = ran}, {0}};
	static const struct cli_verb alone[] = {
		{.args = "[X]", .about = "", .max_args = 1, .run = ran}, {0}};
	static const struct cli_command commands[] = {
		{"two", "", verbs, NULL}, {"one", "", alone, NULL}, {NULL, NULL, NULL, NULL}};

	(void)state;
	assert_int_equal(77, cli_run(commands, 4,
				     (char *[]){ARG("v"), ARG("two"), ARG("go"), ARG("x"), NULL}));
	assert_int_equal(78,
			 cli_run(commands, 3, (char *[]){ARG("v"), ARG("two"), ARG("go"), NULL}));
	assert_int_equal(77,
			 cli_run(commands, 3, (char *[]){ARG("v"), ARG("one"), ARG("x"), NULL}));
	assert_int_equal(78, cli_run(commands, 2, (char *[]){ARG("v"), ARG("one"), NULL}));
	assert_int_equal(CLI_USAGE, cli_run(commands, 1, (char *[]){ARG("v"), NULL}));
	assert_int_equal(CLI_USAGE, cli_run(commands, 2, (char *[]){ARG("v"), ARG("two"), NULL}));
	assert_int_equal(CLI_USAGE,
			 cli_run(commands, 3, (char *[]){ARG("v"), ARG("two"), ARG("og"), NULL}));
	assert_int_equal(CLI_USAGE, cli_run(commands, 2, (char *[]){ARG("v"), ARG("tow"), NULL}));
	assert_int_equal(CLI_OK, cli_run(commands, 2, (char *[]){ARG("v"), ARG("--help"), NULL}));
	assert_int_equal(CLI_OK,
			 cli_run(commands, 4,
				 (char *[]){ARG("v"), ARG("help"), ARG("two"), ARG("go"), NULL}));
	assert_int_equal(CLI_OK, cli_run(commands, 3,
					 (char *[]){ARG("v"), ARG("two"), ARG("--help"), NULL}));
	/* A view's noun is a command. */
	assert_int_equal(CLI_USAGE, cli_run(commands, 2, (char *[]){ARG("v"), ARG("case"), NULL}));
	assert_int_equal(CLI_OK,
			 cli_run(commands, 4,
				 (char *[]){ARG("v"), ARG("case"), ARG("ls"), ARG("-h"), NULL}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test_setup(test_options, clear_environment),
		cmocka_unit_test_setup_teardown(test_environment, clear_environment,
						clear_environment),
		cmocka_unit_test_setup(test_property_file, clear_environment),
		cmocka_unit_test_setup(test_usage, clear_environment),
		cmocka_unit_test(test_help_lists_every_option),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_dispatch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

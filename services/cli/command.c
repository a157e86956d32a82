#include "cli/cli.h"

#include "base/log.h"
#include "base/wrap.h"
#include "hq/fold/views.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES 64

static bool is_help(const char *text)
{
	return strcmp(text, "help") == 0 || strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

static int no_such(const char *what, const char *written, const char *const *names, size_t count,
		   const char *where)
{
	const char *near = cli_nearest(written, names, count);
	struct vl_why why = {0};

	(void)(near != NULL
		       ? vl_fail(&why, VL_ERR_USAGE, "no such %s; did you mean '%s'?", what, near)
		       : vl_fail(&why, VL_ERR_USAGE, "no such %s", what));
	int code = cli_cannot("run", written, &why, VL_ERR_USAGE);
	vl_log_info("hint: valise %s--help", where);
	return code;
}

int cli_run_verb(const char *command, const struct cli_verb *verb, int argc, char **argv)
{
	struct cli_options options;
	int code = cli_options_parse(command, verb, argc, argv, &options);

	if (code < 0)
		code = verb->run(&options);
	cli_options_close(&options);
	return code;
}

static int help_verbs(const char *command, const struct cli_verb *verbs)
{
	(void)printf("usage:\n");
	for (const struct cli_verb *v = verbs; v->run != NULL; v++)
		(void)printf("  valise %s %s%s%s%s\n", command, v->name,
			     v->options != 0 ? " [OPTION]..." : "", v->args[0] != '\0' ? " " : "",
			     v->args);
	(void)printf("\n'valise %s VERB --help' says more.\n", command);
	return CLI_OK;
}

int cli_run_verbs(const char *command, const struct cli_verb *verbs, int argc, char **argv)
{
	const char *names[NAMES];
	char where[NAMES];
	size_t n = 0;

	if (verbs[0].name == NULL)
		return cli_run_verb(command, &verbs[0], argc, argv);
	if (argc > 1 && is_help(argv[1]))
		return help_verbs(command, verbs);
	for (const struct cli_verb *v = verbs; v->run != NULL && n < NAMES; v++) {
		if (argc > 1 && strcmp(argv[1], v->name) == 0)
			return cli_run_verb(command, v, argc - 1, argv + 1);
		names[n++] = v->name;
	}
	(void)snprintf(where, sizeof(where), "%s ", command);
	if (argc > 1)
		return no_such("verb", argv[1], names, n, where);
	struct vl_why why = {0};
	int code = cli_cannot("run", command, &why, vl_fail(&why, VL_ERR_USAGE, "it needs a verb"));
	vl_log_info("hint: valise %s --help", command);
	return code;
}

static void help_all(const struct cli_command *commands, int fd)
{
	struct vl_buf text = {0}, out = {0};

	vl_buf_put_text(&text, "usage: valise COMMAND [OPTION]... [ARGUMENT]...\n\n");
	for (const struct cli_command *c = commands; c->name != NULL; c++)
		vl_buf_printf(&text, "  %-11s  %s\n", c->name, c->help);
	vl_buf_put_text(&text, "\nHeadquarters' views, each with ls, show and why:\n\n");
	for (size_t i = 0; vl_views[i] != NULL; i++)
		vl_buf_printf(&text, "  %-11s  %s\n", vl_views[i]->noun, vl_views[i]->lane);
	vl_buf_put_text(&text, "\n"
			       "'valise help COMMAND' says more. 'valise --version' prints the "
			       "version. Exit codes: 0 ok, 1 refused or failed, 2 usage, 3 not "
			       "found, 4 verification failed, 5 broker unreachable.");
	vl_wrap(&out, vl_buf_text(&text), "", vl_wrap_width(fd));
	(void)fputs(vl_buf_text(&out), fd == STDOUT_FILENO ? stdout : stderr);
	vl_buf_free(&text);
	vl_buf_free(&out);
}

static int run_command(const struct cli_command *commands, int argc, char **argv)
{
	const char *names[NAMES];
	size_t n = 0;

	for (const struct cli_command *c = commands; c->name != NULL && n < NAMES; c++) {
		if (strcmp(argv[0], c->name) == 0)
			return c->main != NULL ? c->main(argc, argv)
					       : cli_run_verbs(c->name, c->verbs, argc, argv);
		names[n++] = c->name;
	}
	if (vl_view_of_noun(argv[0]) >= 0)
		return cli_run_verbs(argv[0], cli_noun_verbs, argc, argv);
	for (size_t i = 0; vl_views[i] != NULL && n < NAMES; i++)
		names[n++] = vl_views[i]->noun;
	return no_such("command", argv[0], names, n, "");
}

/* `valise help case ls` is `valise case ls --help`. */
static int help_command(const struct cli_command *commands, int argc, char **argv)
{
	char flag[] = "--help", *line[8];
	int n = 0;

	while (n < argc && n < 6) {
		line[n] = argv[n];
		n++;
	}
	line[n++] = flag;
	line[n] = NULL;
	return run_command(commands, n, line);
}

int cli_run(const struct cli_command *commands, int argc, char **argv)
{
	if (argc < 2) {
		help_all(commands, STDERR_FILENO);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		(void)printf("valise %s\n", VALISE_VERSION);
		return CLI_OK;
	}
	if (is_help(argv[1]) && argc > 2)
		return help_command(commands, argc - 2, argv + 2);
	if (is_help(argv[1])) {
		help_all(commands, STDOUT_FILENO);
		return CLI_OK;
	}
	return run_command(commands, argc - 1, argv + 1);
}

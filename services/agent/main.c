/*
 * valise-agent: a mission's end of the bag. The tour: agent.h (two processes), keeper.h
 * (accepting), outbox.h (what is kept), link.h (sending).
 */
#include "agent/agent.h"
#include "agent/link.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "base/wrap.h"
#include "store/store.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define EXIT_USAGE 2

static int usage(int status)
{
	FILE *to = status == 0 ? stdout : stderr;

	static const char text[] =
		"usage: valise-agent --config FILE [--check]\n\n"
		"Keeps a mission's events and brings them to Kafka. SIGHUP reads the "
		"configuration, users and keys again and starts the link anew; a mistake in "
		"them changes nothing. SIGTERM and SIGINT end it.\n\n"
		"  --config FILE  run the agent of one mission\n"
		"  --check        only check the configuration, the key and the Kafka "
		"properties\n"
		"  --version      print the version\n"
		"  --help         print this, and every key of the configuration";
	struct vl_buf out = {0};

	vl_wrap(&out, text, "", vl_wrap_width(fileno(to)));
	(void)fputs(vl_buf_text(&out), to);
	vl_buf_free(&out);
	if (status == 0) {
		(void)puts("");
		vl_conf_print_help(vl_agent_keys);
	}
	return status;
}

static int run(const char *path, const char *link, bool check)
{
	struct vl_agent_config config;
	struct vl_why why = {0};
	const char *verb = "use configuration", *object = path;

	enum vl_err err = vl_agent_config_open(path, &config, &why);
	if (err == VL_OK && check) {
		err = vl_agent_config_try(&config, &why);
	} else if (err == VL_OK && link != NULL) {
		verb = "run link of";
		err = vl_link_run(&config, (int)strtol(link, NULL, 10), &why);
	} else if (err == VL_OK) {
		int status = vl_agent_run(&config, path) == VL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
		vl_agent_config_close(&config);
		return status;
	}
	if (err != VL_OK)
		vl_log_cannot(verb, object, &why, err);
	else if (check)
		(void)printf("%s: good\n", path);
	vl_agent_config_close(&config);
	return err == VL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
		{"link", required_argument, NULL, 'l'},   {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},      {0}};
	const char *path = NULL, *link = NULL;
	bool check = false;

	if (!vl_descriptors_open())
		return EXIT_FAILURE;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'c')
			path = optarg;
		else if (option == 'l')
			link = optarg;
		else if (option == 'k')
			check = true;
		else if (option == 'v')
			return puts("valise-agent " VALISE_VERSION) < 0;
		else
			return usage(option == 'h' ? 0 : EXIT_USAGE);
	}
	if (path == NULL || optind != argc)
		return usage(EXIT_USAGE);
	vl_store_guard(link != NULL ? "valise-link" : "valise-agent");
	vl_log_open(link != NULL ? "valise-link" : "valise-agent", VL_LOG_INFO);
	(void)prctl(PR_SET_NAME, link != NULL ? "valise-link" : "valise-keeper");
	vl_agent_prepare();
	return sodium_init() < 0 ? EXIT_FAILURE : run(path, link, check);
}

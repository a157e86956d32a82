#include "base/descriptors.h"
#include "base/log.h"
#include "base/wrap.h"
#include "hq/hq.h"
#include "store/store.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

static struct vl_hq_signals signals;

static void on_signal(int number)
{
	if (number == SIGHUP)
		signals.reload = true;
	else
		signals.stop = true;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int usage(FILE *to, int status)
{
	static const char text[] =
		"usage: valise-hq --config FILE [--check]\n\n"
		"Verifies the records of the missions, and keeps headquarters' views: cases, "
		"alerts, evacuations, travellers. SIGHUP reads the public keys again. SIGTERM "
		"and SIGINT end it.\n\n"
		"  -c, --config FILE  the configuration\n"
		"      --check        only check the configuration\n"
		"  -h, --help         print this, and every key of the configuration\n"
		"      --version      print the version";
	struct vl_buf out = {0};

	vl_wrap(&out, text, "", vl_wrap_width(fileno(to)));
	(void)fputs(vl_buf_text(&out), to);
	vl_buf_free(&out);
	return status;
}

static int run(const char *path, int check)
{
	struct vl_hq_settings settings;
	struct vl_conf *conf;
	struct vl_why why = {0};
	const struct vl_conf_pair *pairs;
	enum vl_err err = vl_conf_open(path, vl_hq_keys, &settings, &conf, &why);

	if (err == VL_OK)
		err = vl_hq_check(&settings, &why);
	if (err != VL_OK) {
		vl_log_cannot("read", path, &why, err);
		vl_conf_close(conf);
		return 1;
	}
	size_t n = vl_conf_pairs(conf, "kafka", &pairs);
	if (!check)
		err = vl_hq_run(&settings, pairs, n, &signals, &why);
	if (err != VL_OK)
		vl_log_cannot("keep", settings.views, &why, err);
	vl_conf_close(conf);
	return err == VL_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"check", no_argument, NULL, 'k'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	const char *config = NULL;
	int check = 0;

	if (!vl_descriptors_open())
		return 1;
	for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;)
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 'k':
			check = 1;
			break;
		case 'h':
			(void)usage(stdout, 0);
			putchar('\n');
			vl_conf_print_help(vl_hq_keys);
			return 0;
		case 'V':
			puts("valise-hq " VALISE_VERSION);
			return 0;
		default:
			return usage(stderr, 2);
		}
	if (config == NULL || optind != argc)
		return usage(stderr, 2);
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	vl_store_guard("valise-hq");
	vl_log_open("valise-hq", VL_LOG_INFO);
	catch_signals();
	return run(config, check);
}

#include "cli/cli.h"

#include "base/descriptors.h"
#include "base/log.h"
#include "store/store.h"

#include <signal.h>
#include <sodium.h>

static const struct cli_command commands[] = {
	{"publish", "give events to the mission's agent", cli_publish_verbs, NULL},
	{"tail", "show the events of lanes, verified", cli_tail_verbs, NULL},
	{"verify", "audit whole lanes: signatures, chains, gaps, forks", cli_verify_verbs, NULL},
	{"mission", "show the verdict on each mission", cli_mission_verbs, NULL},
	{"query", "ask all views at once, in SQL", cli_query_verbs, NULL},
	{"view", "compare, check and rebuild headquarters' views", cli_view_verbs, NULL},
	{"outbox", "list the batches that a mission's agent keeps", cli_outbox_verbs, NULL},
	{"deadletter", "list the records that could not be applied, and why", cli_deadletter_verbs,
	 NULL},
	{"topic", "make and compare the topics of the catalogue", NULL, cli_topic},
	{"key", "make a sender's keys", cli_key_verbs, NULL},
	{NULL, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
	if (!vl_descriptors_open())
		return CLI_FAILED;
	vl_log_open("valise", VL_LOG_INFO);
	vl_store_guard("valise");
	(void)signal(SIGPIPE, SIG_IGN); /* a reader that went away is seen when stdout is flushed */
	if (sodium_init() < 0)
		return cli_cannot("start", "libsodium", NULL, VL_ERR_BUG);
	return cli_finish(cli_run(commands, argc, argv));
}

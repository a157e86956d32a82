#include "base/failpoint.h"

#ifdef VALISE_FAILPOINTS

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	char name[48], how[16];
	unsigned when;
} wanted;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint calls;

static void read_environment(void)
{
	const char *text = getenv("VALISE_FAILPOINT");

	wanted.when = 1;
	if (text != NULL &&
	    sscanf(text, "%47[^:]:%15[^:]:%u", wanted.name, wanted.how, &wanted.when) < 2)
		wanted.name[0] = '\0';
}

bool vl_failpoint(const char *name)
{
	(void)pthread_once(&once, read_environment);
	if (strcmp(name, wanted.name) != 0 || atomic_fetch_add(&calls, 1) + 1 != wanted.when)
		return false;
	if (strcmp(wanted.how, "fail") == 0)
		return true;
	if (strcmp(wanted.how, "kill") == 0)
		(void)kill(getpid(), SIGKILL);
	(void)poll(NULL, 0, (int)strtol(wanted.how, NULL, 10));
	return false;
}

#endif

/*
 * Failpoints: places where a test makes a program die, wait or fail. They are there only in a
 * build with VALISE_FAILPOINTS, which tests/run makes; in any other a call is nothing at all.
 *
 * The environment says which one acts, how, and at which of its calls in this process (the first
 * where it does not say):
 *
 * VALISE_FAILPOINT=hq.before-commit:kill:3     kill -9 of the process itself
 * VALISE_FAILPOINT=link.send:fail              the call is true, and the caller goes on as after
 * an error VALISE_FAILPOINT=keeper.answer:2000:10       wait 2,000 ms
 */
#ifndef VALISE_BASE_FAILPOINT_H
#define VALISE_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef VALISE_FAILPOINTS
/* True where this is to fail. Any thread may call it. */
bool vl_failpoint(const char *name);
#else
static inline bool vl_failpoint(const char *name)
{
	(void)name;
	return false;
}
#endif

#endif

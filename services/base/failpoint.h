/*
 * Failpoints: points where a test makes a program die, wait or fail. They exist only in a build
 * with VALISE_FAILPOINTS, which tests/run makes; in any other build a call does nothing.
 *
 * The environment says which one acts, how, and at which of its calls in this process (default: the
 * first):
 *
 * VALISE_FAILPOINT=hq.before-commit:kill:3    kill -9 of the process itself
 * VALISE_FAILPOINT=link.send:fail             the call is true; the caller acts as after an error
 * VALISE_FAILPOINT=keeper.answer:2000:10      wait 2,000 ms
 *
 * Next: descriptors.h, which every program calls first.
 */
#ifndef VALISE_BASE_FAILPOINT_H
#define VALISE_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef VALISE_FAILPOINTS
/* True if the caller is to fail. Any thread may call it. */
bool vl_failpoint(const char *name);
#else
static inline bool vl_failpoint(const char *name)
{
	(void)name;
	return false;
}
#endif

#endif

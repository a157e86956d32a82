/* The fixture of the store's tests: a folder of their own, and short words for texts.
 *
 * Next: stream_mock.h, librdkafka's mock cluster. */
#ifndef VALISE_TESTS_STORE_FIXTURE_H
#define VALISE_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAP ((size_t)1 << 20)

static char folder[64]; /* of the store; not made yet */

static inline struct vl_bytes b(const char *text)
{
	return vl_bytes_of(text);
}

static inline int make_place(void)
{
	(void)strcpy(folder, "/tmp/valise-store-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)strcat(folder, "/s");
	return 0;
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	*strrchr(folder, '/') = '\0';
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

#endif

#include "base/rand.h"

#include <sodium.h>

static void system_fill(void *context, void *bytes, size_t count)
{
	(void)context;
	randombytes_buf(bytes, count);
}

const struct vl_rand vl_rand_system = {.fill = system_fill};

void vl_rand_fill(const struct vl_rand *rand, void *bytes, size_t count)
{
	rand->fill(rand->context, bytes, count);
}

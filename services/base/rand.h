/*
 * Randomness, passed in, so that a test can repeat a run from its seed.
 *
 * Next: log.h, what a program reports while it runs.
 */
#ifndef VALISE_BASE_RAND_H
#define VALISE_BASE_RAND_H

#include <stddef.h>

/* A source of random bytes. `fill` cannot fail. */
struct vl_rand {
	void (*fill)(void *context, void *bytes, size_t count);
	void *context;
};

/* The kernel's, by way of libsodium. */
extern const struct vl_rand vl_rand_system;

void vl_rand_fill(const struct vl_rand *rand, void *bytes, size_t count);

#endif

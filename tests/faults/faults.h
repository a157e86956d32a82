/*
 * Shared by the fault tests: how long to try, where to put stores, and the seed.
 *
 * VALISE_FAULTS=long tries every case instead of a bounded share. VALISE_SEED chooses the cases if
 * there is a choice, and repeats them.
 *
 * Next: io.h, faults of the disk.
 */
#ifndef VALISE_TESTS_FAULTS_FAULTS_H
#define VALISE_TESTS_FAULTS_FAULTS_H

#include "image.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline bool faults_long(void)
{
	const char *how = getenv("VALISE_FAULTS");
	return how != NULL && strcmp(how, "long") == 0;
}

/* `bounded` in tests/run, `all` in long runs. */
static inline size_t faults_most(size_t bounded, size_t all)
{
	return faults_long() ? all : bounded;
}

/* The run's seed; a fixed one unless VALISE_SEED says otherwise, so that tests/run is the same
 * every time. */
static inline uint64_t faults_seed(void)
{
	const char *text = getenv("VALISE_SEED");
	return text != NULL ? strtoull(text, NULL, 0) : 1;
}

static inline uint64_t faults_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* A folder of its own, in memory if there is such a place: a barrier need not reach a disk here,
 * and there are thousands. */
static inline void faults_folder(char path[64])
{
	(void)snprintf(path, 64, "%s/valise-faults-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(path) == NULL)
		abort();
}

static inline void faults_remove(const char *path)
{
	image_clear(path);
	(void)rmdir(path);
}

#endif

/*
 * The fixture of the bus's tests: a seeded source of randomness, a valid event, a folder that is
 * removed at the end.
 *
 * Next: bus_kinds.h, a message with every kind of number.
 */
#ifndef VALISE_TESTS_BUS_FIXTURE_H
#define VALISE_TESTS_BUS_FIXTURE_H

#include "base/buf.h"
#include "base/rand.h"
#include "bus/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* VALISE_SEED repeats a run. */
static inline uint64_t fixture_seed(void)
{
	const char *text = getenv("VALISE_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0)
				     : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();

	printf("VALISE_SEED=%" PRIu64 "\n", seed);
	return seed;
}

/* splitmix64 */
static inline uint64_t fixture_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline void fixture_fill(void *state, void *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((uint8_t *)bytes)[i] = (uint8_t)fixture_next(state);
}

/* Bytes of a string literal, NULs within included. */
#define BYTES(literal) ((struct vl_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct vl_bytes fixture_text(const char *text)
{
	return (struct vl_bytes){(const uint8_t *)text, strlen(text)};
}

/* A copy that ends where it ends, so that the sanitizer sees a byte read too many. */
static inline struct vl_bytes fixture_exact(struct vl_bytes bytes)
{
	uint8_t *copy = malloc(bytes.size > 0 ? bytes.size : 1);

	assert_non_null(copy);
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	return (struct vl_bytes){copy, bytes.size};
}

static inline void fixture_release(struct vl_bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}

#define FIXTURE_TYPE "type.googleapis.com/consular.case.v1.CaseOpened"

/* The parts of an Event; a part of no data is left out. */
struct fixture_event {
	struct vl_bytes id, time, subject, url, payload, actor, after;
};

/* A case opened, as an agent would accept it. */
static inline struct fixture_event fixture_event(void)
{
	return (struct fixture_event){
		.id = BYTES("\x01\x8e\x00\x00\x00\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x01"),
		.time = BYTES("\x08\xa0\xc2\x9a\xa2\x06"), /* seconds 1682350368 */
		.subject = BYTES("CN-SD-2023-000172"),
		.url = BYTES(FIXTURE_TYPE),
		.payload = BYTES(
			"\x08\x01\x28\x02\x32\x02SD\x3a\x09\xe5\x96\x80\xe5\x9c\x9f\xe7\xa9\x86"),
		.actor = BYTES("officer:li"),
	};
}

static inline void fixture_put(struct vl_buf *buf, uint32_t field, struct vl_bytes bytes)
{
	if (bytes.data != NULL)
		vl_wire_put_bytes(buf, field, bytes.data, bytes.size);
}

static inline void fixture_put_event(struct vl_buf *buf, const struct fixture_event *event)
{
	struct vl_buf any = {0};

	fixture_put(&any, 1, event->url);
	fixture_put(&any, 2, event->payload);
	fixture_put(buf, 1, event->id);
	fixture_put(buf, 2, event->time);
	fixture_put(buf, 3, event->subject);
	if (any.size > 0)
		fixture_put(buf, 4, vl_buf_bytes(&any));
	fixture_put(buf, 5, event->actor);
	fixture_put(buf, 6, event->after);
	vl_buf_free(&any);
	assert_false(vl_buf_failed(buf));
}

/* An empty folder of its own, under TMPDIR. */
struct fixture_folder {
	char path[256];
};

static inline struct fixture_folder fixture_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	struct fixture_folder folder;

	(void)snprintf(folder.path, sizeof(folder.path), "%.200s/valise-XXXXXX",
		       tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(folder.path));
	return folder;
}

static inline void fixture_write(const char *folder, const char *name, const char *text,
				 mode_t mode)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(0, fchmod(fileno(file), mode));
	assert_int_equal(0, fclose(file));
}

/* Remove the folder and the files in it. */
static inline void fixture_remove(const char *path)
{
	DIR *dir = opendir(path);

	assert_non_null(dir);
	for (struct dirent *item; (item = readdir(dir)) != NULL;)
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0 &&
		    unlinkat(dirfd(dir), item->d_name, 0) != 0)
			assert_int_equal(0, unlinkat(dirfd(dir), item->d_name, AT_REMOVEDIR));
	(void)closedir(dir);
	assert_int_equal(0, rmdir(path));
}

#endif

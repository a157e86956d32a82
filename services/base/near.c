#include "base/near.h"

#include <stdint.h>
#include <string.h>

#define NAME_MOST ((size_t)64)

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t vl_distance(const char *a, const char *b)
{
	size_t n = strlen(b), line[NAME_MOST];

	if (n >= NAME_MOST || strlen(a) >= NAME_MOST)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		line[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = line[0];
		line[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t change = corner + (a[i] != b[j]);
			corner = line[j + 1];
			line[j + 1] = least(change, 1 + least(line[j], corner));
		}
	}
	return line[n];
}

/* A name that begins as written is as near as one edit. */
static size_t apart(const char *written, const char *name)
{
	if (strlen(written) > 2 && strncmp(name, written, strlen(written)) == 0)
		return 1;
	return vl_distance(written, name);
}

size_t vl_nearest_few(const char *written, const char *const *names, size_t count,
		      const char **near, size_t most)
{
	size_t bound = strlen(written) / 3 + 2, n = 0;

	for (size_t i = 0; i < count && most > 0; i++) {
		size_t d = apart(written, names[i]), at = n;
		if (d >= bound)
			continue;
		while (at > 0 && apart(written, near[at - 1]) > d)
			at--;
		if (at == most)
			continue;
		n = least(n + 1, most);
		memmove(&near[at + 1], &near[at], (n - at - 1) * sizeof(near[0]));
		near[at] = names[i];
	}
	return n;
}

const char *vl_nearest(const char *written, const char *const *names, size_t count)
{
	const char *near;

	return vl_nearest_few(written, names, count, &near, 1) > 0 ? near : NULL;
}

/*
 * The known name that is nearest to a written one: "did you mean".
 *
 * Next: wrap.h, text for people.
 */
#ifndef VALISE_BASE_NEAR_H
#define VALISE_BASE_NEAR_H

#include <stddef.h>

/* How many bytes must be changed, added or removed to make one text of the other. SIZE_MAX where
 * one of them has 64 bytes or more. */
size_t vl_distance(const char *a, const char *b);

/* The nearest of `count` names to what was written, or NULL where none is near. */
const char *vl_nearest(const char *written, const char *const *names, size_t count);

/* The same for up to `most` names, the nearest first, into `near`. Returns how many there are. */
size_t vl_nearest_few(const char *written, const char *const *names, size_t count,
		      const char **near, size_t most);

#endif

/*
 * A point in time as a person writes it.
 *
 * Next: rand.h, randomness.
 */
#ifndef VALISE_BASE_WHEN_H
#define VALISE_BASE_WHEN_H

#include "base/clock.h"

/* RFC 3339, a date (00:00 UTC), "now", milliseconds since 1970, or how long before `now` ("90s",
 * "15m", "1h", "2d", "1w"). False where the text is none of these. */
bool vl_when_parse(const char *text, struct vl_time now, struct vl_time *time);

/* A date, or a date and a time with or without an offset (UTC without one), as SQL writes them. */
bool vl_when_stated(const char *text, size_t length, struct vl_time *time);

#endif

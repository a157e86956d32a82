/*
 * Time, passed in. A function that needs the time takes a `struct vl_clock`, so that a test can be
 * its own clock.
 *
 * Next: when.h, times that a person writes.
 */
#ifndef VALISE_BASE_CLOCK_H
#define VALISE_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An instant: seconds since 1970-01-01T00:00:00Z and nanoseconds 0..999,999,999, as
 * google.protobuf.Timestamp. */
struct vl_time {
	int64_t seconds;
	int32_t nanos;
};

/* A source of time. `now` is called with `context`. */
struct vl_clock {
	struct vl_time (*now)(void *context);
	void *context;
};

/* The system's real-time clock. */
extern const struct vl_clock vl_clock_system;

struct vl_time vl_clock_now(const struct vl_clock *clock);

/* Milliseconds that never go back, for intervals within this process. */
int64_t vl_monotonic_ms(void);

/* The next wait after a wait of `last_ms` (0: the first): twice as long, `least_ms` at least and
 * `most_ms` at most. */
static inline int64_t vl_back_off(int64_t last_ms, int64_t least_ms, int64_t most_ms)
{
	int64_t longer = last_ms * 2 > least_ms ? last_ms * 2 : least_ms;

	return longer < most_ms ? longer : most_ms;
}

/* -1, 0 or 1. */
int vl_time_compare(struct vl_time a, struct vl_time b);

/* Milliseconds since 1970, rounded down. */
int64_t vl_time_ms(struct vl_time t);
struct vl_time vl_time_from_ms(int64_t ms);

/* The seconds of the years 0001 to 9999, which RFC 3339 and proto3 JSON can say. */
#define VL_TIME_MIN INT64_C(-62135596800)
#define VL_TIME_MAX INT64_C(253402300799)

/* RFC 3339 in UTC with Z and 0, 3, 6 or 9 decimals, as proto3 JSON writes it. Returns `text`. */
#define VL_TIME_TEXT 40
const char *vl_time_format(struct vl_time t, char text[VL_TIME_TEXT]);

/* RFC 3339 with any offset, years 0001 to 9999. False where the text is not that. */
bool vl_time_parse(const char *text, size_t length, struct vl_time *t);

#endif

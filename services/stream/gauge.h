/*
 * The speed of a line in bytes a second, and how many bytes may be on it so that the next ones wait
 * little.
 *
 * Pure: counts and times; no socket.
 *
 * Next: valve.h, which limits a producer by it.
 */
#ifndef VALISE_STREAM_GAUGE_H
#define VALISE_STREAM_GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VL_GAUGE_QUEUE_MS 250 /* the data on the line takes it so long, plus the round trip */
/* no round trip is believed to be longer: satellites have 600 */
#define VL_GAUGE_WAY_MAX_MS 1000
#define VL_GAUGE_ROOM_MIN ((size_t)4096) /* with fewer segments than these TCP waits for itself */

/* Start with all zero. */
struct vl_gauge {
	uint64_t rate;      /* bytes a second; 0 while it is unknown */
	bool running, held; /* bytes are on their way; more are waiting */
	/* the start of the measurement, the last look, and how long bytes were waiting since
	 * then */
	int64_t since_ms, looked_ms, waiting_ms;
	uint64_t since_moved;
};

/* `moved` is the number of bytes that the other end has confirmed in all. `busy`: some are on
 * their way. `held`: more are waiting for them. If nothing waits, the line may be faster than
 * what it is given. */
void vl_gauge_note(struct vl_gauge *gauge, uint64_t moved, bool busy, bool held, int64_t now_ms);

/* How many bytes of each of `holders` connections may be on the line, if its round trip takes
 * `way_ms` when it is empty. */
size_t vl_gauge_room(const struct vl_gauge *gauge, int64_t way_ms, unsigned holders);

#endif

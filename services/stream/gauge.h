/*
 * What a line carries, from what it has taken: bytes a second, and how many bytes may stand in
 * it so that what comes after them waits little.
 *
 * Pure: counts and hours; no socket.
 */
#ifndef VALISE_STREAM_GAUGE_H
#define VALISE_STREAM_GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VL_GAUGE_QUEUE_MS 250 /* what stands in the line takes it so long, and the way */
/* a way is believed to be no longer: satellites have 600 */
#define VL_GAUGE_WAY_MAX_MS 1000
#define VL_GAUGE_ROOM_MIN ((size_t)4096) /* fewer segments than these and TCP waits for itself */

/* Start with all zero. */
struct vl_gauge {
	uint64_t rate;                           /* bytes a second; 0 while nothing is known */
	bool running, held;                      /* something is on its way; more is waiting */
	int64_t since_ms, looked_ms, waiting_ms; /* since then, for so long something was waiting */
	uint64_t since_moved;
};

/* `moved` is how many bytes the other end has confirmed in all; `busy` that some are on their
 * way, `held` that more is waiting for them. A line on which nothing waits may carry more than
 * it is given. */
void vl_gauge_note(struct vl_gauge *gauge, uint64_t moved, bool busy, bool held, int64_t now_ms);

/* How many bytes of each of `holders` connections may stand in a line whose way there and back
 * takes `way_ms` when it is empty. */
size_t vl_gauge_room(const struct vl_gauge *gauge, int64_t way_ms, unsigned holders);

#endif

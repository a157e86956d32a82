/*
 * How many bytes may be on their way to Kafka at once. On a slow line, bulk data must not queue for
 * minutes in front of urgent data. A fast line must not stay idle. If the line's speed is known, it
 * decides; otherwise the time that acks take.
 *
 * Pure: its caller reports what was sent and acked, and it says what may be sent next.
 *
 * Next: resend.h, when to send again.
 */
#ifndef VALISE_AGENT_WINDOW_H
#define VALISE_AGENT_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VL_WINDOW_START ((size_t)128 << 10)
#define VL_WINDOW_MIN ((size_t)16 << 10)
#define VL_WINDOW_MAX ((size_t)4 << 20)
#define VL_WINDOW_FAST_MS 250  /* acks within this let it grow */
#define VL_WINDOW_SLOW_MS 1000 /* an ack outstanding for longer shrinks it */
#define VL_WINDOW_LINE_S 8     /* seconds of the line, if its speed is known */
#define VL_WINDOW_LINE_MIN ((size_t)64 << 10)

/* Start with vl_window_start. */
struct vl_window {
	size_t size, in_flight;
	size_t quick; /* bytes acked quickly since it last grew */
	bool limited; /* it has held a record back since then */
	bool known;   /* the size follows the line's speed, and acks do not matter */
	int64_t shrunk_ms;
};

struct vl_window vl_window_start(void);

/* Whether a record of `bytes` may be sent now. One record always may. */
bool vl_window_allows(struct vl_window *window, size_t bytes);
void vl_window_sent(struct vl_window *window, size_t bytes);

/* The line's speed in bytes a second. */
void vl_window_line(struct vl_window *window, uint64_t rate);

/* It doubles if half of it came back quickly and it had held a record back. */
void vl_window_acked(struct vl_window *window, size_t bytes, int64_t after_ms);

/* Report the age of the oldest record that is not acked. While that is slow, the window halves,
 * at most once a second. */
void vl_window_age(struct vl_window *window, int64_t oldest_ms, int64_t now_ms);

#endif

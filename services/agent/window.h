/*
 * How many bytes may be on their way to Kafka at once. A thin line must not be filled with
 * minutes of what is not urgent, for what is more so then has to wait behind it; a fat one must
 * not be left idle. Where what the line carries is known, that tells; else the time that acks
 * take.
 *
 * Pure: told what was sent and acked, it says what may be sent next.
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
#define VL_WINDOW_LINE_S 8     /* seconds of the line, where what it carries is known */
#define VL_WINDOW_LINE_MIN ((size_t)64 << 10)

/* Start with vl_window_start. */
struct vl_window {
	size_t size, in_flight;
	size_t quick; /* acked quickly since it last grew */
	bool limited; /* it has held something back since then */
	bool known;   /* the size is the line's, and acks tell nothing */
	int64_t shrunk_ms;
};

struct vl_window vl_window_start(void);

/* Whether a record of `bytes` may be sent now. One record always may. */
bool vl_window_allows(struct vl_window *window, size_t bytes);
void vl_window_sent(struct vl_window *window, size_t bytes);

/* The line carries this many bytes a second. */
void vl_window_line(struct vl_window *window, uint64_t rate);

/* It doubles when half of it came back quickly and it was what held sending back. */
void vl_window_acked(struct vl_window *window, size_t bytes, int64_t after_ms);

/* Tell the age of the oldest record that is not acked: it halves, at most once a second, while
 * that is slow. */
void vl_window_age(struct vl_window *window, int64_t oldest_ms, int64_t now_ms);

#endif

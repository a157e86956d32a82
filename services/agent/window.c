#include "agent/window.h"

struct vl_window vl_window_start(void)
{
	return (struct vl_window){.size = VL_WINDOW_START, .shrunk_ms = INT64_MIN / 2};
}

bool vl_window_allows(struct vl_window *window, size_t bytes)
{
	bool allowed = window->in_flight == 0 || window->in_flight + bytes <= window->size;

	window->limited |= !allowed;
	return allowed;
}

void vl_window_sent(struct vl_window *window, size_t bytes)
{
	window->in_flight += bytes;
}

void vl_window_line(struct vl_window *window, uint64_t rate)
{
	uint64_t size = rate * VL_WINDOW_LINE_S;

	window->known = true;
	window->size = size < VL_WINDOW_LINE_MIN ? VL_WINDOW_LINE_MIN
		       : size < VL_WINDOW_MAX    ? (size_t)size
						 : VL_WINDOW_MAX;
}

void vl_window_acked(struct vl_window *window, size_t bytes, int64_t after_ms)
{
	window->in_flight -= bytes < window->in_flight ? bytes : window->in_flight;
	if (window->known)
		return;
	if (after_ms > VL_WINDOW_FAST_MS) {
		window->quick = 0;
		return;
	}
	window->quick += bytes;
	if (!window->limited || window->quick < window->size / 2)
		return;
	window->size = window->size * 2 < VL_WINDOW_MAX ? window->size * 2 : VL_WINDOW_MAX;
	window->quick = 0;
	window->limited = false;
}

void vl_window_age(struct vl_window *window, int64_t oldest_ms, int64_t now_ms)
{
	if (window->known || oldest_ms <= VL_WINDOW_SLOW_MS ||
	    now_ms - window->shrunk_ms < VL_WINDOW_SLOW_MS)
		return;
	window->size = window->size / 2 > VL_WINDOW_MIN ? window->size / 2 : VL_WINDOW_MIN;
	window->quick = 0;
	window->limited = false;
	window->shrunk_ms = now_ms;
}

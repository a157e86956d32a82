#include "stream/gauge.h"

/* A fast line is known at once, as all waits for that; a slow one needs a second for a useful
 * figure. */
#define ENOUGH_BYTES ((uint64_t)16 << 10)
#define ENOUGH_MS 10
#define LONG_MS 1000

/* Where little was waiting, the line may carry more than it was given, and only more is news. */
static void settle(struct vl_gauge *gauge, uint64_t rate, int64_t took)
{
	bool full = gauge->waiting_ms >= took / 2;

	if (rate > gauge->rate || (full && rate < gauge->rate / 2))
		gauge->rate = rate;
	else if (full)
		gauge->rate = (rate + gauge->rate) / 2;
}

void vl_gauge_note(struct vl_gauge *gauge, uint64_t moved, bool busy, bool held, int64_t now_ms)
{
	int64_t took = now_ms - gauge->since_ms;
	uint64_t bytes = moved - gauge->since_moved;

	if (gauge->held)
		gauge->waiting_ms += now_ms - gauge->looked_ms;
	gauge->held = held;
	gauge->looked_ms = now_ms;
	if (gauge->running && busy && took < LONG_MS && (took < ENOUGH_MS || bytes < ENOUGH_BYTES))
		return;
	/* Nothing at all in a second is a line that is down, and says nothing about it when it
	 * is up. */
	if (gauge->running && busy && bytes > 0)
		settle(gauge, bytes * 1000 / (uint64_t)took, took);
	gauge->running = busy;
	gauge->since_ms = now_ms;
	gauge->since_moved = moved;
	gauge->waiting_ms = 0;
}

size_t vl_gauge_room(const struct vl_gauge *gauge, int64_t way_ms, unsigned holders)
{
	int64_t way = way_ms < VL_GAUGE_WAY_MAX_MS ? way_ms : VL_GAUGE_WAY_MAX_MS;
	uint64_t room = gauge->rate * (uint64_t)(way + VL_GAUGE_QUEUE_MS) / 1000;

	if (room < VL_GAUGE_ROOM_MIN)
		room = VL_GAUGE_ROOM_MIN;
	return (size_t)room / (holders > 1 ? holders : 1);
}

#include "hq/ingest/reserve.h"

#include "base/clock.h"

size_t vl_reserve_of(size_t room)
{
	size_t reserve = room / VL_RESERVE_SHARE;

	if (reserve < VL_RESERVE_LEAST)
		reserve = VL_RESERVE_LEAST < room / 4 ? VL_RESERVE_LEAST : room / 4;
	return reserve < VL_RESERVE_MOST ? reserve : VL_RESERVE_MOST;
}

size_t vl_reserve_map(const struct vl_reserve *r)
{
	return r->urgent ? r->size : r->size - vl_reserve_of(r->size);
}

enum vl_precedence vl_reserve_least(const struct vl_reserve *r)
{
	return r->urgent ? VL_IMMEDIATE : VL_ROUTINE;
}

static void rest(struct vl_reserve *r, int64_t now)
{
	r->pause_ms = vl_back_off(r->pause_ms, VL_RESERVE_PAUSE_MS, VL_RESERVE_PAUSE_MOST_MS);
	r->until_ms = now + r->pause_ms;
}

static void hold_others(struct vl_reserve *r, int64_t now, enum vl_reserve_word *word)
{
	*word = r->said ? VL_RESERVE_NOTHING : VL_RESERVE_FULL;
	r->said = r->urgent = true;
	rest(r, now);
}

bool vl_reserve_met(struct vl_reserve *r, int64_t now, enum vl_reserve_word *word)
{
	if (!r->urgent) {
		hold_others(r, now, word);
		return false;
	}
	*word = r->said_all ? VL_RESERVE_NOTHING : VL_RESERVE_ALL_FULL;
	r->said_all = true;
	rest(r, now);
	return true;
}

bool vl_reserve_look(struct vl_reserve *r, size_t used, size_t room, int64_t now,
		     enum vl_reserve_word *word)
{
	/* it, and not [views] size, says how much there may be */
	bool disk = room < vl_reserve_map(r);
	size_t reserve = vl_reserve_of(disk ? room : r->size);

	*word = VL_RESERVE_NOTHING;
	if (!r->urgent && disk && used + reserve > room) {
		hold_others(r, now, word);
		return true;
	}
	if (!r->urgent && r->said && now - r->since_ms >= VL_RESERVE_STEADY_MS) {
		*word = VL_RESERVE_ROOM;
		*r = (struct vl_reserve){.size = r->size, .since_ms = r->since_ms};
	}
	if (!r->urgent || now < r->until_ms || used + reserve + reserve / 4 > room)
		return false;
	r->urgent = false;
	r->since_ms = now;
	return true;
}

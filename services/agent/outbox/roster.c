#include "agent/outbox/roster.h"

#include "base/hash.h"
#include "bus/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct met {
	UT_hash_handle hh;
	struct vl_lane lane;
	size_t number;
	char name[];
};

static struct met *met[VL_ROSTER_ADDRESSED], *by_name;
static size_t n_met;

size_t vl_roster_count(void)
{
	return vl_n_lanes + n_met;
}

size_t vl_roster_room(void)
{
	return vl_n_lanes + VL_ROSTER_ADDRESSED;
}

const struct vl_lane *vl_roster_lane(size_t number)
{
	return number < vl_n_lanes ? &vl_lanes[number] : &met[number - vl_n_lanes]->lane;
}

size_t vl_roster_number(const struct vl_lane *lane)
{
	if (lane >= vl_lanes && lane < vl_lanes + vl_n_lanes)
		return (size_t)(lane - vl_lanes);
	return ((const struct met *)(const void *)((const char *)lane - offsetof(struct met, lane)))
		->number;
}

const struct vl_lane *vl_roster_find(const char *name, size_t length)
{
	const struct vl_lane *lane = vl_lane_find(name, length);
	struct met *found = NULL;

	if (lane != NULL)
		return lane;
	HASH_FIND(hh, by_name, name, length, found);
	return found != NULL ? &found->lane : NULL;
}

static const struct vl_lane *add(const struct vl_lane *of, const char *name, size_t length)
{
	struct met *one = n_met < VL_ROSTER_ADDRESSED ? calloc(1, sizeof(*one) + length + 1) : NULL;

	if (one == NULL)
		return NULL;
	memcpy(one->name, name, length);
	one->lane = (struct vl_lane){one->name, of->precedence, of->compacted,
				     true,      true,           of->headquarters};
	one->number = vl_n_lanes + n_met;
	HASH_ADD_KEYPTR(hh, by_name, one->name, (unsigned)length, one);
	if (one->hh.tbl == NULL) {
		free(one);
		return NULL;
	}
	met[n_met++] = one;
	return &one->lane;
}

const struct vl_lane *vl_roster_meet(const char *name, size_t length)
{
	const struct vl_lane *lane = vl_roster_find(name, length);
	const struct vl_lane *of = lane == NULL ? vl_lane_named(name, length, NULL) : NULL;

	return of != NULL ? add(of, name, length) : lane;
}

const struct vl_lane *vl_roster_address(const struct vl_lane *lane, struct vl_bytes mission)
{
	char name[VL_LANE_NAME_MAX];
	int size = snprintf(name, sizeof(name), "%s.%.*s", lane->name, (int)mission.size,
			    (const char *)mission.data);

	return size > 0 && (size_t)size < sizeof(name) ? vl_roster_meet(name, (size_t)size) : NULL;
}

/*
 * The roster: every lane that this process knows, by number. First those of the catalogue, as in
 * vl_lanes. Then the addressed ones (bus/types.h) that it has met, in that order. A mission's agent
 * has none of those; headquarters' own has two for each mission.
 *
 * There is one for the process, as with vl_lanes; it is not for several threads. A lane stays in
 * it.
 *
 * Next: agent/pulse.h, the agent's own report.
 */
#ifndef VALISE_AGENT_OUTBOX_ROSTER_H
#define VALISE_AGENT_OUTBOX_ROSTER_H

#include "bus/types.h"

/* The most addressed lanes: two for each of 2,000 missions. */
#define VL_ROSTER_ADDRESSED ((size_t)4000)

/* How many lanes there are now, and can be at most. */
size_t vl_roster_count(void);
size_t vl_roster_room(void);

/* The lane of that number, below the count; valid while the process runs. Its name is the full
 * name, as that of its topic. */
const struct vl_lane *vl_roster_lane(size_t number);
size_t vl_roster_number(const struct vl_lane *lane);

/* The lane of that full name, or NULL. `meet` adds an addressed one; it gives NULL for it only
 * if there is no room. */
const struct vl_lane *vl_roster_find(const char *name, size_t length);
const struct vl_lane *vl_roster_meet(const char *name, size_t length);

/* The addressed lane of `lane` for this mission; it is added. */
const struct vl_lane *vl_roster_address(const struct vl_lane *lane, struct vl_bytes mission);

#endif

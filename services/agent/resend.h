/*
 * When to send a lane again although Kafka has acked it: headquarters' receipt for it does not
 * come, or headquarters asks.
 *
 * Kafka may have lost it, or headquarters be away; the mission cannot tell, so it sends again
 * after a while, and after twice as long each time until a receipt moves the lane on.
 * Headquarters drops what it has and says its receipt again. Pure: places and hours.
 */
#ifndef VALISE_AGENT_RESEND_H
#define VALISE_AGENT_RESEND_H

#include "agent/flight.h"

#define VL_RESEND_MAX_MS ((int64_t)24 * 3600 * 1000)

/* One lane's. Start with {0}. */
struct vl_resend {
	int64_t since; /* since when it is as it is; 0 while nothing is missing */
	int64_t wait;  /* how long this time */
	struct vl_place applied;
};

/* True where the lane should now be sent again from `applied` on. Call it now and then; `now_ms`
 * is above 0. Say so once it is done: until then it stays due, and the wait is what it was. */
bool vl_resend_due(struct vl_resend *resend, struct vl_place acked, struct vl_place applied,
		   int64_t first_ms, int64_t now_ms);
void vl_resend_done(struct vl_resend *resend, int64_t now_ms);

/* How soon headquarters' wish for a lane is granted again. */
#define VL_RESEND_ASKED_MIN_MS ((int64_t)1000)
#define VL_RESEND_ASKED_MAX_MS ((int64_t)600000)

/* One lane's. Start with {0}. */
struct vl_resend_asked {
	int64_t last; /* when one was granted; 0: never */
	int64_t wait; /* until the next may be */
	struct vl_place applied;
};

/* True where a directive (proto/valise/directive/v1) for the lane may be acted on now: each time
 * twice as long after the one before, until what headquarters has applied moves on, so that
 * nobody can have a thin line filled with the same again and again. `now_ms` is above 0. Say so
 * once it was acted on; what could not be does not count. */
bool vl_resend_granted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms);
void vl_resend_acted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms);

#endif

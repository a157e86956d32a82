/*
 * When to send a lane again although Kafka has acked it: headquarters' receipt for it does not come.
 *
 * Kafka may have lost it, or headquarters be away; the mission cannot tell, so it sends again after a while, and after twice as
 * long each time until a receipt moves the lane on. Headquarters drops what it has and says its receipt again. Pure: places and
 * hours.
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

/* True where the lane should now be sent again from `applied` on. Call it now and then; `now_ms` is above 0. */
bool vl_resend_due(struct vl_resend *resend, struct vl_place acked, struct vl_place applied, int64_t first_ms,
		   int64_t now_ms);

#endif

/*
 * When to send a lane again although Kafka has acked it: if headquarters' receipt for it does not
 * come, or if headquarters requests it.
 *
 * Kafka may have lost the batches, or headquarters may be away; the mission cannot know. So it
 * sends them again after a while, and each time after twice as long, until a receipt moves the lane
 * on. Headquarters drops the batches that it has, and repeats its receipt. Pure: numbers and times.
 *
 * Next: wishes.h, headquarters' requests.
 */
#ifndef VALISE_AGENT_RESEND_H
#define VALISE_AGENT_RESEND_H

#include "agent/flight.h"

#define VL_RESEND_MAX_MS ((int64_t)24 * 3600 * 1000)

/* One lane's. Start with {0}. */
struct vl_resend {
	int64_t since; /* since when the lane has not moved; 0 while nothing is missing */
	int64_t wait;  /* the wait of this time */
	struct vl_place applied;
};

/* True if the lane should now be sent again from `applied` on. Call it at intervals; `now_ms` is
 * above 0. When it is sent, call vl_resend_done: until then it stays due, and the wait stays the
 * same. */
bool vl_resend_due(struct vl_resend *resend, struct vl_place acked, struct vl_place applied,
		   int64_t first_ms, int64_t now_ms);
void vl_resend_done(struct vl_resend *resend, int64_t now_ms);

/* Minimum and maximum time between two resends that headquarters requests for one lane. */
#define VL_RESEND_ASKED_MIN_MS ((int64_t)1000)
#define VL_RESEND_ASKED_MAX_MS ((int64_t)600000)

/* One lane's. Start with {0}. */
struct vl_resend_asked {
	int64_t last; /* when the last one was granted; 0: never */
	int64_t wait; /* the wait until the next one */
	struct vl_place applied;
};

/* True if a directive (proto/valise/directive/v1) for the lane may be obeyed now. Each wait is
 * twice as long as the one before, until headquarters' applied position moves. So a slow line
 * cannot be filled with the same batches again and again. `now_ms` is above 0. When it was
 * obeyed, call vl_resend_acted; one that could not be obeyed does not count. */
bool vl_resend_granted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms);
void vl_resend_acted(struct vl_resend_asked *asked, struct vl_place applied, int64_t now_ms);

#endif

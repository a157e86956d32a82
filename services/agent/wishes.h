/*
 * Headquarters' requests: the link's action when headquarters requests batches again (inbox.h,
 * proto/valise/directive/v1).
 *
 * Exactly the requested batches are sent again, and the lane then goes on where it was. A second
 * request does no harm; resend.h limits how often. Batches that headquarters reported as applied
 * are no longer in the outbox, and are not sent.
 *
 * Next: pipe.h, between keeper and link.
 */
#ifndef VALISE_AGENT_WISHES_H
#define VALISE_AGENT_WISHES_H

#include "agent/flight.h"
#include "agent/outbox/outbox.h"
#include "agent/pipe.h"
#include "agent/resend.h"

/* Handle a RESEND from the keeper; `asked` has one entry for each of vl_lanes. True if batches
 * are sent again. `now_ms` is above 0. */
bool vl_wishes_take(struct vl_resend_asked *asked, struct vl_outbox *outbox,
		    struct vl_flight *flight, const struct vl_pipe_message *resend, int64_t now_ms);

#endif

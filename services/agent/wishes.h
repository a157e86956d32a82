/*
 * Headquarters' wishes: what the link does when headquarters asks for batches again (inbox.h,
 * proto/valise/directive/v1).
 *
 * Exactly what is asked for is sent again, and the lane then goes on where it was. Safe to ask
 * for twice; how often is up to resend.h. What headquarters has said it has applied is gone from
 * the outbox, and is not sent.
 */
#ifndef VALISE_AGENT_WISHES_H
#define VALISE_AGENT_WISHES_H

#include "agent/flight.h"
#include "agent/outbox/outbox.h"
#include "agent/pipe.h"
#include "agent/resend.h"

/* A RESEND from the keeper; `asked` has one for each of vl_lanes. True where something is sent
 * again. `now_ms` is above 0. */
bool vl_wishes_take(struct vl_resend_asked *asked, struct vl_outbox *outbox,
		    struct vl_flight *flight, const struct vl_pipe_message *resend, int64_t now_ms);

#endif

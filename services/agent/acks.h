/*
 * The link's reports of each lane, until the outbox has noted them. They say how far the lane is
 * given to Kafka, and how far Kafka has it.
 *
 * Next: outbox/outbox.h, where events are kept.
 */
#ifndef VALISE_AGENT_ACKS_H
#define VALISE_AGENT_ACKS_H

#include "agent/outbox/outbox.h"
#include "agent/pipe.h"

struct vl_acks;

/* NULL when out of memory. */
struct vl_acks *vl_acks_open(void);
void vl_acks_close(struct vl_acks *acks);

/* One report that the link has sent. */
void vl_acks_take(struct vl_acks *acks, const struct vl_pipe_message *message, int64_t now_ms);

/* When the oldest ack that is not noted came, or last could not be noted; -1 if there is none. */
int64_t vl_acks_since(const struct vl_acks *acks);

/* Put them into the outbox's transaction under way. */
void vl_acks_note(const struct vl_acks *acks, struct vl_outbox *outbox);

/* They are part of that transaction. Or it failed, and all reports that were ever taken wait
 * anew. */
void vl_acks_noted(struct vl_acks *acks);
void vl_acks_not_noted(struct vl_acks *acks, int64_t now_ms);

#endif

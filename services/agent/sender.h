/*
 * A sender: one producer of the link's with connections of its own, for the lanes of one class,
 * and its trouble. Inside the link.
 *
 * Whatever fails, the answer is the same: a new producer, after a while, and on from what was
 * acked. A lane that Kafka refuses is set aside, and the others go on.
 */
#ifndef VALISE_AGENT_SENDER_H
#define VALISE_AGENT_SENDER_H

#include "agent/config.h"
#include "agent/flight.h"
#include "agent/outbox/outbox.h"

struct vl_sender;

/* Configuration and flight stay the caller's, and must outlive the sender. It begins without a
 * producer. NULL when out of memory. */
struct vl_sender *vl_sender_open(const struct vl_agent_config *config, struct vl_flight *flight,
				 enum vl_class class);

/* Wait up to `timeout_ms` for what is in flight. NULL is fine. */
void vl_sender_close(struct vl_sender *sender, int timeout_ms);

/* Once a line that was down is back, let `first`, if it has something that does not get through
 * yet, be the first on it, for some seconds. It must outlive the sender's last serve. */
void vl_sender_yield_to(struct vl_sender *sender, const struct vl_sender *first);

/* Hear acks, replace a producer that is broken, and send what the window lets; `line` is what
 * the line carries in bytes a second, 0 where that is not known. Not ok only where a new process
 * may help. */
enum vl_err vl_sender_serve(struct vl_sender *sender, struct vl_outbox *outbox, uint64_t line,
			    int64_t now, struct vl_why *why) VL_CHECKED;

/* Whether Kafka has acked something on the present connections, and nothing has gone wrong
 * since. */
bool vl_sender_heard(const struct vl_sender *sender);

/* Whether anything was acked since the last call. */
bool vl_sender_news(struct vl_sender *sender);

/* A batch that was to be sent and is damaged, since the last call; false where there was none.
 * Its lane rests meanwhile. */
bool vl_sender_damaged(struct vl_sender *sender, size_t *lane, struct vl_place *place);

/* How far the broker's clock is ahead of ours, as the nearest of the acks since the last call
 * tells; false where none does. */
bool vl_sender_clock(struct vl_sender *sender, int64_t *ahead_ms);

/* What the line carries, as far as this sender knows; 0 where it does not. */
uint64_t vl_sender_rate(const struct vl_sender *sender);

/* Readable when there is something to serve; -1 while there is no producer. */
int vl_sender_fd(const struct vl_sender *sender);

/* Milliseconds until it should be served although nothing is readable; -1 for never. */
int64_t vl_sender_wait(const struct vl_sender *sender, int64_t now);

#endif

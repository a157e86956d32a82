/*
 * A sender: one Kafka producer of the link. It has its own connections, serves the lanes of one
 * class, and handles their errors. For the link only.
 *
 * After any failure it does the same: it opens a new producer after a while, and goes on after the
 * last ack. If Kafka refuses a lane, the lane is set aside, and the others go on.
 *
 * Next: flight.h, the records in flight.
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

/* Wait up to `timeout_ms` for records in flight. NULL is fine. */
void vl_sender_close(struct vl_sender *sender, int timeout_ms);

/* When a line that was down is back, `first` uses it first for some seconds, if one of its
 * records does not get through yet. It must outlive the sender's last serve. */
void vl_sender_yield_to(struct vl_sender *sender, const struct vl_sender *first);

/* Receive acks, replace a broken producer, and send what the window allows. `line` is the line's
 * speed in bytes a second, 0 if it is unknown. It fails only if a new process may help. */
enum vl_err vl_sender_serve(struct vl_sender *sender, struct vl_outbox *outbox, uint64_t line,
			    int64_t now, struct vl_why *why) VL_CHECKED;

/* Whether Kafka has acked a record on the present connections, without an error since then. */
bool vl_sender_heard(const struct vl_sender *sender);

/* Whether a record was acked since the last call. */
bool vl_sender_news(struct vl_sender *sender);

/* A batch that was due to be sent and is damaged, since the last call; false if there was none.
 * Its lane rests meanwhile. */
bool vl_sender_damaged(struct vl_sender *sender, size_t *lane, struct vl_place *place);

/* How far the broker's clock is ahead of ours, by the best of the acks since the last call;
 * false if there was none. */
bool vl_sender_clock(struct vl_sender *sender, int64_t *ahead_ms);

/* The speed of the line, as far as this sender knows; 0 if it does not. */
uint64_t vl_sender_rate(const struct vl_sender *sender);

/* Readable when there is work for serve; -1 while there is no producer. */
int vl_sender_fd(const struct vl_sender *sender);

/* Milliseconds until it should be served although nothing is readable; -1 for never. */
int64_t vl_sender_wait(const struct vl_sender *sender, int64_t now);

#endif

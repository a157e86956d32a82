/*
 * The answers that wait for one commit. They are already in their clients' buffers. When the commit
 * is on the disk, they are released. If it fails, they are taken back and written anew as refusals.
 *
 * Next: acks.h, what the link reports.
 */
#ifndef VALISE_AGENT_ANSWERS_H
#define VALISE_AGENT_ANSWERS_H

#include "agent/client.h"

/* requests of one commit; the rest is for other messages to clients */
#define ANSWERS_ROOM (4096 + 256)

/* All zero at the start. */
struct answers {
	size_t count;
	struct {
		struct client *client;
		uint64_t tag, end;
		size_t n_events;
	} held[ANSWERS_ROOM];
};

/* Hold the bytes that are written for this client from here on, until answers_held: the answer
 * to one request of `n_events` events. */
void answers_hold(struct answers *answers, struct client *client, uint64_t tag, size_t n_events);
void answers_held(struct answers *answers);

/* Release all. */
void answers_release(struct answers *answers);

/* Replace the held answers, first in `older`, then in `newer`, by refusals of each event: that
 * commit failed with `err`. */
void answers_refuse(struct answers *older, struct answers *newer, enum vl_err err,
		    const struct vl_why *why);

/* Write a whole answer of `times` equal refusals. */
void answer_refused(struct vl_buf *out, uint64_t tag, Valise__V1__RefusedCause cause,
		    const char *reason, size_t times);

/* Send a refusal to a user that the agent does not serve, as far as the socket takes it at once,
 * and close the connection. */
void answer_turned_away(int fd, const char *reason);

#endif

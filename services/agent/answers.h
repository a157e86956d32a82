/*
 * The answers that wait for one commit: written into their clients' buffers already, and let go
 * of when it is on the disk, or taken back and written anew as refusals when it is not.
 */
#ifndef VALISE_AGENT_ANSWERS_H
#define VALISE_AGENT_ANSWERS_H

#include "agent/client.h"

/* requests of one commit; the rest is for what clients are told besides */
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

/* Hold what is written for this client from here on, until answers_held: the answer to one
 * request of so many events. */
void answers_hold(struct answers *answers, struct client *client, uint64_t tag, size_t n_events);
void answers_held(struct answers *answers);

/* Let all go. */
void answers_release(struct answers *answers);

/* Answer every event of what is held in `older`, then in `newer`, with one refusal: that commit
 * failed with `err`. */
void answers_refuse(struct answers *older, struct answers *newer, enum vl_err err,
		    const struct vl_why *why);

/* Write a whole answer of `times` equal refusals. */
void answer_refused(struct vl_buf *out, uint64_t tag, Valise__V1__RefusedCause cause,
		    const char *reason, size_t times);

/* Tell one whom the agent does not serve why, as far as the socket takes it at once, and close
 * it. */
void answer_turned_away(int fd, const char *reason);

#endif

/*
 * The mailbox: gives headquarters' events to an agent of its own, whose id is HQ.
 *
 * Headquarters has no key. It gives its messages to that agent, as any program does
 * (client/client.h); the agent signs, keeps and sends them. One request is under way at a time. It
 * never waits. If the agent is away, it is tried again later, and the mailbox's owner repeats the
 * events that the agent has not accepted.
 *
 * Next: directives.h, requests to send again.
 */
#ifndef VALISE_HQ_REPLY_MAILBOX_H
#define VALISE_HQ_REPLY_MAILBOX_H

#include "base/clock.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

/* The most events in one request. */
#define VL_MAILBOX_MOST 512

struct vl_mailbox;

/* The result for an event of the last request, by its index; called for each in turn, from work
 * or send. Not accepted: refused, or unknown. */
typedef void vl_mailbox_answered(void *context, size_t index, bool accepted);

/* Texts and clock stay the caller's. */
struct vl_mailbox_options {
	const char *socket; /* of headquarters' own agent; "": no event is ever given */
	const char *what;   /* the plural name of the events, for the log */
	/* for an answer; after an error the next try comes after half of it at most */
	int64_t patience_ms;
	const struct vl_clock *clock;
	vl_mailbox_answered *answered;
	void *context;
};

/* CONFIG if the socket's path is too long. */
enum vl_err vl_mailbox_open(const struct vl_mailbox_options *options, struct vl_mailbox **mailbox,
			    struct vl_why *why) VL_CHECKED;

/* An open request gets no answer any more. NULL is fine. */
void vl_mailbox_close(struct vl_mailbox *mailbox);

/* Send and receive without waiting. Call it often, and after the puts; `now_ms` is monotonic. */
void vl_mailbox_work(struct vl_mailbox *mailbox, int64_t now_ms);

/* Begin a request. False if there can be none now: one is under way, or the agent is away. */
bool vl_mailbox_begin(struct vl_mailbox *mailbox, int64_t now_ms);

/* Add an event about `subject`; its index is the number of earlier ones. It has no id, since
 * none is needed here. False when out of memory, or if it is too long: then it is not in the
 * request. */
bool vl_mailbox_put(struct vl_mailbox *mailbox, const char *subject,
		    const ProtobufCMessage *payload) VL_CHECKED;

/* Whether the open request has enough events or bytes; another one may begin after its answer. */
bool vl_mailbox_full(const struct vl_mailbox *mailbox);

/* Events under way. */
size_t vl_mailbox_under_way(const struct vl_mailbox *mailbox);

#endif

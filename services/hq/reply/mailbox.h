/*
 * The mailbox: how headquarters gives events to an agent of its own, whose id is HQ.
 *
 * Headquarters has no key. What it has to say to the missions it gives to that agent, as any
 * program does (client/client.h); the agent signs, keeps and sends it. One request is under way
 * at a time. Nothing here ever waits: an agent that is away is tried again later, and what it has
 * not accepted is its owner's to say again.
 */
#ifndef VALISE_HQ_REPLY_MAILBOX_H
#define VALISE_HQ_REPLY_MAILBOX_H

#include "base/clock.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

/* The most events in one request. */
#define VL_MAILBOX_MOST 512

struct vl_mailbox;

/* What became of an event of the last request, by its place there; called for each in turn, from
 * work or send. Not accepted: refused, or nobody knows. */
typedef void vl_mailbox_answered(void *context, size_t index, bool accepted);

/* Texts and clock stay the caller's. */
struct vl_mailbox_options {
	const char *socket; /* of headquarters' own agent; "": nothing is ever given */
	const char *what;   /* that is given, in the plural, for the log */
	/* for an answer; after an error, half of it at most until the next try */
	int64_t patience_ms;
	const struct vl_clock *clock;
	vl_mailbox_answered *answered;
	void *context;
};

/* CONFIG where the socket's path is too long. */
enum vl_err vl_mailbox_open(const struct vl_mailbox_options *options, struct vl_mailbox **mailbox,
			    struct vl_why *why) VL_CHECKED;

/* What is under way is not answered any more. NULL is fine. */
void vl_mailbox_close(struct vl_mailbox *mailbox);

/* Send and receive as far as that goes at once. Call often, and after the puts; `now_ms` is
 * monotonic. */
void vl_mailbox_work(struct vl_mailbox *mailbox, int64_t now_ms);

/* Begin a request; false where there can be none now: one is under way, or the agent is away. */
bool vl_mailbox_begin(struct vl_mailbox *mailbox, int64_t now_ms);

/* Add an event about `subject`; its place is how many there were before. It has no id: nothing
 * here needs to be known by it. False when out of memory, or where it is too long: then it is not
 * in the request. */
bool vl_mailbox_put(struct vl_mailbox *mailbox, const char *subject,
		    const ProtobufCMessage *payload) VL_CHECKED;

/* Whether the request under way has as many events or bytes as one should; another may be begun
 * once it is answered. */
bool vl_mailbox_full(const struct vl_mailbox *mailbox);

/* Events under way. */
size_t vl_mailbox_under_way(const struct vl_mailbox *mailbox);

#endif

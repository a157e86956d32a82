/*
 * The inside of client.h: client.c keeps the connection and never waits, wait.c waits for it.
 *
 * Next: client/response.h, how an answer is read.
 */
#ifndef VALISE_CLIENT_CLIENT_IN_H
#define VALISE_CLIENT_CLIENT_IN_H

#include "base/buf.h"
#include "base/err.h"
#include "client/client.h"

#define REQUESTS 64

/* One event without an answer. */
struct client_pending {
	struct client_pending *next;
	uint64_t tag;
	struct vl_client_answer *answer; /* of one who waits; NULL: the callback gets it */
	bool sent;                       /* at least once */
	uint8_t id[16];
	size_t size;
	uint8_t bytes[];
};

struct client_request {
	size_t events, bytes;
};

/* Events stand in one list: first ... (sent) ... unsent ... last. The requests under way cover
 * the sent ones in order. */
struct vl_client {
	struct vl_client_options options;
	int fd;
	struct client_pending *first, *unsent, *last;
	size_t count, unsent_bytes;
	size_t waited_for; /* of them, those that a caller waits for */
	struct client_request
		requests[REQUESTS]; /* a ring; the one with tag t is at t % REQUESTS */
	uint64_t oldest, newest;    /* tags: oldest ... newest - 1 are under way */
	size_t window;              /* their bytes */
	int64_t asked_at;           /* since when an answer is due */
	struct vl_buf out, in, event;
	size_t out_at;
	/* Of trying again. */
	bool losing;
	bool gave_up; /* in the work under way */
	int64_t connected_at, lost_at, next_at, pause_ms;
	struct vl_why why;
	char path[];
};

/* As vl_client_add; `answer`, if it is not NULL, is filled in place of the callback, and the event
 * counts as waited for. TOO_LARGE, NOMEM. */
enum vl_err client_add_event(struct vl_client *client, const struct vl_client_event *event,
			     uint64_t tag, struct vl_client_answer *answer) VL_CHECKED;

#endif

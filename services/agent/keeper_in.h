/*
 * Inside the keeper: keeper.c runs the rounds and the link. keeper_serve.c takes the requests of
 * the programs, in turns.
 *
 * Next: client.h, one connected program.
 */
#ifndef VALISE_AGENT_KEEPER_IN_H
#define VALISE_AGENT_KEEPER_IN_H

#include "agent/acks.h"
#include "agent/answers.h"
#include "agent/client.h"
#include "agent/inbox.h"
#include "agent/keeper.h"

/* The content of one commit. */
struct round {
	struct answers answers;
	size_t bytes; /* of the events */
	/* the bytes of requests that began with FLASH or IMMEDIATE; they do not wait for more
	 * events */
	size_t urgent;
};

struct vl_keeper {
	struct vl_keeper_options options;
	int epoll, link;
	struct client *clients[VL_KEEPER_CLIENTS];
	size_t n_clients;
	size_t turn;          /* whose turn is next */
	int64_t strangers_at; /* when the log last named users that were not let in; 0: never */
	uint64_t strangers;   /* users that were not let in since then */
	struct client_budget budget;
	bool deaf; /* no descriptor is left: the listener rests until the next tick */

	struct round rounds[2];
	/* the second: being committed by the outbox's own thread, or empty */
	struct round *filling, *flying;
	bool in_txn; /* the outbox has begun the transaction of `filling` */
	bool again;  /* a client's next request is already here */
	/* why nothing can be written, although no transaction has begun */
	enum vl_err err;
	struct vl_why why;

	struct vl_acks *acks;
	struct vl_inbox *inbox;
	uint64_t heard;       /* messages from the link */
	struct vl_buf record; /* the part of a record that has come from the link */
	int64_t tick, freed;
	int64_t marked;
	enum vl_err unmarked; /* why the mark could not be written, so that it is reported once */
};

/* epoll returns a pointer: a client's, one of keeper.c's, or this one. */
static inline void *listener_mark(struct vl_keeper *keeper)
{
	return &keeper->options.listener;
}

int keeper_watch(struct vl_keeper *keeper, int op, int fd, unsigned events, void *mark);

/* Begin the transaction of `filling`, if it has not begun; whether it can only fail. */
void keeper_begin(struct vl_keeper *keeper);
bool keeper_failed(const struct vl_keeper *keeper);

/* Whether the commit is large enough. */
bool keeper_gathered(const struct vl_keeper *keeper);

/* Accept waiting connections, some at a time. */
void keeper_greet(struct vl_keeper *keeper);

/* epoll reports a client. */
void keeper_client_ready(struct client *client, unsigned events);

/* One turn for each client: urgent requests first, then a part of the others. False if no client
 * had a request. */
bool keeper_turns(struct vl_keeper *keeper);

/* Send answers, and drop clients that are gone. */
void keeper_sweep(struct vl_keeper *keeper);

#endif

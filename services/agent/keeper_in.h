/*
 * Inside the keeper: keeper.c runs the rounds and the link, keeper_serve.c takes from the
 * programs what they send, in turns.
 */
#ifndef VALISE_AGENT_KEEPER_IN_H
#define VALISE_AGENT_KEEPER_IN_H

#include "agent/acks.h"
#include "agent/answers.h"
#include "agent/client.h"
#include "agent/inbox.h"
#include "agent/keeper.h"

/* What one commit takes along. */
struct round {
	struct answers answers;
	size_t bytes; /* of its events */
	/* of them, in requests that began with FLASH or IMMEDIATE: those do not wait for more to
	 * come */
	size_t urgent;
};

struct vl_keeper {
	struct vl_keeper_options options;
	int epoll, link;
	struct client *clients[VL_KEEPER_CLIENTS];
	size_t n_clients;
	size_t turn;          /* whose is next */
	int64_t strangers_at; /* when one was told of last; 0: never */
	uint64_t strangers;   /* turned away since */
	struct client_budget budget;
	bool deaf; /* no descriptor left: the listener rests until the next tick */

	struct round rounds[2];
	struct round *filling, *flying; /* flying: with the outbox's own thread, or empty */
	bool in_txn;                    /* the outbox has begun what is filled */
	bool again;                     /* a client's next request is here already */
	/* that nothing can be written, before a transaction even began */
	enum vl_err err;
	struct vl_why why;

	struct vl_acks *acks;
	struct vl_inbox *inbox;
	uint64_t heard;       /* messages of the link */
	struct vl_buf record; /* as far as it has come from the link */
	int64_t tick, freed;
	int64_t marked;
	enum vl_err unmarked; /* why the mark could not be written, so that it is told once */
};

/* epoll gives back a pointer: a client's, or one of keeper.c's, or this. */
static inline void *listener_mark(struct vl_keeper *keeper)
{
	return &keeper->options.listener;
}

int keeper_watch(struct vl_keeper *keeper, int op, int fd, unsigned events, void *mark);

/* Begin what is filled, where it has not begun; whether it can only fail. */
void keeper_begin(struct vl_keeper *keeper);
bool keeper_failed(const struct vl_keeper *keeper);

/* The commit has as much as one should. */
bool keeper_gathered(const struct vl_keeper *keeper);

/* Let in who waits at the door, some at a time. */
void keeper_greet(struct vl_keeper *keeper);

/* epoll speaks of a client. */
void keeper_client_ready(struct client *client, unsigned events);

/* One turn for each client: what is urgent first, then a piece of what each has sent. False
 * where nobody had anything. */
bool keeper_turns(struct vl_keeper *keeper);

/* Send answers, forget who is gone. */
void keeper_sweep(struct vl_keeper *keeper);

#endif

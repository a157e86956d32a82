/*
 * A made-up agent for publishing programs: answers, refusals, and every way in which a connection
 * ends midway. It serves from a thread of its own.
 *
 * Next: client_fake_agent.h, one for the library.
 */
#ifndef VALISE_TESTS_CLI_FAKE_AGENT_H
#define VALISE_TESTS_CLI_FAKE_AGENT_H

#include "cli/publish.h"

#include "bus_fixture.h"

#include <pthread.h>

/* The agent's behaviour on its connections, one after another; the last goes on until the client
 * leaves. */
struct fake_play {
	int closes_after;    /* events answered before the connection is closed; -1: never */
	bool answers_last;   /* whether the answer to the last of them is sent */
	bool unknown;        /* instead of closing: UNKNOWN_OUTCOME */
	const char *garbage; /* instead of an answer: these bytes */
	size_t n_garbage;
};

struct fake_agent {
	char dir[64], path[96];
	int listener;
	const struct fake_play *plays;
	size_t n_plays;
	pthread_t thread;
	/* The ids that came, in order; an id that came before is a duplicate. */
	struct vl_event_id ids[10000];
	size_t n_ids;
	uint64_t events, requests, most;
};

/* Play one connection after another; stop waits until all are played. */
void fake_start(struct fake_agent *agent, const struct fake_play *plays, size_t n_plays);
void fake_stop(struct fake_agent *agent);

/* -- publishing, and what is printed -- */

#define CASE "\"payload\":{\"@type\":\"consular.case.v1.CaseClosed\"}"
#define LINE "{\"subject\":\"SD-1\"," CASE "}\n"

struct run {
	struct vl_buf out, talk;
	int code;
};

/* It stands still. */
extern const struct vl_clock run_clock;

/* Publish `input` at the socket; the caller frees what it gets. */
struct run run_publish(const char *socket, struct vl_bytes input, int patience_ms);
void run_free(struct run *run);

size_t count_of(const char *text, const char *what);
void assert_count(size_t expected, struct vl_buf *text, const char *what);

#endif

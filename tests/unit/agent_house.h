/*
 * A keeper with an outbox and a socket, and a program that talks to it. While a function here
 * waits, it lets the keeper work.
 *
 * Next: agent_shelf.h, copies of an outbox.
 */
#ifndef VALISE_TESTS_AGENT_HOUSE_H
#define VALISE_TESTS_AGENT_HOUSE_H

#include "agent_receipt.h"

#include "agent/frame.h"
#include "agent/keeper.h"
#include "valise/v1/agent.pb-c.h"

#include <sys/socket.h>

struct house {
	struct world *world;
	struct vl_keeper *keeper;
	struct vl_ring *ring;
	int listener;
	uid_t users[1];
	char path[300];
};

/* Sets *state to a house whose keeper listens. */
int house_setup(void **state);
int house_teardown(void **state);

void house_step(struct house *house);

/* A few rounds: connect, read, answer. */
void house_settle(struct house *house);

unsigned house_stored(struct house *house);

/* -- a program -- */

int house_dial(struct house *house);

/* A request of events; the caller frees it, or house_ask does. */
void request_open(struct vl_buf *request, uint64_t tag);
void request_add(struct vl_buf *request, uint64_t n, const char *type, size_t extra);
void request_close(struct vl_buf *request);

void house_send(struct house *house, int fd, const void *bytes, size_t count);

/* Close the request, send and free it. */
void house_ask(struct house *house, int fd, struct vl_buf *request);
void house_ask_one(struct house *house, int fd, uint64_t tag, uint64_t n, const char *type,
		   size_t extra);

#define FREE(response) valise__v1__publish_response__free_unpacked(response, NULL)

/* The next response, unpacked; the caller frees it. */
Valise__V1__PublishResponse *house_answer(struct house *house, int fd);

/* The outcome, which must be of that kind: the two share a union. */
const Valise__V1__Accepted *result_taken(const Valise__V1__PublishResult *result);
const Valise__V1__Refused *result_refused(const Valise__V1__PublishResult *result);

#define INVALID VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID

/* The next response has one result, a refusal of this cause whose reason says `word`. */
void house_refused(struct house *house, int fd, uint64_t tag, Valise__V1__RefusedCause cause,
		   const char *word);

/* The next response has one result: the event of that number on the lane of cases. */
void house_accepted(struct house *house, int fd, uint64_t tag, uint64_t event, bool duplicate);

bool house_closed(struct house *house, int fd);

#endif

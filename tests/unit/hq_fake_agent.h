/*
 * An agent of headquarters' own, as its mailbox sees it: a socket, and the answers of the test. And
 * an office that has one: a ledger, and two missions.
 *
 * Next: view_fake.h, views without a store.
 */
#ifndef VALISE_TESTS_HQ_FAKE_AGENT_H
#define VALISE_TESTS_HQ_FAKE_AGENT_H

#include "hq_world.h"

#include "base/clock.h"
#include "valise/v1/agent.pb-c.h"

#include <sys/socket.h>
#include <sys/un.h>

struct fake_agent {
	char path[100];
	int listener, fd; /* fd: of the connected client, or -1 */
};

/* Listen at the path. */
static inline void fake_open(struct fake_agent *agent)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	agent->fd = -1;
	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)stpcpy(address.sun_path, agent->path);
	assert_int_equal(bind(agent->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(agent->listener, 5), 0);
}

static inline void fake_close(struct fake_agent *agent)
{
	if (agent->fd >= 0)
		(void)close(agent->fd);
	if (agent->listener >= 0)
		(void)close(agent->listener);
}

/* The request that has come to the fake agent; NULL if none has. The caller frees it. */
static inline Valise__V1__PublishRequest *fake_heard(struct fake_agent *agent)
{
	uint8_t head[4], body[65536];

	if (agent->fd < 0)
		agent->fd = accept(agent->listener, NULL, NULL);
	if (agent->fd < 0 || recv(agent->fd, head, 4, MSG_DONTWAIT) != 4)
		return NULL;
	size_t size = vl_get_be32(head);
	assert_in_range(size, 1, sizeof(body));
	assert_int_equal(recv(agent->fd, body, size, MSG_DONTWAIT), size);
	Valise__V1__PublishRequest *request = valise__v1__publish_request__unpack(NULL, size, body);
	assert_non_null(request);
	return request;
}

#define FREE(request) valise__v1__publish_request__free_unpacked(request, NULL)

/* Answer a request; the events of the bits in `refused` are refused. */
static inline void fake_answer(struct fake_agent *agent, const Valise__V1__PublishRequest *request,
			       unsigned refused)
{
	struct vl_buf out = {0};

	(void)vl_buf_add(&out, 4);
	vl_wire_put_varint(&out, 1, request->tag);
	for (size_t i = 0; i < request->n_events; i++) {
		Valise__V1__PublishResult result = VALISE__V1__PUBLISH_RESULT__INIT;
		Valise__V1__Accepted accepted = VALISE__V1__ACCEPTED__INIT;
		Valise__V1__Refused no = VALISE__V1__REFUSED__INIT;
		struct vl_buf packed = {0};
		no.reason = (char *)"full";
		if (refused >> i & 1) {
			result.outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED;
			result.refused = &no;
		} else {
			result.outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
			result.accepted = &accepted;
		}
		vl_wire_pack(&result.base, &packed);
		vl_wire_put_bytes(&out, 2, packed.data, packed.size);
		vl_buf_free(&packed);
	}
	vl_put_be32(out.data, (uint32_t)(out.size - 4));
	assert_int_equal(send(agent->fd, out.data, out.size, MSG_NOSIGNAL), out.size);
	vl_buf_free(&out);
}

struct office {
	struct world world;
	struct sender sd, eg;
	struct vl_clock clock; /* stands still */
	struct fake_agent agent;
	int64_t now; /* of what waits, in ms */
};

static inline struct vl_time office_hour(void *context)
{
	(void)context;
	return (struct vl_time){1700000000, 0};
}

/* Sets *state to an office that is open, whose agent listens. */
static inline int office_setup(void **state)
{
	struct office *o = world_new(sizeof(*o));

	o->sd = world_sender(&o->world, "CN-SD-EMB");
	o->eg = world_sender(&o->world, "CN-EG-EMB");
	(void)snprintf(o->agent.path, sizeof(o->agent.path), "%s/s", o->world.dir);
	o->clock.now = office_hour;
	fake_open(&o->agent);
	o->now = 1000000;
	*state = o;
	return 0;
}

static inline int office_teardown(void **state)
{
	struct office *o = *state;

	fake_close(&o->agent);
	return world_teardown(state);
}

#endif

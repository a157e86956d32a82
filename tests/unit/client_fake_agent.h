/*
 * An agent as its clients see it: a socket, and answers as the test likes. It never waits.
 *
 * Next: cli_blocked.h, a program that hangs.
 */
#ifndef VALISE_TESTS_CLIENT_FAKE_AGENT_H
#define VALISE_TESTS_CLIENT_FAKE_AGENT_H

#include "base/buf.h"
#include "base/text.h"
#include "bus/frame.h"
#include "bus/wire.h"
#include "client/client.h"
#include "valise/v1/agent.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fake_agent {
	char dir[64], path[80];
	int listener, fd; /* fd: of the one who has connected, or -1 */
	struct vl_buf in;
};

static inline void fake_listen(struct fake_agent *agent)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	agent->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)stpcpy(address.sun_path, agent->path);
	(void)unlink(agent->path);
	assert_int_equal(bind(agent->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(agent->listener, 5), 0);
}

static inline void fake_open(struct fake_agent *agent)
{
	(void)strcpy(agent->dir, "/tmp/valise-client-XXXXXX");
	assert_non_null(mkdtemp(agent->dir));
	(void)snprintf(agent->path, sizeof(agent->path), "%s/s", agent->dir);
	agent->fd = -1;
	fake_listen(agent);
}

/* The connection ends; the next one is another. */
static inline void fake_hang_up(struct fake_agent *agent)
{
	if (agent->fd >= 0)
		(void)close(agent->fd);
	agent->fd = -1;
	vl_buf_reset(&agent->in);
}

static inline void fake_go(struct fake_agent *agent)
{
	fake_hang_up(agent);
	if (agent->listener >= 0)
		(void)close(agent->listener);
	agent->listener = -1;
	(void)unlink(agent->path);
}

static inline void fake_close(struct fake_agent *agent)
{
	fake_go(agent);
	vl_buf_free(&agent->in);
	(void)rmdir(agent->dir);
}

static inline bool fake_connected(struct fake_agent *agent)
{
	if (agent->fd < 0)
		agent->fd = accept(agent->listener, NULL, NULL);
	return agent->fd >= 0;
}

/* The next request that has come whole to the fake agent by now; NULL where there is none. The
 * caller frees it. */
static inline Valise__V1__PublishRequest *fake_request(struct fake_agent *agent)
{
	ssize_t n = 1;

	while (n > 0 && fake_connected(agent)) {
		uint8_t *to = vl_buf_add(&agent->in, 65536);
		n = recv(agent->fd, to, 65536, MSG_DONTWAIT);
		agent->in.size -= 65536 - (size_t)(n > 0 ? n : 0);
	}
	if (agent->in.size < VL_FRAME_HEAD)
		return NULL;
	size_t size = vl_get_be32(agent->in.data), whole = VL_FRAME_HEAD + size;
	assert_in_range(size, 1, VL_FRAME_MAX);
	if (agent->in.size < whole)
		return NULL;
	Valise__V1__PublishRequest *request =
		valise__v1__publish_request__unpack(NULL, size, agent->in.data + VL_FRAME_HEAD);
	memmove(agent->in.data, agent->in.data + whole, agent->in.size - whole);
	agent->in.size -= whole;
	assert_non_null(request);
	return request;
}

#define FREE(request) valise__v1__publish_request__free_unpacked(request, NULL)

static inline void put_result(struct vl_buf *out, const Valise__V1__PublishResult *result)
{
	struct vl_buf packed = {0};

	vl_wire_pack(&result->base, &packed);
	vl_wire_put_bytes(out, 2, packed.data, packed.size);
	vl_buf_free(&packed);
}

static inline void put_accepted(struct vl_buf *out, uint64_t event, bool duplicate)
{
	Valise__V1__PublishResult result = VALISE__V1__PUBLISH_RESULT__INIT;
	Valise__V1__Accepted accepted = VALISE__V1__ACCEPTED__INIT;

	accepted.lane = (char *)"consular.case.v1";
	accepted.epoch = 7;
	accepted.event = event;
	accepted.duplicate = duplicate;
	result.outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
	result.accepted = &accepted;
	put_result(out, &result);
}

static inline void put_refused(struct vl_buf *out, Valise__V1__RefusedCause cause,
			       const char *reason)
{
	Valise__V1__PublishResult result = VALISE__V1__PUBLISH_RESULT__INIT;
	Valise__V1__Refused refused = VALISE__V1__REFUSED__INIT;

	refused.cause = cause;
	refused.reason = (char *)reason;
	result.outcome_case = VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED;
	result.refused = &refused;
	put_result(out, &result);
}

static inline void begin_answer(struct vl_buf *out, uint64_t tag)
{
	*out = (struct vl_buf){0};
	(void)vl_buf_add(out, VL_FRAME_HEAD);
	if (tag != 0)
		vl_wire_put_varint(out, 1, tag);
}

/* Send and free it. */
static inline void send_answer(struct fake_agent *agent, struct vl_buf *out)
{
	vl_put_be32(out->data, (uint32_t)(out->size - VL_FRAME_HEAD));
	assert_int_equal(send(agent->fd, out->data, out->size, MSG_NOSIGNAL), out->size);
	vl_buf_free(out);
}

/* Every event is accepted; they are numbered from `first`. Frees the request. */
static inline void accept_all(struct fake_agent *agent, Valise__V1__PublishRequest *request,
			      uint64_t first)
{
	struct vl_buf out;

	begin_answer(&out, request->tag);
	for (size_t i = 0; i < request->n_events; i++)
		put_accepted(&out, first + i, false);
	send_answer(agent, &out);
	FREE(request);
}

#endif

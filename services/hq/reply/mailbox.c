#include "hq/reply/mailbox.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/batch.h"
#include "bus/wire.h"
#include "valise/v1/agent.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_HEAD 4
#define FRAME_MAX ((size_t)1 << 20)
#define FRAME_FULL (FRAME_MAX / 2)
#define READ_SIZE ((size_t)16 << 10)
#define BACK_OFF_MIN_MS 100

struct vl_mailbox {
	struct vl_mailbox_options options;
	size_t n_sent; /* in the request under way */
	int fd;
	struct vl_buf out, in, event;
	size_t out_at;
	uint64_t tag;
	int64_t next_at, asked_at, back_off_ms;
	struct vl_arena *arena;
	bool told;
};

enum vl_err vl_mailbox_open(const struct vl_mailbox_options *options, struct vl_mailbox **opened,
			    struct vl_why *why)
{
	struct vl_mailbox *m = calloc(1, sizeof(*m));

	*opened = NULL;
	if (m == NULL)
		return VL_ERR_NOMEM;
	m->options = *options;
	m->fd = -1;
	m->arena = vl_arena_open(0);
	enum vl_err err = m->arena != NULL ? VL_OK : VL_ERR_NOMEM;
	if (strlen(options->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		err = vl_fail(why, VL_ERR_CONFIG,
			      "[receipts] socket: is longer than a socket's path may be");
	if (err != VL_OK)
		vl_mailbox_close(m);
	else
		*opened = m;
	return err;
}

void vl_mailbox_close(struct vl_mailbox *m)
{
	if (m == NULL)
		return;
	if (m->fd >= 0)
		(void)close(m->fd);
	vl_buf_free(&m->out);
	vl_buf_free(&m->in);
	vl_buf_free(&m->event);
	vl_arena_close(m->arena);
	free(m);
}

size_t vl_mailbox_under_way(const struct vl_mailbox *m)
{
	return m->n_sent;
}

/* -- the connection -- */

static void try_later(struct vl_mailbox *m, int64_t now)
{
	m->back_off_ms = vl_back_off(m->back_off_ms, BACK_OFF_MIN_MS, m->options.patience_ms / 2);
	m->next_at = now + m->back_off_ms;
}

static void trouble(struct vl_mailbox *m, const char *reason)
{
	if (!m->told)
		vl_log_warning("cannot give %s to the agent at '%.100s': %s; trying on, and "
			       "the missions keep what they have sent",
			       m->options.what, m->options.socket, reason);
	m->told = true;
}

/* What was on its way may or may not have been taken. */
static void lose(struct vl_mailbox *m, const char *reason, int64_t now)
{
	size_t lost = m->n_sent;

	trouble(m, reason);
	(void)close(m->fd);
	m->fd = -1;
	m->n_sent = 0;
	for (size_t i = 0; i < lost; i++)
		m->options.answered(m->options.context, i, false);
	vl_buf_reset(&m->out);
	vl_buf_reset(&m->in);
	m->out_at = 0;
	try_later(m, now);
}

static bool connected(struct vl_mailbox *m, int64_t now)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (m->fd >= 0)
		return true;
	(void)stpcpy(address.sun_path, m->options.socket);
	m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->fd >= 0 && connect(m->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	trouble(m, strerror(errno));
	if (m->fd >= 0)
		(void)close(m->fd);
	m->fd = -1;
	try_later(m, now);
	return false;
}

/* -- asking -- */

bool vl_mailbox_begin(struct vl_mailbox *m, int64_t now)
{
	if (*m->options.socket == '\0' || m->n_sent > 0 || now < m->next_at || !connected(m, now))
		return false;
	vl_buf_reset(&m->out);
	m->out_at = 0;
	(void)vl_buf_add(&m->out, FRAME_HEAD);
	vl_wire_put_varint(&m->out, 1, ++m->tag);
	return true;
}

void vl_mailbox_put(struct vl_mailbox *m, const char *subject, const ProtobufCMessage *payload)
{
	vl_buf_reset(&m->event);
	vl_event_pack(&m->event, subject, "headquarters", vl_clock_now(m->options.clock), payload);
	vl_wire_put_bytes(&m->out, 2, m->event.data, m->event.size);
	m->n_sent++;
}

bool vl_mailbox_full(const struct vl_mailbox *m)
{
	return m->out.size >= FRAME_FULL;
}

static void send_out(struct vl_mailbox *m, int64_t now)
{
	while (m->fd >= 0 && m->out_at < m->out.size) {
		ssize_t n = send(m->fd, m->out.data + m->out_at, m->out.size - m->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			lose(m, strerror(errno), now);
		if (n < 0)
			return;
		m->out_at += (size_t)n;
	}
}

void vl_mailbox_send(struct vl_mailbox *m, int64_t now)
{
	m->asked_at = now;
	if (m->n_sent == 0) {
		vl_buf_reset(&m->out);
		return;
	}
	if (vl_buf_failed(&m->out) || vl_buf_failed(&m->event)) {
		lose(m, vl_err_text(VL_ERR_NOMEM), now);
		return;
	}
	vl_put_be32(m->out.data, (uint32_t)(m->out.size - FRAME_HEAD));
	send_out(m, now);
}

/* -- the answer -- */

static void take_results(struct vl_mailbox *m, const Valise__V1__PublishResponse *response,
			 int64_t now)
{
	const char *refused = NULL;
	size_t n = m->n_sent;

	m->n_sent = 0;
	for (size_t i = 0; i < n; i++) {
		const Valise__V1__PublishResult *result = response->results[i];
		bool accepted =
			result->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
		m->options.answered(m->options.context, i, accepted);
		if (!accepted)
			refused =
				result->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED
					? result->refused->reason
					: "no answer";
	}
	if (refused != NULL) {
		trouble(m, refused);
		try_later(m, now);
		return;
	}
	if (m->told)
		vl_log_info("%s are given again", m->options.what);
	m->told = false;
	m->back_off_ms = 0;
}

static bool take_frame(struct vl_mailbox *m, struct vl_bytes frame, int64_t now)
{
	const ProtobufCMessageDescriptor *type = &valise__v1__publish_response__descriptor;

	vl_arena_reset(m->arena);
	if (m->n_sent == 0 || vl_wire_check(type, frame, true, NULL) != VL_OK)
		return false;
	const Valise__V1__PublishResponse *response =
		(const Valise__V1__PublishResponse *)vl_wire_unpack(type, frame, m->arena);
	if (response == NULL || response->tag != m->tag || response->n_results != m->n_sent)
		return false;
	take_results(m, response, now);
	return true;
}

static void take_frames(struct vl_mailbox *m, int64_t now)
{
	if (m->in.size < FRAME_HEAD)
		return;
	size_t size = vl_get_be32(m->in.data);
	if (size <= FRAME_MAX && m->in.size - FRAME_HEAD < size)
		return;
	/* One request, one answer, and nothing behind it. */
	if (size > FRAME_MAX || m->in.size - FRAME_HEAD != size ||
	    !take_frame(m, (struct vl_bytes){m->in.data + FRAME_HEAD, size}, now))
		lose(m, "its answer fits no request; is it valise-agent, and does it let us in?",
		     now);
	else
		vl_buf_reset(&m->in);
}

static void receive(struct vl_mailbox *m, int64_t now)
{
	while (m->fd >= 0) {
		uint8_t *to = vl_buf_add(&m->in, READ_SIZE);
		ssize_t n = to != NULL ? recv(m->fd, to, READ_SIZE, MSG_DONTWAIT) : -1;
		int code = to != NULL ? errno : ENOMEM;
		if (to != NULL)
			m->in.size -= READ_SIZE - (size_t)(n > 0 ? n : 0);
		if (n == 0)
			lose(m, "it closed the connection", now);
		else if (n < 0 && code != EAGAIN && code != EINTR)
			lose(m, strerror(code), now);
		else if (n < 0)
			return;
		else
			take_frames(m, now);
	}
}

void vl_mailbox_work(struct vl_mailbox *m, int64_t now)
{
	receive(m, now);
	if (m->n_sent > 0 && now - m->asked_at > m->options.patience_ms)
		lose(m, "it does not answer", now);
	send_out(m, now);
}

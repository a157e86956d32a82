#include "client/client_in.h"

#include "base/clock.h"
#include "base/text.h"
#include "bus/frame.h"
#include "client/pack.h"
#include "client/response.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVENT_MAX ((size_t)900000)
#define REQUEST_BYTES ((size_t)128 << 10) /* a request takes no more events beyond this */
#define WINDOW_BYTES ((size_t)2 << 20)    /* sent and not answered */
#define WAITING_BYTES ((size_t)512 << 10) /* not sent: more than this, and there is no room */
#define RECEIVE_BYTES ((size_t)64 << 10)
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 1000
#define STEADY_MS 5000 /* a connection that lasted so long was a good one, answers or not */

/* -- open and close -- */

struct vl_client *vl_client_open(const struct vl_client_options *options)
{
	static const struct vl_client_options none;
	const char *path =
		options != NULL && options->socket != NULL ? options->socket : VL_CLIENT_SOCKET;
	struct vl_client *c = calloc(1, sizeof(*c) + strlen(path) + 1);

	if (c == NULL)
		return NULL;
	c->options = options != NULL ? *options : none;
	c->options.socket = strcpy(c->path, path);
	if (c->options.pause_ms <= 0)
		c->options.pause_ms = PAUSE_MAX_MS;
	c->fd = -1;
	c->oldest = c->newest = 1; /* the agent's 0 is about the connection */
	return c;
}

void vl_client_close(struct vl_client *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		(void)close(c->fd);
	while (c->first != NULL) {
		struct client_pending *gone = c->first;
		c->first = gone->next;
		free(gone);
	}
	vl_buf_free(&c->out);
	vl_buf_free(&c->in);
	vl_buf_free(&c->event);
	free(c);
}

const char *vl_client_reason(const struct vl_client *c)
{
	return c->why.text;
}

/* -- answers -- */

/* The first event's. It is no longer pending when its owner gets the answer. */
static void answer_first(struct vl_client *c, struct vl_client_answer *answer)
{
	struct client_pending *p = c->first;

	c->first = p->next;
	if (c->unsent == p)
		c->unsent = p->next;
	c->count--;
	memcpy(answer->id, p->id, sizeof(p->id));
	if (p->answer != NULL) {
		*p->answer = *answer;
		c->waited_for--;
	} else if (c->options.answered != NULL)
		c->options.answered(c->options.context, p->tag, answer);
	free(p);
}

/* Those there are now; an owner may add further ones meanwhile. */
static void give_up(struct vl_client *c)
{
	struct vl_client_answer answer;

	c->gave_up = true;
	c->losing = false;
	for (size_t left = c->count; left > 0; left--) {
		bool sent = c->first->sent;
		answer = (struct vl_client_answer){.outcome = sent ? VL_CLIENT_UNKNOWN
								   : VL_CLIENT_UNSENT};
		(void)snprintf(answer.reason, sizeof(answer.reason), "%s (%.150s)",
			       sent ? "whether it was stored is unknown; publish it again with "
				      "the same id"
				    : "it was not sent; publish it again",
			       c->why.text);
		c->unsent_bytes -= c->first->size;
		answer_first(c, &answer);
	}
}

/* -- the connection -- */

/* Everything unanswered is unsent again. */
static void disconnect(struct vl_client *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	vl_buf_reset(&c->out);
	vl_buf_reset(&c->in);
	c->out_at = 0;
	c->unsent = c->first;
	c->unsent_bytes += c->window;
	c->window = 0;
	c->oldest = c->newest;
}

static void pause_now(struct vl_client *c, int64_t now)
{
	c->pause_ms = vl_back_off(c->pause_ms, PAUSE_MIN_MS, c->options.pause_ms);
	c->next_at = now + c->pause_ms;
}

/* The patience begins, unless it has. A loss does not count while no call waits. */
static void begin_losing(struct vl_client *c, int64_t now)
{
	if (c->losing || c->first == NULL)
		return;
	c->losing = true;
	c->lost_at = now;
	if (c->options.lost != NULL)
		c->options.lost(c->options.context, c->why.text);
}

/* What is wrong stands in `why`. */
static void lose(struct vl_client *c, int64_t now)
{
	if (now - c->connected_at > STEADY_MS)
		c->losing = false;
	disconnect(c);
	pause_now(c, now);
	begin_losing(c, now);
}

/* To try again is of no use. */
static void lose_for_good(struct vl_client *c, int64_t now)
{
	disconnect(c);
	pause_now(c, now);
	give_up(c);
}

static bool dial(struct vl_client *c, struct vl_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	_Static_assert(sizeof(address.sun_path) == VL_CLIENT_SOCKET_MAX + 1, "as documented");
	if (strlen(c->path) > VL_CLIENT_SOCKET_MAX) {
		(void)vl_fail(why, VL_ERR_USAGE, "the socket's path is longer than %d bytes",
			      VL_CLIENT_SOCKET_MAX);
		return false;
	}
	(void)stpcpy(address.sun_path, c->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	(void)vl_fail(why, VL_ERR_UNREACHABLE,
		      "no agent answers at '%.100s' (%s); is valise-agent running, and is this "
		      "its socket?",
		      c->path, strerror(errno));
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	return false;
}

bool vl_client_ready(struct vl_client *c, int64_t now)
{
	if (c->fd >= 0)
		return true;
	if (now < c->next_at)
		return false;
	if (dial(c, &c->why)) {
		c->connected_at = now;
		return true;
	}
	pause_now(c, now);
	return false;
}

/* -- adding -- */

static enum vl_err add(struct vl_client *c, struct vl_bytes bytes, uint64_t tag,
		       struct vl_client_answer *answer)
{
	if (bytes.size > EVENT_MAX)
		return vl_fail(&c->why, VL_ERR_TOO_LARGE,
			       "the event has %zu bytes, and %zu are the most; it was not sent",
			       bytes.size, EVENT_MAX);
	struct client_pending *p = malloc(sizeof(*p) + bytes.size);
	if (p == NULL)
		return vl_fail(&c->why, VL_ERR_NOMEM, "out of memory; the event was not sent");
	*p = (struct client_pending){.tag = tag, .answer = answer, .size = bytes.size};
	vl_client_id_of(bytes, p->id);
	if (bytes.size > 0)
		memcpy(p->bytes, bytes.data, bytes.size);
	if (c->first != NULL)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
	if (c->unsent == NULL)
		c->unsent = p;
	c->unsent_bytes += p->size;
	c->count++;
	c->waited_for += answer != NULL;
	return VL_OK;
}

bool vl_client_add_packed(struct vl_client *c, const void *event, size_t size, uint64_t tag)
{
	return add(c, (struct vl_bytes){event, size}, tag, NULL) == VL_OK;
}

enum vl_err client_add_event(struct vl_client *c, const struct vl_client_event *event, uint64_t tag,
			     struct vl_client_answer *answer)
{
	vl_buf_reset(&c->event);
	vl_client_pack(event, &c->event);
	if (vl_buf_failed(&c->event))
		return vl_fail(&c->why, VL_ERR_NOMEM, "out of memory; the event was not sent");
	return add(c, vl_buf_bytes(&c->event), tag, answer);
}

bool vl_client_add(struct vl_client *c, const struct vl_client_event *event, uint64_t tag)
{
	return client_add_event(c, event, tag, NULL) == VL_OK;
}

bool vl_client_has_room(const struct vl_client *c)
{
	return c->unsent_bytes < WAITING_BYTES;
}

size_t vl_client_unanswered(const struct vl_client *c)
{
	return c->count;
}

/* -- sending -- */

static bool window_open(const struct vl_client *c)
{
	uint64_t under_way = c->newest - c->oldest;

	return c->unsent != NULL &&
	       (under_way == 0 ||
		(under_way < REQUESTS && c->window + c->unsent->size <= WINDOW_BYTES));
}

static void put_request(struct vl_client *c, int64_t now)
{
	struct client_request *request = &c->requests[c->newest % REQUESTS];
	size_t at = c->out.size;

	if (c->oldest == c->newest)
		c->asked_at = now;
	*request = (struct client_request){0};
	(void)vl_buf_add(&c->out, VL_FRAME_HEAD);
	vl_wire_put_varint(&c->out, 1, c->newest);
	do {
		struct client_pending *p = c->unsent;
		vl_wire_put_bytes(&c->out, 2, p->bytes, p->size);
		p->sent = true;
		request->events++;
		request->bytes += p->size;
		c->unsent = p->next;
	} while (c->unsent != NULL && request->events < VL_FRAME_EVENTS &&
		 request->bytes + c->unsent->size <= REQUEST_BYTES);
	if (!vl_buf_failed(&c->out))
		vl_put_be32(c->out.data + at, (uint32_t)(c->out.size - at - VL_FRAME_HEAD));
	c->unsent_bytes -= request->bytes;
	c->window += request->bytes;
	c->newest++;
}

static void receive(struct vl_client *c, int64_t now);

/* An agent that lets no client in has said so before it closed. */
static void cannot_send(struct vl_client *c, int64_t now, int code)
{
	receive(c, now);
	if (c->fd < 0)
		return;
	(void)vl_fail(&c->why, VL_ERR_UNREACHABLE, "the agent closed the connection (%s)",
		      strerror(code));
	lose(c, now);
}

static void send_out(struct vl_client *c, int64_t now)
{
	while (c->fd >= 0 && (c->out_at < c->out.size || window_open(c))) {
		if (c->out_at == c->out.size) {
			vl_buf_reset(&c->out);
			c->out_at = 0;
			put_request(c, now);
			if (vl_buf_failed(&c->out)) {
				(void)vl_fail(&c->why, VL_ERR_NOMEM, "out of memory");
				lose_for_good(c, now);
				return;
			}
		}
		ssize_t n = send(c->fd, c->out.data + c->out_at, c->out.size - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			c->out_at += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			cannot_send(c, now, errno);
	}
}

/* -- receiving -- */

static void foreign(struct vl_client *c, int64_t now, const char *what)
{
	(void)vl_fail(&c->why, VL_ERR_INVALID, "%s", what);
	lose_for_good(c, now);
}

/* The results of the oldest request. The agent does not know what became of an event that it could
 * not write: then the connection is made anew, and the event is sent again. */
static void take_results(struct vl_client *c, struct vl_response *response, int64_t now)
{
	struct vl_client_answer answer;
	size_t events = c->requests[c->oldest % REQUESTS].events;

	for (size_t i = 0; i < events; i++) {
		if (!vl_response_next(response, &answer)) {
			foreign(c, now,
				"the agent's answer is neither yes nor no; are its version and "
				"ours alike?");
			return;
		}
		if (answer.outcome == VL_CLIENT_UNKNOWN) {
			(void)vl_fail(&c->why, VL_ERR_UNREACHABLE, "the agent could not write");
			lose(c, now);
			return;
		}
		c->window -= c->first->size;
		c->losing = false;
		c->pause_ms = 0;
		answer_first(c, &answer);
	}
	c->oldest++;
	c->asked_at = now;
}

/* Whether it is about the connection: a refusal that belongs to no request. */
static bool is_turned_away(struct vl_response response, struct vl_client_answer *answer)
{
	return response.tag == 0 && response.n_results == 1 &&
	       vl_response_next(&response, answer) && answer->outcome == VL_CLIENT_REFUSED;
}

static void take_response(struct vl_client *c, struct vl_bytes frame, int64_t now)
{
	struct vl_client_answer answer;
	struct vl_response response;
	bool read = vl_response_read(frame, &response);

	if (read && is_turned_away(response, &answer))
		foreign(c, now, answer.reason);
	else if (read && c->oldest != c->newest && response.tag == c->oldest &&
		 response.n_results == c->requests[c->oldest % REQUESTS].events)
		take_results(c, &response, now);
	else
		foreign(c, now,
			"the agent's answer fits no request; are its version and ours alike?");
}

/* Every whole frame there is. */
static void take_frames(struct vl_client *c, int64_t now)
{
	size_t at = 0;

	while (c->fd >= 0 && c->in.size - at >= VL_FRAME_HEAD) {
		size_t size = vl_get_be32(c->in.data + at);
		if (size > VL_FRAME_MAX) {
			foreign(c, now, "the agent's answer is too long; is it valise-agent?");
			return;
		}
		if (c->in.size - at - VL_FRAME_HEAD < size)
			break;
		take_response(c, (struct vl_bytes){c->in.data + at + VL_FRAME_HEAD, size}, now);
		at += VL_FRAME_HEAD + size;
	}
	if (c->fd >= 0 && at > 0) {
		memmove(c->in.data, c->in.data + at, c->in.size - at);
		c->in.size -= at;
	}
}

static void receive(struct vl_client *c, int64_t now)
{
	while (c->fd >= 0) {
		uint8_t *to = vl_buf_add(&c->in, RECEIVE_BYTES);
		if (to == NULL) {
			foreign(c, now, "out of memory");
			return;
		}
		ssize_t n = recv(c->fd, to, RECEIVE_BYTES, MSG_DONTWAIT);
		int code = errno;
		c->in.size -= RECEIVE_BYTES - (size_t)(n > 0 ? n : 0);
		if (n > 0) {
			take_frames(c, now);
		} else if (n == 0 || (code != EAGAIN && code != EINTR)) {
			(void)vl_fail(&c->why, VL_ERR_UNREACHABLE,
				      "the agent closed the connection");
			lose(c, now);
		} else if (code == EAGAIN) {
			return;
		}
	}
}

/* -- working -- */

static bool answer_is_late(const struct vl_client *c, int64_t now)
{
	return c->fd >= 0 && c->options.answer_ms > 0 && c->oldest != c->newest &&
	       now - c->asked_at > c->options.answer_ms;
}

bool vl_client_work(struct vl_client *c, int64_t now)
{
	c->gave_up = false;
	if (c->first != NULL && !vl_client_ready(c, now))
		begin_losing(c, now);
	receive(c, now);
	send_out(c, now);
	if (answer_is_late(c, now)) {
		(void)vl_fail(&c->why, VL_ERR_TIMEOUT, "the agent does not answer");
		lose(c, now);
	}
	if (c->losing && c->fd < 0 && now - c->lost_at >= c->options.patience_ms)
		give_up(c);
	return !c->gave_up;
}

/* Until the next thing that happens by itself: an attempt, the end of the patience, or of the
 * time for an answer. */
static int64_t next_time(const struct vl_client *c)
{
	if (c->fd >= 0)
		return c->options.answer_ms > 0 && c->oldest != c->newest
			       ? c->asked_at + c->options.answer_ms + 1
			       : INT64_MAX;
	if (c->first == NULL)
		return INT64_MAX;
	int64_t end = c->losing ? c->lost_at + c->options.patience_ms : INT64_MAX;
	return c->next_at < end ? c->next_at : end;
}

void vl_client_poll(const struct vl_client *c, int64_t now, int *fd, short *events, int *timeout_ms)
{
	int64_t next = next_time(c), left = next > now ? next - now : 0;

	*fd = c->fd;
	*events = POLLIN;
	if (c->out_at < c->out.size || window_open(c))
		*events |= POLLOUT;
	*timeout_ms = next == INT64_MAX ? -1 : left < INT_MAX ? (int)left : INT_MAX;
}

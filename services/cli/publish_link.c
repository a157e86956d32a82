#include "cli/publish.h"

#include "bus/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <valise/v1/agent.pb-c.h>

#define FRAME_MAX ((size_t)1 << 20)
#define REQUEST_BYTES ((size_t)128 << 10) /* a request takes no more events beyond this */
#define REQUESTS 64
#define WINDOW_BYTES ((size_t)2 << 20)    /* sent and not answered */
#define WAITING_BYTES ((size_t)512 << 10) /* not sent: more than this, and input waits */
#define RECEIVE_BYTES ((size_t)64 << 10)

struct request {
	size_t events, bytes;
};

/* Events stand in one list: first ... (sent) ... unsent ... last. The requests under way cover
 * the sent ones in order. */
struct cli_link {
	struct cli_link_options options;
	int fd;
	struct cli_pending *first, *unsent, *last;
	size_t unsent_bytes;
	struct request requests[REQUESTS]; /* a ring; the one with tag t is at t % REQUESTS */
	uint64_t oldest, newest;           /* tags: oldest ... newest - 1 are under way */
	size_t window;                     /* their bytes */
	uint64_t answers;
	struct vl_buf out, in;
	size_t out_at;
	struct vl_arena *arena;
};

/* -- the connection -- */

static enum vl_err connect_error(const char *path, int code, struct vl_why *why)
{
	enum vl_err err = code == ENOENT   ? VL_ERR_NOT_FOUND
			  : code == EACCES ? VL_ERR_PERMISSION
					   : VL_ERR_UNREACHABLE;

	return vl_fail(
		why, err,
		"no agent answers at '%.100s' (%s); is valise-agent running, and --socket right?",
		path, strerror(code));
}

enum vl_err cli_link_again(struct cli_link *link, struct vl_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = link->options.socket;

	if (strlen(path) >= sizeof(address.sun_path))
		return vl_fail(why, VL_ERR_USAGE, "the socket's path is longer than %zu bytes",
			       sizeof(address.sun_path) - 1);
	(void)stpcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int code = errno;
		(void)close(fd);
		return connect_error(path, code, why);
	}
	link->fd = fd;
	return VL_OK;
}

/* Everything unanswered is unsent again. */
static enum vl_err lose(struct cli_link *link, struct vl_why *why, const char *reason)
{
	if (link->fd >= 0)
		(void)close(link->fd);
	link->fd = -1;
	vl_buf_reset(&link->out);
	vl_buf_reset(&link->in);
	link->out_at = 0;
	link->unsent = link->first;
	link->unsent_bytes += link->window;
	link->window = 0;
	link->oldest = link->newest;
	return vl_fail(why, VL_ERR_UNREACHABLE, "%s", reason);
}

struct cli_link *cli_link_open(const struct cli_link_options *options, enum vl_err *err,
			       struct vl_why *why)
{
	struct cli_link *link = calloc(1, sizeof(*link));

	*err = VL_ERR_NOMEM;
	if (link == NULL)
		return NULL;
	link->options = *options;
	link->fd = -1;
	link->oldest = link->newest = 1; /* the agent's 0 is about the connection */
	link->arena = vl_arena_open(0);
	if (link->arena != NULL)
		*err = cli_link_again(link, why);
	if (*err == VL_OK)
		return link;
	cli_link_close(link);
	return NULL;
}

void cli_link_close(struct cli_link *link)
{
	if (link == NULL)
		return;
	if (link->fd >= 0)
		(void)close(link->fd);
	while (link->first != NULL) {
		struct cli_pending *gone = link->first;
		link->first = gone->next;
		free(gone);
	}
	vl_buf_free(&link->out);
	vl_buf_free(&link->in);
	vl_arena_close(link->arena);
	free(link);
}

/* -- sending -- */

void cli_link_add(struct cli_link *link, struct cli_pending *pending)
{
	pending->next = NULL;
	pending->sent = false;
	if (link->last != NULL && link->first != NULL)
		link->last->next = pending;
	else
		link->first = pending;
	link->last = pending;
	if (link->unsent == NULL)
		link->unsent = pending;
	link->unsent_bytes += pending->size;
}

bool cli_link_has_room(const struct cli_link *link)
{
	return link->unsent_bytes < WAITING_BYTES;
}

static bool window_open(const struct cli_link *link)
{
	uint64_t under_way = link->newest - link->oldest;

	return link->unsent != NULL &&
	       (under_way == 0 ||
		(under_way < REQUESTS && link->window + link->unsent->size <= WINDOW_BYTES));
}

static void put_request(struct cli_link *link)
{
	struct request *request = &link->requests[link->newest % REQUESTS];
	size_t at = link->out.size;

	*request = (struct request){0};
	(void)vl_buf_add(&link->out, 4);
	vl_wire_put_varint(&link->out, 1, link->newest);
	do {
		struct cli_pending *p = link->unsent;
		vl_wire_put_bytes(&link->out, 2, p->bytes, p->size);
		p->sent = true;
		request->events++;
		request->bytes += p->size;
		link->unsent = p->next;
	} while (link->unsent != NULL && request->bytes + link->unsent->size <= REQUEST_BYTES);
	if (!vl_buf_failed(&link->out))
		vl_put_be32(link->out.data + at, (uint32_t)(link->out.size - at - 4));
	link->unsent_bytes -= request->bytes;
	link->window += request->bytes;
	link->newest++;
}

static enum vl_err send_out(struct cli_link *link, struct vl_why *why)
{
	while (link->out_at < link->out.size || window_open(link)) {
		if (link->out_at == link->out.size) {
			vl_buf_reset(&link->out);
			link->out_at = 0;
			put_request(link);
			if (vl_buf_failed(&link->out))
				return VL_ERR_NOMEM;
		}
		ssize_t n = send(link->fd, link->out.data + link->out_at,
				 link->out.size - link->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return VL_OK;
		if (n < 0)
			return lose(link, why, "the agent closed the connection");
		link->out_at += (size_t)n;
	}
	return VL_OK;
}

/* -- receiving -- */

static void answer(struct cli_link *link, const struct cli_answer *answer)
{
	struct cli_pending *p = link->first;

	link->options.answered(link->options.context, p, answer);
	link->first = p->next;
	if (link->first == NULL)
		link->last = NULL;
	link->window -= p->size;
	link->answers++;
	free(p);
}

/* One event's result. UNREACHABLE where the agent does not know what became of it. */
static enum vl_err take_result(struct cli_link *link, const Valise__V1__PublishResult *result,
			       struct vl_why *why)
{
	const Valise__V1__Accepted *accepted = result->accepted;
	const Valise__V1__Refused *refused = result->refused;

	switch (result->outcome_case) {
	case VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED:
		answer(link, &(struct cli_answer){.accepted = true,
						  .duplicate = accepted->duplicate,
						  .lane = accepted->lane,
						  .epoch = accepted->epoch,
						  .event = accepted->event});
		return VL_OK;
	case VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED:
		if (refused->cause == VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_UNKNOWN_OUTCOME)
			return lose(link, why, "the agent could not write");
		answer(link, &(struct cli_answer){.reason = refused->reason});
		return VL_OK;
	case VALISE__V1__PUBLISH_RESULT__OUTCOME__NOT_SET:
	case _VALISE__V1__PUBLISH_RESULT__OUTCOME__CASE_IS_INT_SIZE:
		break;
	}
	return vl_fail(why, VL_ERR_INVALID,
		       "the agent's answer is neither yes nor no; are its version and ours alike?");
}

static enum vl_err take_response(struct cli_link *link, struct vl_bytes frame, struct vl_why *why)
{
	static const char other[] =
		"the agent's answer fits no request; are its version and ours alike?";
	enum vl_err err =
		vl_wire_check(&valise__v1__publish_response__descriptor, frame, true, NULL);

	vl_arena_reset(link->arena);
	if (err != VL_OK)
		return vl_fail(why, VL_ERR_INVALID, "%s", other);
	const Valise__V1__PublishResponse *response =
		(const Valise__V1__PublishResponse *)vl_wire_unpack(
			&valise__v1__publish_response__descriptor, frame, link->arena);
	if (response == NULL)
		return VL_ERR_NOMEM;
	if (response->tag == 0 && response->n_results == 1 &&
	    response->results[0]->refused != NULL &&
	    response->results[0]->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_REFUSED)
		return vl_fail(why, VL_ERR_INVALID, "%s", response->results[0]->refused->reason);
	if (link->oldest == link->newest || response->tag != link->oldest ||
	    response->n_results != link->requests[link->oldest % REQUESTS].events)
		return vl_fail(why, VL_ERR_INVALID, "%s", other);
	link->oldest++;
	for (size_t i = 0; err == VL_OK && i < response->n_results; i++)
		err = take_result(link, response->results[i], why);
	return err;
}

/* Every whole frame there is. */
static enum vl_err take_frames(struct cli_link *link, struct vl_why *why)
{
	enum vl_err err = VL_OK;
	size_t at = 0;

	while (err == VL_OK && link->in.size - at >= 4) {
		size_t size = vl_get_be32(link->in.data + at);
		if (size > FRAME_MAX)
			return vl_fail(why, VL_ERR_INVALID,
				       "the agent's answer is too long; is it valise-agent?");
		if (link->in.size - at - 4 < size)
			break;
		err = take_response(link, (struct vl_bytes){link->in.data + at + 4, size}, why);
		at += 4 + size;
	}
	if (err == VL_OK && at > 0) {
		memmove(link->in.data, link->in.data + at, link->in.size - at);
		link->in.size -= at;
	}
	return err;
}

static enum vl_err receive(struct cli_link *link, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	while (err == VL_OK) {
		uint8_t *to = vl_buf_add(&link->in, RECEIVE_BYTES);
		if (to == NULL)
			return VL_ERR_NOMEM;
		ssize_t n = recv(link->fd, to, RECEIVE_BYTES, MSG_DONTWAIT);
		int code = errno;
		link->in.size -= RECEIVE_BYTES - (size_t)(n > 0 ? n : 0);
		if (n == 0 || (n < 0 && code != EAGAIN && code != EINTR))
			return lose(link, why, "the agent closed the connection");
		if (n < 0)
			return VL_OK;
		err = take_frames(link, why);
	}
	return err;
}

enum vl_err cli_link_work(struct cli_link *link, struct vl_why *why)
{
	if (link->fd < 0)
		return VL_ERR_UNREACHABLE;
	enum vl_err err = receive(link, why);

	return err == VL_OK ? send_out(link, why) : err;
}

void cli_link_poll(const struct cli_link *link, int *fd, short *events)
{
	*fd = link->fd;
	*events = POLLIN;
	if (link->out_at < link->out.size || window_open(link))
		*events |= POLLOUT;
}

const struct cli_pending *cli_link_unanswered(const struct cli_link *link)
{
	return link->first;
}

uint64_t cli_link_answers(const struct cli_link *link)
{
	return link->answers;
}

#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int fd;
	uid_t uid;
	struct client_budget *budget;
	uint8_t *in; /* NULL while empty */
	size_t room, begin, end;
	struct vl_buf out;
	uint64_t base;   /* what was written before out[0] */
	uint64_t may_go; /* as a mark: what is behind it is held */
	size_t sent;     /* out[0..sent) is gone */
	unsigned holds;
	bool ended, broken, dead, finishing, news;
	int64_t moved_ms;
	unsigned interest;
};

struct client *client_open(int fd, uid_t uid, struct client_budget *budget)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->fd = fd;
	client->uid = uid;
	client->budget = budget;
	client->moved_ms = vl_monotonic_ms();
	return client;
}

static void drop_in(struct client *client)
{
	if (client->room > CLIENT_BUFFER)
		client->budget->big--;
	free(client->in);
	client->in = NULL;
	client->room = client->begin = client->end = 0;
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	drop_in(client);
	vl_buf_free(&client->out);
	(void)close(client->fd);
	free(client);
}

int client_fd(const struct client *client)
{
	return client->fd;
}

uid_t client_uid(const struct client *client)
{
	return client->uid;
}

/* The length of the frame that begins in the buffer, with its head; 0 where that cannot be seen
 * yet. */
static size_t frame_size(const struct client *client)
{
	if (client->end - client->begin < VL_FRAME_HEAD)
		return 0;
	return VL_FRAME_HEAD + vl_get_be32(client->in + client->begin);
}

bool client_waits(const struct client *client)
{
	return frame_size(client) > CLIENT_BUFFER && client->room <= CLIENT_BUFFER &&
	       client->budget->big >= CLIENT_BIG;
}

/* A buffer that has room for the frame under way, with its start at the front. False when out of
 * memory. */
static bool make_room(struct client *client)
{
	size_t need = frame_size(client), have = client->end - client->begin;
	size_t room = need > CLIENT_BUFFER ? need : CLIENT_BUFFER;

	if (client->begin > 0 && have > 0)
		memmove(client->in, client->in + client->begin, have);
	client->begin = 0;
	client->end = have;
	if (client->room >= room)
		return true;
	uint8_t *in = realloc(client->in, room);
	if (in == NULL)
		return false;
	client->budget->big += room > CLIENT_BUFFER && client->room <= CLIENT_BUFFER;
	client->in = in;
	client->room = room;
	return true;
}

void client_set_news(struct client *client)
{
	client->news = true;
}

bool client_has_news(const struct client *client)
{
	return client->news;
}

enum client_read client_read(struct client *client, int64_t now_ms)
{
	client->news = false;
	if (client->ended || client->dead || client->broken || client->finishing ||
	    client_waits(client))
		return CLIENT_NOTHING;
	if (!make_room(client)) {
		client->dead = true;
		return CLIENT_NOTHING;
	}
	ssize_t got = recv(client->fd, client->in + client->end, client->room - client->end, 0);
	if (got > 0) {
		client->news = true;
		client->end += (size_t)got;
		client->moved_ms = now_ms;
		return CLIENT_SOME;
	}
	if (got == 0)
		client->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		client->ended = client->dead = true;
	return CLIENT_NOTHING;
}

bool client_ready(const struct client *client)
{
	size_t size = frame_size(client);

	return size > 0 && !client->broken && !client->finishing && !client->dead &&
	       client->end - client->begin >= size;
}

bool client_peek(const struct client *client, struct vl_bytes *frame)
{
	size_t size = frame_size(client);

	if (!client_ready(client) || size > VL_FRAME_HEAD + VL_FRAME_MAX)
		return false;
	*frame =
		(struct vl_bytes){client->in + client->begin + VL_FRAME_HEAD, size - VL_FRAME_HEAD};
	return true;
}

bool client_next(struct client *client, struct vl_bytes *frame)
{
	size_t size = frame_size(client);

	if (size > VL_FRAME_HEAD + VL_FRAME_MAX)
		client->broken = true;
	if (!client_ready(client))
		return false;
	*frame =
		(struct vl_bytes){client->in + client->begin + VL_FRAME_HEAD, size - VL_FRAME_HEAD};
	client->begin += size;
	return true;
}

bool client_broken(const struct client *client)
{
	return client->broken;
}

void client_tidy(struct client *client)
{
	if (client->begin == client->end && client->in != NULL)
		drop_in(client);
}

bool client_ended(const struct client *client)
{
	return client->ended;
}

bool client_dead(const struct client *client)
{
	return client->dead;
}

void client_kill(struct client *client)
{
	client->dead = true;
}

void client_finish(struct client *client)
{
	client->finishing = true;
}

bool client_finishing(const struct client *client)
{
	return client->finishing;
}

bool client_finished(const struct client *client)
{
	bool no_more = client->finishing || client->ended;
	return client->dead || (no_more && client->holds == 0 && client->sent == client->out.size);
}

struct vl_buf *client_out(struct client *client)
{
	return &client->out;
}

void client_hold(struct client *client)
{
	client->holds++;
}

bool client_held(const struct client *client)
{
	return client->holds > 0;
}

uint64_t client_mark(const struct client *client)
{
	return client->base + client->out.size;
}

void client_release(struct client *client, uint64_t mark)
{
	client->holds--;
	client->may_go = mark;
}

void client_rewind(struct client *client)
{
	client->out.size = (size_t)(client->may_go - client->base);
}

size_t client_unsent(const struct client *client)
{
	return (size_t)(client->may_go - client->base) - client->sent;
}

bool client_piled(const struct client *client)
{
	return client->out.size - client->sent > CLIENT_PILE;
}

bool client_partial(const struct client *client)
{
	return client->end > client->begin;
}

/* Make room: all at once where all is gone, else now and then. */
static void forget_sent(struct client *client)
{
	size_t rest = client->out.size - client->sent;

	if (rest > 0 && client->sent < CLIENT_BUFFER)
		return;
	if (rest > 0 && client->sent > 0)
		memmove(client->out.data, client->out.data + client->sent, rest);
	client->base += client->sent;
	client->sent = 0;
	client->out.size = rest;
	if (rest == 0 && client->out.room > CLIENT_BUFFER)
		vl_buf_free(&client->out);
}

void client_flush(struct client *client, int64_t now_ms)
{
	if (vl_buf_failed(&client->out))
		client->dead = true;
	while (!client->dead && client_unsent(client) > 0) {
		ssize_t sent = send(client->fd, client->out.data + client->sent,
				    client_unsent(client), MSG_NOSIGNAL);
		if (sent > 0) {
			client->sent += (size_t)sent;
			client->moved_ms = now_ms;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			client->dead = true;
		}
	}
	forget_sent(client);
}

void client_drain(struct client *client, int64_t until_ms)
{
	int64_t left = until_ms - vl_monotonic_ms();

	for (; client_unsent(client) > 0 && !client->dead && left > 0;
	     left = until_ms - vl_monotonic_ms()) {
		struct pollfd fd = {.fd = client->fd, .events = POLLOUT};
		(void)poll(&fd, 1, (int)left);
		client_flush(client, vl_monotonic_ms());
	}
}

bool client_stuck(const struct client *client, int64_t now_ms)
{
	return client_partial(client) && client->out.size == client->sent &&
	       now_ms - client->moved_ms > CLIENT_PATIENCE_MS;
}

bool client_idle(const struct client *client, int64_t now_ms)
{
	bool stands = !client_partial(client) || now_ms - client->moved_ms >= CLIENT_STALL_MS;

	return stands && !client_ready(client) && client->holds == 0 &&
	       client->out.size == client->sent;
}

int64_t client_moved(const struct client *client)
{
	return client->moved_ms;
}

unsigned client_interest(const struct client *client)
{
	return client->interest;
}

void client_set_interest(struct client *client, unsigned events)
{
	client->interest = events;
}

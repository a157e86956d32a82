/*
 * The keeper's side of its clients: a request is read, its events accepted, its answer held
 * until the commit (keeper_in.h).
 */
#include "agent/keeper_in.h"

#include "agent/listen.h"
#include "base/log.h"

#include <sys/epoll.h>
#include <unistd.h>

#define GATHER_BYTES ((size_t)1 << 20)
#define GATHER_MOST ((size_t)2 << 20) /* while the disk is busy with what was gathered before */
#define GATHER_URGENT ((size_t)512 << 10)
#define BESIDE_URGENT ((size_t)128 << 10)
#define GATHER_REQUESTS 4096
#define PIECE_BYTES ((size_t)64 << 10) /* of one client, in a turn */
#define GREET_A_TURN 32
#define STRANGERS_MS 60000

/* -- events -- */

void keeper_begin(struct vl_keeper *keeper)
{
	if (keeper->in_txn || keeper->err != VL_OK)
		return;
	keeper->err = vl_outbox_begin(keeper->options.outbox, &keeper->why);
	keeper->in_txn = keeper->err == VL_OK;
}

bool keeper_failed(const struct vl_keeper *keeper)
{
	return keeper->err != VL_OK || (keeper->in_txn && vl_outbox_failed(keeper->options.outbox));
}

bool keeper_gathered(const struct vl_keeper *keeper)
{
	const struct round *round = keeper->filling;
	const struct vl_outbox *outbox = keeper->options.outbox;
	bool busy = round->bytes >= GATHER_BYTES && vl_outbox_flying(outbox) &&
		    !vl_outbox_landed(outbox);
	size_t most = busy ? GATHER_MOST : GATHER_BYTES;

	/* What is urgent takes little along, so that it is soon on the disk. */
	if (round->urgent > 0 && round->bytes - round->urgent >= BESIDE_URGENT)
		return true;
	return round->bytes >= most || round->answers.count >= GATHER_REQUESTS ||
	       keeper_failed(keeper);
}

static void take_event(struct vl_keeper *keeper, struct vl_bytes event, struct vl_buf *out)
{
	struct vl_accepted accepted;
	struct vl_why why = {0};
	enum vl_err err;

	keeper_begin(keeper);
	/* Once the commit has failed every answer of it is written anew. */
	if (keeper_failed(keeper))
		return;
	err = vl_outbox_accept(keeper->options.outbox, event, &accepted, &why);
	if (err == VL_OK) {
		vl_answer_accepted(out, &accepted);
		keeper->filling->bytes += event.size;
	} else if (err == VL_ERR_FULL) {
		vl_answer_refused(out, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL,
				  vl_why_text(&why, err));
	} else {
		vl_answer_refused(out, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID,
				  vl_why_text(&why, err));
	}
}

static void take_request(struct vl_keeper *keeper, struct client *client, struct vl_bytes frame)
{
	struct answers *answers = &keeper->filling->answers;
	struct vl_buf *out = client_out(client);
	struct vl_request request;
	struct vl_why why = {0};
	struct vl_bytes event;
	enum vl_err err = vl_request_read(frame, &request, &why);

	answers_hold(answers, client, request.tag, err == VL_OK ? request.n_events : 1);
	if (err == VL_OK) {
		size_t start = vl_answer_begin(out);
		while (vl_request_next(&request, &event))
			take_event(keeper, event, out);
		vl_answer_end(out, start, request.tag);
	} else {
		answer_refused(out, request.tag, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID,
			       vl_why_text(&why, err), 1);
	}
	answers_held(answers);
}

static void end_broken(struct vl_keeper *keeper, struct client *client)
{
	struct answers *answers = &keeper->filling->answers;

	answers_hold(answers, client, 0, 1);
	answer_refused(client_out(client), 0, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID,
		       "frame: its length says more than 1048576 bytes; the connection ends "
		       "here, earlier answers stay valid; send smaller requests",
		       1);
	answers_held(answers);
	client_finish(client);
}

/* -- turns -- */

/* Whether the client's next request is there and begins with something urgent. */
static bool has_urgent(const struct client *client)
{
	const struct vl_lane *lane;
	struct vl_request request;
	struct vl_event event;
	struct vl_bytes frame, bytes;

	if (!client_peek(client, &frame))
		return false;
	request.rest = vl_wire_open(frame);
	return vl_request_next(&request, &bytes) &&
	       vl_event_check(bytes, &event, &lane, NULL) == VL_OK &&
	       lane->precedence <= VL_IMMEDIATE;
}

/* What is urgent has room of its own, and leaves some to the others. */
static bool has_room(const struct vl_keeper *keeper, bool urgent)
{
	const struct round *round = keeper->filling;

	if (!urgent)
		return !keeper_gathered(keeper);
	return round->urgent < GATHER_URGENT && round->answers.count < GATHER_REQUESTS / 2 &&
	       !keeper_failed(keeper);
}

/* Take requests of one client, at most a piece; true where there was one. */
static bool take_piece(struct vl_keeper *keeper, struct client *client, bool urgent)
{
	size_t bytes = 0, before;
	struct vl_bytes frame;
	bool took = false;

	while (bytes < PIECE_BYTES && !client_piled(client) && has_room(keeper, urgent) &&
	       (!urgent || has_urgent(client)) && client_next(client, &frame)) {
		before = keeper->filling->bytes;
		take_request(keeper, client, frame);
		keeper->filling->urgent += urgent ? keeper->filling->bytes - before : 0;
		bytes += frame.size + 1;
		took = true;
	}
	if (client_broken(client) && !client_finishing(client))
		end_broken(keeper, client);
	client_tidy(client);
	return took;
}

/* One read for each that has no whole request, in the order of turns. */
static bool read_all(struct vl_keeper *keeper)
{
	int64_t now = vl_monotonic_ms();
	bool some = false;

	for (size_t i = 0; i < keeper->n_clients; i++) {
		struct client *client = keeper->clients[(keeper->turn + i) % keeper->n_clients];
		if (client_has_news(client) && !client_ready(client) && !client_piled(client))
			some |= client_read(client, now) == CLIENT_SOME;
	}
	return some;
}

bool keeper_turns(struct vl_keeper *keeper)
{
	size_t n = keeper->n_clients, i;
	bool moved = read_all(keeper);

	for (i = 0; i < n; i++)
		if (has_urgent(keeper->clients[i]))
			moved |= take_piece(keeper, keeper->clients[i], true);
	for (i = 0; i < n && !keeper_gathered(keeper); i++)
		moved |= take_piece(keeper, keeper->clients[(keeper->turn + i) % n], false);
	/* Who had no turn is the first next time. */
	keeper->turn = n > 0 ? (keeper->turn + i) % n : 0;
	return moved;
}

void keeper_client_ready(struct client *client, unsigned events)
{
	/* Gone, and what it had sent cannot or need not be read any more. */
	if (events & (EPOLLHUP | EPOLLERR) && !(client_interest(client) & EPOLLIN))
		client_kill(client);
	else
		client_set_news(client);
}

/* -- coming and going -- */

static bool let_in(const struct vl_keeper *keeper, uid_t uid)
{
	for (size_t i = 0; i < keeper->options.n_users; i++)
		if (keeper->options.users[i] == uid)
			return true;
	return false;
}

/* Somebody who tries again and again must not fill the log. */
static void turn_away(struct vl_keeper *keeper, int fd, uid_t uid)
{
	int64_t now = vl_monotonic_ms();
	struct vl_why why = {0};

	(void)vl_fail(&why, VL_ERR_PERMISSION,
		      "user %u is not let in; name it under [socket] users", (unsigned)uid);
	answer_turned_away(fd, why.text);
	keeper->strangers++;
	if (keeper->strangers_at != 0 && now - keeper->strangers_at < STRANGERS_MS)
		return;
	if (keeper->strangers > 1)
		vl_log_warning("%s; %llu connections were turned away since this was said last",
			       why.text, (unsigned long long)keeper->strangers);
	else
		vl_log_warning("%s", why.text);
	keeper->strangers_at = now;
	keeper->strangers = 0;
}

static unsigned count_of(const struct vl_keeper *keeper, uid_t uid)
{
	unsigned n = 0;

	for (size_t i = 0; i < keeper->n_clients; i++)
		n += client_uid(keeper->clients[i]) == uid;
	return n;
}

/* The client that gives way to a new one: of those without work under way, of the user who has
 * most, the one that has not moved for longest. NULL if all are at work. */
static struct client *find_idle(const struct vl_keeper *keeper, int64_t now)
{
	struct client *idle = NULL;
	unsigned most = 0;

	for (size_t i = 0; i < keeper->n_clients; i++) {
		struct client *client = keeper->clients[i];
		unsigned n = client_idle(client, now) ? count_of(keeper, client_uid(client)) : 0;
		if (n > most || (n > 0 && n == most && client_moved(client) < client_moved(idle))) {
			idle = client;
			most = n;
		}
	}
	return idle;
}

static void drop(struct vl_keeper *keeper, struct client *client)
{
	size_t kept = 0;

	for (size_t i = 0; i < keeper->n_clients; i++)
		if (keeper->clients[i] != client)
			keeper->clients[kept++] = keeper->clients[i];
	keeper->n_clients = kept;
	/* A link that is just being forked holds the socket too: closing ours would not end the
	 * watch. */
	(void)keeper_watch(keeper, EPOLL_CTL_DEL, client_fd(client), 0, NULL);
	client_close(client);
}

static void greet(struct vl_keeper *keeper, int fd, uid_t uid)
{
	struct client *client;

	if (!let_in(keeper, uid)) {
		turn_away(keeper, fd, uid);
		return;
	}
	if (keeper->n_clients == VL_KEEPER_CLIENTS) {
		struct client *idle = find_idle(keeper, vl_monotonic_ms());
		if (idle == NULL) {
			answer_turned_away(fd, "the agent serves 128 busy connections already; "
					       "close one, or try later");
			return;
		}
		drop(keeper, idle);
	}
	client = client_open(fd, uid, &keeper->budget);
	if (client == NULL || keeper_watch(keeper, EPOLL_CTL_ADD, fd, EPOLLIN, client) != 0) {
		if (client != NULL)
			client_close(client);
		else
			(void)close(fd);
		return;
	}
	client_set_interest(client, EPOLLIN);
	keeper->clients[keeper->n_clients++] = client;
}

void keeper_greet(struct vl_keeper *keeper)
{
	uid_t uid;
	int fd;
	enum vl_err err = VL_OK;

	for (int i = 0; i < GREET_A_TURN &&
			(err = vl_listen_accept(keeper->options.listener, &fd, &uid)) == VL_OK;
	     i++)
		greet(keeper, fd, uid);
	if (err == VL_ERR_BUSY && !keeper->deaf) {
		vl_log_warning("no file descriptor is left for another connection; waiting");
		keeper->deaf = keeper_watch(keeper, EPOLL_CTL_MOD, keeper->options.listener, 0,
					    listener_mark(keeper)) == 0;
		keeper->tick = vl_monotonic_ms();
	}
}

/* What to wait for with this client. A peer that is gone is always reported. */
static void set_interest(struct vl_keeper *keeper, struct client *client)
{
	bool deaf = client_ended(client) || client_finished(client) || client_broken(client) ||
		    client_piled(client) || client_waits(client);
	unsigned events = (deaf ? 0u : EPOLLIN) | (client_unsent(client) > 0 ? EPOLLOUT : 0u);

	if (events != client_interest(client) &&
	    keeper_watch(keeper, EPOLL_CTL_MOD, client_fd(client), events, client) == 0)
		client_set_interest(client, events);
}

void keeper_sweep(struct vl_keeper *keeper)
{
	int64_t now = vl_monotonic_ms();
	size_t kept = 0;

	keeper->again = false;
	for (size_t i = 0; i < keeper->n_clients; i++) {
		struct client *client = keeper->clients[i];
		client_flush(client, now);
		bool more = client_ready(client) && !client_piled(client);
		if (client_stuck(client, now))
			client_kill(client);
		if ((client_dead(client) || (client_finished(client) && !more)) &&
		    !client_held(client)) {
			/* A link that is just being forked holds the socket too: closing ours
			 * would not end the watch. */
			(void)keeper_watch(keeper, EPOLL_CTL_DEL, client_fd(client), 0, NULL);
			client_close(client);
			continue;
		}
		keeper->again |= more;
		set_interest(keeper, client);
		keeper->clients[kept++] = client;
	}
	keeper->n_clients = kept;
}

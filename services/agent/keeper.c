#include "agent/keeper.h"

#include "agent/acks.h"
#include "agent/answers.h"
#include "agent/client.h"
#include "agent/inbox.h"
#include "agent/listen.h"
#include "agent/pipe.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define GATHER_BYTES ((size_t)1 << 20)
#define GATHER_MOST ((size_t)2 << 20) /* while the disk is busy with what was gathered before */
#define GATHER_MS 20
#define GATHER_REQUESTS 4096
#define FLY_BYTES ((size_t)64 << 10)
#define ACK_DELAY_MS 10
#define FREE_DELAY_MS 100 /* between commits that free, while there is much to store: they cannot fly */
#define TICK_MS 1000
#define MARK_MS 5000
#define READS_A_TURN 4
#define PACKETS_A_TURN 64

/* What one commit takes along. */
struct round {
	struct answers answers;
	size_t bytes; /* of its events */
};

struct vl_keeper {
	struct vl_keeper_options options;
	int epoll, link;
	struct client *clients[VL_KEEPER_CLIENTS];
	size_t n_clients;
	struct client_budget budget;
	bool deaf; /* no descriptor left: the listener rests until the next tick */

	struct round rounds[2];
	struct round *filling, *flying; /* flying: with the outbox's own thread, or empty */
	bool in_txn;                    /* the outbox has begun what is filled */
	bool again;                     /* a client's next request is here already */
	enum vl_err err;                /* that nothing can be written, before a transaction even began */
	struct vl_why why;

	struct vl_acks *acks;
	struct vl_inbox *inbox;
	struct vl_buf record; /* as far as it has come from the link */
	int64_t tick, freed;
	int64_t marked;
	enum vl_err unmarked; /* why the mark could not be written, so that it is told once */
};

/* -- open and close -- */

/* epoll gives back a pointer: a client's, or one of these. */
static void *listener_mark(struct vl_keeper *keeper)
{
	return &keeper->options.listener;
}

static void *link_mark(struct vl_keeper *keeper)
{
	return &keeper->link;
}

static void *landed_mark(struct vl_keeper *keeper)
{
	return &keeper->flying;
}

static int watch(struct vl_keeper *keeper, int op, int fd, unsigned events, void *mark)
{
	struct epoll_event event = {.events = events, .data.ptr = mark};
	return epoll_ctl(keeper->epoll, op, fd, &event);
}

enum vl_err vl_keeper_open(const struct vl_keeper_options *options, struct vl_keeper **opened, struct vl_why *why)
{
	struct vl_keeper *keeper = calloc(1, sizeof(*keeper));

	*opened = NULL;
	if (keeper == NULL)
		return VL_ERR_NOMEM;
	keeper->options = *options;
	keeper->link = -1;
	keeper->filling = &keeper->rounds[0];
	keeper->flying = &keeper->rounds[1];
	keeper->epoll = epoll_create1(EPOLL_CLOEXEC);
	keeper->acks = vl_acks_open();
	keeper->inbox = vl_inbox_open(options->ring, vl_outbox_mission(options->outbox));
	if (keeper->epoll < 0 || keeper->acks == NULL || keeper->inbox == NULL ||
	    watch(keeper, EPOLL_CTL_ADD, options->listener, EPOLLIN, listener_mark(keeper)) != 0 ||
	    watch(keeper, EPOLL_CTL_ADD, vl_outbox_fd(options->outbox), EPOLLIN, landed_mark(keeper)) != 0) {
		enum vl_err err = vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
		vl_keeper_close(keeper);
		return err;
	}
	*opened = keeper;
	return VL_OK;
}

void vl_keeper_close(struct vl_keeper *keeper)
{
	if (keeper == NULL)
		return;
	vl_outbox_abort(keeper->options.outbox);
	for (size_t i = 0; i < keeper->n_clients; i++)
		client_close(keeper->clients[i]);
	if (keeper->epoll >= 0)
		(void)close(keeper->epoll);
	vl_acks_close(keeper->acks);
	vl_inbox_close(keeper->inbox);
	vl_buf_free(&keeper->record);
	free(keeper);
}

void vl_keeper_set_link(struct vl_keeper *keeper, int fd)
{
	if (keeper->link >= 0)
		(void)watch(keeper, EPOLL_CTL_DEL, keeper->link, 0, NULL);
	keeper->link = fd;
	vl_buf_free(&keeper->record);
	if (fd >= 0)
		(void)watch(keeper, EPOLL_CTL_ADD, fd, EPOLLIN, link_mark(keeper));
}

int vl_keeper_fd(const struct vl_keeper *keeper)
{
	return keeper->epoll;
}

/* -- events -- */

static void begin(struct vl_keeper *keeper)
{
	if (keeper->in_txn || keeper->err != VL_OK)
		return;
	keeper->err = vl_outbox_begin(keeper->options.outbox, &keeper->why);
	keeper->in_txn = keeper->err == VL_OK;
}

static bool failed(const struct vl_keeper *keeper)
{
	return keeper->err != VL_OK || (keeper->in_txn && vl_outbox_failed(keeper->options.outbox));
}

/* The commit has as much as one should. */
static bool gathered(const struct vl_keeper *keeper)
{
	const struct round *round = keeper->filling;
	const struct vl_outbox *outbox = keeper->options.outbox;
	bool busy = round->bytes >= GATHER_BYTES && vl_outbox_flying(outbox) && !vl_outbox_landed(outbox);
	size_t most = busy ? GATHER_MOST : GATHER_BYTES;

	return round->bytes >= most || round->answers.count >= GATHER_REQUESTS || failed(keeper);
}

static void take_event(struct vl_keeper *keeper, struct vl_bytes event, struct vl_buf *out)
{
	struct vl_accepted accepted;
	struct vl_why why = {0};
	enum vl_err err;

	begin(keeper);
	/* Once the commit has failed every answer of it is written anew. */
	if (failed(keeper))
		return;
	err = vl_outbox_accept(keeper->options.outbox, event, &accepted, &why);
	if (err == VL_OK) {
		vl_answer_accepted(out, &accepted);
		keeper->filling->bytes += event.size;
	} else if (err == VL_ERR_FULL) {
		vl_answer_refused(out, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL, vl_why_text(&why, err));
	} else {
		vl_answer_refused(out, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID, vl_why_text(&why, err));
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
		       "frame: its length says more than 1048576 bytes; the connection ends here, "
		       "what was answered before it stands; send smaller requests",
		       1);
	answers_held(answers);
	client_finish(client);
}

/* Take the requests of one client, as far as this commit and the client's own answers have room. */
static void serve(struct vl_keeper *keeper, struct client *client)
{
	int64_t now = vl_monotonic_ms();
	struct vl_bytes frame;

	for (int reads = 0; reads <= READS_A_TURN; reads++) {
		while (!gathered(keeper) && !client_piled(client) && client_next(client, &frame))
			take_request(keeper, client, frame);
		if (gathered(keeper) || client_piled(client) || client_broken(client))
			break;
		if (client_read(client, now) != CLIENT_SOME)
			break;
	}
	if (client_broken(client) && !client_finishing(client))
		end_broken(keeper, client);
	client_tidy(client);
}

/* -- clients coming and going -- */

static bool let_in(const struct vl_keeper *keeper, uid_t uid)
{
	for (size_t i = 0; i < keeper->options.n_users; i++)
		if (keeper->options.users[i] == uid)
			return true;
	return false;
}

static void greet(struct vl_keeper *keeper, int fd, uid_t uid)
{
	struct vl_why why = {0};
	struct client *client;

	if (!let_in(keeper, uid)) {
		(void)vl_fail(&why, VL_ERR_PERMISSION, "user %u is not let in; name it under [socket] users",
			      (unsigned)uid);
		vl_log_warning("%s", why.text);
		answer_turned_away(fd, why.text);
		return;
	}
	if (keeper->n_clients == VL_KEEPER_CLIENTS) {
		answer_turned_away(fd, "the agent serves 128 connections already; close one, or try later");
		return;
	}
	client = client_open(fd, uid, &keeper->budget);
	if (client == NULL || watch(keeper, EPOLL_CTL_ADD, fd, EPOLLIN, client) != 0) {
		if (client != NULL)
			client_close(client);
		else
			(void)close(fd);
		return;
	}
	client_set_interest(client, EPOLLIN);
	keeper->clients[keeper->n_clients++] = client;
}

static void greet_all(struct vl_keeper *keeper)
{
	uid_t uid;
	int fd;
	enum vl_err err;

	while ((err = vl_listen_accept(keeper->options.listener, &fd, &uid)) == VL_OK)
		greet(keeper, fd, uid);
	if (err == VL_ERR_BUSY && !keeper->deaf) {
		vl_log_warning("no file descriptor is left for another connection; waiting");
		keeper->deaf = watch(keeper, EPOLL_CTL_MOD, keeper->options.listener, 0, listener_mark(keeper)) == 0;
		keeper->tick = vl_monotonic_ms();
	}
}

/* What to wait for with this client. A peer that is gone is always reported. */
static void set_interest(struct vl_keeper *keeper, struct client *client)
{
	bool deaf = client_ended(client) || client_finished(client) || client_broken(client) || client_piled(client) ||
		    client_waits(client);
	unsigned events = (deaf ? 0u : EPOLLIN) | (client_unsent(client) > 0 ? EPOLLOUT : 0u);

	if (events != client_interest(client) && watch(keeper, EPOLL_CTL_MOD, client_fd(client), events, client) == 0)
		client_set_interest(client, events);
}

/* Send answers, forget who is gone. */
static void sweep(struct vl_keeper *keeper)
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
		if ((client_dead(client) || (client_finished(client) && !more)) && !client_held(client)) {
			/* A link that is just being forked holds the socket too: closing ours would not end the watch. */
			(void)watch(keeper, EPOLL_CTL_DEL, client_fd(client), 0, NULL);
			client_close(client);
			continue;
		}
		keeper->again |= more;
		set_interest(keeper, client);
		keeper->clients[kept++] = client;
	}
	keeper->n_clients = kept;
}

/* -- the link -- */

/* What headquarters asks for again is the link's to find. One that does not fit its pipe now is asked for again later. */
static void pass_wishes(struct vl_keeper *keeper)
{
	struct vl_pipe_message resend;

	while (vl_inbox_wish(keeper->inbox, &resend))
		(void)!vl_pipe_send(keeper->link, &resend);
}

static void hear_link(struct vl_keeper *keeper)
{
	struct vl_pipe_message message;
	enum vl_err err = VL_OK;

	for (int i = 0; keeper->link >= 0 && err == VL_OK && i < PACKETS_A_TURN; i++) {
		int64_t now = vl_monotonic_ms();
		err = vl_pipe_receive(keeper->link, &message, &keeper->record);
		if (err == VL_OK && (message.kind == VL_PIPE_ACKED || message.kind == VL_PIPE_SENT))
			vl_acks_take(keeper->acks, &message, now);
		if (err == VL_OK && message.kind == VL_PIPE_CLOCK && keeper->options.pulse != NULL)
			vl_pulse_clock(keeper->options.pulse, message.ahead_ms);
		if (err == VL_OK && message.kind == VL_PIPE_LINE)
			vl_outbox_set_line(keeper->options.outbox, message.rate);
		if (err != VL_OK || message.kind != VL_PIPE_RECORD)
			continue;
		vl_inbox_take(keeper->inbox, vl_buf_bytes(&keeper->record), now);
		vl_buf_reset(&keeper->record);
		pass_wishes(keeper);
	}
	if (err == VL_ERR_GONE)
		vl_keeper_set_link(keeper, -1);
}

static void wake_link(struct vl_keeper *keeper)
{
	struct vl_pipe_message message = {.kind = VL_PIPE_COMMITTED};

	/* BUSY: wake-ups enough are waiting there. GONE: whoever runs us sees the link's end. */
	if (keeper->link >= 0)
		(void)!vl_pipe_send(keeper->link, &message);
}

/* -- a round -- */

static void on_ready(struct vl_keeper *keeper, const struct epoll_event *event)
{
	if (event->data.ptr == listener_mark(keeper)) {
		greet_all(keeper);
	} else if (event->data.ptr == link_mark(keeper)) {
		hear_link(keeper);
	} else if (event->data.ptr != landed_mark(keeper)) {
		struct client *client = event->data.ptr;
		/* Gone, and what it had sent cannot or need not be read any more. */
		if (event->events & (EPOLLHUP | EPOLLERR) && !(client_interest(client) & EPOLLIN))
			client_kill(client);
		else
			serve(keeper, client);
	}
}

static void gather(struct vl_keeper *keeper)
{
	struct epoll_event ready[64];
	int64_t until = vl_monotonic_ms() + GATHER_MS;
	size_t before;

	for (size_t i = 0; keeper->again && i < keeper->n_clients && !gathered(keeper); i++)
		serve(keeper, keeper->clients[i]);
	do {
		before = keeper->filling->answers.count;
		int n = epoll_wait(keeper->epoll, ready, 64, 0);
		for (int i = 0; i < n && !gathered(keeper); i++)
			on_ready(keeper, &ready[i]);
	} while (keeper->filling->answers.count > before && !gathered(keeper) && vl_monotonic_ms() < until);
}

/* Nothing that was under way is on the disk, or nobody can know. FULL passes; after anything else the process must end. */
static enum vl_err fail(struct vl_keeper *keeper, enum vl_err err, struct vl_why *why)
{
	vl_outbox_abort(keeper->options.outbox);
	keeper->in_txn = false;
	answers_refuse(&keeper->flying->answers, &keeper->filling->answers, err, &keeper->why);
	keeper->filling->bytes = keeper->flying->bytes = 0;
	vl_acks_not_noted(keeper->acks, vl_monotonic_ms());
	vl_inbox_not_noted(keeper->inbox, vl_monotonic_ms());
	return err == VL_ERR_FULL ? VL_OK : vl_fail(why, err, "%s", vl_why_text(&keeper->why, err));
}

static void arrive(struct vl_keeper *keeper, struct round *round)
{
	(void)vl_failpoint("keeper.before-answer");
	answers_release(&round->answers);
	round->bytes = 0;
	wake_link(keeper);
}

/* Wait for the commit that flies. */
static enum vl_err land(struct vl_keeper *keeper, struct vl_why *why)
{
	if (!vl_outbox_flying(keeper->options.outbox))
		return VL_OK;
	enum vl_err err = vl_outbox_land(keeper->options.outbox, &keeper->why);
	if (err != VL_OK)
		return fail(keeper, err, why);
	arrive(keeper, keeper->flying);
	return VL_OK;
}

static bool frees(const struct vl_keeper *keeper)
{
	int64_t now = vl_monotonic_ms(), due = vl_inbox_due(keeper->inbox, keeper->options.outbox);

	return due >= 0 && now >= due && now - keeper->freed >= FREE_DELAY_MS;
}

/* Commit what was gathered: a little here and now, much on the outbox's thread while more is gathered. */
static enum vl_err depart(struct vl_keeper *keeper, bool wait, struct vl_why *why)
{
	struct round *round = keeper->filling;
	bool fly = !wait && round->bytes >= FLY_BYTES && !frees(keeper);
	enum vl_err err = keeper->err;

	if (err == VL_OK && keeper->in_txn) {
		vl_acks_note(keeper->acks, keeper->options.outbox);
		vl_acks_noted(keeper->acks);
		if (!fly)
			vl_inbox_note(keeper->inbox, keeper->options.outbox);
		err = fly ? vl_outbox_submit(keeper->options.outbox, &keeper->why)
			  : vl_outbox_commit(keeper->options.outbox, &keeper->why);
		keeper->in_txn = false;
		if (err == VL_OK && !fly) {
			vl_inbox_noted(keeper->inbox);
			keeper->freed = vl_monotonic_ms();
		}
	}
	if (err != VL_OK)
		return fail(keeper, err, why);
	if (!vl_outbox_flying(keeper->options.outbox)) {
		arrive(keeper, round);
	} else {
		keeper->filling = keeper->flying;
		keeper->flying = round;
	}
	return VL_OK;
}

static enum vl_err commit(struct vl_keeper *keeper, bool wait, struct vl_why *why)
{
	struct vl_outbox *outbox = keeper->options.outbox;
	enum vl_err err = VL_OK;

	if (wait || vl_outbox_landed(outbox) || gathered(keeper))
		err = land(keeper, why);
	if (err == VL_OK && !vl_outbox_flying(outbox) &&
	    (keeper->in_txn || keeper->filling->answers.count > 0 || keeper->err != VL_OK))
		err = depart(keeper, wait, why);
	return err;
}

/* What the link brought waits for a commit that is made anyway, but not for ever. */
static void commit_acks(struct vl_keeper *keeper, int delay_ms)
{
	int64_t since = vl_acks_since(keeper->acks), due = vl_inbox_due(keeper->inbox, keeper->options.outbox);
	int64_t now = vl_monotonic_ms();

	if (!keeper->in_txn && ((since >= 0 && now - since >= delay_ms) || (due >= 0 && now >= due)))
		begin(keeper);
}

/* One that finds no room is one of many. */
static void beat(struct vl_keeper *keeper)
{
	struct vl_pulse *pulse = keeper->options.pulse;
	struct vl_buf event = {0};

	if (pulse != NULL && vl_pulse_make(pulse, keeper->options.outbox, vl_monotonic_ms(), &event)) {
		begin(keeper);
		if (!failed(keeper))
			(void)!vl_outbox_accept_pulse(keeper->options.outbox, vl_buf_bytes(&event), NULL);
	}
	vl_buf_free(&event);
}

static void wake_listener(struct vl_keeper *keeper)
{
	if (keeper->deaf && vl_monotonic_ms() - keeper->tick >= TICK_MS &&
	    watch(keeper, EPOLL_CTL_MOD, keeper->options.listener, EPOLLIN, listener_mark(keeper)) == 0)
		keeper->deaf = false;
}

/* Write the mark now and then while lanes move: it costs two trips to the disk. */
static void mark(struct vl_keeper *keeper)
{
	struct vl_why why = {0};
	int64_t now = vl_monotonic_ms();

	if (now - keeper->marked < MARK_MS)
		return;
	keeper->marked = now;
	enum vl_err err = vl_outbox_mark(keeper->options.outbox, &why);
	if (err != VL_OK && err != keeper->unmarked)
		vl_log_warning("the mark cannot be written, %s: an old copy of this outbox may not be known for one",
			       vl_why_text(&why, err));
	keeper->unmarked = err;
}

/* `wait`, or less where `at` comes first; -1 is never. */
static int64_t sooner(int64_t wait, int64_t at)
{
	int64_t now = vl_monotonic_ms(), left = at > now ? at - now : 0;

	return at >= 0 && (wait < 0 || left < wait) ? left : wait;
}

int vl_keeper_timeout(const struct vl_keeper *keeper)
{
	int64_t wait = keeper->deaf ? TICK_MS : -1;

	if (keeper->again)
		return 0;
	for (size_t i = 0; i < keeper->n_clients; i++)
		if (client_partial(keeper->clients[i]))
			wait = TICK_MS;
	if (vl_outbox_moved(keeper->options.outbox))
		wait = sooner(wait, keeper->marked + MARK_MS);
	/* Nothing of the link's is committed before that has landed, and landing is seen. */
	if (vl_outbox_flying(keeper->options.outbox))
		return (int)wait;
	if (keeper->options.pulse != NULL)
		wait = sooner(wait, vl_pulse_due(keeper->options.pulse));
	if (vl_acks_since(keeper->acks) >= 0)
		wait = sooner(wait, vl_acks_since(keeper->acks) + ACK_DELAY_MS);
	return (int)sooner(wait, vl_inbox_due(keeper->inbox, keeper->options.outbox));
}

enum vl_err vl_keeper_step(struct vl_keeper *keeper, struct vl_why *why)
{
	gather(keeper);
	beat(keeper);
	commit_acks(keeper, ACK_DELAY_MS);
	enum vl_err err = commit(keeper, false, why);
	sweep(keeper);
	wake_listener(keeper);
	if (err == VL_OK)
		mark(keeper);
	return err;
}

enum vl_err vl_keeper_finish(struct vl_keeper *keeper, int wait_ms, struct vl_why *why)
{
	int64_t until = vl_monotonic_ms() + wait_ms;

	hear_link(keeper);
	commit_acks(keeper, 0);
	enum vl_err err = commit(keeper, true, why);
	sweep(keeper);
	for (size_t i = 0; i < keeper->n_clients; i++)
		client_drain(keeper->clients[i], until);
	return err;
}

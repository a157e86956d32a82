#include "agent/keeper_in.h"

#include "agent/pipe.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define GATHER_MS 20
#define FLY_BYTES ((size_t)64 << 10)
#define ACK_DELAY_MS 10
/* between commits that free, while there is much to store: they cannot be asynchronous */
#define FREE_DELAY_MS 100
#define TICK_MS 1000
#define MARK_MS 5000
#define PACKETS_A_TURN 64

/* -- open and close -- */

int keeper_watch(struct vl_keeper *keeper, int op, int fd, unsigned events, void *mark)
{
	struct epoll_event event = {.events = events, .data.ptr = mark};
	return epoll_ctl(keeper->epoll, op, fd, &event);
}

static void *link_mark(struct vl_keeper *keeper)
{
	return &keeper->link;
}

static void *landed_mark(struct vl_keeper *keeper)
{
	return &keeper->flying;
}

enum vl_err vl_keeper_open(const struct vl_keeper_options *options, struct vl_keeper **opened,
			   struct vl_why *why)
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
	    keeper_watch(keeper, EPOLL_CTL_ADD, options->listener, EPOLLIN,
			 listener_mark(keeper)) != 0 ||
	    keeper_watch(keeper, EPOLL_CTL_ADD, vl_outbox_fd(options->outbox), EPOLLIN,
			 landed_mark(keeper)) != 0) {
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
		(void)keeper_watch(keeper, EPOLL_CTL_DEL, keeper->link, 0, NULL);
	keeper->link = fd;
	vl_buf_free(&keeper->record);
	if (fd >= 0)
		(void)keeper_watch(keeper, EPOLL_CTL_ADD, fd, EPOLLIN, link_mark(keeper));
}

void vl_keeper_renew(struct vl_keeper *keeper, const uid_t *users, size_t n_users,
		     const struct vl_ring *ring)
{
	keeper->options.users = users;
	keeper->options.n_users = n_users;
	keeper->options.ring = ring;
	vl_inbox_renew(keeper->inbox, ring);
}

uint64_t vl_keeper_heard(const struct vl_keeper *keeper)
{
	return keeper->heard;
}

int vl_keeper_fd(const struct vl_keeper *keeper)
{
	return keeper->epoll;
}

/* -- the link -- */

/* What headquarters asks for again is the link's to find. One that does not fit its pipe now is
 * asked for again later. */
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
		keeper->heard += err == VL_OK;
		if (err == VL_OK && (message.kind == VL_PIPE_ACKED || message.kind == VL_PIPE_SENT))
			vl_acks_take(keeper->acks, &message, now);
		if (err == VL_OK && message.kind == VL_PIPE_CLOCK && keeper->options.pulse != NULL)
			vl_pulse_clock(keeper->options.pulse, message.ahead_ms);
		if (err == VL_OK && message.kind == VL_PIPE_DAMAGED)
			vl_inbox_damaged(keeper->inbox, &message, now);
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

	/* BUSY: enough wake-ups wait there. GONE: our caller sees the link's end. */
	if (keeper->link >= 0)
		(void)!vl_pipe_send(keeper->link, &message);
}

/* -- a round -- */

/* First the messages of the link, the listener and the programs are read; then the programs have
 * their turns. */
static void gather(struct vl_keeper *keeper)
{
	struct epoll_event ready[VL_KEEPER_CLIENTS + 3];
	int64_t until = vl_monotonic_ms() + GATHER_MS;
	bool moved;

	do {
		int n = epoll_wait(keeper->epoll, ready, VL_KEEPER_CLIENTS + 3, 0);
		for (int i = 0; i < n; i++) {
			void *mark = ready[i].data.ptr;
			if (mark == link_mark(keeper))
				hear_link(keeper);
			else if (mark != listener_mark(keeper) && mark != landed_mark(keeper))
				keeper_client_ready(mark, ready[i].events);
		}
		/* Last, as one that comes may take another's place. */
		for (int i = 0; i < n; i++)
			if (ready[i].data.ptr == listener_mark(keeper))
				keeper_greet(keeper);
		moved = keeper_turns(keeper);
	} while (moved && !keeper_gathered(keeper) && vl_monotonic_ms() < until);
}

/* Nothing that was under way is on the disk, or that is unknown. FULL passes; after anything
 * else the process must end. */
static enum vl_err fail(struct vl_keeper *keeper, enum vl_err err, struct vl_why *why)
{
	vl_outbox_abort(keeper->options.outbox);
	keeper->in_txn = false;
	if (err == VL_ERR_FULL)
		vl_outbox_explain_full(keeper->options.outbox, &keeper->why);
	answers_refuse(&keeper->flying->answers, &keeper->filling->answers, err, &keeper->why);
	keeper->filling->bytes = keeper->flying->bytes = 0;
	keeper->filling->urgent = keeper->flying->urgent = 0;
	vl_acks_not_noted(keeper->acks, vl_monotonic_ms());
	vl_inbox_not_noted(keeper->inbox, vl_monotonic_ms());
	return err == VL_ERR_FULL ? VL_OK : vl_fail(why, err, "%s", vl_why_text(&keeper->why, err));
}

static void arrive(struct vl_keeper *keeper, struct round *round)
{
	(void)vl_failpoint("keeper.before-answer");
	answers_release(&round->answers);
	round->bytes = 0;
	round->urgent = 0;
	wake_link(keeper);
}

/* Wait for the asynchronous commit. */
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

/* Commit what was gathered: a little here and now, much on the outbox's thread while more is
 * gathered. */
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

	if (wait || vl_outbox_landed(outbox) || keeper_gathered(keeper))
		err = land(keeper, why);
	if (err == VL_OK && !vl_outbox_flying(outbox) &&
	    (keeper->in_txn || keeper->filling->answers.count > 0 || keeper->err != VL_OK))
		err = depart(keeper, wait, why);
	return err;
}

/* What the link brought waits for a commit that is made anyway, but not for ever. */
static void commit_acks(struct vl_keeper *keeper, int delay_ms)
{
	int64_t since = vl_acks_since(keeper->acks),
		due = vl_inbox_due(keeper->inbox, keeper->options.outbox);
	int64_t now = vl_monotonic_ms();

	if (!keeper->in_txn &&
	    ((since >= 0 && now - since >= delay_ms) || (due >= 0 && now >= due)))
		keeper_begin(keeper);
}

/* One that finds no room is one of many. */
static void beat(struct vl_keeper *keeper)
{
	struct vl_pulse *pulse = keeper->options.pulse;
	struct vl_buf event = {0};

	if (pulse != NULL &&
	    vl_pulse_make(pulse, keeper->options.outbox, vl_monotonic_ms(), &event)) {
		keeper_begin(keeper);
		if (!keeper_failed(keeper))
			(void)!vl_outbox_accept_pulse(keeper->options.outbox, vl_buf_bytes(&event),
						      NULL);
	}
	vl_buf_free(&event);
}

static void wake_listener(struct vl_keeper *keeper)
{
	if (keeper->deaf && vl_monotonic_ms() - keeper->tick >= TICK_MS &&
	    keeper_watch(keeper, EPOLL_CTL_MOD, keeper->options.listener, EPOLLIN,
			 listener_mark(keeper)) == 0)
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
		vl_log_warning("the mark cannot be written, %s: an old copy of this outbox may "
			       "not be known for one",
			       vl_why_text(&why, err));
	keeper->unmarked = err;
}

/* A long read of the outbox keeps freed room from use. While the outbox does not change, that
 * does no harm. */
static void tend(struct vl_keeper *keeper)
{
	struct vl_outbox_reader held;

	if (vl_outbox_tend(keeper->options.outbox, vl_monotonic_ms(), &held))
		vl_log_warning("process %ld still reads the outbox as it was %lld s ago. "
			       "Therefore %zu kB of free room cannot be used again; end it if "
			       "it hangs",
			       held.pid, (long long)held.seconds, held.pinned >> 10);
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
	/* The link's reports are committed only after the asynchronous commit is done, and that
	 * is noticed. */
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
	keeper_sweep(keeper);
	wake_listener(keeper);
	if (err == VL_OK)
		mark(keeper);
	tend(keeper);
	return err;
}

enum vl_err vl_keeper_finish(struct vl_keeper *keeper, int wait_ms, struct vl_why *why)
{
	int64_t until = vl_monotonic_ms() + wait_ms;

	hear_link(keeper);
	commit_acks(keeper, 0);
	enum vl_err err = commit(keeper, true, why);
	keeper_sweep(keeper);
	for (size_t i = 0; i < keeper->n_clients; i++)
		client_drain(keeper->clients[i], until);
	return err;
}

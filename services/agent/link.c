#include "agent/link.h"

#include "agent/flight.h"
#include "agent/intake.h"
#include "agent/outbox/outbox.h"
#include "agent/outbox/roster.h"
#include "agent/pipe.h"
#include "agent/resend.h"
#include "agent/sender.h"
#include "agent/wishes.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REPORT_MS 50   /* acks go to the keeper at most this often */
#define POLL_MS 1000   /* the producer is asked this often even when it says nothing */
#define SEARCH_MS 20   /* between steps of a search for what can be read */
#define LAST_MS 1000   /* for what is in flight when we end */
#define ALIVE_MS 2000  /* how often the keeper gets a sign of life (supervise.h) */
#define CHECK_MS 30000 /* between looks for receipts that do not come, at most */

struct link {
	const struct vl_agent_config *config;
	int keeper, signals;
	struct vl_outbox *outbox;
	struct vl_flight *flight;
	struct vl_sender *senders[VL_CLASSES];
	struct vl_intake *intake; /* NULL where no receipts are honoured */
	struct vl_resend *resends;
	struct vl_resend_asked *asked;
	struct vl_place *told_sent; /* of each lane, to the keeper */
	int64_t check_at, sent_at, reported, alive_at;
	uint64_t line;    /* the last value that the keeper received */
	bool clock_known; /* and not reported yet */
	int64_t ahead_ms; /* the broker's clock before ours */
	bool news;        /* acks that were not reported to the keeper */
	bool addresses;   /* the outbox may have lanes that are not in the catalogue */
	bool woken;       /* by the keeper: there may be new ones */
	size_t n_lanes;   /* of the roster, that have started */
	bool stopping;    /* the keeper says so, or is gone */
};

/* -- reports to the keeper -- */

/* Send the keeper all that was not reported. Messages that do not fit its pipe are sent next
 * time. */
static void report(struct link *link, int64_t now)
{
	link->news = false;
	link->reported = now;
	for (size_t i = 0; i < link->n_lanes; i++) {
		bool moved;
		struct vl_place place = vl_flight_acked_to(link->flight, i, &moved);
		if (!moved)
			continue;
		struct vl_pipe_message message = {.kind = VL_PIPE_ACKED,
						  .lane = vl_roster_lane(i),
						  .epoch = place.epoch,
						  .seq = place.seq};
		(void)vl_failpoint("link.before-told");
		enum vl_err err = vl_pipe_send(link->keeper, &message);
		(void)vl_failpoint("link.after-told");
		if (err == VL_ERR_BUSY) {
			vl_flight_not_told(link->flight, i);
			link->news = true;
		}
		link->stopping |= err == VL_ERR_GONE;
	}
	struct vl_pipe_message clock = {.kind = VL_PIPE_CLOCK, .ahead_ms = link->ahead_ms};
	if (link->clock_known && vl_pipe_send(link->keeper, &clock) == VL_OK)
		link->clock_known = false;
}

/* What was given to a Kafka that does not answer is not called sent. */
static void report_sent(struct link *link)
{
	for (size_t i = 0; i < link->n_lanes; i++) {
		struct vl_place sent = vl_flight_sent_to(link->flight, i),
				*told = &link->told_sent[i];
		struct vl_pipe_message message = {.kind = VL_PIPE_SENT,
						  .lane = vl_roster_lane(i),
						  .epoch = sent.epoch,
						  .seq = sent.seq};
		if (vl_place_later(sent, *told) &&
		    vl_sender_heard(link->senders[vl_flight_class(link->flight, i)]) &&
		    vl_pipe_send(link->keeper, &message) == VL_OK)
			*told = sent;
	}
	link->sent_at = vl_monotonic_ms() + REPORT_MS;
}

/* Batches are made to fit the line: its speed is reported when it differs from before. */
static void report_line(struct link *link)
{
	struct vl_pipe_message message = {.kind = VL_PIPE_LINE,
					  .rate = vl_sender_rate(link->senders[VL_BULK])};

	if (message.rate == 0 || (message.rate < link->line * 2 && message.rate > link->line / 2))
		return;
	enum vl_err err = vl_pipe_send(link->keeper, &message);
	if (err == VL_OK) {
		link->line = message.rate;
		vl_log_debug("the line to Kafka carries %llu bytes a second",
			     (unsigned long long)message.rate);
	}
	link->stopping |= err == VL_ERR_GONE;
}

/* -- receipts -- */

static bool check_lane(struct link *link, struct vl_outbox_look *look, size_t lane, int64_t now)
{
	struct vl_place acked, applied;
	int64_t first = (int64_t)link->config->resend * 1000;

	vl_outbox_acked(look, vl_lanes[lane].name, &acked.epoch, &acked.seq);
	vl_outbox_applied(look, vl_lanes[lane].name, &applied.epoch, &applied.seq);
	bool done = vl_resend_due(&link->resends[lane], acked, applied, first, now) &&
		    vl_flight_go_back(link->flight, lane, applied);
	if (done)
		vl_resend_done(&link->resends[lane], now);
	return done;
}

/* Send again what Kafka has acked and headquarters gives no receipt for. */
static enum vl_err check_receipts(struct link *link, int64_t now, struct vl_why *why)
{
	int64_t often = (int64_t)link->config->resend * 250;

	link->check_at = now + (often < CHECK_MS ? often : CHECK_MS);
	struct vl_outbox_look *look = vl_outbox_look(link->outbox, why);
	if (look == NULL)
		return VL_ERR_IO;
	uint64_t again = 0; /* a bit each; said when nothing is held any more */
	for (size_t i = 0; i < vl_n_lanes; i++)
		again |= (uint64_t)check_lane(link, look, i, now) << i % 64;
	enum vl_err err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	for (size_t i = 0; i < vl_n_lanes; i++)
		if ((again >> i % 64 & 1) != 0)
			vl_log_warning("no receipt comes for batches of lane '%s' that Kafka "
				       "has: sending them again",
				       vl_lanes[i].name);
	return err;
}

static enum vl_err serve_receipts(struct link *link, int64_t now, struct vl_why *why)
{
	if (link->intake == NULL)
		return VL_OK;
	link->stopping |= vl_intake_step(link->intake, link->keeper, now) == VL_ERR_GONE;
	return now >= link->check_at ? check_receipts(link, now, why) : VL_OK;
}

/* -- lanes -- */

static void meet_lane(void *context, const char *lane)
{
	(void)context;
	(void)vl_roster_meet(lane, strlen(lane));
}

/* Start with the lanes that have come into the outbox since. The catalogue's are known to the
 * flight from the beginning. */
static bool meet_lanes(struct link *link, struct vl_outbox_look *look)
{
	if (link->addresses)
		vl_outbox_each_lane(look, meet_lane, NULL);
	for (; link->n_lanes < vl_roster_count(); link->n_lanes++) {
		const struct vl_lane *lane = vl_roster_lane(link->n_lanes);
		struct vl_place acked;
		if (link->n_lanes >= vl_n_lanes && !vl_flight_add(link->flight, lane))
			return false;
		vl_outbox_acked(look, lane->name, &acked.epoch, &acked.seq);
		vl_flight_start(link->flight, link->n_lanes, acked);
	}
	return true;
}

static enum vl_err meet_new_lanes(struct link *link, struct vl_why *why)
{
	struct vl_outbox_look *look = vl_outbox_look(link->outbox, why);

	link->woken = false;
	if (look == NULL)
		return VL_ERR_IO;
	bool met = meet_lanes(link, look);
	vl_outbox_look_end(look);
	return met ? VL_OK : VL_ERR_NOMEM;
}

/* -- the loop -- */

static void hear_keeper(struct link *link)
{
	struct vl_pipe_message message;
	enum vl_err err;

	while ((err = vl_pipe_receive(link->keeper, &message, NULL)) == VL_OK) {
		if (message.kind == VL_PIPE_STOP)
			link->stopping = true;
		else if (message.kind == VL_PIPE_RESEND && link->outbox != NULL)
			(void)vl_wishes_take(link->asked, link->outbox, link->flight, &message,
					     vl_monotonic_ms());
		else
			vl_flight_wake(link->flight);
		link->woken |= message.kind == VL_PIPE_COMMITTED;
	}
	link->stopping |= err == VL_ERR_GONE;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return b >= 0 && b < a ? b : a;
}

static void wait_for_work(struct link *link)
{
	short keeper_events =
		link->intake != NULL && vl_intake_waits(link->intake) ? POLLIN | POLLOUT : POLLIN;
	struct pollfd fds[] = {
		{.fd = link->keeper, .events = keeper_events},
		{.fd = link->signals, .events = POLLIN},
		{.fd = vl_sender_fd(link->senders[VL_URGENT]), .events = POLLIN},
		{.fd = vl_sender_fd(link->senders[VL_BULK]), .events = POLLIN},
	};
	int64_t now = vl_monotonic_ms(), wait = sooner(POLL_MS, vl_flight_wait(link->flight, now));

	for (size_t i = 0; i < VL_CLASSES; i++)
		wait = sooner(wait, vl_sender_wait(link->senders[i], now));
	if (link->intake != NULL && vl_intake_more(link->intake))
		wait = 0;
	if (link->intake != NULL && vl_intake_searches(link->intake))
		wait = sooner(wait, SEARCH_MS);
	if (link->news)
		wait = sooner(wait, link->reported + REPORT_MS > now
					    ? link->reported + REPORT_MS - now
					    : 0);
	(void)poll(fds, sizeof(fds) / sizeof(fds[0]), (int)wait);
	if (fds[0].revents != 0)
		hear_keeper(link);
	link->stopping |= fds[1].revents != 0;
}

/* What the answer took makes it less than it is: the greatest is the nearest. */
static void hear_clock(struct link *link, struct vl_sender *sender)
{
	int64_t ahead_ms;

	if (!vl_sender_clock(sender, &ahead_ms))
		return;
	if (!link->clock_known || ahead_ms > link->ahead_ms)
		link->ahead_ms = ahead_ms;
	link->clock_known = true;
}

/* What does not fit the pipe is found again when the lane has its turn. */
static void report_damage(struct link *link, struct vl_sender *sender)
{
	struct vl_place place;
	size_t lane;

	if (!vl_sender_damaged(sender, &lane, &place))
		return;
	struct vl_pipe_message message = {.kind = VL_PIPE_DAMAGED,
					  .lane = vl_roster_lane(lane),
					  .epoch = place.epoch,
					  .seq = place.seq};
	link->stopping |= vl_pipe_send(link->keeper, &message) == VL_ERR_GONE;
}

static void report_alive(struct link *link, int64_t now)
{
	struct vl_pipe_message alive = {.kind = VL_PIPE_ALIVE};

	if (now < link->alive_at)
		return;
	link->alive_at = now + ALIVE_MS;
	link->stopping |= vl_pipe_send(link->keeper, &alive) == VL_ERR_GONE;
}

static enum vl_err go_round(struct link *link, struct vl_why *why)
{
	int64_t now = vl_monotonic_ms();
	enum vl_err err = VL_OK;

	if (link->woken && link->addresses)
		err = meet_new_lanes(link, why);
	/* The urgent one first: so what it sends is in its connection before anything else of
	 * this round. */
	for (size_t i = 0; err == VL_OK && i < VL_CLASSES; i++) {
		err = vl_sender_serve(link->senders[i], link->outbox, link->line, now, why);
		link->news |= vl_sender_news(link->senders[i]);
		hear_clock(link, link->senders[i]);
		report_damage(link, link->senders[i]);
	}
	report_line(link);
	report_alive(link, now);
	if (now >= link->sent_at)
		report_sent(link);
	if (link->news && (now - link->reported >= REPORT_MS || vl_flight_idle(link->flight)))
		report(link, now);
	if (err == VL_OK)
		err = serve_receipts(link, now, why);
	if (err == VL_OK)
		wait_for_work(link);
	return err;
}

static enum vl_err start_lanes(struct link *link, struct vl_why *why)
{
	struct vl_outbox_look *look = vl_outbox_look(link->outbox, why);

	if (look == NULL)
		return VL_ERR_IO;
	bool met = meet_lanes(link, look);
	int64_t positions[VL_DOWN_TOPICS];
	for (size_t i = 0; i < VL_DOWN_TOPICS; i++) {
		char topic[VL_LANE_NAME_MAX];
		vl_down_topic((enum vl_down)i, link->config->mission, topic);
		positions[i] = vl_outbox_position(look, topic, 0);
	}
	enum vl_err err = met ? vl_outbox_look_err(look) : VL_ERR_NOMEM;
	vl_outbox_look_end(look);
	if (err != VL_OK || *link->config->keys == '\0')
		return err;
	link->intake = vl_intake_open(link->config, positions);
	return link->intake != NULL ? VL_OK : VL_ERR_NOMEM;
}

/* The outbox is there once the keeper has said its first word. */
static void await_keeper(struct link *link)
{
	struct pollfd fds[] = {{.fd = link->keeper, .events = POLLIN},
			       {.fd = link->signals, .events = POLLIN}};

	(void)poll(fds, 2, -1);
	hear_keeper(link);
	link->stopping |= fds[1].revents != 0;
}

/* SIGINT comes from a terminal to the whole group, and the keeper will say what it means. */
static int watch_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)sigdelset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	/* A new link reads all anew. */
	(void)sigaddset(&signals, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static enum vl_err open_parts(struct link *link)
{
	link->signals = watch_signals();
	link->flight = vl_flight_open(vl_lanes, vl_n_lanes);
	link->resends = calloc(vl_n_lanes + 1, sizeof(*link->resends));
	link->asked = calloc(vl_n_lanes + 1, sizeof(*link->asked));
	link->told_sent = calloc(vl_roster_room(), sizeof(*link->told_sent));
	link->addresses = strcmp(link->config->mission, VL_HEADQUARTERS) == 0;
	if (link->flight == NULL || link->resends == NULL || link->asked == NULL ||
	    link->told_sent == NULL || link->signals < 0)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < VL_CLASSES; i++) {
		link->senders[i] = vl_sender_open(link->config, link->flight, (enum vl_class)i);
		if (link->senders[i] == NULL)
			return VL_ERR_NOMEM;
	}
	vl_sender_yield_to(link->senders[VL_BULK], link->senders[VL_URGENT]);
	return VL_OK;
}

static void close_parts(struct link *link)
{
	vl_intake_close(link->intake);
	vl_outbox_close(link->outbox);
	if (link->signals >= 0)
		(void)close(link->signals);
	vl_flight_close(link->flight);
	free(link->resends);
	free(link->asked);
	free(link->told_sent);
}

enum vl_err vl_link_run(const struct vl_agent_config *config, int keeper, struct vl_why *why)
{
	struct link link = {.config = config, .keeper = keeper};
	enum vl_err err = open_parts(&link);

	if (err == VL_OK)
		await_keeper(&link);
	if (err == VL_OK && !link.stopping)
		err = vl_outbox_open_reader(config->outbox, &link.outbox, why);
	if (err == VL_OK && !link.stopping)
		err = start_lanes(&link, why);
	while (err == VL_OK && !link.stopping)
		err = go_round(&link, why);
	for (size_t i = 0; i < VL_CLASSES; i++)
		vl_sender_close(link.senders[i], LAST_MS);
	if (link.flight != NULL)
		report(&link, vl_monotonic_ms());
	close_parts(&link);
	return err;
}

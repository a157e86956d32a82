#include "agent/link.h"

#include "agent/flight.h"
#include "agent/intake.h"
#include "agent/outbox.h"
#include "agent/pipe.h"
#include "agent/resend.h"
#include "agent/wishes.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "stream/stream.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define REPORT_MS 50      /* acks go to the keeper at most this often */
#define POLL_MS 1000      /* the producer is asked this often even when it says nothing */
#define REOPEN_MIN_MS 100 /* before a new producer, doubling */
#define REOPEN_MAX_MS 10000
#define STALL_MS 120000            /* an ack outstanding for so long: a new producer */
#define LAST_MS 1000               /* for what is in flight when we end */
#define CHECK_MS 30000             /* between looks for receipts that do not come, at most */
#define FRESH_MS 10000             /* a batch this young is read from memory, not from the disk */
#define RECORD_EXTRA ((size_t)512) /* key and headers of one record, at most */

struct link {
	const struct vl_agent_config *config;
	int keeper, signals;
	struct vl_outbox *outbox;
	struct vl_producer *producer; /* NULL while backing off */
	struct vl_flight *flight;
	struct vl_conf_pair *pairs; /* the default first, so that the configuration has the last word */
	struct vl_intake *intake;   /* NULL where no receipts are honoured */
	struct vl_resend *resends;
	struct vl_resend_asked *asked;
	int64_t check_at, since; /* since: when it began, by the clock */
	int64_t reopen_at, reopen_ms, reported;
	bool clock_known;     /* and not told yet */
	int64_t ahead_ms;     /* the broker's clock before ours */
	bool news;            /* acks that the keeper has not been told */
	bool stopping;        /* the keeper says so, or is gone */
	bool closing;         /* what is told of records now is not about Kafka */
	enum vl_err broken;   /* why the producer must be replaced */
	enum vl_err told;     /* the trouble that was logged last, so that each is logged once */
	enum vl_err *told_of; /* the same for each lane */
};

/* -- talk -- */

static void trouble(struct link *link, enum vl_err err, const struct vl_why *why)
{
	if (link->told == err)
		return;
	link->told = err;
	vl_log_warning("cannot send to Kafka: %s; the outbox keeps everything, trying on", vl_why_text(why, err));
}

static void lane_trouble(struct link *link, size_t lane, enum vl_err err, const struct vl_why *why)
{
	if (link->told_of[lane] == err)
		return;
	link->told_of[lane] = err;
	vl_log_error("cannot send on lane '%s': %s; the outbox keeps it, trying on, other lanes go on",
		     vl_lanes[lane].name, vl_why_text(why, err));
}

static void all_well(struct link *link, size_t lane)
{
	if (link->told != VL_OK || link->told_of[lane] != VL_OK)
		vl_log_info("Kafka takes batches on lane '%s' again", vl_lanes[lane].name);
	link->told = link->told_of[lane] = VL_OK;
	link->reopen_ms = 0;
}

/* -- acks -- */

/* It is the record or its lane that is wrong, not the connection. */
static bool is_refusal(enum vl_err err)
{
	return err == VL_ERR_PERMISSION || err == VL_ERR_CORRUPT || vl_err_class(err) == VL_CLASS_REJECT;
}

static void explain_refusal(enum vl_err err, struct vl_why *why)
{
	if (err == VL_ERR_NOT_FOUND)
		(void)vl_fail(why, err, "Kafka has no such topic; make it: valise topic apply");
	else if (err == VL_ERR_PERMISSION)
		(void)vl_fail(why, err, "Kafka does not let this agent write to that topic; grant it");
}

/* What the answer took makes it less than it is: the greatest is the nearest. */
static void note_clock(struct link *link)
{
	int64_t appended = vl_producer_appended_ms(link->producer);
	int64_t ahead = appended - vl_time_ms(vl_clock_now(&vl_clock_system));

	if (appended >= 0 && (!link->clock_known || ahead > link->ahead_ms))
		link->ahead_ms = ahead;
	link->clock_known |= appended >= 0;
}

static void on_acked(void *context, uint64_t tag, enum vl_err err, int32_t partition, int64_t offset)
{
	struct link *link = context;
	int64_t now = vl_monotonic_ms();

	(void)partition, (void)offset;
	if (err == VL_OK) {
		all_well(link, vl_flight_acked(link->flight, (size_t)tag, now));
		link->news = true;
		note_clock(link);
	} else if (is_refusal(err)) {
		size_t lane = vl_flight_refused(link->flight, (size_t)tag, now);
		struct vl_why why = {0};
		explain_refusal(err, &why);
		lane_trouble(link, lane, err, &why);
	} else if (!link->closing && link->broken == VL_OK) {
		/* Why is said by the poll that is under way. */
		link->broken = err;
	}
}

/* Tell the keeper what it has not been told. What does not fit its pipe is told next time. */
static void report(struct link *link, int64_t now)
{
	link->news = false;
	link->reported = now;
	for (size_t i = 0; i < vl_n_lanes; i++) {
		bool moved;
		struct vl_place place = vl_flight_acked_to(link->flight, i, &moved);
		if (!moved)
			continue;
		struct vl_pipe_message message = {
			.kind = VL_PIPE_ACKED, .lane = &vl_lanes[i], .epoch = place.epoch, .seq = place.seq};
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

/* -- the producer -- */

/* librdkafka 2.0.2 waits for a request's answer by asking all the time while a batch it might send is older than this. On
 * lines that are worth a queue, 25 ms are nothing; and a commit to the disk is not much shorter. */
static const struct vl_conf_pair unless_told = {"linger.ms", "25"};

static enum vl_err open_producer(struct link *link, struct vl_why *why)
{
	struct vl_producer_options options = {
		.pairs = link->pairs,
		.n_pairs = link->config->n_kafka + 1,
		.window_bytes = VL_WINDOW_MAX + VL_BATCH_MAX + RECORD_EXTRA * VL_FLIGHT_RECORDS,
		.window_records = VL_FLIGHT_RECORDS,
		.acked = on_acked,
		.context = link,
	};

	return vl_producer_open(&options, &link->producer, why);
}

static void close_producer(struct link *link, int timeout_ms)
{
	link->closing = true;
	vl_producer_close(link->producer, timeout_ms);
	link->closing = false;
	link->producer = NULL;
	vl_flight_restart(link->flight);
}

/* A broken producer goes at once; a new one comes after a while. */
static void replace_producer(struct link *link, int64_t now)
{
	close_producer(link, 0);
	link->broken = VL_OK;
	link->reopen_ms = link->reopen_ms == 0 ? REOPEN_MIN_MS : link->reopen_ms * 2;
	if (link->reopen_ms > REOPEN_MAX_MS)
		link->reopen_ms = REOPEN_MAX_MS;
	link->reopen_at = now + link->reopen_ms;
}

static void serve_producer(struct link *link, int64_t now)
{
	struct vl_why why = {0};
	uint64_t wakes;
	int64_t oldest;

	(void)!read(vl_producer_fd(link->producer), &wakes, sizeof(wakes));
	enum vl_err err = vl_producer_poll(link->producer, 0, &why);
	if (err == VL_ERR_UNREACHABLE) {
		trouble(link, err, &why);
	} else if (err != VL_OK || link->broken != VL_OK) {
		link->broken = err != VL_OK ? err : link->broken;
		trouble(link, link->broken, &why);
	}
	if (vl_flight_age(link->flight, now, &oldest) > 0 && oldest > STALL_MS)
		link->broken = VL_ERR_TIMEOUT;
}

/* -- sending -- */

static enum vl_err send_batch(struct link *link, const struct vl_outbox_batch *batch, size_t tag, struct vl_why *why)
{
	const char *mission = vl_outbox_mission(link->outbox), *type = vl_domain_content_type(batch->domain);
	char sig[VL_SIG_TEXT];

	vl_sig_format(&batch->key, &batch->signature, sig);
	struct vl_header headers[] = {
		{{(const uint8_t *)"content-type", 12}, {(const uint8_t *)type, strlen(type)}},
		{{(const uint8_t *)VL_SIG_HEADER, strlen(VL_SIG_HEADER)}, {(const uint8_t *)sig, strlen(sig)}},
	};
	return vl_producer_send(link->producer, batch->lane,
				(struct vl_bytes){(const uint8_t *)mission, strlen(mission)}, batch->value, headers,
				sizeof(headers) / sizeof(headers[0]), tag, why);
}

/* Bytes that have been to the disk and back are looked at; what was stored a moment ago, while this link ran, is still in memory, and
 * looking would cost as much as all the rest of sending it. */
static bool looks_right(const struct link *link, const struct vl_outbox_batch *batch)
{
	int64_t stored = vl_time_ms(batch->stored_at);
	int64_t age = stored >= link->since ? vl_time_ms(vl_clock_now(&vl_clock_system)) - stored : -1;

	return batch->state != VL_OUTBOX_DAMAGED && ((age >= 0 && age < FRESH_MS) || vl_outbox_intact(batch));
}

/* Send the next batch of a lane. False where nothing more can be sent in this round. */
static bool send_next(struct link *link, struct vl_outbox_look *look, size_t lane, int64_t now)
{
	struct vl_place after = vl_flight_sent_to(link->flight, lane);
	struct vl_outbox_batch batch = {0};
	struct vl_why why = {0};

	if (!vl_outbox_next(look, vl_lanes[lane].name, after.epoch, after.seq, &batch)) {
		vl_flight_empty(link->flight, lane);
		return vl_outbox_look_err(look) == VL_OK;
	}
	size_t bytes = batch.value.size + RECORD_EXTRA;
	if (!vl_flight_allows(link->flight, bytes))
		return false;
	if (!looks_right(link, &batch)) {
		(void)vl_fail(&why, VL_ERR_CORRUPT, "batch %llu of epoch %llu is damaged in the outbox",
			      (unsigned long long)batch.seq.n, (unsigned long long)batch.epoch.n);
		vl_flight_set_aside(link->flight, lane, now);
		lane_trouble(link, lane, VL_ERR_CORRUPT, &why);
		return true;
	}
	/* Noted before it is sent, as its ack may come from within. */
	size_t tag = vl_flight_sent(link->flight, lane, (struct vl_place){batch.epoch, batch.seq}, bytes, now);
	enum vl_err err = vl_failpoint("link.send") ? VL_ERR_GONE : send_batch(link, &batch, tag, &why);
	(void)vl_failpoint("link.after-send");
	if (err == VL_OK)
		return true;
	(void)vl_flight_refused(link->flight, tag, now);
	if (is_refusal(err)) {
		lane_trouble(link, lane, err, &why);
		return true;
	}
	link->broken = err;
	trouble(link, err, &why);
	return false;
}

/* Fill the window. The outbox is looked at for only as long as that takes. */
static enum vl_err pump(struct link *link, struct vl_why *why)
{
	int64_t now = vl_monotonic_ms();
	size_t lane;

	if (!vl_flight_next(link->flight, now, &lane))
		return VL_OK;
	struct vl_outbox_look *look = vl_outbox_look(link->outbox, why);
	if (look == NULL)
		return VL_ERR_IO;
	while (vl_flight_next(link->flight, now, &lane) && send_next(link, look, lane, now))
		;
	enum vl_err err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	return err == VL_OK ? VL_OK : vl_fail(why, err, "the outbox cannot be read: %s", vl_err_text(err));
}

/* -- receipts -- */

static bool check_lane(struct link *link, struct vl_outbox_look *look, size_t lane, int64_t now)
{
	struct vl_place acked, applied;
	int64_t first = (int64_t)link->config->resend * 1000;

	vl_outbox_acked(look, vl_lanes[lane].name, &acked.epoch, &acked.seq);
	vl_outbox_applied(look, vl_lanes[lane].name, &applied.epoch, &applied.seq);
	return vl_resend_due(&link->resends[lane], acked, applied, first, now) &&
	       vl_flight_go_back(link->flight, lane, applied);
}

/* Send again what Kafka has acked and headquarters gives no receipt for. */
static enum vl_err check_receipts(struct link *link, int64_t now, struct vl_why *why)
{
	int64_t often = (int64_t)link->config->resend * 250;

	link->check_at = now + (often < CHECK_MS ? often : CHECK_MS);
	struct vl_outbox_look *look = vl_outbox_look(link->outbox, why);
	if (look == NULL)
		return VL_ERR_IO;
	for (size_t i = 0; i < vl_n_lanes; i++)
		if (check_lane(link, look, i, now))
			vl_log_warning("no receipt comes for what Kafka has of lane '%s': sending it again",
				       vl_lanes[i].name);
	enum vl_err err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	return err;
}

static enum vl_err serve_receipts(struct link *link, int64_t now, struct vl_why *why)
{
	if (link->intake == NULL)
		return VL_OK;
	link->stopping |= vl_intake_step(link->intake, link->keeper, now) == VL_ERR_GONE;
	return now >= link->check_at ? check_receipts(link, now, why) : VL_OK;
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
			(void)vl_wishes_take(link->asked, link->outbox, link->flight, &message, vl_monotonic_ms());
		else
			vl_flight_wake(link->flight);
	}
	link->stopping |= err == VL_ERR_GONE;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return b >= 0 && b < a ? b : a;
}

static void wait_for_work(struct link *link)
{
	short keeper_events = link->intake != NULL && vl_intake_waits(link->intake) ? POLLIN | POLLOUT : POLLIN;
	struct pollfd fds[] = {
		{.fd = link->keeper, .events = keeper_events},
		{.fd = link->signals, .events = POLLIN},
		{.fd = link->producer != NULL ? vl_producer_fd(link->producer) : -1, .events = POLLIN},
	};
	int64_t now = vl_monotonic_ms(), wait = sooner(POLL_MS, vl_flight_wait(link->flight, now));

	if (link->producer == NULL)
		wait = sooner(wait, link->reopen_at > now ? link->reopen_at - now : 0);
	if (link->intake != NULL && vl_intake_more(link->intake))
		wait = 0;
	if (link->news)
		wait = sooner(wait, link->reported + REPORT_MS > now ? link->reported + REPORT_MS - now : 0);
	(void)poll(fds, sizeof(fds) / sizeof(fds[0]), (int)wait);
	if (fds[0].revents != 0)
		hear_keeper(link);
	link->stopping |= fds[1].revents != 0;
}

static enum vl_err go_round(struct link *link, struct vl_why *why)
{
	int64_t now = vl_monotonic_ms();
	enum vl_err err = VL_OK;

	if (link->producer == NULL && now >= link->reopen_at)
		err = open_producer(link, why);
	if (link->producer != NULL) {
		serve_producer(link, now);
		if (link->broken == VL_OK)
			err = pump(link, why);
		if (link->broken != VL_OK)
			replace_producer(link, now);
	}
	if (link->news && now - link->reported >= REPORT_MS)
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
	for (size_t i = 0; i < vl_n_lanes; i++) {
		struct vl_place acked;
		vl_outbox_acked(look, vl_lanes[i].name, &acked.epoch, &acked.seq);
		vl_flight_start(link->flight, i, acked);
	}
	int64_t positions[VL_INTAKE_TOPICS];
	for (size_t i = 0; i < VL_INTAKE_TOPICS; i++)
		positions[i] = vl_outbox_position(look, vl_intake_topics[i], 0);
	enum vl_err err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	if (err != VL_OK || *link->config->keys == '\0')
		return err;
	link->intake = vl_intake_open(link->config, positions);
	return link->intake != NULL ? VL_OK : VL_ERR_NOMEM;
}

/* The outbox is there once the keeper has said its first word. */
static void await_keeper(struct link *link)
{
	struct pollfd fds[] = {{.fd = link->keeper, .events = POLLIN}, {.fd = link->signals, .events = POLLIN}};

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
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

enum vl_err vl_link_run(const struct vl_agent_config *config, int keeper, struct vl_why *why)
{
	struct link link = {.config = config, .keeper = keeper};
	enum vl_err err = VL_ERR_NOMEM;

	link.since = vl_time_ms(vl_clock_now(&vl_clock_system));
	link.signals = watch_signals();
	link.flight = vl_flight_open(vl_lanes, vl_n_lanes);
	link.told_of = calloc(vl_n_lanes + 1, sizeof(*link.told_of));
	link.pairs = calloc(config->n_kafka + 1, sizeof(*link.pairs));
	link.resends = calloc(vl_n_lanes + 1, sizeof(*link.resends));
	link.asked = calloc(vl_n_lanes + 1, sizeof(*link.asked));
	if (link.flight == NULL || link.told_of == NULL || link.pairs == NULL || link.resends == NULL ||
	    link.asked == NULL || link.signals < 0)
		goto out;
	link.pairs[0] = unless_told;
	memcpy(link.pairs + 1, config->kafka, config->n_kafka * sizeof(*link.pairs));
	await_keeper(&link);
	err = link.stopping ? VL_OK : vl_outbox_open_reader(config->outbox, &link.outbox, why);
	if (err == VL_OK && !link.stopping)
		err = start_lanes(&link, why);
	while (err == VL_OK && !link.stopping)
		err = go_round(&link, why);
	if (link.producer != NULL)
		close_producer(&link, LAST_MS);
	report(&link, vl_monotonic_ms());
out:
	vl_intake_close(link.intake);
	vl_outbox_close(link.outbox);
	if (link.signals >= 0)
		(void)close(link.signals);
	vl_flight_close(link.flight);
	free(link.told_of);
	free(link.pairs);
	free(link.resends);
	free(link.asked);
	return err;
}

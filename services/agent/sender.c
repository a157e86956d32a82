#include "agent/sender.h"

#include "agent/outbox/roster.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "stream/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REOPEN_MIN_MS 100 /* before a new producer, doubling */
#define REOPEN_MAX_MS 10000
#define YIELD_MS 5000
#define FRESH_MS 10000             /* a batch this young is read from memory, not from the disk */
#define RECORD_EXTRA ((size_t)512) /* key and headers of one record, at most */
/* bytes a second; the slowest that is reckoned with while nothing is known */
#define SLOW_LINE 4000

/*
 * What a class is for, unless the configuration says otherwise. librdkafka 2.0.2 waits for a
 * request's answer by asking all the time while a batch it might send is older than linger.ms.
 * On lines that are worth a queue, 25 ms are nothing, and a commit to the disk is not much
 * shorter; but what is urgent does not wait. Its connections are made before they are needed,
 * and sooner tried again. A topic that is not there holds its record for five seconds, and not
 * for thirty.
 *
 * Urgent batches do not wait for each other in one request, unless they are small; others share
 * one as the window lets. An event of 900 kB takes two minutes at 64 kbit/s, and
 * socket.timeout.ms, which begins when librdkafka has the record, can be five at most: lines
 * that are dead are seen by TCP (stream/valve.c), brokers that are mute by the time that passes
 * without acks.
 */
#define MOST_PAIRS 6
static const struct {
	/* an ack outstanding for so long, and for what the line needs: a new producer */
	int stall_ms;
	size_t n_pairs;
	struct vl_conf_pair pairs[MOST_PAIRS];
} classes[VL_CLASSES] = {
	[VL_URGENT] = {60000,
		       6,
		       {{"topic.metadata.propagation.max.ms", "5000"},
			{"linger.ms", "0"},
			{"batch.size", "16384"},
			{"socket.timeout.ms", "300000"},
			{"reconnect.backoff.max.ms", "1000"},
			{"enable.sparse.connections", "false"}}},
	[VL_BULK] = {120000,
		     4,
		     {{"topic.metadata.propagation.max.ms", "5000"},
		      {"linger.ms", "25"},
		      {"socket.timeout.ms", "300000"},
		      {"reconnect.backoff.max.ms", "5000"}}},
};

struct vl_sender {
	enum vl_class class;
	const struct vl_sender *first; /* may be NULL */
	struct vl_flight *flight;
	struct vl_producer *producer; /* NULL while backing off */
	/* the class's first, so that the configuration has the last word */
	struct vl_conf_pair *pairs;
	size_t n_pairs;
	const char **lanes; /* of the class */
	size_t n_lanes;
	int64_t reopen_at, reopen_ms, well_since;
	int64_t since;    /* when it was opened, by the clock */
	uint64_t rate;    /* the last known */
	int64_t ahead_ms; /* the broker's clock before ours */
	bool clock_known; /* not yet reported */
	bool news;        /* acks that are not reported */
	bool heard;       /* this producer has had an ack, and no trouble since */
	bool closing;     /* reports of records now are not about Kafka */
	bool damaged;     /* a batch, not yet reported: */
	size_t damaged_lane;
	struct vl_place damaged_place;
	enum vl_err broken;   /* why the producer must be replaced */
	enum vl_err told;     /* the trouble that was logged last, so that each is logged once */
	enum vl_err *told_of; /* the same for each lane */
};

/* -- talk -- */

static void trouble(struct vl_sender *sender, enum vl_err err, const struct vl_why *why)
{
	sender->heard = false;
	if (sender->told == err)
		return;
	sender->told = err;
	vl_log_warning("cannot send to Kafka: %s; the outbox keeps everything, trying on",
		       vl_why_text(why, err));
}

static void lane_trouble(struct vl_sender *sender, size_t lane, enum vl_err err,
			 const struct vl_why *why)
{
	if (sender->told_of[lane] == err)
		return;
	sender->told_of[lane] = err;
	vl_log_error(
		"cannot send on lane '%s': %s; the outbox keeps it, trying on, other lanes go on",
		vl_roster_lane(lane)->name, vl_why_text(why, err));
}

static void all_well(struct vl_sender *sender, size_t lane)
{
	if (sender->told != VL_OK || sender->told_of[lane] != VL_OK)
		vl_log_info("Kafka takes batches on lane '%s' again", vl_roster_lane(lane)->name);
	if (sender->told != VL_OK)
		sender->well_since = vl_monotonic_ms();
	sender->told = sender->told_of[lane] = VL_OK;
	sender->reopen_ms = 0;
}

/* -- acks -- */

/* It is the record or its lane that is wrong, not the connection. */
static bool is_refusal(enum vl_err err)
{
	return err == VL_ERR_PERMISSION || err == VL_ERR_CORRUPT ||
	       vl_err_class(err) == VL_CLASS_REJECT;
}

static void explain_refusal(size_t lane, enum vl_err err, struct vl_why *why)
{
	if (err == VL_ERR_NOT_FOUND && lane >= vl_n_lanes)
		(void)vl_fail(why, err,
			      "Kafka has no such topic, as the mission was enrolled since; "
			      "make it: valise topic apply --keys DIR brokers/topics.yaml");
	else if (err == VL_ERR_NOT_FOUND)
		(void)vl_fail(why, err, "Kafka has no such topic; make it: valise topic apply");
	else if (err == VL_ERR_PERMISSION)
		(void)vl_fail(why, err,
			      "Kafka does not let this agent write to that topic; grant it");
}

static void note_clock(struct vl_sender *sender)
{
	int64_t appended = vl_producer_appended_ms(sender->producer);
	int64_t ahead = appended - vl_time_ms(vl_clock_now(&vl_clock_system));

	if (appended >= 0 && (!sender->clock_known || ahead > sender->ahead_ms))
		sender->ahead_ms = ahead;
	sender->clock_known |= appended >= 0;
}

static void on_acked(void *context, uint64_t tag, enum vl_err err, int32_t partition,
		     int64_t offset)
{
	struct vl_sender *sender = context;
	int64_t now = vl_monotonic_ms();

	(void)partition, (void)offset;
	if (err == VL_OK) {
		all_well(sender, vl_flight_acked(sender->flight, (size_t)tag, now));
		sender->news = sender->heard = true;
		note_clock(sender);
	} else if (is_refusal(err)) {
		size_t lane = vl_flight_refused(sender->flight, (size_t)tag, now);
		struct vl_why why = {0};
		explain_refusal(lane, err, &why);
		lane_trouble(sender, lane, err, &why);
	} else if (!sender->closing && sender->broken == VL_OK) {
		/* Why is said by the poll that is under way. */
		sender->broken = err;
	}
}

/* -- the producer -- */

struct vl_sender *vl_sender_open(const struct vl_agent_config *config, struct vl_flight *flight,
				 enum vl_class class)
{
	struct vl_sender *sender = calloc(1, sizeof(*sender));

	if (sender == NULL)
		return NULL;
	sender->class = class;
	sender->well_since = INT64_MIN / 2;
	sender->since = vl_time_ms(vl_clock_now(&vl_clock_system));
	sender->flight = flight;
	size_t own = classes[class].n_pairs;
	sender->n_pairs = own + config->n_kafka;
	sender->pairs = calloc(sender->n_pairs, sizeof(*sender->pairs));
	sender->told_of = calloc(vl_roster_room(), sizeof(*sender->told_of));
	sender->lanes = calloc(vl_n_lanes + 1, sizeof(*sender->lanes));
	if (sender->pairs == NULL || sender->told_of == NULL || sender->lanes == NULL) {
		vl_sender_close(sender, 0);
		return NULL;
	}
	for (size_t i = 0; i < vl_n_lanes; i++)
		if (vl_class_of(&vl_lanes[i]) == class && vl_lanes[i].broadcast)
			sender->lanes[sender->n_lanes++] = vl_lanes[i].name;
	memcpy(sender->pairs, classes[class].pairs, own * sizeof(*sender->pairs));
	memcpy(sender->pairs + own, config->kafka, config->n_kafka * sizeof(*sender->pairs));
	return sender;
}

static enum vl_err open_producer(struct vl_sender *sender, struct vl_why *why)
{
	struct vl_producer_options options = {
		.pairs = sender->pairs,
		.n_pairs = sender->n_pairs,
		.window_bytes = VL_WINDOW_MAX + VL_BATCH_MAX + RECORD_EXTRA * VL_FLIGHT_RECORDS +
				VL_FLIGHT_BESIDE * VL_FLIGHT_BESIDE_BYTES,
		.window_records = VL_FLIGHT_RECORDS,
		.acked = on_acked,
		.context = sender,
		.gives_way = sender->class == VL_BULK,
		.topics = sender->lanes,
		.n_topics = sender->n_lanes,
	};

	return vl_producer_open(&options, &sender->producer, why);
}

static void close_producer(struct vl_sender *sender, int timeout_ms)
{
	sender->closing = true;
	vl_producer_close(sender->producer, timeout_ms);
	sender->closing = sender->heard = false;
	sender->producer = NULL;
	vl_flight_restart(sender->flight, sender->class);
}

void vl_sender_close(struct vl_sender *sender, int timeout_ms)
{
	if (sender == NULL)
		return;
	if (sender->producer != NULL)
		close_producer(sender, timeout_ms);
	free(sender->pairs);
	free(sender->told_of);
	free(sender->lanes);
	free(sender);
}

/* A broken producer goes at once; a new one comes after a while. */
static void replace_producer(struct vl_sender *sender, int64_t now)
{
	close_producer(sender, 0);
	sender->broken = VL_OK;
	sender->reopen_ms = vl_back_off(sender->reopen_ms, REOPEN_MIN_MS, REOPEN_MAX_MS);
	sender->reopen_at = now + sender->reopen_ms;
}

static void check_stall(struct vl_sender *sender, uint64_t line, int64_t now)
{
	int64_t oldest;
	size_t bytes = vl_flight_age(sender->flight, sender->class, now, &oldest);
	uint64_t needs = (uint64_t)bytes * 2000 / (line > SLOW_LINE ? line : SLOW_LINE);

	if (bytes > 0 && oldest > classes[sender->class].stall_ms + (int64_t)needs &&
	    sender->broken == VL_OK) {
		sender->broken = VL_ERR_TIMEOUT;
		trouble(sender, VL_ERR_TIMEOUT, NULL);
	}
}

static void serve_producer(struct vl_sender *sender, uint64_t line, int64_t now)
{
	struct vl_why why = {0};
	uint64_t wakes;

	(void)!read(vl_producer_fd(sender->producer), &wakes, sizeof(wakes));
	enum vl_err err = vl_producer_poll(sender->producer, 0, &why);
	if (err == VL_ERR_UNREACHABLE) {
		trouble(sender, err, &why);
	} else if (err != VL_OK || sender->broken != VL_OK) {
		sender->broken = err != VL_OK ? err : sender->broken;
		trouble(sender, sender->broken, &why);
	}
	uint64_t rate = vl_producer_rate(sender->producer);
	if (rate > 0) {
		sender->rate = rate;
		vl_flight_line(sender->flight, sender->class, rate);
	}
	check_stall(sender, line, now);
}

/* -- sending -- */

/* What comes down has one partition a topic. Should somebody have made more, its readers still
 * read the first. */
static enum vl_err send_batch(struct vl_sender *sender, const char *mission,
			      const struct vl_outbox_batch *batch, size_t lane, size_t tag,
			      struct vl_why *why)
{
	int32_t partition = vl_roster_lane(lane)->addressed ? 0 : VL_PARTITION_OF_KEY;
	const char *type = vl_domain_content_type(batch->domain);
	char sig[VL_SIG_TEXT];

	vl_sig_format(&batch->key, &batch->signature, sig);
	struct vl_header headers[] = {
		{vl_bytes_of("content-type"), vl_bytes_of(type)},
		{vl_bytes_of(VL_SIG_HEADER), vl_bytes_of(sig)},
	};
	return vl_producer_send_to(sender->producer, batch->lane, partition, vl_bytes_of(mission),
				   batch->value, headers, sizeof(headers) / sizeof(headers[0]), tag,
				   why);
}

/* Bytes that came back from the disk are checked. A batch that was stored while this link runs
 * is still in memory; checking it would cost as much as sending it. */
static bool looks_right(const struct vl_sender *sender, const struct vl_outbox_batch *batch)
{
	int64_t stored = vl_time_ms(batch->stored_at);
	int64_t age =
		stored >= sender->since ? vl_time_ms(vl_clock_now(&vl_clock_system)) - stored : -1;

	return batch->state != VL_OUTBOX_DAMAGED &&
	       ((age >= 0 && age < FRESH_MS) || vl_outbox_intact(batch));
}

/* Send the next batch of a lane. False where nothing more can be sent in this round. */
static bool send_next(struct vl_sender *sender, const char *mission, struct vl_outbox_look *look,
		      size_t lane, int64_t now)
{
	struct vl_place after = vl_flight_sent_to(sender->flight, lane);
	struct vl_outbox_batch batch = {0};
	struct vl_why why = {0};

	if (!vl_outbox_next(look, vl_roster_lane(lane)->name, after.epoch, after.seq, &batch)) {
		vl_flight_empty(sender->flight, lane);
		return vl_outbox_look_err(look) == VL_OK;
	}
	size_t bytes = batch.value.size + RECORD_EXTRA;
	if (!vl_flight_allows(sender->flight, lane, bytes))
		return false;
	if (!looks_right(sender, &batch)) {
		/* The keeper gives it up; then there is something else behind what was sent. */
		vl_flight_set_aside(sender->flight, lane, now);
		sender->damaged = true;
		sender->damaged_lane = lane;
		sender->damaged_place = (struct vl_place){batch.epoch, batch.seq};
		return true;
	}
	/* Noted before it is sent, as its ack may come from within. */
	size_t tag = vl_flight_sent(sender->flight, lane, (struct vl_place){batch.epoch, batch.seq},
				    bytes, now);
	enum vl_err err = vl_failpoint("link.send")
				  ? VL_ERR_GONE
				  : send_batch(sender, mission, &batch, lane, tag, &why);
	(void)vl_failpoint("link.after-send");
	if (err == VL_OK)
		return true;
	(void)vl_flight_refused(sender->flight, tag, now);
	if (is_refusal(err)) {
		lane_trouble(sender, lane, err, &why);
		return true;
	}
	sender->broken = err;
	trouble(sender, err, &why);
	return false;
}

/* Fill the window. The outbox is looked at for only as long as that takes. */
static enum vl_err pump(struct vl_sender *sender, struct vl_outbox *outbox, int64_t now,
			struct vl_why *why)
{
	const char *mission = vl_outbox_mission(outbox);
	size_t lane;

	if (!vl_flight_next(sender->flight, sender->class, now, &lane))
		return VL_OK;
	struct vl_outbox_look *look = vl_outbox_look(outbox, why);
	if (look == NULL)
		return VL_ERR_IO;
	while (vl_flight_next(sender->flight, sender->class, now, &lane) &&
	       send_next(sender, mission, look, lane, now))
		;
	enum vl_err err = vl_outbox_look_err(look);
	vl_outbox_look_end(look);
	return err == VL_OK ? VL_OK
			    : vl_fail(why, err, "the outbox cannot be read: %s", vl_err_text(err));
}

void vl_sender_yield_to(struct vl_sender *sender, const struct vl_sender *first)
{
	sender->first = first;
}

/* Each finds by itself that the line is back; the first one must not fill it with all waiting
 * data. */
static bool yields(const struct vl_sender *sender, int64_t now)
{
	return sender->first != NULL && sender->first->told != VL_OK &&
	       now - sender->well_since < YIELD_MS;
}

enum vl_err vl_sender_serve(struct vl_sender *sender, struct vl_outbox *outbox, uint64_t line,
			    int64_t now, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	if (sender->producer == NULL && now >= sender->reopen_at)
		err = open_producer(sender, why);
	if (sender->producer == NULL)
		return err;
	serve_producer(sender, line, now);
	if (sender->broken == VL_OK && !yields(sender, now))
		err = pump(sender, outbox, now, why);
	if (sender->broken != VL_OK)
		replace_producer(sender, now);
	return err;
}

bool vl_sender_heard(const struct vl_sender *sender)
{
	return sender->heard;
}

bool vl_sender_news(struct vl_sender *sender)
{
	bool news = sender->news;

	sender->news = false;
	return news;
}

bool vl_sender_damaged(struct vl_sender *sender, size_t *lane, struct vl_place *place)
{
	bool damaged = sender->damaged;

	*lane = sender->damaged_lane;
	*place = sender->damaged_place;
	sender->damaged = false;
	return damaged;
}

bool vl_sender_clock(struct vl_sender *sender, int64_t *ahead_ms)
{
	bool known = sender->clock_known;

	*ahead_ms = sender->ahead_ms;
	sender->clock_known = false;
	return known;
}

uint64_t vl_sender_rate(const struct vl_sender *sender)
{
	return sender->rate;
}

int vl_sender_fd(const struct vl_sender *sender)
{
	return sender->producer != NULL ? vl_producer_fd(sender->producer) : -1;
}

int64_t vl_sender_wait(const struct vl_sender *sender, int64_t now)
{
	if (sender->producer != NULL)
		return -1;
	return sender->reopen_at > now ? sender->reopen_at - now : 0;
}

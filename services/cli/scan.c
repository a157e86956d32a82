#include "cli/scan.h"

#include "base/log.h"
#include "bus/types.h"
#include "stream/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 10000
#define POLL_MS 250
#define PATIENCE_MS 30000
#define LANES_MAX 64
#define TOLD 20 /* places that cannot be read, on stderr */

/* One partition, and where its reading ends. */
struct part {
	struct vl_position at;
	int64_t end;
	bool done;
};

struct cli_scan {
	const struct cli_options *options;
	struct vl_consumer *asker; /* reads nothing; NULL once all is asked */
	struct vl_reader *reader;
	struct vl_buf unread; /* struct cli_unread */
	struct part *parts;
	size_t n_parts, n_done;
	uint64_t total, done;
	int64_t silent_since; /* 0 while a broker answers */
	bool said;            /* that none does */
};

static enum vl_err no_topic(const char *topic, struct vl_why *why)
{
	const char *names[LANES_MAX];
	size_t n = 0;

	while (n < vl_n_lanes && n < LANES_MAX) {
		names[n] = vl_lanes[n].name;
		n++;
	}
	const struct vl_lane *lane = vl_lane_find(topic, strlen(topic));
	if (lane != NULL && lane->addressed && !lane->broadcast)
		return vl_fail(why, VL_ERR_NOT_FOUND,
			       "the brokers have no topic '%.64s'; each mission has one of its "
			       "own: name '%.64s.<MISSION>'",
			       topic, topic);
	const char *near = cli_nearest(topic, names, n);
	if (near == NULL || strcmp(near, topic) == 0)
		return vl_fail(why, VL_ERR_NOT_FOUND, "the brokers have no topic '%.64s'", topic);
	return vl_fail(why, VL_ERR_NOT_FOUND,
		       "the brokers have no topic '%.64s'; did you mean '%s'?", topic, near);
}

/* -- where to begin and to end -- */

static void see_setting(void *context, const char *key, const char *value)
{
	bool *senders = context;

	if (strcmp(key, "message.timestamp.type") == 0)
		*senders = strcmp(value, "LogAppendTime") != 0;
}

/* Whether a topic keeps the senders' time, as far as we may know: then a range of times says
 * nothing of it. */
static bool has_senders_time(const struct cli_scan *scan, const char *topic)
{
	const struct cli_options *o = scan->options;
	struct vl_admin *admin = NULL;
	bool senders = false;

	if (!o->since.given && !o->until.given)
		return false;
	if (vl_admin_open(o->pairs, o->n_pairs, &admin, NULL) == VL_OK &&
	    vl_admin_settings(admin, topic, ASK_MS, see_setting, &senders, NULL) == VL_OK &&
	    senders)
		vl_log_warning("'%s' keeps the senders' time (message.timestamp.type), which "
			       "is not reliable: --since and --until leave out nothing of it; "
			       "valise topic apply mends it",
			       topic);
	vl_admin_close(admin);
	return senders;
}

/* Of a topic with the senders' time all there is, or (a range that begins now) only what is to
 * come. */
static void place_untimed(struct cli_scan *scan, struct part *part)
{
	const struct cli_options *o = scan->options;

	if (o->since.given && vl_time_compare(o->since.time, vl_clock_now(&vl_clock_system)) >= 0)
		part->at.offset = part->end;
}

static enum vl_err place(struct cli_scan *scan, struct part *part, bool timed, struct vl_why *why)
{
	const struct cli_options *o = scan->options;
	const char *topic = part->at.topic;
	int32_t p = part->at.partition;
	int64_t first, at;

	enum vl_err err = vl_consumer_range(scan->asker, topic, p, ASK_MS, &first, &part->end, why);
	part->at.offset = first;
	if (err == VL_OK && !timed)
		place_untimed(scan, part);
	if (err == VL_OK && timed && o->since.given) {
		err = vl_consumer_offset_at(scan->asker, topic, p, vl_time_ms(o->since.time),
					    ASK_MS, &at, why);
		part->at.offset = err == VL_OK && at >= 0 ? at : part->end;
	}
	if (err == VL_OK && timed && o->until.given) {
		err = vl_consumer_offset_at(scan->asker, topic, p, vl_time_ms(o->until.time),
					    ASK_MS, &at, why);
		if (err == VL_OK && at >= 0 && at < part->end)
			part->end = at;
	}
	if (err != VL_OK)
		return err;
	part->done = !o->follow && part->at.offset >= part->end;
	scan->n_done += part->done;
	scan->total += part->end > part->at.offset ? (uint64_t)(part->end - part->at.offset) : 0;
	return VL_OK;
}

static enum vl_err add_topic(struct cli_scan *scan, const char *topic, struct vl_why *why)
{
	int32_t count = 0;

	if (strlen(topic) > VL_TOPIC_MAX)
		return no_topic(topic, why);
	enum vl_err err = vl_consumer_partitions(scan->asker, topic, ASK_MS, &count, why);
	if (err != VL_OK)
		return err == VL_ERR_NOT_FOUND ? no_topic(topic, why) : err;
	bool timed = !has_senders_time(scan, topic);
	struct part *parts = realloc(scan->parts, (scan->n_parts + (size_t)count) * sizeof(*parts));
	if (parts == NULL)
		return VL_ERR_NOMEM;
	scan->parts = parts;
	for (int32_t i = 0; i < count && err == VL_OK; i++) {
		struct part *part = &parts[scan->n_parts++];
		*part = (struct part){.at.partition = i};
		(void)strcpy(part->at.topic, topic);
		err = place(scan, part, timed, why);
	}
	return err;
}

/* The parts move no more. */
static enum vl_err begin(struct cli_scan *scan, struct vl_why *why)
{
	enum vl_err err =
		vl_reader_open(scan->options->pairs, scan->options->n_pairs, &scan->reader, why);

	for (size_t i = 0; i < scan->n_parts && err == VL_OK; i++)
		if (!scan->parts[i].done)
			err = vl_reader_put(scan->reader, &scan->parts[i].at, &scan->parts[i]);
	vl_consumer_close(scan->asker);
	scan->asker = NULL;
	return err;
}

static bool named_before(const char *const *topics, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(topics[j], topics[i]) == 0)
			return true;
	}
	return false;
}

enum vl_err cli_scan_open(const struct cli_options *options, const char *const *topics,
			  size_t count, struct cli_scan **scan, struct vl_why *why)
{
	struct cli_scan *s = calloc(1, sizeof(*s));

	*scan = NULL;
	if (s == NULL)
		return VL_ERR_NOMEM;
	s->options = options;
	enum vl_err err = vl_consumer_open(options->pairs, options->n_pairs, &s->asker, why);
	for (size_t i = 0; i < count && err == VL_OK; i++) {
		if (!named_before(topics, i))
			err = add_topic(s, topics[i], why);
	}
	if (err == VL_OK)
		err = begin(s, why);
	if (err != VL_OK) {
		cli_scan_close(s);
		return err;
	}
	*scan = s;
	return VL_OK;
}

void cli_scan_close(struct cli_scan *scan)
{
	if (scan == NULL)
		return;
	vl_consumer_close(scan->asker);
	vl_reader_close(scan->reader);
	vl_buf_free(&scan->unread);
	free(scan->parts);
	free(scan);
}

/* -- reading -- */

static void finish(struct cli_scan *scan, struct part *part)
{
	if (part->done || scan->options->follow)
		return;
	part->done = true;
	scan->n_done++;
}

/* False where the record came after the end: it is none of ours. */
static bool take(struct cli_scan *scan, struct part *part, const struct vl_record *record)
{
	if (part->done)
		return false;
	bool ours = scan->options->follow || record->offset < part->end;
	if (ours) {
		part->at.offset = record->offset + 1;
		scan->done++;
	}
	if (record->offset + 1 >= part->end)
		finish(scan, part);
	return ours;
}

/* An unreadable batch, or (`to` below 0) the rest of a partition. One that begins behind our end
 * is none of ours. */
static void pass_over(struct cli_scan *scan, struct part *part, const struct vl_news *news,
		      int64_t to)
{
	struct cli_unread unread = {
		.at = news->at, .to = to, .bytes = news->bytes, .err = news->err, .why = news->why};

	if (part->done || (!scan->options->follow && news->at.offset >= part->end))
		return;
	vl_buf_put(&scan->unread, &unread, sizeof(unread));
	if (to >= 0)
		scan->done += to > part->at.offset ? (uint64_t)(to - part->at.offset) : 0;
	if (to >= 0)
		part->at.offset = to;
	if (to < 0 || to >= part->end)
		finish(scan, part);
}

/* Offsets may be missing before a partition's end (what was deleted, what Kafka itself wrote):
 * its end is known by asking. What it may not read it does not wait for, unless it follows. */
static enum vl_err take_news(struct cli_scan *scan, struct vl_news *news,
			     struct vl_message **message, struct vl_why *why)
{
	struct part *part = news->owner;

	switch (news->kind) {
	case VL_NEWS_RECORD:
		if (take(scan, part, vl_message_record(news->message))) {
			*message = news->message;
			return VL_OK;
		}
		vl_message_free(news->message);
		break;
	case VL_NEWS_END:
		if (news->at.offset < 0 || news->at.offset >= part->end)
			finish(scan, part);
		break;
	case VL_NEWS_PASSED:
		pass_over(scan, part, news, news->to);
		break;
	case VL_NEWS_TROUBLE:
		if (news->err == VL_ERR_PERMISSION || news->err == VL_ERR_UNREACHABLE)
			pass_over(scan, part, news, -1);
		break;
	case VL_NEWS_LOST:
		*why = news->why;
		return VL_ERR_NOT_FOUND;
	}
	return vl_buf_failed(&scan->unread) ? VL_ERR_NOMEM : VL_ERR_BUSY;
}

static enum vl_err silent(struct cli_scan *scan, enum vl_err err, const struct vl_why *why)
{
	int64_t now = vl_monotonic_ms();

	/* The search for what lies behind a bad batch is no silence. */
	if (scan->silent_since == 0 || (err == VL_ERR_TIMEOUT && vl_reader_working(scan->reader)))
		scan->silent_since = now;
	if (err == VL_ERR_UNREACHABLE && !scan->said) {
		cli_progress_end();
		vl_log_warning("%s; trying again", vl_why_text(why, err));
		scan->said = true;
	}
	bool enough = now - scan->silent_since >= PATIENCE_MS && !scan->options->follow;
	return enough ? VL_ERR_UNREACHABLE : VL_ERR_TIMEOUT;
}

enum vl_err cli_scan_next(struct cli_scan *scan, struct vl_message **message, struct vl_why *why)
{
	struct vl_news news;

	*message = NULL;
	while (scan->n_done < scan->n_parts) {
		enum vl_err err = vl_reader_poll(scan->reader, POLL_MS, &news, why);
		if (err == VL_ERR_TIMEOUT || err == VL_ERR_UNREACHABLE)
			return silent(scan, err, why);
		scan->silent_since = 0;
		scan->said = false;
		if (err == VL_OK)
			err = take_news(scan, &news, message, why);
		if (err != VL_ERR_BUSY)
			return err;
	}
	return VL_ERR_END;
}

size_t cli_scan_unread(const struct cli_scan *scan, const struct cli_unread **unread)
{
	*unread = (const struct cli_unread *)(const void *)scan->unread.data;
	return scan->unread.size / sizeof(**unread);
}

size_t cli_scan_tell_unread(const struct cli_scan *scan)
{
	const struct cli_unread *unread;
	size_t n = cli_scan_unread(scan, &unread);

	for (size_t i = 0; i < n && i < TOLD; i++) {
		const struct cli_unread *u = &unread[i];
		if (u->to >= 0)
			vl_log_error("unread: %s partition %" PRId32 ", offsets %" PRId64
				     " to %" PRId64 ": unreadable: %s; passed over",
				     u->at.topic, u->at.partition, u->at.offset, u->to - 1,
				     vl_why_text(&u->why, u->err));
		else
			vl_log_error("unread: %s partition %" PRId32 ": %s", u->at.topic,
				     u->at.partition, vl_why_text(&u->why, u->err));
	}
	if (n > TOLD)
		vl_log_error("%zu more places cannot be read; -o json lists them", n - TOLD);
	return n;
}

uint64_t cli_scan_total(const struct cli_scan *scan)
{
	return scan->total;
}

uint64_t cli_scan_done(const struct cli_scan *scan)
{
	return scan->done;
}

enum vl_err cli_ring_open(const struct cli_options *options, struct vl_ring **ring,
			  struct vl_why *why)
{
	*ring = NULL;
	if (options->keys == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "no keys to verify with; give --keys DIR (a folder of *.pub "
			       "files) or set VALISE_KEYS");
	enum vl_err err = vl_ring_open(options->keys, ring, why);
	for (size_t i = 0; err == VL_OK && vl_ring_fault(*ring, i) != NULL; i++)
		vl_log_warning("a public key is left out: %s", vl_ring_fault(*ring, i));
	if (err == VL_OK && vl_ring_count(*ring) == 0)
		vl_log_warning("'%s' holds no public keys; nothing can be verified", options->keys);
	return err;
}

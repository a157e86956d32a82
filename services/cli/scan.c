#include "cli/scan.h"

#include "base/log.h"
#include "bus/types.h"

#include <stdlib.h>
#include <string.h>

#define ASK_MS 10000
#define POLL_MS 250
#define PATIENCE_MS 30000
#define LANES_MAX 64

/* One partition, and where its reading ends. */
struct part {
	struct vl_position at;
	int64_t end;
	bool done;
};

struct cli_scan {
	const struct cli_options *options;
	struct vl_consumer *consumer;
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
	const char *near = cli_nearest(topic, names, n);
	if (near == NULL || strcmp(near, topic) == 0)
		return vl_fail(why, VL_ERR_NOT_FOUND, "the brokers have no topic '%.64s'", topic);
	return vl_fail(why, VL_ERR_NOT_FOUND, "the brokers have no topic '%.64s'; did you mean '%s'?", topic, near);
}

/* -- where to begin and to end -- */

static enum vl_err place(struct cli_scan *scan, struct part *part, struct vl_why *why)
{
	const struct cli_options *o = scan->options;
	const char *topic = part->at.topic;
	int32_t p = part->at.partition;
	int64_t first, at;

	enum vl_err err = vl_consumer_range(scan->consumer, topic, p, ASK_MS, &first, &part->end, why);
	part->at.offset = first;
	if (err == VL_OK && o->since.given) {
		err = vl_consumer_offset_at(scan->consumer, topic, p, vl_time_ms(o->since.time), ASK_MS, &at, why);
		part->at.offset = err == VL_OK && at >= 0 ? at : part->end;
	}
	if (err == VL_OK && o->until.given) {
		err = vl_consumer_offset_at(scan->consumer, topic, p, vl_time_ms(o->until.time), ASK_MS, &at, why);
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
	enum vl_err err = vl_consumer_partitions(scan->consumer, topic, ASK_MS, &count, why);
	if (err != VL_OK)
		return err == VL_ERR_NOT_FOUND ? no_topic(topic, why) : err;
	struct part *parts = realloc(scan->parts, (scan->n_parts + (size_t)count) * sizeof(*parts));
	if (parts == NULL)
		return VL_ERR_NOMEM;
	scan->parts = parts;
	for (int32_t i = 0; i < count && err == VL_OK; i++) {
		struct part *part = &parts[scan->n_parts++];
		*part = (struct part){.at.partition = i};
		(void)strcpy(part->at.topic, topic);
		err = place(scan, part, why);
	}
	return err;
}

static enum vl_err assign(struct cli_scan *scan, struct vl_why *why)
{
	struct vl_position *positions = calloc(scan->n_parts + 1, sizeof(*positions));
	size_t n = 0;

	if (positions == NULL)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < scan->n_parts; i++) {
		if (!scan->parts[i].done)
			positions[n++] = scan->parts[i].at;
	}
	enum vl_err err = n > 0 ? vl_consumer_assign(scan->consumer, positions, n, why) : VL_OK;
	free(positions);
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

enum vl_err cli_scan_open(const struct cli_options *options, const char *const *topics, size_t count,
			  struct cli_scan **scan, struct vl_why *why)
{
	struct cli_scan *s = calloc(1, sizeof(*s));

	*scan = NULL;
	if (s == NULL)
		return VL_ERR_NOMEM;
	s->options = options;
	enum vl_err err = vl_consumer_open(options->pairs, options->n_pairs, &s->consumer, why);
	for (size_t i = 0; i < count && err == VL_OK; i++) {
		if (!named_before(topics, i))
			err = add_topic(s, topics[i], why);
	}
	if (err == VL_OK)
		err = assign(s, why);
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
	vl_consumer_close(scan->consumer);
	free(scan->parts);
	free(scan);
}

/* -- reading -- */

static struct part *find(struct cli_scan *scan, struct vl_bytes topic, int32_t partition)
{
	for (size_t i = 0; i < scan->n_parts; i++) {
		struct part *part = &scan->parts[i];
		if (part->at.partition == partition && vl_bytes_are(topic, part->at.topic))
			return part;
	}
	return NULL;
}

static void finish(struct cli_scan *scan, struct part *part)
{
	if (part->done || scan->options->follow)
		return;
	part->done = true;
	scan->n_done++;
}

/* False where the record came after the end: it is none of ours. */
static bool take(struct cli_scan *scan, const struct vl_record *record)
{
	struct part *part = find(scan, record->topic, record->partition);

	if (part == NULL || part->done)
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

/* Offsets may be missing before a partition's end (what was deleted, what Kafka itself wrote): its end is known by asking. */
static void reached(struct cli_scan *scan, const struct vl_position *at)
{
	struct part *part = find(scan, vl_bytes_of(at->topic), at->partition);

	if (part != NULL && (at->offset < 0 || at->offset >= part->end))
		finish(scan, part);
}

static enum vl_err silent(struct cli_scan *scan, enum vl_err err, const struct vl_why *why)
{
	int64_t now = vl_monotonic_ms();

	if (scan->silent_since == 0)
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
	struct vl_position at = {0};

	*message = NULL;
	while (scan->n_done < scan->n_parts) {
		enum vl_err err = vl_consumer_poll(scan->consumer, POLL_MS, message, &at, why);
		if (err == VL_ERR_TIMEOUT || err == VL_ERR_UNREACHABLE)
			return silent(scan, err, why);
		scan->silent_since = 0;
		scan->said = false;
		if (err == VL_ERR_END)
			reached(scan, &at);
		else if (err != VL_OK)
			return err;
		else if (take(scan, vl_message_record(*message)))
			return VL_OK;
		vl_message_free(*message);
		*message = NULL;
	}
	return VL_ERR_END;
}

uint64_t cli_scan_total(const struct cli_scan *scan)
{
	return scan->total;
}

uint64_t cli_scan_done(const struct cli_scan *scan)
{
	return scan->done;
}

enum vl_err cli_ring_open(const struct cli_options *options, struct vl_ring **ring, struct vl_why *why)
{
	*ring = NULL;
	if (options->keys == NULL)
		return vl_fail(why, VL_ERR_USAGE,
			       "no keys to verify with; give --keys DIR (a folder of *.pub files) or set VALISE_KEYS");
	enum vl_err err = vl_ring_open(options->keys, ring, why);
	for (size_t i = 0; err == VL_OK && vl_ring_fault(*ring, i) != NULL; i++)
		vl_log_warning("a public key is left out: %s", vl_ring_fault(*ring, i));
	if (err == VL_OK && vl_ring_count(*ring) == 0)
		vl_log_warning("'%s' holds no public keys; nothing can be verified", options->keys);
	return err;
}

/*
 * What there is to read, and where it ends (feed_in.h).
 */
#include "base/log.h"
#include "bus/types.h"
#include "hq/fold/views.h"
#include "hq/ingest/feed_in.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_MS 1000
#define LEADERS ((size_t)1 << 16) /* of a topic that are looked at */

/* -- what there is to be read -- */

struct vl_feed_topic *vl_feed_topics(enum vl_precedence least, size_t *count)
{
	static const char *const others[] = {VL_PULSE_LANE};
	size_t views = vl_views_count(), n_others = sizeof(others) / sizeof(others[0]);
	struct vl_feed_topic *topics = calloc(views + n_others, sizeof(*topics));

	*count = views + n_others;
	for (size_t i = 0; topics != NULL && i < *count; i++) {
		topics[i].name = i < views ? vl_views[i]->lane : others[i - views];
		topics[i].held = i < views && vl_view_precedence(i) > least;
	}
	return topics;
}

static struct vl_feed_part *make_part(struct vl_feed *f, struct vl_feed_topic *topic,
				      int32_t partition)
{
	pthread_mutex_lock(&f->lock);
	struct vl_feed_part **parts = realloc(topic->parts, (topic->n + 1) * sizeof(*parts));
	if (parts != NULL)
		topic->parts = parts;
	pthread_mutex_unlock(&f->lock);
	struct vl_feed_part *part = calloc(1, sizeof(*part));
	struct vl_txn *txn = vl_txn_begin(f->store, false, NULL);

	if (parts == NULL || part == NULL || txn == NULL) {
		vl_txn_abort(txn);
		free(part);
		return NULL;
	}
	static const struct vl_digest unknown;
	int64_t offset = vl_apply_offset(txn, topic->name, partition, &part->last);
	vl_txn_abort(txn);
	part->check = offset > 0 && !vl_digest_equal(&part->last, &unknown);
	part->ended = -1;
	part->next = (struct vl_position){.partition = partition,
					  .offset = offset >= 0 ? offset : VL_OFFSET_BEGINNING};
	/* a lane's name: far shorter than a topic may be */
	(void)strcpy(part->next.topic, topic->name);
	pthread_mutex_lock(&f->lock);
	topic->parts[topic->n++] = part;
	pthread_mutex_unlock(&f->lock);
	f->n_parts++;
	return part;
}

static void take_leaders(struct vl_feed *f, struct vl_feed_topic *topic, const bool *absent)
{
	for (size_t p = 0; p < topic->n && p < LEADERS; p++) {
		struct vl_feed_part *part = topic->parts[p];
		struct vl_why why = {0};
		if (absent[p] && !part->absent && !part->waiting) {
			(void)vl_fail(&why, VL_ERR_UNREACHABLE, "it has no leader");
			vl_feed_wait(f, topic->name, (int32_t)p, &part->waiting, VL_ERR_UNREACHABLE,
				     &why);
		} else if (!absent[p] && part->absent)
			vl_feed_go_on(f, topic->name, (int32_t)p, &part->waiting);
		part->absent = absent[p];
	}
}

/* Partitions that are new, and leaders that are not there. */
static enum vl_err take_partitions(struct vl_feed *f, struct vl_feed_topic *topic,
				   struct vl_why *why)
{
	bool *absent = calloc(LEADERS, sizeof(*absent));
	int32_t count = 0;

	if (absent == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = vl_consumer_leaders(f->asker, topic->name, VL_FEED_ASK_MS, &count, absent,
					      LEADERS, why);
	while (err == VL_OK && topic->n < (size_t)count) {
		struct vl_feed_part *part = make_part(f, topic, (int32_t)topic->n);
		if (part == NULL)
			err = VL_ERR_NOMEM;
		else
			vl_feed_read(f, part);
	}
	if (err == VL_OK)
		take_leaders(f, topic, absent);
	free(absent);
	return err;
}

static void hold(struct vl_feed *f, struct vl_feed_topic *topic)
{
	struct vl_why why = {0};
	enum vl_err err =
		vl_fail(&why, VL_ERR_FULL,
			"the views have no room for lanes that are not urgent; this one waits "
			"in Kafka");

	vl_feed_wait(f, topic->name, -1, &topic->waiting, err, &why);
}

/* What is wrong with one topic keeps nobody from looking at the others; that no broker answers
 * does. */
static enum vl_err look_at(struct vl_feed *f, struct vl_feed_topic *topic, struct vl_why *why)
{
	*why = (struct vl_why){0};
	enum vl_err err = take_partitions(f, topic, why);

	topic->missing = err == VL_ERR_NOT_FOUND;
	if (err == VL_OK || err == VL_ERR_NOT_FOUND)
		vl_feed_go_on(f, topic->name, -1, &topic->waiting);
	else if (err != VL_ERR_UNREACHABLE)
		vl_feed_wait(f, topic->name, -1, &topic->waiting, err, why);
	return err;
}

bool vl_feed_look(struct vl_feed *f)
{
	size_t missing = 0, before = f->n_parts, good = 0;
	enum vl_err err = VL_OK;
	struct vl_why why = {0};

	for (size_t i = 0; i < f->n_topics && err != VL_ERR_UNREACHABLE && !f->stop; i++) {
		if (f->topics[i].held) {
			hold(f, &f->topics[i]);
			good++;
			continue;
		}
		err = look_at(f, &f->topics[i], &why);
		missing += f->topics[i].missing;
		good += err == VL_OK;
	}
	vl_feed_say_unreachable(f, err == VL_ERR_UNREACHABLE, &why);
	if (err == VL_ERR_UNREACHABLE)
		return false;
	if (missing > 0 && missing != f->topics_missing)
		vl_log_warning("%zu topics are not there yet; waiting (valise topic apply "
			       "brokers/topics.yaml makes them)",
			       missing);
	f->topics_missing = missing;
	if (f->n_parts > before)
		vl_log_info("reading %zu partitions", f->n_parts);
	return good == f->n_topics;
}

/* -- what is lost -- */

void vl_feed_find_lost(struct vl_feed *f,
		       bool (*found)(struct vl_feed *f, struct vl_feed_part *part, int64_t first,
				     int64_t end))
{
	if (vl_monotonic_ms() < f->find_at)
		return;
	for (size_t i = 0; i < f->n_topics; i++) {
		struct vl_feed_topic *topic = &f->topics[i];
		int32_t count = -1;
		for (size_t p = 0; p < topic->n && !f->stop; p++) {
			struct vl_feed_part *part = topic->parts[p];
			int64_t first, end;
			if (part->state == VL_FEED_READING || part->absent)
				continue;
			/* Whether there is anything to ask for is known much sooner. */
			if (count < 0 &&
			    vl_consumer_partitions(f->asker, topic->name, VL_FEED_ASK_MS, &count,
						   NULL) != VL_OK)
				break;
			if ((size_t)count > p &&
			    vl_consumer_range(f->asker, topic->name, (int32_t)p, VL_FEED_ASK_MS,
					      &first, &end, NULL) == VL_OK)
				(void)found(f, part, first, end);
		}
	}
	f->find_at = vl_monotonic_ms() + RETRY_MS;
}

/* -- where the lanes end -- */

static int64_t applied_when_read(const struct vl_feed_part *part)
{
	return part->next.offset > 0 ? part->next.offset : 0;
}

static bool put_end(struct vl_feed_part *part, int64_t end, struct vl_buf *ends,
		    struct vl_buf *ends_of)
{
	struct vl_position position = part->next;

	part->end = end;
	position.offset = part->ended >= end ? applied_when_read(part) : end;
	vl_buf_put(ends, &position, sizeof(position));
	vl_buf_put(ends_of, &part, sizeof(struct vl_feed_part *));
	return !vl_buf_failed(ends) && !vl_buf_failed(ends_of);
}

/* Append the ends of a lane's partitions; takes them back where one is not read, is read beyond
 * its end, or cannot be asked. */
static enum vl_err ask_lane(struct vl_feed *f, const struct vl_feed_topic *topic,
			    struct vl_buf *ends, struct vl_buf *ends_of)
{
	size_t before = ends->size, of_before = ends_of->size;
	int32_t count = 0;
	enum vl_err err =
		vl_consumer_partitions(f->asker, topic->name, VL_FEED_ASK_MS, &count, NULL);

	if (err == VL_OK && (size_t)count != topic->n)
		err = VL_ERR_NOT_FOUND;
	for (size_t p = 0; err == VL_OK && p < topic->n; p++) {
		struct vl_feed_part *part = topic->parts[p];
		int64_t first, end;
		if (part->state != VL_FEED_READING || part->waiting || part->absent)
			err = VL_ERR_NOT_FOUND;
		else
			err = vl_consumer_range(f->asker, topic->name, (int32_t)p, VL_FEED_ASK_MS,
						&first, &end, NULL);
		if (err == VL_OK && part->next.offset > end)
			err = VL_ERR_NOT_FOUND;
		if (err == VL_OK && !put_end(part, end > first ? end : 0, ends, ends_of))
			err = VL_ERR_NOMEM;
	}
	if (err != VL_OK) {
		ends->size = before;
		ends_of->size = of_before;
	}
	return err;
}

void vl_feed_survey(struct vl_feed *f)
{
	struct vl_buf ends = {0}, ends_of = {0};

	pthread_mutex_lock(&f->lock);
	bool asked = f->ends_asked;
	f->ends_asked = false;
	pthread_mutex_unlock(&f->lock);
	if (!asked)
		return;
	for (size_t i = 0; i < vl_views_count() && !f->stop; i++)
		if (!f->topics[i].held &&
		    ask_lane(f, &f->topics[i], &ends, &ends_of) == VL_ERR_UNREACHABLE)
			break;
	pthread_mutex_lock(&f->lock);
	vl_buf_free(&f->ends);
	vl_buf_free(&f->ends_of);
	f->ends = ends;
	f->ends_of = ends_of;
	f->ends_told = true;
	pthread_mutex_unlock(&f->lock);
}

void vl_feed_ended(struct vl_feed *f, struct vl_feed_part *part, int64_t end)
{
	part->ended = end;
	pthread_mutex_lock(&f->lock);
	part->at_end = true;
	part->at_end_ms = vl_monotonic_ms();
	part->mark = vl_verifier_mark(f->verifier);
	struct vl_feed_part **of = (struct vl_feed_part **)(void *)f->ends_of.data;
	struct vl_position *ends = (struct vl_position *)(void *)f->ends.data;
	for (size_t i = 0; i < f->ends_of.size / sizeof(struct vl_feed_part *); i++)
		if (of[i] == part && end >= part->end)
			ends[i].offset = applied_when_read(part);
	pthread_mutex_unlock(&f->lock);
}

void vl_feed_not_ended(struct vl_feed *f, struct vl_feed_part *part)
{
	if (!part->at_end)
		return;
	pthread_mutex_lock(&f->lock);
	part->at_end = false;
	part->at_end_ms = vl_monotonic_ms();
	pthread_mutex_unlock(&f->lock);
}

static bool has_read(struct vl_feed *f, const struct vl_feed_part *part, int64_t since)
{
	return part->state != VL_FEED_READING || part->waiting ||
	       ((part->at_end || part->at_end_ms >= since) &&
		vl_verifier_past(f->verifier, part->mark));
}

bool vl_feed_has_read(void *feed, const char *lane, int64_t since)
{
	struct vl_feed *f = feed;
	bool read = true;

	pthread_mutex_lock(&f->lock);
	for (size_t t = 0; t < f->n_topics; t++) {
		const struct vl_feed_topic *topic = &f->topics[t];
		if (strcmp(topic->name, lane) != 0)
			continue;
		read = topic->n > 0 || topic->missing || topic->waiting;
		for (size_t p = 0; p < topic->n; p++)
			read = read && has_read(f, topic->parts[p], since);
	}
	pthread_mutex_unlock(&f->lock);
	return read;
}

void vl_feed_ask_ends(struct vl_feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->ends_asked = true;
	f->ends_told = false;
	pthread_mutex_unlock(&f->lock);
}

bool vl_feed_ends(struct vl_feed *f, struct vl_buf *ends)
{
	vl_buf_reset(ends);
	pthread_mutex_lock(&f->lock);
	bool told = f->ends_told;
	if (told && f->ends.size > 0)
		vl_buf_put(ends, f->ends.data, f->ends.size);
	pthread_mutex_unlock(&f->lock);
	return told && !vl_buf_failed(ends);
}

#include "base/failpoint.h"
#include "base/log.h"
#include "bus/types.h"
#include "hq/ingest/feed_in.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 200
#define LOOK_MS 10000 /* between looks for new partitions and lost leaders */
#define RETRY_MS 1000
#define DRAIN_MS 5

void vl_feed_say_unreachable(struct vl_feed *f, bool unreachable, const struct vl_why *why)
{
	if (unreachable && !f->unreachable)
		vl_log_warning("no broker answers (%s); waiting",
			       vl_why_text(why, VL_ERR_UNREACHABLE));
	if (!unreachable && f->unreachable)
		vl_log_info("the brokers answer again");
	f->unreachable = unreachable;
}

/* -- notes for the ledger -- */

static void note(struct vl_feed *f, struct vl_unread *unread, bool over)
{
	unread->since_ms = vl_time_ms(vl_clock_now(f->clock));
	vl_notes_put(&f->notes, unread, over);
}

static struct vl_unread about(enum vl_unread_kind kind, const char *topic, int32_t partition)
{
	struct vl_unread unread = {.kind = kind, .partition = partition};

	(void)snprintf(unread.topic, sizeof(unread.topic), "%s", topic);
	return unread;
}

void vl_feed_wait(struct vl_feed *f, const char *topic, int32_t partition, bool *waiting,
		  enum vl_err err, const struct vl_why *why)
{
	struct vl_unread unread = about(VL_UNREAD_WAITING, topic, partition);

	if (*waiting)
		return;
	*waiting = true;
	unread.err = err;
	(void)snprintf(unread.words, sizeof(unread.words), "%s", vl_why_text(why, err));
	note(f, &unread, false);
}

void vl_feed_go_on(struct vl_feed *f, const char *topic, int32_t partition, bool *waiting)
{
	struct vl_unread unread = about(VL_UNREAD_WAITING, topic, partition);

	if (*waiting)
		note(f, &unread, true);
	*waiting = false;
}

enum vl_err vl_feed_note(struct vl_feed *f, struct vl_why *why)
{
	return vl_notes_write(&f->notes, f->store, why);
}

/* -- what is lost -- */

void vl_feed_read(struct vl_feed *f, struct vl_feed_part *part)
{
	struct vl_position at = part->next;

	at.offset -= part->check;
	part->ended = -1;
	if (vl_reader_put(f->reader, &at, part) != VL_OK)
		part->state = VL_FEED_LOST; /* out of memory: it is looked for again */
}

/* A topic is missing as a whole, though librdkafka complains of each partition in turn. */
static void mark_lost(struct vl_feed *f, const struct vl_feed_part *lost, bool missing)
{
	for (size_t t = 0; t < f->n_topics; t++)
		for (size_t p = 0; p < f->topics[t].n; p++) {
			struct vl_feed_part *part = f->topics[t].parts[p];
			if (part != lost &&
			    (!missing || strcmp(part->next.topic, lost->next.topic) != 0))
				continue;
			part->state = missing ? VL_FEED_MISSING : VL_FEED_LOST;
			part->check = false;
			vl_reader_drop(f->reader, part->next.topic, part->next.partition);
		}
}

static void lose(struct vl_feed *f, struct vl_feed_part *part, int64_t offset,
		 const struct vl_why *why)
{
	if (part->state != VL_FEED_READING)
		return;
	vl_log_error("cannot read '%s' partition %d at offset %lld: %s; looking for its records",
		     part->next.topic, (int)part->next.partition, (long long)part->next.offset,
		     vl_why_text(why, VL_ERR_NOT_FOUND));
	mark_lost(f, part, offset < 0);
	f->find_at = 0;
}

/* Have the ledger take this partition's records from `offset` on; false where we are to end.
 * What was read before is applied first, as its offsets would count again afterwards. */
static bool ask_rewind(struct vl_feed *f, const struct vl_position *position, int64_t offset)
{
	bool waiting = true;

	while (!f->stop && !vl_verifier_idle(f->verifier))
		(void)poll(NULL, 0, DRAIN_MS);
	pthread_mutex_lock(&f->lock);
	f->rewind = *position;
	f->rewind.offset = offset;
	f->asked = true;
	pthread_mutex_unlock(&f->lock);
	while (!f->stop && waiting) {
		(void)poll(NULL, 0, DRAIN_MS);
		pthread_mutex_lock(&f->lock);
		waiting = f->asked;
		pthread_mutex_unlock(&f->lock);
	}
	return !waiting;
}

enum vl_err vl_feed_rewind(struct vl_feed *f, struct vl_applier *applier, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	pthread_mutex_lock(&f->lock);
	if (f->asked)
		err = vl_apply_rewind(applier, f->rewind.topic, f->rewind.partition,
				      f->rewind.offset, why);
	f->asked &= err != VL_OK;
	pthread_mutex_unlock(&f->lock);
	return err;
}

static bool found(struct vl_feed *f, struct vl_feed_part *part, int64_t first, int64_t end)
{
	struct vl_position *next = &part->next;
	bool there = next->offset < 0 ||
		     (part->state == VL_FEED_LOST && next->offset >= first && next->offset <= end);

	if (!there) {
		if (!ask_rewind(f, next, first))
			return false;
		vl_log_error("'%s' partition %d no longer has offset %lld: it begins at %lld "
			     "and ends before %lld. Reading goes on at %lld, and no record is "
			     "skipped; the missions send lost ones again",
			     next->topic, (int)next->partition, (long long)next->offset,
			     (long long)first, (long long)end, (long long)first);
		next->offset = first;
	}
	part->state = VL_FEED_READING;
	vl_feed_read(f, part);
	return true;
}

/* -- reading -- */

static void free_message(void *owner)
{
	vl_message_free(owner);
}

/* At the start: a topic that was made anew may reach as far as the old one did. True where the
 * record is only the one before the next, whatever it shows. */
static bool check_last(struct vl_feed *f, struct vl_feed_part *part, const struct vl_record *record)
{
	struct vl_digest digest = vl_batch_digest(record->value);
	struct vl_why why = {0};

	part->check = false;
	if (record->offset >= part->next.offset)
		return false;
	if (!vl_digest_equal(&digest, &part->last)) {
		(void)vl_fail(&why, VL_ERR_NOT_FOUND,
			      "the record before it is not the one that was read; was the "
			      "topic made anew?");
		lose(f, part, VL_OFFSET_END, &why);
	}
	return true;
}

/* FLASH stands in no line with anything else, and nothing is taken for which there is no room
 * yet: so nobody's bulk holds up the rest. */
static bool is_apart(void *context, const char *topic)
{
	const struct vl_lane *lane = vl_lane_find(topic, strlen(topic));

	(void)context;
	return lane != NULL && lane->precedence == VL_FLASH;
}

static void take_message(struct vl_feed *f, struct vl_feed_part *part, struct vl_message *message)
{
	const struct vl_record *record = vl_message_record(message);

	if (part->state != VL_FEED_READING || (part->check && check_last(f, part, record))) {
		vl_message_free(message);
		return;
	}
	if (record->sender_time)
		vl_message_stamp(message, vl_time_ms(vl_clock_now(f->clock)));
	(void)vl_failpoint("hq.after-fetch");
	vl_feed_not_ended(f, part);
	part->next.offset = record->offset + 1;
	if (is_apart(f, part->next.topic))
		(void)vl_verifier_put_or_off(f->verifier, record, free_message, message);
	else
		(void)vl_verifier_put(f->verifier, record, free_message, message);
}

/* The record before the next one may be among what nobody can read: then there is nothing to be
 * checked. */
static void pass_over(struct vl_feed *f, struct vl_feed_part *part, const struct vl_news *news)
{
	struct vl_unread unread = about(VL_UNREAD_PASSED, news->at.topic, news->at.partition);

	part->check = false;
	if (news->to <= part->next.offset)
		return;
	unread.from = news->at.offset > part->next.offset ? news->at.offset : part->next.offset;
	unread.to = news->to;
	unread.times = 1;
	unread.bytes = news->bytes;
	unread.err = news->err;
	(void)snprintf(unread.words, sizeof(unread.words), "%s",
		       vl_why_text(&news->why, news->err));
	note(f, &unread, false);
}

static void take_news(struct vl_feed *f, struct vl_news *news)
{
	struct vl_feed_part *part = news->owner;

	if (news->kind == VL_NEWS_RECORD || news->kind == VL_NEWS_END ||
	    news->kind == VL_NEWS_PASSED) {
		vl_feed_say_unreachable(f, false, NULL);
		vl_feed_go_on(f, part->next.topic, part->next.partition, &part->waiting);
	}
	switch (news->kind) {
	case VL_NEWS_RECORD:
		take_message(f, part, news->message);
		break;
	case VL_NEWS_END:
		vl_feed_ended(f, part, news->at.offset);
		break;
	case VL_NEWS_TROUBLE:
		vl_feed_wait(f, part->next.topic, part->next.partition, &part->waiting, news->err,
			     &news->why);
		break;
	case VL_NEWS_PASSED:
		pass_over(f, part, news);
		break;
	case VL_NEWS_LOST:
		lose(f, part, news->at.offset, &news->why);
		break;
	}
}

static void poll_once(struct vl_feed *f)
{
	struct vl_news news;
	struct vl_why why = {0};
	enum vl_err err = vl_reader_poll(f->reader, POLL_MS, &news, &why);

	if (err == VL_OK && news.kind == VL_NEWS_RECORD && vl_failpoint("hq.fetch")) {
		vl_message_free(news.message);
		vl_feed_read(f, news.owner);
		err = vl_fail(&why, VL_ERR_GONE, "a test says so");
	}
	if (err == VL_OK)
		take_news(f, &news);
	else if (err == VL_ERR_UNREACHABLE)
		vl_feed_say_unreachable(f, true, &why);
	else if (err != VL_ERR_TIMEOUT) {
		vl_log_cannot("read", "the lanes", &why, err);
		(void)poll(NULL, 0, RETRY_MS);
	}
}

static void *feed(void *context)
{
	struct vl_feed *f = context;
	int64_t next_look = 0;

	while (!f->stop) {
		if (vl_monotonic_ms() >= next_look) {
			bool all = vl_feed_look(f);
			next_look = vl_monotonic_ms() + (all ? LOOK_MS : RETRY_MS);
		}
		vl_feed_find_lost(f, found);
		vl_feed_survey(f);
		poll_once(f);
	}
	return NULL;
}

static bool has_room(void *context, const char *topic, int32_t partition)
{
	const struct vl_feed *f = context;

	return topic != NULL && is_apart(context, topic)
		       ? vl_verifier_has_slot(f->verifier)
		       : vl_verifier_has_room(f->verifier, topic, partition);
}

/* -- opening and closing -- */

static void free_feed(struct vl_feed *f)
{
	vl_reader_close(f->reader);
	vl_consumer_close(f->asker);
	for (size_t t = 0; f->topics != NULL && t < f->n_topics; t++) {
		for (size_t p = 0; p < f->topics[t].n; p++)
			free(f->topics[t].parts[p]);
		free(f->topics[t].parts);
	}
	free(f->topics);
	vl_notes_close(&f->notes);
	vl_buf_free(&f->ends);
	vl_buf_free(&f->ends_of);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static enum vl_err forget_waiting(struct vl_store *store, struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	vl_unread_forget(txn, VL_UNREAD_WAITING);
	vl_unread_forget(txn, VL_UNREAD_SETTING);
	enum vl_err err = vl_txn_commit(txn, why);
	return err == VL_ERR_FULL ? VL_OK : err;
}

enum vl_err vl_feed_open(struct vl_store *store, struct vl_verifier *verifier,
			 const struct vl_conf_pair *pairs, size_t n_pairs,
			 const struct vl_clock *clock, enum vl_precedence least,
			 struct vl_feed **opened, struct vl_why *why)
{
	struct vl_feed *f = calloc(1, sizeof(*f));

	*opened = NULL;
	if (f == NULL)
		return VL_ERR_NOMEM;
	f->store = store;
	f->verifier = verifier;
	f->clock = clock;
	pthread_mutex_init(&f->lock, NULL);
	vl_notes_open(&f->notes);
	f->topics = vl_feed_topics(least, &f->n_topics);
	enum vl_err err = f->topics != NULL ? forget_waiting(store, why) : VL_ERR_NOMEM;
	if (err == VL_OK)
		err = vl_reader_open(pairs, n_pairs, &f->reader, why);
	if (err == VL_OK)
		err = vl_reader_set_room(f->reader,
					 &(struct vl_consumer_room){is_apart, has_room, f});
	if (err == VL_OK)
		err = vl_consumer_open(pairs, n_pairs, &f->asker, why);
	if (err == VL_OK && pthread_create(&f->thread, NULL, feed, f) != 0)
		err = vl_fail(why, VL_ERR_NOMEM, "cannot start a thread");
	if (err != VL_OK) {
		free_feed(f);
		return err;
	}
	*opened = f;
	return VL_OK;
}

void vl_feed_close(struct vl_feed *f)
{
	if (f == NULL)
		return;
	f->stop = true;
	pthread_join(f->thread, NULL);
	free_feed(f);
}

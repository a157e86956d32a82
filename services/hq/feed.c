#include "hq/feed.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "bus/types.h"
#include "hq/apply.h"
#include "hq/views.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARTITIONS VL_FEED_PARTITIONS
#define ASK_MS 3000
#define POLL_MS 200
#define LOOK_MS 60000 /* between looks for new partitions */
#define RETRY_MS 1000
#define DRAIN_MS 5

/* Of a partition. */
enum state {
	READING,
	LOST,    /* its next record is not there */
	MISSING, /* nor is its topic; when it is there again, it is another one */
};

struct vl_feed {
	struct vl_store *store;
	struct vl_verifier *verifier;
	const struct vl_conf_pair *pairs;
	size_t n_pairs;
	struct vl_consumer *consumer;
	struct vl_position positions[MAX_PARTITIONS]; /* what is read, and the next offset of each */
	enum state states[MAX_PARTITIONS];
	struct vl_digest last[MAX_PARTITIONS]; /* of the record before, where `check` */
	bool check[MAX_PARTITIONS];            /* read that one first, and see whether it still is the same */
	size_t n_positions;
	size_t topics_missing;
	int64_t find_at; /* when to look after what is lost */
	pthread_mutex_t lock;
	struct vl_position rewind; /* what the ledger is asked for */
	bool asked;
	bool ends_asked, ends_told;
	struct vl_position ends[MAX_PARTITIONS];
	size_t n_ends;
	pthread_t thread;
	atomic_bool stop;
	bool unreachable;
	bool renew; /* the consumer, so that it reads what is READING now */
};

static struct vl_position *find(struct vl_feed *f, struct vl_bytes topic, int32_t partition)
{
	for (size_t i = 0; i < f->n_positions; i++)
		if (f->positions[i].partition == partition && vl_bytes_are(topic, f->positions[i].topic))
			return &f->positions[i];
	return NULL;
}

static void say_unreachable(struct vl_feed *f, bool unreachable, const struct vl_why *why)
{
	if (unreachable && !f->unreachable)
		vl_log_warning("no broker answers (%s); waiting", vl_why_text(why, VL_ERR_UNREACHABLE));
	if (!unreachable && f->unreachable)
		vl_log_info("the brokers answer again");
	f->unreachable = unreachable;
}

static enum vl_err add_partition(struct vl_feed *f, const char *topic, int32_t partition)
{
	struct vl_why why = {0};
	struct vl_txn *txn = vl_txn_begin(f->store, false, &why);

	if (txn == NULL || f->n_positions == MAX_PARTITIONS) {
		vl_txn_abort(txn);
		return VL_ERR_FULL;
	}
	static const struct vl_digest unknown;
	struct vl_digest *last = &f->last[f->n_positions];
	int64_t offset = vl_apply_offset(txn, topic, partition, last);
	vl_txn_abort(txn);
	f->check[f->n_positions] = offset > 0 && !vl_digest_equal(last, &unknown);
	struct vl_position *position = &f->positions[f->n_positions++];
	*position = (struct vl_position){.partition = partition, .offset = offset >= 0 ? offset : VL_OFFSET_BEGINNING};
	strcpy(position->topic, topic); /* a lane's name: far shorter than a topic may be */
	return VL_OK;
}

/* The i-th lane that is read; NULL behind the last. */
static const char *lane_read(size_t i)
{
	static const char *const others[] = {VL_PULSE_LANE};
	size_t views = vl_views_count();

	if (i < views)
		return vl_views[i]->lane;
	return i - views < sizeof(others) / sizeof(others[0]) ? others[i - views] : NULL;
}

/* Look at what topics and partitions there are. *added says how many are new. */
static enum vl_err look(struct vl_feed *f, size_t *added)
{
	struct vl_why why = {0};
	size_t missing = 0, before = f->n_positions;
	enum vl_err err = VL_OK;

	for (size_t v = 0; lane_read(v) != NULL && err == VL_OK && !f->stop; v++) {
		const char *topic = lane_read(v);
		int32_t count = 0;
		err = vl_consumer_partitions(f->consumer, topic, ASK_MS, &count, &why);
		if (err == VL_ERR_NOT_FOUND) {
			missing++;
			err = VL_OK;
		}
		for (int32_t p = 0; err == VL_OK && p < count; p++)
			if (find(f, vl_bytes_of(topic), p) == NULL)
				err = add_partition(f, topic, p);
	}
	if (err == VL_OK && missing > 0 && missing != f->topics_missing)
		vl_log_warning(
			"%zu topics are not there yet; waiting (valise topic apply brokers/topics.yaml makes them)",
			missing);
	if (err == VL_OK)
		f->topics_missing = missing;
	say_unreachable(f, vl_err_class(err) == VL_CLASS_RETRY && err != VL_ERR_FULL, &why);
	*added = f->n_positions - before;
	return err;
}

static enum vl_err assign(struct vl_feed *f)
{
	struct vl_position live[MAX_PARTITIONS];
	struct vl_why why = {0};
	size_t n = 0;

	for (size_t i = 0; i < f->n_positions; i++)
		if (f->states[i] == READING) {
			live[n] = f->positions[i];
			live[n++].offset -= f->check[i];
		}
	enum vl_err err = vl_consumer_assign(f->consumer, live, n, &why);
	if (err != VL_OK)
		vl_log_cannot("read", "the lanes", &why, err);
	return err;
}

/* A topic is missing as a whole, though librdkafka complains of each partition in turn. */
static void mark_lost(struct vl_feed *f, const struct vl_position *position, bool missing)
{
	for (size_t i = 0; i < f->n_positions; i++) {
		bool same = position == &f->positions[i] ||
			    (missing && strcmp(f->positions[i].topic, position->topic) == 0);
		if (!same)
			continue;
		f->states[i] = missing ? MISSING : LOST;
		f->check[i] = false;
	}
}

/* The consumer is made anew, and not only assigned: librdkafka 2.0.2 aborts when it is assigned again while a partition that is
 * gone is still being stopped. */
static void lose_partition(struct vl_feed *f, const struct vl_position *at, const struct vl_why *why)
{
	struct vl_position *position = find(f, vl_bytes_of(at->topic), at->partition);

	if (position == NULL || f->states[position - f->positions] != READING)
		return;
	vl_log_error("cannot read '%s' partition %d at offset %lld: %s; looking for what is there", at->topic,
		     (int)at->partition, (long long)position->offset, vl_why_text(why, VL_ERR_NOT_FOUND));
	mark_lost(f, position, at->offset < 0);
	f->find_at = 0;
	f->renew = true;
}

/* Have the ledger take this partition's records from `offset` on; false where we are to end. What was read before is applied
 * first, as its offsets would count again afterwards. */
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
		err = vl_apply_rewind(applier, f->rewind.topic, f->rewind.partition, f->rewind.offset, why);
	f->asked &= err != VL_OK;
	pthread_mutex_unlock(&f->lock);
	return err;
}

/* False while it cannot be known, or there is nothing. */
static bool find_partition(struct vl_feed *f, size_t i)
{
	struct vl_position *position = &f->positions[i];
	int64_t first, end;

	if (vl_consumer_range(f->consumer, position->topic, position->partition, ASK_MS, &first, &end, NULL) != VL_OK)
		return false;
	bool there =
		position->offset < 0 || (f->states[i] == LOST && position->offset >= first && position->offset <= end);
	if (!there) {
		if (!ask_rewind(f, position, first))
			return false;
		vl_log_error(
			"'%s' partition %d no longer has offset %lld: what it has now begins at %lld and ends before "
			"%lld; reading on from %lld, nothing is skipped; what is lost the missions send again",
			position->topic, (int)position->partition, (long long)position->offset, (long long)first,
			(long long)end, (long long)first);
		position->offset = first;
	}
	f->states[i] = READING;
	return true;
}

static void find_lost(struct vl_feed *f)
{
	size_t found = 0;

	if (vl_monotonic_ms() < f->find_at)
		return;
	for (size_t i = 0; i < f->n_positions && !f->stop; i++)
		if (f->states[i] != READING)
			found += find_partition(f, i);
	f->find_at = vl_monotonic_ms() + RETRY_MS;
	f->renew |= found > 0;
}

static void free_message(void *owner)
{
	vl_message_free(owner);
}

/* At the start: a topic that was made anew may reach as far as the old one did. True where the record is only the one before the
 * next, whatever it shows. */
static bool check_last(struct vl_feed *f, size_t i, const struct vl_record *record)
{
	struct vl_position *position = &f->positions[i];
	struct vl_digest digest = vl_batch_digest(record->value);
	struct vl_why why = {0};

	f->check[i] = false;
	if (record->offset >= position->offset)
		return false;
	if (!vl_digest_equal(&digest, &f->last[i])) {
		(void)vl_fail(&why, VL_ERR_NOT_FOUND,
			      "the record before it is not the one that was read; was the topic made anew?");
		struct vl_position at = *position;
		at.offset = VL_OFFSET_END;
		lose_partition(f, &at, &why);
	}
	return true;
}

static void take_message(struct vl_feed *f, struct vl_message *message)
{
	const struct vl_record *record = vl_message_record(message);
	struct vl_position *position = find(f, record->topic, record->partition);

	size_t i = position != NULL ? (size_t)(position - f->positions) : 0;
	if (position == NULL || f->states[i] != READING || (f->check[i] && check_last(f, i, record))) {
		vl_message_free(message);
		return;
	}
	(void)vl_failpoint("hq.after-fetch");
	position->offset = record->offset + 1;
	(void)vl_verifier_put(f->verifier, record, free_message, message);
}

/* -- where the lanes end -- */

/* Append the ends of a lane's partitions; takes them back where one is not read, is read beyond its end, or cannot be asked. */
static enum vl_err ask_lane(struct vl_feed *f, const char *lane, struct vl_position *ends, size_t *n)
{
	size_t before = *n;
	int32_t count = 0;
	enum vl_err err = vl_consumer_partitions(f->consumer, lane, ASK_MS, &count, NULL);

	for (int32_t p = 0; err == VL_OK && p < count; p++) {
		const struct vl_position *position = find(f, vl_bytes_of(lane), p);
		int64_t first, end;
		if (position == NULL || f->states[position - f->positions] != READING)
			err = VL_ERR_NOT_FOUND;
		else
			err = vl_consumer_range(f->consumer, lane, p, ASK_MS, &first, &end, NULL);
		if (err == VL_OK && position->offset > end)
			err = VL_ERR_NOT_FOUND;
		if (err != VL_OK)
			break;
		ends[*n] = *position;
		ends[(*n)++].offset = end > first ? end : 0;
	}
	if (err != VL_OK)
		*n = before;
	return err;
}

static void survey(struct vl_feed *f)
{
	struct vl_position ends[MAX_PARTITIONS];
	size_t n = 0;

	pthread_mutex_lock(&f->lock);
	bool asked = f->ends_asked;
	f->ends_asked = false;
	pthread_mutex_unlock(&f->lock);
	if (!asked)
		return;
	for (size_t v = 0; vl_views[v] != NULL && !f->stop; v++)
		if (ask_lane(f, vl_views[v]->lane, ends, &n) == VL_ERR_UNREACHABLE)
			break;
	pthread_mutex_lock(&f->lock);
	memcpy(f->ends, ends, n * sizeof(ends[0]));
	f->n_ends = n;
	f->ends_told = true;
	pthread_mutex_unlock(&f->lock);
}

void vl_feed_ask_ends(struct vl_feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->ends_asked = true;
	f->ends_told = false;
	pthread_mutex_unlock(&f->lock);
}

bool vl_feed_ends(struct vl_feed *f, struct vl_position *ends, size_t *count)
{
	pthread_mutex_lock(&f->lock);
	bool told = f->ends_told;
	f->ends_told = false;
	*count = told ? f->n_ends : 0;
	memcpy(ends, f->ends, *count * sizeof(*ends));
	pthread_mutex_unlock(&f->lock);
	return told;
}

/* A consumer that died is replaced; reading goes on from the positions. */
static bool open_consumer(struct vl_feed *f)
{
	struct vl_why why = {0};

	if (f->renew) {
		vl_consumer_abandon(f->consumer);
		f->consumer = NULL;
		f->renew = false;
	}
	if (f->consumer != NULL)
		return true;
	enum vl_err err = vl_consumer_open(f->pairs, f->n_pairs, &f->consumer, &why);
	if (err != VL_OK)
		vl_log_cannot("open", "a consumer", &why, err);
	else if (f->n_positions > 0)
		err = assign(f);
	return err == VL_OK;
}

static void poll_once(struct vl_feed *f)
{
	struct vl_message *message = NULL;
	struct vl_position at;
	struct vl_why why = {0};
	enum vl_err err = vl_consumer_poll(f->consumer, POLL_MS, &message, &at, &why);

	if (err == VL_OK && vl_failpoint("hq.fetch")) {
		vl_message_free(message);
		err = vl_fail(&why, VL_ERR_GONE, "a test says so");
	}
	if (err == VL_OK || err == VL_ERR_END)
		say_unreachable(f, false, NULL);
	if (err == VL_OK)
		take_message(f, message);
	else if (err == VL_ERR_NOT_FOUND)
		lose_partition(f, &at, &why);
	else if (err == VL_ERR_UNREACHABLE)
		say_unreachable(f, true, &why);
	else if (err != VL_ERR_TIMEOUT && err != VL_ERR_END) {
		vl_log_cannot("read", "the lanes", &why, err);
		vl_consumer_abandon(f->consumer);
		f->consumer = NULL;
	}
}

static void *feed(void *context)
{
	struct vl_feed *f = context;
	int64_t next_look = 0;

	while (!f->stop) {
		size_t added = 0;
		if (!open_consumer(f)) {
			(void)poll(NULL, 0, RETRY_MS);
			continue;
		}
		if (vl_monotonic_ms() >= next_look) {
			enum vl_err err = look(f, &added);
			bool all = err == VL_OK && f->topics_missing == 0;
			next_look = vl_monotonic_ms() + (all ? LOOK_MS : RETRY_MS);
			if (added > 0 && assign(f) == VL_OK)
				vl_log_info("reading %zu partitions", f->n_positions);
		}
		find_lost(f);
		survey(f);
		poll_once(f);
	}
	return NULL;
}

enum vl_err vl_feed_open(struct vl_store *store, struct vl_verifier *verifier, const struct vl_conf_pair *pairs,
			 size_t n_pairs, struct vl_feed **opened, struct vl_why *why)
{
	struct vl_feed *f = calloc(1, sizeof(*f));

	*opened = NULL;
	if (f == NULL)
		return VL_ERR_NOMEM;
	f->store = store;
	f->verifier = verifier;
	f->pairs = pairs;
	f->n_pairs = n_pairs;
	pthread_mutex_init(&f->lock, NULL);
	enum vl_err err = vl_consumer_open(pairs, n_pairs, &f->consumer, why);
	if (err == VL_OK && pthread_create(&f->thread, NULL, feed, f) != 0)
		err = vl_fail(why, VL_ERR_NOMEM, "cannot start a thread");
	if (err != VL_OK) {
		vl_consumer_close(f->consumer);
		pthread_mutex_destroy(&f->lock);
		free(f);
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
	vl_consumer_close(f->consumer);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

#include "stream/reader.h"

#include "base/clock.h"
#include "base/log.h"
#include "stream/inquiry.h"
#include "stream/ward.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define WARDS 4
#define WARD_POLL_MS 10 /* the others' wait while a ward is at work */
#define RENEW_MS 250    /* between two consumers for all others, at least */
#define CALM_MS 30000   /* without trouble: back to the others */
#define WATCH_MS 2000   /* between looks for partitions of which nothing comes */
#define STALLS 3        /* such looks until it is read apart */
/* of Kafka's between two of them: a line that is slow does not make it sick */
#define WATCH_ANSWERS 3
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 30000

enum place {
	WITH_ALL, /* read by the common consumer */
	SICK,     /* in a ward, or waiting for one */
	AWAY,     /* not read */
};

struct part {
	struct vl_position at; /* the next record wanted */
	void *owner;
	enum place place;
	bool live; /* the common consumer reads it from `at` on */
	struct vl_ward *ward;
	int64_t due_ms, pause_ms; /* SICK and in no ward */
	enum vl_err told;         /* its trouble */
	int64_t ended, watched;   /* the end that was reported; the position at the last look */
	/* looks at which Kafka had more of it and nothing came, had said nothing of it */
	unsigned stalled, mute;
};

/* One topic's partitions, by number; NULL where it was never put. */
struct shelf {
	char topic[VL_TOPIC_MAX + 1];
	struct part **parts;
	size_t n;
};

struct vl_reader {
	const struct vl_conf_pair *pairs;
	size_t n_pairs;
	struct vl_consumer *consumer;
	struct vl_consumer_room room; /* where `has` is not NULL */
	struct shelf *shelves;
	size_t n_shelves, n_parts, n_sick;
	struct part *wards[WARDS];
	size_t turn;          /* who is asked first */
	bool renew, reassign; /* the common consumer reads other partitions now */
	int64_t renewed_ms, watch_ms;
	uint64_t answers;           /* Kafka's, at the last look */
	struct vl_inquiry *inquiry; /* why one of them is mute; one topic at a time */
	struct part *mute;
};

/* -- partitions -- */

static struct shelf *find_shelf(struct vl_reader *r, struct vl_bytes topic)
{
	for (size_t i = 0; i < r->n_shelves; i++)
		if (vl_bytes_are(topic, r->shelves[i].topic))
			return &r->shelves[i];
	return NULL;
}

static struct part *find(struct vl_reader *r, struct vl_bytes topic, int32_t partition)
{
	const struct shelf *shelf = find_shelf(r, topic);

	return shelf != NULL && partition >= 0 && (size_t)partition < shelf->n
		       ? shelf->parts[partition]
		       : NULL;
}

static struct shelf *make_shelf(struct vl_reader *r, const char *topic)
{
	struct shelf *shelf = find_shelf(r, vl_bytes_of(topic));

	if (shelf != NULL)
		return shelf;
	struct shelf *shelves = realloc(r->shelves, (r->n_shelves + 1) * sizeof(*shelves));
	if (shelves == NULL)
		return NULL;
	r->shelves = shelves;
	shelf = &shelves[r->n_shelves++];
	*shelf = (struct shelf){0};
	(void)strcpy(shelf->topic, topic);
	return shelf;
}

static struct part *make_part(struct vl_reader *r, const struct vl_position *position)
{
	struct shelf *shelf = make_shelf(r, position->topic);
	size_t i = (size_t)position->partition;

	if (shelf == NULL || position->partition < 0)
		return NULL;
	if (i >= shelf->n) {
		struct part **parts = realloc(shelf->parts, (i + 1) * sizeof(struct part *));
		if (parts == NULL)
			return NULL;
		memset(parts + shelf->n, 0, (i + 1 - shelf->n) * sizeof(struct part *));
		shelf->parts = parts;
		shelf->n = i + 1;
	}
	if (shelf->parts[i] == NULL) {
		shelf->parts[i] = calloc(1, sizeof(struct part));
		r->n_parts += shelf->parts[i] != NULL;
	}
	return shelf->parts[i];
}

static void leave_ward(struct vl_reader *r, struct part *part)
{
	for (size_t i = 0; i < WARDS; i++)
		if (r->wards[i] == part)
			r->wards[i] = NULL;
	vl_ward_close(part->ward);
	part->ward = NULL;
}

/* Call `each` for every partition. */
static void for_each(struct vl_reader *r,
		     void (*each)(struct vl_reader *r, struct part *part, void *context),
		     void *context)
{
	for (size_t i = 0; i < r->n_shelves; i++)
		for (size_t p = 0; p < r->shelves[i].n; p++)
			if (r->shelves[i].parts[p] != NULL)
				each(r, r->shelves[i].parts[p], context);
}

static void move(struct vl_reader *r, struct part *part, enum place place)
{
	r->renew |= part->place == WITH_ALL || place == WITH_ALL;
	leave_ward(r, part);
	r->n_sick += (place == SICK) - (part->place == SICK);
	part->place = place;
	part->live = false;
	part->due_ms = 0;
	part->stalled = part->mute = 0;
	part->watched = -1;
	if (r->mute == part)
		r->mute = NULL;
}

enum vl_err vl_reader_put(struct vl_reader *r, const struct vl_position *position, void *owner)
{
	size_t before = r->n_parts;
	struct part *part = make_part(r, position);

	if (part == NULL)
		return VL_ERR_NOMEM;
	if (r->n_parts > before) {
		part->watched = -1;
		r->reassign = true;
	} else
		move(r, part, WITH_ALL);
	part->at = *position;
	part->owner = owner;
	part->ended = -1;
	return VL_OK;
}

void vl_reader_drop(struct vl_reader *r, const char *topic, int32_t partition)
{
	struct part *part = find(r, vl_bytes_of(topic), partition);

	if (part != NULL && part->place != AWAY)
		move(r, part, AWAY);
}

bool vl_reader_working(const struct vl_reader *r)
{
	return r->n_sick > 0;
}

/* -- opening and closing -- */

enum vl_err vl_reader_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			   struct vl_reader **reader, struct vl_why *why)
{
	struct vl_reader *r = calloc(1, sizeof(*r));

	*reader = NULL;
	if (r == NULL)
		return VL_ERR_NOMEM;
	r->pairs = pairs;
	r->n_pairs = n_pairs;
	r->renewed_ms = vl_monotonic_ms() - RENEW_MS;
	enum vl_err err = vl_consumer_open(pairs, n_pairs, &r->consumer, why);
	if (err != VL_OK) {
		free(r);
		return err;
	}
	*reader = r;
	return VL_OK;
}

enum vl_err vl_reader_set_room(struct vl_reader *r, const struct vl_consumer_room *room)
{
	r->room = *room;
	return vl_consumer_set_room(r->consumer, room);
}

static void free_part(struct vl_reader *r, struct part *part, void *context)
{
	(void)context;
	leave_ward(r, part);
	free(part);
}

void vl_reader_close(struct vl_reader *r)
{
	if (r == NULL)
		return;
	for_each(r, free_part, NULL);
	for (size_t i = 0; i < r->n_shelves; i++)
		free(r->shelves[i].parts);
	free(r->shelves);
	vl_inquiry_close(r->inquiry);
	vl_consumer_close(r->consumer);
	free(r);
}

/* -- the common consumer -- */

struct list {
	struct vl_position *positions;
	size_t n;
};

static void list_part(struct vl_reader *r, struct part *part, void *context)
{
	struct list *list = context;

	(void)r;
	part->live = part->place == WITH_ALL;
	if (part->live)
		list->positions[list->n++] = part->at;
}

static enum vl_err assign(struct vl_reader *r, struct vl_why *why)
{
	struct list list = {.positions = calloc(r->n_parts + 1, sizeof(struct vl_position))};

	if (list.positions == NULL)
		return VL_ERR_NOMEM;
	for_each(r, list_part, &list);
	enum vl_err err = vl_consumer_assign(r->consumer, list.positions, list.n, why);
	free(list.positions);
	return err;
}

/* The consumer is made anew where partitions are taken out of it or come back: librdkafka 2.0.2
 * aborts when it is assigned again while a partition that is gone is still being stopped. */
static enum vl_err settle(struct vl_reader *r, int64_t now_ms, struct vl_why *why)
{
	enum vl_err err = VL_OK;

	if (r->renew && now_ms - r->renewed_ms >= RENEW_MS) {
		vl_consumer_abandon(r->consumer);
		r->consumer = NULL;
	}
	if (r->consumer == NULL && now_ms - r->renewed_ms >= RENEW_MS) {
		r->renew = false;
		r->renewed_ms = now_ms;
		err = vl_consumer_open(r->pairs, r->n_pairs, &r->consumer, why);
		if (err == VL_OK && r->room.has != NULL)
			err = vl_consumer_set_room(r->consumer, &r->room);
		r->reassign = true;
	}
	if (err == VL_OK && r->consumer != NULL && r->reassign && !r->renew) {
		err = assign(r, why);
		r->reassign = err != VL_OK;
	}
	if (err != VL_OK) {
		vl_consumer_abandon(r->consumer);
		r->consumer = NULL;
	}
	return err;
}

/* -- news -- */

static enum vl_err tell(const struct part *part, enum vl_news_kind kind, struct vl_news *news)
{
	news->kind = kind;
	news->owner = part->owner;
	return VL_OK;
}

/* TIMEOUT if that was already reported. */
static enum vl_err tell_trouble(struct part *part, enum vl_err err, const struct vl_why *why,
				struct vl_news *news)
{
	if (part->told == err)
		return VL_ERR_TIMEOUT;
	part->told = err;
	news->at = part->at;
	news->err = err;
	news->why = *why;
	return tell(part, VL_NEWS_TROUBLE, news);
}

static enum vl_err take_record(struct part *part, struct vl_message *message, struct vl_news *news)
{
	const struct vl_record *record = vl_message_record(message);

	if (part->at.offset >= 0 && record->offset < part->at.offset) {
		vl_message_free(message);
		return VL_ERR_TIMEOUT;
	}
	part->at.offset = record->offset + 1;
	part->told = VL_OK;
	part->pause_ms = 0;
	news->message = message;
	return tell(part, VL_NEWS_RECORD, news);
}

static enum vl_err take_end(struct part *part, int64_t end, struct vl_news *news)
{
	part->ended = end;
	part->told = VL_OK;
	part->pause_ms = 0;
	news->at = part->at;
	news->at.offset = end;
	return tell(part, VL_NEWS_END, news);
}

static enum vl_err lose(struct vl_reader *r, struct part *part, int64_t offset,
			const struct vl_why *why, struct vl_news *news)
{
	move(r, part, AWAY);
	part->told = VL_OK;
	news->at = part->at;
	news->at.offset = offset;
	news->err = VL_ERR_NOT_FOUND;
	news->why = *why;
	return tell(part, VL_NEWS_LOST, news);
}

/* -- wards -- */

static void admit_part(struct vl_reader *r, struct part *part, void *context)
{
	int64_t now_ms = *(int64_t *)context;
	size_t i = 0;

	if (part->place != SICK || part->ward != NULL || now_ms < part->due_ms)
		return;
	while (i < WARDS && r->wards[i] != NULL)
		i++;
	/* Who is well enough makes room. */
	for (size_t w = 0; i == WARDS && w < WARDS; w++)
		if (vl_ward_calm_since(r->wards[w]->ward) != INT64_MAX) {
			move(r, r->wards[w], WITH_ALL);
			i = w;
		}
	if (i == WARDS)
		return;
	part->ward = vl_ward_open(r->pairs, r->n_pairs, &part->at, now_ms);
	if (part->ward != NULL)
		r->wards[i] = part;
}

static enum vl_err rest(struct vl_reader *r, struct part *part, int64_t now_ms,
			const struct vl_ward_word *word, struct vl_news *news)
{
	leave_ward(r, part);
	part->pause_ms = vl_back_off(part->pause_ms, PAUSE_MIN_MS, PAUSE_MAX_MS);
	part->due_ms = now_ms + part->pause_ms;
	return tell_trouble(part, word->err, &word->why, news);
}

static enum vl_err take_word(struct vl_reader *r, struct part *part, int64_t now_ms,
			     enum vl_ward_said said, struct vl_ward_word *word,
			     struct vl_news *news)
{
	switch (said) {
	case VL_WARD_NOTHING:
		break;
	case VL_WARD_RECORD:
		return take_record(part, word->message, news);
	case VL_WARD_END:
		return take_end(part, word->at.offset, news);
	case VL_WARD_SICK:
		part->at = word->at;
		return tell_trouble(part, word->err, &word->why, news);
	case VL_WARD_PASSED:
		part->told = VL_OK;
		part->pause_ms = 0;
		part->at.offset = word->to;
		news->at = word->at;
		news->to = word->to;
		news->bytes = word->bytes;
		news->err = word->err;
		news->why = word->why;
		return tell(part, VL_NEWS_PASSED, news);
	case VL_WARD_REST:
		return rest(r, part, now_ms, word, news);
	case VL_WARD_LOST:
		return lose(r, part, word->at.offset, &word->why, news);
	}
	return VL_ERR_TIMEOUT;
}

static enum vl_err step_ward(struct vl_reader *r, struct part *part, int64_t now_ms,
			     struct vl_news *news)
{
	struct vl_ward_word word;

	if (part == NULL || (r->room.has != NULL && !r->room.has(r->room.context, NULL, 0)))
		return VL_ERR_TIMEOUT;
	int64_t calm_ms = vl_ward_calm_since(part->ward);
	if (calm_ms != INT64_MAX && now_ms - calm_ms >= CALM_MS) {
		move(r, part, WITH_ALL);
		return VL_ERR_TIMEOUT;
	}
	enum vl_ward_said said = vl_ward_step(part->ward, now_ms, &word);
	return take_word(r, part, now_ms, said, &word, news);
}

/* -- all others -- */

static void fall_sick(struct vl_reader *r, struct part *part, const char *what)
{
	vl_log_debug("%s partition %d: %s; reading it apart", part->at.topic,
		     (int)part->at.partition, what);
	move(r, part, SICK);
}

/* Kafka has more of it and has answered, and for some looks nothing came although all that came
 * was taken. */
static void watch_part(struct vl_reader *r, struct part *part, void *context)
{
	int64_t first, end, read = part->at.offset > part->ended ? part->at.offset : part->ended;
	bool answers = *(bool *)context;

	if (!part->live)
		return;
	bool known =
		vl_consumer_known(r->consumer, part->at.topic, part->at.partition, &first, &end);
	bool more = known && (read >= 0 ? read : first) < end;
	part->mute = known ? 0 : part->mute + 1;
	if (part->mute > (r->mute != NULL ? r->mute->mute : 0))
		r->mute = part;
	part->stalled = answers && more && read == part->watched ? part->stalled + 1 : 0;
	part->watched = read;
	if (part->stalled >= STALLS)
		fall_sick(r, part, "nothing comes of it");
}

static void watch(struct vl_reader *r, int64_t now_ms)
{
	uint64_t count = r->consumer != NULL ? vl_consumer_answers(r->consumer) : 0;
	bool answers = count >= r->answers + WATCH_ANSWERS;

	r->watch_ms = now_ms;
	r->answers = count;
	if (r->inquiry == NULL)
		r->mute = NULL;
	if (r->consumer == NULL)
		return;
	for_each(r, watch_part, &answers);
	if (r->inquiry == NULL && r->mute != NULL)
		r->inquiry = vl_inquiry_open(r->consumer, r->mute->at.topic);
}

/* A mute partition stays with the others: librdkafka goes on with it once its metadata says that
 * it may. */
static enum vl_err take_answer(struct vl_reader *r, struct vl_news *news, struct vl_why *why)
{
	enum vl_err err = VL_OK, told = VL_ERR_TIMEOUT;
	int32_t partition = r->mute != NULL ? r->mute->at.partition : 0;

	if (r->inquiry == NULL || !vl_inquiry_answer(r->inquiry, partition, &err, why))
		return VL_ERR_TIMEOUT;
	/* librdkafka itself reports that a topic does not exist, when it is sure. */
	if (r->mute != NULL && err != VL_OK && err != VL_ERR_NOT_FOUND &&
	    strcmp(r->mute->at.topic, vl_inquiry_topic(r->inquiry)) == 0)
		told = tell_trouble(r->mute, err, why, news);
	if (r->mute != NULL)
		r->mute->mute = 0; /* the others have their turn */
	vl_inquiry_close(r->inquiry);
	r->inquiry = NULL;
	r->mute = NULL;
	return told;
}

static enum vl_err poll_common(struct vl_reader *r, int timeout_ms, struct vl_news *news,
			       struct vl_why *why)
{
	struct vl_message *message;
	struct vl_position at;
	enum vl_err err = vl_consumer_poll(r->consumer, timeout_ms, &message, &at, why);

	if (err == VL_ERR_TIMEOUT || (err == VL_ERR_UNREACHABLE && at.topic[0] == '\0'))
		return err;
	struct part *part = message != NULL ? find(r, vl_message_record(message)->topic,
						   vl_message_record(message)->partition)
					    : find(r, vl_bytes_of(at.topic), at.partition);
	if (part == NULL && message == NULL && at.topic[0] == '\0') {
		vl_consumer_abandon(r->consumer);
		r->consumer = NULL;
		return err;
	}
	if (part == NULL || !part->live) {
		vl_message_free(message);
		return VL_ERR_TIMEOUT;
	}
	if (err == VL_OK)
		return take_record(part, message, news);
	if (err == VL_ERR_END)
		return take_end(part, at.offset, news);
	if (err == VL_ERR_NOT_FOUND)
		return lose(r, part, at.offset, why, news);
	fall_sick(r, part, vl_why_text(why, err));
	return vl_ward_unreadable(err) ? VL_ERR_TIMEOUT : tell_trouble(part, err, why, news);
}

static enum vl_err poll_turn(struct vl_reader *r, size_t source, int64_t now_ms,
			     struct vl_news *news, struct vl_why *why)
{
	if (source < WARDS)
		return step_ward(r, r->wards[source], now_ms, news);
	return r->consumer != NULL ? poll_common(r, 0, news, why) : VL_ERR_TIMEOUT;
}

enum vl_err vl_reader_poll(struct vl_reader *r, int timeout_ms, struct vl_news *news,
			   struct vl_why *why)
{
	int64_t now_ms = vl_monotonic_ms();
	bool wards = false;

	*news = (struct vl_news){0};
	enum vl_err err = settle(r, now_ms, why);
	if (err != VL_OK)
		return err;
	if (r->n_sick > 0)
		for_each(r, admit_part, &now_ms);
	for (size_t i = 0; i < WARDS && r->n_sick > 0; i++)
		wards |= r->wards[i] != NULL;
	/* Each in turn, so that a partition with many records does not delay the others. */
	for (size_t i = 0; wards && i <= WARDS; i++) {
		size_t source = (r->turn + i) % (WARDS + 1);
		err = poll_turn(r, source, now_ms, news, why);
		if (err == VL_ERR_TIMEOUT || err == VL_ERR_UNREACHABLE)
			continue;
		r->turn = source + 1;
		return err;
	}
	if (r->consumer == NULL) {
		(void)poll(NULL, 0, timeout_ms < WARD_POLL_MS ? timeout_ms : WARD_POLL_MS);
		return VL_ERR_TIMEOUT;
	}
	err = take_answer(r, news, why);
	if (err != VL_ERR_TIMEOUT)
		return err;
	err = poll_common(r, wards && timeout_ms > WARD_POLL_MS ? WARD_POLL_MS : timeout_ms, news,
			  why);
	if (err == VL_ERR_TIMEOUT && now_ms - r->watch_ms >= WATCH_MS)
		watch(r, now_ms);
	return err;
}

#include "stream/ward.h"

#include "base/clock.h"
#include "stream/inquiry.h"
#include "stream/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STALL_MS 2000    /* Kafka has answered, and nothing of it can be read */
#define SILENT_MS 300000 /* nor has it answered, on a line of any speed */

enum phase {
	CONFIRM, /* read again where it failed */
	MEASURE, /* where the partition ends */
	SEARCH,  /* for what lies behind */
	READ,
};

struct vl_ward {
	const struct vl_conf_pair *pairs;
	size_t n_pairs;
	struct vl_consumer *consumer;
	struct vl_inquiry *inquiry; /* why nothing comes */
	struct vl_position at;      /* the next record wanted */
	enum phase phase;
	struct vl_search search;
	bool trying;
	int64_t asked; /* the offset that the consumer began at */
	int64_t asked_ms, answered_ms, calm_ms;
	int64_t base; /* of the batch that cannot be read; -1 if unknown */
	uint64_t bytes;
	enum vl_err err; /* of CONFIRM */
	struct vl_why why;
};

bool vl_ward_unreadable(enum vl_err err)
{
	return err == VL_ERR_CORRUPT || err == VL_ERR_TOO_LARGE;
}

struct vl_ward *vl_ward_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			     const struct vl_position *at, int64_t now_ms)
{
	struct vl_ward *ward = calloc(1, sizeof(*ward));

	if (ward == NULL)
		return NULL;
	ward->pairs = pairs;
	ward->n_pairs = n_pairs;
	ward->at = *at;
	ward->asked = at->offset;
	ward->asked_ms = now_ms;
	ward->calm_ms = INT64_MAX;
	return ward;
}

void vl_ward_close(struct vl_ward *ward)
{
	if (ward == NULL)
		return;
	vl_inquiry_close(ward->inquiry);
	vl_consumer_abandon(ward->consumer);
	free(ward);
}

int64_t vl_ward_calm_since(const struct vl_ward *ward)
{
	return ward->calm_ms;
}

/* A new consumer each time: an old one's answers do not show which question they are for. */
static void ask(struct vl_ward *ward, int64_t offset, int64_t now_ms)
{
	vl_inquiry_close(ward->inquiry);
	ward->inquiry = NULL;
	vl_consumer_abandon(ward->consumer);
	ward->consumer = NULL;
	ward->asked = offset;
	ward->asked_ms = now_ms;
	ward->answered_ms = 0;
}

static enum vl_err open_consumer(struct vl_ward *ward, struct vl_why *why)
{
	struct vl_position at = ward->at;

	if (ward->consumer != NULL)
		return VL_OK;
	at.offset = ward->asked;
	enum vl_err err = vl_consumer_open(ward->pairs, ward->n_pairs, &ward->consumer, why);
	if (err == VL_OK)
		err = vl_consumer_assign(ward->consumer, &at, 1, why);
	return err;
}

/* Kafka has not said a word of the partition: ask why. */
static enum vl_err inquire(struct vl_ward *ward, int64_t now_ms, struct vl_why *why)
{
	enum vl_err err = VL_ERR_TIMEOUT;

	if (ward->inquiry == NULL && now_ms - ward->asked_ms >= STALL_MS)
		ward->inquiry = vl_inquiry_open(ward->consumer, ward->at.topic);
	if (ward->inquiry != NULL &&
	    vl_inquiry_answer(ward->inquiry, ward->at.partition, &err, why) && err != VL_OK)
		return err;
	if (now_ms - ward->asked_ms >= SILENT_MS)
		return vl_fail(why, VL_ERR_UNREACHABLE, "%s: no answer comes", ward->at.topic);
	return VL_ERR_TIMEOUT;
}

/* Nothing came. Kafka may have answered all the same: librdkafka is silent about some batches
 * that it cannot read. */
static enum vl_err judge_silence(struct vl_ward *ward, int64_t now_ms, struct vl_why *why)
{
	int64_t first, end;

	if (!vl_consumer_known(ward->consumer, ward->at.topic, ward->at.partition, &first, &end))
		return inquire(ward, now_ms, why);
	if (ward->answered_ms == 0)
		ward->answered_ms = now_ms;
	int64_t asked = ward->asked >= 0 ? ward->asked : first;
	if (asked >= end || ward->phase == READ || now_ms - ward->answered_ms < STALL_MS)
		return VL_ERR_TIMEOUT;
	return vl_fail(why, VL_ERR_CORRUPT, "nothing readable comes at offset %lld",
		       (long long)asked);
}

/* librdkafka's words have the size: "(1240 bytes)", "of 28166 bytes". */
static uint64_t find_bytes(const struct vl_why *why)
{
	unsigned long long size;

	for (const char *at = why->text; *at != '\0'; at++)
		if ((*at == '(' && sscanf(at, "(%llu bytes", &size) == 1) ||
		    (*at == 'o' && sscanf(at, "of %llu bytes", &size) == 1))
			return size;
	return 0;
}

/* The first failure was no accident. False where it is not known where the partition ends. */
static bool fall_sick(struct vl_ward *ward, struct vl_ward_word *word)
{
	int64_t first, end;

	if (!vl_consumer_known(ward->consumer, ward->at.topic, ward->at.partition, &first, &end))
		return false;
	if (ward->at.offset < 0)
		ward->at.offset = ward->base >= first ? ward->base : first;
	/* Between here and the batch there is nothing but what Kafka itself wrote, or what was
	 * deleted. */
	if (ward->base > ward->at.offset)
		ward->at.offset = ward->base;
	ward->phase = SEARCH;
	ward->trying = false;
	vl_search_begin(&ward->search, ward->at.offset, end);
	word->at = ward->at;
	word->err = ward->err;
	word->why = ward->why;
	return true;
}

/* Behind a broken checksum librdkafka 2.0.2 takes whatever comes next in its buffer for an offset,
 * and asks Kafka for that one; from the answer, that there is none, it has no end any more. A
 * consumer that begins at the end learns it, and reads nothing. */
static enum vl_ward_said measure(struct vl_ward *ward, int64_t now_ms, struct vl_ward_word *word)
{
	vl_message_free(word->message);
	word->message = NULL;
	if (fall_sick(ward, word))
		return VL_WARD_SICK;
	if (ward->phase != MEASURE || word->err != VL_ERR_TIMEOUT)
		ask(ward, VL_OFFSET_END, now_ms);
	ward->phase = MEASURE;
	return VL_WARD_NOTHING;
}

static enum vl_ward_said search_on(struct vl_ward *ward, int64_t now_ms, struct vl_ward_word *word)
{
	int64_t offset;

	ward->trying = vl_search_next(&ward->search, &offset);
	if (ward->trying) {
		ask(ward, offset, now_ms);
		return VL_WARD_NOTHING;
	}
	word->at = ward->at;
	word->to = ward->search.outside;
	word->bytes = ward->bytes;
	word->err = ward->err;
	word->why = ward->why;
	ward->at.offset = word->to;
	ward->phase = READ;
	ward->calm_ms = now_ms;
	ask(ward, word->to, now_ms);
	return VL_WARD_PASSED;
}

/* What came of trying an offset. Another batch that cannot be read is another matter: its turn
 * comes. */
static enum vl_ward_said take_try(struct vl_ward *ward, enum vl_err err, int64_t base,
				  int64_t now_ms, struct vl_ward_word *word)
{
	bool bad = vl_ward_unreadable(err);

	vl_message_free(word->message);
	word->message = NULL;
	vl_search_tell(&ward->search, bad && (base < 0 || ward->base < 0 || base == ward->base));
	return search_on(ward, now_ms, word);
}

/* Here it can be read. */
static void be_well(struct vl_ward *ward, int64_t now_ms)
{
	if (ward->phase == CONFIRM)
		ward->calm_ms = now_ms;
	ward->phase = READ;
}

static enum vl_ward_said take_trouble(struct vl_ward *ward, int64_t base, int64_t now_ms,
				      struct vl_ward_word *word)
{
	if (!vl_ward_unreadable(word->err))
		return VL_WARD_REST;
	if (ward->phase == CONFIRM) {
		ward->base = base;
		ward->err = word->err;
		ward->why = word->why;
		ward->bytes = find_bytes(&word->why);
		return measure(ward, now_ms, word);
	}
	ward->phase = CONFIRM;
	ward->calm_ms = INT64_MAX;
	ask(ward, ward->at.offset, now_ms);
	return VL_WARD_NOTHING;
}

enum vl_ward_said vl_ward_step(struct vl_ward *ward, int64_t now_ms, struct vl_ward_word *word)
{
	struct vl_position at = {.offset = -1};

	*word = (struct vl_ward_word){.at = ward->at};
	if (ward->phase == SEARCH && !ward->trying)
		return search_on(ward, now_ms, word);
	word->err = open_consumer(ward, &word->why);
	if (word->err != VL_OK)
		return VL_WARD_REST;
	enum vl_err err = vl_consumer_poll(ward->consumer, 0, &word->message, &at, &word->why);
	if (err == VL_ERR_TIMEOUT || (err == VL_ERR_UNREACHABLE && at.topic[0] == '\0')) {
		err = judge_silence(ward, now_ms, &word->why);
		at.offset = -1;
	}
	word->err = err;
	bool answer = err == VL_OK || err == VL_ERR_END || vl_ward_unreadable(err);
	if (ward->phase == MEASURE && (answer || err == VL_ERR_TIMEOUT))
		return measure(ward, now_ms, word);
	if (err == VL_ERR_TIMEOUT)
		return VL_WARD_NOTHING;
	if (err == VL_ERR_NOT_FOUND) {
		word->at.offset = at.offset;
		return VL_WARD_LOST;
	}
	if (ward->phase == SEARCH && answer)
		return take_try(ward, err, at.offset, now_ms, word);
	if (err != VL_OK && err != VL_ERR_END)
		return take_trouble(ward, at.offset, now_ms, word);
	be_well(ward, now_ms);
	if (err == VL_ERR_END) {
		word->at.offset = at.offset;
		return VL_WARD_END;
	}
	ward->at.offset = vl_message_record(word->message)->offset + 1;
	return VL_WARD_RECORD;
}

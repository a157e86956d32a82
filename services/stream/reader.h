/*
 * The reader: many partitions read at once, each for itself. What is wrong with one keeps nobody
 * from reading the others.
 *
 * One consumer reads all that are well. A partition that it cannot read is taken out and gets a
 * consumer of its own (ward.h), four such at a time; the others go on meanwhile. A batch that
 * cannot be read a second time (a broken checksum, a form or codec that nobody knows, one that
 * would take more than VL_UNPACK_MAX to unpack) is PASSED: the news says from where to where,
 * and reading goes on behind it. What the partition's rights or its leader keep back is waited
 * for, and asked for again after 1 to 30 s. After 30 s without trouble the partition goes back
 * to the others.
 *
 * A partition is also looked at when nothing comes of it although Kafka has more: librdkafka is
 * silent about some batches. Used by one thread; never waits but for `timeout_ms`. Of a
 * partition of which Kafka says nothing at all it asks what is wrong (inquiry.h).
 */
#ifndef VALISE_STREAM_READER_H
#define VALISE_STREAM_READER_H

#include "stream/stream.h"

struct vl_reader;

enum vl_news_kind {
	VL_NEWS_RECORD, /* `message`, which is the caller's */
	VL_NEWS_END,    /* `at.offset` is the end for now; all before it was told */
	/* it cannot be read: `err` and `why`; told once, until a RECORD, END or PASSED says that
	 * it can again */
	VL_NEWS_TROUBLE,
	/* from `at.offset` to before `to` cannot be read: `err` and `why`; `bytes` where known */
	VL_NEWS_PASSED,
	/* `at.offset` is not there (any more), or below 0: the topic is not; not read until put
	 * again */
	VL_NEWS_LOST,
};

struct vl_news {
	enum vl_news_kind kind;
	void *owner; /* as put */
	struct vl_position at;
	int64_t to;
	uint64_t bytes;
	struct vl_message *message;
	enum vl_err err;
	struct vl_why why;
};

/* The pairs stay the caller's. CONFIG as vl_consumer_open. */
enum vl_err vl_reader_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			   struct vl_reader **reader, struct vl_why *why) VL_CHECKED;
void vl_reader_close(struct vl_reader *reader);

/* Before the first put: who is read apart from the others, and where there is room
 * (vl_consumer_set_room). What is read because something is wrong with it counts among the
 * others. NOMEM. */
enum vl_err vl_reader_set_room(struct vl_reader *reader,
			       const struct vl_consumer_room *room) VL_CHECKED;

/* Read a partition from there on, whatever was before; `owner` comes back with its news. NOMEM. */
enum vl_err vl_reader_put(struct vl_reader *reader, const struct vl_position *position,
			  void *owner) VL_CHECKED;

/* Read it no more. It may be put again. */
void vl_reader_drop(struct vl_reader *reader, const char *topic, int32_t partition);

/* Whether a partition is being read apart now. */
bool vl_reader_working(const struct vl_reader *reader);

/* The next news. TIMEOUT: none. UNREACHABLE: no broker answers. Anything else is of the whole
 * reader, which goes on by itself: poll again, and not at once. */
enum vl_err vl_reader_poll(struct vl_reader *reader, int timeout_ms, struct vl_news *news,
			   struct vl_why *why) VL_CHECKED;

#endif

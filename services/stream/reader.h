/*
 * The reader: many partitions read at once, each for itself. An error of one partition delays no
 * other.
 *
 * One consumer reads all healthy partitions. A partition that it cannot read gets a consumer of its
 * own (ward.h), four such at a time. The others go on meanwhile. If a batch cannot be read a second
 * time, it is PASSED: the news has its offsets, and reading goes on behind it. Causes are a broken
 * checksum, an unknown form or codec, or more than VL_UNPACK_MAX when unpacked.
 *
 * If a partition has no rights or no leader, the reader waits and requests it again after 1 to 30
 * s. After 30 s without trouble the partition goes back to the others.
 *
 * librdkafka is silent about some batches. So a partition is also checked if nothing comes from it
 * although Kafka has more. If Kafka says nothing at all about a partition, the reader asks Kafka
 * for the cause (inquiry.h). Used by one thread; it waits only for `timeout_ms`.
 *
 * Next: apart.h, partitions with a queue of their own.
 */
#ifndef VALISE_STREAM_READER_H
#define VALISE_STREAM_READER_H

#include "stream/stream.h"

struct vl_reader;

enum vl_news_kind {
	VL_NEWS_RECORD, /* `message`, which is the caller's */
	VL_NEWS_END,    /* `at.offset` is the end for now; all records before it were reported */
	/* the partition cannot be read: `err` and `why`; reported once, until a RECORD, END or
	 * PASSED shows that it can be read again */
	VL_NEWS_TROUBLE,
	/* from `at.offset` to before `to` cannot be read: `err` and `why`; `bytes` if known */
	VL_NEWS_PASSED,
	/* `at.offset` does not exist, or no longer; below 0: the topic does not exist. It is not
	 * read until it is put again */
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

/* Before the first put: which partitions are read apart from the others, and whether there is
 * room (vl_consumer_set_room). A partition that is read alone because of an error counts among
 * the others. NOMEM. */
enum vl_err vl_reader_set_room(struct vl_reader *reader,
			       const struct vl_consumer_room *room) VL_CHECKED;

/* Read a partition from that offset on, whatever was before; `owner` is returned with its news.
 * NOMEM. */
enum vl_err vl_reader_put(struct vl_reader *reader, const struct vl_position *position,
			  void *owner) VL_CHECKED;

/* Stop reading it. It may be put again. */
void vl_reader_drop(struct vl_reader *reader, const char *topic, int32_t partition);

/* Whether a partition is being read apart now. */
bool vl_reader_working(const struct vl_reader *reader);

/* The next news. TIMEOUT: none. UNREACHABLE: no broker answers. Any other error is of the whole
 * reader, which goes on by itself: poll again, but not at once. */
enum vl_err vl_reader_poll(struct vl_reader *reader, int timeout_ms, struct vl_news *news,
			   struct vl_why *why) VL_CHECKED;

#endif

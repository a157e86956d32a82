/*
 * Inside the feed: feed.c reads; feed_look.c knows which topics and partitions exist, and where
 * they end.
 *
 * Next: verify.h, which judges records.
 */
#ifndef VALISE_HQ_INGEST_FEED_IN_H
#define VALISE_HQ_INGEST_FEED_IN_H

#include "bus/types.h"
#include "hq/ingest/feed.h"
#include "hq/ledger/unread.h"
#include "stream/reader.h"

#include <pthread.h>
#include <stdatomic.h>

#define VL_FEED_ASK_MS 3000

enum vl_feed_state {
	VL_FEED_READING,
	VL_FEED_LOST,    /* its next record does not exist */
	VL_FEED_MISSING, /* nor does its topic; when it exists again, it is another one */
};

/* One partition. `next.offset` is the ledger's, when all records that were read are applied. */
struct vl_feed_part {
	struct vl_position next;
	enum vl_feed_state state;
	struct vl_digest last; /* of the previous record, if `check` */
	/* read the previous record first, and see whether it is still the same */
	bool check;
	bool waiting;  /* it cannot be read, and that is noted */
	bool absent;   /* it has no leader */
	int64_t ended; /* the end to which it was last read; -1 */
	int64_t end;   /* the end that Kafka reported */
	/* Under the lock: when it was last at its end, whether it still is, and the verifier's
	 * mark at that time. */
	int64_t at_end_ms;
	bool at_end;
	uint64_t mark;
};

/* One topic, and the state of the whole topic. */
struct vl_feed_topic {
	const char *name;
	bool waiting, missing;
	bool held;                   /* it is not urgent enough to be read now */
	struct vl_feed_part **parts; /* by number */
	size_t n;
};

struct vl_feed {
	struct vl_store *store;
	struct vl_verifier *verifier;
	const struct vl_clock *clock;
	struct vl_reader *reader;
	struct vl_consumer *asker;    /* reads nothing */
	struct vl_feed_topic *topics; /* their partitions are added under the lock */
	size_t n_topics, n_parts, topics_missing;
	int64_t find_at; /* when to look for lost records */
	pthread_mutex_t lock;
	struct vl_position rewind; /* the offset requested from the ledger */
	bool asked;
	struct vl_notes notes;
	bool ends_asked, ends_told;
	struct vl_buf ends;    /* struct vl_position */
	struct vl_buf ends_of; /* struct vl_feed_part *, of each */
	pthread_t thread;
	atomic_bool stop;
	bool unreachable;
};

/* A partition, or with -1 its topic, cannot be read; or can again. */
void vl_feed_wait(struct vl_feed *f, const char *topic, int32_t partition, bool *waiting,
		  enum vl_err err, const struct vl_why *why);
void vl_feed_go_on(struct vl_feed *f, const char *topic, int32_t partition, bool *waiting);

void vl_feed_say_unreachable(struct vl_feed *f, bool unreachable, const struct vl_why *why);

/* Look which topics and partitions exist; true if all do. */
bool vl_feed_look(struct vl_feed *f);

/* Answer a question for ends; and a partition was read to its end. */
void vl_feed_survey(struct vl_feed *f);
void vl_feed_ended(struct vl_feed *f, struct vl_feed_part *part, int64_t end);

/* It has more records. */
void vl_feed_not_ended(struct vl_feed *f, struct vl_feed_part *part);

/* Look for lost records; `found` moves a partition. */
void vl_feed_find_lost(struct vl_feed *f,
		       bool (*found)(struct vl_feed *f, struct vl_feed_part *part, int64_t first,
				     int64_t end));

/* Begin to read a partition at `next`. */
void vl_feed_read(struct vl_feed *f, struct vl_feed_part *part);

/* The topics to read, without their partitions; those less urgent than `least` are held. NULL
 * when out of memory. */
struct vl_feed_topic *vl_feed_topics(enum vl_precedence least, size_t *count);

#endif

/*
 * The stream: the only user of librdkafka. Kafka carries records. No program relies on Kafka to
 * remember its offsets.
 *
 * Every handle is disposable: when it returns GONE, close it and open another. (An idempotent
 * producer of librdkafka 2.0.2 can fail for good after a lost ack.) librdkafka's own log lines go
 * to base/log.h, at debug unless they are errors. All handles take the `[kafka]` properties of a
 * configuration as pairs and pass them on. Ours keep our promises: acks=all, idempotence, no auto
 * commit, offset reset by error. They cannot be overridden, and the error names them.
 *
 * Next: handle.h, which all handles share.
 */
#ifndef VALISE_STREAM_STREAM_H
#define VALISE_STREAM_STREAM_H

#include "base/conf.h"
#include "base/err.h"
#include "bus/record.h"

#include <stdbool.h>
#include <stdint.h>

/* -- sending -- */

struct vl_producer;

/* Called once for each record given to send: ok when all in-sync replicas have it, else the
 * error. Runs inside poll, flush and close. */
typedef void vl_producer_acked(void *context, uint64_t tag, enum vl_err err, int32_t partition,
			       int64_t offset);

struct vl_producer_options {
	const struct vl_conf_pair *pairs; /* bootstrap.servers and so on */
	size_t n_pairs;
	/* the most that librdkafka may hold; above it send returns BUSY */
	size_t window_bytes, window_records;
	vl_producer_acked *acked;
	void *context;
	/* on a slow line, to all other connections: at most a quarter of a second of its data is
	 * on the line */
	bool gives_way;
	/* Their leaders are looked up before the first record comes, so that it is not delayed.
	 * The names may be freed after open. */
	const char *const *topics;
	size_t n_topics;
};

/* CONFIG if librdkafka refuses a property; the reason names it. Needs no broker. */
enum vl_err vl_producer_open(const struct vl_producer_options *options,
			     struct vl_producer **producer, struct vl_why *why) VL_CHECKED;

/* Wait up to `timeout_ms` for records in flight. Then drop the rest (`acked` is called with GONE
 * for each) and free all. */
void vl_producer_close(struct vl_producer *producer, int timeout_ms);

/* Send one record; the bytes are copied. Order within a (topic, key) is kept. `value.data` NULL
 * is a null value. BUSY if the window is full: poll, then try again. GONE if the producer has
 * failed for good. */
enum vl_err vl_producer_send(struct vl_producer *producer, const char *topic, struct vl_bytes key,
			     struct vl_bytes value, const struct vl_header *headers,
			     size_t n_headers, uint64_t tag, struct vl_why *why) VL_CHECKED;

/* The same to a certain partition. */
#define VL_PARTITION_OF_KEY ((int32_t)-1)
enum vl_err vl_producer_send_to(struct vl_producer *producer, const char *topic, int32_t partition,
				struct vl_bytes key, struct vl_bytes value,
				const struct vl_header *headers, size_t n_headers, uint64_t tag,
				struct vl_why *why) VL_CHECKED;

/* Serve acks for up to `timeout_ms`. GONE if the producer has failed for good: close it.
 * UNREACHABLE while no broker answers; it goes on trying by itself. */
enum vl_err vl_producer_poll(struct vl_producer *producer, int timeout_ms,
			     struct vl_why *why) VL_CHECKED;

/* Within `acked`, ok: when the broker appended that record, by its own clock; -1 if the topic
 * does not keep that time. */
int64_t vl_producer_appended_ms(const struct vl_producer *producer);

/* Records and bytes that were given to send and not yet reported to `acked`. */
void vl_producer_in_flight(const struct vl_producer *producer, size_t *records, size_t *bytes);

/* The line's speed in bytes a second, measured while more was waiting. 0 while it is unknown,
 * and for a producer that does not give way. */
uint64_t vl_producer_rate(const struct vl_producer *producer);

/* A file descriptor that becomes readable when poll has something to do; -1 if there is none.
 * Read it empty before poll. */
int vl_producer_fd(const struct vl_producer *producer);

/* -- receiving -- */

#define VL_OFFSET_BEGINNING ((int64_t)-2)
#define VL_OFFSET_END ((int64_t)-1)
#define VL_OFFSET_LAST ((int64_t)-2001) /* the last record; the end, if there is none */
#define VL_TOPIC_MAX ((size_t)249)

struct vl_position {
	char topic[VL_TOPIC_MAX + 1];
	int32_t partition;
	int64_t offset; /* the next record wanted, or one of the above */
};

struct vl_consumer;
struct vl_message;

/* Joins no group and commits nothing. */
enum vl_err vl_consumer_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			     struct vl_consumer **consumer, struct vl_why *why) VL_CHECKED;
void vl_consumer_close(struct vl_consumer *consumer);

/* The same on a thread of its own, for which no thread waits. librdkafka 2.0.2 may never return
 * from closing a consumer while one of its topics is being deleted (its issue 4362). Use it for
 * a consumer that is replaced because of an error. */
void vl_consumer_abandon(struct vl_consumer *consumer);

/* Read these partitions from these offsets, instead of the previous ones. */
enum vl_err vl_consumer_assign(struct vl_consumer *consumer, const struct vl_position *positions,
			       size_t count, struct vl_why *why) VL_CHECKED;

/* Which partitions are read apart from the others, and whether there is room for a record of
 * one. A topic of NULL stands for all others. While there is no room, fetched records wait, and
 * so do librdkafka's reports. */
struct vl_consumer_room {
	bool (*apart)(void *context, const char *topic);
	bool (*has)(void *context, const char *topic, int32_t partition);
	void *context;
};

/* Before the first assign. `room` is copied. NOMEM. */
enum vl_err vl_consumer_set_room(struct vl_consumer *consumer,
				 const struct vl_consumer_room *room) VL_CHECKED;

/* The next message, to be freed by the caller; messages may be freed from any thread. `*at`,
 * which may be NULL, names the partition; a topic of "" in it means the whole consumer. reader.h
 * handles partitions that fail.
 *
 * - TIMEOUT: no message came.
 * - END: a partition's end was reached for now; `*at` has its next offset.
 * - UNREACHABLE: no broker answers; go on polling. With a topic: this partition alone.
 * - NOT_FOUND: `*at` is an offset or a topic that does not exist, or no longer. It is not
 *   skipped or reset.
 * - CORRUPT, TOO_LARGE: a batch that cannot be read. `*at` has its first offset, or
 *   VL_OFFSET_END if that is unknown. The other partitions go on.
 * - PERMISSION: this partition may not be read. The others go on. */
enum vl_err vl_consumer_poll(struct vl_consumer *consumer, int timeout_ms,
			     struct vl_message **message, struct vl_position *at,
			     struct vl_why *why) VL_CHECKED;

const struct vl_record *vl_message_record(const struct vl_message *message);

/* Replace the time of a record. */
void vl_message_stamp(struct vl_message *message, int64_t timestamp_ms);
void vl_message_free(struct vl_message *message);

/* The most that one record batch may hold unpacked, with any codec; a larger one is CORRUPT.
 * Snappy bounds itself: 22 times its packed size. */
#define VL_UNPACK_MAX ((size_t)4000000)

/* -- questions, through a consumer's connection -- */

/* The first offset and the one after the last, as Kafka has already reported them for a
 * partition that is read. False if it has not. Sends no question. */
bool vl_consumer_known(struct vl_consumer *consumer, const char *topic, int32_t partition,
		       int64_t *first, int64_t *end);

/* How many fetches Kafka has answered. */
uint64_t vl_consumer_answers(const struct vl_consumer *consumer);

/* The number of partitions of a topic. NOT_FOUND if there is no topic, UNREACHABLE within
 * `timeout_ms`. */
enum vl_err vl_consumer_partitions(struct vl_consumer *consumer, const char *topic, int timeout_ms,
				   int32_t *count, struct vl_why *why) VL_CHECKED;

/* The same, and which of them have no leader: `absent`, an array of `size`, which may be less
 * than the number of partitions. */
enum vl_err vl_consumer_leaders(struct vl_consumer *consumer, const char *topic, int timeout_ms,
				int32_t *count, bool *absent, size_t size,
				struct vl_why *why) VL_CHECKED;

/* The first offset there is and the one after the last. */
enum vl_err vl_consumer_range(struct vl_consumer *consumer, const char *topic, int32_t partition,
			      int timeout_ms, int64_t *first, int64_t *end,
			      struct vl_why *why) VL_CHECKED;

/* The first offset whose broker timestamp is not before `ms`; VL_OFFSET_END if there is none. */
enum vl_err vl_consumer_offset_at(struct vl_consumer *consumer, const char *topic,
				  int32_t partition, int64_t ms, int timeout_ms, int64_t *offset,
				  struct vl_why *why) VL_CHECKED;

/* -- topics -- */

struct vl_admin;

enum vl_err vl_admin_open(const struct vl_conf_pair *pairs, size_t n_pairs, struct vl_admin **admin,
			  struct vl_why *why) VL_CHECKED;
void vl_admin_close(struct vl_admin *admin);

/* How many brokers there are. */
enum vl_err vl_admin_brokers(struct vl_admin *admin, int timeout_ms, int *count,
			     struct vl_why *why) VL_CHECKED;

#define VL_TOPIC_CONFIGS 32

/* A topic, as it is or as it should be. Texts belong to the caller, or to the admin handle until
 * its next call. */
struct vl_topic {
	const char *name;
	int32_t partitions, replicas;
	/* how many partitions have a leader now; describe sets it, and configure ignores it */
	int32_t leaders;
	size_t n_configs;
	/* overrides only; describe sorts them by key */
	struct vl_conf_pair configs[VL_TOPIC_CONFIGS];
};

/* The names of all topics but Kafka's own, sorted. They belong to the admin handle until its
 * next call. */
enum vl_err vl_admin_list(struct vl_admin *admin, int timeout_ms, const char *const **names,
			  size_t *count, struct vl_why *why) VL_CHECKED;

/* Every setting of a topic, its own or the brokers'. The texts are valid during the call.
 * NOT_FOUND if there is no such topic; PERMISSION. */
enum vl_err vl_admin_settings(struct vl_admin *admin, const char *name, int timeout_ms,
			      void (*each)(void *context, const char *key, const char *value),
			      void *context, struct vl_why *why) VL_CHECKED;

/* NOT_FOUND where there is none. */
enum vl_err vl_admin_describe(struct vl_admin *admin, const char *name, int timeout_ms,
			      struct vl_topic *topic, struct vl_why *why) VL_CHECKED;
enum vl_err vl_admin_create(struct vl_admin *admin, const struct vl_topic *topic, int timeout_ms,
			    struct vl_why *why) VL_CHECKED;

/* Raise the number of partitions. */
enum vl_err vl_admin_grow(struct vl_admin *admin, const char *name, int32_t partitions,
			  int timeout_ms, struct vl_why *why) VL_CHECKED;

/* Set the topic's overrides to exactly `configs`. librdkafka 2.0.2 replaces them all
 * (AlterConfigs), so pass those that stay too. */
enum vl_err vl_admin_configure(struct vl_admin *admin, const struct vl_topic *topic, int timeout_ms,
			       struct vl_why *why) VL_CHECKED;

#endif

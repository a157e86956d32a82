/*
 * Records read from partitions that are named (stream.h).
 */
#include "stream/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "stream/apart.h"
#include "stream/handle.h"
#include "stream/wall.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(VL_OFFSET_BEGINNING == RD_KAFKA_OFFSET_BEGINNING, "one number for both");
_Static_assert(VL_OFFSET_END == RD_KAFKA_OFFSET_END, "one number for both");
_Static_assert(VL_OFFSET_LAST == RD_KAFKA_OFFSET_TAIL(1), "one number for both");

/* The sizes let a value of 1,000,000 bytes and its headers pass, and bound what waits here. A
 * broker gives a batch that is larger than was asked for all the same, and librdkafka ends the
 * connection, and with it the reading of all its partitions, where an answer is larger than
 * receive.message.max.bytes: that is above what a broker takes in (socket.request.max.bytes, 100
 * MiB). What a batch may hold unpacked is bounded elsewhere (wall.c). librdkafka will not assign
 * without a group's name, and asks for that group's coordinator, but joins and commits only when
 * told to. */
static const struct vl_conf_pair defaults[] = {
	{"group.id", "valise"},
	{"queued.max.messages.kbytes", "16384"},
	{"fetch.message.max.bytes", "1048576"},
	{"fetch.max.bytes", "8388608"},
	{"receive.message.max.bytes", "120000000"},
	{"fetch.wait.max.ms", "50"},
	{"fetch.error.backoff.ms", "100"},
	/* until an unknown topic counts as missing */
	{"topic.metadata.propagation.max.ms", "5000"},
	{NULL, NULL},
};

/* Every record is signed, so an aborted one is judged like any other. And no open transaction
 * delays other readers. */
static const struct vl_conf_pair promises[] = {
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"isolation.level", "read_uncommitted"},
	{"check.crcs", "true"},
	{"enable.partition.eof", "true"},
	{"allow.auto.create.topics", "false"},
	{NULL, NULL},
};

/* librdkafka wants all messages back before the handle goes, but they are freed in other threads
 * and may come late: each of them holds the consumer, and whoever lets go last destroys it. */
struct vl_consumer {
	struct vl_handle handle;
	rd_kafka_t *rk;
	atomic_size_t holders;
	bool abandoned;
	struct vl_apart *apart; /* NULL: all stand in one line */
	struct vl_consumer_room room;
	bool others_next; /* the last message was of one that is apart */
};

struct vl_message {
	struct vl_consumer *consumer;
	rd_kafka_message_t *message;
	struct vl_record record;
};

static bool run_apart(void *(*work)(void *), struct vl_consumer *consumer)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, consumer) != 0)
		return false;
	(void)pthread_detach(thread);
	return true;
}

static void *destroy(void *context)
{
	struct vl_consumer *consumer = context;

	vl_apart_leave(consumer->apart);
	rd_kafka_destroy(consumer->rk);
	vl_apart_close(consumer->apart);
	free(consumer);
	return NULL;
}

static void let_go(struct vl_consumer *consumer)
{
	if (atomic_fetch_sub(&consumer->holders, 1) > 1)
		return;
	if (!consumer->abandoned || !run_apart(destroy, consumer))
		(void)destroy(consumer);
}

void vl_consumer_hold(struct vl_consumer *consumer)
{
	atomic_fetch_add(&consumer->holders, 1);
}

void vl_consumer_release(struct vl_consumer *consumer)
{
	let_go(consumer);
}

enum vl_err vl_consumer_open(const struct vl_conf_pair *pairs, size_t n_pairs,
			     struct vl_consumer **consumer, struct vl_why *why)
{
	rd_kafka_conf_t *conf;

	*consumer = NULL;
	vl_wall_build();
	struct vl_consumer *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err =
		vl_handle_conf(defaults, promises, pairs, n_pairs, &c->handle, &conf, why);
	if (err == VL_OK)
		err = vl_handle_open(RD_KAFKA_CONSUMER, conf, &c->rk, why);
	if (err != VL_OK) {
		free(c);
		return err;
	}
	atomic_store(&c->holders, 1);
	/* One queue for everything, errors too: one call serves it. */
	(void)rd_kafka_poll_set_consumer(c->rk);
	*consumer = c;
	return VL_OK;
}

static void *leave(void *context)
{
	struct vl_consumer *consumer = context;

	(void)rd_kafka_consumer_close(consumer->rk);
	let_go(consumer);
	return NULL;
}

void vl_consumer_close(struct vl_consumer *consumer)
{
	if (consumer != NULL)
		(void)leave(consumer);
}

void vl_consumer_abandon(struct vl_consumer *consumer)
{
	if (consumer == NULL)
		return;
	consumer->abandoned = true;
	if (!run_apart(leave, consumer))
		(void)leave(consumer);
}

enum vl_err vl_consumer_assign(struct vl_consumer *consumer, const struct vl_position *positions,
			       size_t count, struct vl_why *why)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

	for (size_t i = 0; consumer->apart != NULL && i < count; i++)
		if (consumer->room.apart(consumer->room.context, positions[i].topic) &&
		    !vl_apart_add(consumer->apart, positions[i].topic, positions[i].partition)) {
			rd_kafka_topic_partition_list_destroy(list);
			return VL_ERR_NOMEM;
		}
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, positions[i].topic, positions[i].partition)
			->offset = positions[i].offset;
	rd_kafka_resp_err_t code = rd_kafka_assign(consumer->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? VL_OK
						  : vl_handle_fail(why, code, "assign", NULL);
}

enum vl_err vl_consumer_set_room(struct vl_consumer *consumer, const struct vl_consumer_room *room)
{
	consumer->room = *room;
	consumer->apart = vl_apart_open(consumer->rk);
	return consumer->apart != NULL ? VL_OK : VL_ERR_NOMEM;
}

/* -- messages -- */

static void fill_headers(const rd_kafka_message_t *message, struct vl_record *record)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t size;

	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	while (rd_kafka_header_get_all(headers, record->n_headers, &name, &value, &size) ==
	       RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (record->n_headers == VL_RECORD_HEADERS) {
			record->headers_cut = true;
			return;
		}
		record->headers[record->n_headers++] = (struct vl_header){
			vl_bytes_of(name),
			{value, value != NULL ? size : 0},
		};
	}
}

/* Takes the message over, also when it fails. */
static enum vl_err wrap(struct vl_consumer *consumer, rd_kafka_message_t *message,
			struct vl_message **wrapped)
{
	struct vl_message *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		rd_kafka_message_destroy(message);
		return VL_ERR_NOMEM;
	}
	const char *topic = rd_kafka_topic_name(message->rkt);
	rd_kafka_timestamp_type_t kept;
	int64_t timestamp_ms = rd_kafka_message_timestamp(message, &kept);
	m->consumer = consumer;
	m->message = message;
	m->record = (struct vl_record){
		.topic = vl_bytes_of(topic),
		.partition = message->partition,
		.offset = message->offset,
		.timestamp_ms = timestamp_ms,
		.sender_time = kept != RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
		.key = {message->key, message->key_len},
		.value = {message->payload, message->len},
	};
	fill_headers(message, &m->record);
	atomic_fetch_add(&consumer->holders, 1);
	*wrapped = m;
	return VL_OK;
}

const struct vl_record *vl_message_record(const struct vl_message *message)
{
	return &message->record;
}

void vl_message_stamp(struct vl_message *message, int64_t timestamp_ms)
{
	message->record.timestamp_ms = timestamp_ms;
}

void vl_message_free(struct vl_message *message)
{
	if (message == NULL)
		return;
	rd_kafka_message_destroy(message->message);
	let_go(message->consumer);
	free(message);
}

/* -- polling -- */

static void fill_position(const rd_kafka_message_t *message, struct vl_position *at)
{
	const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : "";

	(void)snprintf(at->topic, sizeof(at->topic), "%s", topic);
	at->partition = message->partition;
	at->offset = message->offset >= 0 ? message->offset : VL_OFFSET_END;
	/* librdkafka names a bad batch by its first offset; of one that the broker cannot read
	 * only the offset asked for is known. */
	enum vl_err err = vl_handle_err(message->err);
	if ((err == VL_ERR_CORRUPT || err == VL_ERR_TOO_LARGE) &&
	    message->err > RD_KAFKA_RESP_ERR__END)
		at->offset = VL_OFFSET_END;
}

/* A message that is an error. Being refused the group says nothing about the topics; there is no
 * group for us. */
static enum vl_err judge(const rd_kafka_message_t *message, struct vl_position *at,
			 struct vl_why *why)
{
	const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : NULL;

	if (message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
		vl_log_debug("librdkafka: %s", rd_kafka_message_errstr(message));
		return VL_ERR_TIMEOUT;
	}
	if (at != NULL)
		fill_position(message, at);
	return vl_handle_fail(why, message->err, topic, rd_kafka_message_errstr(message));
}

/* That a topic is not there comes as a complaint of the whole handle, with the partition only in
 * its words. */
static enum vl_err judge_complaint(struct vl_handle *handle, struct vl_position *at,
				   struct vl_why *why)
{
	rd_kafka_resp_err_t code = handle->partition;
	struct vl_position named = {.offset = VL_OFFSET_END};

	handle->partition = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (sscanf(handle->last, "%249s [%" SCNd32 "]", named.topic, &named.partition) == 2 &&
	    at != NULL)
		*at = named;
	return vl_handle_fail(why, code, NULL, handle->last);
}

static rd_kafka_message_t *next_of_others(struct vl_consumer *consumer, bool *left)
{
	if (consumer->room.has(consumer->room.context, NULL, 0))
		return rd_kafka_consumer_poll(consumer->rk, 0);
	*left = true;
	return NULL;
}

/* Those that are apart and the others take turns. */
static rd_kafka_message_t *next_in_turn(struct vl_consumer *consumer, bool *left)
{
	rd_kafka_message_t *got = consumer->others_next ? next_of_others(consumer, left) : NULL;

	if (got == NULL) {
		got = vl_apart_next(consumer->apart, &consumer->room, left);
		consumer->others_next = got != NULL;
		return got != NULL ? got : next_of_others(consumer, left);
	}
	consumer->others_next = false;
	return got;
}

#define ROOM_MS 2 /* between looks for room */

static rd_kafka_message_t *poll_handle(struct vl_consumer *consumer, int timeout_ms)
{
	int64_t until = vl_monotonic_ms() + timeout_ms;
	rd_kafka_message_t *got = NULL;

	if (consumer->apart == NULL)
		return rd_kafka_consumer_poll(consumer->rk, timeout_ms);
	for (bool last = false; !last;) {
		bool left = false;
		got = next_in_turn(consumer, &left);
		int64_t wait = until - vl_monotonic_ms();
		last = got != NULL || wait <= 0 ||
		       consumer->handle.partition != RD_KAFKA_RESP_ERR_NO_ERROR;
		if (!last)
			vl_apart_wait(consumer->apart,
				      left && wait > ROOM_MS ? ROOM_MS : (int)wait);
	}
	return got;
}

enum vl_err vl_consumer_poll(struct vl_consumer *consumer, int timeout_ms,
			     struct vl_message **message, struct vl_position *at,
			     struct vl_why *why)
{
	struct vl_handle *handle = &consumer->handle;

	if (at != NULL)
		at->topic[0] = '\0';
	rd_kafka_message_t *got = poll_handle(consumer, timeout_ms);

	*message = NULL;
	if (got == NULL && handle->partition != RD_KAFKA_RESP_ERR_NO_ERROR)
		return judge_complaint(handle, at, why);
	if (got == NULL)
		return atomic_load(&handle->unreachable) ? vl_handle_unreachable(handle, why)
							 : VL_ERR_TIMEOUT;
	if (got->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return wrap(consumer, got, message);
	enum vl_err err = judge(got, at, why);
	rd_kafka_message_destroy(got);
	return err;
}

/* -- asking -- */

/* While nothing is assigned nothing polls, and complaints wait until a caller needs the reason. */
static enum vl_err blame(struct vl_consumer *consumer, struct vl_why *why)
{
	rd_kafka_topic_partition_list_t *assigned = NULL;

	if (rd_kafka_assignment(consumer->rk, &assigned) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	    assigned->cnt == 0) {
		rd_kafka_message_t *none = rd_kafka_consumer_poll(consumer->rk, 0);
		if (none != NULL)
			rd_kafka_message_destroy(none);
	}
	if (assigned != NULL)
		rd_kafka_topic_partition_list_destroy(assigned);
	return consumer->handle.last[0] != '\0' ? vl_handle_unreachable(&consumer->handle, why)
						: VL_ERR_UNREACHABLE;
}

enum vl_err vl_consumer_leaders(struct vl_consumer *consumer, const char *topic, int timeout_ms,
				int32_t *count, bool *absent, size_t size, struct vl_why *why)
{
	const struct rd_kafka_metadata *metadata;

	*count = 0;
	enum vl_err err = vl_handle_metadata(consumer->rk, topic, timeout_ms, &metadata, why);
	if (err != VL_OK)
		return err == VL_ERR_UNREACHABLE ? blame(consumer, why) : err;
	const struct rd_kafka_metadata_topic *found = &metadata->topics[0];
	*count = found->partition_cnt;
	for (int i = 0; i < found->partition_cnt; i++)
		if (found->partitions[i].id >= 0 && (size_t)found->partitions[i].id < size)
			absent[found->partitions[i].id] = found->partitions[i].leader < 0;
	rd_kafka_metadata_destroy(metadata);
	return VL_OK;
}

enum vl_err vl_consumer_partitions(struct vl_consumer *consumer, const char *topic, int timeout_ms,
				   int32_t *count, struct vl_why *why)
{
	return vl_consumer_leaders(consumer, topic, timeout_ms, count, NULL, 0, why);
}

bool vl_consumer_known(struct vl_consumer *consumer, const char *topic, int32_t partition,
		       int64_t *first, int64_t *end)
{
	*first = *end = VL_OFFSET_END;
	return rd_kafka_get_watermark_offsets(consumer->rk, topic, partition, first, end) ==
		       RD_KAFKA_RESP_ERR_NO_ERROR &&
	       *first >= 0 && *end >= 0;
}

uint64_t vl_consumer_answers(const struct vl_consumer *consumer)
{
	return atomic_load(&consumer->handle.fetches);
}

/* One ListOffsets question. `ms` may also be VL_OFFSET_BEGINNING or VL_OFFSET_END, as the
 * protocol has them as times too; rd_kafka_query_watermark_offsets, made for those, forgets its
 * timeout before 2.12.0. */
static enum vl_err list_offset(struct vl_consumer *consumer, const char *topic, int32_t partition,
			       int64_t ms, int timeout_ms, int64_t *offset, struct vl_why *why)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *asked =
		rd_kafka_topic_partition_list_add(list, topic, partition);

	asked->offset = ms;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(consumer->rk, list, timeout_ms);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = asked->err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		*offset = asked->offset;
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? VL_OK : vl_handle_fail(why, code, topic, NULL);
}

enum vl_err vl_consumer_range(struct vl_consumer *consumer, const char *topic, int32_t partition,
			      int timeout_ms, int64_t *first, int64_t *end, struct vl_why *why)
{
	enum vl_err err = list_offset(consumer, topic, partition, VL_OFFSET_BEGINNING, timeout_ms,
				      first, why);

	return err != VL_OK ? err
			    : list_offset(consumer, topic, partition, VL_OFFSET_END, timeout_ms,
					  end, why);
}

enum vl_err vl_consumer_offset_at(struct vl_consumer *consumer, const char *topic,
				  int32_t partition, int64_t ms, int timeout_ms, int64_t *offset,
				  struct vl_why *why)
{
	if (ms < 0)
		ms = 0; /* nothing is older; below zero the protocol means something else */
	return list_offset(consumer, topic, partition, ms, timeout_ms, offset, why);
}

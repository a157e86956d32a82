/*
 * Records given to Kafka, and what became of each (stream.h).
 */
#include "stream/stream.h"

#include "stream/handle.h"
#include "stream/valve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * enable.gapless.guarantee stays off. It turns the refusal of one record (too large, no right to
 * write to that topic) into the death of the producer, and with it stops every other lane, FLASH
 * too, for as long as that record is at the head of its outbox. Without it the refusal is reported
 * to `acked` and the others go on; batches are numbered and chained, so that headquarters sees the
 * gap and the outbox still has what fills it. The other source of gaps, a message that times out
 * while the next one does not, is closed: messages never time out.
 *
 * message.max.bytes is what the widest topic, the dead letters, takes: a record as large as Kafka
 * takes by itself and what is said about it. The other topics' own limits are the broker's to keep.
 * Batches of several records stay below batch.size, 1 MB.
 */
#define MESSAGE_MAX "2097152"

static const struct vl_conf_pair defaults[] = {
	{"linger.ms", "5"},
	/* the most that idempotence can keep in order */
	{"max.in.flight.requests.per.connection", "5"},
	{NULL, NULL},
};

/* One record between send and acked. librdkafka hands it back as the message's opaque. */
struct sent {
	struct sent *before, *after;
	uint64_t tag;
	size_t bytes;
};

struct vl_producer {
	struct vl_handle handle; /* first, as it is librdkafka's opaque for all callbacks */
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	struct vl_valves *valves; /* NULL where it does not give way */
	struct vl_producer_options options;
	rd_kafka_topic_t **topics; /* that are asked for ahead */
	size_t n_topics;
	struct sent all; /* a ring, oldest first */
	size_t records, bytes;
	int64_t appended_ms; /* of the record that is being reported; -1 if unknown */
	int fd;
	bool closing;
};

/* -- acks -- */

static void tell(struct vl_producer *producer, struct sent *sent, enum vl_err err,
		 int32_t partition, int64_t offset)
{
	uint64_t tag = sent->tag;

	sent->before->after = sent->after;
	sent->after->before = sent->before;
	producer->records--;
	producer->bytes -= sent->bytes;
	free(sent);
	/* Last, as the callee may send again. */
	producer->options.acked(producer->options.context, tag, err, partition, offset);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct vl_producer *producer = opaque;

	rd_kafka_timestamp_type_t type;
	int64_t at = rd_kafka_message_timestamp(message, &type);

	(void)rk;
	producer->appended_ms = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? at : -1;
	tell(producer, message->_private, vl_handle_err(message->err), message->partition,
	     message->offset);
}

/* -- connections: called in librdkafka's threads -- */

static int on_socket(int domain, int type, int protocol, void *opaque)
{
	(void)opaque;
	return vl_valves_socket(domain, type, protocol);
}

static int on_connect(int fd, const struct sockaddr *address, int size, const char *broker,
		      void *opaque)
{
	struct vl_producer *producer = opaque;

	(void)broker;
	return vl_valves_connect(producer->valves, fd, address, (socklen_t)size);
}

static int on_close(int fd, void *opaque)
{
	struct vl_producer *producer = opaque;

	return vl_valves_closesocket(producer->valves, fd);
}

/* -- open and close -- */

static enum vl_err configure(struct vl_producer *producer, rd_kafka_conf_t **conf,
			     struct vl_why *why)
{
	const struct vl_producer_options *options = &producer->options;
	char records[24], kbytes[24];
	/* The window is counted by send, with keys and headers, which librdkafka leaves out. Its
	 * own bounds are the same or wider, so that they never say no to what the window let
	 * pass, but one record of any size. */
	size_t most = options->window_bytes > (size_t)atol(MESSAGE_MAX) ? options->window_bytes
									: (size_t)atol(MESSAGE_MAX);
	const struct vl_conf_pair promises[] = {
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"retries", "2147483647"},
		{"message.timeout.ms", "0"},
		{"enable.gapless.guarantee", "false"},
		{"transactional.id", NULL},
		{"partitioner", "murmur2_random"},
		{"allow.auto.create.topics", "false"},
		{"message.max.bytes", MESSAGE_MAX},
		{"queue.buffering.max.messages", records},
		{"queue.buffering.max.kbytes", kbytes},
		{NULL, NULL},
	};

	(void)snprintf(records, sizeof(records), "%zu", options->window_records);
	(void)snprintf(kbytes, sizeof(kbytes), "%zu", most / 1024 + 1);
	enum vl_err err = vl_handle_conf(defaults, promises, options->pairs, options->n_pairs,
					 &producer->handle, conf, why);
	if (err != VL_OK)
		return err;
	rd_kafka_conf_set_dr_msg_cb(*conf, on_delivery);
	rd_kafka_conf_set_socket_cb(*conf, on_socket);
	rd_kafka_conf_set_connect_cb(*conf, on_connect);
	rd_kafka_conf_set_closesocket_cb(*conf, on_close);
	return VL_OK;
}

/* An eventfd takes eight bytes and gives them back as one number: never more than one wake-up to
 * read. */
static enum vl_err watch(struct vl_producer *producer, struct vl_why *why)
{
	static const uint64_t one = 1;

	producer->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (producer->fd < 0)
		return vl_fail(why, VL_ERR_IO, "eventfd: %s", strerror(errno));
	producer->queue = rd_kafka_queue_get_main(producer->rk);
	rd_kafka_queue_io_event_enable(producer->queue, producer->fd, &one, sizeof(one));
	return VL_OK;
}

/* One that does not exist yet is no trouble: the first record to it will show that. */
static enum vl_err meet_topics(struct vl_producer *producer)
{
	const struct vl_producer_options *options = &producer->options;

	producer->topics = calloc(options->n_topics + 1, sizeof(*producer->topics));
	if (producer->topics == NULL)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < options->n_topics; i++) {
		rd_kafka_topic_t *topic =
			rd_kafka_topic_new(producer->rk, options->topics[i], NULL);
		if (topic != NULL)
			producer->topics[producer->n_topics++] = topic;
	}
	return VL_OK;
}

enum vl_err vl_producer_open(const struct vl_producer_options *options,
			     struct vl_producer **producer, struct vl_why *why)
{
	rd_kafka_conf_t *conf;
	enum vl_err err;

	*producer = NULL;
	if (options->window_records == 0 || options->window_bytes == 0)
		return vl_fail(why, VL_ERR_USAGE, "a window of nothing");
	struct vl_producer *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return VL_ERR_NOMEM;
	p->options = *options;
	p->fd = -1;
	p->all.before = p->all.after = &p->all;
	p->valves = options->gives_way ? vl_valves_open() : NULL;
	if (options->gives_way && p->valves == NULL) {
		free(p);
		return VL_ERR_NOMEM;
	}
	err = configure(p, &conf, why);
	if (err == VL_OK)
		err = vl_handle_open(RD_KAFKA_PRODUCER, conf, &p->rk, why);
	if (err == VL_OK)
		err = watch(p, why);
	if (err == VL_OK)
		err = meet_topics(p);
	p->options.pairs = NULL; /* the caller's, and not needed any more */
	p->options.topics = NULL;
	if (err == VL_OK)
		*producer = p;
	else
		vl_producer_close(p, 0);
	return err;
}

void vl_producer_close(struct vl_producer *producer, int timeout_ms)
{
	if (producer == NULL)
		return;
	producer->closing = true;
	if (producer->rk != NULL && producer->records > 0)
		(void)rd_kafka_flush(producer->rk, timeout_ms);
	if (producer->queue != NULL) {
		rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(producer->queue);
	}
	for (size_t i = 0; i < producer->n_topics; i++)
		rd_kafka_topic_destroy(producer->topics[i]);
	free(producer->topics);
	if (producer->rk != NULL)
		rd_kafka_destroy(producer->rk);
	vl_valves_close(producer->valves);
	if (producer->fd >= 0)
		(void)close(producer->fd);
	/* Only now is it certain that librdkafka reports no more of these. */
	while (producer->all.after != &producer->all)
		tell(producer, producer->all.after, VL_ERR_GONE, -1, -1);
	free(producer);
}

/* -- sending -- */

static enum vl_err dead(const struct vl_producer *producer, struct vl_why *why)
{
	char text[160] = "";

	if (producer->closing)
		return vl_fail(why, VL_ERR_GONE, "the producer is being closed");
	rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->rk, text, sizeof(text));
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return VL_OK;
	return vl_fail(why, VL_ERR_GONE, "the producer is dead (%s): %s", rd_kafka_err2name(code),
		       text);
}

static size_t size_of(struct vl_bytes key, struct vl_bytes value, const struct vl_header *headers,
		      size_t n_headers)
{
	size_t size = key.size + value.size;

	for (size_t i = 0; i < n_headers; i++)
		size += headers[i].name.size + headers[i].value.size;
	return size;
}

static enum vl_err make_headers(const struct vl_header *headers, size_t count,
				rd_kafka_headers_t **made, struct vl_why *why)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	*made = count > 0 ? rd_kafka_headers_new(count) : NULL;
	for (size_t i = 0; i < count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		code = rd_kafka_header_add(*made, (const char *)headers[i].name.data,
					   (ssize_t)headers[i].name.size, headers[i].value.data,
					   (ssize_t)headers[i].value.size);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return VL_OK;
	rd_kafka_headers_destroy(*made);
	return vl_handle_fail(why, code, "header", NULL);
}

/*
 * librdkafka before 2.12.0 frees single headers (RD_KAFKA_V_HEADER) twice in rd_kafka_produceva
 * when a record is refused for its partition or because its topic is not there (#4628). So the
 * headers are one object of ours: librdkafka owns it when the call succeeds and does not touch
 * it when it fails, in every version of rd_kafka_producev.
 */
static rd_kafka_resp_err_t produce(struct vl_producer *producer, const char *topic,
				   int32_t partition, struct vl_bytes key, struct vl_bytes value,
				   rd_kafka_headers_t *headers, struct sent *sent)
{
	rd_kafka_resp_err_t code = rd_kafka_producev(
		producer->rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
		RD_KAFKA_V_KEY(key.data, key.size),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(sent), RD_KAFKA_V_END);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL)
		rd_kafka_headers_destroy(headers);
	return code;
}

_Static_assert(VL_PARTITION_OF_KEY == RD_KAFKA_PARTITION_UA, "one number for both");

enum vl_err vl_producer_send(struct vl_producer *producer, const char *topic, struct vl_bytes key,
			     struct vl_bytes value, const struct vl_header *headers,
			     size_t n_headers, uint64_t tag, struct vl_why *why)
{
	return vl_producer_send_to(producer, topic, VL_PARTITION_OF_KEY, key, value, headers,
				   n_headers, tag, why);
}

enum vl_err vl_producer_send_to(struct vl_producer *producer, const char *topic, int32_t partition,
				struct vl_bytes key, struct vl_bytes value,
				const struct vl_header *headers, size_t n_headers, uint64_t tag,
				struct vl_why *why)
{
	const struct vl_producer_options *window = &producer->options;
	size_t size = size_of(key, value, headers, n_headers);
	rd_kafka_headers_t *made;
	enum vl_err err = dead(producer, why);

	if (err != VL_OK)
		return err;
	if (topic[0] == '\0' || strlen(topic) > VL_TOPIC_MAX)
		return vl_fail(why, VL_ERR_INVALID, "a topic's name has 1 to %zu characters",
			       VL_TOPIC_MAX);
	/* The first one may be larger than the window, else it could never be sent. */
	if (producer->records >= window->window_records ||
	    (producer->records > 0 && producer->bytes + size > window->window_bytes))
		return vl_fail(why, VL_ERR_BUSY, "%zu records are in flight", producer->records);
	struct sent *sent = malloc(sizeof(*sent));
	if (sent == NULL)
		return VL_ERR_NOMEM;
	err = make_headers(headers, n_headers, &made, why);
	if (err != VL_OK) {
		free(sent);
		return err;
	}
	*sent = (struct sent){producer->all.before, &producer->all, tag, size};
	rd_kafka_resp_err_t code = produce(producer, topic, partition, key, value, made, sent);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		free(sent);
		return vl_handle_fail(why, code, topic, NULL);
	}
	/* Acks come only from poll, flush and close in this thread, so it may be linked after
	 * the call. */
	sent->before->after = sent->after->before = sent;
	producer->records++;
	producer->bytes += size;
	return VL_OK;
}

enum vl_err vl_producer_poll(struct vl_producer *producer, int timeout_ms, struct vl_why *why)
{
	(void)rd_kafka_poll(producer->rk, timeout_ms);
	enum vl_err err = dead(producer, why);
	if (err != VL_OK)
		return err;
	/* A producer with nothing to send does not try to connect again, so then nothing is
	 * known and nothing is wrong. */
	if (producer->records > 0 && atomic_load(&producer->handle.unreachable))
		return vl_handle_unreachable(&producer->handle, why);
	return VL_OK;
}

int64_t vl_producer_appended_ms(const struct vl_producer *producer)
{
	return producer->appended_ms;
}

void vl_producer_in_flight(const struct vl_producer *producer, size_t *records, size_t *bytes)
{
	*records = producer->records;
	*bytes = producer->bytes;
}

int vl_producer_fd(const struct vl_producer *producer)
{
	return producer->fd;
}

uint64_t vl_producer_rate(const struct vl_producer *producer)
{
	return producer->valves != NULL ? vl_valves_rate(producer->valves) : 0;
}

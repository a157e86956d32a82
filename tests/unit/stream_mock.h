/*
 * librdkafka's mock cluster, for the tests of the stream. It keeps records but checks no
 * sequence numbers, knows no timestamps and no admin requests; a real broker is for those.
 *
 * Next: agent_fixture.h, an outbox.
 */
#ifndef VALISE_TESTS_STREAM_MOCK_H
#define VALISE_TESTS_STREAM_MOCK_H

#include "base/clock.h"
#include "stream/stream.h"

#include <librdkafka/rdkafka.h>
/* After rdkafka.h, which it needs first. */
#include <librdkafka/rdkafka_mock.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After the four headers it needs. */
#include <cmocka.h>

#define PRODUCE_REQUEST 0
#define MOCK_WAIT_MS 30000

struct mock {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	struct vl_conf_pair pairs[3];
};

static inline struct mock *mock_open(int brokers)
{
	char text[200];
	struct mock *mock = calloc(1, sizeof(*mock));

	mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, text, sizeof(text));
	mock->cluster = rd_kafka_mock_cluster_new(mock->rk, brokers);
	mock->pairs[0] = (struct vl_conf_pair){"bootstrap.servers",
					       rd_kafka_mock_cluster_bootstraps(mock->cluster)};
	mock->pairs[1] = (struct vl_conf_pair){"reconnect.backoff.max.ms", "200"};
	mock->pairs[2] = (struct vl_conf_pair){"client.id", "test"};
	return mock;
}

static inline void mock_close(struct mock *mock)
{
	rd_kafka_mock_cluster_destroy(mock->cluster);
	rd_kafka_destroy(mock->rk);
	free(mock);
}

static inline void mock_topic(struct mock *mock, const char *topic, int partitions)
{
	assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, topic, partitions, 1), 0);
}

static inline struct vl_bytes text_bytes(const char *text)
{
	return (struct vl_bytes){(const uint8_t *)text, strlen(text)};
}

/* A producer's reports of each tag, to check that it reports each once. */
#define TAGS 64
struct acks {
	unsigned total, times[TAGS];
	enum vl_err err[TAGS];
	int32_t partition[TAGS];
	int64_t offset[TAGS];
};

static inline void on_acked(void *context, uint64_t tag, enum vl_err err, int32_t partition,
			    int64_t offset)
{
	struct acks *acks = context;

	assert_true(tag < TAGS);
	acks->total++;
	acks->times[tag]++;
	acks->err[tag] = err;
	acks->partition[tag] = partition;
	acks->offset[tag] = offset;
}

static inline struct vl_producer *mock_producer(struct mock *mock, struct acks *acks,
						size_t window_records, size_t window_bytes)
{
	struct vl_producer *producer = NULL;
	struct vl_why why = {0};
	struct vl_producer_options options = {
		.pairs = mock->pairs,
		.n_pairs = 3,
		.window_bytes = window_bytes,
		.window_records = window_records,
		.acked = on_acked,
		.context = acks,
	};

	if (vl_producer_open(&options, &producer, &why) != VL_OK)
		fail_msg("%s", why.text);
	return producer;
}

/* Sends a text; fails the test if it is not taken. */
static inline void mock_send(struct vl_producer *producer, const char *topic, const char *key,
			     const char *value, uint64_t tag)
{
	struct vl_why why = {0};
	enum vl_err err = vl_producer_send(producer, topic, text_bytes(key), text_bytes(value),
					   NULL, 0, tag, &why);

	if (err != VL_OK)
		fail_msg("send: %s", vl_why_text(&why, err));
}

/* Polls until `total` acks have come. */
static inline void mock_drain(struct vl_producer *producer, const struct acks *acks, unsigned total)
{
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;

	while (acks->total < total && vl_monotonic_ms() < end)
		if (vl_producer_poll(producer, 50, NULL) == VL_ERR_GONE)
			break;
	assert_int_equal(acks->total, total);
}

/* Polls until it answers `wanted`. */
static inline void mock_poll_until(struct vl_producer *producer, enum vl_err wanted,
				   struct vl_why *why)
{
	int64_t end = vl_monotonic_ms() + MOCK_WAIT_MS;
	enum vl_err err;

	do
		err = vl_producer_poll(producer, 50, why);
	while (err != wanted && vl_monotonic_ms() < end);
	assert_string_equal(vl_err_name(err), vl_err_name(wanted));
}

#endif

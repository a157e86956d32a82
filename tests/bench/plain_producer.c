/*
 * plain_producer: what the agent is measured beside (tests/bench/publish): librdkafka alone, in
 * one process, with the same events, acks=all, idempotent, one record an event; nothing signed,
 * nothing on a disk.
 *
 * plain_producer BROKERS TOPIC EVENTS COMPRESSION
 *
 * Prints the events and the seconds until the last was acked.
 */
#include "events.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long acked;

static void die(const char *what, const char *why)
{
	(void)fprintf(stderr, "plain_producer: cannot %s: %s\n", what, why);
	exit(1);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void)rk, (void)opaque;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("deliver", rd_kafka_err2str(message->err));
	acked++;
}

static rd_kafka_t *open_producer(const char *brokers, const char *compression)
{
	const char *const pairs[][2] = {{"bootstrap.servers", brokers},
					{"enable.idempotence", "true"},
					{"acks", "all"},
					{"partitioner", "murmur2_random"},
					{"queue.buffering.max.messages", "1000000"},
					{"compression.codec", compression}};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], text, sizeof(text)) !=
		    RD_KAFKA_CONF_OK)
			die("configure", text);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL)
		die("open", text);
	return rk;
}

int main(int argc, char **argv)
{
	struct bench_events events;

	if (argc != 5)
		die("start", "usage: plain_producer BROKERS TOPIC EVENTS COMPRESSION");
	unsigned long count = strtoul(argv[3], NULL, 10);
	rd_kafka_t *rk = open_producer(argv[1], argv[4]);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[2], NULL);
	bench_events_start(&events, 1);
	double start = bench_seconds();
	for (unsigned long i = 0; i < count; i++) {
		bench_events_next(&events);
		while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
					events.bytes, events.size, BENCH_MISSION,
					strlen(BENCH_MISSION), NULL) != 0) {
			if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				die("produce", rd_kafka_err2str(rd_kafka_last_error()));
			(void)rd_kafka_poll(rk, 10);
		}
		if (i % 64 == 0)
			(void)rd_kafka_poll(rk, 0);
	}
	while (acked < count)
		(void)rd_kafka_poll(rk, 10);
	printf("%lu %.3f\n", count, bench_seconds() - start);
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(rk);
	return 0;
}

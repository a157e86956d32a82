#include "flash_peer.h"

#include "base/clock.h"
#include "flash_scenes.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 50
#define READY_MS 10000

struct peer {
	rd_kafka_t *consumer;
	const char *key;
	_Atomic int64_t *received;
	size_t room, n;
	pthread_t thread;
	atomic_bool stop;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	must(rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK, why);
}

static void *receive(void *context)
{
	struct peer *peer = context;

	while (!peer->stop) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(peer->consumer, POLL_MS);
		if (message == NULL)
			continue;
		if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
		    message->key_len == strlen(peer->key) &&
		    memcmp(message->key, peer->key, message->key_len) == 0 && peer->n < peer->room)
			peer->received[peer->n++] = vl_time_ms(vl_clock_now(&vl_clock_system));
		rd_kafka_message_destroy(message);
	}
	return NULL;
}

struct peer *peer_open(const char *brokers, const char *topic, int32_t partition, const char *key,
		       _Atomic int64_t *received, size_t room)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];
	int64_t low, high;

	must(peer != NULL && conf != NULL, "allocate");
	set(conf, "bootstrap.servers", brokers);
	set(conf, "group.id", "flash-peer");
	set(conf, "enable.auto.commit", "false");
	peer->key = key;
	peer->received = received;
	peer->room = room;
	peer->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	must(peer->consumer != NULL, why);
	(void)rd_kafka_poll_set_consumer(peer->consumer);
	must(rd_kafka_query_watermark_offsets(peer->consumer, topic, partition, &low, &high,
					      READY_MS) == 0,
	     "ask where the partition ends");
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = high;
	must(rd_kafka_assign(peer->consumer, list) == 0, "read the partition");
	rd_kafka_topic_partition_list_destroy(list);
	must(pthread_create(&peer->thread, NULL, receive, peer) == 0, "start a thread");
	return peer;
}

void peer_close(struct peer *peer)
{
	peer->stop = true;
	pthread_join(peer->thread, NULL);
	(void)rd_kafka_consumer_close(peer->consumer);
	rd_kafka_destroy(peer->consumer);
	free(peer);
}

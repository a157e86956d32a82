#include "stream/apart.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct queue {
	char topic[VL_TOPIC_MAX + 1];
	int32_t partition;
	rd_kafka_queue_t *queue;
};

struct vl_apart {
	rd_kafka_t *rk;
	rd_kafka_queue_t *others; /* of all that are not apart */
	struct queue *queues;
	size_t n, turn;
	int wake[2]; /* a pipe: librdkafka writes to it when something comes into an empty queue */
};

static void call(const struct vl_apart *apart, rd_kafka_queue_t *queue)
{
	rd_kafka_queue_io_event_enable(queue, apart->wake[1], "", 1);
}

struct vl_apart *vl_apart_open(rd_kafka_t *rk)
{
	struct vl_apart *apart = calloc(1, sizeof(*apart));

	if (apart == NULL || pipe2(apart->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
		free(apart);
		return NULL;
	}
	apart->rk = rk;
	apart->others = rd_kafka_queue_get_consumer(rk);
	call(apart, apart->others);
	return apart;
}

static void leave(rd_kafka_queue_t *queue)
{
	rd_kafka_queue_io_event_enable(queue, -1, NULL, 0);
	rd_kafka_queue_destroy(queue);
}

void vl_apart_leave(struct vl_apart *apart)
{
	if (apart == NULL)
		return;
	for (size_t i = 0; i < apart->n; i++)
		leave(apart->queues[i].queue);
	leave(apart->others);
	apart->n = 0;
}

void vl_apart_close(struct vl_apart *apart)
{
	if (apart == NULL)
		return;
	(void)close(apart->wake[0]);
	(void)close(apart->wake[1]);
	free(apart->queues);
	free(apart);
}

bool vl_apart_add(struct vl_apart *apart, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < apart->n; i++)
		if (apart->queues[i].partition == partition &&
		    strcmp(apart->queues[i].topic, topic) == 0)
			return true;
	struct queue *larger = realloc(apart->queues, (apart->n + 1) * sizeof(*larger));
	if (larger == NULL)
		return false;
	apart->queues = larger;
	struct queue *queue = &larger[apart->n];
	*queue = (struct queue){.partition = partition};
	(void)strcpy(queue->topic, topic);
	queue->queue = rd_kafka_queue_get_partition(apart->rk, topic, partition);
	if (queue->queue == NULL)
		return false;
	apart->n++;
	rd_kafka_queue_forward(queue->queue, NULL);
	call(apart, queue->queue);
	return true;
}

rd_kafka_message_t *vl_apart_next(struct vl_apart *apart, const struct vl_consumer_room *room,
				  bool *left)
{
	for (size_t i = 0; i < apart->n; i++) {
		size_t at = (apart->turn + i) % apart->n;
		const struct queue *queue = &apart->queues[at];
		if (rd_kafka_queue_length(queue->queue) == 0)
			continue;
		if (!room->has(room->context, queue->topic, queue->partition)) {
			*left = true;
			continue;
		}
		rd_kafka_message_t *message = rd_kafka_consume_queue(queue->queue, 0);
		if (message == NULL)
			continue;
		apart->turn = at + 1;
		return message;
	}
	return NULL;
}

void vl_apart_wait(struct vl_apart *apart, int timeout_ms)
{
	struct pollfd wake = {.fd = apart->wake[0], .events = POLLIN};
	char bytes[64];

	if (poll(&wake, 1, timeout_ms) > 0)
		while (read(apart->wake[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
			;
}

/*
 * Apart: partitions that do not share the queue of a consumer.
 *
 * librdkafka puts what it fetches into one queue. While that queue is full, it fetches nothing more
 * for any partition. A partition that is apart has a queue of its own. It waits for no other, and
 * its messages are taken only if there is room for them. For services/stream only.
 *
 * Next: ward.h, a partition that cannot be read.
 */
#ifndef VALISE_STREAM_APART_H
#define VALISE_STREAM_APART_H

#include "stream/stream.h"

#include <librdkafka/rdkafka.h>

struct vl_apart;

/* For the consumer `rk`. NULL when out of memory, or of descriptors. */
struct vl_apart *vl_apart_open(rd_kafka_t *rk);

/* Before the handle is destroyed; and after it. */
void vl_apart_leave(struct vl_apart *apart);
void vl_apart_close(struct vl_apart *apart);

/* Before the partition is assigned. False when out of memory. */
bool vl_apart_add(struct vl_apart *apart, const char *topic, int32_t partition);

/* The next message, in turns; NULL if there is none. *left: there is one, but no room for it. */
rd_kafka_message_t *vl_apart_next(struct vl_apart *apart, const struct vl_consumer_room *room,
				  bool *left);

/* Wait until any partition of the consumer has a message. */
void vl_apart_wait(struct vl_apart *apart, int timeout_ms);

#endif

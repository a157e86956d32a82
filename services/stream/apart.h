/*
 * Apart: partitions whose messages do not stand in line with all others of a consumer.
 *
 * librdkafka puts what it fetches into one queue, and fetches nothing more of anybody while that
 * is full. A partition that is apart has a queue of its own: it waits for no other, and is taken
 * from only where there is room for what it has. Inside the stream only.
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

/* The next message, in turns; NULL where there is none. *left: there is one, and no room for it. */
rd_kafka_message_t *vl_apart_next(struct vl_apart *apart, const struct vl_consumer_room *room,
				  bool *left);

/* Wait until something comes for the consumer, of whichever partition. */
void vl_apart_wait(struct vl_apart *apart, int timeout_ms);

#endif

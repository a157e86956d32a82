/*
 * An inquiry: Kafka's knowledge of a topic, requested without waiting for the answer. librdkafka
 * has no such call, so a thread of its own waits. The answer explains why nothing comes: no right
 * even to know of the topic, or no leader. For services/stream only.
 *
 * Next: agent/keeper.h, a mission's agent.
 */
#ifndef VALISE_STREAM_INQUIRY_H
#define VALISE_STREAM_INQUIRY_H

#include "stream/stream.h"

struct vl_inquiry;

/* NULL where it cannot be made. The consumer is held as long as the thread waits. */
struct vl_inquiry *vl_inquiry_open(struct vl_consumer *consumer, const char *topic);
void vl_inquiry_close(struct vl_inquiry *inquiry);
const char *vl_inquiry_topic(const struct vl_inquiry *inquiry);

/* False while there is no answer. Then the state of that partition: PERMISSION, NOT_FOUND,
 * UNREACHABLE (it has no leader), or ok. If no broker answers at all, that says nothing about
 * the partition, and the state is ok. */
bool vl_inquiry_answer(struct vl_inquiry *inquiry, int32_t partition, enum vl_err *err,
		       struct vl_why *why);

#endif

/*
 * One record of Kafka as bytes, on its way from the link, which can read it, to the keeper, which
 * can judge it.
 *
 * Next: inbox.h, which judges it.
 */
#ifndef VALISE_AGENT_RELAY_H
#define VALISE_AGENT_RELAY_H

#include "bus/record.h"
#include "bus/types.h"

/* The topics from headquarters, each with one partition: receipts and directives to this
 * mission, and directives to all. */
enum vl_down { VL_DOWN_RECEIPTS, VL_DOWN_DIRECTIVES, VL_DOWN_ORDERS };
#define VL_DOWN_TOPICS ((size_t)3)

/* The name of such a topic, which is the lane of the batches in it. */
void vl_down_topic(enum vl_down down, const char *mission, char topic[VL_LANE_NAME_MAX]);

/* The most bytes of such a record: a batch, its key and headers. */
#define VL_RELAY_MAX (VL_BATCH_MAX + ((size_t)64 << 10))

void vl_relay_pack(const struct vl_record *record, struct vl_buf *buf);

/* The record, pointing into `bytes`. MALFORMED if it is none. Nothing outside of `bytes` is ever
 * read. */
enum vl_err vl_relay_unpack(struct vl_bytes bytes, struct vl_record *record) VL_CHECKED;

#endif

/*
 * What comes down to a mission. The link reads these topics for it, and relays each record to the
 * keeper, packed as bus/record_pack.h says.
 *
 * Next: agent/inbox.h, where the keeper judges them.
 */
#ifndef VALISE_AGENT_RELAY_H
#define VALISE_AGENT_RELAY_H

#include "base/err.h"
#include "bus/batch.h"
#include "bus/types.h"

/* Three topics with one partition each: the receipts that are addressed to the mission, the
 * directives that are, and the directives to all. */
enum vl_down { VL_DOWN_RECEIPTS, VL_DOWN_DIRECTIVES, VL_DOWN_ORDERS };
#define VL_DOWN_TOPICS ((size_t)3)

/* The name of such a topic, which is the lane of the batches in it. */
void vl_down_topic(enum vl_down down, const char *mission, char topic[VL_LANE_NAME_MAX]);

/* The most bytes of such a record: a batch, its key and headers. */
#define VL_RELAY_MAX (VL_BATCH_MAX + ((size_t)64 << 10))

#endif

/*
 * The intake: the link's reading side. It reads the topics from headquarters (relay.h) and hands
 * each record, as it is, to the keeper, which judges it. If a topic does not exist, or may not be
 * read, the others are still read (stream/reader.h). Such a topic is looked for again, every minute
 * at least.
 *
 * It never waits: one step takes the records that librdkafka has by now. While none come, the
 * broker holds our question for ten seconds, and little is kept here, since a slow line pays for
 * each.
 *
 * Next: relay.h, one record on this way.
 */
#ifndef VALISE_AGENT_INTAKE_H
#define VALISE_AGENT_INTAKE_H

#include "agent/config.h"
#include "agent/outbox/outbox.h"
#include "agent/relay.h"

struct vl_intake;

/* Each topic goes on at its position, from the outbox. If the position is -1, the first time,
 * receipts begin at the newest, since it includes all earlier ones. Directives begin at the end,
 * since headquarters repeats a request that still stands. NULL when out of memory. The
 * configuration stays the caller's. */
struct vl_intake *vl_intake_open(const struct vl_agent_config *config,
				 const int64_t positions[VL_DOWN_TOPICS]);
void vl_intake_close(struct vl_intake *intake);

/* Pass on the records that have come by now, within bounds. GONE if the keeper is. */
enum vl_err vl_intake_step(struct vl_intake *intake, int keeper, int64_t now_ms) VL_CHECKED;

/* Whether a record waits for the keeper to read. Whether the next step probably has more at
 * once. Whether it searches behind an unreadable batch, and needs a step soon. */
bool vl_intake_waits(const struct vl_intake *intake);
bool vl_intake_more(const struct vl_intake *intake);
bool vl_intake_searches(const struct vl_intake *intake);

#endif

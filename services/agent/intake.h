/*
 * The intake: the link's reading side. It reads the topics that come down (relay.h) and hands
 * each record, as it is, to the keeper, who judges it. A topic that is not there, or not to be
 * read, keeps nobody from reading the others (stream/reader.h); it is looked for again, every
 * minute at least.
 *
 * Never waits: one step takes what librdkafka has by now. While nothing comes the broker holds
 * our question for ten seconds, and little is kept here: a thin line pays for each.
 */
#ifndef VALISE_AGENT_INTAKE_H
#define VALISE_AGENT_INTAKE_H

#include "agent/config.h"
#include "agent/outbox/outbox.h"
#include "agent/relay.h"

struct vl_intake;

/* Each topic goes on at its position, from the outbox; -1, the first time: receipts at the
 * newest, since each says all that was said before; directives at the end, since what is still
 * wanted is said again. NULL when out of memory. The configuration stays the caller's. */
struct vl_intake *vl_intake_open(const struct vl_agent_config *config,
				 const int64_t positions[VL_DOWN_TOPICS]);
void vl_intake_close(struct vl_intake *intake);

/* Pass on what there is by now, with bounds. GONE where the keeper is. */
enum vl_err vl_intake_step(struct vl_intake *intake, int keeper, int64_t now_ms) VL_CHECKED;

/* Whether a record waits for the keeper to read; whether there is probably more to step through
 * at once; whether it looks for what lies behind something that cannot be read, and wants a step
 * soon. */
bool vl_intake_waits(const struct vl_intake *intake);
bool vl_intake_more(const struct vl_intake *intake);
bool vl_intake_searches(const struct vl_intake *intake);

#endif

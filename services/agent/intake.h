/*
 * The intake: the link's reading side. It reads the topic of receipts and hands each record, as it is, to the keeper, who
 * judges it.
 *
 * Never waits: one step takes what librdkafka has by now. While nothing comes the broker holds our question for ten seconds,
 * and little is kept here: a thin line pays for each.
 */
#ifndef VALISE_AGENT_INTAKE_H
#define VALISE_AGENT_INTAKE_H

#include "agent/config.h"
#include "agent/outbox.h"

struct vl_intake;

/* Goes on where the outbox says; the first time at the beginning. NULL when out of memory. The configuration stays the
 * caller's. */
struct vl_intake *vl_intake_open(const struct vl_agent_config *config, int64_t position);
void vl_intake_close(struct vl_intake *intake);

/* Pass on what there is by now, with bounds. GONE where the keeper is. */
enum vl_err vl_intake_step(struct vl_intake *intake, int keeper, int64_t now_ms) VL_CHECKED;

/* Whether a record waits for the keeper to read; whether there is probably more to step through at once. */
bool vl_intake_waits(const struct vl_intake *intake);
bool vl_intake_more(const struct vl_intake *intake);

#endif

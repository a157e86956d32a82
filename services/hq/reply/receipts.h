/*
 * Receipts: headquarters reports to each mission how far it has applied its batches, so that the
 * mission's outbox can free them.
 *
 * Headquarters gives its receipts to an agent of its own, which signs and sends them (mailbox.h),
 * each mission's on a lane of its own. A mission's receipt is due when more of its batches were
 * applied. It is due if a batch came again or was kept as evidence, since that mission has received
 * no receipt. At the start it is due for each mission. It is given at most once in an interval, as
 * of the last commit, and stays due until the agent has accepted it.
 *
 * A receipt says all that headquarters has applied of the mission. So the newest, which Kafka's
 * compaction keeps, is enough for a mission that was away for any time. It has the newest epoch of
 * each lane, and others that have moved since the start, VL_RECEIPTS_EPOCHS at most. An older epoch
 * is added when its batches come again.
 *
 * Next: mailbox.h, the way to the agent.
 */
#ifndef VALISE_HQ_REPLY_RECEIPTS_H
#define VALISE_HQ_REPLY_RECEIPTS_H

#include "base/clock.h"
#include "bus/batch.h"
#include "store/store.h"

/* The most epochs of a lane in a receipt. */
#define VL_RECEIPTS_EPOCHS 8

struct vl_receipts;

/* Store, text and clock stay the caller's. */
struct vl_receipts_options {
	struct vl_store *store;
	const char *socket;  /* of headquarters' own agent; "": no receipts are sent */
	int64_t interval_ms; /* between two requests to it */
	/* for its answer; after an error, half of it at most until the next try */
	int64_t patience_ms;
	const struct vl_clock *clock;
};

enum vl_err vl_receipts_open(const struct vl_receipts_options *options,
			     struct vl_receipts **receipts, struct vl_why *why) VL_CHECKED;
void vl_receipts_close(struct vl_receipts *receipts);

/* This one is due (vl_apply_moved). */
void vl_receipts_due(void *receipts, const char *mission, const char *lane, struct vl_epoch epoch);

/* Send, receive and connect again, without waiting. Call it often, between transactions. */
void vl_receipts_work(struct vl_receipts *receipts, int64_t now_ms);

/* Missions whose receipts are due or on their way. */
size_t vl_receipts_waiting(const struct vl_receipts *receipts);

#endif

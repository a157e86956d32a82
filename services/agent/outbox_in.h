/*
 * Inside the outbox: the struct that its parts share. outbox.c opens, outbox_accept.c takes events, outbox_batch.c makes
 * batches of them, outbox_free.c lets go of them, outbox_look.c reads, outbox_rows.c knows the rows.
 */
#ifndef VALISE_AGENT_OUTBOX_IN_H
#define VALISE_AGENT_OUTBOX_IN_H

#include "agent/outbox_rows.h"
#include "agent/seal.h"

#define VL_OUTBOX_LANES 256

/* One lane that has a chain here. */
struct outbox_lane {
	char *name;
	uint32_t number;
	struct vl_chain chain, saved; /* as of now; as of the last commit */
	bool touched;                 /* within this transaction */
	bool freeing;                 /* there may be batches that are applied and still kept */
	struct vl_buf batch;          /* the open batch: its head, then its events */
	size_t prev_at;               /* in it */
	uint32_t n_events;
};

#define VL_OUTBOX_CLOSED VL_SEALER_ROOM
#define VL_OUTBOX_SPARE 16
#define VL_OUTBOX_CLOSED_BYTES ((size_t)1 << 20)

/* A batch that is closed and not stored yet. */
struct outbox_closed {
	struct vl_buf value;
	struct outbox_lane *lane;
	struct vl_seq seq;
	struct vl_event_no first_event;
	uint32_t n_events;
	struct vl_seal seal;
};

struct vl_outbox {
	struct vl_store *store;
	struct vl_outbox_options options; /* all zero for a reader */
	struct vl_key_id key;
	char mission[VL_MISSION_MAX + 1];
	bool rekeyed;

	struct outbox_lane *lanes[VL_OUTBOX_LANES]; /* by number */
	uint32_t n_lanes;                           /* numbers given so far */
	struct outbox_lane **by_catalogue;          /* by the index in vl_lanes; NULL where not met yet */

	struct vl_sealer *sealer; /* NULL for a reader */
	struct outbox_closed closed[VL_OUTBOX_CLOSED];
	unsigned first_closed, n_closed;
	size_t closed_bytes;
	struct vl_buf spare[VL_OUTBOX_SPARE]; /* empty ones, to be used again */
	unsigned n_spare;

	struct vl_txn *txn;
	struct vl_buf scratch; /* an event with its new id in front */
	struct vl_time now;    /* of this transaction */

	/* A guess at how full it is: measured now and then, and what was added since. */
	size_t used, room, added, added_before; /* before: when this transaction began */
	bool measured;
};

/* NULL when out of memory or of numbers. `number` may be new or from a row. */
struct outbox_lane *outbox_add_lane(struct vl_outbox *outbox, struct vl_bytes name, uint32_t number);

/* Begin a lane's next batch; forget what is open. */
void outbox_batch_open(struct vl_outbox *outbox, struct outbox_lane *lane);
void outbox_batch_drop(struct vl_outbox *outbox, struct outbox_lane *lane);

/* Close the lane's batch while more is to come: it is sealed beside that, and stored some time before the commit. */
void outbox_batch_full(struct vl_outbox *outbox, struct outbox_lane *lane);

/* At the end: store all that was closed so, and after that each lane's last one; or forget all that was closed. */
void outbox_batches_store(struct vl_outbox *outbox);
void outbox_batch_last(struct vl_outbox *outbox, struct outbox_lane *lane);
void outbox_batches_drop(struct vl_outbox *outbox);

/* An ack on the lane of receipts, which nobody gives receipts for, frees. */
void outbox_free_receipts(struct vl_outbox *outbox, struct vl_epoch epoch, struct vl_seq seq);

/* A number above `before`, and the hour's where that is later. */
uint64_t outbox_new_epoch(const struct vl_outbox *outbox, uint64_t before);

#endif

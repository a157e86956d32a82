/*
 * Inside the outbox: the struct that its parts share. outbox.c opens, outbox_accept.c writes, outbox_look.c reads,
 * outbox_rows.c knows the rows.
 */
#ifndef VALISE_AGENT_OUTBOX_IN_H
#define VALISE_AGENT_OUTBOX_IN_H

#include "agent/outbox_rows.h"

#define VL_OUTBOX_LANES 256

/* One lane that has a chain here. */
struct outbox_lane {
	char *name;
	uint32_t number;
	struct vl_chain chain, saved; /* as of now; as of the last commit */
	bool touched;                 /* within this transaction */
	struct vl_buf batch;          /* the open batch: its head, then its events */
	uint32_t n_events;
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

	struct vl_txn *txn;
	struct vl_buf scratch; /* an event with its new id in front */
	struct vl_time now;    /* of this transaction */

	/* A guess at how full it is: measured now and then, and what was added since. */
	size_t used, room, added, added_before; /* before: when this transaction began */
	bool measured;
};

/* NULL when out of memory or of numbers. `number` may be new or from a row. */
struct outbox_lane *outbox_add_lane(struct vl_outbox *outbox, struct vl_bytes name, uint32_t number);

/* A number above `before`, and the hour's where that is later. */
uint64_t outbox_new_epoch(const struct vl_outbox *outbox, uint64_t before);

#endif

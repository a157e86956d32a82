/*
 * Turns: which record is verified next, and which is applied next.
 *
 * Records wait in a queue for each sender in a partition, and keep their order in it. Three turns
 * of four go to the most urgent lane that has a record. The fourth goes to any lane. So an urgent
 * record waits behind no bulk of another lane, and a flood of urgent records stops no other lane.
 * Among queues of one urgency the sender whose records have cost the least has the turn. This is
 * start-time fair queueing (Goyal, Vin and Cheng, 1996). A record of 1 MB costs its sender as many
 * turns as 1 MB of small records. So no record waits behind another sender's bulk. The sender is
 * the one in the record's key. If a sender lies there, its record waits in another sender's queue,
 * and is refused.
 *
 * It knows records only by the number of their slot, and does no locking.
 *
 * Next: marks.h, where each partition is read on.
 */
#ifndef VALISE_HQ_INGEST_TURNS_H
#define VALISE_HQ_INGEST_TURNS_H

#include "base/buf.h"

struct vl_turns;

/* For slots 0 to `slots` - 1. NULL when out of memory. */
struct vl_turns *vl_turns_open(unsigned slots);
void vl_turns_close(struct vl_turns *turns);

/* The record in `slot` comes behind all others of its sender in its partition. `cost` is of any
 * unit. False when out of memory. */
bool vl_turns_put(struct vl_turns *turns, unsigned slot, struct vl_bytes topic, int32_t partition,
		  struct vl_bytes sender, size_t cost);

/* The last record that waits of that sender in that partition, -1 if none does. *cost is what
 * all of those cost. */
int vl_turns_last(const struct vl_turns *turns, struct vl_bytes topic, int32_t partition,
		  struct vl_bytes sender, size_t *cost);

/* The slot to be verified next. And, after vl_turns_ready, the one to be applied next, which
 * leaves its queue. -1 if there is none. */
int vl_turns_verify(struct vl_turns *turns);
void vl_turns_ready(struct vl_turns *turns, unsigned slot);
int vl_turns_apply(struct vl_turns *turns);

/* Whether no record waited behind the last one of vl_turns_apply: its sender sends single
 * records, and no bulk. */
bool vl_turns_alone(const struct vl_turns *turns);

/* How many queues it keeps, empty ones among them: never more than slots. */
size_t vl_turns_queues(const struct vl_turns *turns);

#endif

/*
 * Turns: whose record is verified next, and whose is applied next.
 *
 * Records wait in a queue for each sender in a partition, in which they keep their order. Three
 * turns of four go to the most urgent lane that has anything, the fourth to the sender that is
 * next in the round, so that an urgent record stands behind no bulk of another lane, and no
 * flood of urgent ones lets the others stand still. Among those of one urgency the queues take
 * turns, so that nobody's record stands behind another sender's either. The sender is who the
 * record's key says: one that lies there waits in another's queue, and is refused.
 *
 * It knows records only by the number of their slot, and does no locking.
 */
#ifndef VALISE_HQ_INGEST_TURNS_H
#define VALISE_HQ_INGEST_TURNS_H

#include "base/buf.h"

struct vl_turns;

/* For slots 0 to `slots` - 1. NULL when out of memory. */
struct vl_turns *vl_turns_open(unsigned slots);
void vl_turns_close(struct vl_turns *turns);

/* The record in `slot` comes behind all of its sender in its partition. False when out of
 * memory. */
bool vl_turns_put(struct vl_turns *turns, unsigned slot, struct vl_bytes topic, int32_t partition,
		  struct vl_bytes sender);

/* The slot to be verified next; and, once that is done (vl_turns_ready), the one to be applied
 * next, which leaves its queue. -1 where there is none. */
int vl_turns_verify(struct vl_turns *turns);
void vl_turns_ready(struct vl_turns *turns, unsigned slot);
int vl_turns_apply(struct vl_turns *turns);

/* Whether nothing stood behind the record that vl_turns_apply gave last: its sender sends a
 * record now and then, and no bulk. */
bool vl_turns_alone(const struct vl_turns *turns);

/* How many queues it keeps, empty ones among them: never more than slots. */
size_t vl_turns_queues(const struct vl_turns *turns);

#endif

/*
 * The records that the link has given to Kafka and that are not acked, how far each lane is, and
 * which lane is next.
 *
 * Lanes have two classes, each with connections and a window of its own. So no urgent record waits
 * behind the bytes of another.
 *
 * Pure: numbers, counts and times; no Kafka, no outbox. Lanes are numbered as in the roster.
 *
 * Next: window.h, how much may be in flight.
 */
#ifndef VALISE_AGENT_FLIGHT_H
#define VALISE_AGENT_FLIGHT_H

#include "agent/window.h"
#include "bus/batch.h"
#include "bus/types.h"

#define VL_FLIGHT_RECORDS ((size_t)1024)
#define VL_FLIGHT_URGENT ((size_t)128) /* of these, for urgent records only */

/* A mission's own topic may not exist, and librdkafka keeps its records for seconds before it
 * reports that. Until a record of an addressed lane is acked, one small record of it is sent at
 * a time, beside the window, which others fill. */
#define VL_FLIGHT_BESIDE ((size_t)128) /* such records at a time */
#define VL_FLIGHT_BESIDE_BYTES ((size_t)4096)

/* A batch's position in its lane. */
struct vl_place {
	struct vl_epoch epoch;
	struct vl_seq seq;
};

static inline bool vl_place_later(struct vl_place place, struct vl_place than)
{
	return vl_later(place.epoch, place.seq, than.epoch, than.seq);
}

/* FLASH and IMMEDIATE; the rest. */
enum vl_class { VL_URGENT, VL_BULK };
#define VL_CLASSES ((size_t)2)

static inline enum vl_class vl_class_of(const struct vl_lane *lane)
{
	return lane->precedence <= VL_IMMEDIATE ? VL_URGENT : VL_BULK;
}

struct vl_flight;

/* NULL when out of memory. */
struct vl_flight *vl_flight_open(const struct vl_lane *lanes, size_t n_lanes);
void vl_flight_close(struct vl_flight *flight);

/* Add a lane, with the next number. False when out of memory. */
bool vl_flight_add(struct vl_flight *flight, const struct vl_lane *lane);

/* The lane's start, from the outbox: everything up to here is acked. */
void vl_flight_start(struct vl_flight *flight, size_t lane, struct vl_place acked);

/* Every lane may have a waiting batch; this lane has no waiting batch (any more). */
void vl_flight_wake(struct vl_flight *flight);
void vl_flight_empty(struct vl_flight *flight, size_t lane);

enum vl_class vl_flight_class(const struct vl_flight *flight, size_t lane);

/* The lane of a class to send from next; false if none has a batch. It is the most urgent one,
 * and among equals the one that waited longest. One turn in eight goes to the one that waited
 * longest of all, so that no lane starves. Lanes that are set aside have no turn. */
bool vl_flight_next(const struct vl_flight *flight, enum vl_class class, int64_t now_ms,
		    size_t *lane);

/* The position after which the lane goes on. */
struct vl_place vl_flight_sent_to(const struct vl_flight *flight, size_t lane);

/* Whether one more record of this lane, of this size, may be sent. */
bool vl_flight_allows(struct vl_flight *flight, size_t lane, size_t bytes);

/* It was sent; the result is its tag. */
size_t vl_flight_sent(struct vl_flight *flight, size_t lane, struct vl_place place, size_t bytes,
		      int64_t now_ms);

/* Kafka has it. The result is the lane. */
size_t vl_flight_acked(struct vl_flight *flight, size_t tag, int64_t now_ms);

/* Kafka refused it. The lane is set aside, each time for longer until a record of it is acked;
 * then it goes on after the last ack. The result is the lane. */
size_t vl_flight_refused(struct vl_flight *flight, size_t tag, int64_t now_ms);

/* The same if it could not even be given to Kafka. */
void vl_flight_set_aside(struct vl_flight *flight, size_t lane, int64_t now_ms);

/* Go back to `place` and send again what follows it, although it was acked. False, and nothing
 * changes, while a record of the lane is in flight. */
bool vl_flight_go_back(struct vl_flight *flight, size_t lane, struct vl_place place);

/* When no record of the lane is in flight, send again what follows `after` up to and including
 * `to`. Then go on where it was. False, and nothing changes, if none of it was sent yet, or if
 * such a stretch is under way. A refusal, a restart or going back ends it early. */
bool vl_flight_send_again(struct vl_flight *flight, size_t lane, struct vl_place after,
			  struct vl_place to);

/* Forget all records of a class in flight: each of its lanes goes on after its last ack. */
void vl_flight_restart(struct vl_flight *flight, enum vl_class class);

/* The line's speed is known, in bytes a second: it limits the bytes of a class in flight from
 * now on. */
void vl_flight_line(struct vl_flight *flight, enum vl_class class, uint64_t rate);

/* Everything up to here is acked. `news` is true, once, if that moved since the last call. */
struct vl_place vl_flight_acked_to(struct vl_flight *flight, size_t lane, bool *news);

/* That could not be passed on: it is news again. */
void vl_flight_not_told(struct vl_flight *flight, size_t lane);

/* Whether nothing is in flight. */
bool vl_flight_idle(const struct vl_flight *flight);

/* Bytes of a class in flight, and the age of its oldest record. It also gives the age to the
 * window. */
size_t vl_flight_age(struct vl_flight *flight, enum vl_class class, int64_t now_ms,
		     int64_t *oldest_ms);

/* Milliseconds until a lane that is set aside has its turn again; -1 if none is. */
int64_t vl_flight_wait(const struct vl_flight *flight, int64_t now_ms);

#endif

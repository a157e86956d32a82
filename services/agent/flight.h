/*
 * What the link has given to Kafka and not heard of yet, and how far each lane has come; and
 * which lane is next.
 *
 * Lanes travel in two classes, each with connections and a window of its own, so that no urgent
 * record waits behind the bytes of another.
 *
 * Pure: places, counts and hours; no Kafka, no outbox. Lanes are numbered as in the roster.
 */
#ifndef VALISE_AGENT_FLIGHT_H
#define VALISE_AGENT_FLIGHT_H

#include "agent/window.h"
#include "bus/batch.h"
#include "bus/types.h"

#define VL_FLIGHT_RECORDS ((size_t)1024)
#define VL_FLIGHT_URGENT ((size_t)128) /* of them for urgent ones only */

/* A mission's own topic may be missing, and librdkafka keeps what is for it for seconds before it
 * says so. Until something of an addressed lane is acked, one small record of it goes at a time,
 * beside the window, which others fill. */
#define VL_FLIGHT_BESIDE ((size_t)128) /* such records at a time */
#define VL_FLIGHT_BESIDE_BYTES ((size_t)4096)

/* A batch's place in its lane. */
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

/* One lane more, with the next number. False when out of memory. */
bool vl_flight_add(struct vl_flight *flight, const struct vl_lane *lane);

/* Where a lane stands: everything up to here is acked. At the start, from the outbox. */
void vl_flight_start(struct vl_flight *flight, size_t lane, struct vl_place acked);

/* Something may be waiting on every lane; nothing (more) is waiting on this one. */
void vl_flight_wake(struct vl_flight *flight);
void vl_flight_empty(struct vl_flight *flight, size_t lane);

enum vl_class vl_flight_class(const struct vl_flight *flight, size_t lane);

/* The lane of a class to send from next; false where none has anything. The most urgent, and
 * among equals the one that waited longest; but one turn in eight goes to the one that waited
 * longest of all, so that nothing starves. Lanes that are set aside have no turn. */
bool vl_flight_next(const struct vl_flight *flight, enum vl_class class, int64_t now_ms,
		    size_t *lane);

/* The place after which the lane goes on. */
struct vl_place vl_flight_sent_to(const struct vl_flight *flight, size_t lane);

/* Whether one more record of this lane, of this size, may go. */
bool vl_flight_allows(struct vl_flight *flight, size_t lane, size_t bytes);

/* It went; the result is its tag. */
size_t vl_flight_sent(struct vl_flight *flight, size_t lane, struct vl_place place, size_t bytes,
		      int64_t now_ms);

/* Kafka has it. The result is the lane. */
size_t vl_flight_acked(struct vl_flight *flight, size_t tag, int64_t now_ms);

/* Kafka refused it. The lane is set aside, for longer each time until something of it is acked,
 * and then goes on after what was acked. The result is the lane. */
size_t vl_flight_refused(struct vl_flight *flight, size_t tag, int64_t now_ms);

/* The same where it could not even be given to Kafka. */
void vl_flight_set_aside(struct vl_flight *flight, size_t lane, int64_t now_ms);

/* Go back to `place` and send again what follows it, although it was acked. False, and nothing
 * changes, while something of the lane is in flight. */
bool vl_flight_go_back(struct vl_flight *flight, size_t lane, struct vl_place place);

/* Send again what follows `after` up to and including `to`, once nothing of the lane is in
 * flight, and then go on where it was. False, and nothing changes, where none of it was sent
 * yet, or such a stretch is under way. A refusal, a restart or going back ends it early. */
bool vl_flight_send_again(struct vl_flight *flight, size_t lane, struct vl_place after,
			  struct vl_place to);

/* Forget everything of a class in flight: each of its lanes goes on after what was acked. */
void vl_flight_restart(struct vl_flight *flight, enum vl_class class);

/* The line is known to carry this many bytes a second: so much of a class may be in flight from
 * now on. */
void vl_flight_line(struct vl_flight *flight, enum vl_class class, uint64_t rate);

/* Everything up to here is acked. `news` is true, once, where that moved since the last call. */
struct vl_place vl_flight_acked_to(struct vl_flight *flight, size_t lane, bool *news);

/* That could not be passed on: it is news again. */
void vl_flight_not_told(struct vl_flight *flight, size_t lane);

/* Whether nothing is in flight. */
bool vl_flight_idle(const struct vl_flight *flight);

/* Bytes of a class in flight, and the age of its oldest record; tells the window, too, of what
 * is in it. */
size_t vl_flight_age(struct vl_flight *flight, enum vl_class class, int64_t now_ms,
		     int64_t *oldest_ms);

/* Milliseconds until a lane set aside has its turn again; -1 where none is. */
int64_t vl_flight_wait(const struct vl_flight *flight, int64_t now_ms);

#endif

/*
 * The batch: the value of one Kafka record (proto/valise/v1/batch.proto), and its digest.
 *
 * The keeper writes a batch once. Its bytes are signed, stored and sent as they are, and no program
 * serialises them again. A batch is read only after its signature was verified (sign.h). Reading
 * gives a `struct vl_batch` that points into those same bytes.
 *
 * Next: wire.h, which reads protobuf strictly.
 */
#ifndef VALISE_BUS_BATCH_H
#define VALISE_BUS_BATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/text.h"

#include <protobuf-c/protobuf-c.h>

#define VL_BATCH_MAX ((size_t)1000000) /* bytes of a batch's value */
#define VL_EVENT_MAX ((size_t)900000)  /* bytes of one serialised Event */
#define VL_MISSION_MAX ((size_t)32)    /* bytes of a sender's id */
#define VL_SUBJECT_MAX ((size_t)200)   /* bytes of a subject that an agent accepts */

/* Numbers that must not be mixed up. */
struct vl_epoch {
	uint64_t n;
};
struct vl_seq {
	uint64_t n;
};
struct vl_event_no {
	uint64_t n;
};

/* Whether the first (epoch, seq) in a lane is behind the second. */
static inline bool vl_later(struct vl_epoch epoch, struct vl_seq seq, struct vl_epoch than_epoch,
			    struct vl_seq than_seq)
{
	return epoch.n > than_epoch.n || (epoch.n == than_epoch.n && seq.n > than_seq.n);
}

/* BLAKE2b-256 of a batch's bytes. */
struct vl_digest {
	uint8_t bytes[32];
};

struct vl_digest vl_batch_digest(struct vl_bytes value);
bool vl_digest_equal(const struct vl_digest *a, const struct vl_digest *b);

/* A batch's head. */
struct vl_batch_head {
	struct vl_bytes mission, lane; /* text without NUL */
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no first_event;
	struct vl_digest prev;
	struct vl_time signed_at;
};

/* A batch as read. Everything points into the bytes it was read from. */
struct vl_batch {
	struct vl_batch_head head;
	size_t n_events;
	struct vl_bytes *events; /* each one serialised Event, in order; in the arena */
};

/* Whether a text is a sender's id: 2 to 32 of A-Z, 0-9 and '-', beginning with a letter. "ALL"
 * is not one, since boards use it for the sum of all missions. */
bool vl_mission_valid(const char *text, size_t length);
#define VL_MISSION_RULE "2 to 32 of A-Z, 0-9 and '-', a letter first, and not ALL"

/* Headquarters' own agent. Its messages bind all missions, so no mission may have this id; its
 * key is headquarters' alone. */
#define VL_HEADQUARTERS "HQ"

/* Append the head's fields to `buf`; then the events one by one. The result is the batch's
 * value. */
void vl_batch_put_head(struct vl_buf *buf, const struct vl_batch_head *head);
void vl_batch_put_event(struct vl_buf *buf, struct vl_bytes event);

/* Bytes that vl_batch_put_event adds for an event of `size` bytes, and the most that a head
 * takes. */
size_t vl_batch_event_size(size_t size);
#define VL_BATCH_HEAD_MAX ((size_t)256)

/* Read a verified value. MALFORMED if it is not a strict Batch (vl_wire_check), or lacks a
 * field: mission, lane, epoch, seq, first_event, 32 bytes of prev, signed_at, at least one
 * event. Events are checked as Event, and their payloads are not opened. NOMEM is never reported
 * as MALFORMED. */
enum vl_err vl_batch_read(struct vl_bytes value, struct vl_arena *arena, struct vl_batch *batch,
			  struct vl_why *why) VL_CHECKED;

/* One event as read. It points into its bytes. `subject` and `actor` are not NUL-terminated.
 * `after` and `id` are empty if the event gave none. */
struct vl_event {
	struct vl_bytes id, after; /* 16 bytes, or 0 */
	struct vl_time occurred_at;
	bool has_occurred_at;
	struct vl_bytes subject, actor;
	struct vl_bytes type_url, payload;
	bool has_payload;
};

/* Read one serialised Event that is known to be well formed, as within vl_batch_read or after
 * vl_wire_check. INVALID if id or after is neither 16 bytes nor empty, or if occurred_at is
 * outside the years 0001 to 9999. */
enum vl_err vl_event_read(struct vl_bytes bytes, struct vl_event *event,
			  struct vl_why *why) VL_CHECKED;

/* The payload of such an Event, if it is a well-formed message of `type`. Otherwise false, also
 * for a message of a later version; `payload` is then left as it was. */
bool vl_event_payload(struct vl_bytes event, const ProtobufCMessageDescriptor *type,
		      struct vl_bytes *payload);

/* Append a serialised Event to `buf`: `actor` (NULL: none) states `payload` about `subject` at
 * that time. It has no id: the agent gives it one. */
void vl_event_pack(struct vl_buf *buf, const char *subject, const char *actor,
		   struct vl_time occurred_at, const ProtobufCMessage *payload);

/* Whether an id is valid: 16 bytes, neither all zeros nor all ones. */
bool vl_event_id_is_one(struct vl_bytes id);

/* The fingerprint that distinguishes two events with one id: XXH3 of type, subject, payload,
 * actor and after. It leaves out the id, and occurred_at, which a program may fill in anew when
 * it sends again. */
uint64_t vl_event_gist(const struct vl_event *event);

/* Whether an event may be accepted for the bus. Checked are size and strict form; id and after,
 * each absent or valid (vl_event_id_is_one); occurred_at, present and in range. The subject has
 * 1 to VL_SUBJECT_MAX bytes and is a good name (base/unicode.h). The payload is a well-formed
 * message of a known event type that has a lane. `lane` is set to its lane. The reason names the
 * field and what to do next, and quotes no payload. */
struct vl_lane;
enum vl_err vl_event_check(struct vl_bytes bytes, struct vl_event *event,
			   const struct vl_lane **lane, struct vl_why *why) VL_CHECKED;

#endif

#include "bus/batch.h"

#include "base/hash.h"
#include "base/unicode.h"
#include "bus/types.h"
#include "bus/wire.h"
#include "valise/v1/batch.pb-c.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* The numbers in proto/valise/v1/batch.proto, timestamp.proto and any.proto. */
enum {
	BATCH_MISSION = 1,
	BATCH_LANE,
	BATCH_EPOCH,
	BATCH_SEQ,
	BATCH_FIRST_EVENT,
	BATCH_PREV,
	BATCH_SIGNED_AT,
	BATCH_EVENTS
};
enum { EVENT_ID = 1, EVENT_OCCURRED_AT, EVENT_SUBJECT, EVENT_PAYLOAD, EVENT_ACTOR, EVENT_AFTER };
enum { TIME_SECONDS = 1, TIME_NANOS };
enum { ANY_TYPE_URL = 1, ANY_VALUE };

/* 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z, the range of google.protobuf.Timestamp. */

#define URL_MAX 256

struct vl_digest vl_batch_digest(struct vl_bytes value)
{
	struct vl_digest digest;

	(void)crypto_generichash(digest.bytes, sizeof(digest.bytes), value.data, value.size, NULL,
				 0);
	return digest;
}

bool vl_digest_equal(const struct vl_digest *a, const struct vl_digest *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool vl_mission_valid(const char *text, size_t length)
{
	if (length < 2 || length > VL_MISSION_MAX || text[0] < 'A' || text[0] > 'Z' ||
	    (length == 3 && memcmp(text, "ALL", 3) == 0))
		return false;
	for (size_t i = 1; i < length; i++)
		if ((text[i] < 'A' || text[i] > 'Z') && (text[i] < '0' || text[i] > '9') &&
		    text[i] != '-')
			return false;
	return true;
}

static void put_time(struct vl_buf *buf, uint32_t field, struct vl_time time)
{
	uint8_t room[32];
	struct vl_buf inner = {.data = room, .room = sizeof(room)};

	if (time.seconds != 0)
		vl_wire_put_varint(&inner, TIME_SECONDS, (uint64_t)time.seconds);
	if (time.nanos != 0)
		vl_wire_put_varint(&inner, TIME_NANOS, (uint64_t)time.nanos);
	vl_wire_put_bytes(buf, field, inner.data, inner.size);
}

void vl_batch_put_head(struct vl_buf *buf, const struct vl_batch_head *head)
{
	vl_wire_put_bytes(buf, BATCH_MISSION, head->mission.data, head->mission.size);
	vl_wire_put_bytes(buf, BATCH_LANE, head->lane.data, head->lane.size);
	vl_wire_put_varint(buf, BATCH_EPOCH, head->epoch.n);
	vl_wire_put_varint(buf, BATCH_SEQ, head->seq.n);
	vl_wire_put_varint(buf, BATCH_FIRST_EVENT, head->first_event.n);
	vl_wire_put_bytes(buf, BATCH_PREV, head->prev.bytes, sizeof(head->prev.bytes));
	put_time(buf, BATCH_SIGNED_AT, head->signed_at);
}

void vl_batch_put_event(struct vl_buf *buf, struct vl_bytes event)
{
	vl_wire_put_bytes(buf, BATCH_EVENTS, event.data, event.size);
}

size_t vl_batch_event_size(size_t size)
{
	return vl_wire_bytes_size(BATCH_EVENTS, size);
}

/* False where the time is none that google.protobuf.Timestamp can say. */
static bool read_time(struct vl_bytes bytes, struct vl_time *time)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;

	*time = (struct vl_time){0};
	while (vl_wire_next(&wire, &field)) {
		if (field.number == TIME_SECONDS)
			time->seconds = (int64_t)field.value;
		else if (field.number == TIME_NANOS)
			time->nanos = (int32_t)field.value;
	}
	return time->seconds >= VL_TIME_MIN && time->seconds <= VL_TIME_MAX && time->nanos >= 0 &&
	       time->nanos <= 999999999;
}

static enum vl_err missing(struct vl_why *why, const char *field)
{
	return vl_fail(why, VL_ERR_MALFORMED, "valise.v1.Batch.%s: is missing or of another size",
		       field);
}

static enum vl_err read_head_field(struct vl_batch_head *head, const struct vl_wire_field *field,
				   struct vl_why *why)
{
	switch (field->number) {
	case BATCH_MISSION:
		head->mission = field->bytes;
		break;
	case BATCH_LANE:
		head->lane = field->bytes;
		break;
	case BATCH_EPOCH:
		head->epoch.n = field->value;
		break;
	case BATCH_SEQ:
		head->seq.n = field->value;
		break;
	case BATCH_FIRST_EVENT:
		head->first_event.n = field->value;
		break;
	case BATCH_PREV:
		if (field->bytes.size != sizeof(head->prev.bytes))
			return missing(why, "prev");
		memcpy(head->prev.bytes, field->bytes.data, sizeof(head->prev.bytes));
		break;
	case BATCH_SIGNED_AT:
		if (!read_time(field->bytes, &head->signed_at))
			return vl_fail(
				why, VL_ERR_MALFORMED,
				"valise.v1.Batch.signed_at: is outside the years 0001 to 9999");
		break;
	}
	return VL_OK;
}

/* Read the head, and count the events. */
static enum vl_err read_head(struct vl_bytes value, struct vl_batch *batch, struct vl_why *why)
{
	struct vl_wire wire = vl_wire_open(value);
	struct vl_wire_field field;
	bool has_prev = false, has_signed_at = false;

	while (vl_wire_next(&wire, &field)) {
		enum vl_err err = read_head_field(&batch->head, &field, why);
		if (err != VL_OK)
			return err;
		has_prev |= field.number == BATCH_PREV;
		has_signed_at |= field.number == BATCH_SIGNED_AT;
		batch->n_events += field.number == BATCH_EVENTS;
	}
	const struct vl_batch_head *head = &batch->head;
	if (head->mission.size == 0)
		return missing(why, "mission");
	if (head->lane.size == 0)
		return missing(why, "lane");
	if (head->epoch.n == 0)
		return missing(why, "epoch");
	if (head->seq.n == 0)
		return missing(why, "seq");
	if (head->first_event.n == 0)
		return missing(why, "first_event");
	if (!has_prev)
		return missing(why, "prev");
	if (!has_signed_at)
		return missing(why, "signed_at");
	return batch->n_events > 0 ? VL_OK : missing(why, "events");
}

enum vl_err vl_batch_read(struct vl_bytes value, struct vl_arena *arena, struct vl_batch *batch,
			  struct vl_why *why)
{
	*batch = (struct vl_batch){0};
	enum vl_err err = vl_wire_check(&valise__v1__batch__descriptor, value, true, why);
	if (err == VL_OK)
		err = read_head(value, batch, why);
	if (err != VL_OK)
		return err;
	batch->events = vl_arena_alloc(arena, batch->n_events * sizeof(*batch->events));
	if (batch->events == NULL)
		return VL_ERR_NOMEM;
	struct vl_wire wire = vl_wire_open(value);
	struct vl_wire_field field;
	for (size_t i = 0; vl_wire_next(&wire, &field);)
		if (field.number == BATCH_EVENTS)
			batch->events[i++] = field.bytes;
	return VL_OK;
}

static void read_any(struct vl_bytes bytes, struct vl_event *event)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;

	event->has_payload = true;
	while (vl_wire_next(&wire, &field)) {
		if (field.number == ANY_TYPE_URL)
			event->type_url = field.bytes;
		else if (field.number == ANY_VALUE)
			event->payload = field.bytes;
	}
}

static enum vl_err read_id(struct vl_bytes bytes, const char *name, struct vl_bytes *id,
			   struct vl_why *why)
{
	*id = bytes;
	if (bytes.size == 0 || bytes.size == sizeof(struct vl_event_id))
		return VL_OK;
	return vl_fail(why, VL_ERR_INVALID,
		       "%s: is %zu bytes; give the 16 bytes of a UUID, or leave it out", name,
		       bytes.size);
}

/* An id that a program has forgotten to fill, or has filled with nothing but ones. */
static bool is_blank_id(struct vl_bytes id)
{
	for (size_t i = 1; i < id.size; i++)
		if (id.data[i] != id.data[0])
			return false;
	return id.size > 0 && (id.data[0] == 0x00 || id.data[0] == 0xff);
}

bool vl_event_id_is_one(struct vl_bytes id)
{
	return id.size == sizeof(struct vl_event_id) && !is_blank_id(id);
}

static enum vl_err read_event_field(struct vl_event *event, const struct vl_wire_field *field,
				    struct vl_why *why)
{
	switch (field->number) {
	case EVENT_ID:
		return read_id(field->bytes, "id", &event->id, why);
	case EVENT_OCCURRED_AT:
		event->has_occurred_at = true;
		if (!read_time(field->bytes, &event->occurred_at))
			return vl_fail(why, VL_ERR_INVALID,
				       "occurred_at: is outside the years 0001 to 9999; give "
				       "the time it happened");
		break;
	case EVENT_SUBJECT:
		event->subject = field->bytes;
		break;
	case EVENT_PAYLOAD:
		read_any(field->bytes, event);
		break;
	case EVENT_ACTOR:
		event->actor = field->bytes;
		break;
	case EVENT_AFTER:
		return read_id(field->bytes, "after", &event->after, why);
	}
	return VL_OK;
}

enum vl_err vl_event_read(struct vl_bytes bytes, struct vl_event *event, struct vl_why *why)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;

	*event = (struct vl_event){0};
	while (vl_wire_next(&wire, &field)) {
		enum vl_err err = read_event_field(event, &field, why);
		if (err != VL_OK)
			return err;
	}
	return wire.failed ? vl_fail(why, VL_ERR_MALFORMED,
				     "valise.v1.Event: is cut short or not protobuf")
			   : VL_OK;
}

bool vl_event_payload(struct vl_bytes bytes, const ProtobufCMessageDescriptor *type,
		      struct vl_bytes *payload)
{
	struct vl_event event;
	size_t length;

	if (vl_event_read(bytes, &event, NULL) != VL_OK || !event.has_payload)
		return false;
	const char *name =
		vl_type_name((const char *)event.type_url.data, event.type_url.size, &length);
	if (!vl_bytes_are((struct vl_bytes){(const uint8_t *)name, length}, type->name) ||
	    vl_wire_check(type, event.payload, true, NULL) != VL_OK)
		return false;
	*payload = event.payload;
	return true;
}

void vl_event_pack(struct vl_buf *buf, const char *subject, const char *actor,
		   struct vl_time occurred_at, const ProtobufCMessage *payload)
{
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Valise__V1__Event event = VALISE__V1__EVENT__INIT;
	struct vl_buf value = {0};
	char url[URL_MAX];

	vl_wire_pack(payload, &value);
	(void)snprintf(url, sizeof(url), VL_TYPE_PREFIX "%s", payload->descriptor->name);
	any.type_url = url;
	any.value = (ProtobufCBinaryData){value.size, value.data};
	time.seconds = occurred_at.seconds;
	time.nanos = occurred_at.nanos;
	event.occurred_at = &time;
	event.subject = (char *)subject;
	event.payload = &any;
	if (actor != NULL)
		event.actor = (char *)actor;
	buf->failed |= vl_buf_failed(&value);
	vl_wire_pack(&event.base, buf);
	vl_buf_free(&value);
}

static void hash_part(XXH3_state_t *state, struct vl_bytes part)
{
	uint8_t size[8];

	vl_put_be64(size, part.size);
	(void)XXH3_64bits_update(state, size, sizeof(size));
	if (part.size > 0)
		(void)XXH3_64bits_update(state, part.data, part.size);
}

uint64_t vl_event_gist(const struct vl_event *event)
{
	XXH3_state_t state;
	struct vl_bytes type;

	(void)XXH3_64bits_reset(&state);
	type.data = (const uint8_t *)vl_type_name((const char *)event->type_url.data,
						  event->type_url.size, &type.size);
	hash_part(&state, type);
	hash_part(&state, event->subject);
	hash_part(&state, event->payload);
	hash_part(&state, event->actor);
	hash_part(&state, event->after);
	return XXH3_64bits_digest(&state);
}

static enum vl_err check_ids(const struct vl_event *event, struct vl_why *why)
{
	bool id = is_blank_id(event->id);

	if (!id && !is_blank_id(event->after))
		return VL_OK;
	return vl_fail(why, VL_ERR_INVALID,
		       "%s: is all zeros or all ones, which names no event; give the 16 bytes "
		       "of a UUID, or leave it out",
		       id ? "id" : "after");
}

static enum vl_err check_subject(struct vl_bytes subject, struct vl_why *why)
{
	size_t at = 0;
	enum vl_name_flaw flaw;

	if (subject.size == 0 || subject.size > VL_SUBJECT_MAX)
		return vl_fail(why, VL_ERR_INVALID,
			       "subject: is %zu bytes; name the case, person or thing in 1 to "
			       "%zu bytes",
			       subject.size, VL_SUBJECT_MAX);
	flaw = vl_name_check(subject, &at);
	if (flaw == VL_NAME_GOOD)
		return VL_OK;
	return vl_fail(why, VL_ERR_INVALID, "subject, byte %zu: %s; write it as all others will",
		       at, vl_name_flaw_text(flaw));
}

static enum vl_err check_payload(const struct vl_event *event, const struct vl_lane **lane,
				 struct vl_why *why)
{
	const char *url = (const char *)event->type_url.data;
	size_t length;

	if (!event->has_payload || event->type_url.size == 0)
		return vl_fail(
			why, VL_ERR_INVALID,
			"payload: is missing or has no type_url; give one message of a lane");
	const char *name = vl_type_name(url, event->type_url.size, &length);
	if (name == url)
		return vl_fail(why, VL_ERR_INVALID,
			       "payload.type_url: has no '/'; write type.googleapis.com/ "
			       "before the type's full name");
	const ProtobufCMessageDescriptor *type = vl_type_find(name, length);
	if (type == NULL)
		return vl_fail(why, VL_ERR_UNKNOWN_TYPE,
			       "payload.type_url: names no event type that this version knows; "
			       "correct it, or update valise");
	*lane = vl_type_lane(type);
	if (*lane == NULL)
		return vl_fail(why, VL_ERR_UNKNOWN_TYPE,
			       "payload.type_url: %s has no lane in the topic catalogue",
			       type->name);
	enum vl_err err = vl_wire_check(type, event->payload, true, why);
	return err == VL_OK ? vl_wire_check_times(type, event->payload, why) : err;
}

enum vl_err vl_event_check(struct vl_bytes bytes, struct vl_event *event,
			   const struct vl_lane **lane, struct vl_why *why)
{
	*lane = NULL;
	if (bytes.size > VL_EVENT_MAX)
		return vl_fail(why, VL_ERR_TOO_LARGE,
			       "the event is %zu bytes, %zu are allowed; split it or send less",
			       bytes.size, VL_EVENT_MAX);
	/* A newer program may know more fields; its bytes are carried as they are. */
	enum vl_err err = vl_wire_check(&valise__v1__event__descriptor, bytes, true, why);
	if (err == VL_OK)
		err = vl_event_read(bytes, event, why);
	if (err != VL_OK)
		return err;
	if (!event->has_occurred_at)
		return vl_fail(why, VL_ERR_INVALID,
			       "occurred_at: is missing; give the time it happened");
	err = check_ids(event, why);
	if (err == VL_OK)
		err = check_subject(event->subject, why);
	return err == VL_OK ? check_payload(event, lane, why) : err;
}

#include "client/pack.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/text.h"
#include "bus/wire.h"

enum { EVENT_ID = 1, EVENT_OCCURRED_AT, EVENT_SUBJECT, EVENT_PAYLOAD, EVENT_ACTOR, EVENT_AFTER };
enum { TIMESTAMP_SECONDS = 1, TIMESTAMP_NANOS };
enum { ANY_TYPE_URL = 1, ANY_VALUE };

#define TYPE_PREFIX "type.googleapis.com/"

static bool is_given(const uint8_t id[16])
{
	static const uint8_t none[16];

	return memcmp(id, none, sizeof(none)) != 0;
}

static void put_text(struct vl_buf *buf, uint32_t field, const char *text)
{
	if (text != NULL)
		vl_wire_put_bytes(buf, field, text, strlen(text));
}

/* A message within another: its length stands in front, so it is written apart first. */
static void put_part(struct vl_buf *buf, uint32_t field, struct vl_buf *part)
{
	vl_wire_put_bytes(buf, field, part->data, part->size);
	buf->failed |= vl_buf_failed(part);
	vl_buf_free(part);
}

static void put_time(struct vl_buf *buf, const struct vl_client_event *event)
{
	struct vl_time time = {event->seconds, event->nanos};
	struct vl_buf part = {0};

	if (time.seconds == 0 && time.nanos == 0)
		time = vl_clock_now(&vl_clock_system);
	vl_wire_put_varint(&part, TIMESTAMP_SECONDS, (uint64_t)time.seconds);
	vl_wire_put_varint(&part, TIMESTAMP_NANOS, (uint64_t)(int64_t)time.nanos);
	put_part(buf, EVENT_OCCURRED_AT, &part);
}

static void put_payload(struct vl_buf *buf, const struct vl_client_event *event)
{
	struct vl_buf part = {0}, url = {0};

	vl_buf_printf(&url, TYPE_PREFIX "%s", event->type != NULL ? event->type : "");
	vl_wire_put_bytes(&part, ANY_TYPE_URL, url.data, url.size);
	if (event->size > 0)
		vl_wire_put_bytes(&part, ANY_VALUE, event->payload, event->size);
	part.failed |= vl_buf_failed(&url);
	vl_buf_free(&url);
	put_part(buf, EVENT_PAYLOAD, &part);
}

void vl_client_pack(const struct vl_client_event *event, struct vl_buf *buf)
{
	struct vl_event_id made;
	const uint8_t *id = event->id;

	if (!is_given(id)) {
		made = vl_uuid7(&vl_clock_system, &vl_rand_system);
		id = made.bytes;
	}
	vl_wire_put_bytes(buf, EVENT_ID, id, sizeof(event->id));
	put_time(buf, event);
	put_text(buf, EVENT_SUBJECT, event->subject);
	put_payload(buf, event);
	put_text(buf, EVENT_ACTOR, event->actor);
	if (is_given(event->after))
		vl_wire_put_bytes(buf, EVENT_AFTER, event->after, sizeof(event->after));
}

void vl_client_id_of(struct vl_bytes event, uint8_t id[16])
{
	struct vl_wire wire = vl_wire_open(event);
	struct vl_wire_field field;

	memset(id, 0, 16);
	while (vl_wire_next(&wire, &field))
		if (field.number == EVENT_ID && field.bytes.size == 16) {
			memcpy(id, field.bytes.data, 16);
			return;
		}
}

#include "agent/frame.h"

#include <string.h>

enum { REQUEST_TAG = 1, REQUEST_EVENTS = 2 };
enum { RESPONSE_TAG = 1, RESPONSE_RESULTS = 2 };
enum { RESULT_ACCEPTED = 1, RESULT_REFUSED = 2 };
enum { ACCEPTED_ID = 1, ACCEPTED_LANE, ACCEPTED_EPOCH, ACCEPTED_EVENT, ACCEPTED_DUPLICATE };
enum { REFUSED_CAUSE = 1, REFUSED_REASON };

#define REASON_MAX ((size_t)200)

enum vl_err vl_request_read(struct vl_bytes frame, struct vl_request *request, struct vl_why *why)
{
	struct vl_wire wire = vl_wire_open(frame);
	struct vl_wire_field field;
	bool tagged = false;

	*request = (struct vl_request){.rest = wire};
	while (vl_wire_next(&wire, &field)) {
		if (field.number == REQUEST_TAG && field.type == VL_WIRE_VARINT && !tagged) {
			request->tag = field.value;
			tagged = true;
		} else if (field.number == REQUEST_EVENTS && field.type == VL_WIRE_BYTES) {
			request->n_events++;
		} else if (field.number > REQUEST_EVENTS) {
			return vl_fail(why, VL_ERR_UNKNOWN_FIELD,
				       "request: this agent knows no field %u; nothing of the "
				       "request was taken",
				       field.number);
		} else {
			return vl_fail(why, VL_ERR_MALFORMED,
				       "request: field %u at byte %zu is of the wrong type or "
				       "there twice; nothing of the request was taken",
				       field.number, (size_t)(field.start - frame.data));
		}
	}
	if (wire.failed)
		return vl_fail(why, VL_ERR_MALFORMED,
			       "request: not a valise.v1.PublishRequest from byte %zu on; "
			       "nothing of it was taken",
			       (size_t)(wire.at - frame.data));
	if (request->n_events > VL_FRAME_EVENTS)
		return vl_fail(why, VL_ERR_TOO_LARGE,
			       "request: %zu events, %zu are the most; send fewer in each, "
			       "nothing was taken",
			       request->n_events, VL_FRAME_EVENTS);
	return VL_OK;
}

bool vl_request_next(struct vl_request *request, struct vl_bytes *event)
{
	struct vl_wire_field field;

	while (vl_wire_next(&request->rest, &field)) {
		if (field.number != REQUEST_EVENTS)
			continue;
		*event = field.bytes;
		return true;
	}
	return false;
}

/* -- answers -- */

static uint8_t *put_varint(uint8_t *at, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		*at++ = (uint8_t)(n | 0x80);
	*at++ = (uint8_t)n;
	return at;
}

static uint8_t *put_number(uint8_t *at, unsigned field, uint64_t n)
{
	*at++ = (uint8_t)(field << 3 | VL_WIRE_VARINT);
	return put_varint(at, n);
}

static uint8_t *put_bytes(uint8_t *at, unsigned field, const void *bytes, size_t count)
{
	*at++ = (uint8_t)(field << 3 | VL_WIRE_BYTES);
	at = put_varint(at, count);
	memcpy(at, bytes, count);
	return at + count;
}

/* The most that a result takes besides its texts: tags, lengths, an id, three numbers. */
#define RESULT_ROOM ((size_t)64)

/* results: { outcome }, with the outcome's fields made before, as their length stands in front. */
static void put_result(struct vl_buf *out, unsigned outcome, const uint8_t *fields, size_t count)
{
	uint8_t head[16], *at = head;
	size_t result = 1 + (count < 0x80 ? 1 : 2) + count;

	*at++ = RESPONSE_RESULTS << 3 | VL_WIRE_BYTES;
	at = put_varint(at, result);
	*at++ = (uint8_t)(outcome << 3 | VL_WIRE_BYTES);
	at = put_varint(at, count);
	vl_buf_put(out, head, (size_t)(at - head));
	vl_buf_put(out, fields, count);
}

size_t vl_answer_begin(struct vl_buf *out)
{
	static const uint8_t length[VL_FRAME_HEAD];
	size_t begin = out->size;

	vl_buf_put(out, length, sizeof(length));
	return begin;
}

void vl_answer_accepted(struct vl_buf *out, const struct vl_accepted *accepted)
{
	uint8_t fields[RESULT_ROOM + REASON_MAX], *at = fields;

	at = put_bytes(at, ACCEPTED_ID, accepted->id.bytes, sizeof(accepted->id.bytes));
	at = put_bytes(at, ACCEPTED_LANE, accepted->lane, strnlen(accepted->lane, REASON_MAX));
	at = put_number(at, ACCEPTED_EPOCH, accepted->epoch.n);
	at = put_number(at, ACCEPTED_EVENT, accepted->event.n);
	if (accepted->duplicate)
		at = put_number(at, ACCEPTED_DUPLICATE, 1);
	put_result(out, RESULT_ACCEPTED, fields, (size_t)(at - fields));
}

void vl_answer_refused(struct vl_buf *out, Valise__V1__RefusedCause cause, const char *reason)
{
	uint8_t fields[RESULT_ROOM + REASON_MAX], *at = fields;
	size_t length = strlen(reason);

	/* Not within a character. */
	if (length > REASON_MAX)
		for (length = REASON_MAX; length > 0 && ((uint8_t)reason[length] & 0xc0) == 0x80;
		     length--)
			;
	at = put_number(at, REFUSED_CAUSE, (uint64_t)cause);
	at = put_bytes(at, REFUSED_REASON, reason, length);
	put_result(out, RESULT_REFUSED, fields, (size_t)(at - fields));
}

void vl_answer_end(struct vl_buf *out, size_t begin, uint64_t tag)
{
	uint8_t field[16];

	if (tag != 0)
		vl_buf_put(out, field, (size_t)(put_number(field, RESPONSE_TAG, tag) - field));
	if (!vl_buf_failed(out))
		vl_put_be32(out->data + begin, (uint32_t)(out->size - begin - VL_FRAME_HEAD));
}

#include "client/response.h"

#include "base/text.h"

#include <string.h>
#include <valise/v1/agent.pb-c.h> /* for its numbers; nothing of it is linked */

enum { RESPONSE_TAG = 1, RESPONSE_RESULTS = 2 };
enum { RESULT_ACCEPTED = 1, RESULT_REFUSED = 2 };
enum { ACCEPTED_LANE = 2, ACCEPTED_EPOCH, ACCEPTED_EVENT, ACCEPTED_DUPLICATE };
enum { REFUSED_CAUSE = 1, REFUSED_REASON };

bool vl_response_read(struct vl_bytes frame, struct vl_response *response)
{
	struct vl_wire wire = vl_wire_open(frame);
	struct vl_wire_field field;

	*response = (struct vl_response){.rest = wire};
	while (vl_wire_next(&wire, &field)) {
		if (field.number == RESPONSE_TAG && field.type == VL_WIRE_VARINT)
			response->tag = field.value;
		else if (field.number == RESPONSE_RESULTS && field.type == VL_WIRE_BYTES)
			response->n_results++;
		else if (field.number <= RESPONSE_RESULTS)
			return false;
	}
	return !wire.failed;
}

/* As much as fits; not within a character. */
static void copy_text(char *to, size_t room, struct vl_bytes text)
{
	size_t size = text.size;

	if (size >= room)
		for (size = room - 1; size > 0 && (text.data[size] & 0xc0) == 0x80; size--)
			;
	if (size > 0)
		memcpy(to, text.data, size);
	to[size] = '\0';
}

static bool read_accepted(struct vl_bytes bytes, struct vl_client_answer *answer)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;

	answer->outcome = VL_CLIENT_ACCEPTED;
	while (vl_wire_next(&wire, &field)) {
		if (field.number == ACCEPTED_LANE && field.type == VL_WIRE_BYTES)
			copy_text(answer->lane, sizeof(answer->lane), field.bytes);
		else if (field.number == ACCEPTED_EPOCH && field.type == VL_WIRE_VARINT)
			answer->epoch = field.value;
		else if (field.number == ACCEPTED_EVENT && field.type == VL_WIRE_VARINT)
			answer->event = field.value;
		else if (field.number == ACCEPTED_DUPLICATE && field.type == VL_WIRE_VARINT)
			answer->duplicate = field.value != 0;
	}
	return !wire.failed && vl_utf8_valid(answer->lane, strlen(answer->lane), NULL);
}

static enum vl_client_outcome outcome_of(uint64_t cause)
{
	switch (cause) {
	case VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL:
		return VL_CLIENT_FULL;
	case VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_UNKNOWN_OUTCOME:
		return VL_CLIENT_UNKNOWN;
	default:
		return VL_CLIENT_REFUSED;
	}
}

static bool read_refused(struct vl_bytes bytes, struct vl_client_answer *answer)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;

	answer->outcome = VL_CLIENT_REFUSED;
	while (vl_wire_next(&wire, &field)) {
		if (field.number == REFUSED_CAUSE && field.type == VL_WIRE_VARINT)
			answer->outcome = outcome_of(field.value);
		else if (field.number == REFUSED_REASON && field.type == VL_WIRE_BYTES)
			copy_text(answer->reason, sizeof(answer->reason), field.bytes);
	}
	return !wire.failed && vl_utf8_valid(answer->reason, strlen(answer->reason), NULL);
}

static bool read_result(struct vl_bytes bytes, struct vl_client_answer *answer)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;
	unsigned outcomes = 0;
	bool good = true;

	while (good && vl_wire_next(&wire, &field)) {
		if (field.number > RESULT_REFUSED || field.type != VL_WIRE_BYTES)
			continue;
		outcomes++;
		good = field.number == RESULT_ACCEPTED ? read_accepted(field.bytes, answer)
						       : read_refused(field.bytes, answer);
	}
	return good && !wire.failed && outcomes == 1;
}

bool vl_response_next(struct vl_response *response, struct vl_client_answer *answer)
{
	struct vl_wire_field field;

	*answer = (struct vl_client_answer){0};
	while (vl_wire_next(&response->rest, &field))
		if (field.number == RESPONSE_RESULTS)
			return read_result(field.bytes, answer);
	return false;
}

#include "agent/relay.h"

#include "bus/wire.h"

#include <stdio.h>

enum { TOPIC = 1, PARTITION, OFFSET, KEY, VALUE, NAME, CONTENT };

void vl_down_topic(enum vl_down down, const char *mission, char topic[VL_LANE_NAME_MAX])
{
	const char *lane = down == VL_DOWN_RECEIPTS ? VL_RECEIPT_LANE : VL_DIRECTIVE_LANE;
	bool addressed = down != VL_DOWN_ORDERS;

	(void)snprintf(topic, VL_LANE_NAME_MAX, "%s%s%s", lane, addressed ? "." : "",
		       addressed ? mission : "");
}

static void put(struct vl_buf *buf, uint32_t field, struct vl_bytes bytes)
{
	if (bytes.data != NULL)
		vl_wire_put_bytes(buf, field, bytes.data, bytes.size);
}

void vl_relay_pack(const struct vl_record *record, struct vl_buf *buf)
{
	put(buf, TOPIC, record->topic);
	vl_wire_put_varint(buf, PARTITION, (uint64_t)record->partition);
	vl_wire_put_varint(buf, OFFSET, (uint64_t)record->offset);
	put(buf, KEY, record->key);
	put(buf, VALUE, record->value);
	for (size_t i = 0; i < record->n_headers; i++) {
		put(buf, NAME, record->headers[i].name);
		put(buf, CONTENT, record->headers[i].value);
	}
}

static bool take_number(struct vl_record *record, const struct vl_wire_field *field)
{
	if (field->type != VL_WIRE_VARINT || field->value > INT64_MAX)
		return false;
	if (field->number == OFFSET)
		record->offset = (int64_t)field->value;
	else if (field->number == PARTITION && field->value <= INT32_MAX)
		record->partition = (int32_t)field->value;
	else
		return false;
	return true;
}

static bool take_bytes(struct vl_record *record, const struct vl_wire_field *field)
{
	switch (field->number) {
	case TOPIC:
		record->topic = field->bytes;
		return true;
	case KEY:
		record->key = field->bytes;
		return true;
	case VALUE:
		record->value = field->bytes;
		return true;
	case NAME:
		if (record->n_headers == VL_RECORD_HEADERS)
			return false;
		record->headers[record->n_headers++].name = field->bytes;
		return true;
	case CONTENT:
		if (record->n_headers == 0)
			return false;
		record->headers[record->n_headers - 1].value = field->bytes;
		return true;
	}
	return false;
}

enum vl_err vl_relay_unpack(struct vl_bytes bytes, struct vl_record *record)
{
	struct vl_wire wire = vl_wire_open(bytes);
	struct vl_wire_field field;
	bool good = true;

	*record = (struct vl_record){.partition = -1, .offset = -1};
	while (good && vl_wire_next(&wire, &field))
		good = field.type == VL_WIRE_BYTES ? take_bytes(record, &field)
						   : take_number(record, &field);
	return good && !wire.failed && record->topic.data != NULL && record->partition >= 0 &&
			       record->offset >= 0
		       ? VL_OK
		       : VL_ERR_MALFORMED;
}

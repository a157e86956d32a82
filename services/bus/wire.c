#include "bus/wire_in.h"

struct vl_wire vl_wire_open(struct vl_bytes message)
{
	return (struct vl_wire){.at = message.data,
				.end = message.size > 0 ? message.data + message.size
							: message.data};
}

bool vl_wire_next(struct vl_wire *wire, struct vl_wire_field *field)
{
	return wire_next(wire, field);
}

static void put_varint(struct vl_buf *buf, uint64_t value)
{
	uint8_t bytes[NUMBER_BYTES];
	size_t count = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[count++] = (uint8_t)(value | 0x80);
	bytes[count++] = (uint8_t)value;
	vl_buf_put(buf, bytes, count);
}

static size_t varint_size(uint64_t value)
{
	size_t count = 1;

	for (; value >= 0x80; value >>= 7)
		count++;
	return count;
}

void vl_wire_put_varint(struct vl_buf *buf, uint32_t field, uint64_t value)
{
	put_varint(buf, (uint64_t)field << 3 | VL_WIRE_VARINT);
	put_varint(buf, value);
}

void vl_wire_put_bytes(struct vl_buf *buf, uint32_t field, const void *bytes, size_t count)
{
	put_varint(buf, (uint64_t)field << 3 | VL_WIRE_BYTES);
	put_varint(buf, count);
	vl_buf_put(buf, bytes, count);
}

size_t vl_wire_bytes_size(uint32_t field, size_t count)
{
	return varint_size((uint64_t)field << 3) + varint_size(count) + count;
}

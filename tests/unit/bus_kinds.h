/*
 * A message for the tests of JSON with a field of each kind of number, as protoc-c would make
 * it. No .proto of ours has them all.
 *
 * Next: store_fixture.h, the store's tests.
 */
#ifndef VALISE_TESTS_BUS_KINDS_H
#define VALISE_TESTS_BUS_KINDS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct kinds {
	ProtobufCMessage base;
	protobuf_c_boolean a_bool;
	double b_double;
	uint32_t c_fixed32;
	uint64_t d_fixed64;
	float e_float;
	int32_t f_int32;
	int64_t g_int64;
	int32_t h_sfixed32;
	int64_t i_sfixed64;
	int32_t j_sint32;
	int64_t k_sint64;
	uint32_t l_uint32;
	uint64_t m_uint64;
};

#define KIND(name, id, type)                                                       \
	{                                                                          \
#name, id, PROTOBUF_C_LABEL_NONE, PROTOBUF_C_TYPE_##type, 0,       \
			offsetof(struct kinds, name), NULL, NULL, 0, 0, NULL, NULL \
	}

static const ProtobufCFieldDescriptor kinds_fields[] = {
	KIND(a_bool, 1, BOOL),       KIND(b_double, 2, DOUBLE),     KIND(c_fixed32, 3, FIXED32),
	KIND(d_fixed64, 4, FIXED64), KIND(e_float, 5, FLOAT),       KIND(f_int32, 6, INT32),
	KIND(g_int64, 7, INT64),     KIND(h_sfixed32, 8, SFIXED32), KIND(i_sfixed64, 9, SFIXED64),
	KIND(j_sint32, 10, SINT32),  KIND(k_sint64, 11, SINT64),    KIND(l_uint32, 12, UINT32),
	KIND(m_uint64, 13, UINT64),
};
static const unsigned kinds_by_name[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const ProtobufCIntRange kinds_ranges[] = {{1, 0}, {0, 13}};

static void kinds_init(ProtobufCMessage *message);

static const ProtobufCMessageDescriptor kinds_type = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "test.Kinds",
	.sizeof_message = sizeof(struct kinds),
	.n_fields = 13,
	.fields = kinds_fields,
	.fields_sorted_by_name = kinds_by_name,
	.n_field_ranges = 1,
	.field_ranges = kinds_ranges,
	.message_init = kinds_init,
};

static void kinds_init(ProtobufCMessage *message)
{
	*(struct kinds *)message = (struct kinds){.base = {.descriptor = &kinds_type}};
}

#endif

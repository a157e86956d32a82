#include "bus/wire.h"

#include "bus_fixture.h"

#include "valise/v1/batch.pb-c.h"

/* One message with a field of every type, alone and repeated, and two oneofs; made by hand, as
 * protoc-c would. */
struct all {
	ProtobufCMessage base;
	union {
		uint64_t u64;
		uint32_t u32;
		protobuf_c_boolean flag;
		char *text;
		ProtobufCBinaryData bytes;
		ProtobufCMessage *message;
	} one[17];
	size_t n_many[17];
	void *many[17];
	uint32_t first_case, second_case;
	union {
		uint32_t number;
		char *text;
	} first, second;
};

#define ONE(n, t)                                                                                \
	{                                                                                        \
		.name = #t, .id = (n) + 1, .label = PROTOBUF_C_LABEL_NONE,                       \
		.type = PROTOBUF_C_TYPE_##t,                                                     \
		.offset = (unsigned)offsetof(struct all, one) +                                  \
			  (n) * (unsigned)sizeof(((struct all *)0)->one[0]),                     \
		.descriptor = PROTOBUF_C_TYPE_##t == PROTOBUF_C_TYPE_MESSAGE ? &all_type : NULL, \
		.default_value = PROTOBUF_C_TYPE_##t == PROTOBUF_C_TYPE_STRING                   \
					 ? &protobuf_c_empty_string                              \
					 : NULL                                                  \
	}
#define MANY(n, t)                                                                               \
	{                                                                                        \
		.name = "MANY_" #t, .id = (n) + 21, .label = PROTOBUF_C_LABEL_REPEATED,          \
		.type = PROTOBUF_C_TYPE_##t,                                                     \
		.quantifier_offset =                                                             \
			(unsigned)offsetof(struct all, n_many) + (n) * (unsigned)sizeof(size_t), \
		.offset = (unsigned)offsetof(struct all, many) + (n) * (unsigned)sizeof(void *), \
		.descriptor = PROTOBUF_C_TYPE_##t == PROTOBUF_C_TYPE_MESSAGE ? &all_type : NULL  \
	}
#define CHOICE(n, t, group, member)                                                    \
	{                                                                              \
		.name = #group "_" #member, .id = (n), .label = PROTOBUF_C_LABEL_NONE, \
		.type = PROTOBUF_C_TYPE_##t,                                           \
		.quantifier_offset = (unsigned)offsetof(struct all, group##_case),     \
		.offset = (unsigned)offsetof(struct all, group.member),                \
		.flags = PROTOBUF_C_FIELD_FLAG_ONEOF                                   \
	}
#define EVERY(X)                                                                              \
	X(0, INT32), X(1, SINT32), X(2, SFIXED32), X(3, INT64), X(4, SINT64), X(5, SFIXED64), \
		X(6, UINT32), X(7, FIXED32), X(8, UINT64), X(9, FIXED64), X(10, FLOAT),       \
		X(11, DOUBLE), X(12, BOOL), X(13, ENUM), X(14, STRING), X(15, BYTES),         \
		X(16, MESSAGE)

static const ProtobufCMessageDescriptor all_type;
static const ProtobufCFieldDescriptor all_fields[] = {
	EVERY(ONE),
	EVERY(MANY),
	CHOICE(41, UINT32, first, number),
	CHOICE(42, STRING, first, text),
	CHOICE(43, UINT32, second, number),
	CHOICE(44, STRING, second, text),
};
static const ProtobufCIntRange all_ranges[] = {{1, 0}, {21, 17}, {41, 34}, {0, 38}};
static const ProtobufCMessageDescriptor all_type = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "test.All",
	.package_name = "test",
	.sizeof_message = sizeof(struct all),
	.n_fields = sizeof(all_fields) / sizeof(all_fields[0]),
	.fields = all_fields,
	.n_field_ranges = 3,
	.field_ranges = all_ranges,
};

static enum vl_err check(const ProtobufCMessageDescriptor *type, struct vl_bytes bytes,
			 bool allow_unknown, struct vl_why *why)
{
	struct vl_bytes exact = fixture_exact(bytes);
	enum vl_err err = vl_wire_check(type, exact, allow_unknown, why);

	fixture_release(exact);
	return err;
}

struct sample {
	const char *about;
	struct vl_bytes bytes;
};

static void test_accepts(void **state)
{
	static const char ten[] = "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	const struct sample samples[] = {
		{"nothing", {0}},
		{"int32 -1, sign extended to 64 bits", BYTES(ten)},
		{"int32 -1, to 32 bits", BYTES("\x08\xff\xff\xff\xff\x0f")},
		{"sint32, largest", BYTES("\x10\xff\xff\xff\xff\x0f")},
		{"sfixed32", BYTES("\x1d\x01\x02\x03\x04")},
		{"uint64, largest", BYTES("\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
		{"fixed64", BYTES("\x51\x01\x02\x03\x04\x05\x06\x07\x08")},
		{"bool", BYTES("\x68\x01")},
		{"enum, unknown value", BYTES("\x70\x7f")},
		{"string", BYTES("\x7a\x03\xe5\x9b\xbd")},
		{"string, empty", BYTES("\x7a\x00")},
		{"string, ASCII longer than a word", BYTES("\x7a\x0b\x01~234567890")},
		{"bytes, not UTF-8", BYTES("\x82\x01\x02\x00\xff")},
		{"message, empty", BYTES("\x8a\x01\x00")},
		{"repeated int32, packed", BYTES("\xaa\x01\x03\x01\x02\x03")},
		{"repeated int32, packed and empty", BYTES("\xaa\x01\x00")},
		{"repeated int32, one by one and packed",
		 BYTES("\xa8\x01\x01\xaa\x01\x02\x02\x03\xa8\x01\x04")},
		{"repeated fixed32, packed", BYTES("\xe2\x01\x08zzzzyyyy")},
		{"repeated double, packed", BYTES("\x82\x02\x08zzzzyyyy")},
		{"repeated bool, packed", BYTES("\x8a\x02\x03\x00\x01\x00")},
		{"repeated string", BYTES("\x9a\x02\x01x\x9a\x02\x01x")},
		{"a member of each oneof", BYTES("\xc8\x02\x01\xe2\x02\x01x")},
		{"tag and length longer than need be",
		 BYTES("\xfa\x80\x80\x80\x00\x81\x80\x80\x80\x00x")},
	};
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct vl_why why = {0};
		if (check(&all_type, samples[i].bytes, false, &why) != VL_OK)
			fail_msg("%s: %s", samples[i].about, why.text);
		if (vl_wire_unpack(&all_type, samples[i].bytes, arena) == NULL)
			fail_msg("%s: protobuf-c does not read it", samples[i].about);
	}
	vl_arena_close(arena);
}

struct refusal {
	struct vl_bytes bytes;
	const char *words;
};

static void test_refuses(void **state)
{
	const struct refusal refusals[] = {
		/* Form. */
		{BYTES("\x08"), "test.All, byte 0: is cut short or not protobuf"},
		{BYTES("\x80"), "test.All, byte 0: is cut short"},
		/* field number 0 */
		{BYTES("\x68\x01\x00\x01"), "test.All, byte 2: is cut short"},
		/* and spelt longer */
		{BYTES("\x80\x00\x01"), "byte 0: is cut short"},
		/* a tag of six bytes */
		{BYTES("\x88\x80\x80\x80\x80\x00\x01"), "byte 0: is cut short"},
		{BYTES("\x88\x80\x80\x80\x10\x01"), "byte 0: is cut short"}, /* of 33 bits */
		{BYTES("\x0b\x0c"), "byte 0: is cut short"},                 /* a group */
		/* no such wire type */
		{BYTES("\x0e\x00"), "byte 0: is cut short"},
		{BYTES("\x0f\x00"), "byte 0: is cut short"},
		/* 11 bytes */
		{BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "byte 0: is cut short"},
		/* 65 bits */
		{BYTES("\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "byte 0: is cut short"},
		{BYTES("\x08\xff"), "byte 0: is cut short"},
		{BYTES("\x1d\x01\x02\x03"), "byte 0: is cut short"},
		{BYTES("\x51\x01\x02\x03\x04\x05\x06\x07"), "byte 0: is cut short"},
		{BYTES("\x7a\x02x"), "byte 0: is cut short"},
		{BYTES("\x7a\xff\xff\xff\xff\x0fx"), "byte 0: is cut short"},
		/* a length of six bytes */
		{BYTES("\x7a\x81\x80\x80\x80\x80\x00x"), "byte 0: is cut short"},
		/* in an unknown field too */
		{BYTES("\xc2\x3e\x05x"), "byte 0: is cut short"},
		/* Wire types. */
		{BYTES("\x0d\x01\x02\x03\x04"), "test.All.INT32, byte 0: is of another wire type"},
		{BYTES("\x18\x01"), "test.All.SFIXED32, byte 0: is of another wire type"},
		/* packed, not repeated */
		{BYTES("\x0a\x01\x01"), "test.All.INT32, byte 0: is of another wire type"},
		{BYTES("\x78\x01"), "test.All.STRING, byte 0: is of another wire type"},
		{BYTES("\x88\x01\x01"), "test.All.MESSAGE, byte 0: is of another wire type"},
		{BYTES("\x98\x02\x01"), "test.All.MANY_STRING, byte 0: is of another wire type"},
		{BYTES("\xad\x01\x01\x02\x03\x04"),
		 "test.All.MANY_INT32, byte 0: is of another wire type"},
		/* Ranges. */
		{BYTES("\x68\x02"), "test.All.BOOL, byte 0: holds a number out of"},
		{BYTES("\x38\x80\x80\x80\x80\x10"),
		 "test.All.UINT32, byte 0: holds a number out of"},
		{BYTES("\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		 "test.All.UINT32, byte 0: holds a number"},
		{BYTES("\x10\x80\x80\x80\x80\x10"),
		 "test.All.SINT32, byte 0: holds a number out of"},
		{BYTES("\x08\x80\x80\x80\x80\x10"),
		 "test.All.INT32, byte 0: holds a number out of"},
		{BYTES("\x08\xff\xff\xff\xff\xf7\xff\xff\xff\xff\x01"),
		 "test.All.INT32, byte 0: holds a number out"},
		{BYTES("\x70\x80\x80\x80\x80\x10"), "test.All.ENUM, byte 0: holds a number out of"},
		/* Packed. */
		{BYTES("\xaa\x01\x01\x80"), "test.All.MANY_INT32, byte 0: holds a packed number"},
		{BYTES("\x8a\x02\x01\x02"), "test.All.MANY_BOOL, byte 0: holds a packed number"},
		{BYTES("\xe2\x01\x05zzzzy"),
		 "test.All.MANY_FIXED32, byte 0: holds a packed number"},
		{BYTES("\x82\x02\x0czzzzyyyyxxxx"),
		 "test.All.MANY_DOUBLE, byte 0: holds a packed number"},
		/* Text. */
		{BYTES("\x7a\x01\xff"), "test.All.STRING, byte 0: is not UTF-8"},
		{BYTES("\x7a\x03z\x00z"), "test.All.STRING, byte 0: is not UTF-8"},
		{BYTES("\x7a\x08zzzzzzz\x00"), "test.All.STRING, byte 0: is not UTF-8"},
		{BYTES("\x7a\x0azzzzzzzz\xe5\x9b"), "test.All.STRING, byte 0: is not UTF-8"},
		{BYTES("\x9a\x02\x01z\x9a\x02\x02\xc0\x80"),
		 "test.All.MANY_STRING, byte 4: is not UTF-8"},
		/* Twice. */
		{BYTES("\x68\x00\x68\x00"), "test.All.BOOL, byte 2: is given twice"},
		{BYTES("\x8a\x01\x00\x8a\x01\x00"), "test.All.MESSAGE, byte 3: is given twice"},
		{BYTES("\xc8\x02\x01\xc8\x02\x01"),
		 "test.All.first_number, byte 3: is given twice"},
		{BYTES("\xc8\x02\x01\xd2\x02\x01x"),
		 "test.All.first_text, byte 3: is given beside another member"},
		{BYTES("\xe2\x02\x01x\xc8\x02\x01\xd8\x02\x01"),
		 "test.All.second_number, byte 7: is given beside"},
		/* Within. */
		{BYTES("\x68\x01\x8a\x01\x02\x68\x02"),
		 "test.All.BOOL, byte 5: holds a number out of"},
		{BYTES("\x8a\x01\x01\x68"), "test.All, byte 3: is cut short"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct vl_why why = {0};
		enum vl_err err = check(&all_type, refusals[i].bytes, true, &why);
		if (err != VL_ERR_MALFORMED || strstr(why.text, refusals[i].words) == NULL)
			fail_msg("'%s' is %s: %s", refusals[i].words, vl_err_name(err), why.text);
		assert_int_equal(VL_ERR_MALFORMED, check(&all_type, refusals[i].bytes, true, NULL));
	}
}

static void test_unknown_field(void **state)
{
	const struct vl_bytes samples[] = {BYTES("\xc0\x3e\x05"),
					   BYTES("\xc2\x3e\x01\xff"),
					   BYTES("\xc5\x3ezzzz"),
					   BYTES("\xc1\x3ezzzzzzzz"),
					   BYTES("\xc0\x3e\x05\xc0\x3e\x05"),
					   BYTES("\x98\x01\x05") /* in a hole between ranges */};
	struct vl_why why = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		assert_int_equal(VL_OK, check(&all_type, samples[i], true, NULL));
		assert_int_equal(VL_ERR_UNKNOWN_FIELD, check(&all_type, samples[i], false, NULL));
	}
	assert_int_equal(VL_ERR_UNKNOWN_FIELD,
			 check(&all_type, BYTES("\x8a\x01\x03\xc0\x3e\x05"), false, &why));
	assert_string_equal("test.All, byte 3: has no field 1000", why.text);
}

/* `depth` messages in each other, the outermost counted. */
static struct vl_buf nest(unsigned depth)
{
	struct vl_buf inner = {0};

	for (unsigned i = 1; i < depth; i++) {
		struct vl_buf outer = {0};
		vl_wire_put_bytes(&outer, 17, inner.data, inner.size);
		vl_buf_free(&inner);
		inner = outer;
	}
	return inner;
}

static void test_depth(void **state)
{
	struct vl_buf good = nest(16), bad = nest(17), far = nest(5000);
	struct vl_why why = {0};

	(void)state;
	assert_int_equal(VL_OK, vl_wire_check(&all_type, vl_buf_bytes(&good), false, NULL));
	assert_int_equal(VL_ERR_MALFORMED,
			 vl_wire_check(&all_type, vl_buf_bytes(&bad), false, &why));
	assert_non_null(strstr(why.text, "test.All.MESSAGE, byte "));
	assert_non_null(strstr(why.text, "is nested too deep"));
	assert_int_equal(VL_ERR_MALFORMED,
			 vl_wire_check(&all_type, vl_buf_bytes(&far), false, NULL));
	vl_buf_free(&good);
	vl_buf_free(&bad);
	vl_buf_free(&far);
}

/* More fields than one word of bits holds; fields 70 and 130 are of one oneof. */
static void test_many_fields(void **state)
{
	enum { N = 200 };
	static ProtobufCFieldDescriptor fields[N];
	const ProtobufCIntRange ranges[] = {{1, 0}, {0, N}};
	ProtobufCMessageDescriptor type = {.name = "test.Many",
					   .n_fields = N,
					   .fields = fields,
					   .n_field_ranges = 1,
					   .field_ranges = ranges};
	struct vl_buf buf = {0};

	(void)state;
	for (unsigned i = 0; i < N; i++)
		fields[i] = (ProtobufCFieldDescriptor){.name = "f",
						       .id = i + 1,
						       .label = PROTOBUF_C_LABEL_NONE,
						       .type = PROTOBUF_C_TYPE_UINT32,
						       .quantifier_offset = 24};
	fields[69].flags = fields[129].flags = PROTOBUF_C_FIELD_FLAG_ONEOF;
	for (uint32_t i = N; i >= 1; i--)
		if (i != 70)
			vl_wire_put_varint(&buf, i, i);
	assert_int_equal(VL_OK, vl_wire_check(&type, vl_buf_bytes(&buf), false, NULL));
	vl_wire_put_varint(&buf, 199, 1);
	assert_int_equal(VL_ERR_MALFORMED, vl_wire_check(&type, vl_buf_bytes(&buf), false, NULL));
	vl_buf_reset(&buf);
	vl_wire_put_varint(&buf, 130, 1);
	vl_wire_put_varint(&buf, 70, 1);
	assert_int_equal(VL_ERR_MALFORMED, vl_wire_check(&type, vl_buf_bytes(&buf), false, NULL));
	type.n_fields = 513;
	assert_int_equal(VL_ERR_BUG, vl_wire_check(&type, vl_buf_bytes(&buf), false, NULL));
	vl_buf_free(&buf);
}

static void test_any_is_not_opened(void **state)
{
	struct fixture_event event = fixture_event();
	struct vl_buf buf = {0};

	(void)state;
	event.payload = BYTES("\xff\xff\xff");
	fixture_put_event(&buf, &event);
	assert_int_equal(VL_OK, vl_wire_check(&valise__v1__event__descriptor, vl_buf_bytes(&buf),
					      false, NULL));
	vl_buf_free(&buf);
}

static void test_cursor(void **state)
{
	struct vl_buf buf = {0};
	struct vl_wire_field field;

	(void)state;
	vl_wire_put_varint(&buf, 1, 0);
	vl_wire_put_varint(&buf, 536870911, UINT64_MAX);
	vl_wire_put_bytes(&buf, 16, "abc", 3);
	vl_wire_put_bytes(&buf, 3, NULL, 0);
	vl_buf_put(&buf, "\x25\x01\x02\x03\x84", 5);
	vl_buf_put(&buf, "\x29\x01\x02\x03\x04\x05\x06\x07\x88", 9);
	struct vl_wire wire = vl_wire_open(vl_buf_bytes(&buf));
	assert_true(vl_wire_next(&wire, &field));
	assert_true(field.number == 1 && field.type == VL_WIRE_VARINT && field.value == 0 &&
		    field.start == buf.data);
	assert_true(vl_wire_next(&wire, &field));
	assert_true(field.number == 536870911 && field.value == UINT64_MAX &&
		    field.start == buf.data + 2);
	assert_true(vl_wire_next(&wire, &field));
	assert_true(field.number == 16 && field.type == VL_WIRE_BYTES && field.bytes.size == 3);
	assert_memory_equal("abc", field.bytes.data, 3);
	assert_true(vl_wire_next(&wire, &field));
	assert_true(field.number == 3 && field.bytes.size == 0);
	assert_true(vl_wire_next(&wire, &field));
	assert_true(field.type == VL_WIRE_FIXED32 && field.value == 0x84030201);
	assert_true(vl_wire_next(&wire, &field));
	assert_true(field.type == VL_WIRE_FIXED64 && field.value == UINT64_C(0x8807060504030201));
	assert_false(vl_wire_next(&wire, &field));
	assert_false(wire.failed);
	vl_buf_free(&buf);
}

static void test_cursor_error_sticks(void **state)
{
	struct vl_wire wire = vl_wire_open(BYTES("\x0b\x08\x01"));
	struct vl_wire_field field;

	(void)state;
	assert_false(vl_wire_next(&wire, &field));
	assert_true(wire.failed);
	assert_false(vl_wire_next(&wire, &field));
	assert_true(wire.failed);
}

static void test_bytes_size(void **state)
{
	const size_t counts[] = {0, 1, 127, 128, 16383, 16384, 900000};
	const uint32_t numbers[] = {1, 15, 16, 2047, 2048, 536870911};
	static const uint8_t zeros[900000];

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
			struct vl_buf buf = {0};
			vl_wire_put_bytes(&buf, numbers[j], zeros, counts[i]);
			assert_int_equal(buf.size, vl_wire_bytes_size(numbers[j], counts[i]));
			vl_buf_free(&buf);
		}
}

static void test_pack_and_unpack(void **state)
{
	struct fixture_event event = fixture_event();
	struct vl_buf first = {0}, second = {0};
	struct vl_arena *arena = vl_arena_open(0), *small = vl_arena_open(32);

	(void)state;
	fixture_put_event(&first, &event);
	ProtobufCMessage *message =
		vl_wire_unpack(&valise__v1__event__descriptor, vl_buf_bytes(&first), arena);
	assert_non_null(message);
	assert_string_equal("CN-SD-2023-000172", ((Valise__V1__Event *)message)->subject);
	vl_wire_pack(message, &second);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	assert_null(vl_wire_unpack(&valise__v1__event__descriptor, vl_buf_bytes(&first), small));
	assert_true(vl_arena_failed(small));
	vl_arena_close(small);
	vl_arena_close(arena);
	vl_buf_free(&first);
	vl_buf_free(&second);
}

/* A few things may happen to a copy of `from`: a bit flips, bytes go, come, move, or the end is
 * missing. */
static void mutate(struct vl_bytes from, uint64_t *random, struct vl_buf *to)
{
	vl_buf_reset(to);
	vl_buf_put(to, from.data, from.size);
	for (uint64_t n = fixture_next(random) % 4 + 1; n > 0 && to->size > 0; n--) {
		size_t at = fixture_next(random) % to->size, count = fixture_next(random) % 8 + 1;
		if (count > to->size - at)
			count = to->size - at;
		switch (fixture_next(random) % 6) {
		case 0:
			to->data[at] ^= (uint8_t)(1 << fixture_next(random) % 8);
			break;
		case 1:
			to->data[at] = (uint8_t)fixture_next(random);
			break;
		case 2:
			memmove(to->data + at, to->data + at + count, to->size - at - count);
			to->size -= count;
			break;
		case 3: {
			uint8_t again[8];
			memcpy(again, to->data + at, count);
			vl_buf_put(to, again, count);
			break;
		}
		case 4:
			to->size = at;
			break;
		case 5:
			memcpy(to->data + at, "\xff\xff\xff\xff\xff\xff\xff\xff", count);
			break;
		}
	}
}

/* What has passed must be read by protobuf-c, and what it writes again must pass. */
static bool survives(const ProtobufCMessageDescriptor *type, struct vl_bytes bytes,
		     struct vl_arena *arena)
{
	struct vl_bytes exact = fixture_exact(bytes);
	struct vl_why why = {0};
	struct vl_buf again = {0};
	enum vl_err err = vl_wire_check(type, exact, true, &why);

	assert_true(err == VL_OK || err == VL_ERR_MALFORMED);
	assert_true((err == VL_OK) == (why.text[0] == '\0'));
	if (err == VL_OK) {
		vl_arena_reset(arena);
		ProtobufCMessage *message = vl_wire_unpack(type, exact, arena);
		assert_non_null(message);
		vl_wire_pack(message, &again);
		assert_int_equal(VL_OK, vl_wire_check(type, vl_buf_bytes(&again), true, NULL));
	}
	vl_buf_free(&again);
	fixture_release(exact);
	return err == VL_OK;
}

static void put_literal(struct vl_buf *buf, struct vl_bytes bytes)
{
	vl_buf_put(buf, bytes.data, bytes.size);
}

static void put_samples(struct vl_buf *all, struct vl_buf *batch)
{
	struct fixture_event event = fixture_event();
	struct vl_buf one = {0};

	put_literal(all, BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1dzzzz\x51zzzzzzzz"
			       "\x68\x01\x70\x03"));
	put_literal(all, BYTES("\x7a\x0e"
			       "abcdefgh\xe5\x9b\xbdxyz\xaa\x01\x03\x01\x02\x03\xa8\x01\x04"));
	put_literal(
		all,
		BYTES("\x8a\x02\x03\x00\x01\x00\xe2\x01\x08zzzzyyyy\x9a\x02\x01x\x9a\x02\x01y"));
	put_literal(all,
		    BYTES("\x8a\x01\x05\x8a\x01\x02\x68\x01\xc8\x02\x01\xe2\x02\x01x\xc0\x3e\x05"));
	fixture_put_event(&one, &event);
	put_literal(batch, BYTES("\x0a\x02HQ\x12\x10"
				 "consular.case.v1\x18\x01\x20\x01\x28\x01"));
	for (int i = 0; i < 3; i++)
		vl_wire_put_bytes(batch, 8, one.data, one.size);
	vl_buf_free(&one);
}

static void test_mutations(void **state)
{
	uint64_t random = fixture_seed();
	struct vl_buf all = {0}, batch = {0}, mutant = {0};
	struct vl_arena *arena = vl_arena_open(0);
	size_t passed = 0, refused = 0;

	(void)state;
	put_samples(&all, &batch);
	assert_true(survives(&all_type, vl_buf_bytes(&all), arena));
	assert_true(survives(&valise__v1__batch__descriptor, vl_buf_bytes(&batch), arena));
	for (int i = 0; i < 20000; i++) {
		bool which = i % 2 == 0;
		mutate(vl_buf_bytes(which ? &all : &batch), &random, &mutant);
		if (survives(which ? &all_type : &valise__v1__batch__descriptor,
			     vl_buf_bytes(&mutant), arena))
			passed++;
		else
			refused++;
	}
	assert_true(passed > 500);
	assert_true(refused > 500);
	vl_arena_close(arena);
	vl_buf_free(&all);
	vl_buf_free(&batch);
	vl_buf_free(&mutant);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),       cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_unknown_field), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_many_fields),   cmocka_unit_test(test_any_is_not_opened),
		cmocka_unit_test(test_cursor),        cmocka_unit_test(test_cursor_error_sticks),
		cmocka_unit_test(test_bytes_size),    cmocka_unit_test(test_pack_and_unpack),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

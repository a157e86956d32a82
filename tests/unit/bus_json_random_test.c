/*
 * bus/json.h: random messages of every type there is, to JSON and back, and JSON with one
 * character damaged. Set VALISE_SEED to repeat a run.
 */
#include "bus/json.h"
#include "bus/wire.h"
#include "bus_fixture.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>

extern const ProtobufCMessageDescriptor *const vl_message_types[];
extern const size_t vl_n_message_types;

static struct vl_arena *arena;

static uint64_t random_state;

static uint64_t random_bits(void)
{
	return fixture_next(&random_state);
}

static uint64_t random_below(uint64_t bound)
{
	return random_bits() % bound;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, int depth);

static char *random_text(void)
{
	static const char *const pieces[] = {"MARKER",           "领事", "\n",      "\"",
					     "\xf0\x9f\x9b\x82", "\x7f", "\xc2\x85"};
	char text[64] = "";

	for (size_t n = random_below(5); n > 0; n--)
		(void)strcat(text, pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))]);
	return vl_arena_text(arena, text, strlen(text));
}

static void random_value(const ProtobufCFieldDescriptor *field, void *at, int depth)
{
	const ProtobufCEnumDescriptor *names = field->descriptor;
	ProtobufCBinaryData *bytes = at;

	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		*(ProtobufCMessage **)at = random_message(field->descriptor, depth + 1);
	else if (field->type == PROTOBUF_C_TYPE_STRING)
		*(char **)at = random_text();
	else if (field->type == PROTOBUF_C_TYPE_ENUM)
		*(int *)at = names->values[random_below(names->n_values)].value;
	else if (field->type == PROTOBUF_C_TYPE_BOOL)
		*(protobuf_c_boolean *)at = (protobuf_c_boolean)random_below(2);
	else if (field->type == PROTOBUF_C_TYPE_BYTES) {
		bytes->len = random_below(40);
		bytes->data = vl_arena_alloc(arena, bytes->len);
		fixture_fill(&random_state, bytes->data, bytes->len);
	} else if (field->type == PROTOBUF_C_TYPE_INT64 || field->type == PROTOBUF_C_TYPE_UINT64 ||
		   field->type == PROTOBUF_C_TYPE_SINT64)
		*(uint64_t *)at = random_bits() >> random_below(64);
	else
		*(uint32_t *)at = (uint32_t)(random_bits() >> random_below(64));
}

static void random_any(Google__Protobuf__Any *any, int depth)
{
	const ProtobufCMessageDescriptor *type = vl_message_types[random_below(vl_n_message_types)];
	ProtobufCMessage *inner = random_message(type, depth + 1);
	char url[128];

	(void)snprintf(url, sizeof(url), "type.googleapis.com/%s", type->name);
	any->type_url = vl_arena_text(arena, url, strlen(url));
	any->value.data = vl_arena_alloc(arena, protobuf_c_message_get_packed_size(inner));
	any->value.len = protobuf_c_message_pack(inner, any->value.data);
}

static size_t value_size(ProtobufCType type)
{
	if (type == PROTOBUF_C_TYPE_BYTES)
		return sizeof(ProtobufCBinaryData);
	return type == PROTOBUF_C_TYPE_ENUM || type == PROTOBUF_C_TYPE_INT32 ||
			       type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_BOOL
		       ? 4
		       : 8;
}

static void random_list(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, int depth)
{
	size_t count = random_below(4), size = value_size(field->type);
	uint8_t *values = vl_arena_alloc(arena, count * size);

	for (size_t i = 0; i < count; i++)
		random_value(field, values + i * size, depth);
	*(size_t *)((uint8_t *)message + field->quantifier_offset) = count;
	*(void **)((uint8_t *)message + field->offset) = values;
}

static void random_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
			 int depth)
{
	uint8_t *base = (uint8_t *)message;
	bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;

	if (random_below(3) == 0 || (oneof && *(uint32_t *)(base + field->quantifier_offset) != 0))
		return;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth > 6)
		return;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		random_list(message, field, depth);
		return;
	}
	random_value(field, base + field->offset, depth);
	if (oneof)
		*(uint32_t *)(base + field->quantifier_offset) = field->id;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, int depth)
{
	ProtobufCMessage *message = vl_arena_alloc(arena, type->sizeof_message);
	Google__Protobuf__Timestamp *when = (Google__Protobuf__Timestamp *)message;
	Google__Protobuf__Duration *span = (Google__Protobuf__Duration *)message;
	int64_t sign = random_below(2) == 0 ? 1 : -1;

	protobuf_c_message_init(type, message);
	if (type == &google__protobuf__timestamp__descriptor) {
		when->seconds =
			(int64_t)random_below(UINT64_C(315537897600)) - INT64_C(62135596800);
		when->nanos = (int32_t)random_below(1000) * 1000000;
	} else if (type == &google__protobuf__duration__descriptor) {
		span->seconds = sign * (int64_t)random_below(UINT64_C(315576000000));
		span->nanos = (int32_t)(sign * (int64_t)random_below(1000000000));
	} else if (type == &google__protobuf__any__descriptor) {
		if (depth < 6)
			random_any((Google__Protobuf__Any *)message, depth);
	} else
		for (unsigned i = 0; i < type->n_fields; i++)
			random_field(message, &type->fields[i], depth);
	return message;
}

/* There and back gives the same bytes. */
static void check_round_trip(const ProtobufCMessage *message, struct vl_buf *text)
{
	struct vl_buf before = {0}, after = {0};
	ProtobufCMessage *back;
	struct vl_why why = {0};

	vl_buf_reset(text);
	vl_json_print(message, text);
	if (vl_json_parse(message->descriptor, (char *)text->data, text->size, arena, &back,
			  &why) != VL_OK)
		fail_msg("%s: %s", vl_buf_text(text), why.text);
	vl_wire_pack(message, &before);
	vl_wire_pack(back, &after);
	if (before.size != after.size ||
	    (before.size > 0 && memcmp(before.data, after.data, before.size) != 0))
		fail_msg("%s: not the same again", vl_buf_text(text));
	vl_buf_free(&before);
	vl_buf_free(&after);
}

/* One character wrong: whatever comes of it, no value is quoted. */
static void check_damaged(const ProtobufCMessageDescriptor *type, struct vl_buf *text)
{
	static const char wrong[] = "{}[]\",:0x\\ \n\xff";
	ProtobufCMessage *message;
	struct vl_why why = {0};

	text->data[random_below(text->size)] = (uint8_t)wrong[random_below(sizeof(wrong))];
	struct vl_bytes exact = fixture_exact(vl_buf_bytes(text));
	enum vl_err err =
		vl_json_parse(type, (const char *)exact.data, exact.size, arena, &message, &why);
	fixture_release(exact);
	assert_true(err == VL_OK || why.text[0] != '\0');
	if (strstr(why.text, "MARKER") != NULL)
		fail_msg("a value is quoted: %s", why.text);
}

static void test_random(void **state)
{
	struct vl_buf text = {0};

	(void)state;
	random_state = fixture_seed();
	for (int round = 0; round < 20; round++)
		for (size_t i = 0; i < vl_n_message_types; i++) {
			check_round_trip(random_message(vl_message_types[i], 0), &text);
			check_damaged(vl_message_types[i], &text);
			vl_arena_reset(arena);
		}
	vl_buf_free(&text);
}

static int open_arena(void **state)
{
	(void)state;
	arena = vl_arena_open(0);
	return arena != NULL ? 0 : -1;
}

static int close_arena(void **state)
{
	(void)state;
	vl_arena_close(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests_name("JSON, at random", tests, open_arena, close_arena);
}

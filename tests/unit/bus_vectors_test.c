/*
 * The golden vectors of tests/vectors, made by a script that shares nothing with this code,
 * against bus/record.h, bus/chain.h and bus/json.h.
 */
#include "base/text.h"
#include "bus/chain.h"
#include "bus/json.h"
#include "bus/record.h"
#include "bus/types.h"
#include "bus/wire.h"

#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VECTORS VALISE_SOURCE_DIR "/tests/vectors/"
#define LARGEST ((size_t)2 * 1000 * 1000)

static struct vl_arena *arena;

static json_t *load(const char *path)
{
	json_error_t error;
	json_t *json = json_load_file(path, 0, &error);

	if (json == NULL)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return json;
}

static const char *text_of(json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	if (text == NULL)
		fail_msg("no %s", key);
	return text != NULL ? text : ""; /* gcc does not know that fail_msg never returns */
}

static uint64_t number_of(json_t *row, const char *key)
{
	return strtoull(text_of(row, key), NULL, 10);
}

/* The bytes of base64, in the arena; data is NULL for a JSON null. */
static struct vl_bytes unpack64(json_t *json)
{
	size_t length = json_string_length(json), size = 0;

	if (!json_is_string(json))
		return (struct vl_bytes){0};
	uint8_t *data = vl_arena_alloc(arena, length + 1);
	assert_non_null(data);
	assert_int_equal(sodium_base642bin(data, length + 1, json_string_value(json), length, NULL,
					   &size, NULL, sodium_base64_VARIANT_ORIGINAL),
			 0);
	return (struct vl_bytes){data, size};
}

/* A value: base64, or a list of [base64, times]. */
static struct vl_bytes unpack_value(json_t *json)
{
	if (!json_is_array(json))
		return unpack64(json);
	uint8_t *data = vl_arena_alloc(arena, LARGEST);
	size_t size = 0, i;
	json_t *part;
	json_array_foreach(json, i, part)
	{
		struct vl_bytes bytes = unpack64(json_array_get(part, 0));
		for (json_int_t times = json_integer_value(json_array_get(part, 1)); times > 0;
		     times--) {
			assert_true(size + bytes.size <= LARGEST);
			memcpy(data + size, bytes.data, bytes.size);
			size += bytes.size;
		}
	}
	return (struct vl_bytes){data, size};
}

static struct vl_bytes bytes_of(const char *text)
{
	return (struct vl_bytes){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

static bool is_hex(const uint8_t *bytes, size_t count, const char *hex)
{
	char text[65];

	return strcmp(vl_hex(bytes, count, text), hex) == 0;
}

static void read_record(json_t *row, struct vl_record *record)
{
	json_t *headers = json_object_get(row, "headers"), *header;
	size_t i;

	*record =
		(struct vl_record){.topic = bytes_of(text_of(row, "topic")),
				   .key = bytes_of(json_string_value(json_object_get(row, "key"))),
				   .value = unpack_value(json_object_get(row, "value")),
				   .n_headers = json_array_size(headers)};
	assert_true(record->n_headers <= VL_RECORD_HEADERS);
	json_array_foreach(headers, i, header) record->headers[i] =
		(struct vl_header){bytes_of(json_string_value(json_array_get(header, 0))),
				   unpack64(json_array_get(header, 1))};
}

static void check_head(json_t *row, const struct vl_batch *batch)
{
	const struct vl_batch_head *head = &batch->head;
	const char *mission = text_of(row, "mission"), *lane = text_of(row, "lane");

	assert_int_equal(head->mission.size, strlen(mission));
	assert_memory_equal(head->mission.data, mission, strlen(mission));
	assert_int_equal(head->lane.size, strlen(lane));
	assert_memory_equal(head->lane.data, lane, strlen(lane));
	assert_true(head->epoch.n == number_of(row, "epoch"));
	assert_true(head->seq.n == number_of(row, "seq"));
	assert_true(head->first_event.n == number_of(row, "first_event"));
	assert_true(is_hex(head->prev.bytes, 32, text_of(row, "prev")));
	assert_int_equal(batch->n_events, json_integer_value(json_object_get(row, "n_events")));
}

static void check_record(json_t *row, const struct vl_ring *ring)
{
	struct vl_record record;
	struct vl_verified verified;
	struct vl_why why = {0};

	read_record(row, &record);
	enum vl_err err = vl_record_verify(&record, ring, arena, &verified, &why);
	if (strcmp(vl_err_name(err), text_of(row, "expect")) != 0)
		fail_msg("'%s' is %s (%s), not %s", text_of(row, "name"), vl_err_name(err),
			 vl_why_text(&why, err), text_of(row, "expect"));
	if (record.value.data != NULL && !is_hex(verified.digest.bytes, 32, text_of(row, "digest")))
		fail_msg("'%s' has another digest", text_of(row, "name"));
	if (err != VL_OK)
		return;
	bool drill = strcmp(text_of(row, "domain"), "drill") == 0;
	assert_int_equal(verified.domain, drill ? VL_DOMAIN_DRILL : VL_DOMAIN_BATCH);
	assert_string_equal(verified.signer->mission, text_of(row, "mission"));
	check_head(row, &verified.batch);
}

static void test_records(void **state)
{
	json_t *rows = load(VECTORS "records.json"), *row;
	struct vl_ring *ring = NULL;
	struct vl_why why = {0};
	size_t i;

	(void)state;
	if (vl_ring_open(VECTORS "keys", &ring, &why) != VL_OK)
		fail_msg("%s", why.text);
	assert_int_equal(vl_ring_count(ring), 4);
	assert_true(json_array_size(rows) > 100);
	json_array_foreach(rows, i, row)
	{
		check_record(row, ring);
		vl_arena_reset(arena);
	}
	vl_ring_close(ring);
	json_decref(rows);
}

static const char *step_name(enum vl_chain_step step)
{
	switch (step) {
	case VL_CHAIN_NEXT:
		return "next";
	case VL_CHAIN_KNOWN:
		return "known";
	case VL_CHAIN_AHEAD:
		return "ahead";
	case VL_CHAIN_MISMATCH:
		return "mismatch";
	}
	return "none";
}

static void check_step(json_t *row, const char *chain_name, size_t number, struct vl_chain *chain)
{
	struct vl_bytes value = unpack64(json_object_get(row, "value"));
	struct vl_digest digest = vl_batch_digest(value);
	struct vl_why why = {0};
	struct vl_batch batch;

	if (vl_batch_read(value, arena, &batch, &why) != VL_OK)
		fail_msg("'%s', step %zu: %s", chain_name, number, why.text);
	check_head(row, &batch);
	assert_true(is_hex(digest.bytes, 32, text_of(row, "digest")));
	enum vl_chain_step step = vl_chain_check(chain, &batch);
	if (strcmp(step_name(step), text_of(row, "expect")) != 0)
		fail_msg("'%s', step %zu is %s, not %s", chain_name, number, step_name(step),
			 text_of(row, "expect"));
	if (step == VL_CHAIN_NEXT)
		vl_chain_advance(chain, &batch, &digest);
}

static void test_chains(void **state)
{
	json_t *rows = load(VECTORS "chains.json"), *row, *step;
	size_t i, n;

	(void)state;
	assert_true(json_array_size(rows) > 10);
	json_array_foreach(rows, i, row)
	{
		struct vl_chain chain = {0};
		json_array_foreach(json_object_get(row, "steps"), n, step)
			check_step(step, text_of(row, "name"), n + 1, &chain);
		vl_arena_reset(arena);
	}
	json_decref(rows);
}

static const ProtobufCMessageDescriptor *type_of(json_t *row)
{
	const char *name = text_of(row, "type");
	const ProtobufCMessageDescriptor *type = vl_message_find(name, strlen(name));

	if (type == NULL)
		fail_msg("no type %s", name);
	return type;
}

static void check_parse(const ProtobufCMessageDescriptor *type, const char *text,
			struct vl_bytes expected)
{
	ProtobufCMessage *message;
	struct vl_why why = {0};
	struct vl_buf packed = {0};

	if (vl_json_parse(type, text, strlen(text), arena, &message, &why) != VL_OK)
		fail_msg("%s: %s", text, why.text);
	vl_wire_pack(message, &packed);
	if (packed.size != expected.size ||
	    (packed.size > 0 && memcmp(packed.data, expected.data, packed.size) != 0))
		fail_msg("%s: another message than protobuf makes of it", text);
	vl_buf_free(&packed);
}

static void check_pair(json_t *row)
{
	const ProtobufCMessageDescriptor *type = type_of(row);
	struct vl_bytes packed = unpack64(json_object_get(row, "message"));
	struct vl_buf printed = {0};
	json_t *also;
	size_t i;

	assert_int_equal(vl_wire_check(type, packed, false, NULL), VL_OK);
	vl_json_print(vl_wire_unpack(type, packed, arena), &printed);
	assert_string_equal(vl_buf_text(&printed), text_of(row, "json"));
	vl_buf_free(&printed);
	if (json_is_false(json_object_get(row, "parses")))
		return;
	check_parse(type, text_of(row, "json"), packed);
	json_array_foreach(json_object_get(row, "also"), i, also)
		check_parse(type, json_string_value(also), packed);
}

static void check_refused(json_t *row)
{
	const char *text = text_of(row, "json");
	ProtobufCMessage *message;
	enum vl_err err = vl_json_parse(type_of(row), text, strlen(text), arena, &message, NULL);

	if (strcmp(vl_err_name(err), text_of(row, "error")) != 0)
		fail_msg("%s is %s, not %s", text, vl_err_name(err), text_of(row, "error"));
}

static void test_json(void **state)
{
	json_t *all = load(VECTORS "json.json"), *row;
	size_t i;

	(void)state;
	assert_true(json_array_size(json_object_get(all, "pairs")) > 30);
	json_array_foreach(json_object_get(all, "pairs"), i, row) check_pair(row);
	assert_true(json_array_size(json_object_get(all, "refused")) > 30);
	json_array_foreach(json_object_get(all, "refused"), i, row) check_refused(row);
	json_decref(all);
}

static int open_arena(void **state)
{
	(void)state;
	arena = vl_arena_open(0);
	return arena != NULL && sodium_init() >= 0 ? 0 : -1;
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
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_json),
	};
	return cmocka_run_group_tests_name("golden vectors", tests, open_arena, close_arena);
}

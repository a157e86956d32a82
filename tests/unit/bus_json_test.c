/*
 * bus/json.h: what is accepted and what it becomes, every reason for a refusal, the limits, and
 * what is printed where a message is not what it should be. What protobuf itself makes of JSON
 * is in tests/vectors.
 */
#include "base/text.h"
#include "bus/json.h"
#include "bus/types.h"
#include "bus/wire.h"

#include "bus_kinds.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valise/v1/batch.pb-c.h>

#include <cmocka.h>

#define MEGABYTE ((size_t)1024 * 1024)
#define EVENT "valise.v1.Event"
#define BATCH "valise.v1.Batch"
#define OPENED "consular.case.v1.CaseOpened"

static struct vl_arena *arena;

static const ProtobufCMessageDescriptor *find(const char *name)
{
	const ProtobufCMessageDescriptor *type = vl_message_find(name, strlen(name));

	if (strcmp(name, kinds_type.name) == 0)
		return &kinds_type;
	if (type == NULL)
		fail_msg("no type %s", name);
	return type;
}

static enum vl_err parse(const char *type, const char *text, ProtobufCMessage **message,
			 struct vl_why *why)
{
	*why = (struct vl_why){0};
	return vl_json_parse(find(type), text, strlen(text), arena, message, why);
}

static void assert_prints(const ProtobufCMessage *message, const char *expected)
{
	struct vl_buf out = {0};

	vl_json_print(message, &out);
	assert_string_equal(vl_buf_text(&out), expected);
	vl_buf_free(&out);
}

/* What is accepted, and how it is printed again. */
static const struct {
	const char *type, *text, *printed;
} accepted[] = {
	{EVENT, "{}", "{}"},
	{EVENT, " {\n\"subject\" : \"a\" }\n", "{\"subject\":\"a\"}"},
	{EVENT, "{\"actor\":\"b\",\"subject\":\"a\"}", "{\"subject\":\"a\",\"actor\":\"b\"}"},
	{EVENT, "{\"subject\":\"\\u9886\\ud83d\\udec2\\u001f\"}",
	 "{\"subject\":\"领\xf0\x9f\x9b\x82\\u001f\"}"},
	{EVENT, "{\"id\":\"0198b0f2-6c00-7abc-8def-0123456789ab\"}",
	 "{\"id\":\"AZiw8mwAeryN7wEjRWeJqw==\"}"},
	{EVENT, "{\"after\":\"0198B0F2-6C00-7ABC-8DEF-0123456789AB\"}",
	 "{\"after\":\"AZiw8mwAeryN7wEjRWeJqw==\"}"},
	{EVENT, "{\"id\":\"AZiw8mwAeryN7wEjRWeJqw\"}", "{\"id\":\"AZiw8mwAeryN7wEjRWeJqw==\"}"},
	{BATCH, "{\"prev\":\"0198b0f2-6c00-7abc-8def-0123456789ab\"}",
	 "{\"prev\":\"0198b0f2+6c00+7abc+8def+0123456789ab\"}"},
	{EVENT, "{\"occurred_at\":\"2026-03-01T08:00:00.5+03:00\"}",
	 "{\"occurredAt\":\"2026-03-01T05:00:00.500Z\"}"},
	{EVENT, "{\"occurredAt\":null,\"payload\":{}}", "{\"payload\":{}}"},
	{EVENT, "{\"payload\":{\"@type\":\"" OPENED "\",\"personal\":{}}}",
	 "{\"payload\":{\"@type\":\"type.googleapis.com/" OPENED "\",\"personal\":{}}}"},
	{EVENT,
	 "{\"payload\":{\"host_country\":\"SD\",\"@type\":\"type.googleapis.com/" OPENED "\"}}",
	 "{\"payload\":{\"@type\":\"type.googleapis.com/" OPENED "\",\"hostCountry\":\"SD\"}}"},
	{EVENT, "{\"payload\":{\"@type\":\"google.protobuf.Duration\",\"value\":\"-0.25s\"}}",
	 "{\"payload\":{\"@type\":\"type.googleapis.com/"
	 "google.protobuf.Duration\",\"value\":\"-0.250s\"}}"},
	{BATCH, "{\"epoch\":\"18446744073709551615\",\"firstEvent\":12e0,\"seq\":-0.0}",
	 "{\"epoch\":\"18446744073709551615\",\"firstEvent\":\"12\"}"},
	{OPENED, "{\"type\":\"CASE_TYPE_TRIAL\",\"channel\":0}", "{\"type\":\"CASE_TYPE_TRIAL\"}"},
	{OPENED, "{\"personal\":null,\"sealedPersonal\":{}}", "{\"sealedPersonal\":{}}"},
	{OPENED, "{\"personal\":{\"contacts\":[],\"named_others\":[\"\",\"x\"]}}",
	 "{\"personal\":{\"namedOthers\":[\"\",\"x\"]}}"},
	{"test.Kinds",
	 "{\"aBool\":true,\"bDouble\":0.1,\"cFixed32\":4294967295,\"eFloat\":\"0.1\"}",
	 "{\"aBool\":true,\"bDouble\":0.1,\"cFixed32\":4294967295,\"eFloat\":0.1}"},
	{"test.Kinds",
	 "{\"bDouble\":\"-Infinity\",\"eFloat\":\"NaN\",\"dFixed64\":\"18446744073709551615\"}",
	 "{\"bDouble\":\"-Infinity\",\"dFixed64\":\"18446744073709551615\",\"eFloat\":\"NaN\"}"},
	{"test.Kinds",
	 "{\"f_int32\":-2147483648,\"g_int64\":-9223372036854775808,\"h_sfixed32\":2147483647}",
	 "{\"fInt32\":-2147483648,\"gInt64\":\"-9223372036854775808\",\"hSfixed32\":2147483647}"},
	{"test.Kinds",
	 "{\"iSfixed64\":\"9223372036854775807\",\"jSint32\":\"-1\",\"kSint64\":-1,\"lUint32\":1}",
	 "{\"iSfixed64\":\"9223372036854775807\",\"jSint32\":-1,\"kSint64\":\"-1\",\"lUint32\":1}"},
	{"test.Kinds",
	 "{\"bDouble\":0.30000000000000004,\"eFloat\":16777216,\"mUint64\":9007199254740992.0}",
	 "{\"bDouble\":0.30000000000000004,\"eFloat\":16777216,\"mUint64\":\"9007199254740992\"}"},
	{"google.protobuf.Timestamp", "\"1969-12-31T23:59:59.999999999Z\"",
	 "\"1969-12-31T23:59:59.999999999Z\""},
	{"google.protobuf.Duration", "\"-315576000000s\"", "\"-315576000000s\""},
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		ProtobufCMessage *message;
		struct vl_why why;
		if (parse(accepted[i].type, accepted[i].text, &message, &why) != VL_OK)
			fail_msg("%s: %s", accepted[i].text, why.text);
		assert_prints(message, accepted[i].printed);
	}
}

/* What is refused, and in which words. */
static const struct {
	const char *type, *text;
	enum vl_err err;
	const char *reason;
} refused[] = {
	{EVENT, "", VL_ERR_MALFORMED, "column 1: the JSON ends too early"},
	{EVENT, "{\"subject\":\"secret", VL_ERR_MALFORMED, "column 18: the JSON ends too early"},
	{EVENT, "{\"subject\":secret}", VL_ERR_MALFORMED, "column 17: not JSON"},
	{EVENT, "{}\n{}", VL_ERR_MALFORMED, "line 2, column 1: something follows the JSON value"},
	{EVENT, "{\"subject\":\"\xff\"}", VL_ERR_MALFORMED, "column 12: not UTF-8"},
	{EVENT, "{\"subject\":\"\\u0000\"}", VL_ERR_MALFORMED, "column 19: a NUL character"},
	{EVENT, "{\"subject\":\"\\ud800\"}", VL_ERR_MALFORMED, "column 19: not JSON"},
	{EVENT, "{\"subject\":\"a\",\"subject\":\"b\"}", VL_ERR_MALFORMED,
	 "column 24: a field twice"},
	{BATCH, "{\"firstEvent\":1,\"first_event\":1}", VL_ERR_MALFORMED,
	 "first_event is there twice, under both its names"},
	{EVENT, "[]", VL_ERR_INVALID, "not an object"},
	{EVENT, "{\"payload\":5}", VL_ERR_INVALID, "payload: not an object"},
	{EVENT, "{\"Subject\":\"a\"}", VL_ERR_UNKNOWN_FIELD, "no field 'Subject' in " EVENT},
	{EVENT, "{\"occurred_At\":null}", VL_ERR_UNKNOWN_FIELD, "no field 'occurred_At' in " EVENT},
	{"consular.case.v1.CasePerson", "{\"name_inCharacters\":\"x\"}", VL_ERR_UNKNOWN_FIELD,
	 "no field 'name_inCharacters' in consular.case.v1.CasePerson"},
	{EVENT, "{\"@type\":\"x\"}", VL_ERR_UNKNOWN_FIELD, "no field '@type' in " EVENT},
	{EVENT, "{\"\\u001b[2J\":1}", VL_ERR_UNKNOWN_FIELD, "no field '?[2J' in " EVENT},
	{EVENT, "{\"payload\":{\"@type\":\"" OPENED "\",\"value\":\"\"}}", VL_ERR_UNKNOWN_FIELD,
	 "payload: no field 'value' in " OPENED},
	{EVENT, "{\"payload\":{\"@type\":\"consular.case.v1.Opened\"}}", VL_ERR_UNKNOWN_TYPE,
	 "payload: no type 'consular.case.v1.Opened'"},
	{EVENT, "{\"payload\":{\"@type\":\"example.org/" OPENED "\"}}", VL_ERR_UNKNOWN_TYPE,
	 "payload: no type 'example.org/" OPENED "'"},
	{EVENT, "{\"payload\":{\"persons\":1}}", VL_ERR_INVALID,
	 "payload: no \"@type\"; name the message's type, as in \"consular.case.v1.CaseOpened\""},
	{EVENT, "{\"payload\":{\"@type\":\"google.protobuf.Duration\",\"x\":\"1s\"}}",
	 VL_ERR_INVALID,
	 "payload: google.protobuf.Duration needs \"value\", and nothing else, beside \"@type\""},
	{EVENT, "{\"payload\":{\"@type\":\"google.protobuf.Duration\",\"value\":1}}",
	 VL_ERR_INVALID, "payload.value: not a duration; write seconds as 90s or 1.5s"},
	{EVENT, "{\"payload\":{\"@type\":\"" OPENED "\",\"persons\":\"12x\"}}", VL_ERR_INVALID,
	 "payload.persons: not a whole number"},
	{EVENT, "{\"payload\":{\"@type\":\"" OPENED "\",\"personal\":{},\"sealed_personal\":{}}}",
	 VL_ERR_MALFORMED,
	 "payload.sealed_personal: excludes personal, which is there too; give one"},
	{OPENED, "{\"personal\":{\"persons\":[{},{\"full_name\":7}]}}", VL_ERR_INVALID,
	 "personal.persons[1].full_name: not a string"},
	{OPENED, "{\"personal\":{\"contacts\":\"+249\"}}", VL_ERR_INVALID,
	 "personal.contacts: not a list"},
	{OPENED, "{\"personal\":{\"contacts\":[\"\",null]}}", VL_ERR_INVALID,
	 "personal.contacts[1]: null in a list"},
	{OPENED, "{\"priority\":\"P1\"}", VL_ERR_INVALID,
	 "priority: no such value; one of PRIORITY_P1, PRIORITY_P2, PRIORITY_P3, PRIORITY_P4"},
	{OPENED, "{\"priority\":2147483648}", VL_ERR_INVALID,
	 "priority: no such value; one of PRIORITY_P1, PRIORITY_P2, PRIORITY_P3, PRIORITY_P4"},
	{OPENED, "{\"type\":true}", VL_ERR_INVALID,
	 "type: no such value of consular.case.v1.CaseType"},
	{OPENED, "{\"persons\":-1}", VL_ERR_INVALID, "persons: number out of range"},
	{OPENED, "{\"persons\":4294967296}", VL_ERR_INVALID, "persons: number out of range"},
	{BATCH, "{\"seq\":1.5}", VL_ERR_INVALID, "seq: not a whole number"},
	{BATCH, "{\"seq\":1e20}", VL_ERR_INVALID, "seq: not a whole number"},
	{BATCH, "{\"seq\":\"18446744073709551616\"}", VL_ERR_INVALID, "seq: not a whole number"},
	{BATCH, "{\"seq\":\"+1\"}", VL_ERR_INVALID, "seq: not a whole number"},
	{BATCH, "{\"seq\":\"01\"}", VL_ERR_INVALID, "seq: not a whole number"},
	{BATCH, "{\"seq\":\"-\"}", VL_ERR_INVALID, "seq: not a whole number"},
	{BATCH, "{\"prev\":\"AAA=A\"}", VL_ERR_INVALID, "prev: not base64"},
	{BATCH, "{\"prev\":\"A\"}", VL_ERR_INVALID, "prev: not base64"},
	{BATCH, "{\"prev\":\"+A-A\"}", VL_ERR_INVALID, "prev: not base64"},
	{BATCH, "{\"prev\":[1]}", VL_ERR_INVALID, "prev: not a string of base64"},
	{EVENT, "{\"occurredAt\":\"2026-02-29T00:00:00Z\"}", VL_ERR_INVALID,
	 "occurred_at: not a time; write it as 2026-03-01T08:00:00Z, with Z or an offset"},
	{EVENT, "{\"occurredAt\":\"0001-01-01T00:00:00+01:00\"}", VL_ERR_INVALID,
	 "occurred_at: time outside the years 0001 to 9999"},
	{"google.protobuf.Duration", "\"1.s\"", VL_ERR_INVALID,
	 "not a duration; write seconds as 90s or 1.5s"},
	{"google.protobuf.Duration", "\"1.0000000001s\"", VL_ERR_INVALID,
	 "not a duration; write seconds as 90s or 1.5s"},
	{"google.protobuf.Duration", "\"315576000000.1s\"", VL_ERR_INVALID,
	 "not a duration; write seconds as 90s or 1.5s"},
	{"test.Kinds", "{\"aBool\":1}", VL_ERR_INVALID, "a_bool: not true or false"},
	{"test.Kinds", "{\"bDouble\":\"0x10\"}", VL_ERR_INVALID, "b_double: not a number"},
	{"test.Kinds", "{\"bDouble\":true}", VL_ERR_INVALID, "b_double: not a number"},
	{"test.Kinds", "{\"eFloat\":1e39}", VL_ERR_INVALID, "e_float: number out of range"},
	{"test.Kinds", "{\"fInt32\":2147483648}", VL_ERR_INVALID, "f_int32: number out of range"},
	{"test.Kinds", "{\"gInt64\":\"-9223372036854775809\"}", VL_ERR_INVALID,
	 "g_int64: number out of range"},
	{"test.Kinds", "{\"mUint64\":-1}", VL_ERR_INVALID, "m_uint64: number out of range"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		ProtobufCMessage *message;
		struct vl_why why;
		enum vl_err err = parse(refused[i].type, refused[i].text, &message, &why);
		if (err != refused[i].err || strcmp(why.text, refused[i].reason) != 0)
			fail_msg("%s: %s: %s", refused[i].text, vl_err_name(err), why.text);
	}
}

static void test_limits(void **state)
{
	static const char head[] = "{\"subject\":\"", tail[] = "\"}";
	size_t size = 4 * MEGABYTE + 1, text_size = size - 1 - strlen(head) - strlen(tail);
	const ProtobufCMessageDescriptor *type = find(EVENT);
	char *text = malloc(size + 1);
	ProtobufCMessage *message;
	struct vl_why why = {0};

	(void)state;
	(void)snprintf(text, size + 1, "%s%*s%s ", head, (int)text_size, "x", tail);
	assert_int_equal(vl_json_parse(type, text, size, arena, &message, &why), VL_ERR_MALFORMED);
	assert_string_equal(why.text, "4194305 bytes of JSON; 4194304 at most");
	assert_int_equal(vl_json_parse(type, text, size - 1, arena, &message, &why), VL_OK);
	assert_int_equal(strlen(((Valise__V1__Event *)message)->subject), text_size);
	struct vl_arena *small = vl_arena_open(MEGABYTE);
	assert_int_equal(vl_json_parse(type, text, size - 1, small, &message, &why), VL_ERR_NOMEM);
	vl_arena_close(small);
	memset(text, '[', size);
	assert_int_equal(vl_json_parse(type, text, MEGABYTE, arena, &message, &why),
			 VL_ERR_MALFORMED);
	assert_string_equal(why.text, "column 2049: nested too deep");
	free(text);
}

/* An Event whose payload holds an Any that holds an Any ..., `depth` of them. */
static Valise__V1__Event *nested(int depth)
{
	Valise__V1__Event *event = vl_arena_alloc(arena, sizeof(*event));
	ProtobufCBinaryData value = {0};

	valise__v1__event__init(event);
	for (int i = 0; i < depth; i++) {
		event->payload = vl_arena_alloc(arena, sizeof(*event->payload));
		google__protobuf__any__init(event->payload);
		event->payload->type_url = (char[]){"type.googleapis.com/google.protobuf.Any"};
		event->payload->type_url = vl_arena_text(arena, event->payload->type_url,
							 strlen(event->payload->type_url));
		event->payload->value = value;
		size_t size = google__protobuf__any__get_packed_size(event->payload);
		value.data = vl_arena_alloc(arena, size);
		value.len = google__protobuf__any__pack(event->payload, value.data);
	}
	return event;
}

static size_t count_of(const char *needle, const char *text)
{
	size_t count = 0;

	while ((text = strstr(text, needle)) != NULL) {
		text++;
		count++;
	}
	return count;
}

static void test_depth(void **state)
{
	struct vl_buf out = {0};
	ProtobufCMessage *message;
	struct vl_why why = {0};

	(void)state;
	vl_json_print(&nested(20)->base, &out);
	assert_int_equal(
		vl_json_parse(find(EVENT), (char *)out.data, out.size, arena, &message, &why),
		VL_OK);
	vl_buf_reset(&out);
	vl_json_print(&nested(2000)->base, &out);
	assert_in_range(count_of("@type", vl_buf_text(&out)), 30, 32);
	vl_buf_reset(&out);
	vl_buf_put_text(&out, "{\"payload\":");
	for (int i = 0; i < 40; i++)
		vl_buf_put_text(&out, "{\"@type\":\"google.protobuf.Any\",\"value\":");
	vl_buf_put_text(&out, "{}}");
	for (int i = 0; i < 40; i++)
		vl_buf_put_byte(&out, '}');
	assert_int_equal(
		vl_json_parse(find(EVENT), (char *)out.data, out.size, arena, &message, &why),
		VL_ERR_INVALID);
	assert_non_null(strstr(why.text, "more than 32 messages deep"));
	vl_buf_free(&out);
}

static void test_print_text(void **state)
{
	struct vl_buf out = {0};

	(void)state;
	vl_json_print_text(&out, "a\"\\/\b\f\n\r\t\x1b\x7f", 11);
	vl_json_print_text(&out, "\xc2\x9b\xc2\xa0\xff\xc3\xe4\xb8", 8);
	vl_json_print_text(&out, "a\0b", 3);
	vl_json_print_text(&out, "\xc2", 1);
	vl_json_print_text(&out, "", 0);
	assert_string_equal(vl_buf_text(&out),
			    "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u001b\\u007f\""
			    "\"\\u009b\xc2\xa0\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""
			    "\"a\\u0000b\"\"\xef\xbf\xbd\"\"\"");
	vl_buf_free(&out);
}

static void test_print_what_does_not_fit(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Duration span = GOOGLE__PROTOBUF__DURATION__INIT;
	uint8_t broken[] = {0x0a, 0x05, 'x'};

	(void)state;
	any.type_url = (char[]){"type.googleapis.com/no.such.Type"};
	any.value = (ProtobufCBinaryData){sizeof(broken), broken};
	assert_prints(&any.base,
		      "{\"@type\":\"type.googleapis.com/no.such.Type\",\"value\":\"CgV4\"}");
	any.type_url = (char[]){"type.googleapis.com/" EVENT};
	assert_prints(&any.base,
		      "{\"@type\":\"type.googleapis.com/" EVENT "\",\"value\":\"CgV4\"}");
	any.type_url = (char[]){""};
	assert_prints(&any.base, "{\"@type\":\"\",\"value\":\"CgV4\"}");
	when.seconds = INT64_MAX;
	assert_prints(&when.base, "{\"seconds\":\"9223372036854775807\"}");
	when.seconds = 0;
	when.nanos = -1;
	assert_prints(&when.base, "{\"nanos\":-1}");
	span.seconds = 1;
	span.nanos = -1;
	assert_prints(&span.base, "{\"seconds\":\"1\",\"nanos\":-1}");
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
		cmocka_unit_test(test_accepted),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),     cmocka_unit_test(test_depth),
		cmocka_unit_test(test_print_text), cmocka_unit_test(test_print_what_does_not_fit),
	};
	return cmocka_run_group_tests_name("JSON", tests, open_arena, close_arena);
}

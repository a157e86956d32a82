#include "bus/types.h"

#include "bus_fixture.h"

#include "valise/v1/batch.pb-c.h"

static const ProtobufCMessageDescriptor *type_find(const char *name)
{
	return vl_type_find(name, strlen(name));
}

static void test_event_types(void **state)
{
	(void)state;
	assert_string_equal("consular.case.v1.CaseOpened",
			    type_find("consular.case.v1.CaseOpened")->name);
	assert_string_equal("consular.case.v1.CaseOpened",
			    vl_type_find("consular.case.v1.CaseOpened!", 27)->name);
	assert_null(type_find("consular.case.v1.CaseOpene"));
	assert_null(type_find("consular.case.v1.CaseOpenedd"));
	assert_null(type_find("consular.case.v1.caseopened"));
	assert_null(vl_type_find("consular.case.v1.CaseOpened\0x", 29));
	assert_null(type_find(""));
	assert_null(type_find("valise.v1.Batch"));
	assert_null(type_find("google.protobuf.Any"));
}

/* Only the top-level messages of NOUN.proto are events. */
static void test_parts_are_no_events(void **state)
{
	const char *part = "consular.case.v1.CasePersonal";

	(void)state;
	assert_null(type_find(part));
	assert_string_equal(part, vl_message_find(part, strlen(part))->name);
}

static void test_messages(void **state)
{
	(void)state;
	assert_ptr_equal(&valise__v1__batch__descriptor, vl_message_find("valise.v1.Batch", 15));
	assert_non_null(vl_message_find("google.protobuf.Timestamp", 25));
	assert_non_null(vl_message_find("consular.case.v1.CaseOpened", 27));
	assert_null(vl_message_find("valise.v1.Bat", 13));
	assert_null(vl_message_find("", 0));
}

static void test_lanes(void **state)
{
	(void)state;
	assert_int_equal(VL_FLASH, vl_lane_find("consular.evacuation.v1", 22)->precedence);
	assert_int_equal(VL_IMMEDIATE, vl_lane_find("consular.alert.v1", 17)->precedence);
	assert_int_equal(VL_PRIORITY, vl_lane_find("consular.case.v1", 16)->precedence);
	assert_false(vl_lane_find("consular.case.v1", 16)->compacted);
	assert_false(vl_lane_find("valise.directive.v1", 19)->compacted);
	assert_true(vl_lane_find("valise.receipt.v1", 17)->compacted);
	assert_true(vl_lane_find(VL_PULSE_LANE, strlen(VL_PULSE_LANE))->compacted);
	assert_true(vl_lane_find("valise.directive.v1", 19)->headquarters);
	assert_true(vl_lane_find("valise.receipt.v1", 17)->headquarters);
	assert_true(vl_lane_find("valise.registry.v1", 18)->headquarters);
	assert_false(vl_lane_find(VL_PULSE_LANE, strlen(VL_PULSE_LANE))->headquarters);
	assert_false(vl_lane_find("consular.alert.v1", 17)->headquarters);
	assert_null(vl_lane_find("consular.case", 13));
	assert_null(vl_lane_find("consular.case.v10", 17));
	assert_null(vl_lane_find("valise.deadletter.v1", 20));
	for (size_t i = 0; i < vl_n_lanes; i++) {
		assert_ptr_equal(&vl_lanes[i],
				 vl_lane_find(vl_lanes[i].name, strlen(vl_lanes[i].name)));
		assert_true(i == 0 || strcmp(vl_lanes[i - 1].name, vl_lanes[i].name) < 0);
	}
}

/* Whom a lane's name is for; NULL where it names none. */
static const char *named(const char *name, const char **lane)
{
	static char text[64];
	struct vl_bytes mission;
	const struct vl_lane *found = vl_lane_named(name, strlen(name), &mission);

	*lane = found != NULL ? found->name : NULL;
	(void)snprintf(text, sizeof(text), "%.*s", (int)mission.size, (const char *)mission.data);
	return found != NULL ? text : NULL;
}

static void test_addressed_lanes(void **state)
{
	const char *lane;

	(void)state;
	assert_true(vl_lane_find(VL_RECEIPT_LANE, strlen(VL_RECEIPT_LANE))->addressed);
	assert_false(vl_lane_find(VL_RECEIPT_LANE, strlen(VL_RECEIPT_LANE))->broadcast);
	assert_true(vl_lane_find(VL_DIRECTIVE_LANE, strlen(VL_DIRECTIVE_LANE))->addressed);
	assert_true(vl_lane_find(VL_DIRECTIVE_LANE, strlen(VL_DIRECTIVE_LANE))->broadcast);
	assert_false(vl_lane_find("consular.case.v1", 16)->addressed);
	assert_string_equal(named("valise.receipt.v1.CN-SD-EMB", &lane), "CN-SD-EMB");
	assert_string_equal(lane, VL_RECEIPT_LANE);
	assert_string_equal(named("valise.directive.v1", &lane), "");
	assert_string_equal(lane, VL_DIRECTIVE_LANE);
	assert_null(named("consular.case.v1.CN-SD-EMB", &lane));
	assert_null(named("valise.receipt.v1.cn-sd", &lane));
	assert_null(named("valise.receipt.v1.", &lane));
	assert_null(named(".CN-SD-EMB", &lane));
	assert_null(named("", &lane));
}

static void test_addressee(void **state)
{
	static const uint8_t two[] = "\x0a\x02HQ\x0a\x09"
				     "CN-SD-EMB",
			     none[] = "\x12\x02HQ", bad[] = "\x0a\x02hq";
	struct vl_bytes mission;
	const ProtobufCMessageDescriptor *receipt = type_find("valise.receipt.v1.Receipt");

	(void)state;
	assert_true(vl_type_addressee(receipt, (struct vl_bytes){two, sizeof(two) - 1}, &mission));
	assert_true(vl_bytes_are(mission, "CN-SD-EMB"));
	assert_false(
		vl_type_addressee(receipt, (struct vl_bytes){none, sizeof(none) - 1}, &mission));
	assert_false(vl_type_addressee(receipt, (struct vl_bytes){bad, sizeof(bad) - 1}, &mission));
	assert_false(vl_type_addressee(type_find("consular.case.v1.CaseOpened"),
				       (struct vl_bytes){two, sizeof(two) - 1}, &mission));
}

static void test_lane_of_a_type(void **state)
{
	(void)state;
	assert_string_equal("consular.case.v1",
			    vl_type_lane(type_find("consular.case.v1.CaseOpened"))->name);
	assert_null(vl_type_lane(&valise__v1__batch__descriptor));
}

static void test_precedence_name(void **state)
{
	(void)state;
	assert_string_equal("FLASH", vl_precedence_name(VL_FLASH));
	assert_string_equal("IMMEDIATE", vl_precedence_name(VL_IMMEDIATE));
	assert_string_equal("PRIORITY", vl_precedence_name(VL_PRIORITY));
	assert_string_equal("ROUTINE", vl_precedence_name(VL_ROUTINE));
}

static void test_type_name(void **state)
{
	const char *plain = "consular.case.v1.CaseOpened", *two = "https://host/path/a.B";
	size_t length;

	(void)state;
	assert_string_equal(plain, vl_type_name(FIXTURE_TYPE, strlen(FIXTURE_TYPE), &length));
	assert_int_equal(27, length);
	assert_ptr_equal(plain, vl_type_name(plain, 4, &length));
	assert_int_equal(4, length);
	assert_string_equal("a.B", vl_type_name(two, strlen(two), &length));
	assert_int_equal(3, length);
	(void)vl_type_name("a/", 2, &length);
	assert_int_equal(0, length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_types),    cmocka_unit_test(test_parts_are_no_events),
		cmocka_unit_test(test_messages),       cmocka_unit_test(test_lanes),
		cmocka_unit_test(test_lane_of_a_type), cmocka_unit_test(test_precedence_name),
		cmocka_unit_test(test_type_name),      cmocka_unit_test(test_addressed_lanes),
		cmocka_unit_test(test_addressee),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

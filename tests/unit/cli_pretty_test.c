/* What `show` prints for people: words without the enum's name, times in a zone, nothing
 * personal. */
#include "bus/json.h"
#include "cli/views.h"
#include "cli/zone.h"
#include "consular/case/v1/case.pb-c.h"
#include "consular/case/v1/view.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* After the four headers it needs. */
#include <cmocka.h>

#define TIME ((struct vl_time){1682503200, 123456789}) /* 2023-04-26T10:00:00Z */

static void test_zones(void **state)
{
	static const struct {
		const char *zone, *text;
	} good[] = {
		{"UTC", "2023-04-26T10:00:00Z"},         {"+08:00", "2023-04-26T18:00:00+08:00"},
		{"-03:30", "2023-04-26T06:30:00-03:30"}, {"+05:45", "2023-04-26T15:45:00+05:45"},
		{"+00:00", "2023-04-26T10:00:00Z"},
	};
	static const char *const bad[] = {"",     "Mars/Base", "../../etc/passwd", "/etc/localtime",
					  "+8",   "+08:0x",    "+20:00",           "Asia/../Asia",
					  "CET-1"};
	char text[VL_TIME_TEXT];
	struct vl_why why = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(VL_OK, cli_zone_set(good[i].zone, &why));
		assert_string_equal(good[i].text, cli_zone_format(TIME, text));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(VL_ERR_USAGE, cli_zone_set(bad[i], &why));
		assert_non_null(strstr(why.text, "no time zone"));
	}
	/* Where none is named, the host's: here the environment says which. */
	setenv("TZ", "<+02>-02", 1);
	assert_int_equal(VL_OK, cli_zone_set(NULL, &why));
	assert_string_equal("2023-04-26T12:00:00+02:00", cli_zone_format(TIME, text));
	assert_string_equal("2023-04-26T12:00:00+02:00", cli_zone_format(TIME, text));
	unsetenv("TZ");
}

static const char *printed(struct vl_arena *arena, const ProtobufCMessageDescriptor *type,
			   const char *json, bool line)
{
	ProtobufCMessage *message;
	struct vl_buf out = {0};
	struct vl_why why = {0};

	if (vl_json_parse(type, json, strlen(json), arena, &message, &why) != VL_OK)
		fail_msg("%s", why.text);
	if (line)
		cli_pretty_line(message, &out);
	else
		cli_pretty(message, "violations", &out);
	const char *text = vl_arena_text(arena, out.data, out.size);
	vl_buf_free(&out);
	return text;
}

static void test_rows_and_events(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	assert_int_equal(VL_OK, cli_zone_set("+08:00", NULL));
	assert_string_equal(
		"state: IN_PROGRESS\npriority: 77\nopened_at: 2023-04-26T18:00:00+08:00\n"
		"merged_from:\n  - A\n  - B\nclocks:\n  - clock: c\n    kind: VISIT\n",
		printed(arena, &consular__case__v1__case_row__descriptor,
			"{\"state\":\"CASE_STATE_IN_PROGRESS\",\"priority\":77,"
			"\"openedAt\":\"2023-04-26T10:00:00.9Z\",\"mergedFrom\":[\"A\",\"B\"],"
			"\"clocks\":[{\"clock\":\"c\",\"kind\":\"CLOCK_KIND_VISIT\"}],"
			"\"violations\":[{\"rule\":\"C1\"}]}",
			false));
	assert_string_equal("type=THEFT_ROBBERY persons=2 place=\"Port Sudan\" "
			    "happened_at=2023-04-26T18:00:00+08:00 personal=(not shown)",
			    printed(arena, &consular__case__v1__case_opened__descriptor,
				    "{\"type\":\"CASE_TYPE_THEFT_ROBBERY\",\"persons\":2,\"place\":"
				    "\"Port Sudan\","
				    "\"happenedAt\":\"2023-04-26T10:00:00Z\","
				    "\"personal\":{\"narrative\":\"confidential\"}}",
				    true));
	assert_string_equal(
		"merged_from=A,\"B,C\" transfers[2] type_set.mission=CN-SD-EMB",
		printed(arena, &consular__case__v1__case_row__descriptor,
			"{\"transfers\":[{},{}],\"typeSet\":{\"mission\":\"CN-SD-EMB\"},"
			"\"mergedFrom\":[\"A\",\"B,C\"]}",
			true));
	assert_string_equal("",
			    printed(arena, &consular__case__v1__case_row__descriptor, "{}", true));
	vl_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_rows_and_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

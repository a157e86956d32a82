#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRST INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST INT64_C(253402300799)  /* 9999-12-31T23:59:59Z */

static uint64_t seed(void)
{
	const char *text = getenv("VALISE_SEED");
	uint64_t value = text != NULL ? strtoull(text, NULL, 0)
				      : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();

	printf("VALISE_SEED=%" PRIu64 "\n", value);
	return value;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool parse(const char *text, struct vl_time *t)
{
	size_t length = strlen(text);
	char *exact = malloc(length > 0 ? length : 1);

	assert_non_null(exact);
	memcpy(exact, text, length);
	bool good = vl_time_parse(exact, length, t);
	free(exact);
	return good;
}

struct row {
	const char *text;
	struct vl_time time;
};

/* Each both ways. */
static void test_format_and_parse(void **state)
{
	const struct row rows[] = {
		{"1970-01-01T00:00:00Z", {0, 0}},
		{"1970-01-01T00:00:00.000000001Z", {0, 1}},
		{"1969-12-31T23:59:59.999999999Z", {-1, 999999999}},
		{"1969-12-31T00:00:00Z", {-86400, 0}},
		{"2023-04-24T15:32:48.500Z", {1682350368, 500000000}},
		{"2023-04-24T15:32:48.000500Z", {1682350368, 500000}},
		{"2023-04-24T15:32:48.123456789Z", {1682350368, 123456789}},
		{"2000-02-29T12:00:00Z", {951825600, 0}},
		{"1900-03-01T00:00:00Z", {-2203891200, 0}},
		{"2100-03-01T00:00:00Z", {4107542400, 0}},
		{"0001-01-01T00:00:00Z", {FIRST, 0}},
		{"9999-12-31T23:59:59.999999999Z", {LAST, 999999999}},
	};
	char text[VL_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vl_time t = {7, 7};
		assert_string_equal(rows[i].text, vl_time_format(rows[i].time, text));
		assert_true(parse(rows[i].text, &t));
		assert_int_equal(0, vl_time_compare(rows[i].time, t));
	}
}

static void test_parse_other_spellings(void **state)
{
	const struct row rows[] = {
		{"2023-04-24t15:32:48z", {1682350368, 0}},
		{"2023-04-24 15:32:48Z", {1682350368, 0}},
		{"2023-04-24T17:32:48+02:00", {1682350368, 0}},
		{"2023-04-24T10:02:48-05:30", {1682350368, 0}},
		{"2023-04-25T00:32:48+09:00", {1682350368, 0}},
		{"2023-04-24T15:32:48-00:00", {1682350368, 0}},
		{"2023-04-24T15:32:48.1Z", {1682350368, 100000000}},
		{"2023-04-24T15:32:48.12Z", {1682350368, 120000000}},
		{"2023-04-24T15:32:48.1234Z", {1682350368, 123400000}},
		{"2023-04-24T15:32:48.000000Z", {1682350368, 0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vl_time t;
		if (!parse(rows[i].text, &t) || vl_time_compare(rows[i].time, t) != 0)
			fail_msg("%s", rows[i].text);
	}
}

static void test_parse_refusals(void **state)
{
	const char *bad[] = {
		"",
		"2023-04-24",
		"2023-04-24T15:32Z",
		"2023-04-24T15:32:48",
		"2023-04-24T15:32:48Zx",
		"2023-04-24T15:32:48.Z",
		"2023-04-24T15:32:48.1234567890Z",
		"2023-04-24T15:32:48,5Z",
		"2023-04-24T15:32:48+0200",
		"2023-04-24T15:32:48+2:00",
		"2023-04-24T15:32:48+24:00",
		"2023-04-24T15:32:48+02:60",
		"2023-04-24T15:32:48 +02:00",
		"2023-00-24T15:32:48Z",
		"2023-13-24T15:32:48Z",
		"2023-04-00T15:32:48Z",
		"2023-04-31T15:32:48Z",
		"2023-02-29T15:32:48Z",
		"1900-02-29T15:32:48Z",
		"2100-02-29T15:32:48Z",
		"2023-04-24T24:00:00Z",
		"2023-04-24T15:60:48Z",
		"2016-12-31T23:59:60Z",
		"0000-12-31T23:59:59Z",
		"10000-01-01T00:00:00Z",
		"-001-01-01T00:00:00Z",
		"2023-4-24T15:32:48Z",
		"2023/04/24T15:32:48Z",
		"2023-04-24T+5:32:48Z",
		" 2023-04-24T15:32:48Z",
		"20230424T153248Z",
	};
	struct vl_time t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(bad[i], &t))
			fail_msg("taken: %s", bad[i]);
}

static void test_any_time_both_ways(void **state)
{
	uint64_t random = seed();
	char text[VL_TIME_TEXT];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		const int32_t units[] = {1000000000, 1000000, 1000, 1};
		int32_t unit = units[next_random(&random) % 4];
		struct vl_time t =
				       {
					       .seconds = FIRST +
							  (int64_t)(next_random(&random) %
								    (uint64_t)(LAST - FIRST + 1)),
					       .nanos = (int32_t)(next_random(&random) %
								  1000000000) /
							unit * unit,
				       },
			       again;
		assert_true(parse(vl_time_format(t, text), &again));
		assert_int_equal(0, vl_time_compare(t, again));
		struct tm civil;
		time_t seconds = t.seconds;
		char expected[VL_TIME_TEXT];
		assert_non_null(gmtime_r(&seconds, &civil));
		(void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d",
			       civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday, civil.tm_hour,
			       civil.tm_min, civil.tm_sec);
		assert_memory_equal(expected, text, strlen(expected));
	}
}

/* Cutting a good text anywhere, or changing one character to a letter, never reads past it and
 * is refused. */
static void test_parse_of_spoilt_text(void **state)
{
	const char *good = "2023-04-24T15:32:48.123456789+02:00";
	char text[64];
	struct vl_time t;

	(void)state;
	for (size_t i = 0; i < strlen(good); i++) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)i, good);
		assert_false(parse(text, &t));
		(void)snprintf(text, sizeof(text), "%s", good);
		text[i] = 'x';
		assert_false(parse(text, &t));
	}
}

static void test_compare(void **state)
{
	const struct vl_time rising[] = {{-2, 999999999}, {-1, 0},        {-1, 1},
					 {0, 0},          {0, 999999999}, {1, 0}};

	(void)state;
	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++)
			assert_int_equal((i > j) - (i < j), vl_time_compare(rising[i], rising[j]));
}

static void test_milliseconds(void **state)
{
	(void)state;
	assert_int_equal(1682350368500, vl_time_ms((struct vl_time){1682350368, 500999999}));
	assert_int_equal(-1, vl_time_ms((struct vl_time){-1, 999000000}));
	assert_int_equal(-1000, vl_time_ms((struct vl_time){-1, 0}));
	for (int64_t ms = -3001; ms <= 3001; ms++) {
		struct vl_time t = vl_time_from_ms(ms);
		assert_true(t.nanos >= 0 && t.nanos <= 999000000);
		assert_int_equal(ms, vl_time_ms(t));
	}
}

static struct vl_time tell(void *context)
{
	return (struct vl_time){++*(int64_t *)context, 5};
}

static void test_clocks(void **state)
{
	int64_t calls = 41;
	struct vl_clock clock = {.now = tell, .context = &calls};

	(void)state;
	assert_int_equal(42, vl_clock_now(&clock).seconds);
	struct vl_time now = vl_clock_now(&vl_clock_system);
	assert_true(llabs((long long)now.seconds - (long long)time(NULL)) <= 2);
	assert_true(now.nanos >= 0 && now.nanos <= 999999999);
	int64_t before = vl_monotonic_ms();
	assert_true(vl_monotonic_ms() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_and_parse),
		cmocka_unit_test(test_parse_other_spellings),
		cmocka_unit_test(test_parse_refusals),
		cmocka_unit_test(test_any_time_both_ways),
		cmocka_unit_test(test_parse_of_spoilt_text),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_milliseconds),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

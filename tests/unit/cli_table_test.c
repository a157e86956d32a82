/* Tables: alignment, wide characters, and what a terminal must never be sent. */
#include "cli/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* After the four headers it needs. */
#include <cmocka.h>

#define WIDTH(text) cli_width(text, sizeof(text) - 1)

static void test_width(void **state)
{
	(void)state;
	assert_int_equal(0, WIDTH(""));
	assert_int_equal(8, WIDTH("Khartoum"));
	assert_int_equal(6, WIDTH("喀土穆"));
	assert_int_equal(1, WIDTH("e\xcc\x81")); /* e and an acute on it */
	/* Khartoum in Arabic */
	assert_int_equal(7, WIDTH("\xd8\xa7\xd9\x84\xd8\xae\xd8\xb1\xd8\xb7\xd9\x88\xd9\x85"));
	assert_int_equal(3, WIDTH("a\xff"
				  "b"));        /* a bad byte is shown as one '?' */
	assert_int_equal(2, WIDTH("\xe5\x96")); /* cut short: each byte is bad */
	assert_int_equal(3, WIDTH("a\0b"));
}

static void assert_cell(const char *expected, const char *text, size_t length, size_t width,
			bool right)
{
	struct vl_buf out = {0};

	cli_cell(&out, text, length, width, right);
	assert_string_equal(expected, vl_buf_text(&out));
	vl_buf_free(&out);
}

static void test_cell(void **state)
{
	(void)state;
	assert_cell("ab   ", "ab", 2, 5, false);
	assert_cell("   ab", "ab", 2, 5, true);
	assert_cell("abcdef", "abcdef", 6, 5, false);
	assert_cell("-  ", "", 0, 3, false);
	assert_cell("土 ", "土", 3, 3, false);
	assert_cell("?[31mred?", "\033[31mred\007", 9, 0, false);
	assert_cell("a?b",
		    "a\xc2\x9b"
		    "b",
		    4, 0, false); /* CSI in one character */
	assert_cell("a?b",
		    "a\xe2\x80\xae"
		    "b",
		    5, 0, false); /* turns the line around */
	assert_cell("a?b??", "a\0b\n\xff", 5, 0, false);
}

/* The cells that a terminal gives to what people of many countries write; measured with one that
 * reports its cursor. */
static void test_widths_of_scripts(void **state)
{
	(void)state;
	assert_int_equal(2 + 3, WIDTH("กัน-01"));
	assert_int_equal(2, WIDTH("✅"));
	assert_int_equal(2, WIDTH("⚡"));
	assert_int_equal(2, WIDTH("🩺"));
	assert_int_equal(1, WIDTH("é"));
	assert_int_equal(2, WIDTH("한"));
	/* the same as three jamo */
	assert_int_equal(2, WIDTH("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"));
	assert_int_equal(3, WIDTH("a\xef\xbb\xbf"
				  "b")); /* a byte order mark is shown as '?' */
}

/* One long value moves its own line, and no other. */
static void test_a_long_cell(void **state)
{
	static const char *const titles[] = {"A", "B"};
	struct cli_table *table = cli_table_open(titles, 2);
	struct vl_buf out = {0};
	char lengthy[301];

	(void)state;
	memset(lengthy, 'x', 300);
	lengthy[300] = '\0';
	cli_table_put(table, lengthy);
	cli_table_put(table, "one");
	cli_table_put(table, "y");
	cli_table_put(table, "two");
	cli_table_print(table, false, &out);
	assert_non_null(strstr(vl_buf_text(&out), lengthy));
	assert_non_null(strstr(vl_buf_text(&out), "xx  one\n"));
	const char *second = strstr(vl_buf_text(&out), "\ny ");
	assert_non_null(second);
	assert_int_equal(strcspn(second + 1, "t"), 48 + 2);
	vl_buf_free(&out);
	cli_table_close(table);
}

static void test_table(void **state)
{
	static const char *const titles[] = {"PLACE", "N", "NAME"};
	struct cli_table *table = cli_table_open(titles, 3);
	struct vl_buf out = {0};

	(void)state;
	assert_non_null(table);
	cli_table_put(table, "喀土穆");
	cli_table_printf(table, "%d", 7);
	cli_table_put(table, "one");
	cli_table_put(table, "Aden");
	cli_table_printf(table, "%d", 12345);
	cli_table_put_bytes(table, (struct vl_bytes){NULL, 0});
	cli_table_print(table, false, &out);
	assert_string_equal("PLACE       N  NAME\n"
			    "喀土穆      7  one\n"
			    "Aden    12345  -\n",
			    vl_buf_text(&out));
	vl_buf_reset(&out);
	cli_table_print(table, true, &out);
	assert_memory_equal("\033[1mPLACE       N  NAME\033[0m\n", out.data, 28);
	assert_true(cli_table_whole(table));
	vl_buf_free(&out);
	cli_table_close(table);
}

static void test_empty_table(void **state)
{
	static const char *const titles[] = {"A", "B"};
	struct cli_table *table = cli_table_open(titles, 2);
	struct vl_buf out = {0};

	(void)state;
	cli_table_print(table, false, &out);
	assert_string_equal("A  B\n", vl_buf_text(&out));
	vl_buf_free(&out);
	cli_table_close(table);
}

static void test_stream(void **state)
{
	static const struct cli_stream_column columns[] = {
		{"AT", 5}, {"VERDICT", 0}, {"SUBJECT", 0}};
	const struct vl_bytes cells[] = {
		{(const uint8_t *)"1:22", 4}, {(const uint8_t *)"ok", 2}, {NULL, 0}};
	struct vl_buf out = {0};

	(void)state;
	cli_stream_titles(columns, 3, false, &out);
	cli_stream_row(columns, 3, cells, &out);
	assert_string_equal("AT     VERDICT  SUBJECT\n"
			    "1:22   ok       -\n",
			    vl_buf_text(&out));
	vl_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_cell),
		cmocka_unit_test(test_widths_of_scripts),
		cmocka_unit_test(test_a_long_cell),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_empty_table),
		cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

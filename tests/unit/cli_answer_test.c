/* cli/answer.h: rows as a table, as JSON, and as CSV that no spreadsheet takes for a program. */
#include "cli/answer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* After the four headers it needs. */
#include <cmocka.h>

static void test_csv_cells(void **state)
{
	static const struct {
		const char *text, *cell;
	} cells[] = {
		{"", ""},
		{"plain", "plain"},
		{"a,b", "\"a,b\""},
		{"say \"yes\"", "\"say \"\"yes\"\"\""},
		{"two\nlines", "\"two\nlines\""},
		{" blank", "\" blank\""},
		{"a;b", "\"a;b\""},
		{"=1+1", "'=1+1"},
		{"=1+1,2", "\"'=1+1,2\""},
		{"+1-2", "'+1-2"},
		{"-cmd|x", "'-cmd|x"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"\t=1", "\"'\t=1\""},
		{" =1+1", "\"' =1+1\""},
		{"\xef\xbc\x9d"
		 "1",
		 "'\xef\xbc\x9d"
		 "1"}, /* a sign as wide as Chinese ones */
		{"-3", "-3"},
		{"+86", "+86"},
		{"-1.5e3", "-1.5e3"},
		{"-1-1", "'-1-1"},
		{"-", "'-"},
		{"a=b", "a=b"},
		{"SD-1", "SD-1"},
		{"\x1b[31mred", "?[31mred"},
		{"\xe2\x80\xae"
		 "x",
		 "?x"},
		{"\xe6\x9d\x8e\xe4\xbc\x9f", "\xe6\x9d\x8e\xe4\xbc\x9f"},
		{"bad\xff", "bad?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		struct vl_buf out = {0};
		cli_csv_text(&out, vl_bytes_of(cells[i].text));
		assert_string_equal(cells[i].cell, vl_buf_text(&out));
		vl_buf_free(&out);
	}
}

static char *printed(enum cli_format format)
{
	struct cli_answer *a = cli_answer_open(format, 1000);
	struct vl_buf out = {0};

	cli_answer_titles(a, (const char *const[]){"key", "n", "key", "when"}, 4);
	cli_answer_text(a, vl_bytes_of("SD-1"));
	cli_answer_number(a, -7);
	cli_answer_text(a, vl_bytes_of("=x\"y"));
	cli_answer_none(a);
	cli_answer_text(a, vl_bytes_of("SD-2"));
	cli_answer_number(a, INT64_MAX);
	cli_answer_real(a, 0.1);
	cli_answer_yesno(a, true);
	assert_true(cli_answer_whole(a));
	cli_answer_print(a, false, &out);
	char *text = strdup(vl_buf_text(&out));
	vl_buf_free(&out);
	cli_answer_close(a);
	return text;
}

static void test_three_forms(void **state)
{
	char *csv = printed(CLI_CSV), *json = printed(CLI_JSON), *table = printed(CLI_TABLE);

	(void)state;
	assert_string_equal(
		"key,n,key,when\r\nSD-1,-7,\"'=x\"\"y\",\r\nSD-2,9223372036854775807,0.1,yes\r\n",
		csv);
	assert_string_equal(
		"{\"key\":\"SD-1\",\"n\":-7,\"key_2\":\"=x\\\"y\",\"when\":null}\n"
		"{\"key\":\"SD-2\",\"n\":\"9223372036854775807\",\"key_2\":0.1,\"when\":true}\n",
		json);
	assert_string_equal("key                     n  key   when\n"
			    "SD-1                   -7  =x\"y  -\n"
			    "SD-2  9223372036854775807  0.1   yes\n",
			    table);
	free(csv);
	free(json);
	free(table);
}

/* What is no number in JSON is a text. */
static void test_numbers_without_a_form(void **state)
{
	struct cli_answer *a = cli_answer_open(CLI_JSON, 1000);
	struct vl_buf out = {0};

	(void)state;
	cli_answer_titles(a, (const char *const[]){"x"}, 1);
	cli_answer_real(a, (double)INFINITY);
	cli_answer_real(a, 1e300);
	cli_answer_print(a, false, &out);
	assert_string_equal("{\"x\":\"inf\"}\n{\"x\":1e+300}\n", vl_buf_text(&out));
	vl_buf_free(&out);
	cli_answer_close(a);
}

/* An answer that is not kept whole says so, and goes on saying it. */
static void test_an_answer_has_a_bound(void **state)
{
	static const enum cli_format formats[] = {CLI_TABLE, CLI_JSON, CLI_CSV};
	char large[250];

	(void)state;
	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < 3; i++) {
		struct cli_answer *a = cli_answer_open(formats[i], 1000);
		cli_answer_titles(a, (const char *const[]){"x"}, 1);
		for (int n = 0; n < 3; n++)
			cli_answer_text(a,
					(struct vl_bytes){(const uint8_t *)large, sizeof(large)});
		assert_true(cli_answer_whole(a));
		for (int n = 0; n < 2; n++)
			cli_answer_text(a,
					(struct vl_bytes){(const uint8_t *)large, sizeof(large)});
		assert_false(cli_answer_whole(a));
		cli_answer_number(a, 1);
		assert_false(cli_answer_whole(a));
		cli_answer_close(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv_cells),
		cmocka_unit_test(test_three_forms),
		cmocka_unit_test(test_numbers_without_a_form),
		cmocka_unit_test(test_an_answer_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names that look the same, and what is said and shown of them. */
#include "base/unicode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct name {
	const char *text;
	enum vl_name_flaw flaw;
	size_t at;
	const char *shown;
};

static const struct name names[] = {
	{"", VL_NAME_GOOD, 0, ""},
	{"SD-1", VL_NAME_GOOD, 0, "SD-1"},
	{"a b\\c", VL_NAME_GOOD, 0, "a b\\c"},
	{"Caf\xc3\xa9-1", VL_NAME_GOOD, 0, "Caf\xc3\xa9-1"},
	{"苏丹-1", VL_NAME_GOOD, 0, "苏丹-1"},
	{"กัน-01", VL_NAME_GOOD, 0, "กัน-01"},
	{"한국", VL_NAME_GOOD, 0, "한국"},
	{"\xf0\x9f\xa9\xba-01", VL_NAME_GOOD, 0, "\xf0\x9f\xa9\xba-01"},
	{"SD-1 ", VL_NAME_BLANK, 4, "SD-1\\u0020"},
	{" SD-1", VL_NAME_BLANK, 0, "\\u0020SD-1"},
	{"SD-1\xc2\xa0", VL_NAME_BLANK, 4, "SD-1\\u00a0"},
	{"SD\xc2\xa0-1", VL_NAME_BLANK, 2, "SD\\u00a0-1"},
	{"\xe3\x80\x80SD-1", VL_NAME_BLANK, 0, "\\u3000SD-1"},
	{"\xe1\x9a\x80SD-1", VL_NAME_BLANK, 0, "\\u1680SD-1"},
	{"SD-\xe2\x80\x8b"
	 "1",
	 VL_NAME_HIDDEN, 3, "SD-\\u200b1"},
	{"\xe2\x80\xae"
	 "1-DS",
	 VL_NAME_HIDDEN, 0, "\\u202e1-DS"},
	{"a\xef\xbb\xbf"
	 "b",
	 VL_NAME_HIDDEN, 1, "a\\ufeffb"},
	{"a\xef\xb8\x8f", VL_NAME_HIDDEN, 1, "a\\ufe0f"},
	{"a\xe3\x85\xa4", VL_NAME_HIDDEN, 1, "a\\u3164"},
	{"\xf3\xa0\x80\x81x", VL_NAME_HIDDEN, 0, "\\U000e0001x"},
	{"SD-1\n", VL_NAME_CONTROL, 4, "SD-1\\u000a"},
	{"a\tb", VL_NAME_CONTROL, 1, "a\\u0009b"},
	{"\xc2\x9b"
	 "2J",
	 VL_NAME_CONTROL, 0, "\\u009b2J"},
	{"a\xe2\x80\xa8", VL_NAME_CONTROL, 1, "a\\u2028"},
	{"a\x7f\\", VL_NAME_CONTROL, 1, "a\\u007f\\\\"},
	{"Cafe\xcc\x81-1", VL_NAME_NOT_NFC, 3, "Cafe\\u0301-1"},
	{"e\xcc\x81\xcc\x82-", VL_NAME_NOT_NFC, 0, "e\\u0301\\u0302-"},
	{"\xe2\x84\xab-1", VL_NAME_NOT_NFC, 0, "\\u212b-1"},
	{"\xe1\x84\x92\xe1\x85\xa1", VL_NAME_NOT_NFC, 0, "\xe1\x84\x92\\u1161"},
	{"a\xffz", VL_NAME_NOT_UTF8, 1, "a\\xffz"},
	{"\xed\xa0\x80", VL_NAME_NOT_UTF8, 0, "\\xed\\xa0\\x80"},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct vl_bytes text = vl_bytes_of(names[i].text);
		struct vl_buf out = {0};
		size_t at = 0;
		assert_int_equal(names[i].flaw, vl_name_check(text, &at));
		assert_int_equal(names[i].at, at);
		assert_int_equal(names[i].flaw, vl_name_check(text, NULL));
		vl_name_put(&out, text);
		vl_buf_put_byte(&out, '\0');
		assert_string_equal(names[i].shown, (const char *)out.data);
		vl_buf_free(&out);
	}
}

/* What is shown of a name that is refused is always good, and never the same as another's. */
static void test_shown_is_good(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x3000; c++) {
		char text[8];
		size_t n = 0;
		text[n++] = 'x';
		if (c < 0x80) {
			text[n++] = (char)c;
		} else if (c < 0x800) {
			text[n++] = (char)(0xc0 | c >> 6);
			text[n++] = (char)(0x80 | (c & 0x3f));
		} else {
			text[n++] = (char)(0xe0 | c >> 12);
			text[n++] = (char)(0x80 | (c >> 6 & 0x3f));
			text[n++] = (char)(0x80 | (c & 0x3f));
		}
		text[n++] = 'y';
		struct vl_bytes name = {(const uint8_t *)text, n};
		struct vl_buf out = {0};
		bool good = vl_name_check(name, NULL) == VL_NAME_GOOD;
		vl_name_put(&out, name);
		struct vl_bytes shown = vl_buf_bytes(&out);
		assert_int_equal(VL_NAME_GOOD, vl_name_check(shown, NULL));
		assert_int_equal(good, shown.size == n && memcmp(shown.data, text, n) == 0);
		vl_buf_free(&out);
	}
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal("", vl_name_flaw_text(VL_NAME_GOOD));
	for (int flaw = VL_NAME_GOOD + 1; flaw <= VL_NAME_NOT_NFC; flaw++)
		assert_true(strlen(vl_name_flaw_text((enum vl_name_flaw)flaw)) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_shown_is_good),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A copy that ends where it ends, so that the sanitizer sees a byte read too many. */
static bool utf8(const void *bytes, size_t count, size_t *bad)
{
	uint8_t *exact = malloc(count > 0 ? count : 1);

	assert_non_null(exact);
	if (count > 0)
		memcpy(exact, bytes, count);
	bool valid = vl_utf8_valid(exact, count, bad);
	free(exact);
	return valid;
}

static void test_hex(void **state)
{
	const uint8_t bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xab, 0xff};
	char text[2 * sizeof(bytes) + 1];

	(void)state;
	assert_ptr_equal(text, vl_hex(bytes, sizeof(bytes), text));
	assert_string_equal("00017f80abff", text);
	assert_string_equal("", vl_hex(NULL, 0, text));
}

static void test_unhex(void **state)
{
	uint8_t bytes[3] = {0};

	(void)state;
	assert_true(vl_unhex("00aBfF!", 6, bytes, 3));
	assert_memory_equal("\x00\xab\xff", bytes, 3);
	assert_false(vl_unhex("00abf", 5, bytes, 3));
	assert_false(vl_unhex("00abff0", 7, bytes, 3));
	for (int c = 0; c < 256; c++) {
		char text[6] = "00000", digit[2] = {(char)c, '\0'};
		bool is_digit = c != 0 && strspn(digit, "0123456789abcdefABCDEF") == 1;
		text[5] = (char)c;
		assert_int_equal(is_digit, vl_unhex(text, 6, bytes, 3));
		text[5] = '0';
		text[2] = (char)c;
		assert_int_equal(is_digit, vl_unhex(text, 6, bytes, 3));
	}
	assert_true(vl_unhex("", 0, bytes, 0));
}

static struct vl_time fixed_now(void *context)
{
	return *(struct vl_time *)context;
}

static void fill_ones(void *context, void *bytes, size_t count)
{
	(void)context;
	memset(bytes, 0xff, count);
}

static void fill_zeros(void *context, void *bytes, size_t count)
{
	(void)context;
	memset(bytes, 0, count);
}

/* The time is that of RFC 9562's own example, appendix A.6. */
static void test_uuid7(void **state)
{
	struct vl_time now = {1645557742, 0};
	struct vl_clock clock = {.now = fixed_now, .context = &now};
	struct vl_rand ones = {.fill = fill_ones}, zeros = {.fill = fill_zeros};
	char text[VL_UUID_TEXT];

	(void)state;
	struct vl_event_id id = vl_uuid7(&clock, &ones);
	assert_string_equal("017f22e2-79b0-7fff-bfff-ffffffffffff", vl_uuid_format(id.bytes, text));
	id = vl_uuid7(&clock, &zeros);
	assert_string_equal("017f22e2-79b0-7000-8000-000000000000", vl_uuid_format(id.bytes, text));
}

/* Made at different milliseconds, they sort as they were made. */
static void test_uuid7_order(void **state)
{
	struct vl_time now = {1645557742, 0};
	struct vl_clock clock = {.now = fixed_now, .context = &now};
	struct vl_event_id last = {{0}};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct vl_event_id id = vl_uuid7(&clock, &vl_rand_system);
		assert_true(memcmp(last.bytes, id.bytes, sizeof(id.bytes)) < 0);
		last = id;
		now = vl_time_from_ms(vl_time_ms(now) + 1);
	}
}

static void test_uuid_parse(void **state)
{
	const char *good = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
	const char *bad[] = {
		"",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
		"017f22e279b0-7cc3-98c4-dc0c0c07398f-",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
		"017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
		"{17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
		"017f22e279b07cc398c4dc0c0c07398g",
		"-17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
	};
	uint8_t bytes[16];
	char text[VL_UUID_TEXT];

	(void)state;
	assert_true(vl_uuid_parse(good, 36, bytes));
	assert_string_equal(good, vl_uuid_format(bytes, text));
	assert_true(vl_uuid_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 36, bytes));
	assert_string_equal(good, vl_uuid_format(bytes, text));
	assert_true(vl_uuid_parse("017f22e279b07cc398c4dc0c0c07398f", 32, bytes));
	assert_string_equal(good, vl_uuid_format(bytes, text));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (vl_uuid_parse(bad[i], strlen(bad[i]), bytes))
			fail_msg("taken: %s", bad[i]);
}

static size_t encode(uint32_t point, uint8_t to[4])
{
	if (point < 0x80) {
		to[0] = (uint8_t)point;
		return 1;
	}
	size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--, point >>= 6)
		to[i] = (uint8_t)(0x80 | (point & 0x3f));
	to[0] = (uint8_t)((0xf00 >> length) | point);
	return length;
}

/* Every code point there is, and some beyond: all but NUL and the surrogates are text. */
static void test_utf8_every_point(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t point = 0; point < 0x111000; point++) {
		bool expected =
			point != 0 && (point < 0xd800 || point > 0xdfff) && point < 0x110000;
		if (vl_utf8_valid(bytes, encode(point, bytes), NULL) != expected)
			fail_msg("U+%04X", (unsigned)point);
	}
}

/* Every two bytes: two ASCII, or one sequence. */
static void test_utf8_every_pair(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			const uint8_t bytes[] = {(uint8_t)a, (uint8_t)b};
			bool ascii = a >= 1 && a <= 0x7f && b >= 1 && b <= 0x7f;
			bool two = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;
			if (vl_utf8_valid(bytes, 2, NULL) != (ascii || two))
				fail_msg("%02x %02x", a, b);
		}
}

struct ill_formed {
	const char *bytes;
	size_t count, bad;
};

static void test_utf8_ill_formed(void **state)
{
#define ILL(bytes, bad)                       \
	{                                     \
		bytes, sizeof(bytes) - 1, bad \
	}
	const struct ill_formed table[] = {
		ILL("a\0b", 1),                     /* NUL */
		ILL("ab\x80", 2),                   /* a continuation with nothing to continue */
		ILL("\xbf", 0),                     /* the last of them */
		ILL("\xc0\x80", 0),                 /* NUL in two bytes */
		ILL("\xc1\xbf", 0),                 /* ASCII in two bytes */
		ILL("\xe0\x80\x80", 0),             /* overlong, three */
		ILL("\xe0\x9f\xbf", 0),             /* the last of them */
		ILL("\xf0\x80\x80\x80", 0),         /* overlong, four */
		ILL("\xf0\x8f\xbf\xbf", 0),         /* the last of them */
		ILL("\xed\xa0\x80", 0),             /* the first surrogate */
		ILL("\xed\xbf\xbf", 0),             /* the last */
		ILL("\xed\xa0\xbd\xed\xb8\x80", 0), /* a pair of them, as CESU-8 has it */
		ILL("\xf4\x90\x80\x80", 0),         /* beyond U+10FFFF */
		ILL("\xf5\x80\x80\x80", 0),
		ILL("\xf8\x88\x80\x80\x80", 0), /* five bytes */
		ILL("\xfc\x84\x80\x80\x80\x80", 0),
		ILL("\xfe", 0),
		ILL("\xff", 0),
		ILL("a\xc3", 1), /* cut short */
		ILL("\xe5\x9b", 0),
		ILL("\xf0\x9f\x98", 0),
		ILL("\xc3(", 0), /* broken off */
		ILL("\xe5(\xbd", 0),
		ILL("\xe5\x9b(", 0),
		ILL("\xf0(\x98\x80", 0),
		ILL("\xf0\x9f(\x80", 0),
		ILL("\xf0\x9f\x98(", 0),
		ILL("\xe5\x9b\xbd\xe5\x9b\xe5\x9b\xbd", 3),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t bad = 99;
		if (utf8(table[i].bytes, table[i].count, &bad) || bad != table[i].bad)
			fail_msg("row %zu: bad at %zu", i, bad);
		assert_false(utf8(table[i].bytes, table[i].count, NULL));
	}
}

static void test_utf8_text(void **state)
{
	const char *good[] = {
		"", "a", "\x01\x7f", "喀土穆", "naïve Ωmega 国 😀", "\xef\xbf\xbf\xf4\x8f\xbf\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(utf8(good[i], strlen(good[i]), NULL));
	assert_true(vl_utf8_valid(NULL, 0, NULL));
}

static void test_printable(void **state)
{
	char out[8];

	(void)state;
	assert_ptr_equal(out, vl_printable("a\n\x1b\x7f国", out, sizeof(out)));
	assert_string_equal("a???国", out);
	assert_string_equal("abcdefg", vl_printable("abcdefghij", out, sizeof(out)));
	assert_string_equal("", vl_printable("abc", out, 1));
	/* C1, a mark that turns the line, a line separator, a bad byte; and no half of a
	 * character where the room ends. */
	assert_string_equal("a?b?", vl_printable("a\xc2\x9b"
						 "b\xe2\x80\xae",
						 out, sizeof(out)));
	assert_string_equal("?x?", vl_printable("\xe2\x80\xa8x\xff", out, sizeof(out)));
	assert_string_equal("国国", vl_printable("国国国", out, sizeof(out)));
}

static void test_big_endian(void **state)
{
	uint8_t bytes[8], more[8];

	(void)state;
	vl_put_be64(bytes, UINT64_C(0x0102030405060788));
	assert_memory_equal("\x01\x02\x03\x04\x05\x06\x07\x88", bytes, 8);
	assert_true(vl_get_be64(bytes) == UINT64_C(0x0102030405060788));
	vl_put_be64(more, UINT64_C(0x0102030405060800));
	assert_true(memcmp(bytes, more, 8) < 0);
	vl_put_be32(bytes, 0xfe020384);
	assert_memory_equal("\xfe\x02\x03\x84\x05", bytes, 5);
	assert_true(vl_get_be32(bytes) == 0xfe020384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_unhex),
		cmocka_unit_test(test_uuid7),
		cmocka_unit_test(test_uuid7_order),
		cmocka_unit_test(test_uuid_parse),
		cmocka_unit_test(test_utf8_every_point),
		cmocka_unit_test(test_utf8_every_pair),
		cmocka_unit_test(test_utf8_ill_formed),
		cmocka_unit_test(test_utf8_text),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_big_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static void test_buf_grows(void **state)
{
	struct vl_buf buf = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		vl_buf_put_byte(&buf, (uint8_t)i);
	assert_int_equal(100000, buf.size);
	for (int i = 0; i < 100000; i++)
		assert_int_equal((uint8_t)i, buf.data[i]);
	vl_buf_free(&buf);
	assert_null(buf.data);
	assert_int_equal(0, buf.size);
}

static void test_buf_text(void **state)
{
	struct vl_buf buf = {0};

	(void)state;
	assert_string_equal("", vl_buf_text(&buf));
	vl_buf_put_text(&buf, "abc");
	vl_buf_put(&buf, "", 0);
	vl_buf_put(&buf, NULL, 0);
	vl_buf_printf(&buf, "-%d-%s", 42, "x");
	assert_string_equal("abc-42-x", vl_buf_text(&buf));
	assert_int_equal(8, buf.size);
	assert_int_equal(8, vl_buf_bytes(&buf).size);
	assert_ptr_equal(buf.data, vl_buf_bytes(&buf).data);
	vl_buf_free(&buf);
}

/* Around each size at which it grows. */
static void test_buf_printf_sizes(void **state)
{
	char text[300];

	(void)state;
	for (size_t length = 0; length < sizeof(text); length++) {
		struct vl_buf buf = {0};
		memset(text, 'a', length);
		text[length] = '\0';
		vl_buf_printf(&buf, "%s", text);
		vl_buf_printf(&buf, "%s", text);
		assert_int_equal(2 * length, buf.size);
		assert_int_equal(2 * length, strlen(vl_buf_text(&buf)));
		vl_buf_free(&buf);
	}
}

static void test_buf_add(void **state)
{
	struct vl_buf buf = {0};

	(void)state;
	vl_buf_put_text(&buf, "ab");
	uint8_t *room = vl_buf_add(&buf, 1000);
	assert_ptr_equal(buf.data + 2, room);
	memset(room, 'x', 1000);
	assert_int_equal(1002, buf.size);
	vl_buf_free(&buf);
}

static void test_buf_error_sticks(void **state)
{
	struct vl_buf buf = {0};

	(void)state;
	vl_buf_put_text(&buf, "abc");
	assert_null(vl_buf_add(&buf, SIZE_MAX));
	assert_true(vl_buf_failed(&buf));
	vl_buf_put_text(&buf, "def");
	vl_buf_printf(&buf, "%d", 1);
	assert_null(vl_buf_add(&buf, 1));
	assert_int_equal(3, buf.size);
	assert_string_equal("", vl_buf_text(&buf));
	vl_buf_reset(&buf);
	assert_false(vl_buf_failed(&buf));
	vl_buf_put_text(&buf, "again");
	assert_string_equal("again", vl_buf_text(&buf));
	vl_buf_free(&buf);
}

static void test_bytes_are(void **state)
{
	struct vl_bytes abc = vl_bytes_of("abc");

	(void)state;
	assert_int_equal(3, abc.size);
	assert_true(vl_bytes_are(abc, "abc"));
	assert_false(vl_bytes_are(abc, "ab"));
	assert_false(vl_bytes_are(abc, "abcd"));
	assert_false(vl_bytes_are(abc, "abd"));
	assert_false(vl_bytes_are(abc, ""));
	assert_false(vl_bytes_are((struct vl_bytes){(const uint8_t *)"ab\0c", 4}, "ab"));
	assert_true(vl_bytes_are((struct vl_bytes){0}, ""));
	assert_false(vl_bytes_are((struct vl_bytes){0}, "abc"));
}

static void test_arena_alloc(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);
	uint8_t *blocks[1000];

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		blocks[i] = vl_arena_alloc(arena, i);
		assert_non_null(blocks[i]);
		assert_int_equal(0, (uintptr_t)blocks[i] % alignof(max_align_t));
		for (size_t j = 0; j < i; j++)
			assert_int_equal(0, blocks[i][j]);
		memset(blocks[i], (int)(i % 255 + 1), i);
	}
	for (size_t i = 0; i < 1000; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_equal(i % 255 + 1, blocks[i][j]);
	assert_false(vl_arena_failed(arena));
	vl_arena_close(arena);
	vl_arena_close(NULL);
}

static void test_arena_large(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	uint8_t *large = vl_arena_alloc(arena, 3000000);
	assert_non_null(large);
	large[2999999] = 1;
	assert_non_null(vl_arena_alloc(arena, 10));
	vl_arena_close(arena);
}

static void test_arena_limit(void **state)
{
	struct vl_arena *arena = vl_arena_open(1000);

	(void)state;
	assert_non_null(vl_arena_alloc(arena, 900));
	assert_null(vl_arena_alloc(arena, 200));
	assert_true(vl_arena_failed(arena));
	assert_null(vl_arena_alloc(arena, 1)); /* the error sticks */
	vl_arena_reset(arena);
	assert_false(vl_arena_failed(arena));
	assert_non_null(vl_arena_alloc(arena, 900));
	assert_null(vl_arena_alloc(arena, SIZE_MAX));
	vl_arena_close(arena);
}

/* The rounding up of sizes must not carry it over its limit. */
static void test_arena_limit_of_no_round_number(void **state)
{
	struct vl_arena *arena = vl_arena_open(100);
	size_t count = 0;

	(void)state;
	while (vl_arena_alloc(arena, 1) != NULL)
		count++;
	assert_true(count >= 1 && count <= 100);
	vl_arena_close(arena);
}

static void test_arena_huge(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	assert_null(vl_arena_alloc(arena, SIZE_MAX));
	assert_true(vl_arena_failed(arena));
	vl_arena_reset(arena);
	assert_null(vl_arena_text(arena, "x", SIZE_MAX));
	vl_arena_close(arena);
}

static void test_arena_reset(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	vl_arena_reset(arena);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 100; i++) {
			uint8_t *block = vl_arena_alloc(arena, 1000);
			assert_non_null(block);
			assert_int_equal(0, block[0] | block[999]);
			memset(block, 0xff, 1000);
		}
		vl_arena_reset(arena);
	}
	vl_arena_close(arena);
}

static void test_arena_text(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	assert_string_equal("abc", vl_arena_text(arena, "abcdef", 3));
	assert_string_equal("", vl_arena_text(arena, NULL, 0));
	vl_arena_close(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_grows),
		cmocka_unit_test(test_buf_text),
		cmocka_unit_test(test_buf_printf_sizes),
		cmocka_unit_test(test_buf_add),
		cmocka_unit_test(test_buf_error_sticks),
		cmocka_unit_test(test_bytes_are),
		cmocka_unit_test(test_arena_alloc),
		cmocka_unit_test(test_arena_large),
		cmocka_unit_test(test_arena_limit),
		cmocka_unit_test(test_arena_limit_of_no_round_number),
		cmocka_unit_test(test_arena_huge),
		cmocka_unit_test(test_arena_reset),
		cmocka_unit_test(test_arena_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/wrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void expect(const char *text, const char *mark, size_t width, const char *wrapped)
{
	struct vl_buf out = {0};

	vl_wrap(&out, text, mark, width);
	assert_string_equal(wrapped, vl_buf_text(&out));
	vl_buf_free(&out);
}

/* A line is filled to its last column, and no further. */
static void test_paragraphs(void **state)
{
	(void)state;
	expect("one two three", "", 7, "one two\nthree\n");
	expect("one two three", "", 6, "one\ntwo\nthree\n");
	expect("one\n\ntwo", "", 40, "one\n\ntwo\n");
	expect("", "", 40, "\n");
	expect("a wordlongerthanaline b", "", 6, "a\nwordlongerthanaline\nb\n");
	expect("one two three", "# ", 9, "# one two\n# three\n");
}

/* What an item says stands below itself; an example is as it was written. */
static void test_items_and_examples(void **state)
{
	(void)state;
	expect("  -n  one two three", "", 13, "  -n  one two\n      three\n");
	expect("      --all  one two", "", 16, "      --all  one\n        two\n");
	expect("  valise ls --where 'a in b' --all", "", 10,
	       "  valise ls --where 'a in b' --all\n");
	expect("a b\n  x  y z\nc d", "", 6, "a b\n  x  y\n   z\nc d\n");
}

static void test_width(void **state)
{
	int ours, theirs;

	(void)state;
	assert_int_equal(0, openpty(&ours, &theirs, NULL, NULL, NULL));
	for (unsigned short columns = 0; columns < 200; columns += 10) {
		struct winsize size = {.ws_row = 24, .ws_col = columns};
		size_t want = columns == 0 ? 80 : columns < 40 ? 40 : columns > 100 ? 100 : columns;
		assert_int_equal(0, ioctl(theirs, TIOCSWINSZ, &size));
		assert_int_equal(want, vl_wrap_width(theirs));
	}
	(void)close(ours);
	(void)close(theirs);
	int ends[2];
	assert_int_equal(0, pipe(ends));
	assert_int_equal(80, vl_wrap_width(ends[1]));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paragraphs),
		cmocka_unit_test(test_items_and_examples),
		cmocka_unit_test(test_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hq/ingest/marks.h: no partition is read on behind a record that still waits. */
#include "hq/ingest/marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SLOTS 8

static void put(struct vl_marks *marks, unsigned slot, int32_t partition, int64_t offset)
{
	struct vl_record record = {
		.topic = vl_bytes_of("consular.case.v1"), .partition = partition, .offset = offset};

	assert_true(vl_marks_put(marks, slot, &record));
}

/* The digest is the slot's number, again and again. */
static struct vl_digest digest_of(unsigned slot)
{
	struct vl_digest digest;

	memset(digest.bytes, (int)slot + 1, sizeof(digest.bytes));
	return digest;
}

static void take(struct vl_marks *marks, unsigned slot, int64_t next, int last)
{
	static const struct vl_digest unknown;
	struct vl_digest digest = digest_of(slot),
			 wanted = last < 0 ? unknown : digest_of((unsigned)last);
	struct vl_mark mark = vl_marks_take(marks, slot, &digest);

	assert_int_equal(mark.next, next);
	assert_memory_equal(mark.last.bytes, wanted.bytes, sizeof(wanted.bytes));
}

/* What was put off together goes together, and its last record has no digest. */
static void joined_records_go_together(void **state)
{
	static const struct vl_digest unknown;

	put(*state, 0, 0, 10);
	put(*state, 1, 0, 11); /* put off, and so are 13 and 15 */
	put(*state, 2, 0, 12);
	vl_marks_join(*state, 1, 13);
	put(*state, 3, 0, 14);
	vl_marks_join(*state, 1, 15);
	take(*state, 3, 10, -1);
	take(*state, 0, 11, 0);
	take(*state, 2, 11, -1);
	struct vl_mark mark = vl_marks_take(*state, 1, &unknown);
	assert_int_equal(mark.next, 16);
	assert_memory_equal(mark.last.bytes, unknown.bytes, sizeof(unknown.bytes));
}

static int setup(void **state)
{
	*state = vl_marks_open(SLOTS);
	return *state == NULL;
}

static int teardown(void **state)
{
	vl_marks_close(*state);
	return 0;
}

static void in_order(void **state)
{
	for (unsigned i = 0; i < 3; i++)
		put(*state, i, 0, 10 + i);
	for (unsigned i = 0; i < 3; i++)
		take(*state, i, 11 + i, (int)i);
	/* Offsets that are not records stand between. */
	put(*state, 0, 0, 20);
	take(*state, 0, 21, 0);
}

static void what_waits_is_not_passed(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		put(*state, i, 0, 10 + i);
	take(*state, 2, 10, -1);
	take(*state, 0, 11, 0);
	/* Behind all that was taken already stands 13, which waits; behind that one there is
	 * nothing more. */
	take(*state, 1, 13, 2);
	take(*state, 3, 14, 3);
	/* The furthest is known, although another was taken last. */
	put(*state, 0, 0, 14);
	put(*state, 1, 0, 15);
	take(*state, 1, 14, -1);
	take(*state, 0, 16, 1);
}

static void partitions_are_apart(void **state)
{
	put(*state, 0, 0, 10);
	put(*state, 1, 1, 5);
	put(*state, 2, 0, 11);
	take(*state, 1, 6, 1);
	take(*state, 2, 10, -1);
	take(*state, 0, 12, 2);
}

/* A partition that was made anew begins again. */
static void from_further_back(void **state)
{
	put(*state, 0, 0, 100);
	take(*state, 0, 101, 0);
	put(*state, 1, 0, 3);
	put(*state, 2, 0, 4);
	take(*state, 1, 4, 1);
	take(*state, 2, 5, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(in_order),
		TEST(what_waits_is_not_passed),
		TEST(partitions_are_apart),
		TEST(from_further_back),
		TEST(joined_records_go_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

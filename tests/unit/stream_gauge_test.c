/* stream/gauge.h: what a line carries, and how much of it may stand in the line. */
#include "bus_fixture.h"

#include "stream/gauge.h"

/* A line of `rate` bytes a second on which more waits all the time, looked at every `every` ms. */
static uint64_t run_line(struct vl_gauge *gauge, uint64_t *moved, int64_t *now, uint64_t rate,
			 int64_t every, int64_t ms)
{
	for (int64_t end = *now + ms; *now < end; *now += every) {
		*moved += rate * (uint64_t)every / 1000;
		vl_gauge_note(gauge, *moved, true, true, *now);
	}
	return gauge->rate;
}

static void thin_line_is_known_in_seconds(void **state)
{
	struct vl_gauge gauge = {0};
	uint64_t moved = 0;
	int64_t now = 1000;

	(void)state;
	assert_int_equal(vl_gauge_room(&gauge, 0, 1), VL_GAUGE_ROOM_MIN);
	assert_in_range(run_line(&gauge, &moved, &now, 8000, 50, 3000), 7200, 8800);
	assert_int_equal(vl_gauge_room(&gauge, 0, 1), VL_GAUGE_ROOM_MIN);
	/* By satellite it holds more. */
	assert_in_range(vl_gauge_room(&gauge, 600, 1), 6000, 7600);
}

static void fast_line_is_known_at_once(void **state)
{
	struct vl_gauge gauge = {0};
	uint64_t moved = 0;
	int64_t now = 1000;

	(void)state;
	assert_in_range(run_line(&gauge, &moved, &now, 10000000, 1, 30), 9000000, 11000000);
	assert_in_range(vl_gauge_room(&gauge, 0, 1), 2200000, 2800000);
	assert_in_range(vl_gauge_room(&gauge, 0, 4), 550000, 700000);
	assert_int_equal(vl_gauge_room(&gauge, 100000, 1),
			 vl_gauge_room(&gauge, VL_GAUGE_WAY_MAX_MS, 1));
}

static void line_that_gets_worse_is_seen(void **state)
{
	struct vl_gauge gauge = {0};
	uint64_t moved = 0;
	int64_t now = 1000;

	(void)state;
	(void)run_line(&gauge, &moved, &now, 10000000, 1, 100);
	assert_in_range(run_line(&gauge, &moved, &now, 8000, 50, 4000), 7200, 9000);
	/* Down, and up again: what it carried is what it carries. */
	(void)run_line(&gauge, &moved, &now, 0, 50, 30000);
	assert_in_range(run_line(&gauge, &moved, &now, 8000, 50, 4000), 5000, 9000);
}

static void line_with_little_to_do_says_nothing(void **state)
{
	struct vl_gauge gauge = {0};
	uint64_t moved = 0;
	int64_t now = 1000;

	(void)state;
	(void)run_line(&gauge, &moved, &now, 10000000, 1, 100);
	vl_gauge_note(&gauge, moved, true, false, now);
	uint64_t known = gauge.rate;
	for (int i = 0; i < 1000; i++) {
		moved += 300;
		now += 50;
		vl_gauge_note(&gauge, moved, true, false, now);
	}
	assert_int_equal(gauge.rate, known);
	/* Nor does the time in which there was nothing at all. */
	vl_gauge_note(&gauge, moved, false, false, now);
	now += 1000000;
	vl_gauge_note(&gauge, moved, false, false, now);
	assert_true(run_line(&gauge, &moved, &now, 10000000, 1, 100) >= known / 10 * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thin_line_is_known_in_seconds),
		cmocka_unit_test(fast_line_is_known_at_once),
		cmocka_unit_test(line_that_gets_worse_is_seen),
		cmocka_unit_test(line_with_little_to_do_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

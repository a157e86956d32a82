/* agent/flight.h and agent/window.h: what goes next, how much at once, and how far each lane has
 * come. */
#include "bus_fixture.h"

#include "agent/flight.h"
#include "agent/resend.h"

enum { LOW, HIGH, MIDDLE, LOW_TOO, LANES };
static const struct vl_lane lanes[LANES] = {{"low", VL_ROUTINE, false, true, false, false},
					    {"high", VL_FLASH, false, true, false, false},
					    {"middle", VL_PRIORITY, false, true, false, false},
					    {"low.too", VL_ROUTINE, false, true, false, false}};

static struct vl_flight *flight;

static int setup(void **state)
{
	(void)state;
	flight = vl_flight_open(lanes, LANES);
	return flight == NULL;
}

static int teardown(void **state)
{
	(void)state;
	vl_flight_close(flight);
	return 0;
}

static size_t send_on(size_t lane, uint64_t seq, size_t bytes, int64_t now)
{
	return vl_flight_sent(flight, lane, (struct vl_place){{1}, {seq}}, bytes, now);
}

static uint64_t acked(size_t lane)
{
	bool news;
	return vl_flight_acked_to(flight, lane, &news).seq.n;
}

static void urgent_first_and_none_starves(void **state)
{
	unsigned turns[LANES] = {0};
	size_t lane;

	(void)state;
	for (uint64_t i = 1; i <= 800; i++) {
		assert_true(vl_flight_next(flight, VL_BULK, 0, &lane));
		turns[lane]++;
		(void)vl_flight_acked(flight, send_on(lane, i, 1, 0), 0);
	}
	assert_in_range(turns[MIDDLE], 690, 760);
	assert_int_equal(turns[HIGH], 0);
	assert_true(turns[LOW] >= 25 && turns[LOW_TOO] >= 25);
	for (size_t i = 0; i < LANES; i++)
		vl_flight_empty(flight, i);
	assert_false(vl_flight_next(flight, VL_BULK, 0, &lane));
	assert_false(vl_flight_next(flight, VL_URGENT, 0, &lane));
	vl_flight_wake(flight);
	assert_true(vl_flight_next(flight, VL_BULK, 0, &lane));
}

static void classes_have_windows_of_their_own(void **state)
{
	size_t lane;

	(void)state;
	assert_int_equal(vl_flight_class(flight, HIGH), VL_URGENT);
	assert_int_equal(vl_flight_class(flight, MIDDLE), VL_BULK);
	assert_int_equal(vl_flight_class(flight, LOW), VL_BULK);
	(void)send_on(LOW, 1, VL_WINDOW_START, 0);
	assert_false(vl_flight_allows(flight, MIDDLE, 10));
	assert_true(vl_flight_allows(flight, HIGH, VL_WINDOW_START));
	assert_true(vl_flight_next(flight, VL_URGENT, 0, &lane));
	assert_int_equal(lane, HIGH);
	size_t tag = send_on(HIGH, 1, 10, 0);
	/* What becomes of one class is nothing to the other. */
	vl_flight_line(flight, VL_BULK, 1000000);
	vl_flight_restart(flight, VL_BULK);
	assert_int_equal(vl_flight_sent_to(flight, LOW).seq.n, 0);
	assert_int_equal(vl_flight_sent_to(flight, HIGH).seq.n, 1);
	assert_true(vl_flight_allows(flight, HIGH, VL_WINDOW_START - 10));
	assert_false(vl_flight_allows(flight, HIGH, VL_WINDOW_START));
	int64_t oldest;
	assert_int_equal(vl_flight_age(flight, VL_BULK, 50, &oldest), 0);
	assert_int_equal(vl_flight_age(flight, VL_URGENT, 50, &oldest), 10);
	assert_int_equal(oldest, 50);
	(void)vl_flight_acked(flight, tag, 60);
	assert_int_equal(acked(HIGH), 1);
	assert_int_equal(vl_flight_age(flight, VL_URGENT, 70, &oldest), 0);
}

static void equals_take_turns(void **state)
{
	unsigned turns[LANES] = {0};
	size_t lane;

	(void)state;
	vl_flight_empty(flight, HIGH);
	vl_flight_empty(flight, MIDDLE);
	for (uint64_t i = 1; i <= 100; i++) {
		assert_true(vl_flight_next(flight, VL_BULK, 0, &lane));
		turns[lane]++;
		(void)vl_flight_acked(flight, send_on(lane, i, 1, 0), 0);
	}
	assert_in_range(turns[LOW], 49, 51);
}

static void acks_count_in_order(void **state)
{
	(void)state;
	vl_flight_start(flight, LOW, (struct vl_place){{1}, {6}});
	size_t a = send_on(LOW, 7, 10, 0), b = send_on(LOW, 8, 10, 0),
	       other = send_on(HIGH, 1, 10, 0);
	bool news;

	assert_int_equal(vl_flight_acked(flight, b, 5), LOW);
	assert_int_equal(vl_flight_acked_to(flight, LOW, &news).seq.n, 6);
	assert_false(news);
	(void)vl_flight_acked(flight, a, 5);
	assert_int_equal(vl_flight_acked_to(flight, LOW, &news).seq.n, 8);
	assert_true(news);
	(void)vl_flight_acked_to(flight, LOW, &news);
	assert_false(news);
	vl_flight_not_told(flight, LOW);
	(void)vl_flight_acked_to(flight, LOW, &news);
	assert_true(news);
	int64_t oldest;
	assert_int_equal(vl_flight_age(flight, VL_URGENT, 30, &oldest), 10);
	assert_int_equal(oldest, 30);
	(void)vl_flight_acked(flight, other, 30);
	assert_int_equal(vl_flight_age(flight, VL_URGENT, 40, &oldest), 0);
	assert_int_equal(oldest, 0);
}

static void a_refused_lane_is_set_aside_and_goes_back(void **state)
{
	size_t tags[4], lane;

	(void)state;
	vl_flight_empty(flight, HIGH);
	vl_flight_empty(flight, LOW);
	vl_flight_empty(flight, LOW_TOO);
	for (uint64_t i = 0; i < 4; i++)
		tags[i] = send_on(MIDDLE, i + 1, 10, 0);
	assert_int_equal(vl_flight_refused(flight, tags[1], 10), MIDDLE);
	/* What was before the refused one still counts; what is behind it, even if Kafka took
	 * it, does not. */
	(void)vl_flight_acked(flight, tags[0], 11);
	(void)vl_flight_acked(flight, tags[2], 12);
	assert_int_equal(acked(MIDDLE), 1);
	assert_int_equal(vl_flight_sent_to(flight, MIDDLE).seq.n, 4);
	assert_false(vl_flight_next(flight, VL_BULK, 100000, &lane));
	(void)vl_flight_acked(flight, tags[3], 13);
	assert_int_equal(vl_flight_sent_to(flight, MIDDLE).seq.n, 1);
	assert_int_equal(acked(MIDDLE), 1);
	assert_false(vl_flight_next(flight, VL_BULK, 500, &lane));
	assert_int_equal(vl_flight_wait(flight, 500), 510);
	vl_flight_wake(flight);
	assert_true(vl_flight_next(flight, VL_BULK, 500, &lane));
	assert_int_not_equal(lane, MIDDLE);
	vl_flight_empty(flight, HIGH);
	vl_flight_empty(flight, LOW);
	vl_flight_empty(flight, LOW_TOO);
	assert_true(vl_flight_next(flight, VL_BULK, 1010, &lane));
	assert_int_equal(lane, MIDDLE);
	/* Longer the second time, as short as the first once it worked. */
	(void)vl_flight_refused(flight, send_on(MIDDLE, 2, 10, 1010), 2000);
	assert_int_equal(vl_flight_wait(flight, 2000), 2000);
	(void)vl_flight_acked(flight, send_on(MIDDLE, 2, 10, 4000), 4001);
	(void)vl_flight_refused(flight, send_on(MIDDLE, 3, 10, 4002), 5000);
	assert_int_equal(vl_flight_wait(flight, 5000), 1000);
}

static void restart_goes_back_to_the_acked(void **state)
{
	(void)state;
	size_t a = send_on(LOW, 1, 10, 0);
	(void)send_on(LOW, 2, 10, 0);
	(void)send_on(HIGH, 1, 10, 0);
	(void)vl_flight_acked(flight, a, 1);
	vl_flight_restart(flight, VL_BULK);
	vl_flight_restart(flight, VL_URGENT);
	assert_int_equal(vl_flight_sent_to(flight, LOW).seq.n, 1);
	assert_int_equal(vl_flight_sent_to(flight, HIGH).seq.n, 0);
	int64_t oldest;
	assert_int_equal(vl_flight_age(flight, VL_BULK, 99999, &oldest), 0);
	/* All that was taken for records in flight is there again. */
	for (uint64_t sent = 0; sent < VL_FLIGHT_RECORDS; sent++) {
		assert_true(vl_flight_allows(flight, HIGH, 1));
		(void)send_on(HIGH, sent + 1, 1, 0);
	}
	assert_false(vl_flight_allows(flight, HIGH, 1));
}

static void records_are_bounded(void **state)
{
	size_t sent = 0;

	(void)state;
	while (vl_flight_allows(flight, LOW, 1) && sent < 5000)
		(void)send_on(LOW, ++sent, 1, 0);
	assert_int_equal(sent, VL_FLIGHT_RECORDS - VL_FLIGHT_URGENT);
	/* There is always one for what is urgent. */
	assert_true(vl_flight_allows(flight, HIGH, 1));
	/* Those of one lane leave in order. */
	(void)vl_flight_acked(flight, 1, 1);
	assert_false(vl_flight_allows(flight, LOW, 1));
	(void)vl_flight_acked(flight, 0, 1);
	assert_true(vl_flight_allows(flight, LOW, 1));
}

static void window_grows_on_a_fast_line(void **state)
{
	struct vl_window window = vl_window_start();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		while (vl_window_allows(&window, 10000))
			vl_window_sent(&window, 10000);
		vl_window_acked(&window, 10000, 20);
	}
	assert_int_equal(window.size, VL_WINDOW_MAX);
	assert_true(window.in_flight <= VL_WINDOW_MAX);
}

static void window_stays_where_it_is_enough(void **state)
{
	struct vl_window window = vl_window_start();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_true(vl_window_allows(&window, 10000));
		vl_window_sent(&window, 10000);
		vl_window_acked(&window, 10000, 20);
	}
	assert_int_equal(window.size, VL_WINDOW_START);
}

static void window_shrinks_on_a_slow_line(void **state)
{
	struct vl_window window = vl_window_start();

	(void)state;
	vl_window_sent(&window, 1000);
	vl_window_age(&window, 900, 900);
	assert_int_equal(window.size, VL_WINDOW_START);
	vl_window_age(&window, 1100, 1100);
	assert_int_equal(window.size, VL_WINDOW_START / 2);
	vl_window_age(&window, 1200, 1200);
	assert_int_equal(window.size, VL_WINDOW_START / 2);
	for (int64_t now = 2100; now < 60000; now += 1000)
		vl_window_age(&window, now, now);
	assert_int_equal(window.size, VL_WINDOW_MIN);
	/* However small, one record may go: a big one too. */
	assert_false(vl_window_allows(&window, 900000));
	vl_window_acked(&window, 1000, 60000);
	assert_true(vl_window_allows(&window, 900000));
}

static void window_is_the_line_s_where_that_is_known(void **state)
{
	struct vl_window window = vl_window_start();

	(void)state;
	vl_window_line(&window, 8000);
	assert_int_equal(window.size, VL_WINDOW_LINE_MIN);
	vl_window_line(&window, 100000);
	assert_int_equal(window.size, 100000 * VL_WINDOW_LINE_S);
	/* The time that acks take is the line's, and no sign of anything. */
	vl_window_sent(&window, 1000);
	vl_window_age(&window, 60000, 60000);
	assert_int_equal(window.size, 100000 * VL_WINDOW_LINE_S);
	vl_window_line(&window, UINT64_C(1) << 40);
	assert_int_equal(window.size, VL_WINDOW_MAX);
}

static void goes_back_and_sends_again(void **state)
{
	size_t lane;

	(void)state;
	size_t first = send_on(LOW, 1, 10, 0), second = send_on(LOW, 2, 10, 0);
	(void)vl_flight_acked(flight, first, 5);
	assert_false(vl_flight_go_back(flight, LOW, (struct vl_place){{0}, {0}}));
	(void)vl_flight_acked(flight, second, 5);
	for (size_t i = 0; i < LANES; i++)
		vl_flight_empty(flight, i);
	assert_true(vl_flight_go_back(flight, LOW, (struct vl_place){{1}, {1}}));
	assert_true(vl_flight_next(flight, VL_BULK, 0, &lane));
	assert_int_equal(lane, LOW);
	assert_int_equal(vl_flight_sent_to(flight, LOW).seq.n, 1);
	(void)vl_flight_acked(flight, send_on(LOW, 2, 10, 6), 7);
	assert_int_equal(acked(LOW), 2);
}

static bool due(struct vl_resend *resend, uint64_t acked_seq, uint64_t applied_seq, int64_t now)
{
	struct vl_place acked = {{1}, {acked_seq}}, applied = {{1}, {applied_seq}};
	bool due = vl_resend_due(resend, acked, applied, 1000, now);

	/* What could not be done stays due, and the wait is none the longer for it. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(vl_resend_due(resend, acked, applied, 1000, now), due);
	if (due)
		vl_resend_done(resend, now);
	return due;
}

static void sends_again_ever_later_until_a_receipt_comes(void **state)
{
	struct vl_resend resend = {0};
	int64_t now = 1, gap = 1000;

	(void)state;
	assert_false(due(&resend, 0, 0, now));
	assert_false(due(&resend, 5, 5, now + 100000));
	/* Something is missing from here on; what is acked meanwhile is no progress. */
	assert_false(due(&resend, 6, 5, now += 200000));
	for (int i = 0; i < 40; i++) {
		assert_false(due(&resend, 7, 5, now + gap - 1));
		assert_true(due(&resend, 7, 5, now += gap));
		gap = gap * 2 < VL_RESEND_MAX_MS ? gap * 2 : VL_RESEND_MAX_MS;
	}
	assert_int_equal(gap, VL_RESEND_MAX_MS);
	/* A receipt: the first interval again, also where it is not for all. */
	assert_false(due(&resend, 9, 7, now));
	assert_false(due(&resend, 9, 7, now + 999));
	assert_true(due(&resend, 9, 7, now + 1000));
	assert_false(due(&resend, 9, 9, now + 1001));
	assert_false(due(&resend, 9, 9, now + 1000000));
	assert_false(due(&resend, 10, 9, now + 1000000));
	assert_true(due(&resend, 10, 9, now + 1001000));
}

/* As where many missions were enrolled and nobody has made their topics: what waits for those is in
 * nobody's way. */
static void topics_that_are_missing_hold_up_no_other_mission(void **state)
{
	static const struct vl_lane own = {"own", VL_FLASH, false, false, true, true};
	enum { MISSIONS = 300, SOUND = LANES };
	size_t tags[MISSIONS] = {0}, lane, n = 0;
	int64_t oldest;

	(void)state;
	for (size_t i = 0; i < MISSIONS; i++)
		assert_true(vl_flight_add(flight, &own));
	vl_flight_empty(flight, HIGH);
	while (vl_flight_next(flight, VL_URGENT, 0, &lane)) {
		assert_true(vl_flight_allows(flight, lane, 1000));
		tags[n++] = send_on(lane, 1, 1000, 0);
	}
	assert_int_equal(n, VL_FLIGHT_BESIDE);
	/* Seconds later the window is as it was. */
	for (int64_t now = 1000; now <= 5000; now += 1000)
		assert_int_equal(vl_flight_age(flight, VL_URGENT, now, &oldest), n * 1000);
	assert_int_equal(oldest, 5000);
	assert_true(vl_flight_allows(flight, HIGH, VL_WINDOW_START));
	/* What is there has the window, and goes on as any other. */
	assert_int_equal(vl_flight_acked(flight, tags[0], 5000), SOUND);
	assert_true(vl_flight_next(flight, VL_URGENT, 5000, &lane));
	for (uint64_t seq = 2; seq < 5; seq++)
		(void)send_on(SOUND, seq, 1000, 5000);
	assert_int_equal(vl_flight_age(flight, VL_URGENT, 5000, &oldest), (n + 2) * 1000);
	assert_false(vl_flight_allows(flight, HIGH, VL_WINDOW_START));
	/* The others' turn comes when Kafka has refused the first; a large record waits for the
	 * window. */
	for (size_t i = 1; i < n; i++)
		(void)vl_flight_refused(flight, tags[i], 5000);
	vl_flight_empty(flight, SOUND);
	for (size_t more = 0; more + 1 < n; more++) {
		assert_true(vl_flight_next(flight, VL_URGENT, 5000, &lane));
		assert_true(lane >= SOUND + n);
		assert_false(vl_flight_allows(flight, lane, VL_WINDOW_START));
		assert_true(vl_flight_allows(flight, lane, 1000));
		(void)send_on(lane, 1, 1000, 5000);
	}
	assert_false(vl_flight_idle(flight));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(urgent_first_and_none_starves),
		TEST(classes_have_windows_of_their_own),
		TEST(equals_take_turns),
		TEST(acks_count_in_order),
		TEST(a_refused_lane_is_set_aside_and_goes_back),
		TEST(restart_goes_back_to_the_acked),
		TEST(goes_back_and_sends_again),
		TEST(sends_again_ever_later_until_a_receipt_comes),
		TEST(records_are_bounded),
		TEST(topics_that_are_missing_hold_up_no_other_mission),
		TEST(window_grows_on_a_fast_line),
		TEST(window_stays_where_it_is_enough),
		TEST(window_shrinks_on_a_slow_line),
		TEST(window_is_the_line_s_where_that_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

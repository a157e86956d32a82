#include "hq/fold/views.h"
#include "scenario.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/*
 * Every scenario by the small engine in memory: event after event, then in many other orders, each
 * third twice, live and rebuilt, to the same bytes. They lie in the folder VALISE_SCENARIOS.
 */

#define ORDERS 12

static void say(struct fake *fake, const struct scenario *s)
{
	const uint8_t **ids = calloc(s->n_events, sizeof(*ids));

	assert_non_null(ids);
	for (size_t i = 0; i < s->n_events; i++) {
		const struct scenario_event *e = &s->events[i];
		int64_t at = e->event->occurred_at->seconds * 1000 +
			     e->event->occurred_at->nanos / 1000000;
		ids[i] = fake_next(fake_beside(fake, vl_views[e->view]), e->mission, at,
				   e->event->subject, e->event->actor,
				   e->after == SIZE_MAX ? NULL : ids[e->after], e->payload);
		fake_fold(fake);
	}
	free(ids);
}

static void run(const char *path)
{
	struct scenario s = scenario_read(path);
	struct fake *fake = fake_open(vl_views[s.events[0].view]);
	bool as_expected = true;

	say(fake, &s);
	for (size_t i = 0; i < s.n_rows; i++) {
		const struct scenario_row *row = &s.rows[i];
		struct fake *lane = fake_beside(fake, vl_views[row->view]);
		as_expected =
			scenario_check(&s, row, fake_row(lane, row->kind, row->key)) && as_expected;
	}
	assert_true(as_expected);
	assert_true(fake_converges(fake, 1, ORDERS));
	fake_close(fake);
	scenario_close(&s);
}

static void test_every_scenario_comes_out_in_any_order(void **state)
{
	(void)state;

	assert_true(scenario_each(VALISE_SCENARIOS, run) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_scenario_comes_out_in_any_order)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

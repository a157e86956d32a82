/*
 * Looking into the views while headquarters goes on: whoever looks, and then stands, holds nothing.
 */
#include "cli_blocked.h"
#include "hq_world.h"

/* More than is listed under one snapshot. */
#define CASES 6000u

static void open_cases(struct world *w, struct sender *s)
{
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	struct vl_buf *events = calloc(CASES, sizeof(*events));
	char subject[32];

	assert_non_null(events);
	for (unsigned i = 0; i < CASES; i++) {
		(void)snprintf(subject, sizeof(subject), "SD-%06u", i);
		put_event(&events[i], i + 1, subject, 100, &opened.base, 0);
	}
	for (unsigned i = 0; i < CASES; i += CASES / 4)
		bring(w, sign_batch_on(s, LANE, &events[i], CASES / 4));
	(void)world_work_off(w);
	for (unsigned i = 0; i < CASES; i++)
		vl_buf_free(&events[i]);
	free(events);
}

/* Its output is not read, and it is stopped on top of that: not a page is kept from use. Then it
 * goes on, and has listed all. */
static void a_listing_that_nobody_reads_holds_nothing(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct vl_store_reader reader;

	open_cases(w, &s);
	const char *const args[] = {"valise", "case",    "ls",     "-o",
				    "json",   "--views", w->views, NULL};
	struct blocked ls = blocked_start(args);
	assert_int_equal(kill(ls.pid, SIGSTOP), 0);
	for (unsigned i = 0; i < 3; i++)
		bring(w, open_case(&s, CASES + 1 + i, "SD-000001", 200 + i));
	assert_false(vl_store_oldest_reader(w->store, &reader));
	assert_int_equal(kill(ls.pid, SIGCONT), 0);
	assert_int_equal(blocked_finish(&ls), CASES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_listing_that_nobody_reads_holds_nothing,
						world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

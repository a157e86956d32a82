/*
 * The view of cases: the lifecycle, what comes late or twice, and the same rows in any order of
 * arrival.
 */
#include "view_case.h"

static void whole_life(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(INJURY)));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(RECEIVED));
	tell(&b, A, "SD-1", EVENT(CaseIdentified, case_identified, .proof = 1));
	tell(&b, A, "SD-1", EVENT(CaseTriaged, case_triaged, .priority = P(2), .mode = HUMAN));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(TRIAGED));
	tell(&b, A, "SD-1",
	     EVENT(CaseAssigned, case_assigned, .mission = A, .officer = "officer-7"));
	tell(&b, A, "SD-1", EVENT(WorkStarted, work_started));
	tell(&b, A, "SD-1", EVENT(CaseTriaged, case_triaged, .priority = P(1), .mode = HUMAN));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(IN_PROGRESS));
	tell(&b, A, "SD-1", EVENT(WaitingStarted, waiting_started, .waiting_for = 3));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(WAITING_FAMILY));
	tell(&b, A, "SD-1", contact());
	tell(&b, A, "SD-1", EVENT(CaseResolved, case_resolved, .outcome = HELPED));
	tell(&b, A, "SD-1", EVENT(CaseClosed, case_closed));
	const CASE(CaseRow) *row = row_of(&b, "SD-1");
	assert_int_equal(row->state, CASE_STATE(CLOSED));
	assert_int_equal(row->outcome, HELPED);
	assert_int_equal(row->persons, 3);
	assert_string_equal(row->owner, A);
	assert_int_equal(row->n_violations, 0);
	assert_string_equal(fake_cell(b.fake, CASE_KIND_CASE, "SD-1", "TYPE", (struct vl_time){0}),
			    "701 INJURY");
	tell(&b, A, "SD-1", EVENT(CaseReopened, case_reopened));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(REOPENED));
	assert_null(row_of(&b, "SD-1")->closed_at);
	done(&b);
}

static void late_news_is_kept_without_effect(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", contact());
	tell(&b, A, "SD-1", closing());
	tell(&b, A, "SD-1", EVENT(WorkStarted, work_started));
	tell(&b, A, "SD-1", EVENT(HostReplied, host_replied, .authority = NONE, .reference = NONE));
	const CASE(CaseRow) *row = row_of(&b, "SD-1");
	assert_int_equal(row->state, CASE_STATE(CLOSED));
	assert_int_equal(row->n_late, 2);
	assert_string_equal(row->late[0]->name, "WorkStarted");
	assert_int_equal(vl_case_count_of(row, "HostReplied"), 1);
	assert_int_equal(board_of(&b, "all")->late_facts, 2);
	done(&b);
}

static void disputed_value_keeps_both(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(THEFT_ROBBERY)));
	tell(&b, "HQ", "SD-1", EVENT(CaseClassified, case_classified, .type = CASE_TYPE(ASSAULT)));
	const CASE(CaseRow) *row = row_of(&b, "SD-1");
	assert_int_equal(row->type, CASE_TYPE(ASSAULT));
	assert_int_equal(row->n_replaced, 1);
	assert_string_equal(row->replaced[0]->value, "THEFT_ROBBERY");
	assert_string_equal(row->replaced[0]->mission, A);
	done(&b);
}

/* -- convergence -- */

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

static const ProtobufCMessage *any_event(uint64_t *seed, const char *const subjects[4],
					 const char *const missions[4])
{
	static CASE(WaitingStarted) waiting = CONSULAR__CASE__V1__WAITING_STARTED__INIT;
	static CASE(CaseUnmerged) unmerged = CONSULAR__CASE__V1__CASE_UNMERGED__INIT;
	static CASE(RefusedBySubject) refused = CONSULAR__CASE__V1__REFUSED_BY_SUBJECT__INIT;
	static CASE(CaseTriaged) triaged = CONSULAR__CASE__V1__CASE_TRIAGED__INIT;
	static CASE(CaseReopened) reopened = CONSULAR__CASE__V1__CASE_REOPENED__INIT;
	const char *transfer = (const char *[]){"T1", "T2"}[draw(seed, 2)];
	waiting.waiting_for = (CASE(WaitingFor))draw(seed, 4);
	triaged.priority = (CASE(Priority))draw(seed, 5);
	triaged.mode = (CASE(Mode))draw(seed, 3);
	const ProtobufCMessage *fixed[] = {contact(),         closing(),        (void *)&waiting,
					   (void *)&unmerged, (void *)&refused, (void *)&triaged,
					   (void *)&reopened};
	switch (draw(seed, 7)) {
	case 0:
		return opening(draw(seed, 2) ? CASE_TYPE(ARREST_DETENTION) : CASE_TYPE(FUNDS));
	case 1:
		return merge(subjects[draw(seed, 4)]);
	case 2:
		return offer(transfer, missions[draw(seed, 4)]);
	case 3:
		return acceptance(transfer);
	default:
		return fixed[draw(seed, sizeof(fixed) / sizeof(fixed[0]))];
	}
}

/* Whatever four missions say, in whatever order it comes, live or rebuilt. */
static void any_facts_in_any_order(void **state)
{
	(void)state;
	const char *const subjects[4] = {"SD-1", "SD-2", "SD-3", "SD-4"};
	const char *const missions[4] = {A, B, "CN-ET-EMB", "HQ"};
	for (uint64_t round = 0; round < 12; round++) {
		uint64_t seed = SEED + round;
		const uint8_t *seen = NULL;
		struct fake *fake = fake_open(&vl_view_case);
		print_message("seed %llu\n", (unsigned long long)seed);
		for (int i = 0; i < 60; i++) {
			const ProtobufCMessage *event = any_event(&seed, subjects, missions);
			const uint8_t *id = fake_next(fake, missions[draw(&seed, 4)],
						      T0 + (int64_t)draw(&seed, 40) * HOUR,
						      subjects[draw(&seed, 4)], "officer-7",
						      draw(&seed, 3) == 0 ? seen : NULL, event);
			if (draw(&seed, 2) == 0)
				seen = id;
		}
		assert_true(fake_converges(fake, SEED + round, 4));
		fake_close(fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_life),
		cmocka_unit_test(late_news_is_kept_without_effect),
		cmocka_unit_test(disputed_value_keeps_both),
		cmocka_unit_test(any_facts_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Who may say what of a case: another's attempt changes nothing that people act on, is shown by
 * name, and does so whether it comes before or after it is known whose the case is.
 */
#include "view_case.h"

static void another_merges_and_unmerges_nothing(void **state)
{
	(void)state;
	struct bench b = bench();
	/* Before the opening is known, and after. */
	tell(&b, B, "SD-2", merge("SD-9"));
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-2", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-3", opening(CASE_TYPE(FUNDS)));
	tell(&b, B, "SD-1", merge("SD-3"));
	assert_string_equal(row_of(&b, "SD-1")->merged_into, "");
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(RECEIVED));
	assert_int_equal(row_of(&b, "SD-3")->n_merged_from, 0);
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	assert_int_equal(board_of(&b, "all")->merged, 0);
	/* Nor is its attempt in the way of the owner's, or undoes it. */
	tell(&b, A, "SD-1", merge("SD-3"));
	tell(&b, B, "SD-1", EVENT(CaseUnmerged, case_unmerged, .from = NONE));
	assert_string_equal(row_of(&b, "SD-1")->merged_into, "SD-3");
	assert_string_equal(row_of(&b, "SD-3")->merged_from[0], "SD-1");
	assert_int_equal(broken(&b, "SD-1", "C1"), 2);
	assert_int_equal(row_of(&b, "SD-1")->n_late, 2);
	tell(&b, "HQ", "SD-1", EVENT(CaseUnmerged, case_unmerged, .from = NONE));
	assert_string_equal(row_of(&b, "SD-1")->merged_into, "");
	assert_int_equal(row_of(&b, "SD-3")->n_merged_from, 0);
	done(&b);
}

/* A case that was handed over is the new owner's to merge. */
static void who_owns_it_now_merges(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-2", opening(CASE_TYPE(FUNDS)));
	tell(&b, "HQ", "SD-1", EVENT(CaseAssigned, case_assigned, .mission = B, .officer = NONE));
	tell(&b, A, "SD-1", merge("SD-2"));
	assert_string_equal(row_of(&b, "SD-1")->merged_into, "");
	assert_int_equal(row_of(&b, "SD-2")->n_merged_from, 0);
	tell(&b, B, "SD-1", merge("SD-2"));
	assert_string_equal(row_of(&b, "SD-1")->merged_into, "SD-2");
	assert_int_equal(row_of(&b, "SD-2")->n_merged_from, 1);
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	done(&b);
}

static void nobody_assigns_what_he_does_not_own(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, B, "SD-1", EVENT(CaseAssigned, case_assigned, .mission = B, .officer = NONE));
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	assert_string_equal(row_of(&b, "SD-1")->owner, A);
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	tell(&b, B, "SD-1", EVENT(CaseAssigned, case_assigned, .mission = B, .officer = NONE));
	assert_string_equal(row_of(&b, "SD-1")->owner, A);
	assert_int_equal(broken(&b, "SD-1", "C1"), 2);
	/* Headquarters may before the opening is known. */
	tell(&b, "HQ", "SD-2", EVENT(CaseAssigned, case_assigned, .mission = A, .officer = NONE));
	assert_string_equal(row_of(&b, "SD-2")->owner, A);
	done(&b);
}

/* By its own clock it was first. */
static void another_closes_nothing_before_it_is_opened(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, B, "SD-1", EVENT(CaseTriaged, case_triaged, .priority = P(4), .mode = HUMAN));
	tell(&b, B, "SD-1", EVENT(CaseClosed, case_closed, .outcome = HELPED));
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(RECEIVED));
	assert_null(row_of(&b, "SD-1")->closed_at);
	assert_int_equal(row_of(&b, "SD-1")->outcome, 0);
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	done(&b);
}

static void another_counts_consents_and_stops_no_clock(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	uint32_t persons = row_of(&b, "SD-1")->persons;
	tell(&b, B, "SD-1", EVENT(PersonsCounted, persons_counted, .persons = 900));
	tell(&b, A, "SD-1", EVENT(RefusedBySubject, refused_by_subject));
	tell(&b, B, "SD-1", EVENT(ConsentGiven, consent_given, .scope = 1));
	tell(&b, A, "SD-1", EVENT(ClockStarted, clock_started, .clock = "visit"));
	tell(&b, B, "SD-1", EVENT(ClockMet, clock_met, .clock = "visit", .in_time = 1));
	assert_int_equal(row_of(&b, "SD-1")->persons, persons);
	assert_true(row_of(&b, "SD-1")->help_refused);
	assert_null(row_of(&b, "SD-1")->clocks[0]->met_at);
	assert_int_equal(broken(&b, "SD-1", "C1"), 3);
	tell(&b, "HQ", "SD-1", EVENT(PersonsCounted, persons_counted, .persons = 9));
	assert_int_equal(row_of(&b, "SD-1")->persons, 9);
	done(&b);
}

static void an_unknown_priority_is_never_the_highest(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", EVENT(CaseTriaged, case_triaged, .priority = P(3), .mode = HUMAN));
	tell(&b, B, "SD-1",
	     EVENT(PriorityRaised, priority_raised, .to = (CASE(Priority))-7, .mode = HUMAN));
	assert_int_equal(row_of(&b, "SD-1")->priority, P(3));
	tell(&b, A, "SD-1",
	     EVENT(CaseTriaged, case_triaged, .priority = (CASE(Priority))99, .mode = AUTOMATIC));
	assert_int_equal(row_of(&b, "SD-1")->priority, P(3));
	assert_int_equal(broken(&b, "SD-1", "C8"), 1);
	tell(&b, B, "SD-1", EVENT(PriorityRaised, priority_raised, .to = P(1), .mode = HUMAN));
	assert_int_equal(row_of(&b, "SD-1")->priority, P(1));
	done(&b);
}

/* Each of the fields that rules read, with a number that this build does not know: it never
 * stands above one that is known. */
#define UNKNOWN 9999

static void known_stands(struct bench *b, const char *key)
{
	tell(b, A, key, opening(CASE_TYPE(LAW)));
	tell(b, A, key, EVENT(CaseTriaged, case_triaged, .priority = P(2), .mode = HUMAN));
}

static void lower_by_who_knows_whom(struct bench *b, const char *key)
{
	tell(b, A, key,
	     EVENT(PriorityLowered, priority_lowered, .to = P(4), .mode = (CASE(Mode))UNKNOWN));
	assert_int_equal(row_of(b, key)->priority, P(2));
	assert_int_equal(broken(b, key, "C8"), 1);
}

static void close_by_who_knows_whom(struct bench *b, const char *key)
{
	tell(b, A, key,
	     EVENT(CaseClosed, case_closed, .outcome = HELPED, .mode = (CASE(Mode))UNKNOWN));
	assert_int_equal(row_of(b, key)->state, CASE_STATE(TRIAGED));
	assert_int_equal(broken(b, key, "C8"), 1);
}

static void lower_to_who_knows_what(struct bench *b, const char *key)
{
	tell(b, A, key,
	     EVENT(PriorityLowered, priority_lowered, .to = (CASE(Priority))UNKNOWN,
		   .mode = AUTOMATIC));
	assert_int_equal(row_of(b, key)->priority, P(2));
	assert_int_equal(broken(b, key, "C8"), 1);
}

static void close_for_who_knows_what(struct bench *b, const char *key)
{
	tell(b, A, key,
	     EVENT(CaseClosed, case_closed, .outcome = (CASE(Outcome))UNKNOWN,
		   .unable = (CASE(UnableReason))UNKNOWN));
	assert_int_equal(row_of(b, key)->state, CASE_STATE(CLOSED));
	assert_int_equal(broken(b, key, "C7"), 2);
}

static void agree_to_who_knows_what(struct bench *b, const char *key)
{
	tell(b, A, key, EVENT(RefusedBySubject, refused_by_subject));
	tell(b, A, key, EVENT(ConsentGiven, consent_given, .scope = (CASE(ConsentScope))UNKNOWN));
	assert_true(row_of(b, key)->help_refused);
	/* Not to agree any more is the safe side. */
	tell(b, A, key, EVENT(ConsentGiven, consent_given, .scope = 1));
	tell(b, A, key,
	     EVENT(ConsentWithdrawn, consent_withdrawn, .scope = (CASE(ConsentScope))UNKNOWN));
	assert_true(row_of(b, key)->help_refused);
}

static void be_of_who_knows_what_type(struct bench *b, const char *key)
{
	tell(b, A, key, EVENT(CaseClassified, case_classified, .type = (CASE(CaseType))UNKNOWN));
	tell(b, A, "SD-2", opening((CASE(CaseType))(2 * UNKNOWN)));
	tell(b, A, "SD-2",
	     EVENT(CaseTriaged, case_triaged, .priority = (CASE(Priority))UNKNOWN, .mode = HUMAN));
	const CASE(BoardRow) *board = board_of(b, CASE_BOARD_ALL);
	assert_int_equal(board->n_by_group, 1);
	assert_int_equal(board->by_group[0]->count, 2);
	assert_int_equal(board->n_by_priority, 1);
}

static void what_is_unknown_never_stands_above_what_is_known(void **state)
{
	static void (*const table[])(struct bench * b, const char *key) = {
		lower_by_who_knows_whom,  close_by_who_knows_whom, lower_to_who_knows_what,
		close_for_who_knows_what, agree_to_who_knows_what, be_of_who_knows_what_type,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bench b = bench();
		known_stands(&b, "SD-1");
		table[i](&b, "SD-1");
		done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_merges_and_unmerges_nothing),
		cmocka_unit_test(who_owns_it_now_merges),
		cmocka_unit_test(nobody_assigns_what_he_does_not_own),
		cmocka_unit_test(another_closes_nothing_before_it_is_opened),
		cmocka_unit_test(another_counts_consents_and_stops_no_clock),
		cmocka_unit_test(an_unknown_priority_is_never_the_highest),
		cmocka_unit_test(what_is_unknown_never_stands_above_what_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The view of cases: each invariant of the domain once kept and once broken.
 */
#include "view_case.h"

/* -- C1 -- */

static void c1_transfer_by_offer_and_accept(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", offer("T1", B));
	assert_string_equal(row_of(&b, "SD-1")->owner, A);
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(TRANSFER_OFFERED));
	tell(&b, A, "SD-1", EVENT(WorkStarted, work_started));
	tell(&b, B, "SD-1", acceptance("T1"));
	const CASE(CaseRow) *row = row_of(&b, "SD-1");
	assert_string_equal(row->owner, B);
	assert_int_equal(row->state, CASE_STATE(TRANSFERRED));
	assert_int_equal(row->n_violations, 0);
	assert_int_equal(board_of(&b, B)->cases, 1);
	fake_fold(b.fake);
	assert_null(fake_row(b.fake, CASE_KIND_BOARD, A));
	done(&b);
}

static void c1_accept_finds_its_offer_by_name(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	/* B's clock is two days slow. */
	fake_next(b.fake, B, T0 - 48 * HOUR, "SD-1", "officer-9", NULL, acceptance("T1"));
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	tell(&b, A, "SD-1", offer("T1", B));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	assert_string_equal(row_of(&b, "SD-1")->owner, B);
	done(&b);
}

static void c1_second_accept(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", offer("T1", B));
	tell(&b, A, "SD-1", offer("T2", "CN-ET-EMB"));
	tell(&b, B, "SD-1", acceptance("T1"));
	tell(&b, "CN-ET-EMB", "SD-1", acceptance("T2"));
	assert_string_equal(row_of(&b, "SD-1")->owner, B);
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	assert_int_equal(named(board_of(&b, "all")->violations_by_rule,
			       board_of(&b, "all")->n_violations_by_rule, "C1"),
			 1);
	done(&b);
}

static void c1_declined_and_withdrawn(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", offer("T1", B));
	tell(&b, B, "SD-1", EVENT(TransferDeclined, transfer_declined, .transfer = "T1"));
	tell(&b, A, "SD-1", offer("T2", B));
	tell(&b, A, "SD-1", EVENT(TransferWithdrawn, transfer_withdrawn, .transfer = "T2"));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(RECEIVED));
	tell(&b, B, "SD-1", acceptance("T2"));
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	assert_string_equal(row_of(&b, "SD-1")->owner, A);
	done(&b);
}

static void c1_move_by_another_mission(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, "HQ", "SD-1", EVENT(CaseTriaged, case_triaged, .priority = P(3), .mode = HUMAN));
	tell(&b, B, "SD-1", EVENT(NoteAdded, note_added));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	tell(&b, B, "SD-1", closing());
	assert_int_equal(broken(&b, "SD-1", "C1"), 1);
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(TRIAGED));
	assert_true(row_of(&b, "SD-1")->late[0]->not_owner);
	done(&b);
}

static void c1_two_openings_and_two_assignments(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, B, "EG-1", EVENT(NoteAdded, note_added));
	assert_int_equal(broken(&b, "EG-1", "C1"), 1);
	assert_int_equal(board_of(&b, "all")->unopened, 1);
	tell(&b, B, "EG-1", opening(CASE_TYPE(FUNDS)));
	assert_int_equal(broken(&b, "EG-1", NULL), 0);
	tell(&b, A, "EG-1", opening(CASE_TYPE(FUNDS)));
	assert_int_equal(broken(&b, "EG-1", "C1"), 1);
	tell(&b, "HQ", "SD-2", opening(CASE_TYPE(FUNDS)));
	tell(&b, "HQ", "SD-2", EVENT(CaseAssigned, case_assigned, .mission = A, .officer = NONE));
	assert_int_equal(broken(&b, "SD-2", NULL), 0);
	assert_string_equal(row_of(&b, "SD-2")->owner, A);
	tell(&b, "HQ", "SD-2", EVENT(CaseAssigned, case_assigned, .mission = B, .officer = NONE));
	assert_int_equal(broken(&b, "SD-2", "C1"), 1);
	assert_string_equal(row_of(&b, "SD-2")->owner, A);
	done(&b);
}

/* -- C3, C4, C5 -- */

static void c3_act_after_refusal(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(ARREST_DETENTION)));
	tell(&b, A, "SD-1", EVENT(VisitMade, visit_made, .institution = NONE));
	tell(&b, A, "SD-1", EVENT(RefusedBySubject, refused_by_subject));
	tell(&b, A, "SD-1", EVENT(NoteAdded, note_added));
	tell(&b, A, "SD-1", EVENT(HostReplied, host_replied, .authority = NONE, .reference = NONE));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(REFUSED_BY_SUBJECT));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	tell(&b, A, "SD-1", EVENT(VisitMade, visit_made, .institution = NONE));
	assert_int_equal(broken(&b, "SD-1", "C3"), 1);
	tell(&b, A, "SD-1", EVENT(ConsentGiven, consent_given, .scope = 1));
	tell(&b, A, "SD-1", EVENT(VisitMade, visit_made, .institution = NONE));
	assert_int_equal(broken(&b, "SD-1", "C3"), 1);
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(IN_PROGRESS));
	/* It turns out to be no detention. */
	tell(&b, A, "SD-1", EVENT(CaseClassified, case_classified, .type = CASE_TYPE(EXIT_BAN)));
	assert_int_equal(broken(&b, "SD-1", "C3"), 0);
	done(&b);
}

static void c3_disclosure_after_withdrawal(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(SENTENCE_SERVED)));
	tell(&b, A, "SD-1", EVENT(ConsentWithdrawn, consent_withdrawn, .scope = 2));
	tell(&b, A, "SD-1", EVENT(VisitMade, visit_made, .institution = NONE));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	tell(&b, A, "SD-1", EVENT(FamilyNotified, family_notified));
	assert_int_equal(broken(&b, "SD-1", "C3"), 1);
	done(&b);
}

static void c4_family_before_publication(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(DEATH_NATURAL)));
	tell(&b, A, "SD-1", EVENT(PublicationMade, publication_made, .kind = 3, .reference = NONE));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	tell(&b, A, "SD-1",
	     EVENT(PublicationMade, publication_made, .locates_person = 1, .reference = NONE));
	assert_int_equal(broken(&b, "SD-1", "C4"), 1);
	tell(&b, A, "SD-1", EVENT(FamilyNotified, family_notified));
	tell(&b, A, "SD-1",
	     EVENT(PublicationMade, publication_made, .names_person = 1, .reference = NONE));
	assert_int_equal(broken(&b, "SD-1", "C4"), 1);
	done(&b);
}

static const ProtobufCMessage *limit(const char *name, Google__Protobuf__Timestamp *due, int64_t at)
{
	static CASE(ClockStarted) event;
	consular__case__v1__clock_started__init(&event);
	google__protobuf__timestamp__init(due);
	due->seconds = at / 1000;
	event.clock = (char *)(uintptr_t)name;
	event.due_at = due;
	return (const ProtobufCMessage *)&event;
}

static void c5_breach_stays(void **state)
{
	(void)state;
	struct bench b = bench();
	Google__Protobuf__Timestamp due;
	tell(&b, A, "SD-1", opening(CASE_TYPE(ARREST_DETENTION)));
	tell(&b, A, "SD-1", limit("visit", &due, T0 + 24 * HOUR));
	tell(&b, A, "SD-1", EVENT(ClockMet, clock_met, .clock = "visit", .in_time = 1));
	assert_false(row_of(&b, "SD-1")->clocks[0]->breached);
	tell(&b, A, "SD-1", limit("notice", &due, T0 + 4 * HOUR));
	assert_string_equal(fake_cell(b.fake, CASE_KIND_CASE, "SD-1", "DUE", vl_time_from_ms(T0)),
			    "");
	row_of(&b, "SD-1");
	assert_non_null(strstr(
		fake_cell(b.fake, CASE_KIND_CASE, "SD-1", "DUE", vl_time_from_ms(T0 + 9 * HOUR)),
		"overdue"));
	b.now = T0 + 30 * HOUR;
	tell(&b, A, "SD-1", EVENT(ClockMet, clock_met, .clock = "notice"));
	const CASE(CaseRow) *row = row_of(&b, "SD-1");
	assert_true(row->clocks[1]->breached && row->clocks[1]->met_late);
	assert_int_equal(row->n_violations, 0);
	assert_int_equal(board_of(&b, "all")->breached_clocks, 1);
	tell(&b, A, "SD-1", limit("notice", &due, T0 + 90 * HOUR));
	assert_int_equal(broken(&b, "SD-1", "C5"), 1);
	tell(&b, "HQ", "SD-1", EVENT(ClockBreached, clock_breached, .clock = "visit"));
	assert_int_equal(broken(&b, "SD-1", "C5"), 2);
	assert_true(row_of(&b, "SD-1")->clocks[0]->breached);
	done(&b);
}

/* -- C6 -- */

static void c6_merge_and_unmerge(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-2", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", merge("SD-2"));
	tell(&b, A, "SD-1", merge("SD-2"));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(MERGED_INTO));
	assert_string_equal(row_of(&b, "SD-2")->merged_from[0], "SD-1");
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	const CASE(BoardRow) *board = board_of(&b, "all");
	assert_int_equal(board->incidents, 1);
	assert_int_equal(board->merged, 1);
	tell(&b, A, "SD-1", merge("SD-3"));
	assert_int_equal(broken(&b, "SD-1", "C6"), 1);
	assert_string_equal(row_of(&b, "SD-1")->merged_into, "SD-2");
	tell(&b, A, "SD-1", EVENT(CaseUnmerged, case_unmerged, .from = "SD-2"));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(RECEIVED));
	assert_int_equal(row_of(&b, "SD-2")->n_merged_from, 0);
	assert_int_equal(board_of(&b, "all")->incidents, 2);
	done(&b);
}

static void c6_circle_loses_its_latest_merge(void **state)
{
	(void)state;
	struct bench b = bench();
	for (int i = 0; i < 4; i++)
		tell(&b, A, (const char *[]){"SD-1", "SD-2", "SD-3", "SD-4"}[i],
		     opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-4", merge("SD-1"));
	tell(&b, A, "SD-3", merge("SD-1"));
	tell(&b, A, "SD-1", merge("SD-2"));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	tell(&b, "HQ", "SD-2", merge("SD-3"));
	assert_int_equal(broken(&b, "SD-2", "C6"), 1);
	assert_int_equal(
		broken(&b, "SD-1", NULL) + broken(&b, "SD-3", NULL) + broken(&b, "SD-4", NULL), 0);
	assert_int_equal(row_of(&b, "SD-2")->state, CASE_STATE(RECEIVED));
	assert_int_equal(row_of(&b, "SD-3")->n_merged_from, 0);
	assert_int_equal(row_of(&b, "SD-1")->n_merged_from, 2);
	/* Another merge is undone: the one set aside holds now. */
	tell(&b, A, "SD-1", EVENT(CaseUnmerged, case_unmerged, .from = NONE));
	assert_int_equal(broken(&b, "SD-2", NULL), 0);
	assert_int_equal(row_of(&b, "SD-2")->state, CASE_STATE(MERGED_INTO));
	tell(&b, A, "SD-1", merge("SD-1"));
	assert_int_equal(broken(&b, "SD-1", "C6"), 1);
	done(&b);
}

#define CASES 12

static const char *number(size_t i)
{
	static const char *const numbers[CASES] = {"SD-01", "SD-02", "SD-03", "SD-04",
						   "SD-05", "SD-06", "SD-07", "SD-08",
						   "SD-09", "SD-10", "SD-11", "SD-12"};
	return numbers[i];
}

static const CASE(MergeRow) *merge_row(struct bench *b, const char *key)
{
	const CASE(MergeRow) *row = (const void *)fake_row(b->fake, CASE_KIND_MERGE, key);
	return row == NULL || row->into[0] == '\0' ? NULL : row;
}

/* Walk from the case as often as there are cases; set aside where it comes back and met no merge
 * that was made later. */
static bool set_aside_naively(struct bench *b, const char *key)
{
	const CASE(MergeRow) *first = merge_row(b, key), *at = first;
	for (size_t steps = 0; at != NULL && steps < CASES; steps++) {
		if (vl_time_compare(vl_view_time(at->merged_at), vl_view_time(first->merged_at)) >
		    0)
			return false;
		if (strcmp(at->into, key) == 0)
			return true;
		at = merge_row(b, at->into);
	}
	return false;
}

static void c6_any_circles(void **state)
{
	uint64_t seed = 20230901;
	(void)state;
	struct bench b = bench();
	for (size_t round = 0; round < 120; round++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		const char *from = number((seed >> 33) % CASES),
			   *into = number((seed >> 45) % CASES);
		if ((seed >> 60) % 4 == 0)
			tell(&b, "HQ", from, EVENT(CaseUnmerged, case_unmerged, .from = NONE));
		else
			tell(&b, "HQ", from, merge(into));
		fake_fold(b.fake);
		for (size_t i = 0; i < CASES; i++)
			assert_int_equal(fake_tally(b.fake, CASE_KIND_CASE, number(i), "circle"),
					 set_aside_naively(&b, number(i)));
	}
	done(&b);
}

/* -- C7, C8, C9, C10 -- */

static void c7_closing_needs_outcome_and_contact(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", EVENT(CaseClosed, case_closed));
	assert_int_equal(broken(&b, "SD-1", "C7"), 2);
	tell(&b, A, "SD-2", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-2", EVENT(CaseClosed, case_closed, .outcome = HELPED, .unable = 1));
	assert_int_equal(broken(&b, "SD-2", NULL), 0);
	tell(&b, A, "SD-3", opening(CASE_TYPE(GUARDIANSHIP_MINOR)));
	tell(&b, A, "SD-3", contact());
	tell(&b, A, "SD-3", closing());
	assert_int_equal(broken(&b, "SD-3", "C7"), 1);
	tell(&b, A, "SD-3", EVENT(ProvinceNotified, province_notified, .province = "CN-51"));
	assert_int_equal(broken(&b, "SD-3", NULL), 0);
	done(&b);
}

static void c8_only_people_lower_and_close(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1", opening(CASE_TYPE(FUNDS)));
	tell(&b, A, "SD-1", EVENT(CaseTriaged, case_triaged, .priority = P(3), .mode = AUTOMATIC));
	tell(&b, A, "SD-1", EVENT(PriorityRaised, priority_raised, .to = P(1), .mode = AUTOMATIC));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	tell(&b, A, "SD-1",
	     EVENT(PriorityLowered, priority_lowered, .to = P(4), .mode = AUTOMATIC));
	assert_int_equal(broken(&b, "SD-1", "C8"), 1);
	assert_int_equal(row_of(&b, "SD-1")->priority, P(1));
	tell(&b, A, "SD-1", EVENT(PriorityLowered, priority_lowered, .to = P(2), .mode = HUMAN));
	tell(&b, "HQ", "SD-1", EVENT(PriorityRaised, priority_raised, .to = P(3), .mode = HUMAN));
	assert_int_equal(row_of(&b, "SD-1")->priority, P(2));
	tell(&b, A, "SD-1", contact());
	tell(&b, A, "SD-1", EVENT(CaseClosed, case_closed, .outcome = HELPED, .mode = AUTOMATIC));
	assert_int_equal(broken(&b, "SD-1", "C8"), 2);
	assert_int_not_equal(row_of(&b, "SD-1")->state, CASE_STATE(CLOSED));
	done(&b);
}

static void c9_incidents_are_consultations_and_cases(void **state)
{
	(void)state;
	struct bench b = bench();
	tell(&b, A, "SD-1",
	     EVENT(ConsultationRecorded, consultation_recorded, .topic = 900,
		   .host_country = "SD"));
	tell(&b, A, "SD-2",
	     EVENT(ConsultationRecorded, consultation_recorded, .topic = 900,
		   .host_country = "SD"));
	tell(&b, A, "SD-2", opening(CASE_TYPE(LABOUR_DISPUTE)));
	tell(&b, B, "EG-1", opening(CASE_TYPE(DOCUMENT)));
	assert_int_equal(row_of(&b, "SD-1")->state, CASE_STATE(CONSULTATION_ONLY));
	assert_int_equal(row_of(&b, "SD-2")->state, CASE_STATE(RECEIVED));
	const CASE(BoardRow) *all = board_of(&b, "all");
	assert_int_equal(all->incidents, 3);
	assert_int_equal(all->consultations, 1);
	assert_int_equal(all->cases, 2);
	assert_int_equal(all->persons, 7);
	assert_int_equal(all->n_violations, 0);
	assert_int_equal(named(all->by_group, all->n_by_group, "0100 RIGHTS"), 1);
	assert_int_equal(named(all->by_group, all->n_by_group, "1000 DOCUMENT"), 1);
	assert_int_equal(named(all->by_state, all->n_by_state, "RECEIVED"), 2);
	assert_int_equal(board_of(&b, B)->cases, 1);
	done(&b);
}

static void c10_abroad_needs_consent(void **state)
{
	(void)state;
	struct bench b = bench();
	CASE(ActPlace) place = CONSULAR__CASE__V1__ACT_PLACE__INIT;
	tell(&b, A, "SD-1", opening(CASE_TYPE(ARREST_DETENTION)));
	place.jurisdiction = CONSULAR__CASE__V1__JURISDICTION__JURISDICTION_OWN_DISTRICT;
	tell(&b, A, "SD-1", EVENT(VisitMade, visit_made, .institution = NONE, .place = &place));
	place.jurisdiction = CONSULAR__CASE__V1__JURISDICTION__JURISDICTION_THIRD_STATE;
	place.consent_reference = (char *)(uintptr_t) "TD-NOTE-12";
	tell(&b, A, "SD-1",
	     EVENT(CrossDistrictConsentObtained, cross_district_consent_obtained,
		   .reference = "TD-NOTE-12", .country = "TD"));
	tell(&b, A, "SD-1",
	     EVENT(HearingAttended, hearing_attended, .court = NONE, .place = &place));
	assert_int_equal(broken(&b, "SD-1", NULL), 0);
	assert_string_equal(row_of(&b, "SD-1")->consents[0], "TD-NOTE-12");
	place.consent_reference = NONE;
	tell(&b, A, "SD-1",
	     EVENT(HearingAttended, hearing_attended, .court = NONE, .place = &place));
	assert_int_equal(broken(&b, "SD-1", "C10"), 1);
	done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c1_transfer_by_offer_and_accept),
		cmocka_unit_test(c1_accept_finds_its_offer_by_name),
		cmocka_unit_test(c1_second_accept),
		cmocka_unit_test(c1_declined_and_withdrawn),
		cmocka_unit_test(c1_move_by_another_mission),
		cmocka_unit_test(c1_two_openings_and_two_assignments),
		cmocka_unit_test(c3_act_after_refusal),
		cmocka_unit_test(c3_disclosure_after_withdrawal),
		cmocka_unit_test(c4_family_before_publication),
		cmocka_unit_test(c5_breach_stays),
		cmocka_unit_test(c6_merge_and_unmerge),
		cmocka_unit_test(c6_circle_loses_its_latest_merge),
		cmocka_unit_test(c6_any_circles),
		cmocka_unit_test(c7_closing_needs_outcome_and_contact),
		cmocka_unit_test(c8_only_people_lower_and_close),
		cmocka_unit_test(c9_incidents_are_consultations_and_cases),
		cmocka_unit_test(c10_abroad_needs_consent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

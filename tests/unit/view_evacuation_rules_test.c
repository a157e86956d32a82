/*
 * The evacuation view: rules E1 to E11, each broken and kept.
 */
#include "view_evacuation.h"

/* -- E1 -- */

static void test_e1_every_human_stands_somewhere(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	EV(DispositionCount) home = CONSULAR__EVACUATION__V1__DISPOSITION_COUNT__INIT,
			     missing = home;
	home.disposition = DISPOSITION(HOME);
	home.count = 2;
	missing.disposition = DISPOSITION(MISSING);
	missing.count = 1;
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	enrol(fake, "P-3", STANDING(NATIONAL), "");
	board(fake, 10, "P-4", SHIP);
	dispose(fake, 20, "P-1", DISPOSITION(HOME));
	SEND(fake, EMBASSY, 30, OP, SituationStated, situation_stated, .operation = OP,
	     .persons = 3, .n_counts = 2, .counts = (EV(DispositionCount) *[]){&home, &missing});
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->persons, 4);
	assert_int_equal(row->home, 1);
	assert_int_equal(row->standing_unknown, 1);
	assert_int_equal(by_disposition(row, DISPOSITION(REGISTERED)), 2);
	assert_int_equal(by_disposition(row, DISPOSITION(IN_TRANSIT)), 1);
	assert_int_equal(broken(row, "E1"), 0);
	SEND(fake, EMBASSY, 40, OP, SituationStated, situation_stated, .operation = OP,
	     .persons = 4, .n_counts = 2, .counts = (EV(DispositionCount) *[]){&home, &missing});
	assert_int_equal(broken(operation_row(fake), "E1"), 1);
	settle(fake);
}

/* -- E2 -- */

static struct fake *closed_leg(void)
{
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 10);
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	board(fake, 10, "P-1", SHIP);
	board(fake, 10, "P-2", SHIP);
	depart(fake, SHIP, 20);
	SEND(fake, DOCK, 30, "P-3", BirthRecorded, birth_recorded, .person = "P-3", .leg = SHIP,
	     .operation = OP, .mother = "P-1", .standing = STANDING(NATIONAL));
	SEND(fake, DOCK, 40, "P-2", DeathRecorded, death_recorded, .person = "P-2", .leg = SHIP,
	     .operation = OP);
	pass(fake, JEDDAH, 50, "P-1", SHIP, CHECKPOINT(DISEMBARKED));
	return fake;
}

static void test_e2_a_closed_leg_adds_up(void **state)
{
	(void)state;
	struct fake *fake = closed_leg();
	EV(LegCount) stated = CONSULAR__EVACUATION__V1__LEG_COUNT__INIT;
	stated.boarded = 2;
	stated.born = stated.died = stated.disembarked = stated.aboard = 1;
	close_leg(fake, SHIP, 60, &stated);
	const EV(LegRow) *row = leg_row(fake, SHIP);
	assert_int_equal(row->boarded, 2);
	assert_int_equal(row->born, 1);
	assert_int_equal(row->died, 1);
	assert_int_equal(row->disembarked, 1);
	assert_int_equal(row->aboard, 1);
	assert_int_equal(fake_violations(&row->base, NULL), 0);
	assert_int_equal(operation_row(fake)->persons, 3);
	settle(fake);
}

static void test_e2_broken(void **state)
{
	(void)state;
	struct fake *fake = closed_leg();
	pass(fake, JEDDAH, 55, "P-9", SHIP, CHECKPOINT(DISEMBARKED));
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 0); /* only after close */
	close_leg(fake, SHIP, 60, NULL);
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 1);
	assert_int_equal(broken(operation_row(fake), "E2"), 1);
	board(fake, 15, "P-9", SHIP); /* the dock's list, late */
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 0);
	EV(LegCount) stated = CONSULAR__EVACUATION__V1__LEG_COUNT__INIT;
	stated.boarded = 7;
	close_leg(fake, SHIP, 61, &stated);
	/* does not add up; is not what was counted */
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 2);
	settle(fake);
}

static void test_e2_nobody_aboard_a_cancelled_leg(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 10);
	SEND(fake, DOCK, 2, SHIP, LegOpened, leg_opened, .leg = SHIP, .operation = OP);
	SEND(fake, DOCK, 30, SHIP, LegCancelled, leg_cancelled, .leg = SHIP, .operation = OP);
	assert_int_equal(leg_breaks(fake, SHIP, NULL), 0);
	board(fake, 10, "P-1", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 1);
	pass(fake, DOCK, 31, "P-1", SHIP, CHECKPOINT(OFFLOADED));
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 0);
	settle(fake);
}

/* -- E3, E4 -- */

static void test_e3_one_open_leg_at_a_time(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, "L-1", "Port Sudan", ZONE(ASSEMBLY), 0);
	plan(fake, "L-2", "Jeddah", ZONE(STAGING), 0);
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	board(fake, 10, "P-1", "L-1");
	assert_int_equal(fake_violations(&person_row(fake, "P-1")->base, "E3"), 0);
	board(fake, 20, "P-1", "L-2");
	assert_int_equal(fake_violations(&person_row(fake, "P-1")->base, "E3"), 1);
	assert_int_equal(leg_breaks(fake, "L-1", "E3"), 1);
	assert_int_equal(leg_breaks(fake, "L-2", "E3"), 1);
	assert_int_equal(broken(operation_row(fake), "E3"), 1);
	assert_int_equal(operation_row(fake)->in_transit, 1);
	close_leg(fake, "L-1", 30, NULL); /* closing alone ends it: the person is folded again */
	assert_int_equal(fake_violations(&person_row(fake, "P-1")->base, "E3"), 0);
	assert_int_equal(leg_breaks(fake, "L-2", "E3"), 0);
	settle(fake);
}

static void test_e4_capacity_and_its_override(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 2);
	board(fake, 10, "P-1", SHIP);
	board(fake, 11, "P-2", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 0);
	board(fake, 12, "P-3", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 1);
	assert_int_equal(broken(operation_row(fake), "E4"), 1);
	SEND(fake, DOCK, 2, SHIP, LegOpened, leg_opened, .leg = SHIP, .operation = OP);
	SEND(fake, DOCK, 13, SHIP, CapacityOverridden, capacity_overridden, .leg = SHIP,
	     .operation = OP, .allowed = 3);
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 0);
	board(fake, 14, "P-4", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 1);
	pass(fake, DOCK, 15, "P-4", SHIP, CHECKPOINT(OFFLOADED));
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 0);
	assert_int_equal(leg_row(fake, SHIP)->offloaded, 1);
	settle(fake);
}

/* -- E5 -- */

static void test_e5_a_minor_boards_with_a_guardian(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	enrol_in(fake, "P-1", "F-1", true, MEMBER);
	enrol_in(fake, "P-2", "F-1", false, GUARDIAN);
	enrol_in(fake, "P-3", "F-1", false, MEMBER);
	board(fake, 10, "P-1", SHIP);
	board(fake, 10, "P-3", SHIP);
	/* an adult of the party who is no guardian will not do */
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 1);
	assert_int_equal(broken(operation_row(fake), "E5"), 1);
	board(fake, 12, "P-2", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 0);
	pass(fake, DOCK, 13, "P-2", SHIP, CHECKPOINT(OFFLOADED));
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 1);
	SEND(fake, DOCK, 14, "P-1", GuardianOverridden, guardian_overridden, .person = "P-1",
	     .leg = SHIP, .operation = OP);
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 0);
	assert_int_equal(broken(operation_row(fake), "E5"), 0);
	settle(fake);
}

static void test_e5_a_minor_without_a_party(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol_in(fake, "P-1", "", true, MEMBER);
	board(fake, 10, "P-1", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 1);
	assert_int_equal(broken(operation_row(fake), "E5"), 1);
	SEND(fake, EMBASSY, 11, "P-1", PartyJoined, party_joined, .person = "P-1", .party = "F-1",
	     .role = MEMBER);
	enrol_in(fake, "P-2", "F-1", false, GUARDIAN);
	board(fake, 12, "P-2", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 0);
	settle(fake);
}

static void test_e5_a_guardian_under_two_references(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol_in(fake, "P-1", "F-1", true, MEMBER);
	enrol_in(fake, "P-2", "F-1", false, GUARDIAN);
	enrol(fake, "P-3", STANDING(NATIONAL), "");
	board(fake, 10, "P-1", SHIP);
	board(fake, 10, "P-3", SHIP); /* the same woman, registered again at the dock */
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 1);
	merge(fake, 11, "P-3", "P-2");
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 0);
	settle(fake);
}

/* -- E6 -- */

static void test_e6_two_references_one_head(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	board(fake, 10, "P-1", SHIP);
	board(fake, 11, "P-2", SHIP);
	assert_int_equal(leg_row(fake, SHIP)->boarded, 2);
	merge(fake, 12, "P-2", "P-1");
	assert_int_equal(leg_row(fake, SHIP)->boarded, 1);
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->persons, 1);
	assert_int_equal(row->duplicates, 1);
	assert_int_equal(row->in_transit, 1);
	assert_int_equal(row->violations_total, 0);
	assert_int_equal(person_row(fake, "P-2")->disposition, DISPOSITION(DUPLICATE_OF));
	assert_string_equal(person_row(fake, "P-2")->duplicate_of, "P-1");
	/* What is said of the merged reference is said of the human, also of one merged into it
	 * in turn. */
	merge(fake, 13, "P-3", "P-2");
	pass(fake, JEDDAH, 14, "P-3", SHIP, CHECKPOINT(DISEMBARKED));
	assert_int_equal(leg_row(fake, SHIP)->disembarked, 1);
	assert_int_equal(leg_row(fake, SHIP)->aboard, 0);
	assert_int_equal(person_row(fake, "P-1")->n_references, 3);
	unmerge(fake, 15, "P-2", "P-1");
	assert_int_equal(leg_row(fake, SHIP)->boarded, 2);
	assert_int_equal(leg_row(fake, SHIP)->aboard, 1);
	assert_int_equal(operation_row(fake)->persons, 2);
	settle(fake);
}

static void test_e6_circles_and_two_parents(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	enrol(fake, "P-3", STANDING(NATIONAL), "");
	merge(fake, 10, "P-1", "P-2");
	merge(fake, 11, "P-2", "P-1");
	merge(fake, 12, "P-1", "P-3");
	merge(fake, 13, "P-3", "P-3");
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->persons, 2);
	assert_int_equal(row->duplicates, 1);
	assert_int_equal(fake_violations(fake_row(fake, EVACUATION_MERGES, EVACUATION_ALL), "E6"),
			 3);
	assert_int_equal(broken(row, "E6"), 3);
	unmerge(fake, 20, "P-1", "P-2"); /* now the second and the third hold: P-2 -> P-1 -> P-3 */
	row = operation_row(fake);
	assert_int_equal(row->persons, 1);
	assert_string_equal(person_row(fake, "P-2")->duplicate_of, "P-3");
	assert_int_equal(broken(row, "E6"), 1);
	settle(fake);
}

static void test_e6_only_a_merge_makes_a_duplicate(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	dispose(fake, 10, "P-1", DISPOSITION(DUPLICATE_OF));
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(REGISTERED));
	assert_int_equal(operation_row(fake)->persons, 1);
	assert_int_equal(broken(operation_row(fake), "E6"), 1);
	settle(fake);
}

/* -- E7 -- */

static void test_e7_foreign_nationals_apart(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(FOREIGN), "BR");
	board(fake, 10, "P-1", SHIP);
	board(fake, 10, "P-2", SHIP);
	board(fake, 10, "P-3", SHIP);
	assert_string_equal((leg_row(fake, SHIP),
			     fake_cell(fake, EVACUATION_LEG, SHIP, "BOARDED", (struct vl_time){0})),
			    "3 (1 + 1 + 1?)");
	assert_int_equal(broken(operation_row(fake), "E7"), 0);
	enrol(fake, "P-3", STANDING(FOREIGN), "");
	assert_int_equal(broken(operation_row(fake), "E7"), 1);
	assert_int_equal(leg_breaks(fake, SHIP, "E7"), 1);
	assert_int_equal(leg_row(fake, SHIP)->boarded_foreign, 2);
	assert_string_equal(operation_row(fake)->foreign_by_state[0]->state, "?");
	enrol(fake, "P-3", STANDING(FOREIGN), "PK");
	assert_int_equal(broken(operation_row(fake), "E7"), 0);
	merge(fake, 20, "P-3", "P-1");
	assert_int_equal(broken(operation_row(fake), "E7"), 1); /* one human, two nationalities */
	settle(fake);
}

/* -- E8 -- */

static void write_down(struct fake *fake, int64_t minute, char *person, EV(Disposition) disposition)
{
	SEND(fake, EMBASSY, minute, person, DispositionWritten, disposition_written,
	     .person = person, .operation = OP, .disposition = disposition,
	     .reference = "note 12/2023");
}

static void test_e8_nobody_is_left_when_it_closes(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	dispose(fake, 10, "P-1", DISPOSITION(HOME));
	dispose(fake, 10, "P-2", DISPOSITION(MISSING));
	assert_int_equal(broken(operation_row(fake), "E8"), 0); /* still open */
	SEND(fake, "HQ", 20, OP, OperationClosed, operation_closed, .operation = OP);
	assert_int_equal(broken(operation_row(fake), "E8"), 1);
	write_down(fake, 21, "P-2", DISPOSITION(MISSING));
	assert_int_equal(broken(operation_row(fake), "E8"), 0);
	SEND(fake, EMBASSY, 22, "P-3", WishRecorded, wish_recorded, .person = "P-3",
	     .operation = OP, .wish = CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE);
	/* in writing, but not where the person stands */
	write_down(fake, 23, "P-3", DISPOSITION(MISSING));
	assert_int_equal(broken(operation_row(fake), "E8"), 1);
	SEND(fake, "HQ", 30, OP, OperationReopened, operation_reopened, .operation = OP);
	assert_int_equal(broken(operation_row(fake), "E8"), 0);
	assert_int_equal(operation_row(fake)->n_unsettled, 1);
	settle(fake);
}

/* -- E9: two docks, two clocks -- */

static void test_e9_a_wrong_clock_keeps_nobody_aboard(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	board(fake, 500, "P-1", SHIP);
	pass(fake, JEDDAH, 100, "P-1", SHIP, CHECKPOINT(DISEMBARKED));
	const EV(LegRow) *row = leg_row(fake, SHIP);
	assert_int_equal(row->boarded, 1);
	assert_int_equal(row->disembarked, 1);
	assert_int_equal(row->aboard, 0);
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(AT_STAGING));
	settle(fake);
}

/* -- E10 -- */

static void test_e10_three_figures(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	SEND(fake, EMBASSY, 0, OP, EstimateMade, estimate_made, .operation = OP,
	     .measure = MEASURE(PRESENT), .value = 1500, .qualifier = QUALIFIER(AT_LEAST),
	     .basis = "registrations and employers");
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	dispose(fake, 10, "P-1", DISPOSITION(HOME));
	report(fake, 20, "", MEASURE(OUT), 1, QUALIFIER(EXACT));
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->estimates[0]->value, 1500);
	assert_int_equal(row->estimates[0]->difference, -1498);
	assert_int_equal(row->reports[0]->value, 1);
	assert_int_equal(row->out, 1);
	assert_int_equal(broken(row, "E10"), 0);
	report(fake, 30, "", MEASURE(OUT), 3, QUALIFIER(AT_LEAST));
	row = operation_row(fake);
	assert_int_equal(row->reports[0]->difference, -2);
	assert_int_equal(row->out, 1); /* shown, never adjusted */
	assert_int_equal(broken(row, "E10"), 1);
	assert_string_equal(
		fake_cell(fake, EVACUATION_OPERATION, OP, "PRESENT EST", (struct vl_time){0}),
		"1500+");
	assert_string_equal(
		fake_cell(fake, EVACUATION_OPERATION, OP, "DIFFERENCE", (struct vl_time){0}), "-2");
	report(fake, 40, "", MEASURE(OUT), 3, QUALIFIER(ABOUT));
	assert_int_equal(broken(operation_row(fake), "E10"), 0);
	settle(fake);
}

static void test_e10_of_a_leg(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	board(fake, 10, "P-1", SHIP);
	board(fake, 10, "P-2", SHIP);
	report(fake, 20, SHIP, MEASURE(BOARDED), 1, QUALIFIER(EXACT));
	/* yesterday's figure, boarding goes on */
	assert_int_equal(leg_breaks(fake, SHIP, "E10"), 0);
	depart(fake, SHIP, 30);
	assert_int_equal(leg_breaks(fake, SHIP, "E10"), 1);
	assert_int_equal(leg_row(fake, SHIP)->reports[0]->difference, 1);
	report(fake, 40, SHIP, MEASURE(BOARDED), 2, QUALIFIER(EXACT));
	assert_int_equal(leg_breaks(fake, SHIP, "E10"), 0);
	settle(fake);
}

/* -- E11 -- */

static void correct(struct fake *fake, int64_t minute, int64_t change)
{
	SEND(fake, "HQ", minute, OP, CumulativeOutCorrected, cumulative_out_corrected,
	     .operation = OP, .change = change, .reason = "counted twice",
	     .approved_by = "officer-9");
}

static void test_e11_out_falls_only_by_correction(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	report(fake, 10, "", MEASURE(OUT), 1100, QUALIFIER(AT_LEAST));
	report(fake, 20, "", MEASURE(OUT), 1300, QUALIFIER(AT_LEAST));
	assert_int_equal(broken(operation_row(fake), "E11"), 0);
	report(fake, 30, "", MEASURE(OUT), 1288, QUALIFIER(EXACT));
	assert_int_equal(broken(operation_row(fake), "E11"), 1);
	correct(fake, 31, -11);
	assert_int_equal(broken(operation_row(fake), "E11"), 1);
	correct(fake, 32, -1);
	assert_int_equal(broken(operation_row(fake), "E11"), 0);
	assert_int_equal(operation_row(fake)->out_correction, -12);
	settle(fake);
}

static void test_e11_offloaded_after_departure(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	board(fake, 10, "P-1", SHIP);
	assert_int_equal(operation_row(fake)->out, 0);
	depart(fake, SHIP, 20); /* nothing but the leg has changed, and yet the person is out */
	assert_int_equal(operation_row(fake)->out, 1);
	pass(fake, DOCK, 30, "P-1", SHIP, CHECKPOINT(OFFLOADED));
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->out, 1);
	assert_int_equal(broken(row, "E11"), 1);
	assert_int_equal(leg_row(fake, SHIP)->boarded, 0);
	correct(fake, 40, -1);
	row = operation_row(fake);
	assert_int_equal(row->out_counted, 1);
	assert_int_equal(row->out, 0);
	assert_int_equal(broken(row, "E11"), 0);
	settle(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_e1_every_human_stands_somewhere),
		cmocka_unit_test(test_e2_a_closed_leg_adds_up),
		cmocka_unit_test(test_e2_broken),
		cmocka_unit_test(test_e2_nobody_aboard_a_cancelled_leg),
		cmocka_unit_test(test_e3_one_open_leg_at_a_time),
		cmocka_unit_test(test_e4_capacity_and_its_override),
		cmocka_unit_test(test_e5_a_minor_boards_with_a_guardian),
		cmocka_unit_test(test_e5_a_minor_without_a_party),
		cmocka_unit_test(test_e5_a_guardian_under_two_references),
		cmocka_unit_test(test_e6_two_references_one_head),
		cmocka_unit_test(test_e6_circles_and_two_parents),
		cmocka_unit_test(test_e6_only_a_merge_makes_a_duplicate),
		cmocka_unit_test(test_e7_foreign_nationals_apart),
		cmocka_unit_test(test_e8_nobody_is_left_when_it_closes),
		cmocka_unit_test(test_e9_a_wrong_clock_keeps_nobody_aboard),
		cmocka_unit_test(test_e10_three_figures),
		cmocka_unit_test(test_e10_of_a_leg),
		cmocka_unit_test(test_e11_out_falls_only_by_correction),
		cmocka_unit_test(test_e11_offloaded_after_departure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

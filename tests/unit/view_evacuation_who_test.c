/*
 * Who may say what of an evacuation (E12): another's attempt changes nothing that people act on,
 * whether it comes before or after it is known whose the operation or the leg is. And an event
 * that names nothing belongs to what its subject says.
 */
#include "view_evacuation.h"

#define STRANGER "CN-TH-EMB"

static const EV(OperationRow) *operation_of(struct fake *fake, const char *key)
{
	fake_fold(fake);
	return (const EV(OperationRow) *)fake_row(fake, EVACUATION_OPERATION, key);
}

static unsigned e12(struct fake *fake, unsigned kind, const char *key)
{
	fake_fold(fake);
	return fake_violations(fake_row(fake, kind, key), "E12");
}

static void end_operation(struct fake *fake, int64_t minute)
{
	SEND(fake, STRANGER, minute, OP, OperationClosed, operation_closed, .operation = OP);
	SEND(fake, STRANGER, minute + 1, OP, CumulativeOutCorrected, cumulative_out_corrected,
	     .operation = OP, .change = -900);
	SEND(fake, STRANGER, minute + 2, OP, OperationOpened, operation_opened, .operation = OP,
	     .title = "nothing", .lead = STRANGER);
	SEND(fake, STRANGER, minute + 3, OP, OperationClosed, operation_closed, .operation = OP);
	SEND(fake, STRANGER, minute + 4, "SD", CrisisEnded, crisis_ended, .crisis = "SD");
}

static void test_operation(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		struct fake *fake = fake_open(&vl_view_evacuation);
		if (before)
			end_operation(fake, -500);
		SEND(fake, "HQ", 0, "SD", CrisisDeclared, crisis_declared, .crisis = "SD",
		     .title = "Sudan");
		SEND(fake, "HQ", 0, OP, OperationOpened, operation_opened, .operation = OP,
		     .crisis = "SD", .title = "Evacuation", .lead = EMBASSY);
		if (!before)
			end_operation(fake, 500);
		const EV(OperationRow) *row = operation_of(fake, OP);
		assert_int_equal(row->status, OPERATION_STATUS(OPEN));
		assert_string_equal(row->title, "Evacuation");
		assert_int_equal(row->out_correction, 0);
		assert_int_equal(e12(fake, EVACUATION_OPERATION, OP), 4);
		assert_int_equal(e12(fake, EVACUATION_CRISIS, "SD"), 1);
		/* Who leads it may. */
		SEND(fake, EMBASSY, 900, OP, OperationClosed, operation_closed, .operation = OP);
		assert_int_equal(operation_of(fake, OP)->status, OPERATION_STATUS(CLOSED));
		SEND(fake, STRANGER, 901, OP, OperationReopened, operation_reopened,
		     .operation = OP);
		assert_int_equal(operation_of(fake, OP)->status, OPERATION_STATUS(CLOSED));
		SEND(fake, "HQ", 902, OP, OperationReopened, operation_reopened, .operation = OP);
		assert_int_equal(operation_of(fake, OP)->status, OPERATION_STATUS(REOPENED));
		settle(fake);
	}
}

static void spoil_leg(struct fake *fake, int64_t minute)
{
	SEND(fake, STRANGER, minute, SHIP, LegCancelled, leg_cancelled, .leg = SHIP,
	     .operation = OP);
	SEND(fake, STRANGER, minute, SHIP, CapacityOverridden, capacity_overridden, .leg = SHIP,
	     .operation = OP, .allowed = 9000);
	SEND(fake, STRANGER, minute, SHIP, ManifestSealed, manifest_sealed, .leg = SHIP,
	     .operation = OP, .expected = 9000);
}

static void test_leg(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		struct fake *fake = open_operation();
		if (before)
			spoil_leg(fake, -500);
		plan(fake, SHIP, "Jeddah", ZONE(STAGING), 10);
		if (!before)
			spoil_leg(fake, 500);
		SEND(fake, STRANGER, 501, SHIP, LegPlanned, leg_planned, .leg = SHIP,
		     .operation = OP, .capacity = 1);
		fake_fold(fake);
		const EV(LegRow) *leg = (const EV(LegRow) *)fake_row(fake, EVACUATION_LEG, SHIP);
		assert_int_equal(leg->status, LEG_STATUS(PLANNED));
		assert_int_equal(leg->capacity, 10);
		assert_int_equal(leg->allowed, 0);
		assert_int_equal(leg->expected, 0);
		assert_int_equal(e12(fake, EVACUATION_LEG, SHIP), 4);
		SEND(fake, EMBASSY, 502, SHIP, LegCancelled, leg_cancelled, .leg = SHIP,
		     .operation = OP);
		fake_fold(fake);
		assert_int_equal(((const EV(LegRow) *)fake_row(fake, EVACUATION_LEG, SHIP))->status,
				 LEG_STATUS(CANCELLED));
		settle(fake);
	}
}

static void steal_persons(struct fake *fake, int64_t minute)
{
	/* One is the embassy's, one its own; then both the embassy's; then one that nobody has
	 * registered. */
	SEND(fake, STRANGER, minute, "P-1", PersonsMerged, persons_merged, .person = "P-1",
	     .kept = "X-1");
	SEND(fake, STRANGER, minute, "P-2", PersonsMerged, persons_merged, .person = "P-2",
	     .kept = "P-1");
	SEND(fake, STRANGER, minute, "P-9", PersonsMerged, persons_merged, .person = "P-9",
	     .kept = "X-1");
	SEND(fake, STRANGER, minute, "X-1", PersonsMerged, persons_merged, .person = "X-1",
	     .kept = "P-1");
}

/* A merge hides somebody under another reference: of both somebody else's, of one, and of one
 * not registered yet. */
static void test_merge(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		struct fake *fake = open_operation();
		if (before)
			steal_persons(fake, -500);
		enrol(fake, "P-1", STANDING(NATIONAL), "");
		enrol(fake, "P-2", STANDING(NATIONAL), "");
		board(fake, 2, "P-9", SHIP);
		SEND(fake, STRANGER, 3, "X-1", PersonRegistered, person_registered, .person = "X-1",
		     .operation = OP, .standing = STANDING(NATIONAL));
		SEND(fake, STRANGER, 4, "X-2", PersonRegistered, person_registered, .person = "X-2",
		     .operation = OP, .standing = STANDING(NATIONAL));
		if (!before)
			steal_persons(fake, 500);
		/* To register somebody again makes him nobody else's. */
		SEND(fake, STRANGER, 501, "P-2", PersonRegistered, person_registered,
		     .person = "P-2", .operation = OP, .standing = STANDING(NATIONAL));
		assert_int_equal(operation_of(fake, OP)->persons, 5);
		assert_int_equal(e12(fake, EVACUATION_MERGES, EVACUATION_ALL), 4);
		/* Of its own it may; and an attempt is not in the owner's way. */
		SEND(fake, STRANGER, 502, "X-2", PersonsMerged, persons_merged, .person = "X-2",
		     .kept = "X-1");
		SEND(fake, EMBASSY, 503, "P-2", PersonsMerged, persons_merged, .person = "P-2",
		     .kept = "P-1");
		assert_int_equal(operation_of(fake, OP)->persons, 3);
		SEND(fake, "HQ", 504, "P-9", PersonsMerged, persons_merged, .person = "P-9",
		     .kept = "X-1");
		assert_int_equal(operation_of(fake, OP)->persons, 2);
		assert_int_equal(e12(fake, EVACUATION_MERGES, EVACUATION_ALL), 4);
		settle(fake);
	}
}

static void seal(struct fake *fake, const char *mission, int64_t minute)
{
	char *persons[] = {"P-1", "Y-1"};
	SEND(fake, mission, minute, SHIP, ManifestSealed, manifest_sealed, .leg = SHIP,
	     .operation = OP, .expected = 2, .n_persons = 2, .persons = persons);
}

/* A stranger's list puts nobody on the leg, lets nobody miss it, and makes no heads. */
static void test_manifest(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		struct fake *fake = open_operation();
		if (before)
			seal(fake, STRANGER, -500);
		plan(fake, SHIP, "Jeddah", ZONE(STAGING), 10);
		enrol(fake, "P-1", STANDING(NATIONAL), "");
		board(fake, 20, "P-2", SHIP);
		depart(fake, SHIP, 30);
		if (!before)
			seal(fake, STRANGER, 500);
		assert_int_equal(operation_of(fake, OP)->persons, 2);
		const EV(LegRow) *leg = leg_row(fake, SHIP);
		assert_int_equal(leg->expected_named, 0);
		assert_int_equal(leg->unlisted, 0);
		assert_int_equal(leg->no_shows, 0);
		assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(REGISTERED));
		assert_int_equal(e12(fake, EVACUATION_LEG, SHIP), 1);
		/* The same list from whose leg it is. */
		seal(fake, EMBASSY, 501);
		assert_int_equal(operation_of(fake, OP)->persons, 3);
		leg = leg_row(fake, SHIP);
		assert_int_equal(leg->expected_named, 2);
		assert_int_equal(leg->unlisted, 1);
		assert_int_equal(leg->no_shows, 2);
		settle(fake);
	}
}

/* -- numbers that this build does not know -- */

#define UNKNOWN 9999

static void land_nowhere(struct fake *fake)
{
	plan(fake, SHIP, "Nowhere", (EV(PlaceZone))UNKNOWN, 10);
	board(fake, 20, "P-1", SHIP);
	depart(fake, SHIP, 30);
	pass(fake, JEDDAH, 40, "P-1", SHIP, CHECKPOINT(DISEMBARKED));
	assert_false(person_row(fake, "P-1")->out);
}

static void stay_nowhere(struct fake *fake)
{
	EV(Place) nowhere = place("Nowhere", (EV(PlaceZone))UNKNOWN);
	char *one[] = {"P-1"};
	SEND(fake, EMBASSY, 10, OP, StagingArrivalRecorded, staging_arrival_recorded,
	     .operation = OP, .area = &nowhere, .n_persons = 1, .persons = one);
	assert_false(person_row(fake, "P-1")->out);
}

static void stand_nowhere(struct fake *fake)
{
	dispose(fake, 10, "P-1", DISPOSITION(AT_STAGING));
	dispose(fake, 11, "P-1", (EV(Disposition))UNKNOWN);
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(AT_STAGING));
}

static void pass_nothing(struct fake *fake)
{
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 10);
	board(fake, 20, "P-1", SHIP);
	pass(fake, JEDDAH, 40, "P-1", SHIP, (EV(Checkpoint))UNKNOWN);
	assert_int_equal(leg_row(fake, SHIP)->aboard, 1);
	assert_int_equal(person_row(fake, "P-1")->legs[0]->checkpoint, CHECKPOINT(BOARDED));
}

static void want_nothing(struct fake *fake)
{
	SEND(fake, EMBASSY, 10, "P-1", WishRecorded, wish_recorded, .person = "P-1",
	     .operation = OP, .wish = CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE);
	SEND(fake, EMBASSY, 11, "P-1", WishRecorded, wish_recorded, .person = "P-1",
	     .operation = OP, .wish = (EV(Wish))UNKNOWN);
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(WISHES_TO_LEAVE));
}

static void be_somewhere(struct fake *fake)
{
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	merge(fake, 10, "P-2", "P-1");
	SEND(fake, EMBASSY, 11, "P-1", WhereaboutsNoted, whereabouts_noted, .person = "P-1",
	     .operation = OP, .whereabouts = (EV(Whereabouts))UNKNOWN);
	SEND(fake, EMBASSY, 12, "P-2", WhereaboutsNoted, whereabouts_noted, .person = "P-2",
	     .operation = OP,
	     .whereabouts = CONSULAR__EVACUATION__V1__WHEREABOUTS__WHEREABOUTS_BELIEVED_MISSING);
	assert_int_equal(person_row(fake, "P-1")->whereabouts,
			 CONSULAR__EVACUATION__V1__WHEREABOUTS__WHEREABOUTS_BELIEVED_MISSING);
}

static void be_of_another_state(struct fake *fake)
{
	enrol(fake, "P-3", (EV(Standing))UNKNOWN, "");
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->nationals, 1);
	assert_int_equal(row->standing_unknown, 1);
}

static void be_counted(struct fake *fake)
{
	report(fake, 10, "", (EV(Measure))UNKNOWN, 900, (EV(Qualifier))UNKNOWN);
	report(fake, 11, "", MEASURE(OUT), 900, QUALIFIER(ABOUT));
	assert_int_equal(broken(operation_row(fake), "E10"), 0);
}

static void test_unknown_numbers(void **state)
{
	static void (*const table[])(struct fake * fake) = {
		land_nowhere, stay_nowhere, stand_nowhere,       pass_nothing,
		want_nothing, be_somewhere, be_of_another_state, be_counted,
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fake *fake = open_operation();
		enrol(fake, "P-1", STANDING(NATIONAL), "");
		table[i](fake);
		settle(fake);
	}
}

static void test_unmerge(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	SEND(fake, EMBASSY, 5, "P-2", PersonsMerged, persons_merged, .person = "P-2",
	     .kept = "P-1");
	SEND(fake, STRANGER, 6, "P-2", PersonsUnmerged, persons_unmerged, .person = "P-2",
	     .kept = "P-1");
	assert_int_equal(operation_of(fake, OP)->persons, 1);
	assert_int_equal(e12(fake, EVACUATION_MERGES, EVACUATION_ALL), 1);
	SEND(fake, "HQ", 7, "P-2", PersonsUnmerged, persons_unmerged, .person = "P-2",
	     .kept = "P-1");
	assert_int_equal(operation_of(fake, OP)->persons, 2);
	settle(fake);
}

/* R7: what names nothing is seen all the same. */
static void test_named_by_the_subject_alone(void **state)
{
	(void)state;
	struct fake *fake = fake_open(&vl_view_evacuation);
	SEND(fake, EMBASSY, 0, "OP-9", OperationOpened, operation_opened, .title = "t");
	SEND(fake, EMBASSY, 1, "L-9", LegPlanned, leg_planned, .capacity = 3);
	SEND(fake, EMBASSY, 2, "P-9", PersonRegistered, person_registered,
	     .standing = STANDING(NATIONAL));
	SEND(fake, EMBASSY, 3, "C-9", CrisisDeclared, crisis_declared, .title = "c");
	fake_fold(fake);
	assert_string_equal(operation_of(fake, "OP-9")->title, "t");
	assert_int_equal(((const EV(LegRow) *)fake_row(fake, EVACUATION_LEG, "L-9"))->capacity, 3);
	assert_non_null(fake_row(fake, EVACUATION_REGISTRATION, "P-9"));
	assert_non_null(fake_row(fake, EVACUATION_CRISIS, "C-9"));
	/* A list of references that are empty names nothing. */
	char *empty[] = {""};
	SEND(fake, EMBASSY, 4, "L-9", ManifestSealed, manifest_sealed, .expected = 2,
	     .n_persons = 1, .persons = empty);
	fake_fold(fake);
	assert_int_equal(((const EV(LegRow) *)fake_row(fake, EVACUATION_LEG, "L-9"))->expected, 2);
	assert_null(fake_row(fake, EVACUATION_STRAY, EMBASSY));
	settle(fake);
}

/* A leg opens at either end: what has an effect is no attempt. */
static void test_opened_by_another(void **state)
{
	(void)state;
	struct fake *fake = fake_open(&vl_view_evacuation);
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 100);
	SEND(fake, DOCK, 10, SHIP, LegOpened, leg_opened, .leg = SHIP, .operation = OP);
	SEND(fake, JEDDAH, 20, SHIP, LegOpened, leg_opened, .leg = SHIP, .operation = OP);
	assert_int_equal(e12(fake, EVACUATION_LEG, SHIP), 0);
	SEND(fake, JEDDAH, 30, SHIP, LegCancelled, leg_cancelled, .leg = SHIP, .operation = OP);
	assert_int_equal(e12(fake, EVACUATION_LEG, SHIP), 1);
	settle(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operation),
		cmocka_unit_test(test_leg),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_manifest),
		cmocka_unit_test(test_unknown_numbers),
		cmocka_unit_test(test_unmerge),
		cmocka_unit_test(test_named_by_the_subject_alone),
		cmocka_unit_test(test_opened_by_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

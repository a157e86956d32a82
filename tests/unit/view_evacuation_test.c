/*
 * The evacuation view: each rule broken and kept, the first ship of the Sudan evacuation to the head, and the same rows
 * in any order of arrival.
 */
#include "hq/views/evacuation.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

extern const struct vl_view vl_view_evacuation;

#define OP "SD-2023"
#define SHIP "SD-2023-S1"
#define SEED 20230427u

/* 2023-04-26T00:00:00Z, in ms, and minutes after it. */
#define DAY 1682467200000
#define AT(minute) (DAY + (minute) * INT64_C(60000))

/* Send an event: SEND(fake, mission, minute, subject, PersonRegistered, person_registered, .person = "P-1"). */
#define SEND(fake, mission, minute, subject, Type, type, ...)                                                          \
	fake_next(fake, mission, AT(minute), subject, "officer-1", NULL,                                               \
	          (const ProtobufCMessage *)&(const EV(Type)){.base = PROTOBUF_C_MESSAGE_INIT(&EV_TYPE(type)), __VA_ARGS__})

#define ROW(fake, Type, kind, key) ((const EV(Type) *)fake_row(fake, EVACUATION_##kind, key))

#define EMBASSY "CN-SD-EMB"
#define DOCK "CN-SD-PZU"
#define JEDDAH "CN-SA-JED"

static EV(Place) place(char *name, EV(PlaceZone) zone)
{
	EV(Place) made = CONSULAR__EVACUATION__V1__PLACE__INIT;
	made.name = name;
	made.zone = zone;
	return made;
}

static void plan(struct fake *fake, char *leg, char *destination, EV(PlaceZone) zone, int64_t capacity)
{
	EV(Vehicle) ship = CONSULAR__EVACUATION__V1__VEHICLE__INIT;
	EV(Place) from = place("Port Sudan", ZONE(ASSEMBLY)), to = place(destination, zone);
	ship.kind = CONSULAR__EVACUATION__V1__VEHICLE_KIND__VEHICLE_KIND_WARSHIP;
	ship.name = "Nanning";
	SEND(fake, EMBASSY, 0, leg, LegPlanned, leg_planned, .leg = leg, .operation = OP, .vehicle = &ship, .origin = &from,
	     .destination = &to, .capacity = capacity);
}

static void depart(struct fake *fake, char *leg, int64_t minute)
{
	SEND(fake, DOCK, minute, leg, LegDeparted, leg_departed, .leg = leg, .operation = OP);
}

static void close_leg(struct fake *fake, char *leg, int64_t minute, EV(LegCount) *stated)
{
	SEND(fake, JEDDAH, minute, leg, LegClosed, leg_closed, .leg = leg, .operation = OP, .stated = stated);
}

static void enrol(struct fake *fake, char *person, EV(Standing) standing, char *asked_by)
{
	SEND(fake, EMBASSY, 1, person, PersonRegistered, person_registered, .person = person, .operation = OP,
	     .standing = standing, .requesting_state = asked_by);
}

static void enrol_in(struct fake *fake, char *person, char *party, bool minor, EV(PartyRole) role)
{
	SEND(fake, EMBASSY, 1, person, PersonRegistered, person_registered, .person = person, .operation = OP,
	     .standing = STANDING(NATIONAL), .party = party, .minor = minor, .role = role);
}

static void pass(struct fake *fake, char *mission, int64_t minute, char *person, char *leg, EV(Checkpoint) checkpoint)
{
	SEND(fake, mission, minute, leg, CheckpointRecorded, checkpoint_recorded, .person = person, .leg = leg,
	     .operation = OP, .checkpoint = checkpoint);
}

static void board(struct fake *fake, int64_t minute, char *person, char *leg)
{
	pass(fake, DOCK, minute, person, leg, CHECKPOINT(BOARDED));
}

static void merge(struct fake *fake, int64_t minute, char *person, char *kept)
{
	SEND(fake, "HQ", minute, kept, PersonsMerged, persons_merged, .person = person, .kept = kept, .operation = OP);
}

static void unmerge(struct fake *fake, int64_t minute, char *person, char *kept)
{
	SEND(fake, "HQ", minute, kept, PersonsUnmerged, persons_unmerged, .person = person, .kept = kept,
	     .operation = OP);
}

static void dispose(struct fake *fake, int64_t minute, char *person, EV(Disposition) disposition)
{
	SEND(fake, EMBASSY, minute, person, DispositionRecorded, disposition_recorded, .person = person, .operation = OP,
	     .disposition = disposition);
}

static void report(struct fake *fake, int64_t minute, char *leg, EV(Measure) measure, int64_t value,
                   EV(Qualifier) qualifier)
{
	SEND(fake, "HQ", minute, OP, FigureReported, figure_reported, .operation = OP, .leg = leg, .measure = measure,
	     .value = value, .qualifier = qualifier,
	     .source = CONSULAR__EVACUATION__V1__FIGURE_SOURCE__FIGURE_SOURCE_PRESS);
}

static int64_t by_disposition(const EV(OperationRow) *row, EV(Disposition) disposition)
{
	for (size_t i = 0; i < row->n_dispositions; i++) {
		if (row->dispositions[i]->disposition == disposition)
			return row->dispositions[i]->count;
	}
	return 0;
}

static int64_t broken(const EV(OperationRow) *row, const char *rule)
{
	for (size_t i = 0; i < row->n_violations_by_rule; i++) {
		if (strcmp(row->violations_by_rule[i]->rule, rule) == 0)
			return row->violations_by_rule[i]->count;
	}
	return 0;
}

static const EV(LegRow) *leg_row(struct fake *fake, const char *leg)
{
	fake_fold(fake);
	const EV(LegRow) *row = ROW(fake, LegRow, LEG, leg);
	assert_non_null(row);
	return row;
}

static const EV(OperationRow) *operation_row(struct fake *fake)
{
	fake_fold(fake);
	const EV(OperationRow) *row = ROW(fake, OperationRow, OPERATION, OP);
	assert_non_null(row);
	assert_int_equal(row->references, row->persons + row->duplicates);
	return row;
}

static const EV(PersonRow) *person_row(struct fake *fake, const char *person)
{
	fake_fold(fake);
	const EV(PersonRow) *row = ROW(fake, PersonRow, PERSON, person);
	assert_non_null(row);
	return row;
}

static unsigned leg_breaks(struct fake *fake, const char *leg, const char *rule)
{
	return fake_violations(&leg_row(fake, leg)->base, rule);
}

static struct fake *open_operation(void)
{
	struct fake *fake = fake_open(&vl_view_evacuation);
	SEND(fake, "HQ", 0, "SD", CrisisDeclared, crisis_declared, .crisis = "SD", .title = "Sudan, armed conflict");
	SEND(fake, "HQ", 0, OP, OperationOpened, operation_opened, .operation = OP, .crisis = "SD", .lead = EMBASSY);
	return fake;
}

/* Also the end of every test: whatever it told, the order of arrival changes nothing. */
static void settle(struct fake *fake)
{
	assert_true(fake_converges(fake, SEED, 4));
	fake_close(fake);
}

/* -- the first ship -- */

#define NATIONALS 668
#define FOREIGN 10
#define ABOARD (NATIONALS + FOREIGN)

static char names[ABOARD][12];
static char *list[ABOARD];

static struct fake *first_ship(void)
{
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	for (size_t i = 0; i < ABOARD; i++) {
		snprintf(names[i], sizeof(names[i]), "P-%06zu", i + 1);
		list[i] = names[i];
		enrol(fake, names[i], i < NATIONALS ? STANDING(NATIONAL) : STANDING(FOREIGN),
		      i < NATIONALS ? "" : i % 2 == 0 ? "BR" : "PK");
	}
	/* The dock's lists overlap, as lists do. */
	SEND(fake, DOCK, 60, SHIP, CheckpointsRecorded, checkpoints_recorded, .leg = SHIP, .operation = OP,
	     .checkpoint = CHECKPOINT(BOARDED), .n_persons = 400, .persons = list);
	SEND(fake, DOCK, 90, SHIP, CheckpointsRecorded, checkpoints_recorded, .leg = SHIP, .operation = OP,
	     .checkpoint = CHECKPOINT(BOARDED), .n_persons = ABOARD - 350, .persons = list + 350);
	depart(fake, SHIP, 120);
	report(fake, 300, SHIP, MEASURE(BOARDED), 678, QUALIFIER(EXACT));
	report(fake, 300, SHIP, MEASURE(BOARDED_NATIONAL), 668, QUALIFIER(EXACT));
	report(fake, 300, SHIP, MEASURE(BOARDED_FOREIGN), 10, QUALIFIER(EXACT));
	return fake;
}

static void test_first_ship_is_678(void **state)
{
	(void)state;
	struct fake *fake = first_ship();
	const EV(LegRow) *leg = leg_row(fake, SHIP);
	assert_int_equal(leg->boarded, 678);
	assert_int_equal(leg->boarded_nationals, 668);
	assert_int_equal(leg->boarded_foreign, 10);
	assert_int_equal(leg->aboard, 678);
	assert_int_equal(leg->n_violations, 0);
	assert_string_equal(fake_cell(fake, EVACUATION_LEG, SHIP, "BOARDED", (struct vl_time){0}), "678 (668 + 10)");
	const EV(OperationRow) *operation = operation_row(fake);
	assert_int_equal(operation->out, 678);
	assert_int_equal(operation->in_transit, 678);
	assert_int_equal(operation->n_foreign_by_state, 2);
	assert_string_equal(operation->foreign_by_state[0]->state, "BR");
	assert_int_equal(operation->foreign_by_state[0]->count + operation->foreign_by_state[1]->count, 10);
	assert_int_equal(operation->violations_total, 0);
	SEND(fake, JEDDAH, 700, SHIP, CheckpointsRecorded, checkpoints_recorded, .leg = SHIP, .operation = OP,
	     .checkpoint = CHECKPOINT(DISEMBARKED), .n_persons = ABOARD, .persons = list);
	EV(LegCount) stated = CONSULAR__EVACUATION__V1__LEG_COUNT__INIT;
	stated.boarded = stated.disembarked = 678;
	close_leg(fake, SHIP, 720, &stated);
	leg = leg_row(fake, SHIP);
	assert_int_equal(leg->boarded, 678);
	assert_int_equal(leg->disembarked, 678);
	assert_int_equal(leg->aboard, 0);
	assert_int_equal(leg->n_violations, 0);
	operation = operation_row(fake);
	assert_int_equal(operation->at_staging, 678);
	assert_string_equal(operation->staging[0]->area, "Jeddah");
	assert_int_equal(operation->out, 678);
	fake_close(fake);
}

static void test_first_ship_in_any_order(void **state)
{
	(void)state;
	struct fake *fake = first_ship();
	struct vl_buf wanted = {0};
	fake_fold(fake);
	fake_packed(fake, &wanted);
	for (uint64_t seed = SEED; seed < SEED + 3; seed++) {
		struct fake *other = fake_shuffled(fake, seed, false);
		struct vl_buf got = {0};
		fake_packed(other, &got);
		print_message("seed %llu\n", (unsigned long long)seed);
		assert_int_equal(got.size, wanted.size);
		assert_memory_equal(got.data, wanted.data, wanted.size);
		vl_buf_free(&got);
		fake_close(other);
	}
	vl_buf_free(&wanted);
	fake_close(fake);
}

/* -- E1 -- */

static void test_e1_every_human_stands_somewhere(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	EV(DispositionCount) home = CONSULAR__EVACUATION__V1__DISPOSITION_COUNT__INIT, missing = home;
	home.disposition = DISPOSITION(HOME);
	home.count = 2;
	missing.disposition = DISPOSITION(MISSING);
	missing.count = 1;
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	enrol(fake, "P-2", STANDING(NATIONAL), "");
	enrol(fake, "P-3", STANDING(NATIONAL), "");
	board(fake, 10, "P-4", SHIP);
	dispose(fake, 20, "P-1", DISPOSITION(HOME));
	SEND(fake, EMBASSY, 30, OP, SituationStated, situation_stated, .operation = OP, .persons = 3, .n_counts = 2,
	     .counts = (EV(DispositionCount) *[]){&home, &missing});
	const EV(OperationRow) *row = operation_row(fake);
	assert_int_equal(row->persons, 4);
	assert_int_equal(row->home, 1);
	assert_int_equal(row->standing_unknown, 1);
	assert_int_equal(by_disposition(row, DISPOSITION(REGISTERED)), 2);
	assert_int_equal(by_disposition(row, DISPOSITION(IN_TRANSIT)), 1);
	assert_int_equal(broken(row, "E1"), 0);
	SEND(fake, EMBASSY, 40, OP, SituationStated, situation_stated, .operation = OP, .persons = 4, .n_counts = 2,
	     .counts = (EV(DispositionCount) *[]){&home, &missing});
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
	SEND(fake, DOCK, 30, "P-3", BirthRecorded, birth_recorded, .person = "P-3", .leg = SHIP, .operation = OP,
	     .mother = "P-1", .standing = STANDING(NATIONAL));
	SEND(fake, DOCK, 40, "P-2", DeathRecorded, death_recorded, .person = "P-2", .leg = SHIP, .operation = OP);
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
	assert_int_equal(leg_breaks(fake, SHIP, "E2"), 2); /* does not add up; is not what was counted */
	settle(fake);
}

static void test_e2_nobody_aboard_a_cancelled_leg(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 10);
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
	SEND(fake, DOCK, 13, SHIP, CapacityOverridden, capacity_overridden, .leg = SHIP, .operation = OP, .allowed = 3);
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 0);
	board(fake, 14, "P-4", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 1);
	pass(fake, DOCK, 15, "P-4", SHIP, CHECKPOINT(OFFLOADED));
	assert_int_equal(leg_breaks(fake, SHIP, "E4"), 0);
	assert_int_equal(leg_row(fake, SHIP)->offloaded, 1);
	settle(fake);
}

/* -- E5 -- */

#define GUARDIAN CONSULAR__EVACUATION__V1__PARTY_ROLE__PARTY_ROLE_GUARDIAN
#define MEMBER CONSULAR__EVACUATION__V1__PARTY_ROLE__PARTY_ROLE_MEMBER

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
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 1); /* an adult of the party who is no guardian will not do */
	assert_int_equal(broken(operation_row(fake), "E5"), 1);
	board(fake, 12, "P-2", SHIP);
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 0);
	pass(fake, DOCK, 13, "P-2", SHIP, CHECKPOINT(OFFLOADED));
	assert_int_equal(leg_breaks(fake, SHIP, "E5"), 1);
	SEND(fake, DOCK, 14, "P-1", GuardianOverridden, guardian_overridden, .person = "P-1", .leg = SHIP,
	     .operation = OP);
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
	SEND(fake, EMBASSY, 11, "P-1", PartyJoined, party_joined, .person = "P-1", .party = "F-1", .role = MEMBER);
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
	/* What is said of the merged reference is said of the human, also of one merged into it in turn. */
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
	assert_int_equal(fake_violations(fake_row(fake, EVACUATION_MERGES, EVACUATION_ALL), "E6"), 3);
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
	assert_string_equal((leg_row(fake, SHIP), fake_cell(fake, EVACUATION_LEG, SHIP, "BOARDED", (struct vl_time){0})),
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
	SEND(fake, EMBASSY, minute, person, DispositionWritten, disposition_written, .person = person, .operation = OP,
	     .disposition = disposition, .reference = "note 12/2023");
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
	SEND(fake, EMBASSY, 22, "P-3", WishRecorded, wish_recorded, .person = "P-3", .operation = OP,
	     .wish = CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE);
	write_down(fake, 23, "P-3", DISPOSITION(MISSING)); /* in writing, but not where the person stands */
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
	SEND(fake, EMBASSY, 0, OP, EstimateMade, estimate_made, .operation = OP, .measure = MEASURE(PRESENT), .value = 1500,
	     .qualifier = QUALIFIER(AT_LEAST), .basis = "registrations and employers");
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
	assert_string_equal(fake_cell(fake, EVACUATION_OPERATION, OP, "PRESENT EST", (struct vl_time){0}), "1500+");
	assert_string_equal(fake_cell(fake, EVACUATION_OPERATION, OP, "DIFFERENCE", (struct vl_time){0}), "-2");
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
	assert_int_equal(leg_breaks(fake, SHIP, "E10"), 0); /* yesterday's figure, boarding goes on */
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
	SEND(fake, "HQ", minute, OP, CumulativeOutCorrected, cumulative_out_corrected, .operation = OP, .change = change,
	     .reason = "counted twice", .approved_by = "officer-9");
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

/* -- dispositions -- */

static void test_the_way_home(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	plan(fake, "L-2", "Beijing", ZONE(HOME), 0);
	SEND(fake, EMBASSY, 1, "P-1", ContactRecorded, contact_recorded, .person = "P-1", .operation = OP,
	     .outcome = CONSULAR__EVACUATION__V1__CONTACT_OUTCOME__CONTACT_OUTCOME_REACHED);
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(CONTACTED));
	SEND(fake, EMBASSY, 2, "P-1", WishRecorded, wish_recorded, .person = "P-1", .operation = OP,
	     .wish = CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE);
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(WISHES_TO_LEAVE));
	const struct {
		char *leg;
		EV(Checkpoint) checkpoint;
		EV(Disposition) disposition;
	} steps[] = {
		{SHIP, CHECKPOINT(ALLOCATED), DISPOSITION(ALLOCATED)},
		{SHIP, CHECKPOINT(CHECKED_IN), DISPOSITION(CHECKED_IN)},
		{SHIP, CHECKPOINT(BOARDED), DISPOSITION(IN_TRANSIT)},
		{SHIP, CHECKPOINT(OFFLOADED), DISPOSITION(WISHES_TO_LEAVE)},
		{SHIP, CHECKPOINT(BOARDED), DISPOSITION(IN_TRANSIT)},
		{SHIP, CHECKPOINT(DISEMBARKED), DISPOSITION(AT_STAGING)},
		{"L-2", CHECKPOINT(ALLOCATED), DISPOSITION(ALLOCATED)},
		{"L-2", CHECKPOINT(BOARDED), DISPOSITION(IN_TRANSIT)},
		{"L-2", CHECKPOINT(DISEMBARKED), DISPOSITION(HOME)},
		{"L-2", CHECKPOINT(HANDED_OVER), DISPOSITION(HOME)},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		pass(fake, EMBASSY, 10 + (int64_t)i, "P-1", steps[i].leg, steps[i].checkpoint);
		assert_int_equal(person_row(fake, "P-1")->disposition, steps[i].disposition);
	}
	SEND(fake, EMBASSY, 90, "P-1", WishRecorded, wish_recorded, .person = "P-1", .operation = OP,
	     .wish = CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE);
	enrol(fake, "P-1", STANDING(NATIONAL), ""); /* a registration that comes late moves nobody */
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(HOME));
	settle(fake);
}

static void test_dead_until_found_alive(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	board(fake, 10, "P-1", SHIP);
	SEND(fake, DOCK, 20, "P-1", DeathRecorded, death_recorded, .person = "P-1", .leg = SHIP, .operation = OP);
	pass(fake, DOCK, 30, "P-1", SHIP, CHECKPOINT(DISEMBARKED));
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(DECEASED));
	assert_int_equal(leg_row(fake, SHIP)->died, 1);
	assert_int_equal(leg_row(fake, SHIP)->disembarked, 0);
	SEND(fake, DOCK, 40, "P-1", DispositionRecorded, disposition_recorded, .person = "P-1", .operation = OP,
	     .disposition = DISPOSITION(HOSPITAL));
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(HOSPITAL));
	assert_int_equal(leg_row(fake, SHIP)->died, 0);
	assert_int_equal(leg_row(fake, SHIP)->disembarked, 1);
	settle(fake);
}

static void test_staging_areas_and_no_shows(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	EV(Place) crete = place("Crete", ZONE(STAGING));
	char *two[] = {"P-1", "P-2"}, *one[] = {"P-2"};
	plan(fake, SHIP, "Beijing", ZONE(HOME), 0);
	SEND(fake, EMBASSY, 10, OP, StagingArrivalRecorded, staging_arrival_recorded, .operation = OP, .area = &crete,
	     .n_persons = 2, .persons = two);
	assert_int_equal(operation_row(fake)->at_staging, 2);
	assert_int_equal(operation_row(fake)->out, 2);
	SEND(fake, EMBASSY, 20, OP, StagingDepartureRecorded, staging_departure_recorded, .operation = OP, .area = "Crete",
	     .n_persons = 1, .persons = one, .disposition = DISPOSITION(SELF_DEPARTED));
	assert_int_equal(operation_row(fake)->staging[0]->count, 1);
	SEND(fake, EMBASSY, 30, SHIP, ManifestSealed, manifest_sealed, .leg = SHIP, .operation = OP, .expected = 1,
	     .n_persons = 1, .persons = two);
	board(fake, 31, "P-3", SHIP);
	assert_int_equal(leg_row(fake, SHIP)->no_shows, 0);
	depart(fake, SHIP, 40);
	assert_int_equal(leg_row(fake, SHIP)->no_shows, 1);
	assert_int_equal(leg_row(fake, SHIP)->unlisted, 1);
	assert_int_equal(leg_row(fake, SHIP)->expected, 1);
	SEND(fake, EMBASSY, 50, SHIP, NoShowsRecorded, no_shows_recorded, .leg = SHIP, .operation = OP, .n_persons = 1,
	     .persons = two);
	assert_int_equal(leg_row(fake, SHIP)->no_shows, 1);
	const EV(CrisisRow) *crisis = ROW(fake, CrisisRow, CRISIS, "SD");
	assert_int_equal(crisis->persons, 3);
	settle(fake);
}

/* -- what comes from outside -- */

static void test_references_of_any_length(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	char person[600], leg[600], party[600];
	memset(person, 'p', sizeof(person) - 1);
	memset(leg, 'l', sizeof(leg) - 1);
	memset(party, 'f', sizeof(party) - 1);
	person[599] = leg[599] = party[599] = '\0';
	leg[3] = '\t';
	char ref[EVACUATION_REF], again[EVACUATION_REF], other[EVACUATION_REF];
	vl_evacuation_ref(leg, ref);
	assert_string_equal(vl_evacuation_ref(ref, again), ref);
	leg[598] = 'm';
	assert_string_not_equal(vl_evacuation_ref(leg, other), ref);
	enrol_in(fake, person, party, true, MEMBER);
	board(fake, 10, person, leg);
	board(fake, 10, "", leg);
	board(fake, 10, "P-1", "");
	assert_int_equal(leg_row(fake, other)->boarded, 1);
	assert_int_equal(leg_breaks(fake, other, "E5"), 1);
	depart(fake, leg, 20);
	assert_int_equal(leg_row(fake, other)->status, LEG_STATUS(DEPARTED));
	assert_int_equal(operation_row(fake)->persons, 2);
	settle(fake);
}

/* Every payload of the lane, empty, with the largest numbers and with constants nobody knows: nothing may fall over. */
static void test_every_payload_of_the_lane(void **state)
{
	(void)state;
	static const ProtobufCMessageDescriptor *const types[] = {
		&EV_TYPE(crisis_declared), &EV_TYPE(crisis_ended), &EV_TYPE(operation_opened), &EV_TYPE(operation_closed),
		&EV_TYPE(operation_reopened), &EV_TYPE(estimate_made), &EV_TYPE(figure_reported), &EV_TYPE(situation_stated),
		&EV_TYPE(cumulative_out_corrected), &EV_TYPE(leg_planned), &EV_TYPE(leg_opened), &EV_TYPE(leg_departed),
		&EV_TYPE(leg_arrived), &EV_TYPE(leg_closed), &EV_TYPE(leg_cancelled), &EV_TYPE(manifest_sealed),
		&EV_TYPE(capacity_overridden), &EV_TYPE(checkpoint_recorded), &EV_TYPE(checkpoints_recorded),
		&EV_TYPE(no_shows_recorded), &EV_TYPE(guardian_overridden), &EV_TYPE(person_registered),
		&EV_TYPE(party_joined), &EV_TYPE(contact_recorded), &EV_TYPE(wish_recorded), &EV_TYPE(whereabouts_noted),
		&EV_TYPE(disposition_recorded), &EV_TYPE(disposition_written), &EV_TYPE(staging_arrival_recorded),
		&EV_TYPE(staging_departure_recorded), &EV_TYPE(persons_merged), &EV_TYPE(persons_unmerged),
		&EV_TYPE(birth_recorded), &EV_TYPE(death_recorded),
	};
	struct fake *fake = fake_open(&vl_view_evacuation);
	char *subject = "X";
	for (size_t i = 0; i < 4 * sizeof(types) / sizeof(types[0]); i++) {
		const ProtobufCMessageDescriptor *type = types[i / 4];
		ProtobufCMessage *message = calloc(1, type->sizeof_message);
		protobuf_c_message_init(type, message);
		for (unsigned f = 0; i % 4 > 0 && f < type->n_fields; f++) {
			char *field = (char *)message + type->fields[f].offset;
			if (type->fields[f].label == PROTOBUF_C_LABEL_REPEATED)
				continue;
			if (type->fields[f].type == PROTOBUF_C_TYPE_STRING)
				memcpy(field, &subject, sizeof(subject));
			else if (type->fields[f].type == PROTOBUF_C_TYPE_INT64)
				memcpy(field, &(int64_t){i % 2 == 0 ? INT64_MAX : INT64_MIN}, sizeof(int64_t));
			else if (type->fields[f].type == PROTOBUF_C_TYPE_ENUM)
				memcpy(field, &(int){i % 4 == 3 ? 77 : 2}, sizeof(int));
		}
		fake_next(fake, i % 3 == 0 ? EMBASSY : DOCK, AT((int64_t)i % 7), subject, "", NULL, message);
		free(message);
	}
	settle(fake);
}

/* A day of three senders at random, with merges, overrides and skewed clocks. */
static void test_random_days_converge(void **state)
{
	static char *const people[] = {"P-1", "P-2", "P-3", "P-4", "P-5", "P-6"};
	static char *const legs[] = {"L-1", "L-2", SHIP}, *const senders[] = {EMBASSY, DOCK, JEDDAH};
	(void)state;
	for (unsigned seed = 1; seed <= 12; seed++) {
		unsigned dice = seed * 2654435761u;
		struct fake *fake = open_operation();
		print_message("seed %u\n", seed);
		plan(fake, SHIP, "Jeddah", ZONE(STAGING), 2);
		plan(fake, "L-1", "Port Sudan", ZONE(ASSEMBLY), 1);
		for (int i = 0; i < 60; i++) {
			dice = dice * 1664525u + 1013904223u;
			unsigned what = dice >> 28, minute = (dice >> 20) % 50;
			char *person = people[(dice >> 12) % 6], *other = people[(dice >> 9) % 6];
			char *leg = legs[(dice >> 16) % 3];
			if (what < 8)
				pass(fake, senders[(dice >> 6) % 3], minute, person, leg, 1 + (dice >> 24) % 6);
			else if (what == 8)
				merge(fake, minute, person, other);
			else if (what == 9)
				unmerge(fake, minute, person, other);
			else if (what == 10)
				depart(fake, leg, minute);
			else if (what == 11)
				close_leg(fake, leg, minute, NULL);
			else if (what == 12)
				dispose(fake, minute, person, 1 + (dice >> 24) % 16);
			else if (what == 13)
				enrol_in(fake, person, "F-1", dice % 7 < 3, (dice >> 5) % 3);
			else if (what == 14)
				report(fake, minute, "", MEASURE(OUT), dice % 9, 1 + dice % 3);
			else
				enrol(fake, person, STANDING(FOREIGN), dice % 3 == 0 ? "" : "BR");
		}
		const EV(OperationRow) *row = operation_row(fake);
		assert_int_equal(broken(row, "E1"), 0);
		settle(fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_ship_is_678),
		cmocka_unit_test(test_first_ship_in_any_order),
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
		cmocka_unit_test(test_the_way_home),
		cmocka_unit_test(test_dead_until_found_alive),
		cmocka_unit_test(test_staging_areas_and_no_shows),
		cmocka_unit_test(test_references_of_any_length),
		cmocka_unit_test(test_every_payload_of_the_lane),
		cmocka_unit_test(test_random_days_converge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

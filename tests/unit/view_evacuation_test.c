/*
 * The evacuation view: the first ship of the Sudan evacuation to the head, where people end up,
 * and the same rows in any order of arrival.
 */
#include "view_evacuation.h"

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
		      i < NATIONALS ? ""
		      : i % 2 == 0  ? "BR"
				    : "PK");
	}
	/* The dock's lists overlap, as lists do. */
	SEND(fake, DOCK, 60, SHIP, CheckpointsRecorded, checkpoints_recorded, .leg = SHIP,
	     .operation = OP, .checkpoint = CHECKPOINT(BOARDED), .n_persons = 400, .persons = list);
	SEND(fake, DOCK, 90, SHIP, CheckpointsRecorded, checkpoints_recorded, .leg = SHIP,
	     .operation = OP, .checkpoint = CHECKPOINT(BOARDED), .n_persons = ABOARD - 350,
	     .persons = list + 350);
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
	assert_string_equal(fake_cell(fake, EVACUATION_LEG, SHIP, "BOARDED", (struct vl_time){0}),
			    "678 (668 + 10)");
	const EV(OperationRow) *operation = operation_row(fake);
	assert_int_equal(operation->out, 678);
	assert_int_equal(operation->in_transit, 678);
	assert_int_equal(operation->n_foreign_by_state, 2);
	assert_string_equal(operation->foreign_by_state[0]->state, "BR");
	assert_int_equal(
		operation->foreign_by_state[0]->count + operation->foreign_by_state[1]->count, 10);
	assert_int_equal(operation->violations_total, 0);
	SEND(fake, JEDDAH, 700, SHIP, CheckpointsRecorded, checkpoints_recorded, .leg = SHIP,
	     .operation = OP, .checkpoint = CHECKPOINT(DISEMBARKED), .n_persons = ABOARD,
	     .persons = list);
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

/* -- dispositions -- */

static void test_the_way_home(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	plan(fake, "L-2", "Beijing", ZONE(HOME), 0);
	SEND(fake, EMBASSY, 1, "P-1", ContactRecorded, contact_recorded, .person = "P-1",
	     .operation = OP,
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
	SEND(fake, EMBASSY, 90, "P-1", WishRecorded, wish_recorded, .person = "P-1",
	     .operation = OP, .wish = CONSULAR__EVACUATION__V1__WISH__WISH_LEAVE);
	/* a registration that comes late moves nobody */
	enrol(fake, "P-1", STANDING(NATIONAL), "");
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(HOME));
	settle(fake);
}

static void test_dead_until_found_alive(void **state)
{
	(void)state;
	struct fake *fake = open_operation();
	plan(fake, SHIP, "Jeddah", ZONE(STAGING), 0);
	board(fake, 10, "P-1", SHIP);
	SEND(fake, DOCK, 20, "P-1", DeathRecorded, death_recorded, .person = "P-1", .leg = SHIP,
	     .operation = OP);
	pass(fake, DOCK, 30, "P-1", SHIP, CHECKPOINT(DISEMBARKED));
	assert_int_equal(person_row(fake, "P-1")->disposition, DISPOSITION(DECEASED));
	assert_int_equal(leg_row(fake, SHIP)->died, 1);
	assert_int_equal(leg_row(fake, SHIP)->disembarked, 0);
	SEND(fake, DOCK, 40, "P-1", DispositionRecorded, disposition_recorded, .person = "P-1",
	     .operation = OP, .disposition = DISPOSITION(HOSPITAL));
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
	SEND(fake, EMBASSY, 10, OP, StagingArrivalRecorded, staging_arrival_recorded,
	     .operation = OP, .area = &crete, .n_persons = 2, .persons = two);
	assert_int_equal(operation_row(fake)->at_staging, 2);
	assert_int_equal(operation_row(fake)->out, 2);
	SEND(fake, EMBASSY, 20, OP, StagingDepartureRecorded, staging_departure_recorded,
	     .operation = OP, .area = "Crete", .n_persons = 1, .persons = one,
	     .disposition = DISPOSITION(SELF_DEPARTED));
	assert_int_equal(operation_row(fake)->staging[0]->count, 1);
	SEND(fake, EMBASSY, 30, SHIP, ManifestSealed, manifest_sealed, .leg = SHIP, .operation = OP,
	     .expected = 1, .n_persons = 1, .persons = two);
	board(fake, 31, "P-3", SHIP);
	assert_int_equal(leg_row(fake, SHIP)->no_shows, 0);
	depart(fake, SHIP, 40);
	assert_int_equal(leg_row(fake, SHIP)->no_shows, 1);
	assert_int_equal(leg_row(fake, SHIP)->unlisted, 1);
	assert_int_equal(leg_row(fake, SHIP)->expected, 1);
	SEND(fake, EMBASSY, 50, SHIP, NoShowsRecorded, no_shows_recorded, .leg = SHIP,
	     .operation = OP, .n_persons = 1, .persons = two);
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
	char ref[VL_VIEW_REF], again[VL_VIEW_REF], other[VL_VIEW_REF];
	vl_view_ref(leg, ref);
	assert_string_equal(vl_view_ref(ref, again), ref);
	leg[598] = 'm';
	assert_string_not_equal(vl_view_ref(leg, other), ref);
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

/* Every payload of the lane, empty, with the largest numbers and with constants nobody knows:
 * nothing may fall over. */
static void test_every_payload_of_the_lane(void **state)
{
	(void)state;
	static const ProtobufCMessageDescriptor *const types[] = {
		&EV_TYPE(crisis_declared),
		&EV_TYPE(crisis_ended),
		&EV_TYPE(operation_opened),
		&EV_TYPE(operation_closed),
		&EV_TYPE(operation_reopened),
		&EV_TYPE(estimate_made),
		&EV_TYPE(figure_reported),
		&EV_TYPE(situation_stated),
		&EV_TYPE(cumulative_out_corrected),
		&EV_TYPE(leg_planned),
		&EV_TYPE(leg_opened),
		&EV_TYPE(leg_departed),
		&EV_TYPE(leg_arrived),
		&EV_TYPE(leg_closed),
		&EV_TYPE(leg_cancelled),
		&EV_TYPE(manifest_sealed),
		&EV_TYPE(capacity_overridden),
		&EV_TYPE(checkpoint_recorded),
		&EV_TYPE(checkpoints_recorded),
		&EV_TYPE(no_shows_recorded),
		&EV_TYPE(guardian_overridden),
		&EV_TYPE(person_registered),
		&EV_TYPE(party_joined),
		&EV_TYPE(contact_recorded),
		&EV_TYPE(wish_recorded),
		&EV_TYPE(whereabouts_noted),
		&EV_TYPE(disposition_recorded),
		&EV_TYPE(disposition_written),
		&EV_TYPE(staging_arrival_recorded),
		&EV_TYPE(staging_departure_recorded),
		&EV_TYPE(persons_merged),
		&EV_TYPE(persons_unmerged),
		&EV_TYPE(birth_recorded),
		&EV_TYPE(death_recorded),
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
				memcpy(field, &(int64_t){i % 2 == 0 ? INT64_MAX : INT64_MIN},
				       sizeof(int64_t));
			else if (type->fields[f].type == PROTOBUF_C_TYPE_ENUM)
				memcpy(field, &(int){i % 4 == 3 ? 77 : 2}, sizeof(int));
		}
		fake_next(fake, i % 3 == 0 ? EMBASSY : DOCK, AT((int64_t)i % 7), subject, "", NULL,
			  message);
		free(message);
	}
	settle(fake);
}

/* A day of three senders at random, with merges, overrides and skewed clocks. */
static void test_random_days_converge(void **state)
{
	static char *const people[] = {"P-1", "P-2", "P-3", "P-4", "P-5", "P-6"};
	static char *const legs[] = {"L-1", "L-2", SHIP}, *const senders[] = {EMBASSY, DOCK,
									      JEDDAH};
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
				pass(fake, senders[(dice >> 6) % 3], minute, person, leg,
				     1 + (dice >> 24) % 6);
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
		cmocka_unit_test(test_the_way_home),
		cmocka_unit_test(test_dead_until_found_alive),
		cmocka_unit_test(test_staging_areas_and_no_shows),
		cmocka_unit_test(test_references_of_any_length),
		cmocka_unit_test(test_every_payload_of_the_lane),
		cmocka_unit_test(test_random_days_converge),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * An evacuation in the fake engine: the senders and legs of the tests, an event a call, and the
 * rows read back.
 *
 * Next: views/scenario.h, scenarios as text.
 */
#ifndef VALISE_TESTS_VIEW_EVACUATION_H
#define VALISE_TESTS_VIEW_EVACUATION_H

#include "hq/views/evacuation.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

#define EV(name) Consular__Evacuation__V1__##name
#define EV_TYPE(name) consular__evacuation__v1__##name##__descriptor
#define DISPOSITION(name) DISPOSITION_##name
#define CHECKPOINT(name) CHECKPOINT_##name
#define ZONE(name) PLACE_ZONE_##name
#define STANDING(name) STANDING_##name
#define MEASURE(name) MEASURE_##name
#define QUALIFIER(name) QUALIFIER_##name
#define LEG_STATUS(name) LEG_STATUS_##name
#define OPERATION_STATUS(name) OPERATION_STATUS_##name

extern const struct vl_view vl_view_evacuation;

#define OP "SD-2023"
#define SHIP "SD-2023-S1"
#define SEED 20230427u

/* 2023-04-26T00:00:00Z, in ms, and minutes after it. */
#define DAY 1682467200000
#define AT(minute) (DAY + (minute)*INT64_C(60000))

/* Send an event: SEND(fake, mission, minute, subject, PersonRegistered, person_registered,
 * .person = "P-1"). */
#define SEND(fake, mission, minute, subject, Type, type, ...)            \
	fake_next(fake, mission, AT(minute), subject, "officer-1", NULL, \
		  (const ProtobufCMessage *)&(const EV(Type)){           \
			  .base = PROTOBUF_C_MESSAGE_INIT(&EV_TYPE(type)), __VA_ARGS__})

#define ROW(fake, Type, kind, key) ((const EV(Type) *)fake_row(fake, EVACUATION_##kind, key))

#define EMBASSY "CN-SD-EMB"
#define DOCK "CN-SD-PZU"
#define JEDDAH "CN-SA-JED"

#define GUARDIAN CONSULAR__EVACUATION__V1__PARTY_ROLE__PARTY_ROLE_GUARDIAN
#define MEMBER CONSULAR__EVACUATION__V1__PARTY_ROLE__PARTY_ROLE_MEMBER

static inline EV(Place) place(char *name, EV(PlaceZone) zone)
{
	EV(Place) made = CONSULAR__EVACUATION__V1__PLACE__INIT;
	made.name = name;
	made.zone = zone;
	return made;
}

static inline void plan(struct fake *fake, char *leg, char *destination, EV(PlaceZone) zone,
			int64_t capacity)
{
	EV(Vehicle) ship = CONSULAR__EVACUATION__V1__VEHICLE__INIT;
	EV(Place) from = place("Port Sudan", ZONE(ASSEMBLY)), to = place(destination, zone);
	ship.kind = CONSULAR__EVACUATION__V1__VEHICLE_KIND__VEHICLE_KIND_WARSHIP;
	ship.name = "Nanning";
	SEND(fake, EMBASSY, 0, leg, LegPlanned, leg_planned, .leg = leg, .operation = OP,
	     .vehicle = &ship, .origin = &from, .destination = &to, .capacity = capacity);
}

static inline void depart(struct fake *fake, char *leg, int64_t minute)
{
	SEND(fake, DOCK, minute, leg, LegDeparted, leg_departed, .leg = leg, .operation = OP);
}

static inline void close_leg(struct fake *fake, char *leg, int64_t minute, EV(LegCount) *stated)
{
	SEND(fake, JEDDAH, minute, leg, LegClosed, leg_closed, .leg = leg, .operation = OP,
	     .stated = stated);
}

static inline void enrol(struct fake *fake, char *person, EV(Standing) standing, char *asked_by)
{
	SEND(fake, EMBASSY, 1, person, PersonRegistered, person_registered, .person = person,
	     .operation = OP, .standing = standing, .requesting_state = asked_by);
}

static inline void enrol_in(struct fake *fake, char *person, char *party, bool minor,
			    EV(PartyRole) role)
{
	SEND(fake, EMBASSY, 1, person, PersonRegistered, person_registered, .person = person,
	     .operation = OP, .standing = STANDING(NATIONAL), .party = party, .minor = minor,
	     .role = role);
}

static inline void pass(struct fake *fake, char *mission, int64_t minute, char *person, char *leg,
			EV(Checkpoint) checkpoint)
{
	SEND(fake, mission, minute, leg, CheckpointRecorded, checkpoint_recorded, .person = person,
	     .leg = leg, .operation = OP, .checkpoint = checkpoint);
}

static inline void board(struct fake *fake, int64_t minute, char *person, char *leg)
{
	pass(fake, DOCK, minute, person, leg, CHECKPOINT(BOARDED));
}

static inline void merge(struct fake *fake, int64_t minute, char *person, char *kept)
{
	SEND(fake, "HQ", minute, kept, PersonsMerged, persons_merged, .person = person,
	     .kept = kept, .operation = OP);
}

static inline void unmerge(struct fake *fake, int64_t minute, char *person, char *kept)
{
	SEND(fake, "HQ", minute, kept, PersonsUnmerged, persons_unmerged, .person = person,
	     .kept = kept, .operation = OP);
}

static inline void dispose(struct fake *fake, int64_t minute, char *person,
			   EV(Disposition) disposition)
{
	SEND(fake, EMBASSY, minute, person, DispositionRecorded, disposition_recorded,
	     .person = person, .operation = OP, .disposition = disposition);
}

static inline void report(struct fake *fake, int64_t minute, char *leg, EV(Measure) measure,
			  int64_t value, EV(Qualifier) qualifier)
{
	SEND(fake, "HQ", minute, OP, FigureReported, figure_reported, .operation = OP, .leg = leg,
	     .measure = measure, .value = value, .qualifier = qualifier,
	     .source = CONSULAR__EVACUATION__V1__FIGURE_SOURCE__FIGURE_SOURCE_PRESS);
}

static inline int64_t by_disposition(const EV(OperationRow) *row, EV(Disposition) disposition)
{
	for (size_t i = 0; i < row->n_dispositions; i++) {
		if (row->dispositions[i]->disposition == disposition)
			return row->dispositions[i]->count;
	}
	return 0;
}

static inline int64_t broken(const EV(OperationRow) *row, const char *rule)
{
	for (size_t i = 0; i < row->n_violations_by_rule; i++) {
		if (strcmp(row->violations_by_rule[i]->name, rule) == 0)
			return row->violations_by_rule[i]->count;
	}
	return 0;
}

static inline const EV(LegRow) *leg_row(struct fake *fake, const char *leg)
{
	fake_fold(fake);
	const EV(LegRow) *row = ROW(fake, LegRow, LEG, leg);
	assert_non_null(row);
	return row;
}

static inline const EV(OperationRow) *operation_row(struct fake *fake)
{
	fake_fold(fake);
	const EV(OperationRow) *row = ROW(fake, OperationRow, OPERATION, OP);
	assert_non_null(row);
	assert_int_equal(row->references, row->persons + row->duplicates);
	return row;
}

static inline const EV(PersonRow) *person_row(struct fake *fake, const char *person)
{
	fake_fold(fake);
	const EV(PersonRow) *row = ROW(fake, PersonRow, PERSON, person);
	assert_non_null(row);
	return row;
}

static inline unsigned leg_breaks(struct fake *fake, const char *leg, const char *rule)
{
	return fake_violations(&leg_row(fake, leg)->base, rule);
}

static inline struct fake *open_operation(void)
{
	struct fake *fake = fake_open(&vl_view_evacuation);
	SEND(fake, "HQ", 0, "SD", CrisisDeclared, crisis_declared, .crisis = "SD",
	     .title = "Sudan, armed conflict");
	SEND(fake, "HQ", 0, OP, OperationOpened, operation_opened, .operation = OP, .crisis = "SD",
	     .lead = EMBASSY);
	return fake;
}

/* The end of every test: for any facts in it, the order of arrival changes nothing. */
static inline void settle(struct fake *fake)
{
	assert_true(fake_converges(fake, SEED, 4));
	fake_close(fake);
}

#endif

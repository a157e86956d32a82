/*
 * Travellers in the fake engine: a fact a call, and the rows read back. Days are counted from T0.
 *
 * Next: view_evacuation.h, evacuations in it.
 */
#ifndef VALISE_TESTS_VIEW_TRAVELLER_H
#define VALISE_TESTS_VIEW_TRAVELLER_H

#include "hq/views/traveller.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

#define TRAVELLER(name) Consular__Traveller__V1__##name
#define TRAVELLER_STATE(name) REGISTRATION_STATE_##name
#define TRAVELLER_TRIP(name) TRIP_STATE_##name
#define TRAVELLER_DUPLICATE WITHDRAWAL_REASON_DUPLICATE
#define TRAVELLER_BOARD_ALL "all"

extern const struct vl_view vl_view_traveller;

#define A "CN-SD-EMB"
#define B "CN-EG-EMB"
#define DAY_MS INT64_C(86400000)
#define T0 (INT64_C(20000) * DAY_MS) /* 2024-10-04 */
#define SEED UINT64_C(20230415)
#define SELF CONSULAR__TRAVELLER__V1__ANSWERER__ANSWERER_SELF
#define RELATIVE CONSULAR__TRAVELLER__V1__ANSWERER__ANSWERER_RELATIVE
#define NO_END INT64_MIN
#define NONE (char *)(uintptr_t)protobuf_c_empty_string

struct world {
	struct fake *fake;
	int64_t now;
};

static inline struct world begin(void)
{
	return (struct world){.fake = fake_open(&vl_view_traveller), .now = T0};
}

/* The next fact of `mission`, a minute after the last one. */
static inline void tell(struct world *w, const char *mission, const char *subject,
			const ProtobufCMessage *payload)
{
	w->now += 60000;
	fake_next(w->fake, mission, w->now, subject, "officer-7", NULL, payload);
}

/* -- payloads; what they point to lasts until the next of the same kind -- */

static inline Google__Protobuf__Timestamp at_day(int64_t day)
{
	Google__Protobuf__Timestamp stamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	stamp.seconds = (T0 / DAY_MS + day) * 86400 + 3600;
	return stamp;
}

struct stay {
	const char *country, *area;
	int64_t from, until; /* days after T0 */
};

static inline TRAVELLER(Stay) *stay(size_t slot, struct stay said)
{
	static TRAVELLER(Stay) stays[4];
	static Google__Protobuf__Timestamp from[4], until[4];
	TRAVELLER(Stay) *made = &stays[slot];
	consular__traveller__v1__stay__init(made);
	made->country = (char *)(uintptr_t)said.country;
	made->area = (char *)(uintptr_t)said.area;
	from[slot] = at_day(said.from);
	made->from = &from[slot];
	if (said.until != NO_END) {
		until[slot] = at_day(said.until);
		made->until = &until[slot];
	}
	return made;
}

static inline const ProtobufCMessage *registration(uint32_t people)
{
	static TRAVELLER(TravellerRegistered) event;
	consular__traveller__v1__traveller_registered__init(&event);
	event.kind = CONSULAR__TRAVELLER__V1__REGISTRATION_KIND__REGISTRATION_KIND_WORKER;
	event.people = people;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *residence(uint32_t people, struct stay said)
{
	TRAVELLER(TravellerRegistered) *event = (void *)(uintptr_t)registration(people);
	event->residence = stay(3, said);
	return (const ProtobufCMessage *)event;
}

static inline const ProtobufCMessage *trip(const char *name, struct stay first, struct stay second)
{
	static TRAVELLER(TripPlanned) event;
	static TRAVELLER(Stay) *stays[2];
	consular__traveller__v1__trip_planned__init(&event);
	event.trip = (char *)(uintptr_t)name;
	stays[0] = stay(0, first);
	event.n_stays = 1;
	if (second.country != NULL)
		stays[event.n_stays++] = stay(1, second);
	event.stays = stays;
	return (const ProtobufCMessage *)&event;
}
#define NOWHERE ((struct stay){0})

static inline const ProtobufCMessage *trip_ended(const char *name, int64_t day)
{
	static TRAVELLER(TripEnded) event;
	static Google__Protobuf__Timestamp ended;
	consular__traveller__v1__trip_ended__init(&event);
	event.trip = (char *)(uintptr_t)name;
	ended = at_day(day);
	event.ended_at = &ended;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *trip_cancelled(const char *name)
{
	static TRAVELLER(TripCancelled) event;
	consular__traveller__v1__trip_cancelled__init(&event);
	event.trip = (char *)(uintptr_t)name;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *withdrawal(bool duplicate)
{
	static TRAVELLER(RegistrationWithdrawn) event;
	consular__traveller__v1__registration_withdrawn__init(&event);
	event.reason = CONSULAR__TRAVELLER__V1__WITHDRAWAL_REASON__WITHDRAWAL_REASON_RETURNED_HOME;
	if (duplicate)
		event.reason = TRAVELLER_DUPLICATE;
	event.instead = duplicate ? (char *)(uintptr_t) "T-9" : NONE;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *opening(const char *place, int64_t from, int64_t until)
{
	static TRAVELLER(SafetyCheckOpened) event;
	static Google__Protobuf__Timestamp first, last;
	consular__traveller__v1__safety_check_opened__init(&event);
	event.place = (char *)(uintptr_t)place;
	first = at_day(from);
	last = at_day(until);
	event.from = &first;
	event.until = &last;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *closing(void)
{
	static TRAVELLER(SafetyCheckClosed) event =
		CONSULAR__TRAVELLER__V1__SAFETY_CHECK_CLOSED__INIT;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *reply(const char *check, uint32_t safe, uint32_t help,
					    TRAVELLER(Answerer) who)
{
	static TRAVELLER(SafetyReplied) event;
	consular__traveller__v1__safety_replied__init(&event);
	event.check = (char *)(uintptr_t)check;
	event.safe = safe;
	event.help = help;
	event.answerer = who;
	return (const ProtobufCMessage *)&event;
}

static inline const ProtobufCMessage *taken_up(const char *check, const char *follow_up)
{
	static TRAVELLER(HelpTakenUp) event;
	consular__traveller__v1__help_taken_up__init(&event);
	event.check = (char *)(uintptr_t)check;
	event.follow_up = (char *)(uintptr_t)follow_up;
	return (const ProtobufCMessage *)&event;
}

/* -- rows -- */

static inline const TRAVELLER(TravellerRow) *row_of(struct world *w, const char *key)
{
	fake_fold(w->fake);
	const TRAVELLER(TravellerRow) *row =
		(const void *)fake_row(w->fake, TRAVELLER_KIND_TRAVELLER, key);
	assert_non_null(row);
	return row;
}

static inline const TRAVELLER(CheckRow) *check_of(struct world *w, const char *key)
{
	fake_fold(w->fake);
	const TRAVELLER(CheckRow) *row = (const void *)fake_row(w->fake, TRAVELLER_KIND_CHECK, key);
	assert_non_null(row);
	return row;
}

static inline unsigned broken(struct world *w, const char *key, const char *rule)
{
	return fake_violations((const ProtobufCMessage *)row_of(w, key), rule);
}

static inline const char *cell(struct world *w, unsigned kind, const char *key, const char *title,
			       int64_t day)
{
	fake_fold(w->fake);
	return fake_cell(w->fake, kind, key, title, (struct vl_time){at_day(day).seconds, 0});
}

static inline void expect_count(struct world *w, const char *check, int64_t asked, int64_t safe,
				int64_t help, int64_t silent)
{
	const TRAVELLER(CheckRow) *row = check_of(w, check);
	assert_int_equal(row->asked, asked);
	assert_int_equal(row->safe, safe);
	assert_int_equal(row->help, help);
	assert_int_equal(row->silent, silent);
	assert_int_equal(fake_violations((const ProtobufCMessage *)row, "T9"), 0);
}

/* The end of every test: the same rows in any order of arrival. */
static inline void done(struct world *w)
{
	print_message("seed %llu\n", (unsigned long long)SEED);
	assert_true(fake_converges(w->fake, SEED, 8));
	fake_close(w->fake);
}

#endif

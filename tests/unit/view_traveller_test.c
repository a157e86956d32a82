/*
 * The view of travellers: registrations and trips as days in places, who is asked by a safety check and how the answers count, and
 * the same rows in any order of arrival.
 */
#include "hq/views/traveller.h"
#include "view_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

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

static struct world begin(void)
{
	return (struct world){.fake = fake_open(&vl_view_traveller), .now = T0};
}

/* The next fact of `mission`, a minute after the last one. */
static void tell(struct world *w, const char *mission, const char *subject, const ProtobufCMessage *payload)
{
	w->now += 60000;
	fake_next(w->fake, mission, w->now, subject, "officer-7", NULL, payload);
}

/* -- payloads; what they point to lasts until the next of the same kind -- */

static Google__Protobuf__Timestamp at_day(int64_t day)
{
	Google__Protobuf__Timestamp stamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	stamp.seconds = (T0 / DAY_MS + day) * 86400 + 3600;
	return stamp;
}

struct stay {
	const char *country, *area;
	int64_t from, until; /* days after T0 */
};

static TRAVELLER(Stay) *stay(size_t slot, struct stay said)
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

static const ProtobufCMessage *registration(uint32_t people)
{
	static TRAVELLER(TravellerRegistered) event;
	consular__traveller__v1__traveller_registered__init(&event);
	event.kind = CONSULAR__TRAVELLER__V1__REGISTRATION_KIND__REGISTRATION_KIND_WORKER;
	event.people = people;
	return (const ProtobufCMessage *)&event;
}

static const ProtobufCMessage *residence(uint32_t people, struct stay said)
{
	TRAVELLER(TravellerRegistered) *event = (void *)(uintptr_t)registration(people);
	event->residence = stay(3, said);
	return (const ProtobufCMessage *)event;
}

static const ProtobufCMessage *trip(const char *name, struct stay first, struct stay second)
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

static const ProtobufCMessage *trip_ended(const char *name, int64_t day)
{
	static TRAVELLER(TripEnded) event;
	static Google__Protobuf__Timestamp ended;
	consular__traveller__v1__trip_ended__init(&event);
	event.trip = (char *)(uintptr_t)name;
	ended = at_day(day);
	event.ended_at = &ended;
	return (const ProtobufCMessage *)&event;
}

static const ProtobufCMessage *trip_cancelled(const char *name)
{
	static TRAVELLER(TripCancelled) event;
	consular__traveller__v1__trip_cancelled__init(&event);
	event.trip = (char *)(uintptr_t)name;
	return (const ProtobufCMessage *)&event;
}

static const ProtobufCMessage *withdrawal(bool duplicate)
{
	static TRAVELLER(RegistrationWithdrawn) event;
	consular__traveller__v1__registration_withdrawn__init(&event);
	event.reason = duplicate ? TRAVELLER_DUPLICATE
				 : CONSULAR__TRAVELLER__V1__WITHDRAWAL_REASON__WITHDRAWAL_REASON_RETURNED_HOME;
	event.instead = duplicate ? (char *)(uintptr_t) "T-9" : NONE;
	return (const ProtobufCMessage *)&event;
}

static const ProtobufCMessage *opening(const char *place, int64_t from, int64_t until)
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

static const ProtobufCMessage *closing(void)
{
	static TRAVELLER(SafetyCheckClosed) event = CONSULAR__TRAVELLER__V1__SAFETY_CHECK_CLOSED__INIT;
	return (const ProtobufCMessage *)&event;
}

static const ProtobufCMessage *reply(const char *check, uint32_t safe, uint32_t help, TRAVELLER(Answerer) who)
{
	static TRAVELLER(SafetyReplied) event;
	consular__traveller__v1__safety_replied__init(&event);
	event.check = (char *)(uintptr_t)check;
	event.safe = safe;
	event.help = help;
	event.answerer = who;
	return (const ProtobufCMessage *)&event;
}

static const ProtobufCMessage *taken_up(const char *check, const char *follow_up)
{
	static TRAVELLER(HelpTakenUp) event;
	consular__traveller__v1__help_taken_up__init(&event);
	event.check = (char *)(uintptr_t)check;
	event.follow_up = (char *)(uintptr_t)follow_up;
	return (const ProtobufCMessage *)&event;
}

/* -- rows -- */

static const TRAVELLER(TravellerRow) *row_of(struct world *w, const char *key)
{
	fake_fold(w->fake);
	const TRAVELLER(TravellerRow) *row = (const void *)fake_row(w->fake, TRAVELLER_KIND_TRAVELLER, key);
	assert_non_null(row);
	return row;
}

static const TRAVELLER(CheckRow) *check_of(struct world *w, const char *key)
{
	fake_fold(w->fake);
	const TRAVELLER(CheckRow) *row = (const void *)fake_row(w->fake, TRAVELLER_KIND_CHECK, key);
	assert_non_null(row);
	return row;
}

static unsigned broken(struct world *w, const char *key, const char *rule)
{
	return fake_violations((const ProtobufCMessage *)row_of(w, key), rule);
}

static const char *cell(struct world *w, unsigned kind, const char *key, const char *title, int64_t day)
{
	fake_fold(w->fake);
	return fake_cell(w->fake, kind, key, title, (struct vl_time){at_day(day).seconds, 0});
}

static void expect_count(struct world *w, const char *check, int64_t asked, int64_t safe, int64_t help, int64_t silent)
{
	const TRAVELLER(CheckRow) *row = check_of(w, check);
	assert_int_equal(row->asked, asked);
	assert_int_equal(row->safe, safe);
	assert_int_equal(row->help, help);
	assert_int_equal(row->silent, silent);
	assert_int_equal(fake_violations((const ProtobufCMessage *)row, "T9"), 0);
}

/* What every test ends with: the same rows in any order of arrival. */
static void done(struct world *w)
{
	print_message("seed %llu\n", (unsigned long long)SEED);
	assert_true(fake_converges(w->fake, SEED, 8));
	fake_close(w->fake);
}

/* -- days in places -- */

static void a_trip_is_days_in_places(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", registration(3));
	tell(&w, A, "T-1", trip("1", (struct stay){"SD", "SD-KH", 2, 5}, (struct stay){"EG", "", 5, 9}));
	const TRAVELLER(TravellerRow) *row = row_of(&w, "T-1");
	assert_int_equal(row->n_presences, 3);
	assert_string_equal(row->presences[0]->place, "EG");
	assert_string_equal(row->presences[0]->from, "2024-10-09");
	assert_string_equal(row->presences[0]->until, "2024-10-13");
	assert_string_equal(row->presences[2]->place, "SD-KH");
	assert_int_equal(row->n_violations, 0);
	assert_string_equal(row->mission, A);
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 1), "");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 2), "SD SD-KH");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 5), "EG SD SD-KH");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 6), "EG");
	tell(&w, B, "T-2", registration(0));
	tell(&w, B, "T-2", trip("1", (struct stay){"EG", "", 6, NO_END}, NOWHERE));
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "EG", "PEOPLE", 6), "4");
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "EG", "PEOPLE", 9), "4");
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "EG", "LEAVING TODAY", 9), "3");
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "EG", "PEOPLE", 10), "1");
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "REFERENCES", 5), "1");
	done(&w);
}

static void stays_that_meet_count_once(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", registration(1));
	tell(&w, A, "T-1", trip("1", (struct stay){"SD", "", 0, 4}, (struct stay){"SD", "", 5, 8}));
	assert_int_equal(row_of(&w, "T-1")->n_presences, 1);
	tell(&w, A, "T-1", trip("2", (struct stay){"SD", "", 3, 6}, NOWHERE));
	assert_int_equal(row_of(&w, "T-1")->n_presences, 1);
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", 4), "1");
	/* Said anew, a trip has its new stays only. */
	tell(&w, A, "T-1", trip("1", (struct stay){"EG", "", 9, 10}, NOWHERE));
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", 2), "0");
	tell(&w, A, "T-1", trip_cancelled("2"));
	assert_null(fake_row(w.fake, TRAVELLER_KIND_PLACE, "ET"));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 4), "");
	tell(&w, A, "T-1", trip_ended("1", 9));
	assert_string_equal(row_of(&w, "T-1")->presences[0]->until, "2024-10-13");
	done(&w);
}

static void a_residence_is_left_for_a_trip(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", residence(2, (struct stay){"SD", "SD-KH", 0, NO_END}));
	tell(&w, A, "T-1", trip("1", (struct stay){"EG", "", 10, 20}, NOWHERE));
	tell(&w, A, "T-1", trip("2", (struct stay){"ET", "", 30, 30}, NOWHERE));
	tell(&w, A, "T-1", trip("3", (struct stay){"SD", "SD-RS", 40, 45}, NOWHERE));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 10), "EG SD SD-KH");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 15), "EG");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 20), "EG SD SD-KH");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 30), "ET SD SD-KH");
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", 42), "2");
	assert_int_equal(broken(&w, "T-1", NULL), 0);
	/* On to a third country, and not home on the day between. */
	tell(&w, A, "T-1", trip("1", (struct stay){"EG", "", 10, 20}, (struct stay){"ET", "", 20, 25}));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 20), "EG ET");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 25), "ET SD SD-KH");
	/* And for good by one that does not end. */
	tell(&w, A, "T-1", trip("4", (struct stay){"DJ", "", 50, NO_END}, NOWHERE));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 60), "DJ");
	done(&w);
}

static void impossible_stays_are_shown(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", registration(1));
	tell(&w, A, "T-1", trip("1", (struct stay){"SD", "", 0, 5}, (struct stay){"EG", "", 4, 8}));
	assert_int_equal(broken(&w, "T-1", "T2"), 1);
	tell(&w, A, "T-1", trip("1", (struct stay){"SD", "", 0, 5}, (struct stay){"EG", "", 3, 3}));
	assert_int_equal(broken(&w, "T-1", "T2"), 0);
	tell(&w, A, "T-1", trip("2", (struct stay){"", "ET-AA", 8, 7}, NOWHERE));
	assert_int_equal(broken(&w, "T-1", "T3"), 1);
	tell(&w, A, "T-1", trip("2", (struct stay){"", "ET-AA", 7, 8}, NOWHERE));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 7), "ET ET-AA");
	/* Beyond the calendar. */
	tell(&w, A, "T-1", trip("3", (struct stay){"DJ", "", -9000000, 9000000}, NOWHERE));
	const TRAVELLER(TravellerRow) *row = row_of(&w, "T-1");
	assert_string_equal(row->presences[0]->from, "0001-01-01");
	assert_string_equal(row->presences[0]->until, "9999-12-31");
	done(&w);
}

static void a_withdrawal_ends_what_it_finds(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", residence(2, (struct stay){"SD", "", -30, NO_END}));
	tell(&w, A, "T-2", residence(4, (struct stay){"SD", "", -30, NO_END}));
	tell(&w, A, "T-1", trip("1", (struct stay){"EG", "", 5, 9}, NOWHERE));
	tell(&w, A, "T-1", withdrawal(false));
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", 0), "6");
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", 1), "4");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 6), "");
	/* A duplicate never counted, not even before. */
	tell(&w, A, "T-2", withdrawal(true));
	assert_string_equal(cell(&w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", -5), "2");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-2", "STATE", 0), "WITHDRAWN for T-9");
	tell(&w, A, "T-2", trip("1", (struct stay){"SD", "", 0, 9}, NOWHERE));
	assert_int_equal(broken(&w, "T-2", "T5"), 1);
	/* Registered anew, the trips of before do not come back. */
	tell(&w, A, "T-1", residence(2, (struct stay){"DJ", "", 2, NO_END}));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 6), "DJ");
	fake_fold(w.fake);
	const TRAVELLER(BoardRow) *board = (const void *)fake_row(w.fake, TRAVELLER_KIND_BOARD, "all");
	assert_int_equal(board->registered, 1);
	assert_int_equal(board->withdrawn, 1);
	assert_int_equal(board->people, 2);
	assert_string_equal(board->people_by_kind[0]->name, "WORKER");
	done(&w);
}

/* -- safety checks -- */

static void everybody_asked_is_safe_in_need_or_silent(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", residence(1, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, A, "T-2", residence(40, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, B, "T-3", residence(5, (struct stay){"EG", "", 0, NO_END}));
	fake_fold(w.fake);
	/* Opened after they registered, and before the last of them did. */
	tell(&w, "HQ", "SC-1", opening("SD", 1, 2));
	expect_count(&w, "SC-1", 41, 0, 0, 41);
	tell(&w, A, "T-4", registration(2));
	tell(&w, A, "T-4", trip("1", (struct stay){"SD", "", 2, 3}, NOWHERE));
	expect_count(&w, "SC-1", 43, 0, 0, 43);
	assert_int_equal(check_of(&w, "SC-1")->references, 3);
	tell(&w, A, "T-1", reply("SC-1", 1, 0, SELF));
	tell(&w, A, "T-2", reply("SC-1", 30, 4, SELF));
	tell(&w, B, "T-3", reply("SC-1", 5, 0, SELF));
	expect_count(&w, "SC-1", 43, 31, 4, 8);
	assert_int_equal(check_of(&w, "SC-1")->beyond_safe, 5);
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-2", "CHECKS", 1), "SC-1: 4 HELP 30 safe 6 silent");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-4", "CHECKS", 1), "SC-1: 2 silent");
	tell(&w, A, "T-2", reply("SC-1", 40, 0, SELF));
	expect_count(&w, "SC-1", 43, 41, 0, 2);
	/* For a second place: nobody is asked twice. */
	tell(&w, "HQ", "SC-1", opening("EG", 1, 2));
	tell(&w, A, "T-4", trip("2", (struct stay){"EG", "", 1, 2}, NOWHERE));
	expect_count(&w, "SC-1", 48, 46, 0, 2);
	assert_int_equal(check_of(&w, "SC-1")->n_places, 2);
	/* Whoever was not there on the days is not asked. */
	tell(&w, "HQ", "SC-2", opening("SD", 4, 9));
	expect_count(&w, "SC-2", 41, 0, 0, 41);
	/* The days corrected. */
	tell(&w, "HQ", "SC-2", opening("SD", 3, 9));
	expect_count(&w, "SC-2", 43, 0, 0, 43);
	done(&w);
}

static void more_answer_than_there_are(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
	tell(&w, A, "T-1", residence(3, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, A, "T-1", reply("SC-1", 3, 2, SELF));
	expect_count(&w, "SC-1", 3, 1, 2, 0);
	assert_int_equal(check_of(&w, "SC-1")->beyond_safe, 2);
	assert_int_equal(broken(&w, "T-1", "T4"), 1);
	tell(&w, A, "T-1", reply("SC-1", 0, UINT32_MAX, SELF));
	expect_count(&w, "SC-1", 3, 0, 3, 0);
	assert_int_equal(check_of(&w, "SC-1")->beyond_help, (int64_t)UINT32_MAX - 3);
	/* An answer for nobody is no sign of life. */
	tell(&w, A, "T-1", reply("SC-1", 0, 0, SELF));
	expect_count(&w, "SC-1", 3, 0, 0, 3);
	done(&w);
}

static void their_own_word_goes_first(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
	tell(&w, A, "T-1", residence(1, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, "HQ", "T-1", reply("SC-1", 1, 0, RELATIVE));
	expect_count(&w, "SC-1", 1, 1, 0, 0);
	tell(&w, A, "T-1", reply("SC-1", 0, 1, SELF));
	expect_count(&w, "SC-1", 1, 0, 1, 0);
	tell(&w, "HQ", "T-1", reply("SC-1", 1, 0, RELATIVE));
	expect_count(&w, "SC-1", 1, 0, 1, 0);
	assert_int_equal(broken(&w, "T-1", "T8"), 1);
	assert_int_equal(row_of(&w, "T-1")->answers[0]->said_safe, 1);
	tell(&w, A, "T-1", reply("SC-1", 1, 0, SELF));
	expect_count(&w, "SC-1", 1, 1, 0, 0);
	done(&w);
}

static void a_call_for_help_is_open_until_taken_up(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
	tell(&w, A, "T-1", residence(1, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, A, "T-1", reply("SC-1", 0, 1, SELF));
	tell(&w, B, "T-2", reply("SC-1", 0, 2, SELF));
	tell(&w, "HQ", "SC-1", closing());
	const TRAVELLER(CheckRow) *check = check_of(&w, "SC-1");
	assert_int_equal(check->n_help_open, 2);
	assert_string_equal(check->help_open[1]->name, "T-2");
	assert_int_equal(check->help_open[1]->count, 2);
	assert_int_equal(fake_violations((const ProtobufCMessage *)check, "T6"), 1);
	assert_int_equal(broken(&w, "T-2", "T1"), 1);
	tell(&w, A, "T-1", taken_up("SC-1", "SD-2024-17"));
	tell(&w, A, "T-2", taken_up("SC-1", "EV-SD/P-9"));
	check = check_of(&w, "SC-1");
	assert_int_equal(check->n_help_open, 0);
	assert_int_equal(check->n_help_taken_up, 2);
	assert_int_equal(fake_violations((const ProtobufCMessage *)check, NULL), 0);
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "CHECKS", 0), "SC-1: 1 HELP SD-2024-17");
	assert_string_equal(cell(&w, TRAVELLER_KIND_CHECK, "SC-1", "STATE", 0), "CLOSED");
	tell(&w, A, "T-1", reply("SC-7", 1, 0, SELF));
	assert_int_equal(fake_violations((const ProtobufCMessage *)check_of(&w, "SC-7"), "T7"), 1);
	done(&w);
}

static void a_duplicate_is_not_asked(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
	tell(&w, A, "T-1", residence(1, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, "HQ", "T-9", residence(1, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, A, "T-1", reply("SC-1", 0, 1, SELF));
	expect_count(&w, "SC-1", 2, 0, 1, 1);
	tell(&w, A, "T-1", withdrawal(true));
	expect_count(&w, "SC-1", 1, 0, 0, 1);
	/* Its call is heard all the same. */
	assert_int_equal(check_of(&w, "SC-1")->beyond_help, 1);
	assert_int_equal(check_of(&w, "SC-1")->n_help_open, 1);
	done(&w);
}

/* -- convergence -- */

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

static const char *const travellers[] = {"T-1", "T-2", "T-3", "T-4", "T-5"};
static const char *const checks[] = {"SC-1", "SC-2"};
static const char *const places[] = {"SD", "EG", "SD-KH"};

static struct stay any_stay(uint64_t *seed)
{
	int64_t from = (int64_t)draw(seed, 20);
	return (struct stay){places[draw(seed, 2)], draw(seed, 3) == 0 ? "SD-KH" : "", from,
			     draw(seed, 3) == 0 ? NO_END : from + (int64_t)draw(seed, 8) - 1};
}

static const ProtobufCMessage *any_event(uint64_t *seed)
{
	const char *check = checks[draw(seed, 2)], *name = draw(seed, 2) ? "1" : "2";
	switch (draw(seed, 10)) {
	case 0:
		return registration((uint32_t)draw(seed, 4));
	case 1:
		return residence((uint32_t)draw(seed, 4), any_stay(seed));
	case 2:
	case 3:
		return trip(name, any_stay(seed), any_stay(seed));
	case 4:
		return trip_ended(name, (int64_t)draw(seed, 20));
	case 5:
		return trip_cancelled(name);
	case 6:
		return withdrawal(draw(seed, 3) == 0);
	case 7:
		return taken_up(check, "SD-1");
	default:
		return reply(check, (uint32_t)draw(seed, 4), (uint32_t)draw(seed, 3), draw(seed, 2) ? SELF : RELATIVE);
	}
}

/* The counts, made again by walking the travellers. */
static void count_again(struct world *w)
{
	for (size_t c = 0; c < 2; c++) {
		int64_t asked = 0, silent = 0;
		const TRAVELLER(CheckRow) *check = (const void *)fake_row(w->fake, TRAVELLER_KIND_CHECK, checks[c]);
		for (size_t t = 0; t < 5; t++) {
			const TRAVELLER(TravellerRow) *row =
				(const void *)fake_row(w->fake, TRAVELLER_KIND_TRAVELLER, travellers[t]);
			for (size_t i = 0; row != NULL && i < row->n_answers; i++) {
				bool counts = strcmp(row->answers[i]->check, checks[c]) == 0 && row->answers[i]->asked;
				asked += counts ? row->people : 0;
				silent += counts ? row->answers[i]->silent : 0;
			}
		}
		assert_int_equal(check != NULL ? check->asked : 0, asked);
		assert_int_equal(check != NULL ? check->silent : 0, silent);
		assert_true(check == NULL || fake_violations((const ProtobufCMessage *)check, "T9") == 0);
	}
	for (int64_t day = -1; day < 30; day++) {
		int64_t there = 0;
		for (size_t t = 0; t < 5; t++) {
			const TRAVELLER(TravellerRow) *row =
				(const void *)fake_row(w->fake, TRAVELLER_KIND_TRAVELLER, travellers[t]);
			char today[TRAVELLER_DAY];
			(void)vl_traveller_day((struct vl_time){at_day(day).seconds, 0}, today);
			for (size_t i = 0; row != NULL && i < row->n_presences; i++)
				there += strcmp(row->presences[i]->place, "SD") == 0 &&
							 vl_traveller_meets(row->presences[i], today, today)
						 ? row->people
						 : 0;
		}
		if (fake_row(w->fake, TRAVELLER_KIND_PLACE, "SD") != NULL)
			assert_int_equal(strtoll(cell(w, TRAVELLER_KIND_PLACE, "SD", "PEOPLE", day), NULL, 10), there);
	}
}

/* Whatever three senders say, in whatever order it comes, live or rebuilt. */
static void any_facts_in_any_order(void **state)
{
	(void)state;
	const char *const missions[] = {A, B, "HQ"};
	for (uint64_t round = 0; round < 24; round++) {
		struct world w = begin();
		uint64_t seed = SEED + round;
		print_message("seed %llu\n", (unsigned long long)seed);
		for (int i = 0; i < 60; i++) {
			bool opens = draw(&seed, 8) == 0;
			const ProtobufCMessage *event =
				opens ? opening(places[draw(&seed, 3)], (int64_t)draw(&seed, 10),
						(int64_t)draw(&seed, 12))
				      : any_event(&seed);
			const char *subject = opens ? checks[draw(&seed, 2)] : travellers[draw(&seed, 5)];
			fake_next(w.fake, missions[draw(&seed, 3)], T0 + (int64_t)draw(&seed, 40) * DAY_MS / 4, subject,
				  "officer-7", NULL, event);
		}
		assert_true(fake_converges(w.fake, SEED + round, 4));
		count_again(&w);
		fake_close(w.fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trip_is_days_in_places),
		cmocka_unit_test(stays_that_meet_count_once),
		cmocka_unit_test(a_residence_is_left_for_a_trip),
		cmocka_unit_test(impossible_stays_are_shown),
		cmocka_unit_test(a_withdrawal_ends_what_it_finds),
		cmocka_unit_test(everybody_asked_is_safe_in_need_or_silent),
		cmocka_unit_test(more_answer_than_there_are),
		cmocka_unit_test(their_own_word_goes_first),
		cmocka_unit_test(a_call_for_help_is_open_until_taken_up),
		cmocka_unit_test(a_duplicate_is_not_asked),
		cmocka_unit_test(any_facts_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The view of travellers: registrations and trips as days in places, and the same rows, with
 * counts that can be made again, in any order of arrival.
 */
#include "view_traveller.h"

static void a_trip_is_days_in_places(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", registration(3));
	tell(&w, A, "T-1",
	     trip("1", (struct stay){"SD", "SD-KH", 2, 5}, (struct stay){"EG", "", 5, 9}));
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
	tell(&w, A, "T-1",
	     trip("1", (struct stay){"EG", "", 10, 20}, (struct stay){"ET", "", 20, 25}));
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
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-2", "STATE", 0),
			    "WITHDRAWN for T-9");
	tell(&w, A, "T-2", trip("1", (struct stay){"SD", "", 0, 9}, NOWHERE));
	assert_int_equal(broken(&w, "T-2", "T5"), 1);
	/* Registered anew, the trips of before do not come back. */
	tell(&w, A, "T-1", residence(2, (struct stay){"DJ", "", 2, NO_END}));
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "WHERE", 6), "DJ");
	fake_fold(w.fake);
	const TRAVELLER(BoardRow) *board =
		(const void *)fake_row(w.fake, TRAVELLER_KIND_BOARD, "all");
	assert_int_equal(board->registered, 1);
	assert_int_equal(board->withdrawn, 1);
	assert_int_equal(board->people, 2);
	assert_string_equal(board->people_by_kind[0]->name, "WORKER");
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
		return reply(check, (uint32_t)draw(seed, 4), (uint32_t)draw(seed, 3),
			     draw(seed, 2) ? SELF : RELATIVE);
	}
}

/* -- the same, day by day -- */

static int64_t day_number(const Google__Protobuf__Timestamp *stamp)
{
	return stamp->seconds / 86400 - T0 / DAY_MS;
}

struct days {
	int64_t from, until;
};

/* Nobody is where a stay says behind `end`. */
static struct days days_of(const TRAVELLER(Stay) *said, const Google__Protobuf__Timestamp *end)
{
	struct days days = {day_number(said->from),
			    said->until != NULL ? day_number(said->until) : INT64_MAX};
	if (end != NULL && day_number(end) < days.until)
		days.until = day_number(end);
	return days;
}

/* Whether a trip's stay leads to the place on the day (country; area where asked for). Of those
 * in other countries than `home`: does one come to its end then, begin, or do neither. */
struct seen {
	bool there, back, off, away;
};

static struct seen look(const TRAVELLER(TravellerRow) *row, const char *place, const char *home,
			int64_t day)
{
	struct seen seen = {0};
	for (size_t t = 0; t < row->n_trips; t++) {
		const TRAVELLER(Trip) *told = row->trips[t];
		for (size_t i = 0; told->state != TRAVELLER_TRIP(CANCELLED) && i < told->n_stays;
		     i++) {
			const TRAVELLER(Stay) *said = told->stays[i];
			struct days days = days_of(
				said, told->state == TRAVELLER_TRIP(ENDED) ? told->ended_at : NULL);
			bool covers = days.from <= day && day <= days.until;
			seen.there |= covers && (strcmp(said->country, place) == 0 ||
						 strcmp(said->area, place) == 0);
			if (!covers || home == NULL || strcmp(said->country, home) == 0)
				continue;
			seen.back |= days.from < day;
			seen.off |= day < days.until;
			seen.away |= days.from < day && day < days.until;
		}
	}
	return seen;
}

static bool is_in(const TRAVELLER(TravellerRow) *row, const char *place, int64_t day)
{
	if (row->withdrawn_for == TRAVELLER_DUPLICATE)
		return false;
	if (row->residence == NULL)
		return look(row, place, NULL, day).there;
	struct days home = days_of(row->residence, row->withdrawn_at);
	struct seen seen = look(row, place, row->residence->country, day);
	bool lives = home.from <= day && day <= home.until &&
		     (strcmp(row->residence->country, place) == 0 ||
		      strcmp(row->residence->area, place) == 0);
	/* On the first day of a residence the one who leaves was there. */
	return seen.there || (lives && !seen.away && !(seen.back && seen.off && day > home.from));
}

static bool in_two_countries(const TRAVELLER(TravellerRow) *row)
{
	for (int64_t day = -1; day < 40; day++) {
		bool both = true;
		for (int64_t d = day; d <= day + 1; d++)
			both = both && look(row, "SD", NULL, d).there &&
			       look(row, "EG", NULL, d).there;
		if (both && row->withdrawn_for != TRAVELLER_DUPLICATE)
			return true;
	}
	return false;
}

static const TRAVELLER(TravellerRow) *traveller(struct world *w, size_t number)
{
	return (const void *)fake_row(w->fake, TRAVELLER_KIND_TRAVELLER, travellers[number]);
}

static void count_places_again(struct world *w)
{
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		for (int64_t day = -1; day < 40; day++) {
			int64_t there = 0;
			for (size_t t = 0; t < 5; t++) {
				const TRAVELLER(TravellerRow) *row = traveller(w, t);
				there +=
					row != NULL && is_in(row, places[p], day) ? row->people : 0;
			}
			int64_t counted = fake_row(w->fake, TRAVELLER_KIND_PLACE, places[p]) == NULL
						  ? 0
						  : strtoll(cell(w, TRAVELLER_KIND_PLACE, places[p],
								 "PEOPLE", day),
							    NULL, 10);
			assert_int_equal(counted, there);
		}
	}
}

/* The counts, made again by walking the travellers. */
static void count_again(struct world *w)
{
	for (size_t c = 0; c < 2; c++) {
		int64_t asked = 0, silent = 0;
		const TRAVELLER(CheckRow) *check =
			(const void *)fake_row(w->fake, TRAVELLER_KIND_CHECK, checks[c]);
		for (size_t t = 0; t < 5; t++) {
			const TRAVELLER(TravellerRow) *row = traveller(w, t);
			for (size_t i = 0; row != NULL && i < row->n_answers; i++) {
				bool counts = strcmp(row->answers[i]->check, checks[c]) == 0 &&
					      row->answers[i]->asked;
				asked += counts ? row->people : 0;
				silent += counts ? row->answers[i]->silent : 0;
			}
		}
		assert_int_equal(check != NULL ? check->asked : 0, asked);
		assert_int_equal(check != NULL ? check->silent : 0, silent);
		assert_true(check == NULL ||
			    fake_violations((const ProtobufCMessage *)check, "T9") == 0);
	}
	for (size_t t = 0; t < 5; t++) {
		const TRAVELLER(TravellerRow) *row = traveller(w, t);
		assert_true(row == NULL ||
			    in_two_countries(row) ==
				    (fake_violations((const ProtobufCMessage *)row, "T2") > 0));
	}
	count_places_again(w);
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
			const char *subject =
				opens ? checks[draw(&seed, 2)] : travellers[draw(&seed, 5)];
			fake_next(w.fake, missions[draw(&seed, 3)],
				  T0 + (int64_t)draw(&seed, 40) * DAY_MS / 4, subject, "officer-7",
				  NULL, event);
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
		cmocka_unit_test(any_facts_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

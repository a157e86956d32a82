/*
 * Safety checks: who is asked, how the answers count, and what is left open.
 */
#include "view_traveller.h"

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
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-2", "CHECKS", 1),
			    "SC-1: 4 HELP 30 safe 6 silent");
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-4", "CHECKS", 1),
			    "SC-1: 2 silent");
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

/* T11: whether the attempt comes before or after the opening. */
static void another_closes_no_check(void **state)
{
	(void)state;
	for (int before = 0; before < 2; before++) {
		struct world w = begin();
		if (before)
			tell(&w, B, "SC-1", closing());
		tell(&w, A, "SC-1", opening("SD", 0, 0));
		tell(&w, B, "SC-1", closing());
		tell(&w, B, "SC-1", opening("SD", 7, 8));
		fake_fold(w.fake);
		assert_null(check_of(&w, "SC-1")->closed_at);
		assert_int_equal(
			fake_violations((const ProtobufCMessage *)check_of(&w, "SC-1"), "T11"),
			2 + before);
		tell(&w, A, "SC-1", closing());
		fake_fold(w.fake);
		assert_non_null(check_of(&w, "SC-1")->closed_at);
		/* Nor does it open it again; headquarters does. */
		tell(&w, B, "SC-1", opening("SD", 0, 0));
		fake_fold(w.fake);
		assert_non_null(check_of(&w, "SC-1")->closed_at);
		tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
		fake_fold(w.fake);
		assert_null(check_of(&w, "SC-1")->closed_at);
		done(&w);
	}
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
	assert_string_equal(cell(&w, TRAVELLER_KIND_TRAVELLER, "T-1", "CHECKS", 0),
			    "SC-1: 1 HELP SD-2024-17");
	assert_string_equal(cell(&w, TRAVELLER_KIND_CHECK, "SC-1", "STATE", 0), "CLOSED");
	tell(&w, A, "T-1", reply("SC-7", 1, 0, SELF));
	assert_int_equal(fake_violations((const ProtobufCMessage *)check_of(&w, "SC-7"), "T7"), 1);
	done(&w);
}

static void a_call_after_one_was_taken_up_is_open(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
	tell(&w, A, "T-1", residence(2, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, A, "T-1", reply("SC-1", 0, 1, SELF));
	tell(&w, A, "T-1", taken_up("SC-1", "SD-2024-17"));
	assert_int_equal(check_of(&w, "SC-1")->n_help_open, 0);
	/* Safe, and what others say of them, leaves it taken up. */
	tell(&w, A, "T-1", reply("SC-1", 2, 0, SELF));
	tell(&w, A, "T-1", reply("SC-1", 0, 2, RELATIVE));
	assert_string_equal(row_of(&w, "T-1")->answers[0]->follow_up, "SD-2024-17");
	assert_int_equal(check_of(&w, "SC-1")->n_help_open, 0);
	tell(&w, A, "T-1", reply("SC-1", 1, 1, SELF));
	assert_int_equal(check_of(&w, "SC-1")->n_help_open, 1);
	assert_int_equal(check_of(&w, "SC-1")->n_help_taken_up, 0);
	tell(&w, "HQ", "SC-1", closing());
	assert_int_equal(fake_violations((const ProtobufCMessage *)check_of(&w, "SC-1"), "T6"), 1);
	tell(&w, A, "T-1", taken_up("SC-1", "SD-2024-18"));
	/* Said again without a word between, it is open again. */
	tell(&w, A, "T-1", reply("SC-1", 1, 1, SELF));
	assert_int_equal(check_of(&w, "SC-1")->n_help_open, 1);
	done(&w);
}

/* T10. */
static void the_last_checks_of_a_mission_ask(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, A, "T-1", residence(1, (struct stay){"SD", "", 0, NO_END}));
	/* Whoever opens another's check neither takes it over nor out of the list. */
	tell(&w, B, "SC-B", opening("SD", 0, 0));
	tell(&w, A, "SC-B", opening("SD", 0, 0));
	for (int i = 0; i < TRAVELLER_ASKING_MOST + 2; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "SC-%03d", i);
		tell(&w, A, name, opening("SD", 0, 0));
	}
	tell(&w, A, "SC-000", opening("SD", 0, 0));
	expect_count(&w, "SC-B", 1, 0, 0, 1);
	expect_count(&w, "SC-000", 1, 0, 0, 1);
	for (int i = 1; i <= 2; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "SC-%03d", i);
		expect_count(&w, name, 0, 0, 0, 0);
		assert_int_equal(
			fake_violations((const ProtobufCMessage *)check_of(&w, name), "T10"), 1);
	}
	expect_count(&w, "SC-003", 1, 0, 0, 1);
	assert_int_equal(fake_violations((const ProtobufCMessage *)check_of(&w, "SC-003"), NULL),
			 0);
	assert_int_equal(row_of(&w, "T-1")->n_answers, TRAVELLER_ASKING_MOST + 1);
	print_message("seed %llu\n", (unsigned long long)SEED);
	assert_true(fake_converges(w.fake, SEED, 1));
	fake_close(w.fake);
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

/* Of whoever answers a number is given that this build does not know: it is not they themselves. */
static void an_unknown_answerer_is_not_they_themselves(void **state)
{
	(void)state;
	struct world w = begin();
	tell(&w, "HQ", "SC-1", opening("SD", 0, 0));
	tell(&w, A, "T-1", residence(4, (struct stay){"SD", "", 0, NO_END}));
	tell(&w, A, "T-1", reply("SC-1", 0, 4, SELF));
	tell(&w, A, "T-1", reply("SC-1", 4, 0, (TRAVELLER(Answerer))9999));
	expect_count(&w, "SC-1", 4, 0, 4, 0);
	assert_int_equal(check_of(&w, "SC-1")->n_help_open, 1);
	done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_asked_is_safe_in_need_or_silent),
		cmocka_unit_test(another_closes_no_check),
		cmocka_unit_test(more_answer_than_there_are),
		cmocka_unit_test(their_own_word_goes_first),
		cmocka_unit_test(a_call_for_help_is_open_until_taken_up),
		cmocka_unit_test(a_call_after_one_was_taken_up_is_open),
		cmocka_unit_test(the_last_checks_of_a_mission_ask),
		cmocka_unit_test(a_duplicate_is_not_asked),
		cmocka_unit_test(an_unknown_answerer_is_not_they_themselves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

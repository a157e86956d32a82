/*
 * The view of alerts: from draft to expiry, levels of areas, and each invariant once kept and
 * once broken.
 */
#include "consular/traveller/v1/traveller.pb-c.h"
#include "view_alert.h"

extern const struct vl_view vl_view_traveller;

static void whole_life(void **state)
{
	(void)state;
	struct bench b = bench();
	const struct text text = {
		.id = "N-1", .expires = 100, .on_app = true, .languages = {"zh-CN", "en"}};
	ALERT(AlertSubmitted) submitted = CONSULAR__ALERT__V1__ALERT_SUBMITTED__INIT;
	ALERT(AlertAcknowledged) answer = CONSULAR__ALERT__V1__ALERT_ACKNOWLEDGED__INIT;
	ALERT(AlertExpired) expired = CONSULAR__ALERT__V1__ALERT_EXPIRED__INIT;
	tell_as(&b, A, "author-1", "N-1", say(ALERT_DESCRIPTOR(alert_drafted), &text));
	assert_int_equal(row_of(&b, "N-1")->state, ALERT_STATE(DRAFT));
	tell_as(&b, A, "author-1", "N-1", (const ProtobufCMessage *)&submitted);
	assert_int_equal(row_of(&b, "N-1")->state, ALERT_STATE(REVIEW));
	tell_as(&b, HQ, "chief-1", "N-1", approval());
	assert_int_equal(row_of(&b, "N-1")->state, ALERT_STATE(APPROVED));
	assert_false(in_force(&b, "N-1", 5));
	tell_as(&b, A, "author-1", "N-1", say(ALERT_DESCRIPTOR(alert_published), &text));
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(SENT)));
	answer.answer = CONSULAR__ALERT__V1__ANSWER__ANSWER_SAFE;
	tell_as(&b, A, "app", "N-1", (const ProtobufCMessage *)&answer);
	const ALERT(AlertRow) *row = row_of(&b, "N-1");
	assert_int_equal(row->state, ALERT_STATE(PUBLISHED));
	assert_int_equal(row->n_languages, 2);
	assert_int_equal(row->deliveries[0]->sent, 1000);
	assert_int_equal(row->safe, 1);
	assert_int_equal(row->n_violations, 0);
	assert_true(in_force(&b, "N-1", 99));
	assert_false(in_force(&b, "N-1", 100));
	assert_string_equal(fake_cell(b.fake, ALERT_KIND_ALERT, "N-1", "IN FORCE",
				      vl_time_from_ms(T0 + 99 * HOUR)),
			    "yes");
	b.now = T0 + 100 * HOUR;
	tell_as(&b, A, "clerk", "N-1", (const ProtobufCMessage *)&expired);
	assert_int_equal(row_of(&b, "N-1")->state, ALERT_STATE(EXPIRED));
	done(&b);
}

static void a1_exercise_stays_inside(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "X-1", .status = ALERT_STATUS(EXERCISE));
	tell_as(&b, A, "gateway", "X-1", delivery(INTERNAL, STAGE(SENT)));
	assert_int_equal(broken(&b, "X-1", NULL), 0);
	assert_false(in_force(&b, "X-1", 50));
	assert_string_equal(
		fake_cell(b.fake, ALERT_KIND_ALERT, "X-1", "STATUS", vl_time_from_ms(T0)),
		"EXERCISE");
	tell_as(&b, A, "gateway", "X-1", delivery(APP, STAGE(SENT)));
	assert_int_equal(broken(&b, "X-1", "A1"), 1);
	ISSUE(&b, alert_published, .id = "X-2", .status = ALERT_STATUS(TEST), .on_app = true);
	assert_int_equal(broken(&b, "X-2", "A1"), 1);
	fake_fold(b.fake);
	assert_null(fake_row(b.fake, ALERT_KIND_AREA, "SD"));
	done(&b);
}

static void a2_second_person(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "N-1", .colour = ALERT_COLOUR(RED));
	assert_int_equal(broken(&b, "N-1", NULL), 0);
	tell_as(&b, A, "author-1", "N-2", SAY(alert_published, .id = "N-2"));
	assert_int_equal(broken(&b, "N-2", "A2"), 1);
	tell_as(&b, A, "chief-2", "N-2", approval());
	assert_string_equal(row_of(&b, "N-2")->violations[0]->detail,
			    "approved only after it was published");
	tell_as(&b, A, "author-1", "N-3", SAY(alert_drafted, .id = "N-3"));
	tell_as(&b, A, "author-1", "N-3", approval());
	tell_as(&b, A, "clerk", "N-3", SAY(alert_published, .id = "N-3"));
	assert_int_equal(broken(&b, "N-3", "A2"), 1);
	done(&b);
}

static void a2_red_and_revised(void **state)
{
	(void)state;
	struct bench b = bench();
	tell_as(&b, A, "author-1", "N-4",
		SAY(alert_drafted, .id = "N-4", .colour = ALERT_COLOUR(RED)));
	tell_as(&b, A, "chief-2", "N-4", approval());
	tell_as(&b, A, "author-1", "N-4",
		SAY(alert_published, .id = "N-4", .colour = ALERT_COLOUR(RED)));
	assert_string_equal(row_of(&b, "N-4")->violations[0]->detail,
			    "red without approval by headquarters");
	tell_as(&b, A, "author-1", "N-5", SAY(alert_drafted, .id = "N-5"));
	tell_as(&b, A, "chief-2", "N-5", approval());
	tell_as(&b, A, "author-3", "N-5", SAY(alert_revised, .id = "N-5"));
	tell_as(&b, A, "author-1", "N-5", SAY(alert_published, .id = "N-5"));
	assert_string_equal(row_of(&b, "N-5")->violations[0]->detail,
			    "published after a revision that nobody approved");
	done(&b);
}

static void a3_cancel_is_not_overtaken(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "N-1", .on_app = true);
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(SENT)));
	assert_true(in_force(&b, "N-1", 50));
	ISSUE(&b, alert_cancelled, .id = "N-2", .refers_to = "N-1");
	assert_int_equal(broken(&b, "N-1", NULL), 0);
	assert_int_equal(row_of(&b, "N-1")->state, ALERT_STATE(CANCELLED));
	assert_string_equal(row_of(&b, "N-1")->cancelled_by, "N-2");
	assert_false(in_force(&b, "N-1", 50));
	assert_false(in_force(&b, "N-2", 50));
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(DELIVERED)));
	assert_int_equal(broken(&b, "N-1", NULL), 0);
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(QUEUED)));
	assert_int_equal(broken(&b, "N-1", "A3"), 1);
	/* An all-clear ends, too; here it comes before what it ends. */
	ISSUE(&b, alert_updated, .id = "N-4", .refers_to = "N-3", .all_clear = true);
	ISSUE(&b, alert_published, .id = "N-3");
	assert_int_equal(broken(&b, "N-3", "A3"), 1);
	assert_false(in_force(&b, "N-3", 50));
	done(&b);
}

static void chain_is_never_revived(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "N-1");
	ISSUE(&b, alert_updated, .id = "N-2", .refers_to = "N-1");
	ISSUE(&b, alert_updated, .id = "N-3", .refers_to = "N-2");
	assert_int_equal(row_of(&b, "N-1")->state, ALERT_STATE(UPDATED));
	assert_true(in_force(&b, "N-3", 50));
	ISSUE(&b, alert_cancelled, .id = "N-4", .refers_to = "N-3", .also_refers_to = "N-2");
	assert_int_equal(row_of(&b, "N-3")->state, ALERT_STATE(CANCELLED));
	for (int i = 0; i < 4; i++)
		assert_false(in_force(&b, (const char *[]){"N-1", "N-2", "N-3", "N-4"}[i], 50));
	assert_int_equal(level_at(&b, "SD", 50), 0);
	assert_int_equal(level_at(&b, "SD", 4), ALERT_COLOUR(YELLOW));
	/* Neither a drill nor another sender's message ends a real alert. */
	ISSUE(&b, alert_published, .id = "N-5");
	ISSUE(&b, alert_cancelled, .id = "X-6", .refers_to = "N-5",
	      .status = ALERT_STATUS(EXERCISE));
	ISSUE(&b, alert_cancelled, .id = "N-7", .refers_to = "N-5",
	      .refers_to_sender = "met.example.org");
	assert_true(in_force(&b, "N-5", 50));
	done(&b);
}

static void a5_level_follows_from_what_is_published(void **state)
{
	(void)state;
	struct bench b = bench();
	Google__Protobuf__Timestamp since;
	ALERT(CountryRiskSet) risk = CONSULAR__ALERT__V1__COUNTRY_RISK_SET__INIT;
	risk.country = (char *)(uintptr_t) "SD";
	risk.since = hours(&since, -1000);
	risk.colour = ALERT_COLOUR(BLUE);
	tell_as(&b, HQ, "chief-1", "SD", (const ProtobufCMessage *)&risk);
	ISSUE(&b, alert_published, .id = "N-1", .colour = ALERT_COLOUR(RED), .effective = 20,
	      .expires = 40);
	risk.since = hours(&since, 30);
	risk.colour = ALERT_COLOUR(ORANGE);
	tell_as(&b, HQ, "chief-1", "SD", (const ProtobufCMessage *)&risk);
	assert_int_equal(level_at(&b, "SD", -1001), 0);
	assert_int_equal(level_at(&b, "SD", 19), ALERT_COLOUR(BLUE));
	assert_int_equal(level_at(&b, "SD", 20), ALERT_COLOUR(RED));
	assert_int_equal(level_at(&b, "SD", 40), ALERT_COLOUR(ORANGE));
	assert_int_equal(area_of(&b, "SD")->n_violations, 0);
	risk.colour = ALERT_COLOUR(YELLOW);
	tell_as(&b, HQ, "officer-7", "SD", (const ProtobufCMessage *)&risk);
	assert_int_equal(fake_violations((const ProtobufCMessage *)area_of(&b, "SD"), "A5"), 1);
	assert_int_equal(level_at(&b, "SD", 41), ALERT_COLOUR(ORANGE));
	const ALERT(BoardRow) *board = (const void *)fake_row(b.fake, ALERT_KIND_BOARD, "all");
	assert_string_equal(board->violations_by_rule[0]->name, "A5");
	done(&b);
}

static void a6_expired_is_not_sent(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "N-1", .expires = 10, .on_app = true);
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(SENT)));
	b.now = T0 + 11 * HOUR;
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(READ)));
	assert_int_equal(broken(&b, "N-1", NULL), 0);
	tell_as(&b, A, "gateway", "N-1", delivery(APP, STAGE(SENT)));
	assert_int_equal(broken(&b, "N-1", "A6"), 1);
	ISSUE(&b, alert_published, .id = "N-2", .expires = 9);
	assert_int_equal(broken(&b, "N-2", "A6"), 1);
	done(&b);
}

static void a7_languages_together(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "N-1", .languages = {"zh-CN", "en"}, .promised = "EN");
	assert_int_equal(broken(&b, "N-1", NULL), 0);
	ISSUE(&b, alert_published, .id = "N-2", .languages = {"zh-CN"}, .promised = "ar");
	assert_int_equal(broken(&b, "N-2", "A7"), 1);
	tell_as(&b, A, "author-1", "N-3",
		SAY(alert_drafted, .id = "N-3", .languages = {"zh-CN", "fr"}));
	tell_as(&b, A, "chief-2", "N-3", approval());
	tell_as(&b, A, "author-1", "N-3",
		SAY(alert_published, .id = "N-3", .languages = {"zh-CN"}));
	assert_string_equal(row_of(&b, "N-3")->violations[0]->detail, "published without fr");
	done(&b);
}

static void a8_point_takes_the_highest(void **state)
{
	(void)state;
	struct bench b = bench();
	ALERT(AreaLevel) level = CONSULAR__ALERT__V1__AREA_LEVEL__INIT;
	ALERT(AreaLevelSet) set = CONSULAR__ALERT__V1__AREA_LEVEL_SET__INIT;
	char *within[1] = {(char *)(uintptr_t) "SD"};
	ISSUE(&b, alert_published, .id = "N-1", .colour = ALERT_COLOUR(ORANGE));
	level.area = (char *)(uintptr_t) "SD-KH";
	level.n_within = 1;
	level.within = within;
	level.colour = ALERT_COLOUR(YELLOW);
	set.level = &level;
	tell_as(&b, HQ, "chief-1", "SD-KH", (const ProtobufCMessage *)&set);
	struct vl_time at = vl_time_from_ms(T0 + 50 * HOUR);
	assert_string_equal(area_of(&b, "SD-KH")->within[0], "SD");
	const ALERT(AreaRow) *point[3] = {area_of(&b, "SD-KH"), area_of(&b, "SD"), NULL};
	assert_int_equal(vl_alert_level_at(point, 3, at), ALERT_COLOUR(ORANGE));
	ISSUE(&b, alert_published, .id = "N-2", .colour = ALERT_COLOUR(RED), .area = "SD-KH");
	point[0] = area_of(&b, "SD-KH");
	assert_int_equal(vl_alert_level_at(point, 3, at), ALERT_COLOUR(RED));
	assert_int_equal(vl_alert_level_at(point + 1, 1, at), ALERT_COLOUR(ORANGE));
	done(&b);
}

static void foreign_alerts_are_carried_apart(void **state)
{
	(void)state;
	struct bench b = bench();
	ALERT(ForeignAlertReceived) received = CONSULAR__ALERT__V1__FOREIGN_ALERT_RECEIVED__INIT;
	received.cap = cap_of(&(struct text){.id = "F-1"});
	received.cap->message_type = ALERT_TYPE(ALERT);
	tell_as(&b, A, "gateway", "F-1", (const ProtobufCMessage *)&received);
	received.cap = cap_of(&(struct text){.id = "F-2", .refers_to = "F-1"});
	received.cap->message_type = ALERT_TYPE(CANCEL);
	tell_as(&b, A, "gateway", "F-2", (const ProtobufCMessage *)&received);
	assert_int_equal(row_of(&b, "F-1")->state, ALERT_STATE(CANCELLED));
	assert_false(in_force(&b, "F-1", 50));
	assert_int_equal(broken(&b, "F-1", NULL), 0);
	const ALERT(BoardRow) *board = (const void *)fake_row(b.fake, ALERT_KIND_BOARD, "all");
	assert_int_equal(board->foreign, 2);
	assert_int_equal(board->alerts, 0);
	done(&b);
}

/* -- convergence -- */

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % below;
}

static const ProtobufCMessage *any_event(uint64_t *seed, const char *id)
{
	static const ProtobufCMessageDescriptor *const issuing[] = {
		ALERT_DESCRIPTOR(alert_drafted),   ALERT_DESCRIPTOR(alert_revised),
		ALERT_DESCRIPTOR(alert_published), ALERT_DESCRIPTOR(alert_updated),
		ALERT_DESCRIPTOR(alert_cancelled),
	};
	const char *const ids[] = {"N-1", "N-2", "N-3", "N-4"};
	if (draw(seed, 5) == 0)
		return approval();
	if (draw(seed, 5) == 0)
		return delivery(draw(seed, 2) ? APP : INTERNAL,
				(ALERT(DeliveryStage))draw(seed, 6));
	struct text text = {.id = id,
			    .area = draw(seed, 2) ? "SD" : "SD-KH",
			    .refers_to = ids[draw(seed, 4)],
			    .languages = {"zh-CN", draw(seed, 2) ? "en" : NULL},
			    .status = draw(seed, 4) == 0 ? ALERT_STATUS(EXERCISE)
							 : ALERT_STATUS(ACTUAL),
			    .colour = (ALERT(RiskColour))draw(seed, 5),
			    .expires = (int64_t)draw(seed, 60)};
	return say(issuing[draw(seed, 5)], &text);
}

static void any_facts_in_any_order(void **state)
{
	(void)state;
	const char *const ids[] = {"N-1", "N-2", "N-3", "N-4"};
	const char *const missions[] = {A, "CN-EG-EMB", HQ};
	for (uint64_t round = 0; round < 12; round++) {
		uint64_t seed = SEED + round;
		const uint8_t *seen = NULL;
		struct fake *fake = fake_open(&vl_view_alert);
		print_message("seed %llu\n", (unsigned long long)seed);
		for (int i = 0; i < 60; i++) {
			const char *id = ids[draw(&seed, 4)];
			const ProtobufCMessage *event = any_event(&seed, id);
			const uint8_t *fact = fake_next(fake, missions[draw(&seed, 3)],
							T0 + (int64_t)draw(&seed, 40) * HOUR, id,
							draw(&seed, 2) ? "author-1" : "chief-1",
							draw(&seed, 3) == 0 ? seen : NULL, event);
			if (draw(&seed, 2) == 0)
				seen = fact;
		}
		assert_true(fake_converges(fake, SEED + round, 4));
		fake_close(fake);
	}
}

/* The area asks who of the registered travellers is there at the hour. */
static void test_who_is_registered_there(void **state)
{
	(void)state;
	struct fake *fake = fake_open(&vl_view_alert), *travellers;
	ALERT(CountryRiskSet) risk = CONSULAR__ALERT__V1__COUNTRY_RISK_SET__INIT;
	Consular__Traveller__V1__TravellerRegistered said =
		CONSULAR__TRAVELLER__V1__TRAVELLER_REGISTERED__INIT;
	Consular__Traveller__V1__Stay stay = CONSULAR__TRAVELLER__V1__STAY__INIT;
	Google__Protobuf__Timestamp until = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const int64_t day = INT64_C(24) * HOUR;

	travellers = fake_beside(fake, &vl_view_traveller);
	risk.country = (char *)"SD";
	fake_next(fake, HQ, T0, "SD", "", NULL, &risk.base);
	until.seconds = (T0 + 3 * day) / 1000;
	stay.country = (char *)"SD";
	stay.until = &until;
	said.residence = &stay;
	said.people = 3;
	fake_next(travellers, A, T0, "T-1", "", NULL, &said.base);
	fake_fold(fake);
	const int64_t there[] = {-1, 0, 3, 4};
	const char *const people[] = {"0", "3", "3", "0"};
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
		assert_string_equal(people[i], fake_cell(fake, ALERT_KIND_AREA, "SD", "REGISTERED",
							 vl_time_from_ms(T0 + there[i] * day)));
	assert_true(fake_converges(fake, SEED, 5));
	fake_close(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_registered_there),
		cmocka_unit_test(whole_life),
		cmocka_unit_test(a1_exercise_stays_inside),
		cmocka_unit_test(a2_second_person),
		cmocka_unit_test(a2_red_and_revised),
		cmocka_unit_test(a3_cancel_is_not_overtaken),
		cmocka_unit_test(chain_is_never_revived),
		cmocka_unit_test(a5_level_follows_from_what_is_published),
		cmocka_unit_test(a6_expired_is_not_sent),
		cmocka_unit_test(a7_languages_together),
		cmocka_unit_test(a8_point_takes_the_highest),
		cmocka_unit_test(foreign_alerts_are_carried_apart),
		cmocka_unit_test(any_facts_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

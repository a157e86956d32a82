/*
 * Who may say what of an alert (A9), and which text an approval is for (A2): tried in every
 * order, with the attempt before and after it is known whose the alert is.
 */
#include "view_alert.h"

#define B "CN-TH-EMB"

static void say_as(struct bench *bench, const char *mission, const ProtobufCMessageDescriptor *type,
		   const struct text *text)
{
	tell_as(bench, mission, "author-9", text->id, say(type, text));
}
#define SAY_AS(bench, mission, lower, ...) \
	say_as(bench, mission, ALERT_DESCRIPTOR(lower), &(struct text){__VA_ARGS__})

static unsigned area_broken(struct bench *bench, const char *key, const char *rule)
{
	return fake_violations((const ProtobufCMessage *)area_of(bench, key), rule);
}

/* Drafted, approved and published by these. */
static void issue_by(struct bench *bench, const char *mission, const struct text *text)
{
	tell_as(bench, mission, "author-1", text->id, say(ALERT_DESCRIPTOR(alert_drafted), text));
	tell_as(bench, HQ, "chief-1", text->id, approval());
	tell_as(bench, mission, "author-1", text->id, say(ALERT_DESCRIPTOR(alert_published), text));
}

static void try_to_end(bool before)
{
	struct bench b = bench();
	const struct text red = {.id = "R-1", .colour = ALERT_COLOUR(RED)},
			  own = {.id = "R-2", .colour = ALERT_COLOUR(RED)};
	if (!before)
		issue_by(&b, HQ, &red);
	SAY_AS(&b, B, alert_cancelled, .id = "C-1", .refers_to = "R-1");
	SAY_AS(&b, B, alert_updated, .id = "U-1", .refers_to = "R-1", .colour = ALERT_COLOUR(BLUE));
	SAY_AS(&b, B, alert_updated, .id = "U-2", .refers_to = "R-1", .all_clear = true);
	SAY_AS(&b, B, alert_cancelled, .id = "C-2", .refers_to = "R-2");
	if (before)
		issue_by(&b, HQ, &red);
	issue_by(&b, A, &own);
	assert_int_equal(row_of(&b, "R-1")->state, ALERT_STATE(PUBLISHED));
	assert_int_equal(row_of(&b, "R-2")->state, ALERT_STATE(PUBLISHED));
	assert_true(in_force(&b, "R-1", 90));
	assert_int_equal(level_at(&b, "SD", 90), ALERT_COLOUR(RED));
	assert_int_equal(broken(&b, "R-1", "A9"), 3);
	assert_int_equal(broken(&b, "R-1", NULL), 3);
	assert_int_equal(broken(&b, "R-2", "A9"), 1);
	assert_string_equal(row_of(&b, "R-2")->violations[0]->detail,
			    "CANCEL by CN-TH-EMB changes nothing: it is CN-SD-EMB's");
	const char *const tried[] = {"C-1", "U-1", "U-2", "C-2"};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(broken(&b, tried[i], "A9"), 1);
	/* Headquarters ends anybody's, and the issuer its own. */
	SAY_AS(&b, HQ, alert_cancelled, .id = "C-3", .refers_to = "R-2");
	SAY_AS(&b, HQ, alert_updated, .id = "U-3", .refers_to = "R-1");
	assert_string_equal(row_of(&b, "R-2")->cancelled_by, "C-3");
	assert_string_equal(row_of(&b, "R-1")->superseded_by, "U-3");
	assert_int_equal(broken(&b, "C-3", "A9") + broken(&b, "U-3", "A9"), 0);
	done(&b);
}

static void another_s_cancel_and_update_change_nothing(void **state)
{
	(void)state;
	try_to_end(false);
	try_to_end(true);
}

/* Under the alert's own identifier, also with a time before all that its issuer said. */
static void another_s_text_changes_nothing(void **state)
{
	(void)state;
	struct bench b = bench();
	const struct text red = {.id = "R-1", .colour = ALERT_COLOUR(RED)};
	ALERT(AlertExpired) expired = CONSULAR__ALERT__V1__ALERT_EXPIRED__INIT;
	ALERT(AlertReturned) returned = CONSULAR__ALERT__V1__ALERT_RETURNED__INIT;
	ALERT(ForeignAlertReceived) foreign = CONSULAR__ALERT__V1__FOREIGN_ALERT_RECEIVED__INIT;
	/* B is first, by its own clock. */
	foreign.cap = cap_of(&red);
	fake_next(b.fake, B, T0 - 9 * HOUR, "R-1", "clerk", NULL, &foreign.base);
	fake_next(
		b.fake, B, T0 - 8 * HOUR, "R-1", "clerk", NULL,
		SAY(alert_published, .id = "R-1", .colour = ALERT_COLOUR(BLUE), .promised = "fr"));
	fake_next(b.fake, B, T0 - 7 * HOUR, "R-1", "clerk", NULL, &expired.base);
	issue_by(&b, HQ, &red);
	tell_as(&b, B, "clerk", "R-1", &returned.base);
	tell_as(&b, B, "clerk", "R-1", &expired.base);
	tell_as(&b, B, "clerk", "R-1",
		SAY(alert_revised, .id = "R-1", .colour = ALERT_COLOUR(BLUE)));
	tell_as(&b, B, "clerk", "R-1",
		SAY(alert_published, .id = "R-1", .colour = ALERT_COLOUR(BLUE)));
	foreign.cap = cap_of(&red);
	tell_as(&b, B, "clerk", "R-1", &foreign.base);
	const ALERT(AlertRow) *row = row_of(&b, "R-1");
	assert_int_equal(row->state, ALERT_STATE(PUBLISHED));
	assert_int_equal(row->colour, ALERT_COLOUR(RED));
	assert_string_equal(row->mission, HQ);
	assert_false(row->foreign);
	assert_true(in_force(&b, "R-1", 90));
	assert_int_equal(broken(&b, "R-1", "A2"), 0);
	assert_true(broken(&b, "R-1", "A9") >= 5);
	done(&b);
}

static void attempts_are_counted_and_not_all_listed(void **state)
{
	(void)state;
	struct bench b = bench();
	const struct text red = {.id = "R-1", .colour = ALERT_COLOUR(RED)};
	issue_by(&b, HQ, &red);
	for (int i = 0; i < 40; i++)
		SAY_AS(&b, B, alert_published, .id = "R-1", .colour = ALERT_COLOUR(BLUE));
	assert_int_equal(broken(&b, "R-1", "A9"), ALERT_TRIED_MAX);
	assert_int_equal(row_of(&b, "R-1")->refused, 40);
	fake_close(b.fake);
}

static const ProtobufCMessage *approval_of(ProtobufCBinaryData text)
{
	static ALERT(AlertApproved) event;
	consular__alert__v1__alert_approved__init(&event);
	event.digest = text;
	return &event.base;
}

/* Of a text that nobody has published: drafted in a bench of its own. */
static ProtobufCBinaryData digest_of(struct bench *other, const struct text *text)
{
	tell_as(other, A, "author-1", text->id, say(ALERT_DESCRIPTOR(alert_drafted), text));
	return row_of(other, text->id)->text;
}

static void an_approval_is_for_one_text(void **state)
{
	(void)state;
	struct bench b = bench(), other = bench();
	const struct text blue = {.id = "D-1", .colour = ALERT_COLOUR(BLUE)},
			  red = {.id = "D-1", .colour = ALERT_COLOUR(RED)};
	ProtobufCBinaryData of_blue = digest_of(&other, &blue);
	uint8_t wrong[32] = {1}, kept[32];
	assert_int_equal(of_blue.len, 32);
	memcpy(kept, of_blue.data, 32);
	of_blue.data = kept;
	/* By what it names: the draft is not here, or comes later. */
	tell_as(&b, HQ, "chief-1", "D-1", approval_of(of_blue));
	tell_as(&b, A, "author-1", "D-1", say(ALERT_DESCRIPTOR(alert_published), &blue));
	assert_int_equal(broken(&b, "D-1", NULL), 0);
	const char *const ids[] = {"D-2", "D-3", "D-4", "D-5"};
	for (size_t i = 0; i < 4; i++) {
		struct text drafted = blue, published = i < 2 ? red : blue;
		drafted.id = published.id = ids[i];
		published.languages[0] = i == 2 ? "en" : "zh-CN";
		tell_as(&b, A, "author-1", ids[i], say(ALERT_DESCRIPTOR(alert_drafted), &drafted));
		tell_as(&b, HQ, "chief-1", ids[i],
			i % 2 == 0 ? approval() : approval_of((ProtobufCBinaryData){32, wrong}));
		tell_as(&b, A, "author-1", ids[i],
			say(ALERT_DESCRIPTOR(alert_published), &published));
		assert_int_equal(broken(&b, ids[i], "A2"), 1);
	}
	/* Of two approvals one is for what was published. */
	struct text last = blue;
	last.id = "D-6";
	tell_as(&b, A, "author-1", "D-6", say(ALERT_DESCRIPTOR(alert_drafted), &last));
	tell_as(&b, HQ, "chief-1", "D-6", approval_of((ProtobufCBinaryData){32, wrong}));
	tell_as(&b, HQ, "chief-2", "D-6", approval());
	tell_as(&b, A, "author-1", "D-6", say(ALERT_DESCRIPTOR(alert_published), &last));
	assert_int_equal(broken(&b, "D-6", "A2"), 0);
	/* And a stranger's is none. */
	last.id = "D-7";
	tell_as(&b, A, "author-1", "D-7", say(ALERT_DESCRIPTOR(alert_drafted), &last));
	tell_as(&b, B, "chief-1", "D-7", approval());
	tell_as(&b, A, "author-1", "D-7", say(ALERT_DESCRIPTOR(alert_published), &last));
	assert_int_equal(broken(&b, "D-7", "A2"), 1);
	fake_close(other.fake);
	done(&b);
}

static const ProtobufCMessage *risk(ALERT(RiskColour) colour, int64_t since)
{
	static ALERT(CountryRiskSet) event;
	static Google__Protobuf__Timestamp stamp;
	consular__alert__v1__country_risk_set__init(&event);
	event.country = (char *)(uintptr_t) "SD";
	event.colour = colour;
	event.since = hours(&stamp, since);
	return &event.base;
}

static void a_level_is_its_owner_s_to_set(void **state)
{
	(void)state;
	struct bench b = bench();
	tell_as(&b, A, "officer-1", "SD", risk(ALERT_COLOUR(YELLOW), 1));
	tell_as(&b, B, "officer-1", "SD", risk(ALERT_COLOUR(BLUE), 2));
	assert_int_equal(level_at(&b, "SD", 3), ALERT_COLOUR(YELLOW));
	assert_int_equal(area_broken(&b, "SD", "A9"), 1);
	tell_as(&b, HQ, "officer-1", "SD", risk(ALERT_COLOUR(RED), 10));
	tell_as(&b, A, "officer-1", "SD", risk(ALERT_COLOUR(BLUE), 20));
	/* However early B says it was, and from whenever it wants it. */
	fake_next(b.fake, B, T0 - 9 * HOUR, "SD", "clerk", NULL, risk(ALERT_COLOUR(BLUE), 11));
	assert_int_equal(level_at(&b, "SD", 30), ALERT_COLOUR(RED));
	assert_int_equal(level_at(&b, "SD", 11), ALERT_COLOUR(RED));
	assert_string_equal(area_of(&b, "SD")->owner, HQ);
	done(&b);
}

static void what_is_unknown_is_never_the_highest(void **state)
{
	(void)state;
	struct bench b = bench();
	ISSUE(&b, alert_published, .id = "N-1", .colour = ALERT_COLOUR(ORANGE));
	ISSUE(&b, alert_published, .id = "N-2", .colour = (ALERT(RiskColour))99);
	assert_int_equal(level_at(&b, "SD", 50), ALERT_COLOUR(ORANGE));
	assert_int_equal(row_of(&b, "N-2")->colour, ALERT_COLOUR(UNSPECIFIED));
	tell_as(&b, HQ, "officer-1", "EG", risk(ALERT_COLOUR(BLUE), 1));
	const ALERT(AreaRow) *rows[] = {area_of(&b, "SD")};
	assert_int_equal(vl_alert_level_at(rows, 1, vl_time_from_ms(T0 + 50 * HOUR)),
			 ALERT_COLOUR(ORANGE));
	assert_true(vl_alert_stronger((ALERT(Wording))1, (ALERT(Wording))77));
	assert_false(vl_alert_stronger((ALERT(Wording))77, (ALERT(Wording))0));
	/* Of what status it is nobody knows: it is not real, and may not reach the public (A1). */
	ISSUE(&b, alert_published, .id = "N-3", .colour = ALERT_COLOUR(RED),
	      .status = (ALERT(CapStatus))99, .on_app = true);
	assert_int_equal(broken(&b, "N-3", "A1"), 1);
	assert_int_equal(level_at(&b, "SD", 50), ALERT_COLOUR(ORANGE));
	done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_s_cancel_and_update_change_nothing),
		cmocka_unit_test(another_s_text_changes_nothing),
		cmocka_unit_test(attempts_are_counted_and_not_all_listed),
		cmocka_unit_test(an_approval_is_for_one_text),
		cmocka_unit_test(a_level_is_its_owner_s_to_set),
		cmocka_unit_test(what_is_unknown_is_never_the_highest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

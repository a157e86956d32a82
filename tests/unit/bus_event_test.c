/* Events made here, and opened as one type. */
#include "bus/batch.h"

#include "bus_fixture.h"

#include "bus/types.h"
#include "consular/case/v1/case.pb-c.h"

#define OPENED (&consular__case__v1__case_opened__descriptor)

static Consular__Case__V1__CaseOpened opened(void)
{
	Consular__Case__V1__CaseOpened message = CONSULAR__CASE__V1__CASE_OPENED__INIT;

	message.host_country = (char *)"SD";
	message.persons = 2;
	return message;
}

/* Its bytes are those that the fixture writes field by field. */
static void assert_packs(const char *subject, const char *actor, struct vl_time at,
			 struct vl_bytes time)
{
	Consular__Case__V1__CaseOpened message = opened();
	struct vl_buf ours = {0}, theirs = {0}, payload = {0};

	vl_wire_pack(&message.base, &payload);
	struct fixture_event event = {.time = time,
				      .subject = fixture_text(subject),
				      .url = BYTES(FIXTURE_TYPE),
				      .payload = vl_buf_bytes(&payload)};
	if (actor != NULL)
		event.actor = fixture_text(actor);
	vl_buf_put_text(&theirs, "before");
	fixture_put_event(&theirs, &event);
	vl_buf_put_text(&ours, "before");
	vl_event_pack(&ours, subject, actor, at, &message.base);
	assert_false(vl_buf_failed(&ours));
	assert_int_equal(theirs.size, ours.size);
	assert_memory_equal(theirs.data, ours.data, ours.size);
	vl_buf_free(&ours);
	vl_buf_free(&theirs);
	vl_buf_free(&payload);
}

static void test_pack(void **state)
{
	(void)state;
	assert_packs("CN-SD-2023-000172", "officer:li", (struct vl_time){1682350368, 0},
		     BYTES("\x08\xa0\xc2\x9a\xa2\x06"));
	assert_packs("CN-SD-EMB", NULL, (struct vl_time){0, 5}, BYTES("\x10\x05"));
}

static void test_packed_is_accepted(void **state)
{
	Consular__Case__V1__CaseOpened message = opened();
	struct vl_buf buf = {0};
	const struct vl_lane *lane;
	struct vl_event event;
	struct vl_bytes payload;

	(void)state;
	vl_event_pack(&buf, "CN-SD-2023-000172", "officer:li", (struct vl_time){1682350368, 7},
		      &message.base);
	assert_int_equal(VL_OK, vl_event_check(vl_buf_bytes(&buf), &event, &lane, NULL));
	assert_string_equal("consular.case.v1", lane->name);
	assert_true(vl_bytes_are(event.subject, "CN-SD-2023-000172") &&
		    vl_bytes_are(event.actor, "officer:li"));
	assert_true(event.occurred_at.seconds == 1682350368 && event.occurred_at.nanos == 7);
	assert_true(vl_event_payload(vl_buf_bytes(&buf), OPENED, &payload));
	assert_ptr_equal(event.payload.data, payload.data);
	assert_int_equal(event.payload.size, payload.size);
	vl_buf_free(&buf);
}

static void test_pack_error_sticks(void **state)
{
	Consular__Case__V1__CaseOpened message = opened();
	struct vl_buf buf = {.failed = true};

	(void)state;
	vl_event_pack(&buf, "CN-SD-EMB", NULL, (struct vl_time){0}, &message.base);
	assert_true(vl_buf_failed(&buf));
	vl_buf_free(&buf);
}

/* Whether these parts make an event with a payload of `type`; where not, nothing is said of it. */
static bool opens(const struct fixture_event *parts, const ProtobufCMessageDescriptor *type)
{
	static const uint8_t nothing;
	struct vl_bytes payload = {&nothing, 7};
	struct vl_buf buf = {0};

	fixture_put_event(&buf, parts);
	struct vl_bytes exact = fixture_exact(vl_buf_bytes(&buf));
	bool opened = vl_event_payload(exact, type, &payload);
	if (opened)
		assert_int_equal(parts->payload.size, payload.size);
	else
		assert_true(payload.data == &nothing && payload.size == 7);
	fixture_release(exact);
	vl_buf_free(&buf);
	return opened;
}

static void test_payload(void **state)
{
	struct fixture_event parts = fixture_event();

	(void)state;
	assert_true(opens(&parts, OPENED));
	assert_false(opens(&parts, &consular__case__v1__case_closed__descriptor));
	parts.url = BYTES("consular.case.v1.CaseOpened");
	assert_true(opens(&parts, OPENED));
	parts.url = BYTES(FIXTURE_TYPE "\0");
	assert_false(opens(&parts, OPENED));
	parts.url = BYTES("type.googleapis.com/consular.case.v2.CaseOpened");
	assert_false(opens(&parts, OPENED));
	parts = fixture_event();
	parts.payload = BYTES("\x32\x02S"); /* cut short */
	assert_false(opens(&parts, OPENED));
	parts.payload = BYTES("\xc0\x3e\x05"); /* a newer version's field */
	assert_true(opens(&parts, OPENED));
	parts.id = BYTES("short");
	assert_false(opens(&parts, OPENED));
	parts = fixture_event();
	parts.url = parts.payload = (struct vl_bytes){0};
	assert_false(opens(&parts, OPENED));
	assert_false(vl_event_payload(BYTES("\x22"), OPENED, &parts.payload));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_packed_is_accepted),
		cmocka_unit_test(test_pack_error_sticks),
		cmocka_unit_test(test_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "bus/batch.h"

#include "bus_fixture.h"

#include "bus/types.h"
#include "valise/v1/batch.pb-c.h"

static struct vl_batch_head make_head(void)
{
	return (struct vl_batch_head){
		.mission = BYTES("CN-SD-EMB"),
		.lane = BYTES("consular.case.v1"),
		.epoch = {1},
		.seq = {7},
		.first_event = {300},
		.prev = {{1, 2, 3}},
		.signed_at = {1682350368, 500000000},
	};
}

static void put_batch(struct vl_buf *buf, const struct vl_batch_head *head, size_t events)
{
	struct fixture_event event = fixture_event();
	struct vl_buf one = {0};

	fixture_put_event(&one, &event);
	vl_batch_put_head(buf, head);
	for (size_t i = 0; i < events; i++)
		vl_batch_put_event(buf, vl_buf_bytes(&one));
	assert_false(vl_buf_failed(buf));
	vl_buf_free(&one);
}

static enum vl_err read_exact(struct vl_bytes value, struct vl_why *why)
{
	struct vl_bytes exact = fixture_exact(value);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;
	enum vl_err err = vl_batch_read(exact, arena, &batch, why);

	vl_arena_close(arena);
	fixture_release(exact);
	return err;
}

static void test_mission_valid(void **state)
{
	const char *good[] = {
		"HQ", "CN-SD-EMB", "A1", "A-", "ALLY", "AL", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"};
	const char *bad[] = {"",
			     "A",
			     "hq",
			     "ALL",
			     "all",
			     "1A",
			     "-A",
			     "A_B",
			     "A B",
			     "A.B",
			     "A\n",
			     "\xc3\x84",
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(vl_mission_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vl_mission_valid(bad[i], strlen(bad[i])));
	assert_false(vl_mission_valid("AB\0C", 4));
}

/* BLAKE2b-256 of nothing and of "abc". */
static void test_digest(void **state)
{
	char hex[65];
	struct vl_digest nothing = vl_batch_digest((struct vl_bytes){0}),
			 abc = vl_batch_digest(BYTES("abc"));

	(void)state;
	assert_string_equal("0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
			    vl_hex(nothing.bytes, 32, hex));
	assert_string_equal("bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319",
			    vl_hex(abc.bytes, 32, hex));
	assert_false(vl_digest_equal(&nothing, &abc));
	nothing = abc;
	assert_true(vl_digest_equal(&nothing, &abc));
	nothing.bytes[31] ^= 1;
	assert_false(vl_digest_equal(&nothing, &abc));
}

static void test_write_and_read(void **state)
{
	struct vl_batch_head head = make_head();
	struct vl_buf buf = {0};
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;
	struct vl_event event;

	(void)state;
	put_batch(&buf, &head, 300);
	assert_int_equal(VL_OK, vl_batch_read(vl_buf_bytes(&buf), arena, &batch, NULL));
	assert_int_equal(9, batch.head.mission.size);
	assert_memory_equal("CN-SD-EMB", batch.head.mission.data, 9);
	assert_memory_equal("consular.case.v1", batch.head.lane.data, batch.head.lane.size);
	assert_true(batch.head.epoch.n == 1 && batch.head.seq.n == 7 &&
		    batch.head.first_event.n == 300);
	assert_true(vl_digest_equal(&head.prev, &batch.head.prev));
	assert_int_equal(0, vl_time_compare(head.signed_at, batch.head.signed_at));
	assert_int_equal(300, batch.n_events);
	for (size_t i = 0; i < batch.n_events; i++)
		assert_int_equal(VL_OK, vl_event_read(batch.events[i], &event, NULL));
	assert_memory_equal("officer:li", event.actor.data, event.actor.size);
	vl_arena_close(arena);
	vl_buf_free(&buf);
}

/* Another implementation writes the same bytes. */
static void test_head_is_canonical(void **state)
{
	struct vl_batch_head head = make_head();
	struct vl_buf ours = {0}, theirs = {0};
	struct vl_arena *arena = vl_arena_open(0);

	(void)state;
	put_batch(&ours, &head, 2);
	vl_wire_pack(vl_wire_unpack(&valise__v1__batch__descriptor, vl_buf_bytes(&ours), arena),
		     &theirs);
	assert_int_equal(ours.size, theirs.size);
	assert_memory_equal(ours.data, theirs.data, ours.size);
	vl_arena_close(arena);
	vl_buf_free(&ours);
	vl_buf_free(&theirs);
}

static void test_sizes(void **state)
{
	static const uint8_t zeros[VL_EVENT_MAX];
	char mission[VL_MISSION_MAX], lane[64];
	struct vl_batch_head head = make_head();
	struct vl_buf buf = {0};

	(void)state;
	memset(mission, 'A', sizeof(mission));
	memset(lane, 'a', sizeof(lane));
	head.mission = (struct vl_bytes){(uint8_t *)mission, sizeof(mission)};
	head.lane = (struct vl_bytes){(uint8_t *)lane, sizeof(lane)};
	head.epoch.n = head.seq.n = head.first_event.n = UINT64_MAX;
	head.signed_at = (struct vl_time){-62135596800, 999999999};
	vl_batch_put_head(&buf, &head);
	assert_true(buf.size <= VL_BATCH_HEAD_MAX);
	for (size_t size = 0; size <= VL_EVENT_MAX; size = size * 3 + 1) {
		size_t before = buf.size;
		vl_batch_put_event(&buf, (struct vl_bytes){zeros, size});
		assert_int_equal(vl_batch_event_size(size), buf.size - before);
	}
	vl_buf_free(&buf);
}

/* Each field of the head left out by writing its default, or cut from the bytes. */
static void test_missing_fields(void **state)
{
	const char *names[] = {"mission",     "lane", "epoch",     "seq",
			       "first_event", "prev", "signed_at", "events"};
	struct vl_batch_head head = make_head();
	struct vl_buf buf = {0};

	(void)state;
	put_batch(&buf, &head, 1);
	for (uint32_t left_out = 1; left_out <= 8; left_out++) {
		struct vl_buf cut = {0};
		struct vl_wire wire = vl_wire_open(vl_buf_bytes(&buf));
		struct vl_wire_field field;
		struct vl_why why = {0};
		while (vl_wire_next(&wire, &field))
			if (field.number != left_out)
				vl_buf_put(&cut, field.start, (size_t)(wire.at - field.start));
		assert_int_equal(VL_ERR_MALFORMED, read_exact(vl_buf_bytes(&cut), &why));
		assert_non_null(strstr(why.text, names[left_out - 1]));
		vl_buf_free(&cut);
	}
	assert_int_equal(VL_OK, read_exact(vl_buf_bytes(&buf), NULL));
	vl_buf_free(&buf);
}

static enum vl_err read_head(const struct vl_batch_head *head)
{
	struct vl_buf buf = {0};

	put_batch(&buf, head, 1);
	enum vl_err err = read_exact(vl_buf_bytes(&buf), NULL);
	vl_buf_free(&buf);
	return err;
}

static void test_values_out_of_range(void **state)
{
	struct vl_batch_head head = make_head();

	(void)state;
	assert_int_equal(VL_OK, read_head(&head));
	head.seq.n = 0;
	assert_int_equal(VL_ERR_MALFORMED, read_head(&head));
	head = make_head();
	head.mission.size = 0;
	assert_int_equal(VL_ERR_MALFORMED, read_head(&head));
	head = make_head();
	head.signed_at.seconds = 253402300800;
	assert_int_equal(VL_ERR_MALFORMED, read_head(&head));
	head.signed_at = (struct vl_time){0, 1000000000};
	assert_int_equal(VL_ERR_MALFORMED, read_head(&head));
	head.signed_at = (struct vl_time){0, -1};
	assert_int_equal(VL_ERR_MALFORMED, read_head(&head));
	head.signed_at = (struct vl_time){0, 0}; /* an empty Timestamp is 1970 */
	assert_int_equal(VL_OK, read_head(&head));
}

/* `more` behind a good batch. */
static enum vl_err read_with(struct vl_bytes more, struct vl_why *why)
{
	struct vl_batch_head head = make_head();
	struct vl_buf buf = {0};

	put_batch(&buf, &head, 1);
	vl_buf_put(&buf, more.data, more.size);
	enum vl_err err = read_exact(vl_buf_bytes(&buf), why);
	vl_buf_free(&buf);
	return err;
}

static void test_strict(void **state)
{
	struct vl_why why = {0};

	(void)state;
	/* a newer version's field */
	assert_int_equal(VL_OK, read_with(BYTES("\xc0\x3e\x05"), NULL));
	assert_int_equal(VL_OK, read_with(BYTES("\x42\x03\xc0\x3e\x05"), NULL));
	assert_int_equal(VL_ERR_MALFORMED, read_with(BYTES("\x18\x01"), &why));
	assert_non_null(strstr(why.text, "valise.v1.Batch.epoch, byte "));
	assert_int_equal(VL_ERR_MALFORMED, read_with(BYTES("\x42\x03\x1a\x01\xff"), &why));
	assert_non_null(strstr(why.text, "valise.v1.Event.subject, byte "));
	assert_int_equal(VL_ERR_MALFORMED, read_with(BYTES("\x42"), NULL));
	assert_int_equal(VL_ERR_MALFORMED, read_with(BYTES("\x30\x01"), NULL));
	assert_int_equal(VL_ERR_MALFORMED, read_exact((struct vl_bytes){0}, NULL));
}

static void test_prev_of_another_size(void **state)
{
	static const uint8_t prev[33];

	(void)state;
	for (size_t size = 31; size <= 33; size++) {
		struct vl_buf buf = {0};
		vl_wire_put_bytes(&buf, 1, "HQ", 2);
		vl_wire_put_bytes(&buf, 2, "valise.receipt.v1", 17);
		for (uint32_t field = 3; field <= 5; field++)
			vl_wire_put_varint(&buf, field, 1);
		vl_wire_put_bytes(&buf, 6, prev, size);
		vl_wire_put_bytes(&buf, 7, NULL, 0);
		vl_wire_put_bytes(&buf, 8, NULL, 0);
		assert_int_equal(size == 32 ? VL_OK : VL_ERR_MALFORMED,
				 read_exact(vl_buf_bytes(&buf), NULL));
		vl_buf_free(&buf);
	}
}

static void test_no_memory_is_not_malformed(void **state)
{
	struct vl_batch_head head = make_head();
	struct vl_buf buf = {0};
	struct vl_arena *arena = vl_arena_open(64);
	struct vl_batch batch;

	(void)state;
	put_batch(&buf, &head, 5);
	assert_int_equal(VL_ERR_NOMEM, vl_batch_read(vl_buf_bytes(&buf), arena, &batch, NULL));
	vl_arena_close(arena);
	vl_buf_free(&buf);
}

static enum vl_err check_event(const struct fixture_event *parts, struct vl_why *why)
{
	struct vl_buf buf = {0};
	struct vl_event event;
	const struct vl_lane *lane = NULL;

	fixture_put_event(&buf, parts);
	struct vl_bytes exact = fixture_exact(vl_buf_bytes(&buf));
	enum vl_err err = vl_event_check(exact, &event, &lane, why);
	assert_true(err != VL_OK || lane != NULL);
	fixture_release(exact);
	vl_buf_free(&buf);
	return err;
}

static void test_event_check(void **state)
{
	struct fixture_event parts = fixture_event();
	struct vl_buf buf = {0};
	struct vl_event event;
	const struct vl_lane *lane = NULL;

	(void)state;
	parts.after = parts.id;
	fixture_put_event(&buf, &parts);
	assert_int_equal(VL_OK, vl_event_check(vl_buf_bytes(&buf), &event, &lane, NULL));
	assert_string_equal("consular.case.v1", lane->name);
	assert_int_equal(16, event.id.size);
	assert_int_equal(16, event.after.size);
	assert_true(event.has_occurred_at && event.occurred_at.seconds == 1682350368 &&
		    event.occurred_at.nanos == 0);
	assert_memory_equal("CN-SD-2023-000172", event.subject.data, event.subject.size);
	assert_true(event.has_payload && event.payload.size == parts.payload.size);
	assert_memory_equal(FIXTURE_TYPE, event.type_url.data, event.type_url.size);
	vl_buf_free(&buf);
}

struct bad_event {
	enum vl_err err;
	const char *words;
	struct fixture_event parts;
};

static void test_event_refusals(void **state)
{
	static char long_subject[VL_SUBJECT_MAX + 1];
	struct bad_event bad[] = {
		{VL_ERR_INVALID, "id: is 15 bytes", fixture_event()},
		{VL_ERR_INVALID, "after: is 17 bytes", fixture_event()},
		{VL_ERR_INVALID, "occurred_at: is missing", fixture_event()},
		{VL_ERR_INVALID, "occurred_at: is outside", fixture_event()},
		{VL_ERR_INVALID, "occurred_at: is outside", fixture_event()},
		{VL_ERR_INVALID, "subject: is 0 bytes", fixture_event()},
		{VL_ERR_INVALID, "subject: is 201 bytes", fixture_event()},
		{VL_ERR_INVALID, "payload: is missing", fixture_event()},
		{VL_ERR_INVALID, "payload: is missing", fixture_event()},
		{VL_ERR_INVALID, "payload.type_url: has no '/'", fixture_event()},
		{VL_ERR_UNKNOWN_TYPE, "payload.type_url: names no event type", fixture_event()},
		{VL_ERR_UNKNOWN_TYPE, "payload.type_url: names no event type", fixture_event()},
		{VL_ERR_MALFORMED, "consular.case.v1.CaseOpened.place, byte 0: is not UTF-8",
		 fixture_event()},
		{VL_ERR_MALFORMED, "valise.v1.Event.actor, byte ", fixture_event()},
		{VL_ERR_INVALID, "id: is all zeros or all ones", fixture_event()},
		{VL_ERR_INVALID, "id: is all zeros or all ones", fixture_event()},
		{VL_ERR_INVALID, "after: is all zeros or all ones", fixture_event()},
		{VL_ERR_INVALID, "subject, byte 4: has a blank at one end", fixture_event()},
		{VL_ERR_INVALID, "subject, byte 4: has a blank at one end", fixture_event()},
		{VL_ERR_INVALID, "subject, byte 3: has a format character", fixture_event()},
		{VL_ERR_INVALID, "subject, byte 4: has a control character", fixture_event()},
		{VL_ERR_INVALID,
		 "subject, byte 3: has a letter that is not in its composed form (NFC)",
		 fixture_event()},
	};

	(void)state;
	memset(long_subject, 'a', sizeof(long_subject));
	bad[0].parts.id.size = 15;
	bad[1].parts.after = BYTES("12345678901234567");
	bad[2].parts.time = (struct vl_bytes){0};
	bad[3].parts.time = BYTES("\x08\x80\x83\xd1\xff\xaf\x07"); /* 10000-01-01 */
	bad[4].parts.time = BYTES("\x10\x80\x94\xeb\xdc\x03");     /* 1,000,000,000 ns */
	bad[5].parts.subject = BYTES("");
	bad[6].parts.subject = (struct vl_bytes){(uint8_t *)long_subject, sizeof(long_subject)};
	bad[7].parts.url = bad[7].parts.payload = (struct vl_bytes){0};
	bad[8].parts.url = (struct vl_bytes){0};
	bad[9].parts.url = BYTES("consular.case.v1.CaseOpened");
	bad[10].parts.url = BYTES("type.googleapis.com/consular.case.v1.CasePersonal");
	bad[11].parts.url = BYTES("type.googleapis.com/");
	bad[12].parts.payload = BYTES("\x3a\x01\xff");
	bad[13].parts.actor = BYTES("\xff");
	bad[14].parts.id = BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	bad[15].parts.id =
		BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	bad[16].parts.after = bad[14].parts.id;
	bad[17].parts.subject = BYTES("SD-1 ");
	bad[18].parts.subject = BYTES("SD-1\xc2\xa0");
	bad[19].parts.subject = BYTES("SD-\xe2\x80\x8b\x31");
	bad[20].parts.subject = BYTES("SD-1\n");
	bad[21].parts.subject = BYTES("Cafe\xcc\x81-1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vl_why why = {0};
		enum vl_err err = check_event(&bad[i].parts, &why);
		if (err != bad[i].err || strstr(why.text, bad[i].words) == NULL)
			fail_msg("%zu: '%s' is %s: %s", i, bad[i].words, vl_err_name(err),
				 why.text);
	}
}

static void test_event_allowances(void **state)
{
	static char subject[VL_SUBJECT_MAX];
	struct fixture_event parts = fixture_event();

	(void)state;
	memset(subject, 'a', sizeof(subject));
	parts.id = parts.actor = (struct vl_bytes){0};
	/* all its fields are 0 */
	parts.payload = (struct vl_bytes){0};
	/* the last of 9999 */
	parts.time = BYTES("\x08\xff\x82\xd1\xff\xaf\x07\x10\xff\x93\xeb\xdc\x03");
	parts.subject = (struct vl_bytes){(uint8_t *)subject, sizeof(subject)};
	assert_int_equal(VL_OK, check_event(&parts, NULL));
	parts.time = BYTES("\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01"); /* the first of 0001 */
	assert_int_equal(VL_OK, check_event(&parts, NULL));
	parts.payload = BYTES("\xc0\x3e\x05"); /* a newer program's field */
	assert_int_equal(VL_OK, check_event(&parts, NULL));
}

static void test_event_size(void **state)
{
	struct fixture_event parts = fixture_event();
	uint8_t *payload = calloc(1, VL_EVENT_MAX);
	struct vl_buf buf = {0};
	struct vl_why why = {0};

	(void)state;
	assert_non_null(payload);
	memcpy(payload, "\xc2\x3e\x80\xf2\x36", 5); /* an unknown field of 899,328 bytes */
	parts.payload = (struct vl_bytes){payload, 5 + 899328};
	fixture_put_event(&buf, &parts);
	assert_true(buf.size <= VL_EVENT_MAX && buf.size > VL_EVENT_MAX - 600);
	assert_int_equal(VL_OK, check_event(&parts, NULL));
	parts.actor = (struct vl_bytes){(uint8_t *)memset(payload + 5, 'a', 600), 600};
	assert_int_equal(VL_ERR_TOO_LARGE, check_event(&parts, &why));
	assert_non_null(strstr(why.text, "900000 are allowed"));
	vl_buf_free(&buf);
	free(payload);
}

/* The reader is safe even with bytes that were never checked. */
static void test_event_read_of_anything(void **state)
{
	uint64_t random = fixture_seed();
	struct vl_event event;
	uint8_t bytes[64];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t size = fixture_next(&random) % sizeof(bytes);
		fixture_fill(&random, bytes, size);
		for (size_t j = 0; j < size; j += 4)
			bytes[j] &= 0x3f; /* more of them are tags of this message */
		struct vl_bytes exact = fixture_exact((struct vl_bytes){bytes, size});
		enum vl_err err = vl_event_read(exact, &event, NULL);
		assert_true(err == VL_OK || err == VL_ERR_MALFORMED || err == VL_ERR_INVALID);
		fixture_release(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mission_valid),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_head_is_canonical),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_missing_fields),
		cmocka_unit_test(test_values_out_of_range),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_prev_of_another_size),
		cmocka_unit_test(test_no_memory_is_not_malformed),
		cmocka_unit_test(test_event_check),
		cmocka_unit_test(test_event_refusals),
		cmocka_unit_test(test_event_allowances),
		cmocka_unit_test(test_event_size),
		cmocka_unit_test(test_event_read_of_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

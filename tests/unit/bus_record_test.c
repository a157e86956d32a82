#include "bus/record.h"

#include "bus/keys.h"

#include "bus_fixture.h"

#define TOPIC "consular.case.v1"

/* Three senders, HQ, CN-SD-EMB and CN-EG-EMB, of which CN-EG-EMB is not enrolled in `ring`. */
static struct fixture_folder folder;
static struct vl_signer *hq, *sudan, *egypt;
static struct vl_ring *ring;

static struct vl_signer *make_signer(const char *id, bool enrol)
{
	char line[VL_KEY_LINE], path[512];
	struct vl_signer *signer;

	assert_int_equal(VL_OK, vl_key_new(folder.path, id, &vl_rand_system, line, NULL));
	(void)snprintf(path, sizeof(path), "%s/%s.key", folder.path, id);
	assert_int_equal(VL_OK, vl_key_load(path, id, &signer, NULL));
	(void)snprintf(path, sizeof(path), "%s/%s.pub", folder.path, id);
	if (!enrol)
		assert_int_equal(0, unlink(path));
	return signer;
}

static int setup_all(void **state)
{
	(void)state;
	folder = fixture_folder();
	hq = make_signer("HQ", true);
	sudan = make_signer("CN-SD-EMB", true);
	egypt = make_signer("CN-EG-EMB", false);
	return vl_ring_open(folder.path, &ring, NULL) == VL_OK ? 0 : -1;
}

static int teardown_all(void **state)
{
	(void)state;
	vl_ring_close(ring);
	vl_signer_close(hq);
	vl_signer_close(sudan);
	vl_signer_close(egypt);
	fixture_remove(folder.path);
	return 0;
}

/* A record under way, with the memory behind it. */
struct letter {
	struct vl_record record;
	struct vl_buf value;
	char signatures[VL_RECORD_HEADERS + 1][VL_SIG_TEXT];
	struct vl_arena *arena;
	struct vl_verified verified;
	struct vl_why why;
};

static struct letter letter;

static void add_header(const char *name, struct vl_bytes value)
{
	letter.record.headers[letter.record.n_headers++] =
		(struct vl_header){fixture_text(name), value};
}

static void add_signature(const struct vl_signer *signer, enum vl_domain domain)
{
	char *text = letter.signatures[letter.record.n_headers];
	struct vl_digest digest = vl_batch_digest(letter.record.value);
	struct vl_key_id id = vl_key_id_of(vl_signer_public(signer));
	struct vl_signature signature;

	assert_int_equal(VL_OK, vl_sign(signer, domain, &digest, &signature));
	vl_sig_format(&id, &signature, text);
	add_header("vl-sig", fixture_text(text));
}

static void write_value(const char *mission, const char *lane)
{
	struct fixture_event event = fixture_event();
	struct vl_buf one = {0};
	struct vl_batch_head head = {
		.mission = fixture_text(mission),
		.lane = fixture_text(lane),
		.epoch = {1},
		.seq = {1},
		.first_event = {1},
		.signed_at = {1682350368, 0},
	};

	fixture_put_event(&one, &event);
	vl_buf_reset(&letter.value);
	vl_batch_put_head(&letter.value, &head);
	vl_batch_put_event(&letter.value, vl_buf_bytes(&one));
	vl_buf_free(&one);
	letter.record.value = vl_buf_bytes(&letter.value);
}

/* A batch of CN-SD-EMB in its topic, with a content-type and no signature yet. */
static int setup(void **state)
{
	(void)state;
	letter = (struct letter){.arena = vl_arena_open(0)};
	letter.record.topic = BYTES(TOPIC);
	letter.record.key = BYTES("CN-SD-EMB");
	write_value("CN-SD-EMB", TOPIC);
	add_header("content-type", BYTES("application/vnd.valise.batch.v1+protobuf"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vl_arena_close(letter.arena);
	vl_buf_free(&letter.value);
	return 0;
}

/* Judge the letter. Whatever the verdict, only a good record shows a batch, and the digest is
 * that of the value. */
static enum vl_err verify(void)
{
	struct vl_bytes value = letter.record.value;

	letter.why = (struct vl_why){0};
	if (value.data != NULL)
		letter.record.value = fixture_exact(value);
	enum vl_err err =
		vl_record_verify(&letter.record, ring, letter.arena, &letter.verified, &letter.why);
	if (value.data != NULL) {
		struct vl_digest digest = vl_batch_digest(value);
		assert_true(vl_digest_equal(&digest, &letter.verified.digest));
		fixture_release(letter.record.value);
		letter.record.value = value;
	}
	assert_true((err == VL_OK) == (letter.verified.batch.n_events > 0));
	assert_true((err == VL_OK) == (letter.why.text[0] == '\0'));
	return err;
}

static void assert_why(const char *words)
{
	if (strstr(letter.why.text, words) == NULL)
		fail_msg("'%s' is not in: %s", words, letter.why.text);
}

static void test_ok(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_OK, verify());
	assert_int_equal(VL_DOMAIN_BATCH, letter.verified.domain);
	assert_string_equal("CN-SD-EMB", letter.verified.signer->mission);
	assert_int_equal(1, letter.verified.batch.n_events);
	assert_int_equal(1, letter.verified.batch.head.seq.n);
}

static void test_drill(void **state)
{
	(void)state;
	letter.record.headers[0].value = BYTES("application/vnd.valise.drill.v1+protobuf");
	add_signature(sudan, VL_DOMAIN_DRILL);
	assert_int_equal(VL_OK, verify());
	assert_int_equal(VL_DOMAIN_DRILL, letter.verified.domain);
	/* The same record made out to be real. */
	letter.record.headers[0].value = BYTES("application/vnd.valise.batch.v1+protobuf");
	assert_int_equal(VL_ERR_BAD_SIGNATURE, verify());
}

static void test_through_a_mirror(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	letter.record.topic = BYTES("khartoum." TOPIC);
	assert_int_equal(VL_OK, verify());
}

static void test_other_headers(void **state)
{
	(void)state;
	add_header("traceparent", BYTES("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
	add_header("", BYTES(""));
	add_header("nothing", (struct vl_bytes){0});
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_OK, verify());
}

static void test_null_value(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	letter.record.value = (struct vl_bytes){0};
	assert_int_equal(VL_ERR_NULL_VALUE, verify());
}

static void test_too_large(void **state)
{
	(void)state;
	/* A field that nobody knows makes the value exactly as large as is allowed, then larger. */
	size_t rest = VL_BATCH_MAX - letter.value.size;
	vl_buf_put(&letter.value, "\xc2\x3e", 2);
	size_t size = rest - 2 - 3;
	const uint8_t length[] = {(uint8_t)(size | 0x80), (uint8_t)(size >> 7 | 0x80),
				  (uint8_t)(size >> 14)};
	vl_buf_put(&letter.value, length, sizeof(length));
	memset(vl_buf_add(&letter.value, size), 'x', size);
	letter.record.value = vl_buf_bytes(&letter.value);
	assert_int_equal(VL_BATCH_MAX, letter.record.value.size);
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_OK, verify());
	vl_buf_put_byte(&letter.value, 0);
	letter.record.value = vl_buf_bytes(&letter.value);
	assert_int_equal(VL_ERR_TOO_LARGE, verify());
	assert_why("the value is 1000001 bytes");
}

static void test_unsigned(void **state)
{
	(void)state;
	assert_int_equal(VL_ERR_UNSIGNED, verify());
	letter.record.n_headers = 0;
	assert_int_equal(VL_ERR_UNSIGNED, verify());
}

static void test_content_type(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	const struct vl_bytes bad[] = {BYTES("application/vnd.valise.batch.v2+protobuf"),
				       BYTES("application/vnd.valise.batch.v1+protobuf "),
				       BYTES("Application/vnd.valise.batch.v1+protobuf"),
				       BYTES("application/vnd.valise.batch.v1+protobu"),
				       BYTES("application/vnd.valise.batch.v1+protobuf\0"),
				       BYTES(""),
				       {0}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		letter.record.headers[0].value = bad[i];
		assert_int_equal(VL_ERR_BAD_HEADER, verify());
	}
	letter.record.headers[0] = letter.record.headers[1];
	letter.record.n_headers = 1;
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
	assert_why("there is no header content-type");
}

static void test_content_type_twice(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	add_header("content-type", letter.record.headers[0].value);
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
	assert_why("content-type is given twice");
}

static void test_signature_header(void **state)
{
	(void)state;
	add_header("vl-sig", BYTES("00"));
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
	assert_why("vl-sig 1 is not");
	letter.record.headers[1].value = (struct vl_bytes){0};
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
	letter.record.n_headers = 1;
	add_signature(sudan, VL_DOMAIN_BATCH);
	add_header("vl-sig", BYTES(""));
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
	assert_why("vl-sig 2 is not");
}

static void test_header_is_not_text(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	add_header("traceparent", BYTES("\xff"));
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
	assert_why("header 3 is not UTF-8 text");
}

static void test_headers_cut(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	letter.record.headers_cut = true;
	assert_int_equal(VL_ERR_BAD_HEADER, verify());
}

static void test_unknown_key(void **state)
{
	(void)state;
	add_signature(egypt, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_UNKNOWN_KEY, verify());
	assert_null(letter.verified.signer);
}

static void test_bad_signature(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	for (size_t i = 0; i < letter.value.size; i++) {
		letter.value.data[i] ^= 1;
		assert_int_equal(VL_ERR_BAD_SIGNATURE, verify());
		letter.value.data[i] ^= 1;
	}
	assert_null(letter.verified.signer);
	assert_int_equal(VL_OK, verify());
}

/* Nothing is parsed before its signature is found good. */
static void test_order(void **state)
{
	(void)state;
	vl_buf_put_byte(&letter.value, 0);
	letter.record.value = vl_buf_bytes(&letter.value);
	letter.record.topic = BYTES("another");
	assert_int_equal(VL_ERR_UNSIGNED, verify());
	add_signature(egypt, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_UNKNOWN_KEY, verify());
	letter.record.n_headers = 1;
	add_signature(sudan, VL_DOMAIN_DRILL);
	assert_int_equal(VL_ERR_BAD_SIGNATURE, verify());
	letter.record.n_headers = 1;
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_MALFORMED, verify());
	letter.record.n_headers = 1;
	write_value("HQ", TOPIC);
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_WRONG_MISSION, verify());
	letter.record.n_headers = 1;
	write_value("CN-SD-EMB", TOPIC);
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_WRONG_LANE, verify());
}

static void test_malformed(void **state)
{
	(void)state;
	vl_buf_put(&letter.value, "\x0a\x02HQ", 4); /* mission, twice */
	letter.record.value = vl_buf_bytes(&letter.value);
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_MALFORMED, verify());
	assert_why("valise.v1.Batch.mission, byte ");
	assert_string_equal("CN-SD-EMB", letter.verified.signer->mission);
	letter.record.n_headers = 1;
	letter.record.value = BYTES("");
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_MALFORMED, verify());
}

static void test_no_memory(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	vl_arena_close(letter.arena);
	letter.arena = vl_arena_open(8);
	assert_int_equal(VL_ERR_NOMEM, vl_record_verify(&letter.record, ring, letter.arena,
							&letter.verified, &letter.why));
	assert_null(letter.verified.batch.events);
}

static void test_wrong_mission_signer(void **state)
{
	(void)state;
	add_signature(hq, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_WRONG_MISSION, verify());
	assert_why("signed by HQ");
}

static void test_wrong_mission_key(void **state)
{
	const struct vl_bytes keys[] = {
		BYTES("HQ"), BYTES("CN-SD-EM"), BYTES("CN-SD-EMBX"), BYTES(""), {0}};

	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		letter.record.key = keys[i];
		assert_int_equal(VL_ERR_WRONG_MISSION, verify());
		assert_why("the record's key is not");
	}
}

static void test_wrong_lane(void **state)
{
	const struct vl_bytes topics[] = {BYTES("consular.alert.v1"),
					  BYTES("khartoum.consular.alert.v1"),
					  BYTES("a.b." TOPIC),
					  BYTES("case.v1"),
					  BYTES(""),
					  {0}};

	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		letter.record.topic = topics[i];
		assert_int_equal(VL_ERR_WRONG_LANE, verify());
	}
}

/* k-of-n: another sender signs beside, in either order; the sender's own is the one that counts. */
static void test_two_signers(void **state)
{
	(void)state;
	add_signature(hq, VL_DOMAIN_BATCH);
	add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_OK, verify());
	assert_string_equal("CN-SD-EMB", letter.verified.signer->mission);
	letter.record.n_headers = 1;
	add_signature(sudan, VL_DOMAIN_BATCH);
	add_signature(hq, VL_DOMAIN_BATCH);
	assert_int_equal(VL_OK, verify());
	assert_string_equal("CN-SD-EMB", letter.verified.signer->mission);
}

static void test_one_bad_signer_spoils(void **state)
{
	(void)state;
	add_signature(sudan, VL_DOMAIN_BATCH);
	add_signature(egypt, VL_DOMAIN_BATCH);
	assert_int_equal(VL_ERR_UNKNOWN_KEY, verify());
	letter.record.n_headers = 2;
	add_signature(hq, VL_DOMAIN_DRILL);
	assert_int_equal(VL_ERR_BAD_SIGNATURE, verify());
}

static void test_all_headers_signatures(void **state)
{
	(void)state;
	while (letter.record.n_headers < VL_RECORD_HEADERS)
		add_signature(sudan, VL_DOMAIN_BATCH);
	assert_int_equal(VL_OK, verify());
}

static void test_topic_lane(void **state)
{
	const char *table[][2] = {
		{TOPIC, TOPIC},
		{"khartoum." TOPIC, TOPIC},
		{"." TOPIC, TOPIC},
		{"a.b." TOPIC, "a.b." TOPIC},
		{"valise.receipt.v1.CN-SD-EMB", "valise.receipt.v1.CN-SD-EMB"},
		{"khartoum.valise.receipt.v1.CN-SD-EMB", "valise.receipt.v1.CN-SD-EMB"},
		{"khartoum.consular.case.v1.CN-SD-EMB", "khartoum.consular.case.v1.CN-SD-EMB"},
		{"valise.deadletter.v1", "valise.deadletter.v1"},
		{"khartoum.", "khartoum."},
		{"x", "x"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct vl_bytes exact = fixture_exact(fixture_text(table[i][0]));
		struct vl_bytes lane = vl_topic_lane(exact);
		assert_int_equal(strlen(table[i][1]), lane.size);
		assert_memory_equal(table[i][1], lane.data, lane.size);
		fixture_release(exact);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ok),
		TEST(test_drill),
		TEST(test_through_a_mirror),
		TEST(test_other_headers),
		TEST(test_null_value),
		TEST(test_too_large),
		TEST(test_unsigned),
		TEST(test_content_type),
		TEST(test_content_type_twice),
		TEST(test_signature_header),
		TEST(test_header_is_not_text),
		TEST(test_headers_cut),
		TEST(test_unknown_key),
		TEST(test_bad_signature),
		TEST(test_order),
		TEST(test_malformed),
		TEST(test_no_memory),
		TEST(test_wrong_mission_signer),
		TEST(test_wrong_mission_key),
		TEST(test_wrong_lane),
		TEST(test_two_signers),
		TEST(test_one_bad_signer_spoils),
		TEST(test_all_headers_signatures),
		cmocka_unit_test(test_topic_lane),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}

/* bus/record_pack.h: a record comes back as it was, and no broken one does. */
#include "bus_fixture.h"

#include "bus/record_pack.h"

static struct vl_record a_record(void)
{
	return (struct vl_record){
		.topic = BYTES("consular.case.v1"),
		.partition = 3,
		.offset = 70,
		.timestamp_ms = -1,
		.applied_ms = 1700000000000,
		.key = BYTES("CN-SD-EMB"),
		.value = BYTES("a batch"),
		.n_headers = 2,
		.headers = {{BYTES("content-type"), BYTES("x")}, {BYTES("vl-sig"), {NULL, 0}}},
		.headers_cut = true,
	};
}

static void assert_bytes(struct vl_bytes a, struct vl_bytes b)
{
	assert_int_equal(a.data == NULL, b.data == NULL);
	assert_int_equal(a.size, b.size);
	if (a.size > 0)
		assert_memory_equal(a.data, b.data, a.size);
}

static void assert_same(const struct vl_record *a, const struct vl_record *b)
{
	assert_bytes(a->topic, b->topic);
	assert_bytes(a->key, b->key);
	assert_bytes(a->value, b->value);
	assert_int_equal(a->partition, b->partition);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->timestamp_ms, b->timestamp_ms);
	assert_int_equal(a->applied_ms, b->applied_ms);
	assert_int_equal(a->headers_cut, b->headers_cut);
	assert_int_equal(a->n_headers, b->n_headers);
	for (size_t i = 0; i < a->n_headers; i++) {
		assert_bytes(a->headers[i].name, b->headers[i].name);
		assert_bytes(a->headers[i].value, b->headers[i].value);
	}
}

static void a_record_comes_back_as_it_was(void **state)
{
	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		struct vl_record record = a_record(), back;
		struct vl_digest digest = {0}, got;
		struct vl_buf buf = {0};
		if (kind == 1)
			record.value = record.key = (struct vl_bytes){0};
		if (kind == 2)
			record.value.size = 0;
		if (record.value.data != NULL)
			digest = vl_batch_digest(record.value);
		vl_record_pack(&buf, &record, &digest);
		assert_int_equal(vl_record_unpack(vl_buf_bytes(&buf), &back, &got), VL_OK);
		assert_same(&record, &back);
		assert_true(vl_digest_equal(&digest, &got) && vl_record_intact(&back, &got));
		assert_true(vl_record_digest(vl_buf_bytes(&buf), &got));
		assert_true(vl_digest_equal(&digest, &got));
		vl_buf_free(&buf);
	}
}

/* Any bit changed before the value is found by the checksum, any in it by the digest; and what is
 * cut short anywhere, or longer, is none. */
static void no_broken_record_passes(void **state)
{
	struct vl_record record = a_record(), back;
	struct vl_digest digest = vl_batch_digest(record.value), got;
	struct vl_buf buf = {0};

	(void)state;
	vl_record_pack(&buf, &record, &digest);
	for (size_t i = 0; i < buf.size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			buf.data[i] ^= (uint8_t)(1 << bit);
			assert_false(vl_record_unpack(vl_buf_bytes(&buf), &back, &got) == VL_OK &&
				     vl_record_intact(&back, &got));
			buf.data[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t size = 0; size < buf.size; size++) {
		struct vl_bytes cut = fixture_exact((struct vl_bytes){buf.data, size});
		assert_int_equal(vl_record_unpack(cut, &back, &got), VL_ERR_CORRUPT);
		fixture_release(cut);
	}
	vl_buf_put_byte(&buf, 0);
	assert_int_equal(vl_record_unpack(vl_buf_bytes(&buf), &back, &got), VL_ERR_CORRUPT);
	vl_buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(no_broken_record_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

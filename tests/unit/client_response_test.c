/* client/response.h: answers of the agent, whole and broken. */
#include "client_fake_agent.h"

#include "client/response.h"

static bool takes(struct vl_buf *out, size_t from, struct vl_client_answer *answer)
{
	struct vl_response response;
	struct vl_bytes frame = {out->data + from, out->size - from};

	return vl_response_read(frame, &response) && response.n_results == 1 &&
	       vl_response_next(&response, answer);
}

static void a_result_is_yes_or_no(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool good;
	} results[] = {
		{"\x0a\0", 2, true},                /* yes */
		{"\x12\0", 2, true},                /* no */
		{"", 0, false},                     /* neither */
		{"\x0a\0\x12\0", 4, false},         /* both */
		{"\x0a\0\x0a\0", 4, false},         /* yes, twice */
		{"\x1a\0", 2, false},               /* what nobody knows */
		{"\x1a\0\x0a\0", 4, true},          /* the same beside a yes */
		{"\x0a\x03\x12\x01\xff", 5, false}, /* a lane that is no text */
		{"\x0a\x02\x18\x80", 4, false},     /* an epoch that is cut off */
		{"\x12\x02\x08\x80", 4, false},     /* a cause that is cut off */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		struct vl_client_answer answer;
		struct vl_buf out = {0};
		vl_wire_put_bytes(&out, 2, results[i].bytes, results[i].size);
		if (takes(&out, 0, &answer) != results[i].good)
			fail_msg("result %zu", i);
		vl_buf_free(&out);
	}
}

/* A text that is too long is cut, and not within a character. */
static void texts_are_cut_between_characters(void **state)
{
	char text[400] = "";
	struct vl_client_answer answer;
	struct vl_buf out;

	(void)state;
	for (size_t i = 0; i < 130; i++)
		(void)strcat(text, "\xe2\x82\xac"); /* the sign of the euro */
	begin_answer(&out, 0);
	put_refused(&out, VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_INVALID, text);
	assert_true(takes(&out, VL_FRAME_HEAD, &answer));
	assert_int_equal(strlen(answer.reason), 255 / 3 * 3);
	assert_int_equal(answer.outcome, VL_CLIENT_REFUSED);
	vl_buf_free(&out);
}

/* Cut short, or with any bit changed: it may be another answer, and never a crash. */
static void whatever_comes_is_read_within_its_bytes(void **state)
{
	struct vl_client_answer answer;
	struct vl_buf out;

	(void)state;
	begin_answer(&out, 5);
	put_accepted(&out, 300, true);
	for (size_t size = VL_FRAME_HEAD; size <= out.size; size++)
		for (size_t i = VL_FRAME_HEAD; i < size; i++)
			for (unsigned bit = 0; bit < 8; bit++) {
				/* Exactly as long as it is, so that one byte more is found. */
				size_t count = size - VL_FRAME_HEAD;
				uint8_t *copy = malloc(count);
				struct vl_response response;
				memcpy(copy, out.data + VL_FRAME_HEAD, count);
				copy[i - VL_FRAME_HEAD] ^= (uint8_t)(1 << bit);
				if (vl_response_read((struct vl_bytes){copy, count}, &response))
					for (size_t n = response.n_results; n > 0; n--)
						(void)vl_response_next(&response, &answer);
				free(copy);
			}
	vl_buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_result_is_yes_or_no),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(whatever_comes_is_read_within_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

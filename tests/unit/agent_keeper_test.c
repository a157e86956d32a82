/* agent/keeper.h: what programs on the socket are told, whatever they send and however they go. */
#include "agent_house.h"

static void says_ok_for_what_is_kept(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house);

	house_ask_one(house, fd, 77, 1, CASE_TYPE, 10);
	house_accepted(house, fd, 77, 1, false);
	assert_int_equal(house_stored(house), 1);
	house_ask_one(house, fd, 0, 0, CASE_TYPE, 10);
	house_accepted(house, fd, 0, 2, false);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	(void)close(fd);
}

static void answers_in_order(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house);
	struct vl_buf request;

	for (uint64_t tag = 1; tag <= 50; tag++) {
		request_open(&request, tag);
		for (uint64_t i = 0; i < tag % 4; i++)
			request_add(&request, 0, CASE_TYPE, 10);
		house_ask(house, fd, &request);
	}
	uint64_t event = 0;
	for (uint64_t tag = 1; tag <= 50; tag++) {
		Valise__V1__PublishResponse *response = house_answer(house, fd);
		assert_int_equal(response->tag, tag);
		assert_int_equal(response->n_results, tag % 4);
		for (size_t i = 0; i < response->n_results; i++)
			assert_int_equal(result_taken(response->results[i])->event, ++event);
		FREE(response);
	}
	(void)close(fd);
}

static void clients_share_a_commit(void **state)
{
	struct house *house = *state;
	struct vl_outbox_batch batch = {0};
	int fds[8];

	for (int i = 0; i < 8; i++) {
		fds[i] = house_dial(house);
		house_ask_one(house, fds[i], 1, (uint64_t)i + 1, CASE_TYPE, 10);
	}
	house_step(house);
	house_settle(house);
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	unsigned batches = 0;
	while (vl_outbox_each(look, &batch))
		batches++;
	vl_outbox_look_end(look);
	assert_in_range(batches, 1, 2);
	assert_int_equal(house_stored(house), 8);
	for (int i = 0; i < 8; i++) {
		FREE(house_answer(house, fds[i]));
		(void)close(fds[i]);
	}
}

static void same_id_gets_the_first_answer(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house), other = house_dial(house);

	house_ask_one(house, fd, 1, 5, CASE_TYPE, 10);
	house_accepted(house, fd, 1, 1, false);
	house_ask_one(house, fd, 2, 6, CASE_TYPE, 10);
	house_accepted(house, fd, 2, 2, false);
	house_ask_one(house, other, 3, 5, CASE_TYPE, 10);
	house_accepted(house, other, 3, 1, true);
	/* Twice within one request. */
	struct vl_buf request;
	request_open(&request, 4);
	request_add(&request, 9, CASE_TYPE, 10);
	request_add(&request, 9, CASE_TYPE, 10);
	house_ask(house, fd, &request);
	Valise__V1__PublishResponse *response = house_answer(house, fd);
	assert_false(result_taken(response->results[0])->duplicate);
	assert_true(result_taken(response->results[1])->duplicate);
	assert_int_equal(result_taken(response->results[1])->event, 3);
	FREE(response);
	assert_int_equal(house_stored(house), 3);
	(void)close(fd);
	(void)close(other);
}

static void good_around_bad_is_accepted(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house);
	struct vl_buf request, broken = {0};
	struct fixture_event no_subject = fixture_event();

	no_subject.subject = (struct vl_bytes){0};
	no_subject.id = (struct vl_bytes){0};
	fixture_put_event(&broken, &no_subject);
	request_open(&request, 1);
	request_add(&request, 1, CASE_TYPE, 10);
	request_add(&request, 2, "consular.case.v1.NoSuchThing", 10);
	vl_wire_put_bytes(&request, 2, broken.data, broken.size);
	request_add(&request, 3, CASE_TYPE, 900000);
	vl_wire_put_bytes(&request, 2, "\xff\xff\xff", 3);
	vl_wire_put_bytes(&request, 2, "", 0);
	request_add(&request, 4, CASE_TYPE, 10);
	house_ask(house, fd, &request);
	Valise__V1__PublishResponse *response = house_answer(house, fd);
	assert_int_equal(response->n_results, 7);
	assert_int_equal(result_taken(response->results[0])->event, 1);
	for (size_t i = 1; i <= 5; i++) {
		assert_int_equal(result_refused(response->results[i])->cause, INVALID);
		assert_true(strlen(result_refused(response->results[i])->reason) > 10);
	}
	assert_non_null(strstr(result_refused(response->results[1])->reason, "type"));
	assert_non_null(strstr(result_refused(response->results[2])->reason, "subject"));
	assert_non_null(strstr(result_refused(response->results[3])->reason, "900000"));
	assert_int_equal(result_taken(response->results[6])->event, 2);
	FREE(response);
	assert_int_equal(house_stored(house), 2);
	vl_buf_free(&broken);
	(void)close(fd);
}

static void malformed_requests_are_named(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house);
	struct vl_buf request;

	/* Broken behind a good event: nothing of it is taken. */
	request_open(&request, 3);
	request_add(&request, 1, CASE_TYPE, 10);
	vl_buf_put(&request, "\x12\x7f", 2);
	house_ask(house, fd, &request);
	house_refused(house, fd, 3, INVALID, "request");
	/* Unknown field, wrong type, tag twice. */
	request_open(&request, 4);
	vl_wire_put_varint(&request, 9, 1);
	house_ask(house, fd, &request);
	house_refused(house, fd, 4, INVALID, "field 9");
	request_open(&request, 5);
	vl_wire_put_varint(&request, 2, 1);
	house_ask(house, fd, &request);
	house_refused(house, fd, 5, INVALID, "field 2");
	request_open(&request, 6);
	vl_wire_put_varint(&request, 1, 7);
	house_ask(house, fd, &request);
	house_refused(house, fd, 6, INVALID, "twice");
	request_open(&request, 8);
	for (size_t i = 0; i <= VL_FRAME_EVENTS; i++)
		vl_wire_put_bytes(&request, 2, "", 0);
	house_ask(house, fd, &request);
	house_refused(house, fd, 8, INVALID, "4096");
	/* An empty frame is an empty request. */
	house_send(house, fd, "\0\0\0\0", 4);
	Valise__V1__PublishResponse *response = house_answer(house, fd);
	assert_int_equal(response->n_results, 0);
	FREE(response);
	assert_int_equal(house_stored(house), 0);
	house_ask_one(house, fd, 9, 1, CASE_TYPE, 10);
	house_accepted(house, fd, 9, 1, false);
	(void)close(fd);
}

static void overlong_frame_ends_the_connection(void **state)
{
	struct house *house = *state;
	int fd = house_dial(house), other = house_dial(house);

	house_ask_one(house, fd, 1, 1, CASE_TYPE, 10);
	house_send(house, fd, "\x00\x10\x00\x01junk", 8);
	house_accepted(house, fd, 1, 1, false);
	house_refused(house, fd, 0, INVALID, "1048576");
	assert_true(house_closed(house, fd));
	house_ask_one(house, other, 2, 2, CASE_TYPE, 10);
	house_accepted(house, other, 2, 2, false);
	(void)close(fd);
	(void)close(other);
}

static void closed_midway_takes_nothing_of_the_half(void **state)
{
	struct house *house = *state;
	struct vl_buf request;

	for (size_t cut = 1; cut < 200; cut += 13) {
		int fd = house_dial(house);
		request_open(&request, 1);
		request_add(&request, 100 + cut, CASE_TYPE, 300);
		request_close(&request);
		house_send(house, fd, request.data, cut);
		house_settle(house);
		(void)close(fd);
		house_settle(house);
		vl_buf_free(&request);
	}
	assert_int_equal(house_stored(house), 0);
	/* Gone after a whole request, without waiting for the answer: taken, and the same id
	 * says so. */
	int fd = house_dial(house);
	house_ask_one(house, fd, 1, 1, CASE_TYPE, 10);
	(void)close(fd);
	house_settle(house);
	assert_int_equal(house_stored(house), 1);
	/* No more to send, but still listening. */
	fd = house_dial(house);
	house_ask_one(house, fd, 2, 1, CASE_TYPE, 10);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	house_accepted(house, fd, 2, 1, true);
	assert_true(house_closed(house, fd));
	(void)close(fd);
}

static void full_is_told_and_flash_is_taken(void **state)
{
	struct house *house = *state;
	struct vl_outbox_options options = world_options(house->world);
	struct vl_buf request;
	int fd = house_dial(house);

	/* A small outbox, filled up to where only FLASH may go. */
	vl_keeper_close(house->keeper);
	world_close(house->world);
	options.size = VL_OUTBOX_SIZE_MIN;
	world_open_with(house->world, &options);
	struct vl_keeper_options keeper = {
		house->world->outbox, house->listener, house->users, 1, house->ring, NULL};
	assert_int_equal(vl_keeper_open(&keeper, &house->keeper, NULL), VL_OK);
	Valise__V1__PublishResult *result;
	Valise__V1__PublishResponse *response;
	uint64_t n = 0;
	do {
		n++;
		house_ask_one(house, fd, n, n, CASE_TYPE, 500000);
		response = house_answer(house, fd);
		result = response->results[0];
		bool more = result->outcome_case == VALISE__V1__PUBLISH_RESULT__OUTCOME_ACCEPTED;
		if (!more) {
			assert_int_equal(result_refused(result)->cause,
					 VALISE__V1__REFUSED_CAUSE__REFUSED_CAUSE_FULL);
			assert_non_null(strstr(result_refused(result)->reason, "% full"));
		}
		FREE(response);
		if (!more)
			break;
	} while (n < 100);
	assert_in_range(n, 10, 30);
	request_open(&request, 1);
	request_add(&request, 1000, CASE_TYPE, 500000);
	request_add(&request, 1001, FLASH_TYPE, 100);
	house_ask(house, fd, &request);
	response = house_answer(house, fd);
	(void)result_refused(response->results[0]);
	(void)result_taken(response->results[1]);
	FREE(response);
	(void)close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_ok_for_what_is_kept),
		TEST(answers_in_order),
		TEST(clients_share_a_commit),
		TEST(same_id_gets_the_first_answer),
		TEST(good_around_bad_is_accepted),
		TEST(malformed_requests_are_named),
		TEST(overlong_frame_ends_the_connection),
		TEST(closed_midway_takes_nothing_of_the_half),
		TEST(full_is_told_and_flash_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* agent/keeper.h, pipe.h: what the keeper tells the link, and what the acks, receipts and
 * directives from there do. */
#include "agent_house.h"

#include "agent/pipe.h"

static void wakes_the_link_and_notes_its_acks(void **state)
{
	struct house *house = *state;
	struct vl_pipe_message message;
	struct vl_epoch epoch;
	struct vl_seq seq;
	int ends[2], fd = house_dial(house);

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(house->keeper, ends[0]);
	house_ask_one(house, fd, 1, 1, CASE_TYPE, 10);
	house_accepted(house, fd, 1, 1, false);
	assert_int_equal(vl_pipe_receive(ends[1], &message, NULL), VL_OK);
	assert_int_equal(message.kind, VL_PIPE_COMMITTED);
	message = (struct vl_pipe_message){.kind = VL_PIPE_ACKED,
					   .lane = vl_lane_find(CASE_LANE, strlen(CASE_LANE)),
					   .epoch = {NOW},
					   .seq = {1}};
	assert_int_equal(vl_pipe_send(ends[1], &message), VL_OK);
	house_step(house);
	assert_in_range(vl_keeper_timeout(house->keeper), 1, 500);
	/* The next commit takes it along. */
	house_ask_one(house, fd, 2, 2, CASE_TYPE, 10);
	house_accepted(house, fd, 2, 2, false);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	vl_outbox_acked(look, CASE_LANE, &epoch, &seq);
	vl_outbox_look_end(look);
	assert_int_equal(epoch.n, NOW);
	assert_int_equal(seq.n, 1);
	/* What the line carries it takes to heart without a word. */
	assert_int_equal(
		vl_pipe_send(ends[1], &(struct vl_pipe_message){.kind = VL_PIPE_LINE, .rate = 1}),
		VL_OK);
	house_step(house);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	/* Without one it does not wait for ever. */
	message.seq.n = 2;
	assert_int_equal(vl_pipe_send(ends[1], &message), VL_OK);
	assert_int_equal(vl_keeper_finish(house->keeper, 10, NULL), VL_OK);
	look = vl_outbox_look(house->world->outbox, NULL);
	vl_outbox_acked(look, CASE_LANE, &epoch, &seq);
	vl_outbox_look_end(look);
	assert_int_equal(seq.n, 2);
	/* A link that goes is no reason to stop. */
	(void)close(ends[1]);
	house_ask_one(house, fd, 3, 3, CASE_TYPE, 10);
	house_accepted(house, fd, 3, 3, false);
	vl_keeper_set_link(house->keeper, -1);
	(void)close(ends[0]);
	(void)close(fd);
}

static void receipts_from_the_link_free(void **state)
{
	struct house *house = *state;
	struct vl_outbox_batch batch = {0};
	int ends[2], fd = house_dial(house);
	size_t at = 0;

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(house->keeper, ends[0]);
	for (uint64_t n = 1; n <= 3; n++) {
		house_ask_one(house, fd, n, n, CASE_TYPE, 10);
		house_accepted(house, fd, n, n, false);
	}
	struct vl_outbox_look *look = vl_outbox_look(house->world->outbox, NULL);
	assert_true(vl_outbox_next(look, CASE_LANE, (struct vl_epoch){NOW}, (struct vl_seq){1},
				   &batch));
	struct vl_digest digest = batch.digest;
	vl_outbox_look_end(look);
	struct vl_buf relayed = receipt_relay(&(struct receipt_made){
		.seq = 2, .digest = {digest.bytes, sizeof(digest.bytes)}, .filler = 100000});
	assert_int_equal(vl_pipe_send_record(ends[1], vl_buf_bytes(&relayed), &at), VL_OK);
	vl_buf_free(&relayed);
	for (int i = 0; i < 4; i++)
		house_step(house);
	assert_int_equal(vl_keeper_timeout(house->keeper), -1);
	assert_int_equal(house_stored(house), 1);
	/* Known by their ids for ever. */
	house_ask_one(house, fd, 4, 2, CASE_TYPE, 10);
	house_accepted(house, fd, 4, 2, true);
	vl_keeper_set_link(house->keeper, -1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(fd);
}

static void directives_from_the_link_come_back_as_wishes(void **state)
{
	struct house *house = *state;
	struct vl_pipe_message message;
	int ends[2];

	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(house->keeper, ends[0]);
	for (uint64_t n = 1; n <= 2; n++) {
		struct vl_buf relayed = receipt_relay(
			&(struct receipt_made){.resend = true,
					       .seq = 2,
					       .to = 3,
					       .batch = n,
					       .mission = n == 1 ? OTHER : "CN-SD-EMB"});
		size_t at = 0;
		assert_int_equal(vl_pipe_send_record(ends[1], vl_buf_bytes(&relayed), &at), VL_OK);
		vl_buf_free(&relayed);
		house_step(house);
	}
	assert_int_equal(vl_pipe_receive(ends[1], &message, NULL), VL_OK);
	assert_int_equal(message.kind, VL_PIPE_RESEND);
	assert_int_equal(message.seq.n, 2);
	assert_int_equal(message.to.n, 3);
	assert_int_equal(vl_pipe_receive(ends[1], &message, NULL), VL_ERR_END);
	vl_keeper_set_link(house->keeper, -1);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)
	const struct CMUnitTest tests[] = {
		TEST(wakes_the_link_and_notes_its_acks),
		TEST(receipts_from_the_link_free),
		TEST(directives_from_the_link_come_back_as_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

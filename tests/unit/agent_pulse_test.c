/* agent/pulse.h: what a pulse says, when it is said, and that one waits and not thousands. */
#include "agent_fixture.h"

#include "agent/keeper.h"
#include "agent/listen.h"
#include "agent/pipe.h"
#include "valise/pulse/v1/pulse.pb-c.h"
#include "valise/v1/batch.pb-c.h"

#include <sys/socket.h>

#define EVERY 60
#define PULSE_TYPE "valise.pulse.v1.Pulse"

static struct vl_pulse *open_pulse(struct world *world, uint64_t every)
{
	struct vl_pulse_options options = {every, &world->clock, "1.2.3"};
	struct vl_pulse *pulse = vl_pulse_open(&options);

	assert_non_null(pulse);
	return pulse;
}

static void accept_case(struct world *world, uint64_t n)
{
	(void)world_accept(world, n, CASE_TYPE, 10);
}

static void ack(struct world *world, const char *lane, uint64_t seq)
{
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_ack(world->outbox, lane, (struct vl_epoch){NOW}, (struct vl_seq){seq});
	vl_outbox_free_some(world->outbox);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
}

/* Make a pulse, take it into the outbox, and read it as headquarters would. NULL where none is
 * made. The caller frees it. */
static Valise__Pulse__V1__Pulse *beat(struct world *world, struct vl_pulse *pulse, int64_t now_ms)
{
	struct vl_buf event = {0};
	struct vl_why why = {0};

	if (!vl_pulse_make(pulse, world->outbox, now_ms, &event))
		return NULL;
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	if (vl_outbox_accept_pulse(world->outbox, vl_buf_bytes(&event), &why) != VL_OK)
		fail_msg("%s", why.text);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	Valise__V1__Event *read = valise__v1__event__unpack(NULL, event.size, event.data);
	assert_non_null(read);
	assert_string_equal(read->subject, "CN-SD-EMB");
	assert_string_equal(read->payload->type_url, "type.googleapis.com/" PULSE_TYPE);
	Valise__Pulse__V1__Pulse *message = valise__pulse__v1__pulse__unpack(
		NULL, read->payload->value.len, read->payload->value.data);
	assert_non_null(message);
	valise__v1__event__free_unpacked(read, NULL);
	vl_buf_free(&event);
	return message;
}

#define FREE(message) valise__pulse__v1__pulse__free_unpacked(message, NULL)

static uint64_t kept(struct world *world)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	uint64_t count = vl_outbox_count(look);

	vl_outbox_look_end(look);
	return count;
}

static void says_how_the_agent_stands(void **state)
{
	struct world *world = *state;
	struct vl_outbox_batch last = {0};

	world_open(world);
	struct vl_pulse *pulse = open_pulse(world, EVERY);
	accept_case(world, 1);
	world->now.seconds += 30;
	accept_case(world, 2);
	ack(world, CASE_LANE, 1);
	world->now.seconds += 70;
	Valise__Pulse__V1__Pulse *message = beat(world, pulse, 5);
	assert_non_null(message);
	assert_int_equal(message->n_heads, 1);
	assert_string_equal(message->heads[0]->lane, CASE_LANE);
	assert_int_equal(message->heads[0]->epoch, NOW);
	assert_int_equal(message->heads[0]->seq, 2);
	assert_int_equal(message->heads[0]->acked_epoch, NOW);
	assert_int_equal(message->heads[0]->acked_seq, 1);
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	assert_true(
		vl_outbox_next(look, CASE_LANE, (struct vl_epoch){NOW}, (struct vl_seq){1}, &last));
	assert_int_equal(message->heads[0]->digest.len, sizeof(last.digest.bytes));
	assert_memory_equal(message->heads[0]->digest.data, last.digest.bytes,
			    sizeof(last.digest.bytes));
	vl_outbox_look_end(look);
	assert_int_equal(message->waiting_batches, 2);
	assert_int_equal(message->oldest_seconds, 100);
	assert_int_equal(message->interval_seconds, EVERY);
	assert_null(message->clock_offset);
	assert_string_equal(message->version, "1.2.3");
	FREE(message);
	vl_pulse_close(pulse);
}

/* Not known is not zero, and the nearest of what was heard is said once. */
static void says_the_clocks_offset(void **state)
{
	struct world *world = *state;
	static const int64_t heard[] = {-1500, -20, -900};

	world_open(world);
	struct vl_pulse *pulse = open_pulse(world, EVERY);
	for (size_t i = 0; i < 3; i++)
		vl_pulse_clock(pulse, heard[i]);
	Valise__Pulse__V1__Pulse *message = beat(world, pulse, 1);
	assert_int_equal(message->clock_offset->milliseconds, -20);
	FREE(message);
	ack(world, VL_PULSE_LANE, 1);
	message = beat(world, pulse, 1 + EVERY * 1000);
	assert_null(message->clock_offset);
	FREE(message);
	vl_pulse_close(pulse);
}

/* Days without a line: one waits. Kafka's ack frees it, and the next one is said. */
static void one_waits_and_not_thousands(void **state)
{
	struct world *world = *state;
	const int64_t step = EVERY * 1000;

	world_open(world);
	struct vl_pulse *pulse = open_pulse(world, EVERY);
	assert_int_equal(vl_pulse_due(pulse), 0);
	FREE(beat(world, pulse, 0));
	assert_null(beat(world, pulse, step - 1));
	int64_t now = 0;
	for (int i = 1; i <= 3000; i++) {
		now += step;
		assert_int_equal(vl_pulse_due(pulse), now);
		assert_null(beat(world, pulse, now));
	}
	assert_int_equal(kept(world), 1);
	ack(world, VL_PULSE_LANE, 1);
	assert_int_equal(kept(world), 0);
	assert_null(beat(world, pulse, now + 1));
	FREE(beat(world, pulse, now + step));
	assert_int_equal(kept(world), 1);
	/* After a restart the one that waits is known; the chain goes on. */
	vl_pulse_close(pulse);
	world_reopen(world);
	pulse = open_pulse(world, EVERY);
	assert_null(beat(world, pulse, 0));
	ack(world, VL_PULSE_LANE, 2);
	assert_int_equal(kept(world), 0);
	vl_pulse_close(pulse);
}

static void none_where_none_is_wanted(void **state)
{
	struct world *world = *state;

	world_open(world);
	struct vl_pulse *pulse = open_pulse(world, 0);
	assert_int_equal(vl_pulse_due(pulse), -1);
	assert_null(beat(world, pulse, INT64_MAX));
	vl_pulse_close(pulse);
}

/* No program says how the agent stands. */
static void a_clients_pulse_is_refused(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_buf buf = {0};
	struct vl_why why = {0};

	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	struct vl_bytes event = world_event(&buf, 1, PULSE_TYPE, 10);
	assert_int_equal(vl_outbox_accept(world->outbox, event, &accepted, &why), VL_ERR_INVALID);
	assert_non_null(strstr(why.text, "agent's own"));
	assert_false(vl_outbox_failed(world->outbox));
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(kept(world), 0);
	vl_buf_free(&buf);
}

static void the_keeper_beats(void **state)
{
	struct world *world = *state;
	char path[320];
	uid_t user = geteuid();
	int listener, ends[2];
	struct vl_keeper *keeper;

	world_open(world);
	struct vl_pulse *pulse = open_pulse(world, 1);
	(void)snprintf(path, sizeof(path), "%s/socket", world->folder.path);
	assert_int_equal(vl_listen(path, false, &listener, NULL), VL_OK);
	struct vl_keeper_options options = {world->outbox, listener, &user, 1, NULL, pulse};
	assert_int_equal(vl_keeper_open(&options, &keeper, NULL), VL_OK);
	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	vl_keeper_set_link(keeper, ends[0]);
	assert_int_equal(vl_keeper_timeout(keeper), 0);
	assert_int_equal(vl_keeper_step(keeper, NULL), VL_OK);
	assert_int_equal(kept(world), 1);
	assert_in_range(vl_keeper_timeout(keeper), 0, 1000);
	struct vl_pipe_message message = {.kind = VL_PIPE_CLOCK, .ahead_ms = -7};
	assert_int_equal(vl_pipe_send(ends[1], &message), VL_OK);
	message =
		(struct vl_pipe_message){.kind = VL_PIPE_ACKED,
					 .lane = vl_lane_find(VL_PULSE_LANE, strlen(VL_PULSE_LANE)),
					 .epoch = {NOW},
					 .seq = {1}};
	assert_int_equal(vl_pipe_send(ends[1], &message), VL_OK);
	struct vl_outbox_batch batch = {0};
	for (int64_t until = vl_monotonic_ms() + 20000;
	     batch.seq.n < 2 && vl_monotonic_ms() < until;) {
		assert_int_equal(vl_keeper_step(keeper, NULL), VL_OK);
		struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
		(void)vl_outbox_next(look, VL_PULSE_LANE, (struct vl_epoch){0}, (struct vl_seq){0},
				     &batch);
		vl_outbox_look_end(look);
	}
	assert_int_equal(batch.seq.n, 2);
	assert_int_equal(kept(world), 1);
	vl_keeper_close(keeper);
	vl_pulse_close(pulse);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(listener);
	(void)unlink(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(says_how_the_agent_stands),   TEST(says_the_clocks_offset),
		TEST(one_waits_and_not_thousands), TEST(none_where_none_is_wanted),
		TEST(a_clients_pulse_is_refused),  TEST(the_keeper_beats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

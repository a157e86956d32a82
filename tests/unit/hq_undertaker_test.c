/* hq/ledger/deadletter.h, hq/ledger/refused.h: dead letters go to their topic, and one that it
 * refuses holds up no other. */
#include "hq_world.h"
#include "stream_mock.h"

#include "hq/ledger/deadletter.h"
#include "hq/ledger/refused.h"

#include <poll.h>

#define STEPS 3000 /* of up to 10 ms: what librdkafka does, it does in threads of its own */

struct house {
	struct world w;
	struct mock *mock;
	struct vl_undertaker *undertaker;
	struct vl_time now;
};

static struct vl_time tell_time(void *context)
{
	return ((struct house *)context)->now;
}

static void open_undertaker(struct house *h)
{
	static struct vl_clock clock;

	clock = (struct vl_clock){tell_time, h};
	assert_int_equal(
		vl_undertaker_open(h->w.store, h->mock->pairs, 3, &clock, &h->undertaker, NULL),
		VL_OK);
}

static int setup(void **state)
{
	struct house *h = world_new(sizeof(*h));

	h->now = (struct vl_time){1700000000, 0};
	h->mock = mock_open(1);
	mock_topic(h->mock, VL_DEADLETTER_TOPIC, 1);
	open_undertaker(h);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct house *h = *state;

	vl_undertaker_close(h->undertaker);
	mock_close(h->mock);
	return world_teardown(state);
}

static void bury(struct house *h, int64_t offset, size_t size)
{
	uint8_t *bytes = calloc(1, size);
	struct vl_record record = {.topic = vl_bytes_of(LANE),
				   .offset = offset,
				   .value = {bytes, size},
				   .timestamp_ms = 1000};
	struct vl_digest digest = vl_batch_digest(record.value);
	struct vl_txn *txn = vl_txn_begin(h->w.store, true, NULL);

	vl_deadletter_bury(txn, &record, &digest, VL_ERR_UNSIGNED, NULL);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	free(bytes);
}

/* Work until so many are buried and so many refused. */
static void work_until(struct house *h, uint64_t dead, uint64_t refused)
{
	for (int step = 0; step < STEPS; step++) {
		assert_int_equal(vl_undertaker_work(h->undertaker, NULL), VL_OK);
		if (world_count(&h->w, VL_DB_DEAD) == dead &&
		    world_count(&h->w, VL_DB_REFUSED) == refused)
			return;
		(void)poll(NULL, 0, 10);
	}
	fail_msg("%d dead and %d refused", (int)world_count(&h->w, VL_DB_DEAD),
		 (int)world_count(&h->w, VL_DB_REFUSED));
}

static void refuse_next(struct house *h, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rd_kafka_mock_push_request_errors(h->mock->cluster, PRODUCE_REQUEST, 1,
						  RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
}

static void copy_refused(void *context, const struct vl_refused *refused)
{
	*(struct vl_refused *)context = *refused;
}

static struct vl_refused the_refused(struct house *h)
{
	struct vl_txn *txn = vl_txn_begin(h->w.store, false, NULL);
	struct vl_refused refused = {0};
	struct vl_letter letter;

	assert_int_equal(vl_refused_each(txn, copy_refused, &refused), 0);
	assert_int_equal(vl_letter_read(refused.letter, &letter), VL_OK);
	assert_string_equal(letter.reason, "unsigned");
	vl_txn_abort(txn);
	return refused;
}

static void test_letter_that_is_refused_waits_apart_and_others_go(void **state)
{
	struct house *h = *state;

	refuse_next(h, 1);
	bury(h, 1, 100);
	work_until(h, 0, 1);
	bury(h, 2, 100);
	work_until(h, 0, 1);
	struct vl_refused refused = the_refused(h);
	assert_int_equal(refused.err, VL_ERR_TOO_LARGE);
	assert_int_equal(refused.tries, 1);
	assert_int_equal(refused.since_ms, vl_time_ms(h->now));
}

/* One larger than librdkafka itself takes never reaches a broker. */
static void test_letter_that_nobody_takes_holds_up_no_other(void **state)
{
	struct house *h = *state;

	bury(h, 1, (size_t)3 << 20);
	bury(h, 2, 100);
	work_until(h, 0, 1);
	assert_int_equal(the_refused(h).err, VL_ERR_TOO_LARGE);
}

static void test_pauses_grow_up_to_an_hour_and_survive_a_restart(void **state)
{
	struct house *h = *state;
	int64_t before = 0, pause = 0;

	refuse_next(h, 1);
	bury(h, 1, 100);
	work_until(h, 0, 1);
	for (uint32_t tries = 2; tries < 14; tries++) {
		struct vl_refused refused = the_refused(h);
		pause = refused.next_ms - vl_time_ms(h->now);
		assert_true(pause > before || pause == VL_REFUSED_MOST_MS);
		before = pause;
		h->now = vl_time_from_ms(refused.next_ms - 1);
		vl_undertaker_close(h->undertaker);
		open_undertaker(h);
		for (int i = 0; i < 3; i++)
			assert_int_equal(vl_undertaker_work(h->undertaker, NULL), VL_OK);
		assert_int_equal(the_refused(h).tries, tries - 1);
		h->now = vl_time_from_ms(refused.next_ms);
		refuse_next(h, 1);
		for (int step = 0; step < STEPS && the_refused(h).tries < tries; step++) {
			assert_int_equal(vl_undertaker_work(h->undertaker, NULL), VL_OK);
			(void)poll(NULL, 0, 10);
		}
		assert_int_equal(the_refused(h).tries, tries);
	}
	assert_int_equal(pause, VL_REFUSED_MOST_MS);
}

/* Once one went, the others need not wait for their time. */
static void test_letters_go_by_themselves_when_the_topic_takes_them(void **state)
{
	struct house *h = *state;

	for (int64_t i = 0; i < 5; i++) {
		refuse_next(h, 1);
		bury(h, i, 100);
		work_until(h, 0, (uint64_t)i + 1);
	}
	h->now.seconds += VL_REFUSED_LEAST_MS / 1000;
	work_until(h, 0, 0);
}

static void test_damaged_letter_is_kept_apart_and_others_go(void **state)
{
	struct house *h = *state;
	struct vl_txn *txn = vl_txn_begin(h->w.store, true, NULL);
	struct vl_key key = {0};

	vl_key_text(&key, LANE);
	vl_key_u32(&key, 0);
	vl_key_u64(&key, 0);
	vl_txn_put(txn, VL_DB_DEAD, vl_key_done(&key), vl_bytes_of("no letter"));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	bury(h, 1, 100);
	work_until(h, 0, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_letter_that_is_refused_waits_apart_and_others_go),
		TEST(test_letter_that_nobody_takes_holds_up_no_other),
		TEST(test_pauses_grow_up_to_an_hour_and_survive_a_restart),
		TEST(test_letters_go_by_themselves_when_the_topic_takes_them),
		TEST(test_damaged_letter_is_kept_apart_and_others_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

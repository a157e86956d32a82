/* agent/inbox.h, relay.h, pipe.h: what the link hands over frees only what headquarters has
 * signed for, whatever it is. */
#include "agent_receipt.h"

#include "agent/inbox.h"
#include "agent/pipe.h"

struct desk {
	struct world *world;
	struct vl_ring *ring;
	struct vl_inbox *inbox;
	struct vl_digest digests[4]; /* of batches 1 to 3 */
	uint64_t batch;              /* headquarters' last number */
};

static int desk_setup(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));
	struct vl_outbox_batch batch = {0};
	void *world;

	assert_non_null(desk);
	assert_int_equal(world_setup(&world), 0);
	desk->world = world;
	world_open(desk->world);
	for (uint64_t n = 1; n <= 3; n++)
		(void)world_accept(desk->world, n, CASE_TYPE, 10);
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	while (vl_outbox_each(look, &batch))
		desk->digests[batch.seq.n] = batch.digest;
	vl_outbox_look_end(look);
	desk->ring = receipt_ring();
	desk->inbox = vl_inbox_open(desk->ring, "CN-SD-EMB");
	assert_non_null(desk->inbox);
	*state = desk;
	return 0;
}

static int desk_teardown(void **state)
{
	struct desk *desk = *state;
	void *world = desk->world;

	vl_inbox_close(desk->inbox);
	vl_ring_close(desk->ring);
	(void)world_teardown(&world);
	free(desk);
	return 0;
}

static struct vl_bytes digest(const struct desk *desk, unsigned seq)
{
	return (struct vl_bytes){desk->digests[seq].bytes, sizeof(desk->digests[seq].bytes)};
}

static void note(struct desk *desk)
{
	assert_int_equal(vl_outbox_begin(desk->world->outbox, NULL), VL_OK);
	vl_inbox_note(desk->inbox, desk->world->outbox);
	assert_int_equal(vl_outbox_commit(desk->world->outbox, NULL), VL_OK);
	vl_inbox_noted(desk->inbox);
}

static void bring(struct desk *desk, const struct receipt_made *given)
{
	struct receipt_made made = *given;

	if (made.batch == 0)
		made.batch = ++desk->batch;
	struct vl_buf relayed = receipt_relay(&made);
	struct vl_bytes exact = fixture_exact(vl_buf_bytes(&relayed));

	vl_inbox_take(desk->inbox, exact, 1000);
	fixture_release(exact);
	vl_buf_free(&relayed);
	note(desk);
}

static unsigned kept(const struct desk *desk)
{
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	unsigned n = 0;

	while (vl_outbox_each(look, &batch))
		n++;
	vl_outbox_look_end(look);
	return n;
}

static int64_t position(const struct desk *desk)
{
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	int64_t offset = vl_outbox_position(look, VL_RECEIPT_LANE ".CN-SD-EMB", 0);

	vl_outbox_look_end(look);
	return offset;
}

static void headquarters_receipt_frees(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(vl_inbox_due(desk->inbox, desk->world->outbox), -1);
	bring(desk, &(struct receipt_made){.seq = 2, .digest = digest(desk, 2), .offset = 40});
	assert_int_equal(kept(desk), 1);
	assert_int_equal(position(desk), 41);
	bring(desk, &(struct receipt_made){.seq = 2, .digest = digest(desk, 2), .offset = 41});
	bring(desk, &(struct receipt_made){
			    .seq = 3, .digest = digest(desk, 3), .offset = 42, .filler = 200000});
	assert_int_equal(kept(desk), 0);
	assert_int_equal(position(desk), 43);
}

static void nothing_else_frees(void **state)
{
	struct desk *desk = *state;
	struct vl_bytes good = digest(desk, 3), shorter = {good.data, 31};

	bring(desk,
	      &(struct receipt_made){.seq = 3, .digest = good, .sender = OTHER, .key = OTHER_KEY});
	bring(desk,
	      &(struct receipt_made){.seq = 3, .digest = good, .sender = "CN-SD-EMB", .key = 1});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .key = OTHER_KEY});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .key = 77});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .domain = VL_DOMAIN_DRILL});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .mission = OTHER});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .lane = "no.such.lane"});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .lane = FLASH_LANE});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = shorter});
	assert_int_equal(kept(desk), 3);
	/* Each was read, all the same. */
	bring(desk, &(struct receipt_made){.seq = 3, .digest = shorter, .offset = 7});
	assert_int_equal(position(desk), 8);
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good});
	assert_int_equal(kept(desk), 0);
}

/* In the right topic, by the right key, and yet not for us; or it was read before. Each is
 * counted. */
static void others_and_old_ones_are_refused_and_counted(void **state)
{
	struct desk *desk = *state;
	struct vl_bytes good = digest(desk, 3);

	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .mission = OTHER});
	assert_int_equal(vl_inbox_refused(desk->inbox), 1);
	bring(desk,
	      &(struct receipt_made){.seq = 3, .digest = good, .mission = OTHER, .alone = true});
	bring(desk,
	      &(struct receipt_made){.seq = 3, .digest = good, .sender = OTHER, .key = OTHER_KEY});
	assert_int_equal(vl_inbox_refused(desk->inbox), 3);
	/* What was signed for another topic, and topics that are none of ours. */
	bring(desk,
	      &(struct receipt_made){.seq = 3, .digest = good, .topic = VL_RECEIPT_LANE "." OTHER});
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .topic = VL_RECEIPT_LANE});
	assert_int_equal(kept(desk), 3);
	/* A batch of headquarters' that came before, or is before one that did; an epoch that
	 * begins anew is new, also a lower one. */
	bring(desk, &(struct receipt_made){.seq = 1, .digest = digest(desk, 1), .batch = 50});
	assert_int_equal(kept(desk), 2);
	bring(desk, &(struct receipt_made){.seq = 2, .digest = digest(desk, 2), .batch = 50});
	bring(desk, &(struct receipt_made){.seq = 2, .digest = digest(desk, 2), .batch = 7});
	assert_int_equal(kept(desk), 2);
	assert_int_equal(vl_inbox_refused(desk->inbox), 5);
	bring(desk, &(struct receipt_made){.seq = 2, .digest = digest(desk, 2), .batch = 51});
	assert_int_equal(kept(desk), 1);
	bring(desk, &(struct receipt_made){.seq = 3, .digest = good, .batch = 52, .alone = true});
	assert_int_equal(kept(desk), 0);
	assert_int_equal(vl_inbox_refused(desk->inbox), 5);
}

/* However many wait for a transaction, what the newest of each lane and epoch says is done. */
static void the_newest_of_those_that_wait_is_kept(void **state)
{
	struct desk *desk = *state;

	for (uint64_t n = 0; n < 2000; n++) {
		struct receipt_made made = {
			.seq = n % 2 + 1, .digest = digest(desk, n % 2 + 1), .batch = n + 1};
		/* Of epochs that are not ours there is an end, too. */
		if (n % 3 == 0)
			made.epoch = NOW - 1 - n;
		if (n == 1999)
			made = (struct receipt_made){
				.seq = 3, .digest = digest(desk, 3), .batch = n + 1};
		struct vl_buf relayed = receipt_relay(&made);
		vl_inbox_take(desk->inbox, vl_buf_bytes(&relayed), 1000);
		vl_buf_free(&relayed);
	}
	assert_int_equal(kept(desk), 3);
	note(desk);
	assert_int_equal(kept(desk), 0);
}

/* Commit as often as the inbox asks for it. */
static void settle(struct desk *desk)
{
	for (int i = 0; vl_outbox_freeing(desk->world->outbox); i++) {
		assert_true(i < 10);
		assert_int_equal(vl_inbox_due(desk->inbox, desk->world->outbox), 0);
		note(desk);
	}
}

/* The lane's only batch. */
static struct vl_outbox_batch only_batch(const struct desk *desk)
{
	struct vl_outbox_look *look = vl_outbox_look(desk->world->outbox, NULL);
	struct vl_outbox_batch batch = {0}, next;

	assert_true(vl_outbox_each(look, &batch));
	next = batch;
	assert_false(vl_outbox_each(look, &next));
	vl_outbox_look_end(look);
	return batch;
}

/* So many events of the old epoch are in a new one, and the same receipt again changes nothing. */
static void misfit(struct desk *desk, const struct receipt_made *made, unsigned events)
{
	bring(desk, made);
	settle(desk);
	struct vl_outbox_batch batch = only_batch(desk);
	assert_true(batch.epoch.n > made->epoch && batch.epoch.n > NOW);
	assert_int_equal(batch.seq.n, 1);
	assert_int_equal(batch.n_events, events);
	bring(desk, made);
	settle(desk);
	assert_int_equal(only_batch(desk).epoch.n, batch.epoch.n);
}

static void a_place_never_made_begins_a_new_epoch(void **state)
{
	struct desk *desk = *state;

	misfit(desk, &(struct receipt_made){.seq = 4, .digest = digest(desk, 3)}, 3);
}

static void another_batch_in_a_place_begins_a_new_epoch(void **state)
{
	struct desk *desk = *state;

	misfit(desk, &(struct receipt_made){.seq = 3, .digest = digest(desk, 2)}, 3);
}

static void a_later_epoch_elsewhere_begins_a_new_one(void **state)
{
	struct desk *desk = *state;

	misfit(desk, &(struct receipt_made){.seq = 9, .digest = digest(desk, 3), .epoch = NOW + 5},
	       3);
	/* A clone that runs: once is enough, or they would chase each other. */
	uint64_t epoch = only_batch(desk).epoch.n;
	bring(desk,
	      &(struct receipt_made){.seq = 1, .digest = digest(desk, 1), .epoch = epoch + 5});
	settle(desk);
	assert_int_equal(only_batch(desk).epoch.n, epoch);
}

static void a_suspended_epoch_is_left(void **state)
{
	struct desk *desk = *state;

	misfit(desk, &(struct receipt_made){.seq = 2, .digest = digest(desk, 2), .suspended = NOW},
	       1);
}

static void without_keys_nothing_is_honoured(void **state)
{
	struct desk *desk = *state;

	vl_inbox_close(desk->inbox);
	desk->inbox = vl_inbox_open(NULL, "CN-SD-EMB");
	bring(desk, &(struct receipt_made){.seq = 3, .digest = digest(desk, 3)});
	assert_int_equal(kept(desk), 3);
	assert_int_equal(position(desk), -1);
}

static void waits_anew_when_not_committed(void **state)
{
	struct desk *desk = *state;
	struct vl_buf relayed =
		receipt_relay(&(struct receipt_made){.seq = 3, .digest = digest(desk, 3)});

	vl_inbox_take(desk->inbox, vl_buf_bytes(&relayed), 1000);
	vl_buf_free(&relayed);
	assert_int_equal(vl_inbox_due(desk->inbox, desk->world->outbox), 1000);
	assert_int_equal(vl_outbox_begin(desk->world->outbox, NULL), VL_OK);
	vl_inbox_note(desk->inbox, desk->world->outbox);
	vl_outbox_abort(desk->world->outbox);
	vl_inbox_not_noted(desk->inbox, 1000);
	assert_in_range(vl_inbox_due(desk->inbox, desk->world->outbox), 1001, 60000);
	assert_int_equal(kept(desk), 3);
	note(desk);
	assert_int_equal(kept(desk), 0);
}

/* Every single changed byte, and random ones: nothing is freed, nothing is read beyond the end. */
static void damaged_records_free_nothing(void **state)
{
	struct desk *desk = *state;
	uint64_t seed = fixture_seed();
	struct vl_buf relayed = receipt_relay(
		&(struct receipt_made){.seq = 3, .digest = digest(desk, 3), .offset = 5});

	for (size_t i = 0; i < relayed.size + 500; i++) {
		size_t size = i < relayed.size ? relayed.size : fixture_next(&seed) % relayed.size;
		struct vl_bytes exact = fixture_exact((struct vl_bytes){relayed.data, size});
		uint8_t *bytes = (uint8_t *)(uintptr_t)exact.data;
		if (i < relayed.size)
			bytes[i] ^=
				"\x01\x02\x04\x08\x10\x40"[fixture_next(&seed) %
							   6]; /* a key's id may be in capitals */
		else if (fixture_next(&seed) % 2)
			fixture_fill(&seed, bytes, size);
		struct vl_record record;
		struct vl_digest unknown;
		bool changed =
			vl_record_unpack(exact, &record, &unknown) != VL_OK || record.offset == 5;
		vl_inbox_take(desk->inbox, exact, 1000);
		fixture_release(exact);
		/* The offset, and the partition, are the link's word alone. */
		if (changed)
			note(desk);
		else
			vl_inbox_noted(desk->inbox);
	}
	vl_buf_free(&relayed);
	assert_int_equal(kept(desk), 3);
}

static void long_records_pass_the_pipe_in_pieces(void **state)
{
	struct vl_pipe_message message;
	struct vl_buf sent = {0}, got = {0};
	uint64_t seed = fixture_seed();
	size_t at, sizes[] = {1, 16384, 16385, 300000, VL_RELAY_MAX, VL_RELAY_MAX + 1, 10};
	int ends[2];

	(void)state;
	assert_int_equal(vl_pipe_open(ends, NULL), VL_OK);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		enum vl_err put = VL_ERR_BUSY, err = VL_ERR_END;
		vl_buf_reset(&sent);
		fixture_fill(&seed, vl_buf_add(&sent, sizes[i]), sizes[i]);
		for (at = 0; put == VL_ERR_BUSY || err == VL_OK;) {
			if (put == VL_ERR_BUSY)
				put = vl_pipe_send_record(ends[1], vl_buf_bytes(&sent), &at);
			err = vl_pipe_receive(ends[0], &message, &got);
			if (err == VL_OK)
				break;
			assert_int_equal(err, VL_ERR_END);
			if (put == VL_OK)
				break;
		}
		assert_int_equal(put, VL_OK);
		assert_int_equal(err, sizes[i] > VL_RELAY_MAX ? VL_ERR_END : VL_OK);
		if (err == VL_OK) {
			assert_int_equal(message.kind, VL_PIPE_RECORD);
			assert_int_equal(got.size, sizes[i]);
			assert_memory_equal(got.data, sent.data, got.size);
			vl_buf_reset(&got);
		}
	}
	/* Other messages pass between the pieces, and one who wants no records gets none. */
	at = 0;
	assert_int_equal(vl_pipe_send_record(ends[1], BYTES("record"), &at), VL_OK);
	assert_int_equal(vl_pipe_send(ends[1], &(struct vl_pipe_message){.kind = VL_PIPE_STOP}),
			 VL_OK);
	assert_int_equal(vl_pipe_receive(ends[0], &message, NULL), VL_OK);
	assert_int_equal(message.kind, VL_PIPE_STOP);
	(void)close(ends[0]);
	(void)close(ends[1]);
	vl_buf_free(&sent);
	vl_buf_free(&got);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_setup, desk_teardown)
	const struct CMUnitTest tests[] = {
		TEST(headquarters_receipt_frees),
		TEST(nothing_else_frees),
		TEST(others_and_old_ones_are_refused_and_counted),
		TEST(the_newest_of_those_that_wait_is_kept),
		TEST(a_place_never_made_begins_a_new_epoch),
		TEST(another_batch_in_a_place_begins_a_new_epoch),
		TEST(a_later_epoch_elsewhere_begins_a_new_one),
		TEST(a_suspended_epoch_is_left),
		TEST(without_keys_nothing_is_honoured),
		TEST(waits_anew_when_not_committed),
		TEST(damaged_records_free_nothing),
		cmocka_unit_test(long_records_pass_the_pipe_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* agent/outbox/outbox_lost.c: a damaged batch costs itself, wherever it lies: what is whole is
 * sent, as headquarters can follow it. */
#include "agent_shelf.h"

#include "agent/outbox/outbox_rows.h"

#define N 5

/* Turn a bit in the raw row of a batch of cases, `at` bytes from its start. */
static void rot(struct shelf *shelf, uint64_t epoch, uint64_t seq, size_t at)
{
	struct vl_store_options options = {.path = shelf->world->path,
					   .dbs = vl_outbox_dbs,
					   .unchecked = UINT64_MAX,
					   .map_size = (size_t)128 << 20};
	struct vl_key key =
		row_batch_key(CASE_LANE, (struct vl_epoch){epoch}, (struct vl_seq){seq});
	struct vl_buf copy = {0};
	struct vl_store *store;
	struct vl_bytes raw;

	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	assert_true(vl_txn_get(txn, BATCH, vl_key_done(&key), &raw));
	vl_buf_put(&copy, raw.data, raw.size);
	copy.data[at] ^= 4;
	vl_txn_put(txn, BATCH, vl_key_done(&key), vl_buf_bytes(&copy));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	vl_buf_free(&copy);
}

static bool give_up(struct shelf *shelf, uint64_t epoch, uint64_t seq)
{
	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	bool done = vl_outbox_give_up(shelf->world->outbox, CASE_LANE, (struct vl_epoch){epoch},
				      (struct vl_seq){seq});
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	return done;
}

static void carry_all(struct shelf *shelf)
{
	for (int i = 0; vl_outbox_freeing(shelf->world->outbox); i++) {
		assert_true(i < 20);
		assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
		vl_outbox_free_some(shelf->world->outbox);
		assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	}
}

/* What the new epoch's first batch begins behind. */
static struct vl_digest begins_behind(struct shelf *shelf, uint64_t epoch)
{
	struct vl_outbox_batch kept = shelf_batch(shelf, epoch, 1);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_batch batch;

	assert_true(kept.epoch.n > NOW);
	assert_int_equal(kept.seq.n, 1);
	assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
	struct vl_digest prev = batch.head.prev;
	vl_arena_close(arena);
	return prev;
}

static unsigned count_lost(struct shelf *shelf, struct vl_outbox_batch *last)
{
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	unsigned n = 0;

	*last = (struct vl_outbox_batch){0};
	while (vl_outbox_each_lost(look, last))
		n++;
	vl_outbox_look_end(look);
	return n;
}

/* Batches 1 to N of one event each; the nth has rotted at one of its bytes. */
static void lose(struct shelf *shelf, unsigned nth, size_t at)
{
	struct vl_digest before = {0}, none = {0};
	struct vl_outbox_batch lost;

	shelf_start(shelf);
	for (uint64_t n = 1; n <= N; n++) {
		(void)shelf_accept(shelf, n);
		if (n + 1 == nth)
			before = shelf_batch(shelf, NOW, n).digest;
	}
	shelf_stop(shelf);
	rot(shelf, NOW, nth, at);
	shelf_start(shelf);
	assert_null(vl_outbox_doubt(shelf->world->outbox));
	assert_int_equal(vl_outbox_repaired(shelf->world->outbox), 0);
	/* Only what is damaged is given up, and only once. */
	for (uint64_t n = 1; n <= N; n++)
		if (n != nth)
			assert_false(give_up(shelf, NOW, n));
	assert_false(give_up(shelf, NOW, N + 1));
	assert_true(give_up(shelf, NOW, nth));
	assert_false(give_up(shelf, NOW, nth));
	/* Before anything is carried the agent ends, and starts again. */
	shelf_stop(shelf);
	shelf_start(shelf);
	struct vl_accepted accepted = shelf_accept(shelf, N + 1);
	assert_true(accepted.epoch.n > NOW);
	carry_all(shelf);

	/* All but one, each once; those before it in their old places, and the new epoch behind
	 * them. */
	assert_int_equal(shelf_audit(shelf), N);
	for (uint64_t n = 1; n < nth; n++)
		assert_int_equal(shelf_batch(shelf, NOW, n).seq.n, n);
	struct vl_digest prev = begins_behind(shelf, NOW + 1);
	assert_true(vl_digest_equal(&prev, nth > 1 ? &before : &none));
	assert_int_equal(count_lost(shelf, &lost), 1);
	assert_int_equal(lost.seq.n, nth);
	assert_string_equal(lost.lane, CASE_LANE);
	assert_true(lost.value.size > VL_BATCH_ROW_HEAD);

	/* Its event can be published again with its id, as no other can. */
	for (uint64_t n = 1; n <= N; n++)
		assert_int_equal(shelf_accept(shelf, n).duplicate, n != nth);
	assert_true(shelf_accept(shelf, nth).duplicate);
	assert_int_equal(shelf_audit(shelf), N + 1);
	shelf_stop(shelf);
	shelf_start(shelf);
	assert_int_equal(vl_outbox_lost(shelf->world->outbox), 1);
	assert_int_equal(shelf_accept(shelf, 100).epoch.n, accepted.epoch.n);
	shelf_stop(shelf);
	shelf_run("rm -rf %s %s", shelf->world->path, shelf->mark);
}

/* In its bytes, and in its row's head, where not even what it had can be read. */
static void the_first_a_middle_one_and_the_last(void **state)
{
	struct shelf *shelf = *state;
	static const size_t places[] = {VL_BATCH_ROW_HEAD + 30, 112};

	for (unsigned nth = 1; nth <= N; nth += 2)
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			lose(shelf, nth, places[i]);
}

/* Behind what headquarters has applied, which is gone from here: its digest is known still. */
static void behind_what_is_applied(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	for (uint64_t n = 1; n <= 3; n++)
		(void)shelf_accept(shelf, n);
	struct vl_outbox_receipt receipt = {.lane = CASE_LANE, .epoch = {NOW}, .seq = {1}};
	receipt.digest = shelf_batch(shelf, NOW, 1).digest;
	assert_int_equal(vl_outbox_begin(shelf->world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_free(shelf->world->outbox, &receipt), VL_OUTBOX_FREED);
	assert_int_equal(vl_outbox_commit(shelf->world->outbox, NULL), VL_OK);
	carry_all(shelf);
	shelf_stop(shelf);
	rot(shelf, NOW, 2, VL_BATCH_ROW_HEAD + 30);
	shelf_start(shelf);
	assert_true(give_up(shelf, NOW, 2));
	carry_all(shelf);
	struct vl_digest prev = begins_behind(shelf, NOW);
	assert_true(vl_digest_equal(&prev, &receipt.digest));
	assert_int_equal(shelf_audit(shelf), 1);
}

/* Two of them: each costs itself. */
static void two_of_them(void **state)
{
	struct shelf *shelf = *state;

	shelf_start(shelf);
	for (uint64_t n = 1; n <= N; n++)
		(void)shelf_accept(shelf, n);
	struct vl_digest first = shelf_batch(shelf, NOW, 1).digest;
	shelf_stop(shelf);
	rot(shelf, NOW, 2, VL_BATCH_ROW_HEAD + 30);
	rot(shelf, NOW, 4, 140);
	shelf_start(shelf);
	assert_true(give_up(shelf, NOW, 2));
	carry_all(shelf);
	struct vl_digest prev = begins_behind(shelf, NOW + 1);
	assert_true(vl_digest_equal(&prev, &first));
	assert_int_equal(shelf_audit(shelf), 3);
	assert_int_equal(vl_outbox_lost(shelf->world->outbox), 2);
	assert_false(shelf_accept(shelf, 2).duplicate);
	assert_false(shelf_accept(shelf, 4).duplicate);
	assert_int_equal(shelf_audit(shelf), 5);
}

/* An outbox whose rows are as before there was more in them: what is being carried goes on, and
 * a receipt's place is known. */
static void older_rows_are_read(void **state)
{
	struct shelf *shelf = *state;
	struct vl_store_options options = {.path = shelf->world->path,
					   .dbs = vl_outbox_dbs,
					   .unchecked = UINT64_C(1) << BATCH,
					   .map_size = 1 << 27};
	struct vl_store *store;
	struct vl_digest behind = {{7}};
	uint8_t carry[40], place[16];
	struct vl_epoch epoch;
	struct vl_seq seq;

	shelf_start(shelf);
	for (uint64_t n = 1; n <= 3; n++)
		(void)shelf_accept(shelf, n);
	shelf_stop(shelf);
	vl_put_be64(carry, NOW);
	memcpy(carry + 8, behind.bytes, sizeof(behind.bytes));
	vl_put_be64(place, NOW);
	vl_put_be64(place + 8, 1);
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	vl_txn_put(txn, META, vl_bytes_of("carry " CASE_LANE),
		   (struct vl_bytes){carry, sizeof(carry)});
	vl_txn_put(txn, APPLIED, vl_bytes_of(CASE_LANE), (struct vl_bytes){place, sizeof(place)});
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	shelf_start(shelf);
	struct vl_outbox_look *look = vl_outbox_look(shelf->world->outbox, NULL);
	vl_outbox_applied(look, CASE_LANE, &epoch, &seq);
	assert_int_equal(seq.n, 1);
	vl_outbox_look_end(look);
	carry_all(shelf);
	assert_int_equal(shelf_audit(shelf), 2);
	struct vl_digest prev = begins_behind(shelf, NOW);
	assert_true(vl_digest_equal(&prev, &behind));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_a_middle_one_and_the_last),
		TEST(behind_what_is_applied),
		TEST(two_of_them),
		TEST(older_rows_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* agent/outbox/outbox.h: what one rotten row of an outbox costs, and that it is no more than
 * that. */
#include "agent_fixture.h"

#include "agent/outbox/outbox_rows.h"

/* Turn a bit in the raw row of `key`, check word and all; or, `at` bytes before its end, in the
 * key. */
static void rot_row(struct world *world, unsigned db, struct vl_bytes key, size_t at, bool in_key)
{
	struct vl_store_options options = {.path = world->path,
					   .dbs = vl_outbox_dbs,
					   .unchecked = UINT64_MAX,
					   .map_size = (size_t)64 << 20};
	struct vl_store *store;
	struct vl_bytes raw;
	struct vl_buf copy = {0}, name = {0};

	assert_null(world->outbox);
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	assert_true(vl_txn_get(txn, db, key, &raw));
	vl_buf_put(&name, key.data, key.size);
	vl_buf_put(&copy, raw.data, raw.size);
	assert_true((in_key ? name.size : copy.size) > at);
	*(in_key ? &name.data[name.size - 1 - at] : &copy.data[at]) ^= 4;
	assert_true(vl_txn_delete(txn, db, key));
	vl_txn_put(txn, db, vl_buf_bytes(&name), vl_buf_bytes(&copy));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	vl_buf_free(&copy);
	vl_buf_free(&name);
}

static void rot(struct world *world, unsigned db, struct vl_bytes key, size_t at)
{
	rot_row(world, db, key, at, false);
}

static enum vl_err accept(struct world *world, uint64_t n, struct vl_accepted *accepted,
			  struct vl_why *why)
{
	struct vl_buf buf = {0};
	enum vl_err err =
		vl_outbox_accept(world->outbox, world_event(&buf, n, CASE_TYPE, 10), accepted, why);

	vl_buf_free(&buf);
	return err;
}

static struct vl_accepted put(struct world *world, uint64_t n)
{
	return world_accept(world, n, CASE_TYPE, 10);
}

static void an_id_whose_row_rotted_is_refused_and_nothing_else(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_why why = {0};

	world_open(world);
	struct vl_accepted first = put(world, 1);
	(void)put(world, 2);
	world_close(world);
	rot(world, EVENT, (struct vl_bytes){first.id.bytes, 16}, 12);
	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(accept(world, 1, &accepted, &why), VL_ERR_CORRUPT);
	assert_non_null(strstr(why.text, "it is unknown"));
	assert_false(vl_outbox_failed(world->outbox));
	assert_int_equal(accept(world, 2, &accepted, NULL), VL_OK);
	assert_true(accepted.duplicate);
	assert_int_equal(accept(world, 3, &accepted, NULL), VL_OK);
	assert_false(accepted.duplicate);
	assert_int_equal(accepted.event.n, 3);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
}

/* An id that is later than all on the disk is not looked for there: so the last of these must be
 * certain. */
static void the_last_id_rotted_and_is_not_forgotten(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;
	struct vl_why why = {0};

	world_open(world);
	(void)put(world, 1);
	struct vl_accepted last = put(world, 7);
	world_close(world);
	rot_row(world, EVENT, (struct vl_bytes){last.id.bytes, 16}, 0, true);
	world_open(world);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(accept(world, 7, &accepted, &why), VL_ERR_CORRUPT);
	assert_int_equal(accept(world, 8, &accepted, NULL), VL_OK);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(accept(world, 8, &accepted, NULL), VL_OK);
	assert_true(accepted.duplicate);
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
}

static struct vl_digest last_digest(struct world *world)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch batch = {0};
	struct vl_digest digest = {0};

	while (vl_outbox_each(look, &batch))
		digest = batch.digest;
	vl_outbox_look_end(look);
	return digest;
}

static void a_chain_whose_head_rotted_goes_on_in_a_new_epoch(void **state)
{
	struct world *world = *state;
	struct vl_accepted accepted;

	world_open(world);
	struct vl_accepted first = put(world, 1);
	(void)put(world, 2);
	struct vl_digest tail = last_digest(world);
	world_close(world);
	rot(world, CHAIN, vl_bytes_of(CASE_LANE), 9);
	world->now.seconds += 100;
	world_open(world);
	assert_int_equal(vl_outbox_repaired(world->outbox), 1);
	/* Its number was found again: what is known keeps its answer. */
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	assert_int_equal(accept(world, 1, &accepted, NULL), VL_OK);
	assert_true(accepted.duplicate);
	assert_string_equal(accepted.lane, CASE_LANE);
	assert_int_equal(accepted.epoch.n, first.epoch.n);
	vl_outbox_abort(world->outbox);
	accepted = put(world, 3);
	assert_int_equal(accepted.epoch.n, NOW + 100);
	assert_int_equal(accepted.event.n, 1);

	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch kept;
	struct vl_batch batch;
	struct vl_arena *arena = vl_arena_open(0);
	assert_true(vl_outbox_next(look, CASE_LANE, accepted.epoch, (struct vl_seq){0}, &kept));
	assert_int_equal(vl_batch_read(kept.value, arena, &batch, NULL), VL_OK);
	assert_memory_equal(batch.head.prev.bytes, tail.bytes, 32);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
	world_reopen(world);
	assert_int_equal(vl_outbox_repaired(world->outbox), 0);
	assert_int_equal(put(world, 4).epoch.n, NOW + 100);
}

static enum vl_outbox_state state_of(struct world *world, unsigned nth)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_outbox_batch batch = {0};

	for (unsigned i = 0; i <= nth; i++)
		assert_true(vl_outbox_each(look, &batch));
	enum vl_outbox_state found = batch.state;
	assert_int_equal(batch.seq.n, nth + 1);
	assert_int_equal(vl_outbox_look_err(look), VL_OK);
	vl_outbox_look_end(look);
	return found;
}

/* Each part of a batch's row: key id, signature, digest, numbers, sum. */
static void a_damaged_batch_is_shown_and_the_next_one_too(void **state)
{
	static const size_t places[] = {0, 20, 90, 112, 115, 120, 128, 136, 140};
	struct world *world = *state;

	world_open(world);
	struct vl_accepted first = put(world, 1);
	(void)put(world, 2);
	world_close(world);
	struct vl_key key = row_batch_key(CASE_LANE, first.epoch, (struct vl_seq){1});
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		rot(world, BATCH, vl_key_done(&key), places[i]);
		world_open(world);
		assert_int_equal(state_of(world, 0), VL_OUTBOX_DAMAGED);
		assert_int_equal(state_of(world, 1), VL_OUTBOX_STORED);
		world_close(world);
		rot(world, BATCH, vl_key_done(&key), places[i]);
	}
	world_open(world);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_STORED);
}

/* It is sent again, which harms nobody. */
static void a_rotten_ack_is_no_ack(void **state)
{
	struct world *world = *state;

	world_open(world);
	struct vl_accepted first = put(world, 1);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_ack(world->outbox, CASE_LANE, first.epoch, (struct vl_seq){1});
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_ACKED);
	world_close(world);
	rot(world, ACKED, vl_bytes_of(CASE_LANE), 15);
	world_open(world);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_STORED);
	assert_int_equal(vl_outbox_begin(world->outbox, NULL), VL_OK);
	vl_outbox_ack(world->outbox, CASE_LANE, first.epoch, (struct vl_seq){1});
	assert_int_equal(vl_outbox_commit(world->outbox, NULL), VL_OK);
	assert_int_equal(state_of(world, 0), VL_OUTBOX_ACKED);
}

static void whose_it_is_must_be_certain(void **state)
{
	struct world *world = *state;
	struct vl_outbox_options options = world_options(world);
	struct vl_why why = {0};

	world_open(world);
	world_close(world);
	rot(world, META, vl_bytes_of("mission"), 1);
	assert_int_equal(vl_outbox_open(&options, &world->outbox, &why), VL_ERR_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_id_whose_row_rotted_is_refused_and_nothing_else),
		TEST(the_last_id_rotted_and_is_not_forgotten),
		TEST(a_chain_whose_head_rotted_goes_on_in_a_new_epoch),
		TEST(a_damaged_batch_is_shown_and_the_next_one_too),
		TEST(a_rotten_ack_is_no_ack),
		TEST(whose_it_is_must_be_certain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

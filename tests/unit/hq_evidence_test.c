/* hq/ledger/evidence.h and hq/ledger/parked.h: what one sender may make headquarters keep and do
 * is bounded, and nobody else's batch waits for it. */
#include "hq_world.h"

#include "hq/ledger/deadletter.h"
#include "hq/ledger/evidence.h"

#define FORKS (VL_EVIDENCE_WHOLE + VL_EVIDENCE_DIGESTS + 40)

struct court {
	struct world world;
	struct sender sd, eg;
};

static int setup(void **state)
{
	struct court *c = world_new(sizeof(*c));

	c->sd = world_sender(&c->world, "CN-SD-EMB");
	c->eg = world_sender(&c->world, "CN-EG-EMB");
	*state = c;
	return 0;
}

static void begin(struct court *c)
{
	assert_int_equal(vl_apply_begin(c->world.applier, NULL), VL_OK);
}

static void commit(struct court *c)
{
	assert_int_equal(vl_apply_commit(c->world.applier, NULL), VL_OK);
}

static uint64_t evidence_bytes(struct court *c, uint64_t *whole)
{
	struct vl_txn *txn = vl_txn_begin(c->world.store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_EVIDENCE);
	struct vl_bytes value;
	uint64_t bytes = 0;

	*whole = 0;
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, &value); more;
	     more = vl_cursor_next(cursor, NULL, &value)) {
		bytes += value.size;
		*whole += value.size > 0;
	}
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	return bytes;
}

/* A clone's branch, far longer than is kept; then both go on in an epoch of their own. */
static void a_long_fork_is_bounded(void **state)
{
	struct court *c = *state;
	struct sender clone = c->sd;
	struct sent *again = NULL;
	uint64_t whole;

	bring(&c->world, open_case(&c->sd, 1, "SD-1", 100));
	begin(c);
	for (uint64_t i = 0; i < FORKS; i++) {
		struct sent *sent = open_case(&clone, 1000 + i, "SD-9", 100);
		again = i == 0 ? sent : again;
		bring_within(&c->world, sent);
	}
	commit(c);
	struct vl_standing s = world_standing(&c->world, "CN-SD-EMB");
	assert_int_equal(vl_standing_verdict(&s), VL_VERDICT_FORK);
	assert_int_equal(s.forks, FORKS);
	assert_int_equal(s.batches, 1);
	assert_int_equal(world_count(&c->world, VL_DB_EVIDENCE),
			 VL_EVIDENCE_WHOLE + VL_EVIDENCE_DIGESTS);
	assert_true(evidence_bytes(c, &whole) > 0);
	assert_int_equal(whole, VL_EVIDENCE_WHOLE);
	bring(&c->world, again);
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").forks, FORKS);
	/* Its last batch was only counted: what follows on it is applied all the same. */
	sender_begin_epoch(&clone, 2000);
	bring(&c->world, open_case(&clone, 1, "SD-1", 100));
	sender_begin_epoch(&c->sd, 3000);
	bring(&c->world, open_case(&c->sd, 2, "SD-1", 100));
	s = world_standing(&c->world, "CN-SD-EMB");
	assert_int_equal(s.batches, 3);
	assert_int_equal(s.parked, 0);
}

/* Bytes are a mission's own, over all its epochs; an epoch is suspended although nothing more is
 * kept. */
static void many_forks_are_bounded_for_their_mission(void **state)
{
	struct court *c = *state;
	struct vl_digest digest = {{0}};
	const struct vl_bytes big = {calloc(1, 1 << 20), 1 << 20};
	uint64_t whole;

	begin(c);
	commit(c);
	struct vl_txn *txn = vl_txn_begin(c->world.store, true, NULL);
	for (uint64_t epoch = 1; epoch <= 40; epoch++) {
		digest.bytes[0] = (uint8_t)epoch;
		assert_int_equal(vl_evidence_keep(txn, "CN-SD-EMB", LANE, (struct vl_epoch){epoch},
						  (struct vl_seq){1}, &digest, big, true),
				 VL_EVIDENCE_KEPT);
		assert_int_equal(vl_evidence_keep(txn, "CN-SD-EMB", LANE, (struct vl_epoch){epoch},
						  (struct vl_seq){1}, &digest, big, true),
				 VL_EVIDENCE_THERE);
	}
	assert_int_equal(vl_evidence_keep(txn, "CN-EG-EMB", LANE, (struct vl_epoch){1},
					  (struct vl_seq){1}, &digest,
					  (struct vl_bytes){big.data, 1000}, true),
			 VL_EVIDENCE_KEPT);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	free((void *)(uintptr_t)big.data);
	assert_int_equal(world_count(&c->world, VL_DB_EVIDENCE), 41);
	assert_int_equal(evidence_bytes(c, &whole), VL_EVIDENCE_BYTES + 1000);
	assert_int_equal(whole, VL_EVIDENCE_BYTES / big.size + 1);
}

/* -- dead letters -- */

static uint64_t letter_bytes(struct court *c)
{
	struct vl_txn *txn = vl_txn_begin(c->world.store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_DEAD);
	struct vl_bytes value;
	uint64_t bytes = 0;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, &value); more;
	     more = vl_cursor_next(cursor, NULL, &value))
		bytes += value.size;
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	return bytes;
}

static void bury(struct court *c, struct vl_record *record, unsigned times)
{
	struct vl_digest digest = vl_batch_digest(record->value);
	struct vl_txn *txn = vl_txn_begin(c->world.store, true, NULL);

	for (unsigned i = 0; i < times; i++, record->offset++)
		vl_deadletter_bury(txn, record, &digest, VL_ERR_UNSIGNED, NULL);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

static void let_all_go(struct court *c)
{
	struct vl_bytes key;

	for (bool more = true; more;) {
		struct vl_txn *txn = vl_txn_begin(c->world.store, true, NULL);
		struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_DEAD);
		struct vl_key first = {.size = 0};
		more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, NULL);
		if (more)
			vl_key_bytes(&first, key.data, key.size);
		vl_cursor_close(cursor);
		if (more)
			vl_deadletter_let_go(txn, vl_key_done(&first), false);
		assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	}
}

/* One sender's are kept whole up to a bound, then their first bytes; another's are not fewer for
 * it. */
static void dead_letters_are_bounded(void **state)
{
	struct court *c = *state;
	uint8_t *bytes = calloc(1, 1 << 20);
	struct vl_record record = {.topic = vl_bytes_of(LANE), .key = vl_bytes_of("CN-SD-EMB")};
	unsigned whole = VL_DEADLETTER_SENDER >> 20;
	uint64_t metas = world_count(&c->world, VL_DB_META);

	record.value = (struct vl_bytes){bytes, 1 << 20};
	bury(c, &record, 100);
	assert_int_equal(world_count(&c->world, VL_DB_DEAD), 100);
	assert_true(letter_bytes(c) < VL_DEADLETTER_SENDER + 100 * 2 * VL_DEADLETTER_FIRST);
	record.key = vl_bytes_of("CN-EG-EMB");
	uint64_t before = letter_bytes(c);
	bury(c, &record, whole - 1);
	assert_true(letter_bytes(c) > before + ((uint64_t)(whole - 1) << 20));
	let_all_go(c);
	assert_int_equal(world_count(&c->world, VL_DB_META), metas);
	record.value.size = 500;
	bury(c, &record, 40000);
	assert_true(letter_bytes(c) <= 2 * VL_DEADLETTER_SENDER);
	assert_true(world_count(&c->world, VL_DB_DEAD) < 40000);
	free(bytes);
}

/* -- what waits -- */

#define LONG 700 /* more than one transaction takes out of what waits */

static void a_gap_that_closes_is_spread_over_transactions(void **state)
{
	struct court *c = *state;
	struct sent *first = open_case(&c->sd, 1, "SD-1", 1);
	uint64_t turns = 0;

	begin(c);
	for (uint64_t i = 2; i <= LONG; i++)
		bring_within(&c->world, open_case(&c->sd, i, i % 2 ? "SD-1" : "SD-2", (int64_t)i));
	commit(c);
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").parked, LONG - 1);
	bring(&c->world, first);
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").batches, 1 + VL_DRAIN.batches);
	assert_true(vl_apply_waits(c->world.applier));
	/* Another's is applied between, and a restart knows what is left. */
	bring(&c->world, open_case(&c->eg, 9000, "EG-1", 1));
	assert_int_equal(world_standing(&c->world, "CN-EG-EMB").batches, 1);
	world_close_ledger(&c->world);
	world_open_ledger(&c->world);
	for (; vl_apply_waits(c->world.applier); turns++) {
		begin(c);
		(void)vl_apply_drain(c->world.applier);
		commit(c);
	}
	assert_int_equal(turns, (LONG - 1) / VL_DRAIN.batches);
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").batches, LONG);
	assert_int_equal(world_count(&c->world, VL_DB_PARKED), 0);
	assert_int_equal(world_count(&c->world, VL_DB_WAITING), 0);
	assert_int_equal(world_count(&c->world, VL_DB_DUE), 0);
}

#define STRAY 60

/* Epochs that follow on nothing wait for what they follow on, and are not looked at for anything
 * else. */
static void epochs_that_follow_on_nothing_cost_nothing(void **state)
{
	struct court *c = *state;
	struct vl_digest unknown = {{1}};
	struct sender stray[STRAY];

	bring(&c->world, open_case(&c->sd, 1, "SD-1", 1));
	for (uint64_t i = 0; i < STRAY; i++) {
		stray[i] = c->sd;
		sender_begin_epoch(&stray[i], 2000 + i);
		unknown.bytes[1] = (uint8_t)i;
		stray[i].head = unknown;
		bring(&c->world, open_case(&stray[i], 100 + i, "SD-8", 1));
	}
	assert_int_equal(world_count(&c->world, VL_DB_AWAITS), STRAY);
	for (uint64_t i = 2; i < 20; i++) {
		begin(c);
		bring_within(&c->world, open_case(&c->sd, i, "SD-1", 1));
		assert_false(vl_apply_drain(c->world.applier));
		commit(c);
		assert_int_equal(world_count(&c->world, VL_DB_DUE), 0);
	}
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").batches, 19);
	/* One of them has its past after all: an epoch that came late. */
	struct sender late = c->sd;
	sender_begin_epoch(&late, 1500);
	late.head = (struct vl_digest){0};
	struct sent *past = open_case(&late, 300, "SD-7", 1);
	struct sender heir = late;
	sender_begin_epoch(&heir, 1600);
	bring(&c->world, open_case(&heir, 301, "SD-7", 2));
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").parked, STRAY + 1);
	bring(&c->world, past);
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").batches, 21);
	assert_int_equal(world_standing(&c->world, "CN-SD-EMB").parked, STRAY);
	assert_int_equal(world_count(&c->world, VL_DB_AWAITS), STRAY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_long_fork_is_bounded),
		TEST(many_forks_are_bounded_for_their_mission),
		TEST(dead_letters_are_bounded),
		TEST(a_gap_that_closes_is_spread_over_transactions),
		TEST(epochs_that_follow_on_nothing_cost_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

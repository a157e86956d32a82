/* hq/ledger/passed.h: what found no room to wait is read again from where it lies, whatever
 * order the partitions are read in, and the views are those of a reading without a hole. */
#include "hq_world.h"

#include "hq/ledger/parked.h"
#include "hq/ledger/passed.h"

#define PARTITIONS 4
#define MOST 64
#define MISSIONS 3

/* Kafka's topic of cases, and how far it is read. */
struct topic {
	struct world world;
	struct sender senders[MISSIONS];
	struct sent *log[PARTITIONS][MOST];
	size_t n[PARTITIONS], read[PARTITIONS];
	size_t gone[PARTITIONS]; /* offsets below are no longer there */
	struct vl_key after;
	uint64_t ids, seed, passes;
};

static int setup(void **state)
{
	static const char *const ids[MISSIONS] = {"CN-AA-EMB", "CN-SD-EMB", "HQ"};
	struct topic *t = world_new(sizeof(*t));

	for (unsigned m = 0; m < MISSIONS; m++)
		t->senders[m] = world_sender(&t->world, ids[m]);
	t->seed = 88172645463325252u;
	*state = t;
	return 0;
}

/* The next batch of a mission, in that partition. */
static void produce(struct topic *t, unsigned mission, unsigned partition)
{
	char subject[16];
	uint64_t id = ++t->ids;

	(void)snprintf(subject, sizeof(subject), "X-%u", (unsigned)(id % 5));
	assert_true(t->n[partition] < MOST);
	t->log[partition][t->n[partition]++] =
		open_case(&t->senders[mission], id, subject, (int64_t)(id * 7 % 20));
}

static void deliver(struct topic *t, unsigned partition, size_t offset, bool again)
{
	struct world *w = &t->world;
	struct vl_verified verified = {0};
	struct vl_why why = {0};
	struct vl_record record = t->log[partition][offset]->record;

	record.partition = (int32_t)partition;
	record.offset = (int64_t)offset;
	vl_arena_reset(w->arena);
	enum vl_err verdict = vl_record_verify(&record, w->ring, w->arena, &verified, &why);
	assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	if (again)
		vl_apply_again(w->applier, &record, verdict, &verified, NULL, &why);
	else
		vl_apply_record(w->applier, &record, verdict, &verified, NULL, &why);
	while (vl_apply_drain(w->applier)) {
		assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
		assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
	}
	assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
}

/* The next `count` of a partition. */
static void read_on(struct topic *t, unsigned partition, size_t count)
{
	for (; count > 0 && t->read[partition] < t->n[partition]; count--)
		deliver(t, partition, t->read[partition]++, false);
}

/* The next `count` of a partition are put off: what each mission has there, by itself. */
static void put_off(struct topic *t, unsigned partition, size_t count)
{
	size_t from = t->read[partition];
	size_t to = from + count < t->n[partition] ? from + count : t->n[partition];
	struct vl_mark mark = {0};
	struct vl_why why = {0};

	t->read[partition] = to;
	assert_int_equal(vl_apply_begin(t->world.applier, &why), VL_OK);
	for (unsigned m = 0; m < MISSIONS; m++) {
		struct vl_record record = {.offset = -1};
		int64_t end = 0;
		for (size_t i = from; i < to; i++) {
			const struct sent *sent = t->log[partition][i];
			if (!vl_bytes_are(sent->record.key, t->senders[m].id))
				continue;
			if (record.offset < 0) {
				record = sent->record;
				record.partition = (int32_t)partition;
				record.offset = (int64_t)i;
			}
			end = (int64_t)i + 1;
		}
		if (record.offset >= 0)
			vl_apply_put_off(t->world.applier, &record, end, &mark);
	}
	assert_int_equal(vl_apply_commit(t->world.applier, &why), VL_OK);
}

/* A turn of at most `count` records of the next pass; false where none is worth it. A turn that
 * is `cut` off leaves no mark. */
static bool read_again(struct topic *t, size_t count, bool cut)
{
	struct vl_pass pass;
	uint64_t applied;
	struct vl_txn *txn = vl_txn_begin(t->world.store, true, NULL);
	bool found = vl_passed_next(txn, &t->after, false, NULL, NULL, &pass);

	if (found)
		vl_passed_begin(txn, &pass);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	if (!found)
		return false;
	t->after = pass.key;
	unsigned partition = (unsigned)pass.from.partition;
	int64_t at = pass.from.offset;
	for (; at < pass.end && count > 0; at++, count--)
		if ((size_t)at >= t->gone[partition])
			deliver(t, partition, (size_t)at, true);
	if (cut)
		return true;
	txn = vl_txn_begin(t->world.store, true, NULL);
	t->passes += vl_passed_reached(txn, &pass, at, &applied);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	return true;
}

static struct vl_digest digest_in_order(struct topic *t, unsigned first, unsigned last)
{
	struct world other;

	world_open(&other);
	for (unsigned m = 0; m < MISSIONS; m++)
		world_enrol(&other, &t->senders[m]);
	for (unsigned p = first; p <= last; p++)
		for (size_t i = 0; i < t->n[p]; i++)
			bring(&other, t->log[p][i]);
	struct vl_digest digest = world_digest(&other);
	world_close(&other);
	return digest;
}

static bool lies(struct topic *t, const char *mission, struct vl_gap *gap)
{
	struct vl_txn *txn = vl_txn_begin(t->world.store, false, NULL);
	bool stands = vl_parked_gap(txn, mission, LANE, gap),
	     lies = vl_passed_lies(txn, mission, LANE, gap);

	vl_txn_abort(txn);
	assert_true(stands);
	return lies;
}

static void expect_whole(struct topic *t, unsigned mission)
{
	struct vl_standing s = world_standing(&t->world, t->senders[mission].id);

	assert_int_equal(s.batches, t->senders[mission].seq);
	assert_int_equal(vl_standing_verdict(&s), VL_VERDICT_OK);
}

static void bound(struct topic *t, uint64_t batches)
{
	const struct vl_parked_bounds bounds = {batches, 1 << 20, 1 << 20};

	vl_apply_bound(t->world.applier, &bounds);
}

/* 1 to 10 lie in partition 0, 11 to 40 in partition 1, which is read first. */
static void a_partition_that_is_read_too_early(void **state)
{
	struct topic *t = *state;
	struct vl_gap gap;

	bound(t, 5);
	for (unsigned i = 0; i < 40; i++)
		produce(t, 1, i >= 10);
	read_on(t, 1, MOST);
	assert_int_equal(world_count(&t->world, VL_DB_PARKED), 5);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 1);
	/* What is missing is not there, and to read again what waits for it would bring nothing. */
	assert_false(lies(t, "CN-SD-EMB", &gap));
	assert_false(read_again(t, MOST, false));
	read_on(t, 0, MOST);
	assert_int_equal(world_standing(&t->world, "CN-SD-EMB").batches, 15);
	assert_true(lies(t, "CN-SD-EMB", &gap));
	assert_int_equal(gap.from.n, 16);
	/* Across a restart, and a turn whose end was never marked. */
	world_close_ledger(&t->world);
	world_open_ledger(&t->world);
	bound(t, 5);
	assert_true(read_again(t, 7, true));
	assert_true(read_again(t, 9, false));
	assert_int_equal(t->passes, 0);
	assert_true(lies(t, "CN-SD-EMB", &gap));
	assert_true(read_again(t, MOST, false));
	assert_int_equal(t->passes, 1);
	assert_false(read_again(t, MOST, false));
	expect_whole(t, 1);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 0);
	struct vl_digest wanted = digest_in_order(t, 0, 1), got = world_digest(&t->world);
	assert_digest_equal(wanted, got);
}

/* 5 and 6 are in no partition: a pass ends there, and what is missing is asked for. */
static void what_kafka_has_lost_is_missing(void **state)
{
	struct topic *t = *state;
	struct vl_gap gap;

	bound(t, 2);
	for (unsigned i = 0; i < 4; i++)
		produce(t, 1, 0);
	produce(t, 1, 2);
	produce(t, 1, 2);
	for (unsigned i = 0; i < 8; i++)
		produce(t, 1, 1);
	read_on(t, 1, MOST);
	read_on(t, 0, MOST);
	assert_false(read_again(t, MOST, false));
	assert_false(lies(t, "CN-SD-EMB", &gap));
	assert_int_equal(gap.from.n, 5);
	/* They come by another way; of what was passed over Kafka has lost the first. */
	read_on(t, 2, MOST);
	t->gone[1] = 3;
	assert_true(lies(t, "CN-SD-EMB", &gap));
	while (read_again(t, 3, false))
		;
	assert_false(lies(t, "CN-SD-EMB", &gap));
	assert_int_equal(gap.from.n, 9);
	struct vl_standing s = world_standing(&t->world, "CN-SD-EMB");
	assert_int_equal(s.batches, 8);
	assert_int_equal(vl_standing_verdict(&s), VL_VERDICT_GAP);
}

/* A topic that was made anew has nothing of it. */
static void a_topic_made_anew_is_not_read_for_it(void **state)
{
	struct topic *t = *state;

	bound(t, 1);
	for (unsigned i = 0; i < 6; i++)
		produce(t, 1, i >= 3);
	read_on(t, 1, MOST);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 1);
	assert_int_equal(vl_apply_rewind(t->world.applier, LANE, 0, 0, NULL), VL_OK);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 1);
	assert_int_equal(vl_apply_rewind(t->world.applier, LANE, 1, 0, NULL), VL_OK);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 0);
}

/* One mission's flood is read again for itself only. */
static void a_flood_is_its_senders_own(void **state)
{
	struct topic *t = *state;
	struct vl_pass pass;

	bound(t, 1);
	t->senders[0].seq = 1000;
	for (unsigned i = 0; i < 20; i++)
		produce(t, 0, 1);
	for (unsigned i = 0; i < 8; i++)
		produce(t, 1, i >= 4);
	read_on(t, 1, MOST);
	read_on(t, 0, MOST);
	struct vl_txn *txn = vl_txn_begin(t->world.store, false, NULL);
	assert_true(vl_passed_next(txn, &t->after, false, NULL, NULL, &pass));
	vl_txn_abort(txn);
	assert_string_equal(pass.mission, "CN-SD-EMB");
	assert_int_equal(pass.from.offset, 21);
	assert_int_equal(pass.end, 24);
	while (read_again(t, MOST, false))
		;
	expect_whole(t, 1);
	assert_int_equal(t->passes, 1);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 1);
}

/* 4 to 8 are put off before anybody judges them; the 6th is not authentic, and 9 and 10 come. */
static void what_is_put_off_is_judged_once(void **state)
{
	struct topic *t = *state;
	struct vl_gap gap;

	for (unsigned i = 0; i < 10; i++)
		produce(t, 1, 0);
	struct sender stranger = world_stranger(&t->world, "CN-SD-EMB");
	t->log[0][10] = t->log[0][9];
	t->log[0][9] = t->log[0][8];
	t->log[0][8] = t->log[0][7];
	t->log[0][7] = t->log[0][6];
	t->log[0][6] = t->log[0][5];
	t->log[0][5] = open_case(&stranger, 999, "X-9", 1);
	t->n[0]++;
	read_on(t, 0, 3);
	put_off(t, 0, 6);
	read_on(t, 0, MOST);
	assert_int_equal(world_standing(&t->world, "CN-SD-EMB").batches, 3);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 1);
	assert_int_equal(world_count(&t->world, VL_DB_PARKED), 2);
	assert_int_equal(world_count(&t->world, VL_DB_DEAD), 0);
	/* Nobody is asked for it. */
	assert_true(lies(t, "CN-SD-EMB", &gap));
	/* Across a restart, and a turn whose end was never marked. */
	world_close_ledger(&t->world);
	world_open_ledger(&t->world);
	assert_true(read_again(t, 4, true));
	while (read_again(t, 2, false))
		;
	expect_whole(t, 1);
	assert_int_equal(world_count(&t->world, VL_DB_PASSED), 0);
	assert_int_equal(world_count(&t->world, VL_DB_DEAD), 1);
}

/* -- any reading of any topic -- */

static void produce_all(struct topic *t)
{
	unsigned partition[MISSIONS] = {0};

	for (unsigned i = 0; i < MOST; i++) {
		unsigned m = (unsigned)(next_random(&t->seed) % MISSIONS);
		if (next_random(&t->seed) % 6 == 0)
			partition[m] = (unsigned)(next_random(&t->seed) % PARTITIONS);
		if (next_random(&t->seed) % 16 == 0)
			sender_begin_epoch(&t->senders[m], t->senders[m].epoch.n + 1);
		produce(t, m, partition[m]);
	}
}

static void read_all(struct topic *t)
{
	unsigned left = PARTITIONS;

	while (left > 0) {
		unsigned next = (unsigned)(next_random(&t->seed) % PARTITIONS);
		if (next_random(&t->seed) % 4 == 0)
			put_off(t, next, 1 + next_random(&t->seed) % 20);
		else
			read_on(t, next, 1 + next_random(&t->seed) % 20);
		if (next_random(&t->seed) % 4 == 0)
			(void)read_again(t, next_random(&t->seed) % 9,
					 next_random(&t->seed) % 4 == 0);
		left = 0;
		for (unsigned p = 0; p < PARTITIONS; p++)
			left += t->read[p] < t->n[p];
	}
}

static void any_reading_of_any_partitions_converges(void **state)
{
	struct rounds rounds = rounds_from(60);
	struct topic *t = *state;
	struct topic fresh = *t;

	for (uint64_t n = rounds.first; n < rounds.first + rounds.n; n++) {
		unsigned turns = 0;
		memcpy(t->senders, fresh.senders, sizeof(t->senders));
		memset(t->n, 0, sizeof(t->n));
		t->ids = 0;
		t->seed = n * 2654435761u + 1;
		produce_all(t);
		struct vl_digest wanted = {0};
		for (unsigned round = 0; round < 2; round++) {
			world_start_over(&t->world);
			memset(t->read, 0, sizeof(t->read));
			bound(t, round == 0 ? 1000 : 1 + next_random(&t->seed) % 4);
			read_all(t);
			while (read_again(t, 1 + next_random(&t->seed) % 30,
					  next_random(&t->seed) % 8 == 0))
				if (++turns == 10000)
					fail_msg("VALISE_SEED=%llu never ends",
						 (unsigned long long)n);
			struct vl_digest got = world_digest(&t->world);
			for (unsigned m = 0; m < MISSIONS; m++) {
				struct vl_standing s = world_standing(&t->world, t->senders[m].id);
				if (s.batches > 0 && vl_standing_verdict(&s) != VL_VERDICT_OK)
					fail_msg("VALISE_SEED=%llu loses what lies in Kafka",
						 (unsigned long long)n);
			}
			assert_int_equal(world_count(&t->world, VL_DB_PASSED), 0);
			if (round == 1 && memcmp(got.bytes, wanted.bytes, 32) != 0)
				fail_msg("VALISE_SEED=%llu gives other views",
					 (unsigned long long)n);
			wanted = got;
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_partition_that_is_read_too_early),
		TEST(what_kafka_has_lost_is_missing),
		TEST(a_topic_made_anew_is_not_read_for_it),
		TEST(a_flood_is_its_senders_own),
		TEST(what_is_put_off_is_judged_once),
		TEST(any_reading_of_any_partitions_converges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

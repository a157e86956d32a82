/* hq/repair/rebuild.h: the archive alone gives the view that is live, or nothing changes. */
#include "hq_world.h"

#include "hq/repair/rebuild.h"

struct hall {
	struct world world;
	struct sender sd, eg;
	uint64_t batches;
};

static void say(struct hall *h, struct sender *s, uint64_t id, const char *subject)
{
	bring(&h->world, open_case(s, id, subject, (int64_t)(id * 7 % 20)));
	h->batches++;
}

/* Two missions, two epochs, an event that both have sent, and a fork. */
static int setup(void **state)
{
	struct hall *h = world_new(sizeof(*h));

	h->sd = world_sender(&h->world, "CN-SD-EMB");
	h->eg = world_sender(&h->world, "CN-EG-EMB");
	for (uint64_t i = 1; i <= 20; i++) {
		if (i == 11)
			sender_begin_epoch(&h->sd, 2000);
		say(h, i % 3 ? &h->sd : &h->eg, i, i % 2 ? "X-1" : "X-2");
	}
	say(h, &h->eg, 20, "X-2");
	struct sender clone = h->eg;
	clone.seq--;
	bring(&h->world, open_case(&clone, 90, "X-9", 1));
	*state = h;
	return 0;
}

static enum vl_err rebuild(struct hall *h, const struct vl_ring *ring, struct vl_rebuilt *rebuilt)
{
	struct vl_why why = {0};

	return vl_rebuild_lane(h->world.store, ring, case_view(), NULL, NULL, rebuilt, &why);
}

static void the_archive_gives_the_live_view(void **state)
{
	struct hall *h = *state;
	struct vl_rebuilt rebuilt;
	struct vl_digest live = world_digest(&h->world);

	assert_int_equal(rebuild(h, h->world.ring, &rebuilt), VL_OK);
	assert_int_equal(rebuilt.batches, h->batches);
	assert_int_equal(rebuilt.unsigned_here, 0);
	assert_digest_equal(rebuilt.before, live);
	assert_digest_equal(rebuilt.after, live);
	/* The live one goes on from it as if nothing had been. */
	say(h, &h->sd, 30, "X-1");
	struct vl_digest next = world_digest(&h->world);
	assert_int_equal(rebuild(h, NULL, &rebuilt), VL_OK);
	assert_digest_equal(rebuilt.after, next);
}

static void a_view_that_is_lost_comes_back(void **state)
{
	struct hall *h = *state;
	struct vl_rebuilt rebuilt;
	struct vl_digest live = world_digest(&h->world);
	struct vl_txn *txn = vl_txn_begin(h->world.store, true, NULL);

	for (unsigned db = 0; db < VL_VIEW_DBS; db++)
		vl_txn_clear(txn, vl_view_db(case_view(), db));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	assert_int_equal(world_count(&h->world, vl_view_db(case_view(), VL_VIEW_ROW)), 0);
	assert_int_equal(rebuild(h, h->world.ring, &rebuilt), VL_OK);
	struct vl_digest again = world_digest(&h->world);
	assert_digest_equal(again, live);
}

/* Whoever reads meanwhile sees the old view, whole. */
static void look_meanwhile(void *context, const struct vl_rebuilt *so_far)
{
	struct hall *h = context;
	struct vl_digest seen = world_digest(&h->world);

	(void)so_far;
	h->batches--;
	assert_digest_equal(seen, so_far->before);
}

static void the_old_view_answers_meanwhile(void **state)
{
	struct hall *h = *state;
	struct vl_rebuilt rebuilt;

	assert_int_equal(vl_rebuild_lane(h->world.store, NULL, case_view(), look_meanwhile, h,
					 &rebuilt, NULL),
			 VL_OK);
	assert_int_equal(h->batches, 0);
}

/* What was accepted under a key that nobody has any more stays accepted; what another's key has
 * signed does not pass for it. */
static void a_key_that_is_gone_loses_no_past(void **state)
{
	struct hall *h = *state;
	struct vl_rebuilt rebuilt;
	struct vl_ring *none;
	char path[96];
	struct vl_digest live = world_digest(&h->world);

	(void)snprintf(path, sizeof(path), "%s/empty", h->world.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(vl_ring_open(path, &none, NULL), VL_OK);
	assert_int_equal(rebuild(h, none, &rebuilt), VL_OK);
	vl_ring_close(none);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rebuilt.unsigned_here, h->batches);
	assert_digest_equal(rebuilt.after, live);
}

/* -- what is damaged -- */

static struct vl_key archived(uint64_t epoch, uint64_t seq)
{
	struct vl_key key;

	vl_archive_key(&key, "CN-SD-EMB", LANE, (struct vl_epoch){epoch}, (struct vl_seq){seq});
	return key;
}

static void expect_refused(struct hall *h, const struct vl_ring *ring)
{
	struct vl_rebuilt rebuilt;
	struct vl_digest live = world_digest(&h->world);

	assert_int_equal(rebuild(h, ring, &rebuilt), VL_ERR_CORRUPT);
	struct vl_digest now = world_digest(&h->world);
	assert_digest_equal(now, live);
}

static void change(struct hall *h, uint64_t epoch, uint64_t seq, size_t from_end)
{
	struct vl_key key = archived(epoch, seq);
	struct vl_txn *txn = vl_txn_begin(h->world.store, true, NULL);
	struct vl_bytes value;
	struct vl_buf copy = {0};

	assert_true(vl_txn_get(txn, VL_DB_ARCHIVE, vl_key_done(&key), &value));
	vl_buf_put(&copy, value.data, value.size);
	copy.data[copy.size - from_end] ^= 1;
	vl_txn_put(txn, VL_DB_ARCHIVE, vl_key_done(&key), vl_buf_bytes(&copy));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_buf_free(&copy);
}

static void take_out(struct hall *h, uint64_t epoch, uint64_t seq)
{
	struct vl_key key = archived(epoch, seq);
	struct vl_txn *txn = vl_txn_begin(h->world.store, true, NULL);

	assert_true(vl_txn_delete(txn, VL_DB_ARCHIVE, vl_key_done(&key)));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

static void a_damaged_archive_changes_nothing(void **state)
{
	struct hall *h = *state;
	struct vl_rebuilt rebuilt;

	change(h, 1000, 3, 1);
	expect_refused(h, NULL);
	change(h, 1000, 3, 1);
	assert_int_equal(rebuild(h, NULL, &rebuilt), VL_OK);
	take_out(h, 1000, 3);
	expect_refused(h, NULL);
}

/* The last of a chain is missed as well. */
static void a_short_archive_changes_nothing(void **state)
{
	struct hall *h = *state;

	take_out(h, 2000, h->sd.seq);
	expect_refused(h, h->world.ring);
}

/* -- the same id from two epochs, whichever comes first -- */

static void the_earliest_place_of_an_id_stands(void **state)
{
	struct hall *h = *state;
	struct sender s = world_sender(&h->world, "CN-ER-EMB");
	struct vl_rebuilt rebuilt;
	struct sent *first = open_case(&s, 50, "X-5", 5);

	/* An outbox that was lost, and its events sent once more; the later epoch lies in a
	 * partition that is read first. */
	sender_begin_epoch(&s, 3000);
	s.head = (struct vl_digest){0};
	bring(&h->world, open_case(&s, 50, "X-5", 5));
	struct vl_digest alone = world_digest(&h->world);
	bring(&h->world, first);
	struct vl_digest live = world_digest(&h->world);
	assert_memory_not_equal(&live, &alone, sizeof(live));
	assert_int_equal(rebuild(h, h->world.ring, &rebuilt), VL_OK);
	assert_digest_equal(rebuilt.after, live);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_archive_gives_the_live_view),    TEST(a_view_that_is_lost_comes_back),
		TEST(the_old_view_answers_meanwhile),     TEST(a_key_that_is_gone_loses_no_past),
		TEST(a_damaged_archive_changes_nothing),  TEST(a_short_archive_changes_nothing),
		TEST(the_earliest_place_of_an_id_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hq/repair/check.h, hq/fold/fold.h: what one rotten row of a ledger costs, and that it is no
 * more than that. */
#include "hq_world.h"

#include "consular/case/v1/view.pb-c.h"
#include "hq/fold/fold.h"
#include "hq/fold/view.h"
#include "hq/ledger/deadletter.h"
#include "hq/repair/check.h"
#include "hq/repair/mend.h"
#include "hq/repair/open.h"
#include "hq/fold/databases.h"

/* Turn a bit of the raw row at `key`, check word and all, with the ledger closed meanwhile. */
static void rot(struct world *w, unsigned db, const struct vl_key *key, size_t from_end)
{
	const char *names[64] = {NULL};
	static char room[64][VL_LEDGER_NAME];
	struct vl_store_options options = {.path = w->views,
					   .dbs = names,
					   .unchecked = UINT64_MAX,
					   .map_size = (size_t)256 << 20};
	struct vl_store *store;
	struct vl_bytes raw;
	struct vl_buf copy = {0};

	for (unsigned i = 0; i < vl_view_db(vl_views_count(), 0); i++) {
		vl_ledger_name(i, room[i]);
		names[i] = room[i];
	}
	world_close_ledger(w);
	assert_int_equal(vl_store_open(&options, &store, NULL), VL_OK);
	struct vl_txn *txn = vl_txn_begin(store, true, NULL);
	assert_true(vl_txn_get(txn, db, vl_key_done(key), &raw));
	vl_buf_put(&copy, raw.data, raw.size);
	copy.data[copy.size - 1 - from_end] ^= 1;
	vl_txn_put(txn, db, vl_key_done(key), vl_buf_bytes(&copy));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_store_close(store);
	vl_buf_free(&copy);
}

struct found {
	unsigned entries, events;
};

static void count(void *context, const struct vl_damage *damage)
{
	struct found *found = context;

	if (damage->event)
		found->events++;
	else
		found->entries++;
}

static struct found look(struct world *w)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct found found = {0};

	assert_int_equal(vl_ledger_check(txn, count, &found), VL_OK);
	vl_txn_abort(txn);
	return found;
}

/* How often a case's row says that something of it is damaged; -1 where there is no such row. */
static int marks(struct world *w, const char *subject)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	const struct vl_view *view = vl_views[case_view()];
	int kind = vl_view_kind(view, "case"), n = 0;
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_bytes value;
	struct vl_key key;

	vl_row_key(&key, (unsigned)kind, subject);
	if (vl_txn_get(txn, vl_view_db(case_view(), VL_VIEW_ROW), vl_key_done(&key), &value)) {
		const Consular__Case__V1__CaseRow *row =
			(const Consular__Case__V1__CaseRow *)vl_wire_unpack(view->kinds[kind].row,
									    value, arena);
		for (size_t i = 0; i < row->n_violations; i++)
			n += strcmp(row->violations[i]->rule, VL_RULE_DAMAGED) == 0;
	} else {
		n = -1;
	}
	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_txn_abort(txn);
	vl_arena_close(arena);
	return n;
}

static void bring_case(struct world *w, struct sender *s, uint64_t id, const char *subject)
{
	bring(w, open_case(s, id, subject, 100 + (int64_t)id));
}

static void test_event_that_rotted_is_left_out_and_its_row_says_so(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct vl_key key;

	bring_case(w, &s, 1, "SD-1");
	bring_case(w, &s, 2, "SD-2");
	assert_int_equal(look(w).entries + look(w).events, 0);
	vl_archive_key(&key, s.id, LANE, s.epoch, (struct vl_seq){1});
	rot(w, VL_DB_ARCHIVE, &key, 0);
	world_open_ledger(w);
	assert_int_equal(look(w).entries, 1);
	assert_true(look(w).events >= 1);
	/* Everybody goes on; who comes by sees it. */
	bring_case(w, &s, 3, "SD-2");
	assert_int_equal(marks(w, "SD-1"), 0);
	assert_int_equal(marks(w, "SD-2"), 0);
	bring_case(w, &s, 4, "SD-1");
	assert_int_equal(marks(w, "SD-1"), 1);
	assert_int_equal(world_standing(w, s.id).events, 4);
}

/* The record's head: offset, times, headers. */
static void test_archived_record_proves_its_head_too(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent = open_case(&s, 1, "SD-1", 100);
	struct vl_key key;

	bring(w, sent);
	vl_archive_key(&key, s.id, LANE, s.epoch, (struct vl_seq){1});
	for (size_t behind = sent->value.size; behind < sent->value.size + 200; behind += 13) {
		rot(w, VL_DB_ARCHIVE, &key, behind);
		world_open_ledger(w);
		assert_int_equal(look(w).entries, 1);
		rot(w, VL_DB_ARCHIVE, &key, behind);
		world_open_ledger(w);
		assert_int_equal(look(w).entries, 0);
	}
	/* The batch that comes again is no fork because our copy is damaged. */
	rot(w, VL_DB_ARCHIVE, &key, sent->value.size + 1);
	world_open_ledger(w);
	bring(w, sent);
	assert_int_equal(world_standing(w, s.id).forks, 0);
	assert_int_equal(world_standing(w, s.id).replayed, 1);
}

/* The key of one head of this sender's lane. */
static struct vl_key head_key(enum vl_ledger_db db, const struct sender *s)
{
	struct vl_key key = {0};

	if (db == VL_DB_META || db == VL_DB_REASONS) {
		vl_key_text(&key, db == VL_DB_META ? VL_LEDGER_FORMAT_KEY : "drill");
		return key;
	}
	vl_key_text(&key, db == VL_DB_OFFSET ? LANE : s->id);
	if (db == VL_DB_OFFSET)
		vl_key_u32(&key, 0);
	else
		vl_key_text(&key, LANE);
	if (db == VL_DB_CHAIN)
		vl_key_u64(&key, s->epoch.n);
	return key;
}

static int64_t next_offset(struct world *w)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	int64_t offset = vl_apply_offset(txn, LANE, 0, NULL);

	vl_txn_abort(txn);
	return offset;
}

static void bury_drill(struct world *w)
{
	struct vl_record record = {.topic = vl_bytes_of("t"), .value = vl_bytes_of("x")};
	struct vl_digest digest = vl_batch_digest(record.value);
	struct vl_txn *txn = vl_txn_begin(w->store, true, NULL);

	vl_deadletter_bury(txn, &record, &digest, VL_ERR_DRILL, NULL);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
}

/* Whichever byte of it: the value's, or the check word's. */
static void test_damaged_head_is_made_again_and_headquarters_goes_on(void **state)
{
	static const enum vl_ledger_db dbs[] = {VL_DB_META, VL_DB_OFFSET, VL_DB_CHAIN,
						VL_DB_STANDING, VL_DB_REASONS};
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB"), other = world_sender(w, "CN-ET-EMB");
	uint64_t id = 10;

	bring_case(w, &s, 1, "SD-1");
	bring_case(w, &s, 2, "SD-2");
	bring_case(w, &other, 3, "ET-1");
	for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
		struct vl_key key = head_key(dbs[i], &s);
		for (size_t byte = 0; byte < 5; byte += 4) {
			bury_drill(w);
			struct vl_digest before = world_digest(w);
			struct vl_standing was = world_standing(w, s.id);
			rot(w, dbs[i], &key, byte);
			assert_int_equal(vl_ledger_open(w->views, 0, true, &w->store, NULL), VL_OK);
			assert_int_equal(look(w).entries, 1);
			assert_int_equal(marks(w, "SD-1"), 0);
			vl_store_close(w->store);
			w->store = NULL;
			world_open_ledger(w);
			assert_int_equal(look(w).entries, 0);
			struct vl_digest after = world_digest(w);
			struct vl_standing is = world_standing(w, s.id);
			assert_digest_equal(before, after);
			assert_memory_equal(&was, &is, sizeof(was));
			if (dbs[i] == VL_DB_OFFSET)
				assert_int_equal(next_offset(w), -1);
			bring_case(w, &s, id++, "SD-1");
			bring_case(w, &other, id++, "ET-1");
			assert_int_equal(world_standing(w, s.id).forks +
						 world_standing(w, other.id).forks,
					 0);
			assert_int_equal(world_standing(w, s.id).batches, was.batches + 1);
		}
	}
}

/* The newest batch is damaged, and so is the chain: the batch comes again, from Kafka, and is
 * taken. */
static void test_chain_behind_a_damaged_batch_takes_that_batch_again(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct vl_key chain = head_key(VL_DB_CHAIN, &s), archived;

	bring_case(w, &s, 1, "SD-1");
	struct sent *newest = open_case(&s, 2, "SD-2", 200);
	bring(w, newest);
	vl_archive_key(&archived, s.id, LANE, s.epoch, (struct vl_seq){2});
	rot(w, VL_DB_ARCHIVE, &archived, 0);
	rot(w, VL_DB_CHAIN, &chain, 0);
	world_open_ledger(w);
	assert_int_equal(next_offset(w), -1);
	assert_int_equal(look(w).entries, 1);
	w->offset = 0;
	bring(w, newest);
	assert_int_equal(look(w).entries, 0);
	bring_case(w, &s, 3, "SD-2");
	assert_int_equal(world_standing(w, s.id).forks, 0);
	assert_int_equal(marks(w, "SD-2"), 0);
}

/* What waits behind a gap: one that is damaged is forgotten, and comes again; the others keep
 * waiting. */
static void test_damaged_parked_batch_comes_again(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[4];
	struct vl_key key;
	size_t mended;

	for (uint64_t i = 0; i < 4; i++)
		sent[i] = open_case(&s, i + 1, "SD-1", 100 + (int64_t)i);
	for (size_t i = 1; i < 4; i++)
		bring(w, sent[i]);
	struct vl_digest digest = vl_batch_digest(vl_buf_bytes(&sent[2]->value));
	vl_archive_key(&key, s.id, LANE, s.epoch, (struct vl_seq){3});
	vl_key_bytes(&key, digest.bytes, sizeof(digest.bytes));
	rot(w, VL_DB_PARKED, &key, 1);
	world_open_ledger(w);
	assert_int_equal(vl_ledger_mend(w->store, VL_MEND_ALL, &mended, NULL), VL_OK);
	assert_int_equal(mended, 1);
	assert_int_equal(world_standing(w, s.id).parked, 2);
	assert_int_equal(look(w).entries, 0);
	bring(w, sent[0]);
	assert_int_equal(world_standing(w, s.id).batches, 2);
	bring(w, sent[2]);
	assert_int_equal(world_standing(w, s.id).batches, 4);
	assert_int_equal(world_standing(w, s.id).parked, 0);
	assert_int_equal(world_count(w, VL_DB_WAITING), 0);
}

/* Its epoch stays suspended. */
static void test_damaged_evidence_keeps_its_place(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB"), twin = s;
	struct vl_key key;
	size_t mended;

	bring_case(w, &s, 1, "SD-1");
	struct sent *fork = open_case(&twin, 2, "SD-2", 200);
	bring(w, fork);
	assert_int_equal(world_standing(w, s.id).forks, 1);
	struct vl_digest digest = vl_batch_digest(vl_buf_bytes(&fork->value));
	vl_archive_key(&key, s.id, LANE, s.epoch, (struct vl_seq){1});
	vl_key_bytes(&key, digest.bytes, sizeof(digest.bytes));
	rot(w, VL_DB_EVIDENCE, &key, 1);
	world_open_ledger(w);
	assert_int_equal(vl_ledger_mend(w->store, VL_MEND_ALL, &mended, NULL), VL_OK);
	assert_int_equal(mended, 1);
	bring_case(w, &s, 3, "SD-1");
	assert_int_equal(world_standing(w, s.id).batches, 1);
	assert_int_equal(world_standing(w, s.id).forks, 2);
}

/* It is made from its history at once; what it had added to others is counted again beside
 * (hq_renewal_test.c has every kind). */
static void test_damaged_row_is_made_again_and_its_event_is_taken(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *second;
	struct vl_key key;

	bring_case(w, &s, 1, "SD-1");
	second = open_case(&s, 2, "SD-1", 200);
	bring(w, second);
	(void)world_work_off(w);
	struct vl_digest sound = world_digest(w);
	world_start_over(w);
	w->offset = 0;
	bring(w, w->sent->next);
	vl_row_key(&key, (unsigned)vl_view_kind(vl_views[case_view()], "case"), "SD-1");
	rot(w, vl_view_db(case_view(), VL_VIEW_ROW), &key, 9);
	world_open_ledger(w);
	bring(w, second);
	assert_int_equal(marks(w, "SD-1"), 0);
	assert_int_equal(world_standing(w, s.id).batches, 2);
	(void)world_work_off(w);
	struct vl_digest after = world_digest(w);
	assert_digest_equal(sound, after);
	assert_int_equal(look(w).entries, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_event_that_rotted_is_left_out_and_its_row_says_so),
		TEST(test_archived_record_proves_its_head_too),
		TEST(test_damaged_head_is_made_again_and_headquarters_goes_on),
		TEST(test_chain_behind_a_damaged_batch_takes_that_batch_again),
		TEST(test_damaged_parked_batch_comes_again),
		TEST(test_damaged_evidence_keeps_its_place),
		TEST(test_damaged_row_is_made_again_and_its_event_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hq/fold/renewal.h, hq/fold/look.h, hq/repair/mend.h: whatever entry of whatever database is
 * damaged, and however, headquarters goes on, and in the end the views are what they would have
 * been. */
#include "hq_scene.h"

#include "hq/fold/renewal.h"
#include "hq/fold/todo.h"
#include "hq/repair/check.h"
#include "hq/repair/mend.h"
#include "hq/fold/databases.h"

#define MOST_STEPS 4000 /* transactions until all is whole again */

/* -- headquarters, as hq.c has it -- */

static void go_on(struct scene *c, const struct sent *sent, const char *what)
{
	struct vl_why why = {0};
	size_t mended;

	for (unsigned tries = 0;; tries++) {
		assert_int_equal(vl_apply_begin(c->w.applier, NULL), VL_OK);
		if (sent != NULL)
			bring_within(&c->w, sent);
		enum vl_err err = vl_apply_commit(c->w.applier, &why);
		if (err == VL_OK)
			return;
		if (err != VL_ERR_CORRUPT || tries > 3)
			fail_msg("%s: %s", what, why.text);
		if (sent != NULL)
			c->w.offset--;
		int db = vl_store_failed(c->w.store);
		assert_int_equal(vl_ledger_mend(c->w.store, VL_MEND_ALL, &mended, &why), VL_OK);
		if (mended == 0) {
			assert_true(db >= 0);
			assert_int_equal(vl_ledger_mend_order(c->w.store, (unsigned)db, &why),
					 VL_OK);
			c->disorders++;
		}
		world_close_ledger(&c->w);
		world_open_ledger(&c->w);
	}
}

static void make_whole(struct scene *c, const char *what)
{
	struct vl_why why = {0};
	bool round = false;
	size_t mended;

	for (unsigned step = 0; !round || vl_apply_left(c->w.applier) > 0; step++) {
		if (step == MOST_STEPS)
			fail_msg("%s: it does not come to an end", what);
		if (vl_apply_left(c->w.applier) > 0) {
			go_on(c, NULL, what);
			round = false;
			continue;
		}
		enum vl_err err = vl_apply_look(c->w.applier, 50, &round, &why);
		if (err == VL_ERR_CORRUPT) {
			assert_int_equal(vl_ledger_mend(c->w.store, VL_MEND_ALL, &mended, &why),
					 VL_OK);
			assert_true(mended > 0);
		} else if (err != VL_OK) {
			fail_msg("%s: %s", what, why.text);
		}
	}
}

static void count(void *context, const struct vl_damage *damage)
{
	(void)damage;
	++*(unsigned *)context;
}

static unsigned damaged(struct scene *c)
{
	struct vl_txn *txn = vl_txn_begin(c->w.store, false, NULL);
	unsigned n = 0;

	assert_int_equal(vl_ledger_check(txn, count, &n), VL_OK);
	vl_txn_abort(txn);
	return n;
}

static void assert_digests(struct scene *c, const struct vl_digest *digests, const char *what)
{
	for (size_t v = 0; vl_views[v] != NULL; v++) {
		struct vl_digest digest = world_digest_of(&c->w, v);
		if (!vl_digest_equal(&digest, &digests[v]))
			fail_msg("%s: the view of %s is another", what, vl_views[v]->lane);
	}
}

static bool stays(unsigned db)
{
	return db == VL_DB_ARCHIVE || db == VL_DB_DEAD || db == VL_DB_REFUSED;
}

/* Each database, several of its entries, each kind of harm. */
static void for_each_harm(struct scene *c,
			  void (*trial)(struct scene *c, unsigned db, const char *what))
{
	char name[VL_LEDGER_NAME], what[256];

	for (unsigned db = 0; db < vl_view_db(vl_views_count(), 0); db++)
		for (size_t index = 0; index < 40; index += 1 + index)
			for (enum harm harm = FIRST_BIT; harm < HARMS; harm++) {
				if (!scene_spoil(c, db, index, harm))
					continue;
				vl_ledger_name(db, name);
				(void)snprintf(what, sizeof(what), "%s, entry %zu, %s", name, index,
					       scene_harms[harm]);
				world_open_ledger(&c->w);
				trial(c, db, what);
				c->trials++;
			}
	print_message("%u harms; %u times a whole database was written anew\n", c->trials,
		      c->disorders);
}

static void be_found(struct scene *c, unsigned db, const char *what)
{
	make_whole(c, what);
	if (damaged(c) > 0 && !stays(db))
		fail_msg("%s: still damaged", what);
	if (!stays(db))
		assert_digests(c, c->now, what);
}

static void test_whatever_is_damaged_is_found_and_whole_again(void **state)
{
	for_each_harm(*state, be_found);
}

static void be_met(struct scene *c, unsigned db, const char *what)
{
	for (size_t i = 0; i < c->n_later; i++)
		go_on(c, c->later[i], what);
	make_whole(c, what);
	if (stays(db))
		return;
	if (damaged(c) > 0)
		fail_msg("%s: still damaged", what);
	assert_digests(c, c->then, what);
	struct vl_standing standing = world_standing(&c->w, c->sd.id);
	assert_int_equal(standing.batches, c->standing.batches);
	assert_int_equal(standing.events, c->standing.events);
	if (db >= VL_DB_VIEWS) {
		assert_int_equal(standing.repeated, c->standing.repeated);
		assert_int_equal(standing.unread, c->standing.unread);
	}
}

static void test_new_events_are_taken_beside_what_is_damaged(void **state)
{
	for_each_harm(*state, be_met);
}

/* -- what is still to be done -- */

#define SMALL ((struct vl_fold_bounds){.file = 8, .settle = 64, .reserve = 16, .drain = 64})
#define STEPS_MOST 2000 /* of a transaction within SMALL, whatever is made whole meanwhile */

/* With most of the later events still to be done, so that the list has entries of each kind. */
static void leave_undone(struct scene *c)
{
	scene_restore(c);
	world_open_ledger(&c->w);
	vl_apply_bound_steps(c->w.applier, &SMALL);
	scene_bring_later(c);
	assert_true(world_count(&c->w, VL_DB_TODO) > 0);
	assert_true(world_count(&c->w, VL_DB_PENDING) > 0);
	c->offset = c->w.offset;
	world_close_ledger(&c->w);
	scene_keep(c);
}

static void test_damaged_list_of_what_is_to_be_done(void **state)
{
	static const enum vl_ledger_db dbs[] = {VL_DB_TODO, VL_DB_PENDING, VL_DB_META};
	struct scene *c = *state;
	char what[64];

	leave_undone(c);
	for (size_t i = 0; i < 3; i++)
		for (size_t index = 0; index < 8; index++)
			for (enum harm harm = FIRST_BIT; harm < HARMS; harm++) {
				if (!scene_spoil(c, dbs[i], index, harm))
					continue;
				(void)snprintf(what, sizeof(what), "db %d, entry %zu, %s",
					       (int)dbs[i], index, scene_harms[harm]);
				world_open_ledger(&c->w);
				vl_apply_bound_steps(c->w.applier, &SMALL);
				make_whole(c, what);
				assert_int_equal(damaged(c) > 1, 0);
				assert_digests(c, c->then, what);
				c->trials++;
			}
	assert_true(c->trials > 50);
}

/* -- while it is under way -- */

/* An urgent event of another lane is in its row with the transaction that brought it, and no
 * transaction is long. */
static void test_others_go_on_while_a_view_is_made_whole(void **state)
{
	struct scene *c = *state;
	struct sender legs = scene_on_lane(&c->et, 7000);
	unsigned transactions = 0;
	bool round = false;

	assert_true(scene_spoil(c, vl_view_db(case_view(), VL_VIEW_TALLY), 0, FIRST_BIT));
	world_open_ledger(&c->w);
	vl_apply_bound_steps(c->w.applier, &SMALL);
	while (vl_apply_left(c->w.applier) == 0) {
		assert_int_equal(vl_apply_look(c->w.applier, 5000, &round, NULL), VL_OK);
		assert_false(round);
	}
	size_t view = (size_t)vl_view_of_lane(EVACUATIONS, strlen(EVACUATIONS));
	for (; vl_apply_left(c->w.applier) > 0 && transactions < 20; transactions++) {
		uint64_t rows = world_count(&c->w, vl_view_db(view, VL_VIEW_ROW));
		go_on(c, scene_board(&legs, 8000 + transactions, 100 + transactions, "L-9"),
		      "urgent");
		assert_true(world_count(&c->w, vl_view_db(view, VL_VIEW_ROW)) > rows);
		assert_true(vl_apply_steps(c->w.applier) < STEPS_MOST);
	}
	assert_true(transactions > 1);
}

static int64_t sum_of_tallies(struct scene *c)
{
	struct vl_txn *txn = vl_txn_begin(c->w.store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(case_view(), VL_VIEW_TALLY));
	struct vl_bytes key, value;
	int64_t sum = 0;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		sum += (int64_t)vl_get_be64(value.data);
	vl_cursor_close(cursor);
	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_txn_abort(txn);
	return sum;
}

/* What a damaged row has added to tallies it does not add again, not even for the time until
 * they are counted. */
static void test_damaged_row_never_counts_twice(void **state)
{
	struct scene *c = *state;
	unsigned spoiled = 0;

	for (size_t index = 0; index < 30; index++) {
		if (!scene_spoil(c, vl_view_db(case_view(), VL_VIEW_ROW), index, FIRST_BIT))
			continue;
		spoiled++;
		world_open_ledger(&c->w);
		vl_apply_bound_steps(c->w.applier, &SMALL);
		int64_t before = sum_of_tallies(c);
		go_on(c, c->later[0], "twice");
		/* One event more of a case that was counted already. */
		assert_true(sum_of_tallies(c) <= before);
	}
	assert_true(spoiled > 3);
}

/* A headquarters that is killed again and again gets there, too. */
static void test_it_goes_on_where_it_was_after_a_restart(void **state)
{
	struct scene *c = *state;
	size_t evacuations = (size_t)vl_view_of_lane(EVACUATIONS, strlen(EVACUATIONS));
	unsigned transactions = 0;

	for (enum vl_view_db db = 0; db < VL_VIEW_DBS; db++) {
		/* Evacuations look up nothing. */
		size_t view = db < VL_VIEW_LOOKUP ? evacuations : case_view();
		if (db == VL_VIEW_INDEX)
			continue;
		assert_true(scene_spoil(c, vl_view_db(view, db), 1, FIRST_BIT));
		world_open_ledger(&c->w);
		for (size_t i = 0; i < c->n_later; i++)
			go_on(c, c->later[i], "restart");
		bool round = false;
		while (!round || vl_apply_left(c->w.applier) > 0) {
			assert_true(transactions++ < MOST_STEPS);
			vl_apply_bound_steps(c->w.applier, &SMALL);
			if (vl_apply_left(c->w.applier) > 0)
				go_on(c, NULL, "restart");
			else
				assert_int_equal(vl_apply_look(c->w.applier, 5000, &round, NULL),
						 VL_OK);
			if (vl_apply_left(c->w.applier) > 0) {
				world_close_ledger(&c->w);
				world_open_ledger(&c->w);
			}
		}
		assert_digests(c, c->then, "restart");
	}
}

/* The row goes on to say that an event of it cannot be read. */
static void test_what_the_archive_has_lost_too_is_said(void **state)
{
	struct scene *c = *state;

	assert_true(scene_spoil(c, VL_DB_ARCHIVE, 0, GARBLED));
	scene_keep(c);
	for (size_t index = 0; index < 4; index++) {
		if (!scene_spoil(c, vl_view_db(case_view(), VL_VIEW_HISTORY), index, FIRST_BIT))
			continue;
		world_open_ledger(&c->w);
		make_whole(c, "archive");
		assert_true(damaged(c) > 0);
		assert_true(vl_apply_left(c->w.applier) == 0);
	}
}

static void test_every_database_has_entries(void **state)
{
	struct scene *c = *state;

	scene_restore(c);
	world_open_ledger(&c->w);
	for (unsigned db = 0; db < VL_DB_VIEWS; db++)
		if (db != VL_DB_REFUSED && db != VL_DB_TODO && db != VL_DB_PENDING &&
		    db != VL_DB_RECOUNT)
			assert_true(world_count(&c->w, db) > 0);
	for (unsigned db = 0; db < VL_VIEW_INDEX; db++)
		assert_true(world_count(&c->w, vl_view_db(case_view(), db)) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_every_database_has_entries),
		TEST(test_whatever_is_damaged_is_found_and_whole_again),
		TEST(test_new_events_are_taken_beside_what_is_damaged),
		TEST(test_damaged_list_of_what_is_to_be_done),
		TEST(test_others_go_on_while_a_view_is_made_whole),
		TEST(test_damaged_row_never_counts_twice),
		TEST(test_it_goes_on_where_it_was_after_a_restart),
		TEST(test_what_the_archive_has_lost_too_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

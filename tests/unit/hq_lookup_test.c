/* Rows that look up rows of other lanes (hq/fold/fold_lookup.c). Who reads what is kept, and the
 * readers are folded again when what they read changes: in bounded steps, whatever is rebuilt. */
#include "hq_world.h"

#include "consular/case/v1/view.pb-c.h"
#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "consular/evacuation/v1/view.pb-c.h"
#include "hq/fold/fold.h"
#include "hq/fold/renewal.h"
#include "hq/fold/version.h"
#include "hq/repair/open.h"
#include "hq/repair/rebuild.h"

#define EVACUATIONS "consular.evacuation.v1"
#define EV(name) Consular__Evacuation__V1__##name
#define SMALL ((struct vl_fold_bounds){.file = 8, .settle = 64, .reserve = 16, .drain = 64})
#define DECLARED CONSULAR__EVACUATION__V1__CRISIS_STATUS__CRISIS_STATUS_DECLARED
#define ENDED CONSULAR__EVACUATION__V1__CRISIS_STATUS__CRISIS_STATUS_ENDED

static size_t evacuations(void)
{
	return (size_t)vl_view_of_lane(EVACUATIONS, strlen(EVACUATIONS));
}

/* -- what is said -- */

static struct sent *open_all(struct sender *s, uint64_t first, unsigned n, int64_t at,
			     const char *crisis)
{
	struct vl_buf *events = calloc(n, sizeof(*events));
	char subject[32];

	assert_non_null(events);
	for (unsigned i = 0; i < n; i++) {
		Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
		opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_EMERGENCY;
		opened.crisis = (char *)crisis;
		(void)snprintf(subject, sizeof(subject), "SD-%u", i);
		put_event(&events[i], first + i, subject, at, &opened.base, 0);
	}
	struct sent *sent = sign_batch_on(s, LANE, events, n);
	for (unsigned i = 0; i < n; i++)
		vl_buf_free(&events[i]);
	free(events);
	return sent;
}

static struct sent *declare(struct sender *s, uint64_t id, const char *crisis)
{
	EV(CrisisDeclared) said = CONSULAR__EVACUATION__V1__CRISIS_DECLARED__INIT;

	said.crisis = (char *)crisis;
	return sign_event_on(s, EVACUATIONS, id, crisis, 200, &said.base, 0);
}

static struct sent *end(struct sender *s, uint64_t id, const char *crisis)
{
	EV(CrisisEnded) said = CONSULAR__EVACUATION__V1__CRISIS_ENDED__INIT;

	said.crisis = (char *)crisis;
	return sign_event_on(s, EVACUATIONS, id, crisis, 300, &said.base, 0);
}

/* Something that changes the crisis' row, and nothing of it that a case can see. */
static struct sent *register_one(struct sender *s, uint64_t id)
{
	EV(PersonRegistered) said = CONSULAR__EVACUATION__V1__PERSON_REGISTERED__INIT;

	said.person = (char *)"P-1";
	said.operation = (char *)"OP-1";
	return sign_event_on(s, EVACUATIONS, id, "P-1", 250, &said.base, 0);
}

static struct sent *operate(struct sender *s, uint64_t id, const char *crisis)
{
	EV(OperationOpened) said = CONSULAR__EVACUATION__V1__OPERATION_OPENED__INIT;

	said.operation = (char *)"OP-1";
	said.crisis = (char *)crisis;
	return sign_event_on(s, EVACUATIONS, id, "OP-1", 240, &said.base, 0);
}

/* -- what is shown -- */

static void *row_of(struct world *w, size_t view, const char *kind, const char *key)
{
	int index = vl_view_kind(vl_views[view], kind);
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_bytes value;
	struct vl_key at;
	void *row = NULL;

	assert_true(index >= 0);
	vl_row_key(&at, (unsigned)index, key);
	if (vl_txn_get(txn, vl_view_db(view, VL_VIEW_ROW), vl_key_done(&at), &value))
		row = vl_wire_unpack(vl_views[view]->kinds[index].row, value, w->arena);
	vl_txn_abort(txn);
	return row;
}

static int status_in(struct world *w, unsigned i)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "SD-%u", i);
	const Consular__Case__V1__CaseRow *row = row_of(w, case_view(), "case", key);
	assert_non_null(row);
	return (int)row->crisis_status;
}

static void assert_status(struct world *w, unsigned n, int status)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(status_in(w, i), status);
}

static uint64_t kept(struct world *w)
{
	return world_count(w, vl_view_db(case_view(), VL_VIEW_LOOKUP));
}

/* -- the tests -- */

struct fixture {
	struct world w;
	struct sender sd, legs, fresh;
	bool declared; /* the crisis; else its row is there without any event */
};

static int setup(void **state)
{
	struct fixture *f = world_new(sizeof(*f));

	f->sd = world_sender(&f->w, "CN-SD-EMB");
	f->legs = f->fresh = f->sd;
	*state = f;
	return 0;
}

/* Many that read one row: no transaction folds them all, a restart forgets none, and in the end all
 * know; the same rows as at once. */
static void test_many_readers_in_bounded_steps(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->w;
	enum { CASES = 300 };
	struct sent *sent[] = {open_all(&f->sd, 1, CASES, 100, "SD-2026"),
			       declare(&f->legs, 1001, "SD-2026"), end(&f->legs, 1002, "SD-2026")};
	struct vl_digest digest[2];

	for (int small = 1; small >= 0; small--) {
		world_start_over(w);
		vl_apply_bound_steps(w->applier, small ? &SMALL : &VL_FOLD_BOUNDS);
		for (size_t i = 0; i < 3; i++) {
			bring(w, sent[i]);
			assert_true(!small || vl_apply_steps(w->applier) < 1000);
			if (i == 0)
				(void)world_work_off(w);
		}
		if (small) {
			assert_true(vl_apply_left(w->applier) > 0);
			assert_int_not_equal(status_in(w, CASES - 1), ENDED);
		}
		world_close_ledger(w);
		world_open_ledger(w);
		vl_apply_bound_steps(w->applier, small ? &SMALL : &VL_FOLD_BOUNDS);
		unsigned later = world_work_off(w);
		assert_true(!small || later > 10);
		assert_status(w, CASES, ENDED);
		assert_int_equal(world_count(w, VL_DB_PENDING), 0);
		digest[small] = world_digest(w);
	}
	assert_digest_equal(digest[0], digest[1]);
}

/* A row that changes in what nobody looks at wakes nobody. */
static void test_only_what_is_seen_wakes(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->w;
	enum { CASES = 200 };

	bring(w, open_all(&f->sd, 1, CASES, 100, "SD-2026"));
	bring(w, declare(&f->legs, 1001, "SD-2026"));
	bring(w, operate(&f->legs, 1002, "SD-2026"));
	(void)world_work_off(w);
	bring(w, register_one(&f->legs, 1003));
	const EV(CrisisRow) *crisis = row_of(w, evacuations(), "crisis", "SD-2026");
	assert_int_equal(crisis->persons, 1);
	assert_true(vl_apply_steps(w->applier) < CASES);
	bring(w, end(&f->legs, 1004, "SD-2026"));
	(void)world_work_off(w);
	assert_status(w, CASES, ENDED);
}

/* An earlier opening names another crisis: the one that was read is read no more. */
static void test_what_is_read_no_more_is_forgotten(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->w;
	struct sender early = world_sender(w, "CN-EG-EMB"), first = world_sender(w, "CN-TD-EMB");

	bring(w, open_all(&f->sd, 1, 20, 100, "SD-2026"));
	uint64_t before = kept(w);
	/* The case, and the two rows that may be meant by the name. */
	assert_int_equal(before, 20 * 3);
	bring(w, open_all(&early, 501, 20, 50, "EG-2026"));
	assert_int_equal(kept(w), before);
	bring(w, declare(&f->legs, 1001, "EG-2026"));
	assert_status(w, 20, DECLARED);
	bring(w, end(&f->legs, 1002, "EG-2026"));
	bring(w, declare(&f->legs, 1003, "SD-2026"));
	assert_status(w, 20, ENDED);
	/* And where an opening names nothing. */
	bring(w, open_all(&first, 601, 10, 20, ""));
	assert_int_equal(kept(w), 10 * 3);
}

/* The crisis' row as another version of the program may have made it, and the cases by it. */
static void make_otherwise(struct world *w)
{
	int kind = vl_view_kind(vl_views[evacuations()], "crisis");
	EV(CrisisRow) row = CONSULAR__EVACUATION__V1__CRISIS_ROW__INIT;
	struct vl_txn *txn = vl_txn_begin(w->store, true, NULL);
	struct vl_buf packed = {0};
	struct vl_key key;

	row.status = ENDED;
	vl_wire_pack(&row.base, &packed);
	vl_row_key(&key, (unsigned)kind, "SD-2026");
	vl_txn_put(txn, vl_view_db(evacuations(), VL_VIEW_ROW), vl_key_done(&key),
		   vl_buf_bytes(&packed));
	vl_renewal_begin(txn, case_view());
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	vl_buf_free(&packed);
	world_close_ledger(w);
	world_open_ledger(w);
	(void)world_work_off(w);
	assert_status(w, 20, ENDED);
}

static void fill(struct fixture *f, struct vl_digest *digest)
{
	bring(&f->w, open_all(&f->sd, 1, 20, 100, "SD-2026"));
	if (f->declared)
		bring(&f->w, declare(&f->legs, 1001, "SD-2026"));
	(void)world_work_off(&f->w);
	*digest = world_digest(&f->w);
	make_otherwise(&f->w);
}

/* Of two lanes the one that is read is declared otherwise: the other follows. */
static void test_readers_follow_a_new_version(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->w;
	struct vl_digest digest;

	for (int declared = 0; declared < 2; declared++) {
		world_start_over(w);
		f->declared = declared != 0;
		f->sd = f->fresh;
		f->legs = f->fresh;
		fill(f, &digest);
		struct vl_txn *txn = vl_txn_begin(w->store, true, NULL);
		vl_renewal_follow(txn, evacuations());
		assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
		world_close_ledger(w);
		world_open_ledger(w);
		(void)world_work_off(w);
		assert_status(w, 20, declared ? DECLARED : 0);
		struct vl_digest after = world_digest(w);
		assert_digest_equal(after, digest);
	}
}

static void rebuild(struct world *w, size_t view)
{
	struct vl_rebuilt rebuilt;
	struct vl_store *store;

	world_close_ledger(w);
	assert_int_equal(VL_OK, vl_ledger_open(w->views, (size_t)256 << 20, false, &store, NULL));
	assert_int_equal(VL_OK, vl_rebuild_lane(store, w->ring, view, NULL, NULL, &rebuilt, NULL));
	vl_store_close(store);
	world_open_ledger(w);
}

/* The same where it is rebuilt, whether the row is another afterwards, or gone. */
static void test_readers_follow_a_rebuild(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->w;
	struct vl_digest digest;

	for (int declared = 0; declared < 2; declared++) {
		world_start_over(w);
		f->declared = declared != 0;
		f->sd = f->fresh;
		f->legs = f->fresh;
		fill(f, &digest);
		rebuild(w, evacuations());
		assert_status(w, 20, declared ? DECLARED : 0);
		struct vl_digest after = world_digest(w);
		assert_digest_equal(after, digest);
	}
	/* Who reads what is known as before. */
	bring(w, end(&f->legs, 1002, "SD-2026"));
	(void)world_work_off(w);
	assert_status(w, 20, ENDED);
	assert_int_equal(kept(w), 20 * 3);
}

/* And where the one that reads is. */
static void test_a_reader_that_is_rebuilt_reads_on(void **state)
{
	struct fixture *f = *state;
	struct world *w = &f->w;
	struct vl_digest digest;

	f->declared = true;
	fill(f, &digest);
	rebuild(w, case_view());
	assert_int_equal(kept(w), 20 * 3);
	bring(w, declare(&f->legs, 1002, "SD-2026"));
	(void)world_work_off(w);
	assert_status(w, 20, DECLARED);
	struct vl_digest after = world_digest(w);
	assert_digest_equal(after, digest);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_many_readers_in_bounded_steps),
		TEST(test_only_what_is_seen_wakes),
		TEST(test_what_is_read_no_more_is_forgotten),
		TEST(test_readers_follow_a_new_version),
		TEST(test_readers_follow_a_rebuild),
		TEST(test_a_reader_that_is_rebuilt_reads_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

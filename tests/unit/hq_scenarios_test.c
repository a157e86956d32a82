#include "hq/fold/fold.h"
#include "hq/fold/past.h"
#include "hq/repair/open.h"
#include "hq/repair/rebuild.h"
#include "play.h"

/*
 * Every scenario by headquarters itself: signed, brought in several orders, each third batch twice,
 * and rebuilt from the archive. All end in the same rows and the same digests, whichever lane is
 * rebuilt; and each past of it is what was there. They lie in the folder VALISE_SCENARIOS.
 */

#define ORDERS 6
#define MOST_LANES 16

/* -- what is shown -- */

static const ProtobufCMessage *row_of(struct vl_txn *txn, const struct scenario_row *row,
				      struct vl_arena *arena)
{
	char room[VL_ENTITY_MAX + 1];
	struct vl_key key;
	struct vl_bytes value;

	vl_row_key(&key, row->kind, vl_entity_key(row->key, room));
	if (!vl_txn_get(txn, vl_view_db(row->view, VL_VIEW_ROW), vl_key_done(&key), &value))
		return NULL;
	return vl_wire_unpack(vl_views[row->view]->kinds[row->kind].row, value, arena);
}

static bool check_rows(struct world *w, const struct scenario *s)
{
	struct vl_why why = {0};
	struct vl_txn *txn = vl_txn_begin(w->store, false, &why);
	bool as_expected = true;

	assert_non_null(txn);
	for (size_t i = 0; i < s->n_rows; i++)
		as_expected = scenario_check(s, &s->rows[i], row_of(txn, &s->rows[i], s->arena)) &&
			      as_expected;
	vl_txn_abort(txn);
	return as_expected;
}

/* Of all lanes, whether the scenario has events of it or not. */
struct digests {
	struct vl_digest of[MOST_LANES];
};

static struct digests digests_in(struct vl_txn *txn)
{
	struct digests all = {0};

	assert_non_null(txn);
	assert_true(vl_views_count() <= MOST_LANES);
	for (size_t view = 0; vl_views[view] != NULL; view++)
		assert_int_equal(vl_view_digest(txn, view, &all.of[view]), VL_OK);
	return all;
}

static struct digests digests_of(struct world *w)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct digests all = digests_in(txn);

	vl_txn_abort(txn);
	return all;
}

#define assert_digests_equal(a, b) assert_memory_equal(&(a), &(b), sizeof(struct digests))

static void rebuild(struct world *w, size_t view)
{
	struct vl_rebuilt rebuilt;
	struct vl_why why = {0};
	struct vl_store *store;

	world_close_ledger(w);
	assert_int_equal(VL_OK, vl_ledger_open(w->views, (size_t)256 << 20, false, &store, &why));
	assert_int_equal(VL_OK, vl_rebuild_lane(store, w->ring, view, NULL, NULL, &rebuilt, &why));
	vl_store_close(store);
	world_open_ledger(w);
	assert_digest_equal(rebuilt.after, world_digest_of(w, view));
}

/* One lane after another. */
static void rebuild_is_the_same(struct world *w, struct digests digests)
{
	for (size_t view = 0; vl_views[view] != NULL; view++) {
		rebuild(w, view);
		struct digests after = digests_of(w);
		assert_digests_equal(after, digests);
	}
}

/* -- the past -- */

static struct vl_past *look_back(struct play *p, enum vl_past_by by, struct vl_time time)
{
	struct vl_txn *live = vl_txn_begin(p->world.store, false, NULL);
	struct vl_past *past;
	struct vl_why why = {0};

	assert_non_null(live);
	assert_int_equal(vl_past_open(by, time, VL_PAST_EVENTS, NULL, &past, &why), VL_OK);
	for (size_t view = 0; vl_views[view] != NULL; view++)
		assert_int_equal(vl_past_fold(past, live, view, &why), VL_OK);
	assert_int_equal(vl_past_damaged(past), 0);
	vl_txn_abort(live);
	return past;
}

static struct digests digests_known(struct play *p, struct vl_time time)
{
	struct vl_past *past = look_back(p, VL_PAST_KNOWN, time);
	struct digests all = digests_in(vl_past_read(past, NULL));

	vl_past_close(past);
	return all;
}

/* It tells how many records were brought. */
static struct vl_time count_records(void *context)
{
	return vl_time_from_ms(1000 + ((const struct play *)context)->world.offset);
}

/* What was known then is what the view was, whatever waited behind gaps. */
static void what_was_known_is_what_was_there(struct play *p)
{
	size_t n = p->s.n_events, *order = calloc(n + 1, sizeof(*order));
	struct digests *was = calloc(n + 1, sizeof(*was));
	const struct vl_clock clock = {count_records, p};

	assert_non_null(order);
	assert_non_null(was);
	play_shuffle(order, n, 7);
	world_start_over(&p->world);
	vl_apply_time(p->world.applier, &clock, NULL);
	for (size_t i = 0; i <= n; i++) {
		(void)world_work_off(&p->world);
		was[i] = digests_of(&p->world);
		if (i < n)
			bring(&p->world, p->sent[order[i]]);
	}
	for (size_t i = 0; i <= n; i++) {
		struct digests known = digests_known(p, vl_time_from_ms(1000 + (int64_t)i));
		assert_digests_equal(known, was[i]);
	}
	free(was);
	free(order);
}

static struct vl_time occurred_at(const struct scenario_event *event)
{
	const Google__Protobuf__Timestamp *at = event->event->occurred_at;

	return at != NULL ? (struct vl_time){at->seconds, at->nanos} : (struct vl_time){0};
}

/* It is what headquarters has that can read no other events than those that had occurred. */
static void what_was_true_is_what_had_occurred(struct play *p, const char *path, size_t n)
{
	struct vl_time time = occurred_at(&p->s.events[n]);
	struct vl_past *past = look_back(p, VL_PAST_TRUE, time);
	struct digests then = digests_in(vl_past_read(past, NULL));
	struct play alone;

	play_open(&alone, path);
	alone.n_posts = 0;
	for (size_t i = 0; i < p->s.n_events; i++) {
		bool had = vl_time_compare(occurred_at(&p->s.events[i]), time) <= 0;
		bring(&alone.world, play_sign(&alone, i, had));
	}
	(void)world_work_off(&alone.world);
	struct digests alike = digests_of(&alone.world);
	assert_digests_equal(then, alike);
	vl_past_close(past);
	play_close(&alone);
}

static void run(const char *path)
{
	struct digests first = {0};
	struct play p;

	play_open(&p, path);
	for (uint64_t order = 0; order < ORDERS; order++) {
		if (order > 0)
			world_start_over(&p.world);
		play_all(&p, order);
		assert_true(check_rows(&p.world, &p.s));
		struct digests digests = digests_of(&p.world);
		if (order == 0)
			first = digests;
		assert_digests_equal(digests, first);
	}
	rebuild_is_the_same(&p.world, first);
	assert_true(check_rows(&p.world, &p.s));
	what_was_known_is_what_was_there(&p);
	for (size_t n = 0; n < p.s.n_events; n++)
		what_was_true_is_what_had_occurred(&p, path, n);
	play_close(&p);
}

static void test_every_scenario_comes_out_at_headquarters(void **state)
{
	(void)state;

	assert_true(scenario_each(VALISE_SCENARIOS, run) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_scenario_comes_out_at_headquarters)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

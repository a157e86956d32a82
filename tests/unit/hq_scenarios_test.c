#include "bus/json.h"
#include "hq/fold/fold.h"
#include "hq/repair/open.h"
#include "hq/repair/rebuild.h"
#include "hq_world.h"
#include "scenario.h"

/*
 * Every scenario by headquarters itself: signed, brought in several orders, each third batch twice,
 * and rebuilt from the archive. All end in the same rows and the same digests,
 * whichever lane is rebuilt. They lie in the
 * folder VALISE_SCENARIOS.
 */

#define ORDERS 6
#define MOST_POSTS 16
#define MOST_LANES 16

/* -- what the missions sign -- */

/* A mission on one lane: there it has a chain of its own. */
struct post {
	struct sender sender;
	size_t view;
};

static struct sender *sender_of(struct world *w, struct post *posts, size_t *n, const char *mission,
				size_t view)
{
	const struct sender *same = NULL;

	for (size_t i = 0; i < *n; i++) {
		if (strcmp(posts[i].sender.id, mission) != 0)
			continue;
		if (posts[i].view == view)
			return &posts[i].sender;
		same = &posts[i].sender;
	}
	assert_true(*n < MOST_POSTS);
	struct post *post = &posts[(*n)++];
	*post = (struct post){same != NULL ? *same : world_sender(w, mission), view};
	post->sender.seq = 0;
	post->sender.next_event = 1;
	post->sender.head = (struct vl_digest){0};
	return &post->sender;
}

static void number(ProtobufCBinaryData *id, uint8_t bytes[16], size_t n)
{
	memset(bytes, 0, 16);
	bytes[0] = 1;
	vl_put_be64(bytes + 8, n + 1);
	*id = (ProtobufCBinaryData){16, bytes};
}

static struct sent *sign(struct sender *sender, const struct scenario *s, size_t n)
{
	Valise__V1__Event event = *s->events[n].event;
	uint8_t id[16], after[16];
	struct vl_buf packed = {0};

	number(&event.id, id, n);
	if (s->events[n].after != SIZE_MAX)
		number(&event.after, after, s->events[n].after);
	vl_wire_pack(&event.base, &packed);
	struct sent *sent = sign_batch_on(sender, vl_views[s->events[n].view]->lane, &packed, 1);
	vl_buf_free(&packed);
	return sent;
}

/* -- in which order -- */

static void shuffle(size_t *order, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; seed != 0 && i > 1; i--) {
		size_t j = next_random(&seed) % i, kept = order[i - 1];
		order[i - 1] = order[j];
		order[j] = kept;
	}
}

static void bring_all(struct world *w, struct sent *const *sent, size_t n, uint64_t seed)
{
	size_t *order = calloc(n, sizeof(*order));

	assert_non_null(order);
	shuffle(order, n, seed);
	for (size_t i = 0; i < n; i++) {
		bring(w, sent[order[i]]);
		if (i % 3 == 0)
			bring(w, sent[order[i]]);
	}
	free(order);
	(void)world_work_off(w);
}

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

static struct digests digests_of(struct world *w)
{
	struct digests all = {0};

	assert_true(vl_views_count() <= MOST_LANES);
	for (size_t view = 0; vl_views[view] != NULL; view++)
		all.of[view] = world_digest_of(w, view);
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

static void run(const char *path)
{
	struct scenario s = scenario_read(path);
	struct post posts[MOST_POSTS];
	struct sent **sent = calloc(s.n_events, sizeof(*sent));
	struct digests first = {0};
	struct world world;
	size_t n_posts = 0;

	assert_non_null(sent);
	world_open(&world);
	for (size_t i = 0; i < s.n_events; i++)
		sent[i] = sign(
			sender_of(&world, posts, &n_posts, s.events[i].mission, s.events[i].view),
			&s, i);
	for (uint64_t order = 0; order < ORDERS; order++) {
		if (order > 0)
			world_start_over(&world);
		bring_all(&world, sent, s.n_events, order);
		assert_true(check_rows(&world, &s));
		struct digests digests = digests_of(&world);
		if (order == 0)
			first = digests;
		assert_digests_equal(digests, first);
	}
	rebuild_is_the_same(&world, first);
	assert_true(check_rows(&world, &s));
	world_close(&world);
	free(sent);
	scenario_close(&s);
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

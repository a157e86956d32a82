/* hq/ledger/parked.h: what is missing has a name, what waits has bounds, and nothing that was
 * lost or dropped on the way is missing from the views in the end. */
#include "hq_world.h"

#include "hq/ledger/parked.h"

#define BATCHES 10

struct desk {
	struct world world;
	struct sender sd, eg;
	struct sent *sent[BATCHES + 1]; /* of sd, by seq */
};

static int setup(void **state)
{
	struct desk *d = world_new(sizeof(*d));

	d->sd = world_sender(&d->world, "CN-SD-EMB");
	d->eg = world_sender(&d->world, "CN-EG-EMB");
	for (unsigned i = 1; i <= BATCHES; i++)
		d->sent[i] = open_case(&d->sd, i, i % 2 ? "SD-1" : "SD-2", 100 + i);
	*state = d;
	return 0;
}

static bool gap_of(struct world *w, const char *mission, struct vl_gap *gap)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	bool stands = vl_parked_gap(txn, mission, LANE, gap);

	assert_int_equal(vl_txn_err(txn), VL_OK);
	vl_txn_abort(txn);
	return stands;
}

static void expect_gap(struct world *w, uint64_t epoch, uint64_t from, uint64_t to)
{
	struct vl_gap gap;

	assert_true(gap_of(w, "CN-SD-EMB", &gap));
	assert_int_equal(gap.epoch.n, epoch);
	assert_int_equal(gap.from.n, from);
	assert_int_equal(gap.to.n, to);
	struct vl_standing standing = world_standing(w, "CN-SD-EMB");
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_GAP);
}

static void expect_whole(struct world *w, uint64_t batches)
{
	struct vl_gap gap;
	struct vl_standing standing = world_standing(w, "CN-SD-EMB");

	assert_false(gap_of(w, "CN-SD-EMB", &gap));
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
	assert_int_equal(standing.batches, batches);
	assert_int_equal(standing.parked, 0);
	assert_int_equal(standing.dropped, 0);
	assert_int_equal(world_count(w, VL_DB_PARKED), 0);
	assert_int_equal(world_count(w, VL_DB_WAITING), 0);
}

static void bring_some(struct desk *d, const char *which)
{
	for (; *which != '\0'; which++)
		bring(&d->world, d->sent[*which == '0' ? 10 : *which - '0']);
}

/* Bytes parked, counted. */
static uint64_t parked_bytes(struct world *w)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PARKED);
	struct vl_bytes value;
	uint64_t bytes = 0;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, &value); more;
	     more = vl_cursor_next(cursor, NULL, &value))
		bytes += value.size;
	vl_cursor_close(cursor);
	vl_txn_abort(txn);
	return bytes;
}

/* The views of the same batches when nothing was missing. */
static struct vl_digest unbroken(struct desk *d)
{
	struct world other;

	world_open(&other);
	world_enrol(&other, &d->sd);
	for (unsigned i = 1; i <= BATCHES; i++)
		bring(&other, d->sent[i]);
	struct vl_digest digest = world_digest(&other);
	world_close(&other);
	return digest;
}

static void expect_unbroken(struct desk *d)
{
	struct vl_digest wanted = unbroken(d), got = world_digest(&d->world);

	assert_digest_equal(wanted, got);
}

static void what_is_missing_has_a_name(void **state)
{
	struct desk *d = *state;
	struct vl_gap gap;

	assert_false(gap_of(&d->world, "CN-SD-EMB", &gap));
	bring_some(d, "3");
	expect_gap(&d->world, 0, 1, 0);
	bring_some(d, "7155");
	expect_gap(&d->world, 1000, 2, 2);
	bring_some(d, "2");
	expect_gap(&d->world, 1000, 4, 4);
	bring_some(d, "4");
	expect_gap(&d->world, 1000, 6, 6);
	bring_some(d, "6");
	expect_whole(&d->world, 7);
	assert_false(gap_of(&d->world, "CN-EG-EMB", &gap));
}

static void an_epoch_that_begins_behind_a_gap(void **state)
{
	struct desk *d = *state;
	struct sender s = d->sd;

	sender_begin_epoch(&s, 2000);
	struct sent *first = open_case(&s, 21, "SD-1", 200),
		    *second = open_case(&s, 22, "SD-1", 201);
	/* Of the epoch before nothing is known, then a part of it, then its last is missing. */
	bring(&d->world, first);
	expect_gap(&d->world, 0, 1, 0);
	bring_some(d, "12345");
	expect_gap(&d->world, 1000, 6, 0);
	bring_some(d, "80");
	expect_gap(&d->world, 1000, 6, 7);
	bring_some(d, "67");
	expect_gap(&d->world, 1000, 9, 9);
	bring(&d->world, second);
	expect_gap(&d->world, 1000, 9, 9);
	bring_some(d, "9");
	expect_whole(&d->world, 12);
}

/* An old epoch whose end is lost for ever does not hide what is missing of the present one. */
static void a_gap_that_cannot_close_hides_no_other(void **state)
{
	struct desk *d = *state;
	struct sender s = d->sd;
	struct sent *later[3];

	bring_some(d, "124");
	expect_gap(&d->world, 1000, 3, 3);
	sender_begin_epoch(&s, 2000);
	s.head = (struct vl_digest){0};
	for (unsigned i = 0; i < 3; i++)
		later[i] = open_case(&s, 31 + i, "SD-1", 200);
	struct vl_gap gap;
	bring(&d->world, later[0]);
	assert_true(gap_of(&d->world, "CN-SD-EMB", &gap));
	assert_int_equal(gap.epoch.n, 1000);
	bring(&d->world, later[2]);
	assert_true(gap_of(&d->world, "CN-SD-EMB", &gap));
	assert_int_equal(gap.epoch.n, 2000);
	assert_int_equal(gap.from.n, 2);
}

static void what_is_beyond_the_bounds_is_missed_and_comes_again(void **state)
{
	struct desk *d = *state;
	const struct vl_parked_bounds few = {3, 1 << 20, 1 << 20};

	vl_apply_bound(d->world.applier, &few);
	bring_some(d, "1345678");
	struct vl_standing standing = world_standing(&d->world, "CN-SD-EMB");
	assert_int_equal(standing.parked, 3);
	assert_int_equal(standing.dropped, 3);
	expect_gap(&d->world, 1000, 2, 2);
	bring_some(d, "2");
	standing = world_standing(&d->world, "CN-SD-EMB");
	assert_int_equal(standing.batches, 5);
	assert_int_equal(standing.parked, 0);
	assert_int_equal(standing.dropped, 3);
	/* Up to the furthest that was seen; and after a restart too. */
	expect_gap(&d->world, 1000, 6, 8);
	world_close_ledger(&d->world);
	world_open_ledger(&d->world);
	vl_apply_bound(d->world.applier, &few);
	expect_gap(&d->world, 1000, 6, 8);
	bring_some(d, "90");
	expect_gap(&d->world, 1000, 6, 8);
	bring_some(d, "67");
	expect_gap(&d->world, 1000, 8, 8);
	bring_some(d, "8");
	expect_whole(&d->world, 10);
	expect_unbroken(d);
}

static void bytes_are_bounded_for_each_and_for_all(void **state)
{
	struct desk *d = *state;
	struct sender flood = d->eg;
	uint64_t size;

	bring_some(d, "13");
	size = parked_bytes(&d->world);
	struct vl_parked_bounds bounds = {1000, size * 5 / 2, size * 7 / 2};
	vl_apply_bound(d->world.applier, &bounds);
	bring_some(d, "456");
	assert_int_equal(world_standing(&d->world, "CN-SD-EMB").parked, 2);
	assert_int_equal(world_standing(&d->world, "CN-SD-EMB").dropped, 2);
	/* Another mission, far ahead of itself, fills what is left and no more. */
	flood.seq = 1000000;
	for (uint64_t i = 0; i < 50; i++) {
		bring(&d->world, open_case(&flood, 1000 + i, "EG-1", 1));
		assert_true(parked_bytes(&d->world) <= bounds.all);
	}
	assert_int_equal(world_standing(&d->world, "CN-EG-EMB").parked, 1);
	assert_int_equal(world_standing(&d->world, "CN-EG-EMB").dropped, 49);
	/* The first mission has its gap filled all the same, though no room is left to wait in. */
	bring_some(d, "278");
	assert_int_equal(world_standing(&d->world, "CN-SD-EMB").batches, 4);
	bring_some(d, "56789");
	bring_some(d, "0");
	struct vl_standing standing = world_standing(&d->world, "CN-SD-EMB");
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
	assert_int_equal(standing.batches, 10);
	expect_unbroken(d);
}

/* Each gap with its names, as those who ask for them walk. */
static void count_gap(void *context, const char *mission, const char *lane,
		      const struct vl_gap *gap)
{
	unsigned *n = context;

	assert_string_equal(lane, LANE);
	assert_string_equal(mission, *n == 0 ? "CN-EG-EMB" : "CN-SD-EMB");
	assert_int_equal(gap->from.n, *n == 0 ? 1 : 2);
	++*n;
}

static void all_gaps_are_told(void **state)
{
	struct desk *d = *state;
	struct sender ahead = d->eg;
	unsigned n = 0;

	ahead.seq = 4;
	bring(&d->world, open_case(&ahead, 50, "EG-1", 1));
	bring_some(d, "13");
	struct vl_txn *txn = vl_txn_begin(d->world.store, false, NULL);
	vl_parked_each_gap(txn, count_gap, &n);
	vl_txn_abort(txn);
	assert_int_equal(n, 2);
}

/* -- whatever is lost, late, doubled or dropped: what is asked for is sent again, and the views
 * are the same -- */

#define MISSIONS 4
#define EACH 12
#define TURN 7 /* where the first mission's second epoch begins */

struct play {
	struct world *world;
	struct sender senders[MISSIONS];
	struct sent *sent[MISSIONS][EACH];
	struct vl_epoch epochs[MISSIONS][EACH];
	uint64_t seqs[MISSIONS][EACH];
	uint64_t seed;
};

static void write_play(struct play *p)
{
	uint64_t id = 0;
	char subject[16];

	for (unsigned m = 0; m < MISSIONS; m++)
		for (unsigned i = 0; i < EACH; i++) {
			struct sender *s = &p->senders[m];
			if (m == 0 && i == TURN)
				sender_begin_epoch(s, s->epoch.n + 1);
			(void)snprintf(subject, sizeof(subject), "X-%u", (m + i) % 5);
			id++;
			p->sent[m][i] = open_case(s, id, subject, (int64_t)(id * 7 % 20));
			p->epochs[m][i] = s->epoch;
			p->seqs[m][i] = s->seq;
		}
}

/* One of them on its way; one in `odds` does not arrive, one in eight comes twice. */
static void carry(struct play *p, unsigned m, unsigned i, unsigned odds)
{
	if (next_random(&p->seed) % odds == 0)
		return;
	bring_within(p->world, p->sent[m][i]);
	if (next_random(&p->seed) % 8 == 0)
		bring_within(p->world, p->sent[m][i]);
}

static void begin(struct play *p)
{
	assert_int_equal(vl_apply_begin(p->world->applier, NULL), VL_OK);
}

static void commit(struct play *p)
{
	assert_int_equal(vl_apply_commit(p->world->applier, NULL), VL_OK);
}

/* All of them once, in any order, also within a mission, in transactions of random length. */
static void carry_all(struct play *p)
{
	unsigned order[MISSIONS * EACH], left = MISSIONS * EACH;

	for (unsigned i = 0; i < MISSIONS * EACH; i++)
		order[i] = i;
	while (left > 0) {
		begin(p);
		for (uint64_t n = 1 + next_random(&p->seed) % 9; n > 0 && left > 0; n--) {
			unsigned at = (unsigned)(next_random(&p->seed) % left), which = order[at];
			order[at] = order[--left];
			carry(p, which / EACH, which % EACH, 4);
		}
		commit(p);
	}
}

/* What a mission does about a directive; and, where none comes, about receipts that do not.
 * False where all is applied. */
static bool send_again(struct play *p, unsigned m)
{
	struct vl_standing standing = world_standing(p->world, p->senders[m].id);
	struct vl_gap gap;
	bool asked = gap_of(p->world, p->senders[m].id, &gap);

	if (standing.batches == EACH)
		return false;
	if (!asked)
		gap = (struct vl_gap){standing.epoch, {standing.seq.n + 1}, {0}};
	begin(p);
	for (unsigned i = 0; i < EACH; i++) {
		uint64_t epoch = p->epochs[m][i].n, seq = p->seqs[m][i];
		bool behind = epoch < gap.epoch.n || (epoch == gap.epoch.n && seq < gap.from.n);
		bool beyond = gap.to.n != 0 && (epoch > gap.epoch.n || seq > gap.to.n);
		if (!behind && !beyond)
			carry(p, m, i, 6);
	}
	commit(p);
	return true;
}

static void play_round(struct play *p, uint64_t number)
{
	struct vl_parked_bounds bounds = {1 + next_random(&p->seed) % 6, 1 << 20, 1 << 20};

	if (next_random(&p->seed) % 3 == 0)
		bounds.all = 300 + next_random(&p->seed) % 3000;
	vl_apply_bound(p->world->applier, &bounds);
	carry_all(p);
	for (unsigned m = 0; m < MISSIONS; m++) {
		unsigned turns = 0;
		while (send_again(p, m))
			if (++turns == 1000)
				fail_msg("VALISE_SEED=%llu never ends", (unsigned long long)number);
		struct vl_standing standing = world_standing(p->world, p->senders[m].id);
		assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
	}
	assert_int_equal(world_count(p->world, VL_DB_PARKED), 0);
	assert_int_equal(world_count(p->world, VL_DB_WAITING), 0);
	assert_int_equal(world_count(p->world, VL_DB_EVIDENCE), 0);
}

static void any_order_with_losses_converges(void **state)
{
	static const char *const ids[MISSIONS] = {"CN-AA-EMB", "CN-BB-EMB", "CN-CC-EMB", "HQ"};
	struct rounds rounds = rounds_from(1000);
	struct world *w = *state;
	struct play p = {.world = w};

	for (unsigned m = 0; m < MISSIONS; m++)
		p.senders[m] = world_sender(w, ids[m]);
	write_play(&p);
	begin(&p);
	for (unsigned i = 0; i < MISSIONS * EACH; i++)
		bring_within(w, p.sent[i / EACH][i % EACH]);
	commit(&p);
	struct vl_digest wanted = world_digest(w);
	for (uint64_t n = rounds.first; n < rounds.first + rounds.n; n++) {
		world_start_over(w);
		p.seed = n * 2654435761u + 1;
		play_round(&p, n);
		struct vl_digest got = world_digest(w);
		if (memcmp(got.bytes, wanted.bytes, 32) != 0)
			fail_msg("VALISE_SEED=%llu gives other views", (unsigned long long)n);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_missing_has_a_name),
		TEST(an_epoch_that_begins_behind_a_gap),
		TEST(a_gap_that_cannot_close_hides_no_other),
		TEST(what_is_beyond_the_bounds_is_missed_and_comes_again),
		TEST(bytes_are_bounded_for_each_and_for_all),
		TEST(all_gaps_are_told),
		cmocka_unit_test_setup_teardown(any_order_with_losses_converges, world_setup,
						world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

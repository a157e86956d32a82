#include "hq_world.h"

#include "hq/fold/fold.h"

static size_t facts_of(struct world *w, const char *subject)
{
	struct vl_history_item *items;
	size_t count, damaged;
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	int kind = vl_view_kind(vl_views[case_view()], "case");

	assert_int_equal(vl_history_read(txn, case_view(), (unsigned)kind, subject, arena, &items,
					 &count, &damaged),
			 VL_OK);
	vl_arena_close(arena);
	vl_txn_abort(txn);
	return count;
}

static void test_batch_reaches_view(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");

	bring(w, open_case(&s, 1, "SD-1", 100));
	assert_int_equal(facts_of(w, "SD-1"), 1);
	struct vl_standing standing = world_standing(w, s.id);
	assert_int_equal(standing.batches, 1);
	assert_int_equal(standing.events, 1);
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
	assert_true(world_count(w, vl_view_db(case_view(), VL_VIEW_ROW)) >= 1);
}

static void test_replay_changes_nothing(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[3];

	for (unsigned i = 0; i < 3; i++) {
		sent[i] = open_case(&s, i + 1, i == 0 ? "SD-1" : "SD-2", 100 + i);
		bring(w, sent[i]);
	}
	struct vl_digest before = world_digest(w);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 3; i++)
			bring(w, sent[i]);
	assert_digest_equal(before, world_digest(w));
	assert_int_equal(world_standing(w, s.id).replayed, 9);
	assert_int_equal(world_standing(w, s.id).batches, 3);
}

static void test_record_below_offset_is_passed_over(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent = open_case(&s, 1, "SD-1", 100);

	bring(w, sent);
	w->offset = 0;
	bring(w, sent);
	assert_int_equal(world_standing(w, s.id).replayed, 0);
}

static void test_gap_waits_and_is_shown(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[5];

	for (unsigned i = 0; i < 5; i++)
		sent[i] = open_case(&s, i + 1, "SD-1", 100 + i);
	bring(w, sent[0]);
	bring(w, sent[3]);
	bring(w, sent[2]);
	bring(w, sent[4]);
	struct vl_standing standing = world_standing(w, s.id);
	assert_int_equal(standing.parked, 3);
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_GAP);
	assert_int_equal(facts_of(w, "SD-1"), 1);
	bring(w, sent[1]);
	standing = world_standing(w, s.id);
	assert_int_equal(standing.parked, 0);
	assert_int_equal(standing.batches, 5);
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
	assert_int_equal(world_count(w, VL_DB_PARKED), 0);
	assert_int_equal(facts_of(w, "SD-1"), 5);
}

/* What came first stays; both branches from then on are evidence; other epochs go on. */
static void test_fork_suspends_its_epoch(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB"), t = world_sender(w, "CN-EG-EMB");
	struct sent *sent[9];

	sent[0] = open_case(&s, 1, "SD-1", 100);
	struct sender clone = s;
	sent[1] = open_case(&s, 2, "SD-1", 101);
	struct vl_digest applied = s.head;
	sent[2] = open_case(&clone, 3, "SD-9", 102);
	sent[3] = open_case(&s, 4, "SD-1", 103);
	sent[4] = open_case(&clone, 5, "SD-9", 104);
	for (unsigned i = 0; i < 5; i++)
		bring(w, sent[i]);
	struct vl_standing standing = world_standing(w, s.id);
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_FORK);
	assert_int_equal(standing.forks, 3);
	assert_int_equal(standing.batches, 2);
	assert_int_equal(world_count(w, VL_DB_EVIDENCE), 3);
	assert_int_equal(facts_of(w, "SD-9"), 0);
	assert_int_equal(facts_of(w, "SD-1"), 2);
	/* All of it again changes nothing. */
	for (unsigned i = 0; i < 5; i++)
		bring(w, sent[i]);
	assert_int_equal(world_standing(w, s.id).replayed, 5);
	assert_int_equal(world_count(w, VL_DB_EVIDENCE), 3);
	/* Each goes on in an epoch of its own, with what was not applied: all is there once. */
	struct sender *branches[] = {&s, &clone};
	for (unsigned i = 0; i < 2; i++) {
		sender_begin_epoch(branches[i], 2000 + i);
		branches[i]->head = applied;
	}
	sent[5] = open_case(&clone, 3, "SD-9", 102);
	sent[6] = open_case(&clone, 5, "SD-9", 104);
	sent[7] = open_case(&s, 4, "SD-1", 103);
	sent[8] = open_case(&t, 6, "EG-1", 100);
	for (unsigned i = 5; i < 9; i++)
		bring(w, sent[i]);
	assert_int_equal(facts_of(w, "SD-9"), 2);
	assert_int_equal(facts_of(w, "SD-1"), 3);
	assert_int_equal(facts_of(w, "EG-1"), 1);
	assert_int_equal(world_count(w, VL_DB_PARKED), 0);
	standing = world_standing(w, t.id);
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
}

/* What waited in the epoch is evidence from then on, and an epoch that begins behind such a
 * batch waits for nothing. */
static void test_fork_lets_nothing_wait(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *first = open_case(&s, 1, "SD-1", 100);
	struct sender clone = s;
	struct sent *second = open_case(&s, 2, "SD-1", 101);

	(void)open_case(&s, 3, "SD-1", 102); /* never comes */
	struct sent *late = open_case(&s, 4, "SD-1", 103);
	sender_begin_epoch(&s, 2000);
	struct sent *next = open_case(&s, 5, "SD-1", 104);
	struct sent *other = open_case(&clone, 6, "SD-9", 105);
	bring(w, first);
	bring(w, second);
	bring(w, next);
	bring(w, late);
	assert_int_equal(world_standing(w, s.id).parked, 2);
	bring(w, other);
	struct vl_standing standing = world_standing(w, s.id);
	assert_int_equal(standing.parked, 0);
	assert_int_equal(world_count(w, VL_DB_PARKED), 0);
	assert_int_equal(world_count(w, VL_DB_EVIDENCE), 2);
	assert_int_equal(standing.epoch.n, 2000);
	assert_int_equal(facts_of(w, "SD-1"), 3);
	assert_int_equal(facts_of(w, "SD-9"), 0);
}

static void test_new_epoch_follows_the_old(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *a = open_case(&s, 1, "SD-1", 100);
	struct sent *b = open_case(&s, 2, "SD-1", 101);

	sender_begin_epoch(&s, 2000);
	struct sent *c = open_case(&s, 3, "SD-1", 102);
	bring(w, a);
	bring(w, c); /* its epoch begins behind b, which has not come */
	assert_int_equal(world_standing(w, s.id).parked, 1);
	bring(w, b);
	struct vl_standing standing = world_standing(w, s.id);
	assert_int_equal(standing.parked, 0);
	assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_OK);
	assert_int_equal(standing.epoch.n, 2000);
	assert_int_equal(facts_of(w, "SD-1"), 3);
}

/* An outbox lost or restored: the events are authentic and enter, and the standing says so. */
static void test_forgetful_epoch_is_a_rollback(void **state)
{
	struct world *w = *state;
	const struct sender sd = world_sender(w, "CN-SD-EMB");

	for (unsigned restored = 0; restored < 2; restored++) {
		struct sender s = sd;
		world_start_over(w);
		struct sent *a = open_case(&s, 1, "SD-1", 100);
		struct sender old = s;
		struct sent *b = open_case(&s, 2, "SD-1", 101);
		sender_begin_epoch(&old, 2000);
		if (!restored)
			old.head = (struct vl_digest){0};
		struct sent *c = open_case(&old, 3, "SD-1", 102);
		bring(w, a);
		bring(w, b);
		bring(w, c);
		struct vl_standing standing = world_standing(w, s.id);
		assert_int_equal(vl_standing_verdict(&standing), VL_VERDICT_ROLLBACK);
		assert_int_equal(facts_of(w, "SD-1"), 3);
	}
}

static void test_same_id_is_one_event(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");

	bring(w, open_case(&s, 7, "SD-1", 100));
	bring(w, open_case(&s, 7, "SD-1", 100));
	assert_int_equal(facts_of(w, "SD-1"), 1);
	assert_int_equal(world_standing(w, s.id).repeated, 1);
}

/* The same event given to two missions is one event, under the lesser id, whichever came first. */
static void test_twins_converge(void **state)
{
	struct world *w = *state;
	struct sender s[2] = {world_sender(w, "CN-AA-EMB"), world_sender(w, "CN-ZZ-EMB")};
	struct sent *sent[2] = {open_case(&s[0], 7, "SD-1", 100), open_case(&s[1], 7, "SD-1", 100)};
	struct vl_digest digests[2];

	for (unsigned order = 0; order < 2; order++) {
		world_start_over(w);
		bring(w, sent[order]);
		bring(w, sent[1 - order]);
		assert_int_equal(facts_of(w, "SD-1"), 1);
		digests[order] = world_digest(w);
	}
	assert_digest_equal(digests[0], digests[1]);
}

/* A mission cannot make another's event disappear by using its id first. */
static void test_stolen_id_hides_nothing(void **state)
{
	struct world *w = *state;
	struct sender thief = world_sender(w, "CN-AA-EMB"), honest = world_sender(w, "CN-ZZ-EMB");

	bring(w, open_case(&thief, 7, "AA-1", 50));
	bring(w, open_case(&honest, 7, "ZZ-1", 100));
	assert_int_equal(facts_of(w, "AA-1"), 1);
	assert_int_equal(facts_of(w, "ZZ-1"), 1);
}

static void test_bad_record_is_buried(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *a = open_case(&s, 1, "SD-1", 100);
	struct sent *b = open_case(&s, 2, "SD-1", 101);
	struct vl_digest none = world_digest(w);

	a->value.data[a->value.size - 1] ^= 1;
	bring(w, a);
	assert_digest_equal(none, world_digest(w));
	assert_int_equal(world_count(w, VL_DB_DEAD), 1);
	a->value.data[a->value.size - 1] ^= 1;
	struct sent null = *b;
	null.record.value = (struct vl_bytes){0};
	bring(w, &null);
	assert_int_equal(world_count(w, VL_DB_DEAD), 2);
	bring(w, a);
	bring(w, b);
	assert_int_equal(facts_of(w, "SD-1"), 2);
}

/* Aborted work leaves no trace, and comes again. */
static void test_abort_then_again(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *a = open_case(&s, 1, "SD-1", 100);

	assert_int_equal(vl_apply_begin(w->applier, NULL), VL_OK);
	bring_within(w, a);
	vl_apply_abort(w->applier);
	assert_int_equal(world_standing(w, s.id).batches, 0);
	w->offset = 0;
	bring(w, a);
	assert_int_equal(world_standing(w, s.id).batches, 1);
	assert_int_equal(world_standing(w, s.id).replayed, 0);
}

/* -- any arrival order across missions gives the same views -- */

#define MISSIONS 4
#define EACH 12

/* Interleave the missions' batches at random, now and then one twice, in transactions of random
 * length. */
static void bring_shuffled(struct world *w, struct sent *sent[MISSIONS][EACH], uint64_t seed)
{
	unsigned at[MISSIONS] = {0}, left = MISSIONS * EACH;

	while (left > 0) {
		assert_int_equal(vl_apply_begin(w->applier, NULL), VL_OK);
		for (uint64_t n = 1 + next_random(&seed) % 9; n > 0 && left > 0; n--) {
			unsigned m = (unsigned)(next_random(&seed) % MISSIONS);
			while (at[m] == EACH)
				m = (m + 1) % MISSIONS;
			bring_within(w, sent[m][at[m]]);
			if (next_random(&seed) % 5 == 0)
				bring_within(w, sent[m][next_random(&seed) % (at[m] + 1)]);
			at[m]++;
			left--;
		}
		assert_int_equal(vl_apply_commit(w->applier, NULL), VL_OK);
	}
}

static struct sent *random_event(struct sender *s, uint64_t id, uint64_t *seed)
{
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	Consular__Case__V1__CaseAssigned assigned = CONSULAR__CASE__V1__CASE_ASSIGNED__INIT;
	Consular__Case__V1__PersonsCounted counted = CONSULAR__CASE__V1__PERSONS_COUNTED__INIT;
	Consular__Case__V1__CaseClosed closed = CONSULAR__CASE__V1__CASE_CLOSED__INIT;
	Consular__Case__V1__TransferOffered offered = CONSULAR__CASE__V1__TRANSFER_OFFERED__INIT;
	const ProtobufCMessage *payloads[] = {&opened.base, &assigned.base, &counted.base,
					      &closed.base, &offered.base};
	char subject[16];

	opened.persons = 1 + (uint32_t)(next_random(seed) % 5);
	opened.type = CONSULAR__CASE__V1__CASE_TYPE__CASE_TYPE_ASSAULT;
	assigned.mission = s->id;
	counted.persons = (uint32_t)(next_random(seed) % 9);
	offered.to = (char *)"CN-AA-EMB";
	offered.transfer = (char *)"T-1";
	(void)snprintf(subject, sizeof(subject), "X-%u", (unsigned)(next_random(seed) % 5));
	uint64_t after = next_random(seed) % 3 == 0 ? 1 + next_random(seed) % (MISSIONS * EACH) : 0;
	int64_t at = (int64_t)(next_random(seed) % 20);
	return sign_event_on(s, LANE, id, subject, at, payloads[next_random(seed) % 5], after);
}

/* After some of its batches a sender has a clone, and they sign in turns; near the end it begins
 * a new epoch. */
static void fork_and_heal(struct sender *s, struct sender *clone, unsigned sent)
{
	if (sent == EACH / 4)
		*clone = *s;
	if (sent > EACH / 4 && sent < EACH * 2 / 3) {
		struct sender other = *s;
		*s = *clone;
		*clone = other;
	}
	if (sent == EACH * 2 / 3) {
		sender_begin_epoch(s, 2000);
	}
}

static void test_any_order_converges(void **state)
{
	static const char *const ids[MISSIONS] = {"CN-AA-EMB", "CN-BB-EMB", "CN-CC-EMB", "HQ"};
	struct world *w = *state;
	struct rounds rounds = rounds_from(1000);
	struct sender senders[MISSIONS], clone = {0};
	struct sent *sent[MISSIONS][EACH];
	uint64_t seed = 42, id = 0;

	for (unsigned m = 0; m < MISSIONS; m++)
		senders[m] = world_sender(w, ids[m]);
	for (unsigned m = 0; m < MISSIONS; m++)
		for (unsigned i = 0; i < EACH; i++) {
			sent[m][i] = random_event(&senders[m], ++id, &seed);
			if (m == 1)
				fork_and_heal(&senders[m], &clone, i);
		}
	bring_shuffled(w, sent, 99);
	struct vl_digest wanted = world_digest(w);
	for (uint64_t n = rounds.first; n < rounds.first + rounds.n; n++) {
		world_start_over(w);
		bring_shuffled(w, sent, n * 2654435761u + 1);
		struct vl_digest got = world_digest(w);
		if (memcmp(got.bytes, wanted.bytes, 32) != 0)
			fail_msg("VALISE_SEED=%llu gives other views", (unsigned long long)n);
	}
}

/* -- when it was applied -- */

static int64_t applied_ms(struct world *w, const struct sender *s, uint64_t seq)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_key key;
	struct vl_bytes stored;
	struct vl_record record;
	struct vl_digest digest;

	vl_archive_key(&key, s->id, LANE, s->epoch, (struct vl_seq){seq});
	assert_true(vl_txn_get(txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored));
	assert_int_equal(vl_record_unpack(stored, &record, &digest), VL_OK);
	vl_txn_abort(txn);
	return record.applied_ms;
}

static struct vl_time tell_time(void *context)
{
	return vl_time_from_ms(*(const int64_t *)context);
}

static void test_archive_says_when_a_batch_was_applied(void **state)
{
	struct world *w = *state, other;
	int64_t now = 1000;
	const struct vl_clock clock = {tell_time, &now};
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[4];

	for (unsigned i = 0; i < 4; i++)
		sent[i] = open_case(&s, i + 1, "SD-1", 100 + i);
	vl_apply_time(w->applier, &clock, NULL);
	bring(w, sent[0]);
	/* The third waits for the second, and is applied when that has come. */
	now = 2000;
	bring(w, sent[2]);
	now = 3000;
	bring(w, sent[1]);
	assert_int_equal(applied_ms(w, &s, 1), 1000);
	assert_int_equal(applied_ms(w, &s, 2), 3000);
	assert_int_equal(applied_ms(w, &s, 3), 3000);

	/* A ledger made anew keeps the times of the one before, for what that has. */
	world_open(&other);
	other.ring = w->ring;
	struct vl_txn *before = vl_txn_begin(w->store, false, NULL);
	now = 9000;
	vl_apply_time(other.applier, &clock, before);
	for (unsigned i = 0; i < 4; i++)
		bring(&other, sent[i]);
	assert_int_equal(applied_ms(&other, &s, 1), 1000);
	assert_int_equal(applied_ms(&other, &s, 3), 3000);
	assert_int_equal(applied_ms(&other, &s, 4), 9000);
	vl_txn_abort(before);
	other.ring = NULL;
	world_close(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_batch_reaches_view),
		TEST(test_replay_changes_nothing),
		TEST(test_record_below_offset_is_passed_over),
		TEST(test_gap_waits_and_is_shown),
		TEST(test_fork_suspends_its_epoch),
		TEST(test_fork_lets_nothing_wait),
		TEST(test_new_epoch_follows_the_old),
		TEST(test_forgetful_epoch_is_a_rollback),
		TEST(test_same_id_is_one_event),
		TEST(test_twins_converge),
		TEST(test_stolen_id_hides_nothing),
		TEST(test_bad_record_is_buried),
		TEST(test_abort_then_again),
		TEST(test_any_order_converges),
		TEST(test_archive_says_when_a_batch_was_applied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

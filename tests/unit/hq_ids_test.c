/*
 * An id names one event for ever. What uses one again for something else is named, by headquarters
 * too, and nothing authentic vanishes unsaid; and the views and the counts are the same in whatever
 * order it came, and after a rebuild.
 */
#include "cli_blocked.h"
#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "hq/fold/fold.h"
#include "hq/ledger/deadletter.h"
#include "hq/repair/rebuild.h"
#include "hq_world.h"

#define EVACUATIONS "consular.evacuation.v1"

/* -- questions -- */

struct reason {
	const char *name;
	uint64_t count;
};

static void add_reason(void *context, const char *name, uint64_t count)
{
	struct reason *reason = context;

	if (strcmp(name, reason->name) == 0)
		reason->count += count;
}

static uint64_t letters(struct world *w, const char *name)
{
	struct reason reason = {name, 0};
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);

	vl_deadletter_each_reason(txn, add_reason, &reason);
	vl_txn_abort(txn);
	return reason.count;
}

static struct vl_standing standing_on(struct world *w, const char *mission, const char *lane)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_standing standing = vl_standing_get(txn, mission, lane);

	vl_txn_abort(txn);
	return standing;
}

static size_t facts_of(struct world *w, const char *lane, const char *kind, const char *key)
{
	struct vl_history_item *items;
	size_t count, damaged;
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	int view = vl_view_of_lane(lane, strlen(lane)), number = vl_view_kind(vl_views[view], kind);

	assert_int_equal(vl_history_read(txn, (size_t)view, (unsigned)number, key, arena, &items,
					 &count, &damaged),
			 VL_OK);
	vl_arena_close(arena);
	vl_txn_abort(txn);
	return count;
}

#define CASES(w, key) facts_of(w, LANE, "case", key)

static void rebuild_changes_nothing(struct world *w, const char *lane)
{
	struct vl_rebuilt rebuilt;
	size_t view = (size_t)vl_view_of_lane(lane, strlen(lane));
	struct vl_digest live = world_digest_of(w, view);

	assert_int_equal(vl_rebuild_lane(w->store, w->ring, view, NULL, NULL, &rebuilt, NULL),
			 VL_OK);
	assert_digest_equal(rebuilt.after, live);
}

/* What `valise mission ls` says has these words. */
static void listed(struct world *w, const char *format, const char *words)
{
	char program[512], command[1024], text[16384];

	blocked_program(program);
	(void)snprintf(command, sizeof(command), "'%s' mission ls %s --views '%s' 2>&1", program,
		       format, w->views);
	FILE *output = popen(command, "r");
	assert_non_null(output);
	text[fread(text, 1, sizeof(text) - 1, output)] = '\0';
	assert_int_equal(pclose(output), 0);
	if (strstr(text, words) == NULL)
		fail_msg("no '%s' in: %s", words, text);
}

/* -- what is sent -- */

static struct sent *declare(struct sender *s, uint64_t id, const char *crisis, int64_t at)
{
	Consular__Evacuation__V1__CrisisDeclared declared =
		CONSULAR__EVACUATION__V1__CRISIS_DECLARED__INIT;

	declared.crisis = (char *)(uintptr_t)crisis;
	return sign_event_on(s, EVACUATIONS, id, crisis, at, &declared.base, 0);
}

/* A batch of one event with that byte sixteen times for an id, and a good one. */
static struct sent *with_blank_id(struct sender *s, uint8_t byte, uint64_t id)
{
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	struct vl_buf events[2] = {{0}, {0}};

	put_event(&events[0], 1, "SD-BLANK", 100, &opened.base, 0);
	assert_int_equal(events[0].data[1], 16);
	memset(events[0].data + 2, byte, 16);
	put_event(&events[1], id, "SD-GOOD", 100, &opened.base, 0);
	struct sent *sent = sign_batch_on(s, LANE, events, 2);
	vl_buf_free(&events[0]);
	vl_buf_free(&events[1]);
	return sent;
}

/* -- what is refused -- */

static void an_id_of_zeros_or_ones_names_nothing(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");

	bring(w, with_blank_id(&s, 0, 7));
	bring(w, with_blank_id(&s, 0xff, 8));
	assert_int_equal(CASES(w, "SD-BLANK"), 0);
	assert_int_equal(CASES(w, "SD-GOOD"), 2);
	assert_int_equal(world_standing(w, s.id).unread, 2);
	assert_int_equal(letters(w, "nil_id"), 2);
	listed(w, "", LANE " 2 unread");
	rebuild_changes_nothing(w, LANE);
}

static void a_senders_id_is_not_used_again(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");

	bring(w, open_case(&s, 7, "SD-1", 100));
	bring(w, open_case(&s, 7, "SD-2", 100));
	assert_int_equal(CASES(w, "SD-1"), 1);
	assert_int_equal(CASES(w, "SD-2"), 0);
	assert_int_equal(world_standing(w, s.id).unread, 1);
	assert_int_equal(letters(w, "id_reused"), 1);
	rebuild_changes_nothing(w, LANE);
}

/* Two batches with an event of one id, the second in an epoch that knows nothing of the first.
 * Either may come first: what is checked then is the same, and after a rebuild, too. */
static void in_either_order(struct world *w, const char *subject, int64_t at,
			    void (*check)(struct world *w, const struct sender *s))
{
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[2];
	struct vl_digest digests[2];

	sent[0] = open_case(&s, 7, "SD-1", 100);
	sender_begin_epoch(&s, 3000);
	s.head = (struct vl_digest){0};
	sent[1] = open_case(&s, 7, subject, at);
	for (unsigned first = 0; first < 2; first++) {
		world_start_over(w);
		bring(w, sent[first]);
		bring(w, sent[1 - first]);
		check(w, &s);
		digests[first] = world_digest(w);
		rebuild_changes_nothing(w, LANE);
	}
	assert_digest_equal(digests[0], digests[1]);
}

static void the_later_is_named(struct world *w, const struct sender *s)
{
	assert_int_equal(CASES(w, "SD-1"), 1);
	assert_int_equal(CASES(w, "SD-2"), 0);
	assert_int_equal(world_standing(w, s->id).unread, 1);
	assert_int_equal(world_standing(w, s->id).repeated, 0);
	assert_int_equal(letters(w, "id_reused"), 1);
	assert_int_equal(world_count(w, VL_DB_DEAD), 1);
}

/* Its outbox was lost. */
static void the_earliest_place_stands_and_the_other_is_named(void **state)
{
	in_either_order(*state, "SD-2", 100, the_later_is_named);
}

static void it_is_one(struct world *w, const struct sender *s)
{
	assert_int_equal(CASES(w, "SD-1"), 1);
	assert_int_equal(world_standing(w, s->id).repeated, 1);
	assert_int_equal(world_standing(w, s->id).unread, 0);
	assert_int_equal(world_count(w, VL_DB_DEAD), 0);
}

/* The agent has let go of the id, and the program gives the event a new time. */
static void the_same_event_sent_again_with_a_new_time_is_one(void **state)
{
	in_either_order(*state, "SD-1", 9000, it_is_one);
}

/* -- what is applied, and named -- */

/* Three missions, of which two say the same: whoever takes another's id hides nothing of it. */
static void missions_that_share_an_id_are_named(void **state)
{
	static const unsigned orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}};
	struct world *w = *state;
	struct sender s[3] = {world_sender(w, "CN-AA-EMB"), world_sender(w, "CN-MM-EMB"),
			      world_sender(w, "CN-ZZ-EMB")};
	struct sent *sent[3] = {open_case(&s[0], 7, "AA-1", 50), open_case(&s[1], 7, "ZZ-1", 100),
				open_case(&s[2], 7, "ZZ-1", 100)};
	struct vl_digest digests[4];

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		world_start_over(w);
		for (unsigned j = 0; j < 3; j++)
			bring(w, sent[orders[i][j]]);
		assert_int_equal(CASES(w, "AA-1"), 1);
		assert_int_equal(CASES(w, "ZZ-1"), 1);
		for (unsigned j = 0; j < 3; j++) {
			assert_int_equal(world_standing(w, s[j].id).shared, 1);
			assert_int_equal(world_standing(w, s[j].id).unread, 0);
		}
		assert_true(letters(w, "id_reused") > 0);
		digests[i] = world_digest(w);
		assert_digest_equal(digests[i], digests[0]);
		rebuild_changes_nothing(w, LANE);
	}
}

/* One mission's case and its crisis: each lane has its own, and says so. */
static void lanes_that_share_an_id_are_named(void **state)
{
	struct world *w = *state;
	struct sender a = world_sender(w, "CN-SD-EMB"), b = a;
	struct sent *sent[2] = {open_case(&a, 7, "SD-1", 100), declare(&b, 7, "SD", 100)};
	struct vl_digest digests[2][2];
	size_t evacuations = (size_t)vl_view_of_lane(EVACUATIONS, strlen(EVACUATIONS));

	for (unsigned first = 0; first < 2; first++) {
		world_start_over(w);
		bring(w, sent[first]);
		assert_int_equal(letters(w, "id_reused"), 0);
		bring(w, sent[1 - first]);
		assert_int_equal(CASES(w, "SD-1"), 1);
		assert_int_equal(facts_of(w, EVACUATIONS, "crisis", "SD"), 1);
		assert_int_equal(standing_on(w, a.id, LANE).shared, 1);
		assert_int_equal(standing_on(w, a.id, EVACUATIONS).shared, 1);
		assert_int_equal(letters(w, "id_reused"), 1);
		listed(w, "", "shared ids");
		listed(w, "", LANE " 1 with ids of other events");
		listed(w, "-o json", "\"sharedIds\":2");
		digests[0][first] = world_digest(w);
		digests[1][first] = world_digest_of(w, evacuations);
		rebuild_changes_nothing(w, LANE);
		rebuild_changes_nothing(w, EVACUATIONS);
		assert_int_equal(standing_on(w, a.id, LANE).shared, 1);
	}
	assert_digest_equal(digests[0][0], digests[0][1]);
	assert_digest_equal(digests[1][0], digests[1][1]);
}

/* Another's ids, all in one batch: what that writes grows with the batch, and the other is counted
 * once for each event. */
static void many_shared_ids_are_one_letter(void **state)
{
	struct world *w = *state;
	struct sender thief = world_sender(w, "CN-AA-EMB"), again = world_sender(w, "CN-BB-EMB");
	struct sender honest = world_sender(w, "CN-ZZ-EMB");
	Consular__Case__V1__CaseOpened opened = CONSULAR__CASE__V1__CASE_OPENED__INIT;
	struct vl_buf events[3][64] = {{{0}}};
	struct sender *senders[3] = {&honest, &thief, &again};

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j < 64; j++)
			put_event(&events[i][j], j + 1, senders[i]->id, 100, &opened.base, 0);
		bring(w, sign_batch_on(senders[i], LANE, events[i], 64));
		for (unsigned j = 0; j < 64; j++)
			vl_buf_free(&events[i][j]);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(world_standing(w, senders[i]->id).shared, 64);
		assert_int_equal(CASES(w, senders[i]->id), 64);
	}
	assert_int_equal(world_count(w, VL_DB_DEAD), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_id_of_zeros_or_ones_names_nothing),
		TEST(a_senders_id_is_not_used_again),
		TEST(the_earliest_place_stands_and_the_other_is_named),
		TEST(the_same_event_sent_again_with_a_new_time_is_one),
		TEST(missions_that_share_an_id_are_named),
		TEST(lanes_that_share_an_id_are_named),
		TEST(many_shared_ids_are_one_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

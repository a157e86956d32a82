/* hq/ingest/pulse.h, pulse_tail.h, pulse_board.h: which pulse is kept, when a tail is missing
 * and when not, and who is silent. */
#include "hq_pulse_world.h"

struct place {
	struct world world;
	struct sender sd, eg;           /* on the lane of cases */
	struct sender sd_beat, eg_beat; /* on that of pulses */
	uint64_t ids;
};

static int setup(void **state)
{
	struct place *p = world_new(sizeof(*p));

	p->sd = p->sd_beat = world_sender(&p->world, "CN-SD-EMB");
	p->eg = p->eg_beat = world_sender(&p->world, "HQ");
	*state = p;
	return 0;
}

static void pass(struct place *p, int64_t seconds)
{
	p->world.later_ms += seconds * 1000;
}

static struct vl_standing beats_standing(struct place *p)
{
	struct vl_txn *txn = vl_txn_begin(p->world.store, false, NULL);
	struct vl_standing standing = vl_standing_get(txn, "CN-SD-EMB", VL_PULSE_LANE);

	vl_txn_abort(txn);
	return standing;
}

/* The sequence number and the hour of the pulse that is kept; 0 where there is none, or it is
 * damaged. */
static uint64_t kept(struct place *p, int64_t *at_ms)
{
	struct vl_pulse_kept pulse = {0};
	struct vl_txn *txn = vl_txn_begin(p->world.store, false, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	enum vl_err err = vl_pulse_get(txn, "CN-SD-EMB", arena, &pulse);

	vl_arena_close(arena);
	vl_txn_abort(txn);
	if (at_ms != NULL)
		*at_ms = pulse.at_ms;
	return err == VL_OK ? pulse.head.seq.n : 0;
}

/* -- which is kept -- */

static void the_newest_is_kept_and_nothing_else(void **state)
{
	struct place *p = *state;
	struct sent *sent[4];
	int64_t first, again;

	for (size_t i = 0; i < 4; i++) {
		sent[i] = beat(&p->sd_beat, NULL, 0);
		bring(&p->world, sent[i]);
	}
	assert_int_equal(kept(p, &first), 4);
	assert_int_equal(world_count(&p->world, VL_DB_PULSE), 1);
	assert_int_equal(world_count(&p->world, VL_DB_ARCHIVE), 0);
	assert_int_equal(world_count(&p->world, VL_DB_CHAIN), 0);
	/* An old one sent again is no sign of life. */
	pass(p, 1000);
	for (size_t i = 0; i < 4; i++)
		bring(&p->world, sent[i]);
	assert_int_equal(kept(p, &again), 4);
	assert_int_equal(first, again);
	struct vl_standing s = beats_standing(p);
	assert_int_equal(s.replayed, 4);
	assert_int_equal(s.batches, 4);
	assert_int_equal(s.forks + s.rollbacks + s.parked, 0);
}

/* Kafka lost some; they stood by themselves. */
static void a_lost_pulse_is_no_gap(void **state)
{
	struct place *p = *state;
	struct sent *sent[5];

	for (size_t i = 0; i < 5; i++)
		sent[i] = beat(&p->sd_beat, NULL, 0);
	bring(&p->world, sent[2]);
	bring(&p->world, sent[4]);
	assert_int_equal(kept(p, NULL), 5);
	for (size_t i = 0; i < 5; i++)
		bring(&p->world, sent[i]);
	assert_int_equal(kept(p, NULL), 5);
	assert_verdict(&p->world, "CN-SD-EMB", VL_PULSE_LANE, VL_VERDICT_OK);
	assert_int_equal(beats_standing(p).replayed, 5);
}

static void a_contradiction_is_a_fork(void **state)
{
	struct place *p = *state;

	for (unsigned way = 0; way < 3; way++) {
		/* Another pulse for the place after, of, or before the newest one. */
		bring_beat(&p->world, &p->sd_beat, NULL, 0);
		struct sender clone = p->sd_beat;
		for (unsigned i = 0; i < way; i++)
			bring_beat(&p->world, &p->sd_beat, NULL, 0);
		clone.head.bytes[0] ^= 1;
		struct sent *other = beat(&clone, NULL, 0);
		bring(&p->world, other);
		bring(&p->world, other);
		assert_int_equal(beats_standing(p).forks, way + 1);
		assert_int_equal(beats_standing(p).replayed, way + 1);
		assert_int_equal(world_count(&p->world, VL_DB_EVIDENCE), way + 1);
	}
	assert_verdict(&p->world, "CN-SD-EMB", VL_PULSE_LANE, VL_VERDICT_FORK);
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_FORK);
}

static void an_epoch_that_forgets_is_a_rollback(void **state)
{
	struct place *p = *state;

	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	sender_begin_epoch(&p->sd_beat, p->sd_beat.epoch.n + 1);
	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
	sender_begin_epoch(&p->sd_beat, p->sd_beat.epoch.n + 1);
	p->sd_beat.head = (struct vl_digest){0};
	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	assert_verdict(&p->world, "CN-SD-EMB", VL_PULSE_LANE, VL_VERDICT_ROLLBACK);
	assert_int_equal(kept(p, NULL), 1);
}

/* What nobody here can read is a dead letter, and the pulse before stays. */
static void an_unreadable_pulse_is_buried(void **state)
{
	struct place *p = *state;
	Consular__Alert__V1__AlertSubmitted other = CONSULAR__ALERT__V1__ALERT_SUBMITTED__INIT;

	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	bring(&p->world,
	      sign_event_on(&p->sd_beat, VL_PULSE_LANE, 0, "CN-SD-EMB", 100, &other.base, 0));
	assert_int_equal(kept(p, NULL), 1);
	assert_int_equal(world_count(&p->world, VL_DB_DEAD), 1);
	assert_int_equal(beats_standing(p).unread, 1);
	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	assert_int_equal(kept(p, NULL), 3);
}

/* LMDB has no checksums: a damaged one is none, and the next takes its place. */
static void a_damaged_pulse_is_none(void **state)
{
	struct place *p = *state;
	struct vl_key key = {0};
	struct vl_bytes stored;
	struct vl_buf copy = {0};

	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	struct vl_txn *txn = vl_txn_begin(p->world.store, true, NULL);
	vl_key_text(&key, "CN-SD-EMB");
	assert_true(vl_txn_get(txn, VL_DB_PULSE, vl_key_done(&key), &stored));
	vl_buf_put(&copy, stored.data, stored.size);
	copy.data[copy.size - 3] ^= 4;
	vl_txn_put(txn, VL_DB_PULSE, vl_key_done(&key), vl_buf_bytes(&copy));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	assert_int_equal(kept(p, NULL), 0);
	assert_false(ask_board(&p->world, "CN-SD-EMB", NULL).pulses);
	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	assert_int_equal(kept(p, NULL), 2);
	vl_buf_free(&copy);
}

static void count_moved(void *context, const char *mission, const char *lane, struct vl_epoch epoch)
{
	(void)mission, (void)lane, (void)epoch;
	++*(unsigned *)context;
}

static void nobody_gives_receipts_for_it(void **state)
{
	struct place *p = *state;
	unsigned moved = 0;

	vl_apply_watch(p->world.applier, count_moved, &moved);
	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	assert_int_equal(moved, 0);
}

/* -- cut tails -- */

/* Three batches and a pulse that says Kafka has acked them all; the first `come` of them come. */
static void send_three(struct place *p, struct sent *sent[3], unsigned come)
{
	for (unsigned i = 0; i < 3; i++) {
		sent[i] = open_case(&p->sd, ++p->ids, "SD-1", 100);
		if (i < come)
			bring(&p->world, sent[i]);
	}
	Valise__Pulse__V1__Pulse__Head head = head_of(&p->sd, LANE, 3);
	bring_beat(&p->world, &p->sd_beat, &head, 1);
}

static void a_tail_is_missing_once_all_is_read(void **state)
{
	struct place *p = *state;
	struct vl_tails *tails = vl_tails_open(p->world.store);
	struct sent *sent[3];
	bool done;

	send_three(p, sent, 1);
	/* Headquarters is behind: suspect, and no more. */
	assert_true(vl_tails_suspect(tails));
	struct vl_position ends[] = {{LANE, 0, applied_to(&p->world, LANE) + 1}, {LANE, 1, 0}};
	assert_int_equal(vl_tails_judge(tails, ends, 2, &done, NULL), VL_OK);
	assert_false(done);
	assert_verdict(&p->world, "CN-SD-EMB", LANE, VL_VERDICT_OK);
	/* Another record came to that end, and it was none of these. */
	bring(&p->world, open_case(&p->eg, ++p->ids, "EG-1", 100));
	assert_int_equal(vl_tails_judge(tails, ends, 2, &done, NULL), VL_OK);
	assert_true(done);
	struct asked asked = ask_board(&p->world, "CN-SD-EMB", LANE);
	assert_int_equal(asked.verdict, VL_VERDICT_GAP);
	assert_int_equal(asked.missing.epoch.n, 1000);
	assert_int_equal(asked.missing.from.n, 2);
	assert_int_equal(asked.missing.to.n, 3);
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_GAP);
	assert_verdict(&p->world, "HQ", NULL, VL_VERDICT_OK);
	/* It is known now. The next pulses change nothing, nor does a restart. */
	assert_false(vl_tails_suspect(tails));
	vl_tails_close(tails);
	Valise__Pulse__V1__Pulse__Head head = head_of(&p->sd, LANE, 3);
	bring_beat(&p->world, &p->sd_beat, &head, 1);
	assert_verdict(&p->world, "CN-SD-EMB", LANE, VL_VERDICT_GAP);
	world_close_ledger(&p->world);
	world_open_ledger(&p->world);
	assert_verdict(&p->world, "CN-SD-EMB", LANE, VL_VERDICT_GAP);
	/* What is sent again makes it smaller, and then none. */
	bring(&p->world, sent[1]);
	assert_int_equal(ask_board(&p->world, "CN-SD-EMB", LANE).missing.from.n, 3);
	bring(&p->world, sent[2]);
	asked = ask_board(&p->world, "CN-SD-EMB", LANE);
	assert_int_equal(asked.verdict, VL_VERDICT_OK);
	assert_int_equal(asked.missing.to.n, 0);
}

/* What comes while the ends are asked for is not missing. */
static void what_comes_meanwhile_is_not_missing(void **state)
{
	struct place *p = *state;
	struct vl_tails *tails = vl_tails_open(p->world.store);
	struct sent *sent[3];
	bool done;

	send_three(p, sent, 1);
	assert_true(vl_tails_suspect(tails));
	struct vl_position ends[] = {{LANE, 0, p->world.offset + 2}};
	bring(&p->world, sent[1]);
	assert_int_equal(vl_tails_judge(tails, ends, 1, &done, NULL), VL_OK);
	assert_false(done);
	bring(&p->world, sent[2]);
	assert_int_equal(vl_tails_judge(tails, ends, 1, &done, NULL), VL_OK);
	assert_true(done);
	assert_int_equal(world_count(&p->world, VL_DB_MISSING), 0);
	vl_tails_close(tails);
}

/* A lane that could not be asked is not judged, nor is what waits behind a gap; that says itself
 * what is missing. */
static void no_tail_is_judged_in_the_dark(void **state)
{
	struct place *p = *state;
	struct vl_tails *tails = vl_tails_open(p->world.store);
	struct vl_position other = {ALERT_LANE, 0, 0};
	struct sent *sent[3];
	bool done;

	send_three(p, sent, 0);
	assert_true(vl_tails_suspect(tails));
	assert_int_equal(vl_tails_judge(tails, &other, 1, &done, NULL), VL_OK);
	assert_true(done);
	assert_verdict(&p->world, "CN-SD-EMB", LANE, VL_VERDICT_OK);
	bring(&p->world, sent[2]);
	assert_false(vl_tails_suspect(tails));
	struct asked asked = ask_board(&p->world, "CN-SD-EMB", LANE);
	assert_int_equal(asked.verdict, VL_VERDICT_GAP);
	assert_int_equal(asked.missing.epoch.n, 1000);
	assert_int_equal(asked.missing.from.n, 1);
	assert_int_equal(asked.missing.to.n, 2);
	assert_int_equal(world_count(&p->world, VL_DB_MISSING), 0);
	vl_tails_close(tails);
}

/* Nothing of it has come at all: the lane is known by the pulse alone. */
static void a_lane_that_never_came_is_missing(void **state)
{
	struct place *p = *state;
	struct sent *sent[3];

	send_three(p, sent, 0);
	judge_tails(&p->world);
	struct asked asked = ask_board(&p->world, "CN-SD-EMB", LANE);
	assert_true(asked.found);
	assert_int_equal(asked.verdict, VL_VERDICT_GAP);
	assert_int_equal(asked.missing.from.n, 1);
	assert_int_equal(asked.missing.to.n, 3);
}

/* What a fork holds up is there, as evidence. */
static void what_lies_behind_a_fork_is_not_missing(void **state)
{
	struct place *p = *state;
	struct sender thief = p->sd;
	struct sent *sent[3];

	bring(&p->world, open_case(&thief, 66, "SD-6", 100));
	send_three(p, sent, 3);
	struct vl_tails *tails = vl_tails_open(p->world.store);
	assert_false(vl_tails_suspect(tails));
	vl_tails_close(tails);
	assert_verdict(&p->world, "CN-SD-EMB", LANE, VL_VERDICT_FORK);
}

/* Of lanes that headquarters does not read, and of what Kafka has not acked, nothing is said. */
static void only_what_it_reads_and_kafka_had(void **state)
{
	struct place *p = *state;
	struct sender receipts = p->sd;

	(void)open_case(&p->sd, ++p->ids, "SD-1", 100);
	receipts.seq = 9;
	Valise__Pulse__V1__Pulse__Head heads[] = {head_of(&receipts, "valise.receipt.v1", 9),
						  head_of(&p->sd, LANE, 0),
						  head_of(&receipts, "no.such.lane", 9)};
	bring_beat(&p->world, &p->sd_beat, heads, 3);
	struct vl_tails *tails = vl_tails_open(p->world.store);
	assert_false(vl_tails_suspect(tails));
	vl_tails_close(tails);
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
	assert_false(ask_board(&p->world, "CN-SD-EMB", "no.such.lane").found);
}

/* -- the board -- */

static void three_intervals_without_a_word_are_silence(void **state)
{
	struct place *p = *state;

	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	bring_beat(&p->world, &p->eg_beat, NULL, 0);
	pass(p, VL_BOARD_INTERVALS * EVERY - 1);
	bring_beat(&p->world, &p->eg_beat, NULL, 0);
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
	pass(p, 2);
	bring_beat(&p->world, &p->eg_beat, NULL, 0);
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_SILENT);
	assert_verdict(&p->world, "CN-SD-EMB", VL_PULSE_LANE, VL_VERDICT_SILENT);
	assert_verdict(&p->world, "HQ", NULL, VL_VERDICT_OK);
	/* Any word will do. */
	bring(&p->world, open_case(&p->sd, ++p->ids, "SD-1", 100));
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
	assert_int_equal(ask_board(&p->world, "CN-SD-EMB", NULL).waiting, 4);
}

/* Headquarters was away, or is behind: nobody is silent for that, and it says that it hears
 * nothing itself. */
static void nobody_is_silent_to_a_deaf_headquarters(void **state)
{
	struct place *p = *state;
	struct vl_txn *txn;

	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	bring_beat(&p->world, &p->eg_beat, NULL, 0);
	for (unsigned round = 0; round < 2; round++) {
		pass(p, round * 86400);
		txn = vl_txn_begin(p->world.store, false, NULL);
		assert_int_equal(
			vl_board_deaf(txn, vl_time_from_ms(1700000000000 + p->world.later_ms)),
			round);
		vl_txn_abort(txn);
		assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
		assert_verdict(&p->world, "HQ", NULL, VL_VERDICT_OK);
		assert_int_equal(ask_board(&p->world, "HQ", NULL).overdue, round);
	}
	/* The backlog of another lane is read first: what is measured is the lane of pulses. */
	bring(&p->world, open_case(&p->eg, ++p->ids, "EG-1", 100));
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
}

/* One partition of the lane of pulses may be read before another: each measures its own
 * missions. */
static void a_partition_read_late_makes_nobody_silent(void **state)
{
	struct place *p = *state;

	bring_beat(&p->world, &p->sd_beat, NULL, 0);
	for (unsigned partition = 1; partition < 2; partition--) {
		pass(p, 86400);
		struct sent *sent = beat(&p->eg_beat, NULL, 0);
		sent->record.partition = (int32_t)partition;
		bring(&p->world, sent);
		assert_verdict(&p->world, "CN-SD-EMB", NULL,
			       partition == 1 ? VL_VERDICT_OK : VL_VERDICT_SILENT);
	}
}

static void who_never_sent_a_pulse_is_not_silent(void **state)
{
	struct place *p = *state;

	bring(&p->world, open_case(&p->sd, ++p->ids, "SD-1", 100));
	pass(p, 1000000);
	bring_beat(&p->world, &p->eg_beat, NULL, 0);
	struct asked asked = ask_board(&p->world, "CN-SD-EMB", NULL);
	assert_int_equal(asked.verdict, VL_VERDICT_OK);
	assert_false(asked.pulses);
	assert_false(asked.overdue);
	assert_int_equal(asked.heard_ms, 1700000000000);
}

/* The pulse names another batch for the place of the one that came: somebody else has the key. */
static void a_pulse_that_names_another_batch_is_a_fork(void **state)
{
	struct place *p = *state;
	struct sender thief = p->sd;

	(void)open_case(&p->sd, 1, "SD-1", 100); /* never comes */
	bring(&p->world, open_case(&thief, 66, "SD-6", 100));
	assert_verdict(&p->world, "CN-SD-EMB", NULL, VL_VERDICT_OK);
	Valise__Pulse__V1__Pulse__Head head = head_of(&p->sd, LANE, 0);
	bring_beat(&p->world, &p->sd_beat, &head, 1);
	assert_verdict(&p->world, "CN-SD-EMB", LANE, VL_VERDICT_FORK);
	assert_verdict(&p->world, "CN-SD-EMB", VL_PULSE_LANE, VL_VERDICT_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_newest_is_kept_and_nothing_else),
		TEST(a_lost_pulse_is_no_gap),
		TEST(a_contradiction_is_a_fork),
		TEST(an_epoch_that_forgets_is_a_rollback),
		TEST(an_unreadable_pulse_is_buried),
		TEST(a_damaged_pulse_is_none),
		TEST(nobody_gives_receipts_for_it),
		TEST(a_tail_is_missing_once_all_is_read),
		TEST(what_comes_meanwhile_is_not_missing),
		TEST(no_tail_is_judged_in_the_dark),
		TEST(a_lane_that_never_came_is_missing),
		TEST(what_lies_behind_a_fork_is_not_missing),
		TEST(only_what_it_reads_and_kafka_had),
		TEST(three_intervals_without_a_word_are_silence),
		TEST(nobody_is_silent_to_a_deaf_headquarters),
		TEST(a_partition_read_late_makes_nobody_silent),
		TEST(who_never_sent_a_pulse_is_not_silent),
		TEST(a_pulse_that_names_another_batch_is_a_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

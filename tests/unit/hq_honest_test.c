/* Honest runs at random: missions that publish, send late, send again and change their keys, a
 * headquarters that reads its lanes one ahead of another, is away, crashes and comes back. Never
 * is anything but `ok` said of anybody. */
#include "hq_pulse_world.h"

#define MISSIONS 4
#define STEPS 1500
#define STEP_MS 5000 /* at most */
/* a pulse is in Kafka within this of the one before: less than three intervals */
#define LATE_MS 150000
#define MADE 2000
#define LOG 8000

enum lane { CASES, ALERTS, PULSES, LANES };
static const char *const lanes[LANES] = {LANE, ALERT_LANE, VL_PULSE_LANE};
static const char *const ids[MISSIONS] = {"CN-AA-EMB", "CN-SD-EMB", "CN-TH-EMB", "HQ"};

/* One lane of one mission's outbox: what was made, and how much of it Kafka has acked. */
struct outbox {
	struct sender chain;
	struct sent *made[MADE];
	size_t n_made, n_acked;
	uint64_t acked_epoch, acked_seq;
};

/* A topic of one partition. */
struct topic {
	struct {
		const struct sent *sent;
		int64_t at_ms;
	} log[LOG];
	size_t n;
	int64_t next; /* what headquarters reads next */
};

struct run {
	struct world world;
	struct outbox boxes[MISSIONS][LANES];
	struct topic topics[LANES];
	int64_t now_ms, beaten_ms[MISSIONS], sent_ms[MISSIONS];
	uint64_t seed, ids;
	struct vl_tails *tails;
	struct vl_position ends[2];
	bool judging;
	unsigned away; /* steps that headquarters is still away */
};

static uint64_t below(struct run *r, uint64_t end)
{
	return next_random(&r->seed) % end;
}

/* -- missions -- */

static void append(struct run *r, enum lane lane, const struct sent *sent)
{
	struct topic *topic = &r->topics[lane];

	assert_true(topic->n < LOG);
	topic->log[topic->n].sent = sent;
	topic->log[topic->n++].at_ms = r->now_ms;
}

static void made(struct outbox *box, struct sent *sent)
{
	assert_true(box->n_made < MADE);
	box->made[box->n_made++] = sent;
}

static void publish(struct run *r, unsigned m)
{
	enum lane lane = below(r, 2) == 0 ? CASES : ALERTS;
	struct outbox *box = &r->boxes[m][lane];

	if (lane == CASES)
		made(box, open_case(&box->chain, ++r->ids, "SD-1", 100));
	else
		made(box, submit_alert(&box->chain, ++r->ids));
}

static void send_next(struct run *r, unsigned m, enum lane lane)
{
	struct outbox *box = &r->boxes[m][lane];
	struct vl_batch batch;

	if (box->n_acked == box->n_made)
		return;
	const struct sent *sent = box->made[box->n_acked++];
	append(r, lane, sent);
	vl_arena_reset(r->world.arena);
	assert_int_equal(vl_batch_read(sent->record.value, r->world.arena, &batch, NULL), VL_OK);
	box->acked_epoch = batch.head.epoch.n;
	box->acked_seq = batch.head.seq.n;
	if (lane == PULSES)
		r->sent_ms[m] = r->now_ms;
}

/* No receipt came: from somewhere on all is sent again. */
static void send_again(struct run *r, unsigned m)
{
	enum lane lane = (enum lane)below(r, LANES);
	struct outbox *box = &r->boxes[m][lane];

	if (box->n_acked == 0)
		return;
	size_t back = below(r, box->n_acked < 5 ? box->n_acked : 5) + 1;
	for (size_t i = box->n_acked - back; i < box->n_acked; i++)
		append(r, lane, box->made[i]);
}

static void change_key(struct run *r, unsigned m)
{
	for (unsigned lane = 0; lane < LANES; lane++) {
		struct sender *chain = &r->boxes[m][lane].chain;
		if (chain->seq == 0)
			continue;
		sender_begin_epoch(chain, chain->epoch.n + 1);
	}
}

static void make_beat(struct run *r, unsigned m)
{
	Valise__Pulse__V1__Pulse__Head heads[2];

	for (unsigned lane = 0; lane < 2; lane++) {
		const struct outbox *box = &r->boxes[m][lane];
		heads[lane] = head_of(&box->chain, lanes[lane], box->acked_seq);
		heads[lane].acked_epoch = box->acked_epoch;
	}
	made(&r->boxes[m][PULSES], beat(&r->boxes[m][PULSES].chain, heads, 2));
	r->beaten_ms[m] = r->now_ms;
}

static void live(struct run *r, unsigned m)
{
	struct outbox *beats = &r->boxes[m][PULSES];

	if (below(r, 4) == 0)
		publish(r, m);
	for (uint64_t n = below(r, 3); n > 0; n--)
		send_next(r, m, below(r, 2) == 0 ? CASES : ALERTS);
	if (below(r, 60) == 0)
		send_again(r, m);
	if (below(r, 400) == 0)
		change_key(r, m);
	bool waits = beats->n_acked < beats->n_made;
	if (!waits && r->now_ms - r->beaten_ms[m] >= EVERY * 1000)
		make_beat(r, m);
	else if (waits && (below(r, 8) == 0 || r->now_ms - r->sent_ms[m] >= LATE_MS))
		send_next(r, m, PULSES);
}

/* -- headquarters -- */

static void find_positions(struct run *r)
{
	for (unsigned lane = 0; lane < LANES; lane++) {
		int64_t offset = applied_to(&r->world, lanes[lane]);
		r->topics[lane].next = offset > 0 ? offset : 0;
	}
}

static void read_one(struct run *r, enum lane lane)
{
	struct topic *topic = &r->topics[lane];
	struct vl_verified verified = {0};

	if ((size_t)topic->next == topic->n)
		return;
	struct vl_record record = topic->log[topic->next].sent->record;
	record.offset = topic->next;
	record.timestamp_ms = topic->log[topic->next++].at_ms;
	vl_arena_reset(r->world.arena);
	enum vl_err verdict =
		vl_record_verify(&record, r->world.ring, r->world.arena, &verified, NULL);
	assert_int_equal(verdict, VL_OK);
	vl_apply_record(r->world.applier, &record, verdict, &verified, NULL, NULL);
}

/* Some records, of one lane more than of others; now and then it crashes before the commit. */
static void read_some(struct run *r, uint64_t most)
{
	uint64_t favoured = below(r, LANES);

	assert_int_equal(vl_apply_begin(r->world.applier, NULL), VL_OK);
	for (uint64_t n = below(r, most); n > 0; n--)
		read_one(r, (enum lane)(below(r, 3) > 0 ? favoured : below(r, LANES)));
	if (below(r, 30) == 0) {
		vl_apply_abort(r->world.applier);
		find_positions(r);
	} else {
		assert_int_equal(vl_apply_commit(r->world.applier, NULL), VL_OK);
	}
}

static void watch_tails(struct run *r)
{
	bool done;

	if (!r->judging && vl_tails_suspect(r->tails)) {
		r->judging = true;
		for (unsigned lane = 0; lane < 2; lane++) {
			r->ends[lane] = (struct vl_position){.offset = (int64_t)r->topics[lane].n};
			(void)strcpy(r->ends[lane].topic, lanes[lane]);
		}
	}
	if (!r->judging)
		return;
	assert_int_equal(vl_tails_judge(r->tails, r->ends, 2, &done, NULL), VL_OK);
	r->judging = !done;
}

static void restart(struct run *r)
{
	vl_tails_close(r->tails);
	world_close_ledger(&r->world);
	world_open_ledger(&r->world);
	r->tails = vl_tails_open(r->world.store);
	r->judging = false;
	find_positions(r);
	r->away = (unsigned)below(r, 100);
}

static void note_alarm(void *context, const struct vl_mission_state *state)
{
	const struct vl_mission_state **alarm = context;

	if (state->verdict == VL_VERDICT_OK)
		return;
	for (size_t i = 0; i < state->n_lanes; i++)
		if (state->lanes[i].verdict != VL_VERDICT_OK)
			print_error("%s on %s: %s\n", state->mission, state->lanes[i].lane,
				    vl_verdict_name(state->lanes[i].verdict));
	*alarm = state;
}

/* Nobody is anything but ok. */
static bool is_quiet(struct run *r)
{
	const struct vl_mission_state *alarm = NULL;
	struct vl_txn *txn = vl_txn_begin(r->world.store, false, NULL);

	assert_non_null(txn);
	assert_int_equal(vl_board_each(txn, vl_time_from_ms(r->now_ms), note_alarm, &alarm), VL_OK);
	vl_txn_abort(txn);
	return alarm == NULL;
}

/* -- a run -- */

static void open_run(struct run *r, uint64_t seed)
{
	*r = (struct run){.seed = seed * 2654435761u + 1, .now_ms = 1700000000000};
	world_open(&r->world);
	for (unsigned m = 0; m < MISSIONS; m++) {
		struct sender mission = world_sender(&r->world, ids[m]);
		for (unsigned lane = 0; lane < LANES; lane++)
			r->boxes[m][lane].chain = mission;
	}
	r->tails = vl_tails_open(r->world.store);
}

static void close_run(struct run *r)
{
	vl_tails_close(r->tails);
	world_close(&r->world);
}

static bool step(struct run *r)
{
	r->now_ms += (int64_t)below(r, STEP_MS + 1);
	for (unsigned m = 0; m < MISSIONS; m++)
		live(r, m);
	if (r->away > 0) {
		r->away--;
		return is_quiet(r);
	}
	read_some(r, 12);
	watch_tails(r);
	if (below(r, 150) == 0)
		restart(r);
	return is_quiet(r);
}

/* In the end everything is read, and all of it is there. */
static void check_end(struct run *r)
{
	for (unsigned lane = 0; lane < LANES; lane++)
		while ((size_t)r->topics[lane].next < r->topics[lane].n)
			read_some(r, 200);
	watch_tails(r);
	watch_tails(r);
	assert_true(is_quiet(r));
	struct vl_txn *txn = vl_txn_begin(r->world.store, false, NULL);
	for (unsigned m = 0; m < MISSIONS; m++)
		for (unsigned lane = 0; lane < LANES; lane++) {
			struct vl_standing s = vl_standing_get(txn, ids[m], lanes[lane]);
			assert_int_equal(s.batches, r->boxes[m][lane].n_acked);
			assert_int_equal(s.forks + s.rollbacks + s.parked + s.unread, 0);
		}
	assert_int_equal(vl_txn_count(txn, VL_DB_MISSING), 0);
	assert_int_equal(vl_txn_count(txn, VL_DB_DEAD), 0);
	vl_txn_abort(txn);
}

static void honest_runs_are_ok(void **state)
{
	struct rounds rounds = rounds_from(2);
	struct run *r = calloc(1, sizeof(*r));

	(void)state;
	assert_non_null(r);
	for (uint64_t seed = rounds.first; seed < rounds.first + rounds.n; seed++) {
		open_run(r, seed);
		for (unsigned i = 0; i < STEPS; i++)
			if (!step(r))
				fail_msg("VALISE_SEED=%llu: a false alarm at step %u",
					 (unsigned long long)seed, i);
		check_end(r);
		close_run(r);
	}
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(honest_runs_are_ok)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

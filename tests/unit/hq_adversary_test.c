/* Each thing that can be done to what a mission sends, and the verdict it gives: on that mission
 * and lane, and on no other. */
#include "hq_pulse_world.h"

#define MISSIONS 3
#define VICTIM 1
#define BATCHES 6

enum lane { CASES, ALERTS, PULSES, LANES };
static const char *const lanes[LANES] = {LANE, ALERT_LANE, VL_PULSE_LANE};
static const char *const ids[MISSIONS] = {"CN-AA-EMB", "CN-SD-EMB", "HQ"};

/* A case of the table: what happens to the batches of the victim's lane of cases, and what is to
 * be seen there. */
struct attack {
	const char *name;
	void (*strike)(struct world *w, struct sender *victim, struct sent **sent);
	enum vl_verdict verdict;
	uint64_t from, to; /* what is named as missing; 0 for nothing */
	uint64_t dead;     /* letters */
	bool mute;         /* the victim sends no pulse afterwards */
};

/* -- the attacks: `sent` are the victim's batches 1 to BATCHES, of which none has come -- */

static void bring_but(struct world *w, struct sent **sent, unsigned first, unsigned end,
		      unsigned but)
{
	for (unsigned i = first; i < end; i++)
		if (i != but)
			bring(w, sent[i]);
}

static void nothing(struct world *w, struct sender *victim, struct sent **sent)
{
	(void)victim;
	bring_but(w, sent, 0, BATCHES, BATCHES);
}

static void drop(struct world *w, struct sender *victim, struct sent **sent)
{
	(void)victim;
	bring_but(w, sent, 0, BATCHES, 2);
}

static void reorder(struct world *w, struct sender *victim, struct sent **sent)
{
	static const unsigned order[BATCHES] = {2, 0, 5, 1, 4, 3};

	(void)victim;
	for (unsigned i = 0; i < BATCHES; i++)
		bring(w, sent[order[i]]);
}

/* With the victim's name, and another's key. */
static void insert_without_key(struct world *w, struct sender *victim, struct sent **sent)
{
	struct sender forger = world_stranger(w, victim->id);

	bring_but(w, sent, 0, 3, BATCHES);
	forger.seq = 3;
	forger.next_event = 4;
	forger.head = vl_batch_digest(sent[2]->record.value);
	bring(w, open_case(&forger, 900, "SD-9", 100));
	bring_but(w, sent, 3, BATCHES, BATCHES);
}

/* With the key that was stolen: the chain as it stood behind batch `n`. */
static struct sender stolen(const struct sender *victim, struct sent **sent, unsigned n)
{
	struct sender thief = *victim;

	thief.seq = n;
	thief.next_event = n + 1;
	thief.head = vl_batch_digest(sent[n - 1]->record.value);
	return thief;
}

static void insert_with_key(struct world *w, struct sender *victim, struct sent **sent)
{
	struct sender thief = stolen(victim, sent, 3);

	bring_but(w, sent, 0, 3, BATCHES);
	bring(w, open_case(&thief, 900, "SD-9", 100));
	bring_but(w, sent, 3, BATCHES, BATCHES);
}

/* In the place of the last, which never comes: the victim's pulse names another one. */
static void replace_tail(struct world *w, struct sender *victim, struct sent **sent)
{
	struct sender thief = stolen(victim, sent, BATCHES - 1);

	bring_but(w, sent, 0, BATCHES, BATCHES - 1);
	bring(w, open_case(&thief, 900, "SD-9", 100));
}

static void alter(struct world *w, struct sender *victim, struct sent **sent, unsigned which)
{
	(void)victim;
	sent[which]->value.data[sent[which]->value.size - 2] ^= 1;
	bring_but(w, sent, 0, BATCHES, BATCHES);
	sent[which]->value.data[sent[which]->value.size - 2] ^= 1;
}

static void alter_middle(struct world *w, struct sender *victim, struct sent **sent)
{
	alter(w, victim, sent, 3);
}

static void alter_tail(struct world *w, struct sender *victim, struct sent **sent)
{
	alter(w, victim, sent, BATCHES - 1);
}

static void cut_tail(struct world *w, struct sender *victim, struct sent **sent)
{
	(void)victim;
	bring_but(w, sent, 0, 4, BATCHES);
}

static void cut_all(struct world *w, struct sender *victim, struct sent **sent)
{
	(void)w, (void)victim, (void)sent;
}

static void replay(struct world *w, struct sender *victim, struct sent **sent)
{
	nothing(w, victim, sent);
	bring(w, sent[BATCHES - 1]);
	nothing(w, victim, sent);
	bring(w, sent[0]);
}

/* A clone of the mission goes on beside it. */
static void fork_chain(struct world *w, struct sender *victim, struct sent **sent)
{
	struct sender clone = stolen(victim, sent, 4);

	nothing(w, victim, sent);
	bring(w, open_case(&clone, 900, "SD-9", 100));
	bring(w, open_case(&clone, 901, "SD-9", 101));
}

/* An outbox restored from a copy that knew batch 4, with an agent that does not notice. */
static void restore_unnoticed(struct world *w, struct sender *victim, struct sent **sent)
{
	struct sender restored = stolen(victim, sent, 4);

	nothing(w, victim, sent);
	bring(w, open_case(&restored, 900, "SD-9", 100));
}

/* The same with one that notices and begins an epoch, and an outbox that was lost with all it
 * knew. */
static void restore_noticed(struct world *w, struct sender *victim, struct sent **sent)
{
	struct sender restored = stolen(victim, sent, 4);

	nothing(w, victim, sent);
	sender_begin_epoch(&restored, restored.epoch.n + 1000);
	bring(w, open_case(&restored, 900, "SD-9", 100));
	*victim = restored;
}

static void lose_outbox(struct world *w, struct sender *victim, struct sent **sent)
{
	nothing(w, victim, sent);
	sender_begin_epoch(victim, victim->epoch.n + 1000);
	victim->head = (struct vl_digest){0};
	bring(w, open_case(victim, 900, "SD-9", 100));
}

/* -- the table -- */

static const struct attack attacks[] = {
	{"nothing", nothing, VL_VERDICT_OK, 0, 0, 0, false},
	{"drop", drop, VL_VERDICT_GAP, 3, 3, 0, false},
	{"reorder", reorder, VL_VERDICT_OK, 0, 0, 0, false},
	{"insert without the key", insert_without_key, VL_VERDICT_OK, 0, 0, 1, false},
	{"insert with the key", insert_with_key, VL_VERDICT_FORK, 0, 0, 0, false},
	{"replace the tail with the key", replace_tail, VL_VERDICT_FORK, 0, 0, 0, false},
	{"alter one in the middle", alter_middle, VL_VERDICT_GAP, 4, 4, 1, false},
	{"alter the last", alter_tail, VL_VERDICT_GAP, 6, 6, 1, false},
	{"cut the tail", cut_tail, VL_VERDICT_GAP, 5, 6, 0, false},
	{"cut all of it", cut_all, VL_VERDICT_GAP, 1, 6, 0, false},
	{"replay", replay, VL_VERDICT_OK, 0, 0, 0, false},
	{"fork", fork_chain, VL_VERDICT_FORK, 0, 0, 0, false},
	{"restore an old outbox, unnoticed", restore_unnoticed, VL_VERDICT_FORK, 0, 0, 0, false},
	{"restore an old outbox, noticed", restore_noticed, VL_VERDICT_ROLLBACK, 0, 0, 0, false},
	{"lose the outbox", lose_outbox, VL_VERDICT_ROLLBACK, 0, 0, 0, false},
	{"silence", nothing, VL_VERDICT_SILENT, 0, 0, 0, true},
};

struct scene {
	struct world world;
	struct sender chains[MISSIONS][LANES];
	struct sent *sent[MISSIONS][LANES][BATCHES];
	uint64_t ids;
};

static void open_scene(struct scene *s)
{
	*s = (struct scene){0};
	world_open(&s->world);
	for (unsigned m = 0; m < MISSIONS; m++) {
		struct sender mission = world_sender(&s->world, ids[m]);
		for (unsigned lane = 0; lane < LANES; lane++)
			s->chains[m][lane] = mission;
		for (unsigned i = 0; i < BATCHES; i++) {
			s->sent[m][CASES][i] =
				open_case(&s->chains[m][CASES], ++s->ids, "SD-1", 100);
			s->sent[m][ALERTS][i] = submit_alert(&s->chains[m][ALERTS], ++s->ids);
		}
	}
}

/* What each mission believes: Kafka has all it made. */
static void beat_all(struct scene *s, int but)
{
	for (int m = 0; m < MISSIONS; m++) {
		struct sender *chains = s->chains[m];
		Valise__Pulse__V1__Pulse__Head heads[] = {
			head_of(&chains[CASES], LANE, chains[CASES].seq),
			head_of(&chains[ALERTS], ALERT_LANE, chains[ALERTS].seq)};
		if (m != but)
			bring_beat(&s->world, &chains[PULSES], heads, 2);
	}
}

static void check(struct scene *s, const struct attack *attack)
{
	for (unsigned m = 0; m < MISSIONS; m++)
		for (unsigned lane = 0; lane < LANES; lane++) {
			bool struck = m == VICTIM && (lane == CASES || attack->mute);
			enum vl_verdict wanted = struck ? attack->verdict : VL_VERDICT_OK;
			struct asked asked = ask_board(&s->world, ids[m], lanes[lane]);
			assert_true(asked.found);
			if (asked.verdict != wanted)
				fail_msg("%s: %s on %s is %s, and should be %s", attack->name,
					 lanes[lane], ids[m], vl_verdict_name(asked.verdict),
					 vl_verdict_name(wanted));
			assert_int_equal(asked.missing.from.n, struck ? attack->from : 0);
			assert_int_equal(asked.missing.to.n, struck ? attack->to : 0);
		}
	assert_verdict(&s->world, ids[VICTIM], NULL, attack->verdict);
	assert_int_equal(world_count(&s->world, VL_DB_DEAD), attack->dead);
}

static void run(const struct attack *attack)
{
	struct scene s;

	open_scene(&s);
	beat_all(&s, -1);
	for (unsigned i = 0; i < BATCHES; i++)
		for (unsigned m = 0; m < MISSIONS; m++) {
			bring(&s.world, s.sent[m][ALERTS][i]);
			if (m != VICTIM)
				bring(&s.world, s.sent[m][CASES][i]);
		}
	attack->strike(&s.world, &s.chains[VICTIM][CASES], s.sent[VICTIM][CASES]);
	s.world.later_ms += (VL_BOARD_INTERVALS * EVERY + 1) * 1000;
	beat_all(&s, attack->mute ? VICTIM : -1);
	judge_tails(&s.world);
	check(&s, attack);
	/* What was not struck for good is healed by sending all of it again. */
	if (attack->verdict == VL_VERDICT_GAP) {
		struct attack healed = {attack->name, NULL, VL_VERDICT_OK, 0, 0,
					attack->dead, false};
		nothing(&s.world, NULL, s.sent[VICTIM][CASES]);
		check(&s, &healed);
	}
	world_close(&s.world);
}

static void each_attack_has_its_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		run(&attacks[i]);
}

/* The last pulse of a mission that is gone, sent again and again by another, and one made up
 * without the key. */
static void a_dead_mission_is_not_kept_alive(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	struct sender forger = world_stranger(&s.world, ids[VICTIM]);
	struct sent *last = beat(&s.chains[VICTIM][PULSES], NULL, 0),
		    *forged = beat(&forger, NULL, 0);
	bring(&s.world, last);
	for (unsigned i = 0; i < 5; i++) {
		s.world.later_ms += EVERY * 1000;
		beat_all(&s, VICTIM);
		bring(&s.world, last);
		bring(&s.world, forged);
	}
	assert_verdict(&s.world, ids[VICTIM], NULL, VL_VERDICT_SILENT);
	assert_verdict(&s.world, ids[0], VL_PULSE_LANE, VL_VERDICT_OK);
	world_close(&s.world);
}

/* A restored agent's pulses contradict those from before: seen before it publishes anything. */
static void a_restored_agent_shows_in_its_pulses(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s);
	beat_all(&s, -1);
	struct sender restored = s.chains[VICTIM][PULSES];
	beat_all(&s, -1);
	Valise__Pulse__V1__Pulse__Head head = head_of(&s.chains[VICTIM][ALERTS], ALERT_LANE, 0);
	bring_beat(&s.world, &restored, &head, 1);
	assert_verdict(&s.world, ids[VICTIM], VL_PULSE_LANE, VL_VERDICT_FORK);
	assert_verdict(&s.world, ids[VICTIM], ALERT_LANE, VL_VERDICT_OK);
	assert_verdict(&s.world, ids[0], NULL, VL_VERDICT_OK);
	world_close(&s.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_attack_has_its_verdict),
		cmocka_unit_test(a_dead_mission_is_not_kept_alive),
		cmocka_unit_test(a_restored_agent_shows_in_its_pulses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

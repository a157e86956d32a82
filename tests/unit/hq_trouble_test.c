/* hq/watch/trouble.h and views/trouble.c: a fork or rollback that an officer has acknowledged
 * rests, and any other alarms. */
#include "hq_pulse_world.h"

#include "hq/fold/fold.h"
#include "hq/ledger/evidence.h"
#include "hq/repair/mend_count.h"
#include "hq/watch/trouble.h"
#include "valise/trouble/v1/trouble.pb-c.h"
#include "valise/trouble/v1/view.pb-c.h"

#define TROUBLE_LANE "valise.trouble.v1"
#define MOST 64

struct office {
	struct world world;
	struct sender sd, sd_beat, eg, hq;
	uint64_t ids;
};

static int setup(void **state)
{
	struct office *o = world_new(sizeof(*o));

	o->sd = o->sd_beat = world_sender(&o->world, "CN-SD-EMB");
	o->eg = world_sender(&o->world, "CN-EG-EMB");
	o->hq = world_sender(&o->world, "HQ");
	o->ids = 100;
	*state = o;
	return 0;
}

/* -- what the board says -- */

struct looked {
	const char *lane;
	struct vl_trouble items[MOST];
	size_t count;
	char by[64];
	int64_t at;
	enum vl_verdict rested;
};

static void look(void *context, const struct vl_mission_state *state)
{
	struct looked *l = context;

	for (size_t i = 0; strcmp(state->mission, "CN-SD-EMB") == 0 && i < state->n_lanes; i++) {
		const struct vl_troubles *all = &state->lanes[i].troubles;
		const struct vl_trouble *rested = vl_troubles_rested(all);
		if (strcmp(state->lanes[i].lane, l->lane) != 0)
			continue;
		assert_true(all->count <= MOST);
		for (; l->count < all->count; l->count++)
			l->items[l->count] = all->items[l->count];
		(void)snprintf(l->by, sizeof(l->by), "%s", rested != NULL ? rested->by : "");
		l->at = rested != NULL ? rested->at.seconds : 0;
		l->rested = rested != NULL ? rested->kind : VL_VERDICT_OK;
	}
}

static struct looked troubles(struct office *o, const char *lane)
{
	struct looked looked = {.lane = lane};
	struct vl_txn *txn = vl_txn_begin(o->world.store, false, NULL);

	assert_int_equal(vl_board_each(txn, vl_time_from_ms(1700000000000 + o->world.later_ms),
				       look, &looked),
			 VL_OK);
	vl_txn_abort(txn);
	return looked;
}

/* -- what officers say -- */

/* That `officer` has looked at the first `n` of these. */
static struct sent *say(struct office *o, struct sender *who, const char *officer, const char *lane,
			const struct vl_trouble *items, size_t n)
{
	Valise__Trouble__V1__TroubleAcknowledged event =
		VALISE__TROUBLE__V1__TROUBLE_ACKNOWLEDGED__INIT;
	Valise__Trouble__V1__Trouble said[MOST], *list[MOST];
	struct vl_buf bytes = {0};
	uint8_t id[16] = {9};
	char subject[128];

	for (size_t i = 0; i < n; i++) {
		valise__trouble__v1__trouble__init(&said[i]);
		said[i].kind = items[i].kind == VL_VERDICT_FORK
				       ? VALISE__TROUBLE__V1__TROUBLE_KIND__TROUBLE_KIND_FORK
				       : VALISE__TROUBLE__V1__TROUBLE_KIND__TROUBLE_KIND_ROLLBACK;
		said[i].epoch = items[i].epoch.n;
		said[i].batches = items[i].batches;
		list[i] = &said[i];
	}
	event.mission = (char *)"CN-SD-EMB";
	event.lane = (char *)(uintptr_t)lane;
	event.troubles = list;
	event.n_troubles = n;
	vl_put_be64(id + 8, ++o->ids);
	vl_wire_put_bytes(&bytes, 1, id, sizeof(id));
	(void)snprintf(subject, sizeof(subject), "CN-SD-EMB/%s", lane);
	vl_event_pack(&bytes, subject, officer, (struct vl_time){(int64_t)o->ids, 0}, &event.base);
	struct sent *sent = sign_batch_on(who, TROUBLE_LANE, &bytes, 1);
	vl_buf_free(&bytes);
	return sent;
}

/* All that stands against the mission there. */
static struct sent *acknowledge(struct office *o, struct sender *who, const char *officer,
				const char *lane)
{
	struct looked now = troubles(o, lane);
	struct sent *sent = say(o, who, officer, lane, now.items, now.count);

	bring(&o->world, sent);
	(void)world_work_off(&o->world);
	return sent;
}

static struct sent *bring_case(struct office *o, struct sender *s)
{
	struct sent *sent = open_case(s, ++o->ids, "SD-1", 100);

	bring(&o->world, sent);
	return sent;
}

#define assert_lane(o, lane, wanted) assert_verdict(&(o)->world, "CN-SD-EMB", lane, wanted)

/* -- forks -- */

static void a_fork_rests_until_there_is_another(void **state)
{
	struct office *o = *state;

	(void)bring_case(o, &o->sd);
	struct sender clone = o->sd;
	(void)bring_case(o, &o->sd);
	struct sent *other = bring_case(o, &clone);
	assert_lane(o, LANE, VL_VERDICT_FORK);
	assert_int_equal(troubles(o, LANE).items[0].epoch.n, 1000);
	assert_int_equal(troubles(o, LANE).items[0].batches, 3);
	(void)acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	assert_lane(o, NULL, VL_VERDICT_OK);
	struct looked looked = troubles(o, LANE);
	assert_string_equal(looked.by, "officer:7");
	assert_int_equal(looked.at, o->ids);
	/* It stands all the same, and its epoch stays suspended; what came before is nothing
	 * new. */
	assert_int_equal(world_standing(&o->world, "CN-SD-EMB").forks, 1);
	bring(&o->world, other);
	assert_lane(o, LANE, VL_VERDICT_OK);
	/* Another batch of the epoch, and another epoch that is forked. */
	(void)bring_case(o, &clone);
	assert_lane(o, LANE, VL_VERDICT_FORK);
	(void)acknowledge(o, &o->hq, "officer:8", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	assert_string_equal(troubles(o, LANE).by, "officer:8");
	sender_begin_epoch(&o->sd, 2000);
	clone = o->sd;
	(void)bring_case(o, &o->sd);
	assert_lane(o, LANE, VL_VERDICT_OK);
	(void)bring_case(o, &clone);
	assert_lane(o, LANE, VL_VERDICT_FORK);
	assert_true(troubles(o, LANE).items[0].acknowledged);
	assert_false(troubles(o, LANE).items[1].acknowledged);
}

/* Whichever branch comes first, and whether the acknowledgement comes before or behind: what was
 * acknowledged stays so. */
static void a_rebuild_keeps_it_in_any_order(void **state)
{
	struct office *o = *state;
	struct sent *all[5];

	all[0] = bring_case(o, &o->sd);
	struct sender clone = o->sd;
	all[1] = bring_case(o, &o->sd);
	all[2] = bring_case(o, &o->sd);
	all[3] = bring_case(o, &clone);
	all[4] = acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	static const unsigned orders[][5] = {
		{0, 1, 2, 3, 4}, {4, 0, 3, 1, 2}, {0, 3, 4, 2, 1}, {2, 4, 1, 3, 0}};
	for (size_t i = 0; i < 4; i++) {
		world_start_over(&o->world);
		for (size_t n = 0; n < 5; n++)
			bring(&o->world, all[orders[i][n]]);
		(void)world_work_off(&o->world);
		assert_true(world_standing(&o->world, "CN-SD-EMB").forks > 0);
		assert_lane(o, LANE, VL_VERDICT_OK);
	}
}

/* Of more than is kept the number alone is known: it rests where no more come. */
static void what_was_only_counted_rests_too(void **state)
{
	struct office *o = *state;

	(void)bring_case(o, &o->sd);
	struct sender clone = o->sd;
	clone.seq = 0;
	clone.next_event = 1;
	clone.head = (struct vl_digest){0};
	assert_int_equal(vl_apply_begin(o->world.applier, NULL), VL_OK);
	for (unsigned i = 0; i < VL_EVIDENCE_WHOLE + VL_EVIDENCE_DIGESTS + 5; i++)
		bring_within(&o->world, open_case(&clone, ++o->ids, "SD-1", 100));
	assert_int_equal(vl_apply_commit(o->world.applier, NULL), VL_OK);
	assert_int_equal(troubles(o, LANE).count, 2);
	assert_int_equal(troubles(o, LANE).items[0].batches, 5);
	(void)acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	(void)bring_case(o, &clone);
	assert_lane(o, LANE, VL_VERDICT_FORK);
}

/* -- rollbacks -- */

static struct sent *forget(struct office *o, struct sender *s, uint64_t epoch)
{
	sender_begin_epoch(s, epoch);
	s->head = (struct vl_digest){0};
	return bring_case(o, s);
}

static void a_rollback_rests_until_there_is_another(void **state)
{
	struct office *o = *state;
	struct sent *all[4];

	all[0] = bring_case(o, &o->sd);
	assert_int_equal(troubles(o, LANE).count, 0);
	all[1] = forget(o, &o->sd, 2000);
	assert_lane(o, LANE, VL_VERDICT_ROLLBACK);
	all[2] = acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	assert_string_equal(troubles(o, LANE).by, "officer:7");
	/* An epoch that knows the one before is nothing new. */
	sender_begin_epoch(&o->sd, 3000);
	(void)bring_case(o, &o->sd);
	assert_lane(o, LANE, VL_VERDICT_OK);
	all[3] = forget(o, &o->sd, 4000);
	assert_lane(o, LANE, VL_VERDICT_ROLLBACK);
	/* Read in another order: which of two was the first nobody can say. */
	static const unsigned orders[][3] = {{1, 0, 2}, {2, 1, 0}};
	for (size_t i = 0; i < 2; i++) {
		world_start_over(&o->world);
		for (size_t n = 0; n < 3; n++)
			bring(&o->world, all[orders[i][n]]);
		(void)world_work_off(&o->world);
		assert_int_equal(world_standing(&o->world, "CN-SD-EMB").rollbacks, 1);
		assert_lane(o, LANE, VL_VERDICT_OK);
		bring(&o->world, all[3]);
		assert_lane(o, LANE, VL_VERDICT_ROLLBACK);
	}
}

/* -- pulses -- */

static void pulses_and_what_they_name_rest(void **state)
{
	struct office *o = *state;
	struct sender thief = o->sd;

	bring_beat(&o->world, &o->sd_beat, NULL, 0);
	struct sender clone = o->sd_beat;
	bring_beat(&o->world, &o->sd_beat, NULL, 0);
	bring(&o->world, submit_alert(&clone, ++o->ids));
	sender_begin_epoch(&o->sd_beat, 2000);
	o->sd_beat.head = (struct vl_digest){0};
	bring_beat(&o->world, &o->sd_beat, NULL, 0);
	assert_lane(o, VL_PULSE_LANE, VL_VERDICT_ROLLBACK);
	(void)acknowledge(o, &o->hq, "officer:7", VL_PULSE_LANE);
	assert_lane(o, VL_PULSE_LANE, VL_VERDICT_OK);
	sender_begin_epoch(&o->sd_beat, 3000);
	o->sd_beat.head = (struct vl_digest){0};
	bring_beat(&o->world, &o->sd_beat, NULL, 0);
	assert_lane(o, VL_PULSE_LANE, VL_VERDICT_ROLLBACK);
	(void)acknowledge(o, &o->hq, "officer:7", VL_PULSE_LANE);
	/* A thief's batch is applied; the mission's own pulse names another for its place. */
	(void)open_case(&o->sd, ++o->ids, "SD-1", 100);
	(void)bring_case(o, &thief);
	Valise__Pulse__V1__Pulse__Head head = head_of(&o->sd, LANE, 0);
	bring_beat(&o->world, &o->sd_beat, &head, 1);
	assert_lane(o, LANE, VL_VERDICT_FORK);
	(void)acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	assert_lane(o, VL_PULSE_LANE, VL_VERDICT_OK);
}

/* -- who may -- */

static const Valise__Trouble__V1__TroubleRow *row_of(struct office *o, struct vl_txn *txn,
						     struct vl_bytes *value)
{
	size_t view = (size_t)vl_view_of_noun("trouble");
	struct vl_key key;

	vl_row_key(&key, 0, "CN-SD-EMB/" LANE);
	assert_true(vl_txn_get(txn, vl_view_db(view, VL_VIEW_ROW), vl_key_done(&key), value));
	return (const void *)vl_wire_unpack(&valise__trouble__v1__trouble_row__descriptor, *value,
					    o->world.arena);
}

static void nobody_but_headquarters_acknowledges(void **state)
{
	struct office *o = *state;
	struct vl_bytes value;

	(void)bring_case(o, &o->sd);
	(void)forget(o, &o->sd, 2000);
	for (unsigned i = 0; i < 20; i++)
		(void)acknowledge(o, i % 2 == 0 ? &o->eg : &o->sd_beat, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_ROLLBACK);
	struct vl_txn *txn = vl_txn_begin(o->world.store, false, NULL);
	const Valise__Trouble__V1__TroubleRow *row = row_of(o, txn, &value);
	assert_int_equal(row->n_acknowledged, 0);
	assert_int_equal(row->refused, 20);
	assert_int_equal(row->n_violations, 16);
	assert_string_equal(row->violations[0]->rule, "R1");
	vl_txn_abort(txn);
	(void)acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
}

/* -- what is damaged -- */

static void damage_hides_no_trouble(void **state)
{
	struct office *o = *state;
	struct vl_bytes value;
	struct vl_key key;

	(void)bring_case(o, &o->sd);
	struct sender clone = o->sd;
	(void)bring_case(o, &o->sd);
	(void)bring_case(o, &clone);
	(void)forget(o, &o->sd, 2000);
	(void)acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	/* A fork and rollbacks: the fork is what is shown. */
	assert_int_equal(troubles(o, LANE).rested, VL_VERDICT_FORK);
	/* Counted again: the same. That something was only counted cannot be ruled out any more. */
	struct vl_txn *txn = vl_txn_begin(o->world.store, true, NULL);
	vl_evidence_recount(txn);
	vl_mend_beginnings(txn);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	struct looked looked = troubles(o, LANE);
	for (size_t i = 0; i < looked.count; i++)
		assert_int_equal(looked.items[i].acknowledged, looked.items[i].epoch.n != 0);
	assert_int_equal(looked.count, 4);
	(void)acknowledge(o, &o->hq, "officer:7", LANE);
	assert_lane(o, LANE, VL_VERDICT_OK);
	/* Where it cannot be read what was acknowledged, nothing is. */
	txn = vl_txn_begin(o->world.store, true, NULL);
	(void)row_of(o, txn, &value);
	vl_row_key(&key, 0, "CN-SD-EMB/" LANE);
	vl_txn_put(txn, vl_view_db((size_t)vl_view_of_noun("trouble"), VL_VIEW_ROW),
		   vl_key_done(&key), vl_bytes_of("\xff"));
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	assert_lane(o, LANE, VL_VERDICT_FORK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_fork_rests_until_there_is_another),
		TEST(a_rebuild_keeps_it_in_any_order),
		TEST(what_was_only_counted_rests_too),
		TEST(a_rollback_rests_until_there_is_another),
		TEST(pulses_and_what_they_name_rest),
		TEST(nobody_but_headquarters_acknowledges),
		TEST(damage_hides_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

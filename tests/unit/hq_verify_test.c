#include "hq_world.h"

#include "consular/evacuation/v1/evacuation.pb-c.h"
#include "hq/ingest/pump.h"
#include "hq/ledger/passed.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_size_t released;

static void release(void *owner)
{
	(void)owner;
	released++;
}

#define MANY 1000

struct putting {
	struct vl_verifier *verifier;
	struct sent **sent;
	size_t count;
};

static void *put_all(void *context)
{
	struct putting *p = context;

	for (size_t i = 0; i < p->count; i++)
		if (!vl_verifier_put(p->verifier, &p->sent[i]->record, release, NULL))
			break;
	return NULL;
}

/* The world's ring, read again: the verifier takes the one it is given over. */
static struct vl_ring *ring_of(const struct world *w)
{
	struct vl_ring *ring;

	assert_int_equal(vl_ring_open(w->keys, &ring, NULL), VL_OK);
	return ring;
}

static void test_order_in_is_order_out(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[MANY];
	struct vl_verifier *verifier;
	pthread_t thread;

	for (unsigned i = 0; i < MANY; i++)
		sent[i] = open_case(&s, i + 1, "SD-1", 100);
	sent[7]->value.data[20] ^= 1;
	assert_int_equal(vl_verifier_open(ring_of(w), 4, &verifier, NULL), VL_OK);
	struct putting putting = {verifier, sent, MANY};
	released = 0;
	assert_int_equal(pthread_create(&thread, NULL, put_all, &putting), 0);
	for (unsigned i = 0; i < MANY; i++) {
		const struct vl_job *job = vl_verifier_next(verifier, 10000);
		assert_non_null(job);
		assert_ptr_equal(job->record, &sent[i]->record);
		assert_int_equal(job->verdict, i == 7 ? VL_ERR_BAD_SIGNATURE : VL_OK);
		if (i != 7)
			assert_int_equal(job->verified.batch.head.seq.n, i + 1);
		vl_verifier_done(verifier);
	}
	assert_null(vl_verifier_next(verifier, 0));
	pthread_join(thread, NULL);
	vl_verifier_close(verifier);
	assert_int_equal(released, MANY);
}

/* Stopped in the middle, whoever waits to put is let go and every record is released once. */
static void test_stop_releases_all(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[MANY];
	struct vl_verifier *verifier;
	pthread_t thread;

	for (unsigned i = 0; i < MANY; i++)
		sent[i] = open_case(&s, i + 1, "SD-1", 100);
	assert_int_equal(vl_verifier_open(ring_of(w), 1, &verifier, NULL), VL_OK);
	struct putting putting = {verifier, sent, MANY};
	released = 0;
	assert_int_equal(pthread_create(&thread, NULL, put_all, &putting), 0);
	size_t taken = 0;
	for (; taken < 10; taken++) {
		assert_non_null(vl_verifier_next(verifier, 10000));
		vl_verifier_done(verifier);
	}
	vl_verifier_stop(verifier);
	pthread_join(thread, NULL);
	assert_null(vl_verifier_next(verifier, 10000));
	vl_verifier_close(verifier);
	assert_true(released > taken && released < MANY);
}

/* A sender enrolled later is known from then on; and so is what was in the verifier already. */
static void test_renewed_ring_is_in_force(void **state)
{
	struct world *w = *state;
	struct sender s = world_stranger(w, "CN-TH-EMB");
	struct sent *early = open_case(&s, 1, "TH-1", 100), *late = open_case(&s, 2, "TH-1", 101);
	struct vl_verifier *verifier;

	(void)world_sender(w, "CN-SD-EMB");
	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	assert_true(vl_verifier_put(verifier, &early->record, release, NULL));
	const struct vl_job *job = vl_verifier_next(verifier, 10000);
	assert_non_null(job);
	assert_int_equal(job->verdict, VL_ERR_UNKNOWN_KEY);
	world_enrol(w, &s);
	assert_int_equal(vl_verifier_renew(verifier, ring_of(w)), VL_OK);
	assert_true(vl_verifier_put(verifier, &late->record, release, NULL));
	vl_verifier_done(verifier);
	job = vl_verifier_next(verifier, 10000);
	assert_non_null(job);
	assert_int_equal(job->verdict, VL_OK);
	assert_string_equal(job->verified.signer->mission, "CN-TH-EMB");
	vl_verifier_done(verifier);
	vl_verifier_close(verifier);
}

static void test_pump_applies_what_is_ready(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *sent[50];
	struct vl_verifier *verifier;

	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	assert_int_equal(vl_pump(verifier, w->applier, 0, NULL), VL_ERR_TIMEOUT);
	for (unsigned i = 0; i < 50; i++) {
		sent[i] = open_case(&s, i + 1, "SD-1", 100);
		sent[i]->record.offset = i;
		assert_true(vl_verifier_put(verifier, &sent[i]->record, release, NULL));
	}
	while (vl_apply_total(w->applier) < 50)
		assert_int_equal(vl_pump(verifier, w->applier, 10000, NULL), VL_OK);
	assert_int_equal(world_standing(w, s.id).events, 50);
	vl_verifier_close(verifier);
}

/* One partition has as much as may be here; another has room all the same, and so have the
 * others together. */
static void test_no_partition_takes_all_room(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB"), other = world_sender(w, "CN-SD-EMB");
	struct sent *last = open_case(&other, 1, "X-1", 100);
	struct vl_verifier *verifier;
	int64_t n = 0;

	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	for (; vl_verifier_has_room(verifier, LANE, 0); n++) {
		struct sent *sent = open_case(&bulk, (uint64_t)n + 10, "X-1", 100);
		sent->record.offset = n;
		assert_true(n < 10000 && vl_verifier_put(verifier, &sent->record, release, NULL));
	}
	assert_true(n >= VL_VERIFIER_TAKE);
	assert_false(vl_verifier_has_room(verifier, NULL, 0));
	assert_true(vl_verifier_has_room(verifier, LANE, 1));
	assert_true(vl_verifier_has_room(verifier, "consular.evacuation.v1", 0));
	/* It does not wait, and is among the next two. */
	last->record.partition = 1;
	assert_true(vl_verifier_put(verifier, &last->record, release, NULL));
	while (!vl_verifier_judged(verifier))
		(void)sched_yield();
	const struct vl_job *first = vl_verifier_next(verifier, 10000),
			    *second = vl_verifier_next(verifier, 10000);
	assert_true(first->record == &last->record || second->record == &last->record);
	vl_verifier_done(verifier);
	assert_true(vl_verifier_has_room(verifier, LANE, 0));
	vl_verifier_close(verifier);
}

/* One record in each transaction. */
static void apply_until(struct world *w, struct vl_verifier *verifier, const char *whose)
{
	for (bool done = false; !done;) {
		struct vl_why why = {0};
		const struct vl_job *job = vl_verifier_next(verifier, 10000);
		assert_non_null(job);
		done = vl_bytes_are(job->record->key, whose);
		assert_int_equal(vl_apply_begin(w->applier, &why), VL_OK);
		vl_apply_in_turn(w->applier, job->record, &job->mark, job->verdict, &job->verified,
				 job->facts, &job->why);
		assert_int_equal(vl_apply_commit(w->applier, &why), VL_OK);
		vl_verifier_done(verifier);
	}
}

static int64_t offset_of(struct world *w)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	int64_t offset = vl_apply_offset(txn, LANE, 0, NULL);

	vl_txn_abort(txn);
	return offset;
}

/* One sender's record stands behind another's bulk in the same partition, is taken before it,
 * and comes again after a crash. */
static void test_nobody_stands_behind_another(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB"), other = world_sender(w, "CN-SD-EMB");
	struct sent *sent[20];
	struct vl_verifier *verifier;

	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	for (unsigned i = 0; i < 20; i++) {
		sent[i] = open_case(i < 19 ? &bulk : &other, i + 1, "X-1", 100);
		sent[i]->record.offset = i;
		assert_true(vl_verifier_put(verifier, &sent[i]->record, release, NULL));
	}
	while (!vl_verifier_judged(verifier))
		(void)sched_yield();
	apply_until(w, verifier, "CN-SD-EMB");
	assert_int_equal(world_standing(w, other.id).events, 1);
	/* What still waits is not passed by. */
	int64_t read = (int64_t)world_standing(w, bulk.id).events;
	assert_true(read <= 1);
	assert_int_equal(offset_of(w), read);
	vl_verifier_close(verifier);
	world_close_ledger(w);
	world_open_ledger(w);
	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	for (unsigned i = (unsigned)read; i < 20; i++)
		assert_true(vl_verifier_put(verifier, &sent[i]->record, release, NULL));
	while (!vl_verifier_idle(verifier))
		assert_int_equal(vl_pump(verifier, w->applier, 10000, NULL), VL_OK);
	assert_int_equal(world_standing(w, bulk.id).events, 19);
	assert_int_equal(world_standing(w, other.id).events, 1);
	assert_int_equal(world_standing(w, other.id).replayed, 1);
	assert_int_equal(offset_of(w), 20);
	vl_verifier_close(verifier);
}

static struct sent *depart(struct sender *s, uint64_t id, const char *leg, int64_t offset)
{
	Consular__Evacuation__V1__LegDeparted said = CONSULAR__EVACUATION__V1__LEG_DEPARTED__INIT;

	said.leg = (char *)(uintptr_t)leg;
	said.operation = (char *)(uintptr_t) "OP";
	struct sent *sent = sign_event_on(s, "consular.evacuation.v1", id, leg, 200, &said.base, 0);
	sent->record.offset = offset;
	return sent;
}

static uint64_t batches_of(struct world *w, const char *mission)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	uint64_t batches = vl_standing_get(txn, mission, "consular.evacuation.v1").batches;

	vl_txn_abort(txn);
	return batches;
}

#define FLOOD 2000

/* A flood in an urgent lane takes no more than may be here, and what comes behind it has room and
 * its turn at once. What was put off lies where one row says, and is taken from there. */
static void test_a_flood_is_put_off(void **state)
{
	struct world *w = *state;
	struct sender bulk = world_sender(w, "CN-AA-EMB"), other = world_sender(w, "CN-SD-EMB");
	static struct sent *sent[FLOOD];
	struct vl_verifier *verifier;
	struct vl_pass pass;
	static const struct vl_key start;

	released = 0;
	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	for (unsigned i = 0; i < FLOOD; i++) {
		sent[i] = depart(&bulk, i + 1, "L-1", i);
		assert_true(vl_verifier_has_slot(verifier));
		assert_true(vl_verifier_put_or_off(verifier, &sent[i]->record, release, NULL));
	}
	assert_true(released > FLOOD / 2);
	struct sent *last = depart(&other, 9999, "L-9", FLOOD);
	assert_true(vl_verifier_put_or_off(verifier, &last->record, release, NULL));
	while (!vl_verifier_judged(verifier))
		(void)sched_yield();
	const struct vl_job *first = vl_verifier_next(verifier, 10000),
			    *second = vl_verifier_next(verifier, 10000);
	assert_true(first->record == &last->record || second->record == &last->record);
	vl_verifier_close(verifier);

	/* The same, applied. */
	released = 0;
	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	for (unsigned i = 0; i < FLOOD; i++)
		assert_true(vl_verifier_put_or_off(verifier, &sent[i]->record, release, NULL));
	assert_true(vl_verifier_put_or_off(verifier, &last->record, release, NULL));
	while (!vl_verifier_idle(verifier))
		assert_int_equal(vl_pump(verifier, w->applier, 10000, NULL), VL_OK);
	assert_int_equal(batches_of(w, other.id), 1);
	uint64_t taken = batches_of(w, bulk.id);
	assert_true(taken >= VL_VERIFIER_TAKE && taken < FLOOD / 2);
	struct vl_txn *txn = vl_txn_begin(w->store, true, NULL);
	assert_int_equal(vl_apply_offset(txn, "consular.evacuation.v1", 0, NULL), FLOOD + 1);
	assert_true(vl_passed_next(txn, &start, false, NULL, NULL, &pass));
	vl_passed_begin(txn, &pass);
	assert_int_equal(vl_txn_commit(txn, NULL), VL_OK);
	assert_string_equal(pass.mission, bulk.id);
	assert_int_equal(pass.from.offset, taken);
	assert_int_equal(pass.end, FLOOD);
	for (int64_t i = pass.from.offset; i < pass.end; i++) {
		assert_true(vl_verifier_put_again(verifier, &sent[i]->record, release, NULL));
		while (!vl_verifier_has_room(verifier, NULL, 0))
			assert_int_equal(vl_pump(verifier, w->applier, 10000, NULL), VL_OK);
	}
	while (!vl_verifier_idle(verifier))
		assert_int_equal(vl_pump(verifier, w->applier, 10000, NULL), VL_OK);
	assert_int_equal(batches_of(w, bulk.id), FLOOD);
	assert_int_equal(world_count(w, VL_DB_DEAD), 0);
	vl_verifier_close(verifier);
	assert_int_equal(released, FLOOD + 1 + FLOOD - taken);
}

/* While a record waits that came alone on an urgent lane the transaction before it is to end. */
static void test_what_came_alone_hurries(void **state)
{
	struct world *w = *state;
	struct sender s = world_sender(w, "CN-SD-EMB");
	struct sent *urgent = depart(&s, 1, "L-1", 0), *more = depart(&s, 2, "L-1", 1),
		    *routine = open_case(&s, 3, "SD-1", 100);
	struct vl_verifier *verifier;

	assert_int_equal(vl_verifier_open(ring_of(w), 2, &verifier, NULL), VL_OK);
	assert_true(vl_verifier_put(verifier, &routine->record, release, NULL));
	assert_false(vl_verifier_hurries(verifier));
	assert_true(vl_verifier_put(verifier, &urgent->record, release, NULL));
	assert_true(vl_verifier_put(verifier, &more->record, release, NULL));
	assert_true(vl_verifier_hurries(verifier));
	while (vl_verifier_next(verifier, 10000)->record != &urgent->record)
		;
	assert_false(vl_verifier_hurries(verifier));
	vl_verifier_done(verifier);
	vl_verifier_close(verifier);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_order_in_is_order_out),        TEST(test_stop_releases_all),
		TEST(test_renewed_ring_is_in_force),     TEST(test_pump_applies_what_is_ready),
		TEST(test_nobody_stands_behind_another), TEST(test_no_partition_takes_all_room),
		TEST(test_a_flood_is_put_off),           TEST(test_what_came_alone_hurries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

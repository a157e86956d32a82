/* hq/ingest/turns.h: each partition in its order, the urgent first, and nobody for ever last. */
#include "hq/ingest/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SLOTS 64

struct table {
	struct vl_turns *turns;
	unsigned n;
	int whose[SLOTS]; /* by slot: the partition; 100 and up for FLASH */
};

static void put(struct table *t, const char *topic, int partition, int whose)
{
	t->whose[t->n] = whose;
	assert_true(vl_turns_put(t->turns, t->n++, vl_bytes_of(topic), partition,
				 vl_bytes_of("CN-SD-EMB"), 1));
}

static int verify_all(struct table *t)
{
	int n = 0;

	for (int slot; (slot = vl_turns_verify(t->turns)) >= 0; n++)
		vl_turns_ready(t->turns, (unsigned)slot);
	return n;
}

static int setup(void **state)
{
	struct table *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->turns = vl_turns_open(SLOTS);
	assert_non_null(t->turns);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct table *t = *state;

	vl_turns_close(t->turns);
	free(t);
	return 0;
}

static void flash_goes_before_bulk(void **state)
{
	struct table *t = *state;

	for (int i = 0; i < 40; i++)
		put(t, "consular.traveller.v1", i % 3, i % 3);
	put(t, "consular.evacuation.v1", 0, 100);
	/* It is among the next two, to be verified and to be applied. */
	int first = vl_turns_verify(t->turns), second = vl_turns_verify(t->turns);
	assert_true(first == 40 || second == 40);
	vl_turns_ready(t->turns, (unsigned)first);
	vl_turns_ready(t->turns, (unsigned)second);
	assert_int_equal(verify_all(t), 39);
	first = vl_turns_apply(t->turns);
	second = vl_turns_apply(t->turns);
	assert_true(first == 40 || second == 40);
}

static void bulk_is_not_last_for_ever(void **state)
{
	struct table *t = *state;
	int bulk = 0;

	for (int i = 0; i < 40; i++)
		put(t, "consular.evacuation.v1", i % 2, 100 + i % 2);
	put(t, "consular.traveller.v1", 0, 0);
	put(t, "consular.traveller.v1", 1, 1);
	assert_int_equal(verify_all(t), 42);
	for (int i = 0; i < 16; i++)
		bulk += t->whose[vl_turns_apply(t->turns)] < 100;
	assert_int_equal(bulk, 2);
}

/* One partition's flood, and one record of each of the others of the same urgency. */
static void partitions_take_turns(void **state)
{
	struct table *t = *state;
	unsigned seen = 0;

	for (int i = 0; i < 40; i++)
		put(t, "consular.evacuation.v1", 0, 100);
	for (int p = 1; p < 5; p++)
		put(t, "consular.evacuation.v1", p, 100 + p);
	assert_int_equal(verify_all(t), 44);
	for (int i = 0; i < 5; i++)
		seen |= 1u << (t->whose[vl_turns_apply(t->turns)] - 100);
	assert_int_equal(seen, 31);
}

/* What is ready behind one that is not waits for it; others do not. */
static void a_partition_keeps_its_order(void **state)
{
	struct table *t = *state;

	put(t, "consular.case.v1", 0, 0);
	put(t, "consular.case.v1", 0, 0);
	put(t, "consular.case.v1", 1, 1);
	for (int i = 0; i < 3; i++)
		assert_true(vl_turns_verify(t->turns) >= 0);
	assert_int_equal(vl_turns_verify(t->turns), -1);
	vl_turns_ready(t->turns, 1);
	assert_int_equal(vl_turns_apply(t->turns), -1);
	vl_turns_ready(t->turns, 2);
	assert_int_equal(vl_turns_apply(t->turns), 2);
	vl_turns_ready(t->turns, 0);
	assert_int_equal(vl_turns_apply(t->turns), 0);
	assert_int_equal(vl_turns_apply(t->turns), 1);
	assert_int_equal(vl_turns_apply(t->turns), -1);
}

/* In one partition: a sender's flood, and one record of another behind it. Two senders of one
 * queue would not be told apart here. */
static void senders_take_turns(void **state)
{
	struct table *t = *state;

	for (int i = 0; i < 40; i++)
		put(t, "consular.evacuation.v1", 0, 100);
	t->whose[t->n] = 7;
	assert_true(vl_turns_put(t->turns, t->n++, vl_bytes_of("consular.evacuation.v1"), 0,
				 vl_bytes_of("CN-TH-EMB"), 1));
	assert_int_equal(verify_all(t), 41);
	bool seen = false;
	for (int i = 0; i < 2; i++) {
		bool alone = t->whose[vl_turns_apply(t->turns)] == 7;
		assert_int_equal(vl_turns_alone(t->turns), alone);
		seen = seen || alone;
	}
	assert_true(seen);
	for (int i = 2, last = -1, slot; i < 41; i++, last = slot) {
		slot = vl_turns_apply(t->turns);
		assert_true(slot > last);
	}
	assert_int_equal(vl_turns_apply(t->turns), -1);
}

/* Of two senders one's records are a hundred times as large: the other has as many turns for
 * each. */
static void turns_are_by_what_they_cost(void **state)
{
	struct table *t = *state;

	for (int i = 0; i < 60; i++)
		assert_true(vl_turns_put(
			t->turns, (unsigned)i, vl_bytes_of("consular.evacuation.v1"), 0,
			vl_bytes_of(i < 20 ? "CN-AA-EMB" : "CN-TH-EMB"), i < 20 ? 100 : 1));
	assert_int_equal(verify_all(t), 60);
	unsigned large = 0;
	for (int i = 0; i < 42; i++)
		large += vl_turns_apply(t->turns) < 20;
	assert_true(large <= 2);
	/* Who comes anew has saved nothing up, and waits for nobody's past either. */
	for (int i = 0; i < 10; i++)
		assert_true(vl_turns_apply(t->turns) < 20);
	for (int i = 20; i < 25; i++)
		assert_true(vl_turns_put(t->turns, (unsigned)i,
					 vl_bytes_of("consular.evacuation.v1"), 0,
					 vl_bytes_of("CN-SD-EMB"), 100));
	assert_int_equal(verify_all(t), 5);
	for (int i = 0; i < 10; i++)
		large += 100 * (vl_turns_apply(t->turns) < 20);
	assert_in_range(large, 500, 602);
}

/* However many senders there were, a queue that is empty serves the next. */
static void queues_are_used_again(void **state)
{
	struct table *t = *state;
	char sender[16];

	for (unsigned i = 0; i < 1000; i++) {
		unsigned slot = i % SLOTS;
		(void)snprintf(sender, sizeof(sender), "CN-%u", i);
		assert_true(vl_turns_put(t->turns, slot, vl_bytes_of("consular.case.v1"),
					 (int)(i % 7), vl_bytes_of(sender), 1 + i % 5));
		assert_int_equal(vl_turns_verify(t->turns), slot);
		vl_turns_ready(t->turns, slot);
		assert_int_equal(vl_turns_apply(t->turns), slot);
	}
	assert_true(vl_turns_queues(t->turns) <= SLOTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(flash_goes_before_bulk), TEST(bulk_is_not_last_for_ever),
		TEST(partitions_take_turns),  TEST(a_partition_keeps_its_order),
		TEST(senders_take_turns),     TEST(turns_are_by_what_they_cost),
		TEST(queues_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "bus/chain.h"

#include "bus_fixture.h"

static struct vl_batch make(uint64_t epoch, uint64_t seq, uint64_t first_event, uint8_t prev)
{
	return (struct vl_batch){
		.head = {.epoch = {epoch},
			 .seq = {seq},
			 .first_event = {first_event},
			 .prev = {{prev}}},
		.n_events = 10,
	};
}

static struct vl_digest digest_of(uint8_t n)
{
	return (struct vl_digest){{n}};
}

static enum vl_chain_step step(const struct vl_chain *chain, uint64_t epoch, uint64_t seq,
			       uint64_t first_event, uint8_t prev)
{
	struct vl_batch batch = make(epoch, seq, first_event, prev);
	struct vl_chain before = *chain;
	enum vl_chain_step found = vl_chain_check(chain, &batch);

	assert_memory_equal(&before, chain, sizeof(before));
	return found;
}

/* Advance by a batch that must follow; it has 10 events and digest `digest`. */
static void follow(struct vl_chain *chain, uint64_t epoch, uint64_t seq, uint64_t first_event,
		   uint8_t prev, uint8_t digest)
{
	struct vl_batch batch = make(epoch, seq, first_event, prev);

	assert_int_equal(VL_CHAIN_NEXT, vl_chain_check(chain, &batch));
	struct vl_digest own = digest_of(digest);
	vl_chain_advance(chain, &batch, &own);
}

/* Epoch 3 with two batches, the last of digest 20. */
static struct vl_chain begun(void)
{
	struct vl_chain chain = {0};

	follow(&chain, 3, 1, 1, 0, 10);
	follow(&chain, 3, 2, 11, 10, 20);
	return chain;
}

static void test_first(void **state)
{
	struct vl_chain none = {0};

	(void)state;
	assert_int_equal(VL_CHAIN_NEXT, step(&none, 1, 1, 1, 0));
	assert_int_equal(VL_CHAIN_NEXT, step(&none, 7, 1, 1, 0));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&none, 1, 1, 2, 0));
	assert_int_equal(VL_CHAIN_AHEAD, step(&none, 1, 2, 11, 10));
	assert_int_equal(VL_CHAIN_AHEAD, step(&none, 1, 2, 11, 0));
	/* It names a past: an epoch before it has still to come. */
	assert_int_equal(VL_CHAIN_AHEAD, step(&none, 2, 1, 1, 10));
}

static void test_advance(void **state)
{
	struct vl_chain chain = begun();

	(void)state;
	assert_true(chain.epoch.n == 3 && chain.seq.n == 2 && chain.next_event.n == 21);
	struct vl_digest last = digest_of(20);
	assert_true(vl_digest_equal(&last, &chain.digest));
}

static void test_same_epoch(void **state)
{
	struct vl_chain chain = begun();

	(void)state;
	assert_int_equal(VL_CHAIN_NEXT, step(&chain, 3, 3, 21, 20));
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 3, 2, 11, 10));
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 3, 1, 1, 0));
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 3, 2, 99, 99));
	assert_int_equal(VL_CHAIN_AHEAD, step(&chain, 3, 4, 31, 30));
	assert_int_equal(VL_CHAIN_AHEAD, step(&chain, 3, UINT64_MAX, 31, 30));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 3, 3, 21, 99));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 3, 3, 21, 0));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 3, 3, 20, 20));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 3, 3, 22, 20));
}

static void test_last_number(void **state)
{
	struct vl_chain chain = {
		.epoch = {1}, .seq = {UINT64_MAX}, .next_event = {5}, .digest = {{9}}};

	(void)state;
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 1, UINT64_MAX, 5, 9));
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 1, 1, 1, 0));
}

static void test_later_epoch(void **state)
{
	struct vl_chain chain = begun();

	(void)state;
	assert_int_equal(VL_CHAIN_NEXT, step(&chain, 4, 1, 1, 20));
	assert_int_equal(VL_CHAIN_NEXT, step(&chain, 9, 1, 1, 20)); /* epochs rise, with gaps */
	/* the end of epoch 3 may still come */
	assert_int_equal(VL_CHAIN_AHEAD, step(&chain, 4, 1, 1, 30));
	assert_int_equal(VL_CHAIN_AHEAD, step(&chain, 4, 2, 11, 20));
	/* it has forgotten its past */
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 4, 1, 1, 0));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 4, 1, 21, 20));
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 4, 1, 2, 30));
}

static void test_earlier_epoch(void **state)
{
	struct vl_chain chain = begun();

	(void)state;
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 2, 1, 1, 0));
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 2, 3, 21, 20));
	follow(&chain, 4, 1, 1, 20, 40);
	assert_int_equal(VL_CHAIN_KNOWN, step(&chain, 3, 3, 21, 20));
}

static void test_new_epoch_goes_on(void **state)
{
	struct vl_chain chain = begun();

	(void)state;
	follow(&chain, 4, 1, 1, 20, 40);
	assert_true(chain.epoch.n == 4 && chain.seq.n == 1 && chain.next_event.n == 11);
	follow(&chain, 4, 2, 11, 40, 50);
	assert_int_equal(VL_CHAIN_MISMATCH, step(&chain, 4, 3, 21, 20));
	assert_int_equal(VL_CHAIN_NEXT, step(&chain, 5, 1, 1, 50));
}

/* Batches of three epochs come in any order, are parked while ahead, and the chain ends the
 * same. */
static void test_any_order(void **state)
{
	const struct vl_batch all[] = {
		make(1, 1, 1, 0), make(1, 2, 11, 1), make(1, 3, 21, 2),
		make(2, 1, 1, 3), make(2, 2, 11, 4), make(5, 1, 1, 5),
	};
	enum { N = sizeof(all) / sizeof(all[0]) };
	uint64_t random = fixture_seed();

	(void)state;
	for (int round = 0; round < 1000; round++) {
		struct vl_chain chain = {0};
		bool done[N] = {false};
		for (int count = 0; count < N;) {
			size_t i = fixture_next(&random) % N;
			enum vl_chain_step found = vl_chain_check(&chain, &all[i]);
			assert_int_equal(done[i]              ? VL_CHAIN_KNOWN
					 : (size_t)count == i ? VL_CHAIN_NEXT
							      : VL_CHAIN_AHEAD,
					 found);
			if (found != VL_CHAIN_NEXT)
				continue;
			struct vl_digest digest = digest_of((uint8_t)(i + 1));
			vl_chain_advance(&chain, &all[i], &digest);
			done[i] = true;
			count++;
		}
		assert_true(chain.epoch.n == 5 && chain.seq.n == 1 && chain.next_event.n == 11);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_advance),
		cmocka_unit_test(test_same_epoch),
		cmocka_unit_test(test_last_number),
		cmocka_unit_test(test_later_epoch),
		cmocka_unit_test(test_earlier_epoch),
		cmocka_unit_test(test_new_epoch_goes_on),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

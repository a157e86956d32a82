#include "hq_world.h"

#include "hq/fold/fold.h"

/* Bring one event of each sender given, and say in which order the case's history has them. */
struct wanted {
	unsigned sender;
	uint64_t id;
	int64_t at;
	uint64_t after;
};

static void order_of(const struct wanted *events, size_t n, char *order)
{
	static const char *const ids[] = {"CN-AA-EMB", "CN-BB-EMB", "CN-CC-EMB"};
	struct sender s[3];
	struct world w;
	struct vl_history_item *items;
	size_t count;

	world_open(&w);
	for (size_t i = 0; i < 3; i++)
		s[i] = world_sender(&w, ids[i]);
	for (size_t i = 0; i < n; i++) {
		Consular__Case__V1__NoteAdded note = CONSULAR__CASE__V1__NOTE_ADDED__INIT;
		bring(&w, sign_event_on(&s[events[i].sender], LANE, events[i].id, "X-1",
					events[i].at, &note.base, events[i].after));
	}
	struct vl_txn *txn = vl_txn_begin(w.store, false, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	int kind = vl_view_kind(vl_views[case_view()], "case");
	size_t damaged;
	assert_int_equal(vl_history_read(txn, case_view(), (unsigned)kind, "X-1", arena, &items,
					 &count, &damaged),
			 VL_OK);
	assert_int_equal(count, n);
	for (size_t i = 0; i < count; i++)
		order[i] = (char)('0' + vl_get_be64(items[i].fact.id + 8));
	order[count] = '\0';
	vl_arena_close(arena);
	vl_txn_abort(txn);
	world_close(&w);
}

static void test_own_order_beats_own_clock(void **state)
{
	(void)state;
	char order[16];
	order_of((struct wanted[]){{0, 1, 500, 0}, {0, 2, 100, 0}, {0, 3, 300, 0}}, 3, order);
	assert_string_equal(order, "123");
}

static void test_between_senders_by_time(void **state)
{
	(void)state;
	char order[16];
	order_of((struct wanted[]){{0, 1, 100, 0}, {0, 2, 300, 0}, {1, 3, 200, 0}, {1, 4, 400, 0}},
		 4, order);
	assert_string_equal(order, "1324");
}

static void test_equal_times_by_sender(void **state)
{
	(void)state;
	char order[16];
	order_of((struct wanted[]){{2, 1, 100, 0}, {0, 2, 100, 0}, {1, 3, 100, 0}}, 3, order);
	assert_string_equal(order, "231");
}

/* A clock a year slow cannot put the answer before what it answers. */
static void test_after_beats_time(void **state)
{
	(void)state;
	char order[16];
	order_of((struct wanted[]){{0, 1, 1000, 0}, {1, 2, 10, 1}}, 2, order);
	assert_string_equal(order, "12");
	order_of((struct wanted[]){{1, 2, 10, 1}, {0, 1, 1000, 0}}, 2, order);
	assert_string_equal(order, "12");
}

/* What two senders claim in a circle still has one order. */
static void test_circle_of_after_has_an_order(void **state)
{
	(void)state;
	char order[16];
	order_of((struct wanted[]){{0, 1, 200, 2}, {1, 2, 100, 1}}, 2, order);
	assert_string_equal(order, "21");
}

static void test_after_what_never_came(void **state)
{
	(void)state;
	char order[16];
	order_of((struct wanted[]){{0, 1, 200, 9}, {1, 2, 100, 8}}, 2, order);
	assert_string_equal(order, "21");
}

static void test_long_keys_stay_apart(void **state)
{
	(void)state;
	char a[300], b[300], room_a[VL_ENTITY_MAX + 1], room_b[VL_ENTITY_MAX + 1];
	memset(a, 'x', sizeof(a) - 1);
	a[sizeof(a) - 1] = '\0';
	memcpy(b, a, sizeof(a));
	b[298] = 'y';
	const char *short_a = vl_entity_key(a, room_a), *short_b = vl_entity_key(b, room_b);
	assert_true(strlen(short_a) <= VL_ENTITY_MAX);
	assert_string_not_equal(short_a, short_b);
	assert_string_equal(vl_entity_key("SD-1", room_a), "SD-1");
	/* An already short key stays as it is, so that a shortened key names itself. */
	char again[VL_ENTITY_MAX + 1];
	(void)snprintf(again, sizeof(again), "%s", short_b);
	assert_string_equal(vl_entity_key(again, room_a), again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_order_beats_own_clock),
		cmocka_unit_test(test_between_senders_by_time),
		cmocka_unit_test(test_equal_times_by_sender),
		cmocka_unit_test(test_after_beats_time),
		cmocka_unit_test(test_circle_of_after_has_an_order),
		cmocka_unit_test(test_after_what_never_came),
		cmocka_unit_test(test_long_keys_stay_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

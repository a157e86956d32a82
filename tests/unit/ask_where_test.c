/* ask/where.h: conditions, the order of rows, and what is said of a name that is none. */
#include "ask_rows.h"

#include "ask/where.h"
#include "base/when.h"

#define NOW ((struct vl_time){1700000000, 0}) /* 2023-11-14T22:13:20Z */

static const char one[] =
	"{\"state\":\"CASE_STATE_IN_PROGRESS\",\"priority\":\"PRIORITY_P2\",\"type\":\"CASE_TYPE_"
	"THEFT_ROBBERY\","
	"\"owner\":\"CN-SD-EMB\",\"hostCountry\":\"SD\",\"persons\":12,\"assigned\":true,"
	"\"openedAt\":\"2023-04-26T10:00:00Z\",\"mergedFrom\":[\"A\",\"B\"],"
	"\"typeSet\":{\"mission\":\"CN-SD-EMB\",\"event\":\"AAAAAAAAcACAAAAAAAAAAQ==\"},"
	"\"clocks\":[{\"clock\":\"c\",\"dueAt\":\"2023-05-01T00:00:00Z\"}],"
	"\"violations\":[{\"rule\":\"C1\"},{\"rule\":\"C7\"}]}";

static bool fits(struct rows *r, const char *condition)
{
	struct vl_ask_row row = {"SD-1", rows_message(r, "case", "case", one), NOW};
	struct vl_ask_condition *c;
	struct vl_buf room = {0};
	struct vl_why why = {0};

	if (vl_ask_condition_parse(rows_of(r, "case", "case"), condition, NOW, r->arena, &c,
				   &why) != VL_OK)
		fail_msg("%s: %s", condition, why.text);
	bool fit = vl_ask_fits(c, &row, &room);
	vl_buf_free(&room);
	return fit;
}

static void test_conditions(void **state)
{
	static const char *const yes[] = {
		"priority=P2",
		"priority=PRIORITY_P2",
		"priority=2",
		"priority = p2",
		"priority<=P2",
		"priority<P3",
		"priority>P1",
		"priority!=P1",
		"priority in P1,P2",
		"priority in P2",
		"owner=CN-SD-EMB",
		"owner!=CN",
		"owner~sd-e",
		"type~robbery",
		"persons=12",
		"persons>9",
		"persons<100",
		"persons>=12",
		"assigned=yes",
		"assigned=true",
		"consultation=no",
		"opened_at=2023-04-26T12:00:00+02:00",
		"opened_at>=2023-04-26",
		"opened_at<1h",
		"openedAt<2023-04-27",
		"closed_at=",
		"opened_at!=",
		"crisis=",
		"owner!=",
		"outcome=",
		"type!=",
		"merged_from=A",
		"merged_from=B",
		"merged_from!=C",
		"violations_rule=C7",
		"violations.rule in C6,C7",
		"transfers_from=",
		"type_set_event=00000000-0000-7000-8000-000000000001",
		"priority_set_mission=",
		"key=SD-1",
		"key~d-1",
		"DUE~overdue",
		"DUE<2023-05-02",
		"DUE=2023-05-01T00:00:00Z overdue",
		"BREAKS~C1",
		"PERSONS>9",
		"PRI=P2",
		"pri=P2",
		"host_country in EG, SD",
	};
	static const char *const no[] = {
		"priority=P1",
		"priority<P2",
		"priority>=P3",
		"priority!=P2",
		"priority in P1,P3",
		"owner=cn-sd-emb",
		"owner=",
		"owner~eg",
		"persons=1",
		"persons<9",
		"persons>100",
		"assigned=no",
		"opened_at<2023-04-26",
		"opened_at>1h",
		"closed_at!=",
		"closed_at>2020-01-01",
		"closed_at<2099-01-01",
		"merged_from=C",
		"merged_from!=A",
		"violations_rule=C2",
		"transfers_from!=",
		"transfers_from=CN-SD-EMB",
		"type_set_event=00000000-0000-7000-8000-000000000002",
		"key=SD-2",
		"DUE<2023-04-01",
		"BREAKS~C2",
		"PERSONS>100",
		"DUE=",
	};
	struct rows *r = *state;

	for (size_t i = 0; i < N_OF(yes); i++)
		if (!fits(r, yes[i]))
			fail_msg("'%s' does not fit", yes[i]);
	for (size_t i = 0; i < N_OF(no); i++)
		if (fits(r, no[i]))
			fail_msg("'%s' fits", no[i]);
}

static void test_what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *condition;
		enum vl_err err;
		const char *words;
	} wrong[] = {
		{"prority=P1", VL_ERR_NOT_FOUND, "near it: priority"},
		{"opened=2023", VL_ERR_NOT_FOUND, "opened_at"},
		{"violations_rul=C1", VL_ERR_NOT_FOUND, "violations_rule"},
		{"zzzzzzzzzzz=1", VL_ERR_NOT_FOUND, "valise query --schema case"},
		{"priority", VL_ERR_INVALID, "no condition"},
		{"=P1", VL_ERR_INVALID, "no condition"},
		{"priority=P9", VL_ERR_INVALID, "did you mean 'P"},
		{"state=zzzzzzzz", VL_ERR_INVALID, "there are RECEIVED"},
		{"persons=many", VL_ERR_INVALID, "a whole number"},
		{"persons=1.5", VL_ERR_INVALID, "a whole number"},
		{"assigned=perhaps", VL_ERR_INVALID, "yes or no"},
		{"opened_at=soon", VL_ERR_INVALID, "a time"},
		{"type_set_event=xyz", VL_ERR_INVALID, "a UUID"},
	};
	struct rows *r = *state;
	struct vl_ask_condition *c;

	for (size_t i = 0; i < N_OF(wrong); i++) {
		struct vl_why why = {0};
		enum vl_err err = vl_ask_condition_parse(
			rows_of(r, "case", "case"), wrong[i].condition, NOW, r->arena, &c, &why);
		if (err != wrong[i].err || strstr(why.text, wrong[i].words) == NULL)
			fail_msg("%s: %s", wrong[i].condition, why.text);
	}
}

/* Rows that stand in the order asked for, each before the next. */
static void assert_order(struct rows *r, const struct vl_ask_order *orders, size_t n,
			 const char *noun, const char *kind, const char *const *rows, size_t n_rows)
{
	struct vl_buf room = {0};

	for (size_t i = 0; i + 1 < n_rows; i++) {
		struct vl_ask_row a = {"A", rows_message(r, noun, kind, rows[i]), NOW};
		struct vl_ask_row b = {"B", rows_message(r, noun, kind, rows[i + 1]), NOW};
		const struct vl_ask_value *x = vl_ask_sort_keys(orders, n, &a, r->arena, &room);
		const struct vl_ask_value *y = vl_ask_sort_keys(orders, n, &b, r->arena, &room);
		if (vl_ask_sort_compare(orders, n, x, y) >= 0 ||
		    vl_ask_sort_compare(orders, n, y, x) <= 0)
			fail_msg("%s does not come before %s", rows[i], rows[i + 1]);
	}
	vl_buf_free(&room);
}

#define CLOCK(at) "\"clocks\":[{\"clock\":\"c\",\"dueAt\":\"" at "\"}]"

static void test_overdue_and_urgent_come_first(void **state)
{
	static const char *const cases[] = {
		"{\"priority\":\"PRIORITY_P1\"," CLOCK("2023-11-10T00:00:00Z") "}",
		"{\"priority\":\"PRIORITY_P3\"," CLOCK("2023-11-01T00:00:00Z") "}",
		"{\"priority\":\"PRIORITY_P3\"," CLOCK("2023-11-02T00:00:00.5Z") "}",
		"{" CLOCK("2023-11-02T00:00:00Z") "}",
		"{\"priority\":\"PRIORITY_P1\"}",
		"{\"priority\":\"PRIORITY_P2\"," CLOCK("2023-11-15T00:00:00Z") "}",
		"{\"priority\":\"PRIORITY_P2\"," CLOCK("2023-11-16T00:00:00Z") "}",
		"{\"priority\":\"PRIORITY_P2\"}",
		"{\"priority\":\"PRIORITY_P4\"}",
		"{" CLOCK("2023-11-15T00:00:00Z") "}",
		"{}",
	};
	static const char *const alerts[] = {"{\"colour\":\"RISK_COLOUR_RED\"}",
					     "{\"colour\":\"RISK_COLOUR_BLUE\"}", "{}"};
	static const char *const people[] = {"{\"unsettled\":true}", "{}"};
	static const char *const checks[] = {"{\"helpOpen\":[{\"name\":\"A\",\"count\":\"1\"},{"
					     "\"name\":\"B\",\"count\":\"1\"}]}",
					     "{\"helpOpen\":[{\"name\":\"A\",\"count\":\"1\"}]}",
					     "{}"};
	static const struct {
		const char *noun, *kind;
		const char *const *rows;
		size_t n;
	} all[] = {
		{"case", "case", cases, N_OF(cases)},
		{"alert", "alert", alerts, N_OF(alerts)},
		{"evacuation", "person", people, N_OF(people)},
		{"traveller", "check", checks, N_OF(checks)},
	};
	struct vl_ask_order orders[VL_ASK_ORDERS];
	struct rows *r = *state;

	for (size_t i = 0; i < N_OF(all); i++) {
		size_t n = vl_ask_urgency(rows_of(r, all[i].noun, all[i].kind), orders);
		assert_order(r, orders, n, all[i].noun, all[i].kind, all[i].rows, all[i].n);
	}
}

static void test_an_order_that_is_asked_for(void **state)
{
	static const char *const by_time[] = {"{\"openedAt\":\"2023-04-26T10:00:00Z\"}",
					      "{\"openedAt\":\"2023-04-26T10:00:00.1Z\"}", "{}"};
	static const char *const by_time_down[] = {"{\"openedAt\":\"2023-04-26T10:00:00.1Z\"}",
						   "{\"openedAt\":\"2023-04-26T10:00:00Z\"}", "{}"};
	static const char *const by_number_down[] = {"{\"persons\":100}", "{\"persons\":9}", "{}"};
	static const char *const by_list[] = {"{\"mergedFrom\":[\"Z\",\"A\"]}",
					      "{\"mergedFrom\":[\"B\"]}", "{}"};
	static const struct {
		const char *order;
		const char *const *rows;
	} all[] = {{"opened_at", by_time},
		   {"-openedAt", by_time_down},
		   {"-persons", by_number_down},
		   {"-PERSONS", by_number_down},
		   {"merged_from", by_list}};
	struct vl_ask_order order;
	struct vl_why why = {0};
	struct rows *r = *state;

	for (size_t i = 0; i < N_OF(all); i++) {
		assert_int_equal(VL_OK, vl_ask_order_parse(rows_of(r, "case", "case"), all[i].order,
							   &order, &why));
		assert_order(r, &order, 1, "case", "case", all[i].rows, 3);
	}
	assert_int_equal(VL_ERR_NOT_FOUND, vl_ask_order_parse(rows_of(r, "case", "case"),
							      "-openned_at", &order, &why));
	assert_non_null(strstr(why.text, "opened_at"));
}

static void test_times_as_sql_writes_them(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = {{"2023-11-14", 1699920000},
		    {"2023-11-14 22:13:20", 1700000000},
		    {"2023-11-14T22:13:20", 1700000000},
		    {"2023-11-14T22:13:20Z", 1700000000},
		    {"2023-11-14T23:13:20+01:00", 1700000000}};
	static const char *const bad[] = {"",
					  "2023",
					  "2023-11",
					  "2023-11-1",
					  "2023-13-14",
					  "2023-11-14T22",
					  "P1",
					  "1700000000",
					  "20231114T22",
					  "2023-11-14 22:13:20 and more than it takes of it"};
	struct vl_time time;

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++) {
		assert_true(vl_when_stated(good[i].text, strlen(good[i].text), &time));
		assert_int_equal(good[i].seconds, time.seconds);
	}
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_false(vl_when_stated(bad[i], strlen(bad[i]), &time));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_conditions, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_wrong_is_said, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_overdue_and_urgent_come_first, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_an_order_that_is_asked_for, rows_setup,
						rows_teardown),
		cmocka_unit_test(test_times_as_sql_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

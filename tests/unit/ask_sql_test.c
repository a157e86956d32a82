/* ask/sql.h: questions over all views, what they may not do, and what they cost at most. */
#include "ask_rows.h"

#include "ask/sql.h"

#include <dirent.h>
#include <unistd.h>

/* A clock that goes on by as much with every look. */
static int64_t looked, step_ms;

static int64_t now_ms(void)
{
	return ++looked * step_ms;
}

/* An answer as text: rows end with ';', cells have ',' between. */
static bool take_titles(void *context, const char *const *titles, size_t n)
{
	(void)context;
	for (size_t i = 0; i < n; i++)
		assert_non_null(titles[i]);
	return true;
}

static bool take_row(void *context, const struct vl_ask_cell *cells, size_t n)
{
	struct vl_buf *out = context;

	for (size_t i = 0; i < n; i++) {
		vl_buf_put_text(out, i > 0 ? "," : "");
		if (cells[i].type == VL_ASK_IS_NUMBER)
			vl_buf_printf(out, "%lld", (long long)cells[i].number);
		else if (cells[i].type == VL_ASK_IS_REAL)
			vl_buf_printf(out, "%.3f", cells[i].real);
		else if (cells[i].type == VL_ASK_IS_TEXT)
			vl_buf_put(out, cells[i].bytes.data, cells[i].bytes.size);
		else
			vl_buf_put_text(out, cells[i].type == VL_ASK_IS_NULL ? "NULL" : "BYTES");
	}
	vl_buf_put_text(out, ";");
	return out->size < 1 << 20;
}

struct asked {
	enum vl_err err;
	struct vl_why why;
	const char *text;
	size_t damaged;
};

static struct asked ask_within(struct rows *r, size_t memory, const char *question,
			       const char *const *values, size_t n)
{
	struct vl_ask_bounds bounds = {now_ms, VL_ASK_SQL_MS, memory};
	struct vl_buf out = {0};
	struct vl_ask_sink sink = {take_titles, take_row, &out};
	struct asked asked = {0};
	struct vl_ask_sql *sql;

	assert_int_equal(VL_OK, vl_ask_sql_open(r->txn, r->tables, &bounds, &sql, &asked.why));
	asked.err = vl_ask_sql_run(sql, question, values, n, &sink, &asked.why);
	asked.damaged = vl_ask_sql_damaged(sql);
	vl_ask_sql_close(sql);
	asked.text = vl_arena_text(r->arena, out.data, out.size);
	vl_buf_free(&out);
	return asked;
}

static struct asked ask(struct rows *r, const char *question)
{
	return ask_within(r, VL_ASK_SQL_MEMORY, question, NULL, 0);
}

static void assert_answer(struct rows *r, const char *wanted, const char *question)
{
	struct asked asked = ask(r, question);

	if (asked.err != VL_OK)
		fail_msg("%s: %s", question, vl_why_text(&asked.why, asked.err));
	if (strcmp(wanted, asked.text) != 0)
		fail_msg("%s\n is %s\nnot %s", question, asked.text, wanted);
}

static void put_people(struct rows *r)
{
	rows_put(r, "evacuation", "operation", "OP-1",
		 "{\"crisis\":\"SD-2023\",\"title\":\"Sudan\"}");
	rows_put(r, "evacuation", "operation", "OP-2", "{\"crisis\":\"YE-2015\"}");
	rows_put(r, "evacuation", "person", "P-1",
		 "{\"operation\":\"OP-1\",\"unsettled\":true,\"nationality\":\"CN\"}");
	rows_put(r, "evacuation", "person", "P-2",
		 "{\"operation\":\"OP-1\",\"nationality\":\"PK\",\"legs\":[{\"leg\":\"L-1\","
		 "\"boarded\":true},"
		 "{\"leg\":\"L-2\"}]}");
	rows_put(r, "evacuation", "person", "P-3", "{\"operation\":\"OP-2\",\"unsettled\":true}");
}

static int setup(void **state)
{
	if (rows_setup(state) != 0)
		return -1;
	struct rows *r = *state;
	looked = 0;
	step_ms = 0;
	rows_put(r, "case", "case", "SD-1",
		 "{\"state\":\"CASE_STATE_IN_PROGRESS\",\"priority\":\"PRIORITY_P1\",\"crisis\":"
		 "\"SD-2023\","
		 "\"owner\":\"CN-SD-EMB\",\"persons\":2,\"openedAt\":\"2023-04-26T10:00:00Z\","
		 "\"clocks\":[{\"clock\":\"visit\",\"dueAt\":\"2023-04-27T00:00:00Z\"},{\"clock\":"
		 "\"contact\"}],"
		 "\"transfers\":[{\"transfer\":\"t\",\"from\":\"CN-SD-EMB\",\"to\":\"CN-EG-EMB\"}]"
		 "}");
	rows_put(r, "case", "case", "SD-2",
		 "{\"crisis\":\"SD-2023\",\"owner\":\"CN-EG-EMB\",\"persons\":1,"
		 "\"openedAt\":\"2023-04-26T10:00:00.500Z\",\"mergedFrom\":[\"SD-9\"]}");
	rows_put(r, "case", "case", "YE-1",
		 "{\"crisis\":\"YE-2015\",\"openedAt\":\"2015-03-29T00:00:00Z\"}");
	put_people(r);
	rows_read(r);
	return 0;
}

/* An officer's line: who of an evacuation is not settled, beside the cases of that crisis. */
static void test_cases_join_people(void **state)
{
	assert_answer(
		*state, "SD-1,P-1;SD-2,P-1;YE-1,P-3;",
		"SELECT c.key, p.key FROM case c JOIN evacuation_operation o ON o.crisis = "
		"c.crisis "
		"JOIN evacuation_person p ON p.operation = o.key WHERE p.unsettled ORDER BY 1, 2");
	assert_answer(*state, "OP-1,2,1;OP-2,1,1;",
		      "SELECT o.key, count(*), sum(unsettled) FROM evacuation_operation o "
		      "JOIN evacuation_person p ON p.operation = o.key GROUP BY 1 ORDER BY 1");
}

static void test_lists_are_tables(void **state)
{
	assert_answer(*state, "SD-1,1,visit,2023-04-27T00:00:00Z;SD-1,2,contact,NULL;",
		      "SELECT key, position, clock, due_at FROM case_clocks ORDER BY 1, 2");
	assert_answer(*state, "SD-2,SD-9;", "SELECT key, value FROM case_merged_from");
	assert_answer(*state, "P-2,L-1,1;P-2,L-2,0;",
		      "SELECT p.key, leg, l.boarded FROM evacuation_person p JOIN "
		      "evacuation_person_legs l USING (key)");
	assert_answer(*state, "0;", "SELECT count(*) FROM evacuation_reports");
}

static void test_values_in_sql(void **state)
{
	assert_answer(*state, "IN_PROGRESS,P1,2,2023-04-26T10:00:00Z,NULL,,NULL,0;",
		      "SELECT state, priority, persons, opened_at, closed_at, officer, "
		      "type_set_event, assigned "
		      "FROM case WHERE key = 'SD-1'");
	assert_answer(*state, "text,text,integer,text,null;",
		      "SELECT typeof(key), typeof(state), typeof(persons), typeof(opened_at), "
		      "typeof(closed_at) "
		      "FROM case WHERE key = 'SD-1'");
}

/* Whatever the decimals and the offset. */
static void test_times_compare_as_times(void **state)
{
	static const char *const later[] = {"'2023-04-26T10:00:00Z'", "'2023-04-26T10:00:00.100Z'",
					    "'2023-04-26T12:00:00+02:00'", "'2023-04-26 10:00:00'"};
	char question[128];

	assert_answer(*state, "SD-1;SD-2;",
		      "SELECT key FROM case WHERE opened_at >= '2023-04-26' ORDER BY key");
	assert_answer(*state, "YE-1;SD-1;SD-2;", "SELECT key FROM case ORDER BY opened_at");
	assert_answer(*state, "SD-1;",
		      "SELECT key FROM case WHERE opened_at = '2023-04-26T18:00:00+08:00'");
	assert_answer(*state, "2023-04-26T10:00:00.500Z;", "SELECT max(opened_at) FROM case");
	for (size_t i = 0; i < N_OF(later); i++) {
		(void)snprintf(question, sizeof(question),
			       "SELECT key FROM case WHERE opened_at > %s", later[i]);
		assert_answer(*state, "SD-2;", question);
	}
}

/* Words of SQL that are names here. */
static void test_names_that_sql_has_as_words(void **state)
{
	assert_answer(*state, "3;", "SELECT count(*) FROM case");
	assert_answer(*state, "3;", "SELECT count(*) FROM \"case\"");
	assert_answer(*state, "3;",
		      "select count(case.key) from/* all */case where case.key <> 'case.from'");
	assert_answer(*state, "CN-SD-EMB,CN-EG-EMB;", "SELECT t.from, t.to FROM case_transfers t");
	assert_answer(*state, "CN-SD-EMB;", "SELECT \"from\" FROM case_transfers -- case.key");
	assert_answer(*state, "1,case,from case.x,0.500,it's;",
		      "SELECT CASE WHEN 1 THEN 1 ELSE 2 END, 'case', 'from case.x', .5, 'it''s'");
	assert_answer(*state, "1.000;", "SELECT 1. FROM case LIMIT 1");
	assert_answer(*state, "12,3;",
		      "SELECT count(*), CASE WHEN 1 THEN 3 END FROM (case a LEFT JOIN case_clocks "
		      "USING (key)), case");
	assert_answer(*state, "3;",
		      "SELECT count(*) FROM (SELECT key, CASE key WHEN 1 THEN 2 END FROM case)");
}

static void test_values_of_the_line(void **state)
{
	static const char *const values[] = {"SD-1' OR '1'='1", "SD-2"};

	struct asked asked = ask_within(*state, VL_ASK_SQL_MEMORY,
					"SELECT key FROM case WHERE key IN (?1, ?2)", values, 2);
	assert_int_equal(VL_OK, asked.err);
	assert_string_equal("SD-2;", asked.text);
	asked = ask_within(*state, VL_ASK_SQL_MEMORY, "SELECT key FROM case WHERE key = ?1", values,
			   2);
	assert_int_equal(VL_ERR_USAGE, asked.err);
}

static const char *cell(struct rows *r, const char *format, const char *key)
{
	char question[512];

	(void)snprintf(question, sizeof(question), format, key, key, key);
	struct asked asked = ask(r, question);
	assert_int_equal(VL_OK, asked.err);
	return asked.text;
}

/* With the key as it is the row is looked up; with a plus before it, SQLite looks through all. */
static void test_a_look_up_answers_as_a_look_through_all(void **state)
{
	static const char *const keys[] = {"",
					   "A",
					   "K-0",
					   "K-00",
					   "K-1",
					   "K-10",
					   "K-10 ",
					   "K-999",
					   "K-99",
					   "K-5",
					   "k-5",
					   "K",
					   "L",
					   "Z",
					   "K-\xff",
					   "K-0000000000000000000000000000000000000"
					   "0000000000000000000000000000000000000000000000000000000"
					   "000000000000000000000000000000000"};
	static const char *const forms[][2] = {
		{"SELECT key, persons FROM case WHERE key = '%s' ORDER BY 1",
		 "SELECT key, persons FROM case WHERE +key = '%s' ORDER BY 1"},
		{"SELECT count(*), min(key), max(key) FROM case WHERE key > '%s'",
		 "SELECT count(*), min(key), max(key) FROM case WHERE +key > '%s'"},
		{"SELECT count(*), min(key), max(key) FROM case WHERE key >= '%s' AND key < '%s5'",
		 "SELECT count(*), min(key), max(key) FROM case WHERE +key >= '%s' AND +key < "
		 "'%s5'"},
		{"SELECT count(*), min(key), max(key) FROM case WHERE key <= '%s'",
		 "SELECT count(*), min(key), max(key) FROM case WHERE +key <= '%s'"},
		{"SELECT key FROM case WHERE key GLOB '%s*' ORDER BY key",
		 "SELECT key FROM case WHERE +key GLOB '%s*' ORDER BY +key"},
		{"SELECT key FROM case WHERE key LIKE '%s%%' ORDER BY key",
		 "SELECT key FROM case WHERE +key LIKE '%s%%' ORDER BY +key"},
		{"SELECT key FROM case WHERE key = '%s' OR key = '%s0' OR key = 'K-7' ORDER BY 1",
		 "SELECT key FROM case WHERE +key = '%s' OR +key = '%s0' OR +key = 'K-7' ORDER BY "
		 "1"},
		{"SELECT count(*) FROM case WHERE key = '%s' COLLATE NOCASE",
		 "SELECT count(*) FROM case WHERE +key = '%s' COLLATE NOCASE"},
		{"SELECT count(*) FROM case_clocks WHERE key IN ('%s', 'K-3', 'K-3')",
		 "SELECT count(*) FROM case_clocks WHERE +key IN ('%s', 'K-3', 'K-3')"},
	};
	struct rows *r = *state;
	char key[16];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "K-%d", i);
		rows_put(r, "case", "case", key,
			 i % 2 == 0 ? "{\"persons\":7}"
				    : "{\"clocks\":[{\"clock\":\"a\"},{\"clock\":\"b\"}]}");
	}
	rows_put(r, "case", "merge", "K-5", "{\"into\":\"K-6\"}");
	rows_put(r, "case", "board", "K-5", "{}");
	rows_read(r);
	for (size_t i = 0; i < N_OF(keys); i++)
		for (size_t f = 0; f < N_OF(forms); f++)
			assert_string_equal(cell(r, forms[f][1], keys[i]),
					    cell(r, forms[f][0], keys[i]));
}

/* How many rows are read is seen by the clock: it is looked at every 256 rows, and every
 * thousand steps of SQLite's. */
static void test_a_join_reads_each_table_once(void **state)
{
	enum { ROWS = 600 };
	struct rows *r = *state;
	char key[16], row[64];

	for (int i = 0; i < ROWS; i++) {
		(void)snprintf(key, sizeof(key), "K-%d", i);
		(void)snprintf(row, sizeof(row), "{\"crisis\":\"C-%d\"}", i);
		rows_put(r, "case", "case", key, row);
		(void)snprintf(row, sizeof(row), "{\"operation\":\"C-%d\"}", i);
		rows_put(r, "evacuation", "person", key, row);
	}
	rows_read(r);
	looked = 0;
	assert_answer(
		r, "600;",
		"SELECT count(*) FROM case c JOIN evacuation_person p ON p.operation = c.crisis");
	int64_t with_index = looked;
	looked = 0;
	assert_answer(
		r, "600;",
		"SELECT count(*) FROM case c JOIN evacuation_person p ON +p.operation = +c.crisis");
	print_message("%lld looks at the clock, %lld without an index\n", (long long)with_index,
		      (long long)looked);
	assert_true(with_index < 60);
	assert_true(looked > 20 * with_index);
	assert_answer(r, "600;",
		      "SELECT count(*) FROM case_clocks x RIGHT JOIN case c ON c.crisis = x.clock "
		      "WHERE c.key GLOB 'K*'");
}

static void test_nothing_but_questions(void **state)
{
	static const char *const refused[] = {
		"INSERT INTO case_clocks (key) VALUES ('x')",
		"DELETE FROM case",
		"UPDATE case SET owner = 'x'",
		"CREATE TABLE t (a)",
		"CREATE TEMP TABLE t (a)",
		"CREATE VIEW v AS SELECT 1",
		"CREATE VIRTUAL TABLE v USING fts5(a)",
		"DROP TABLE case",
		"ATTACH 'written' AS w",
		"ATTACH ':memory:' AS w",
		"DETACH main",
		"VACUUM INTO 'written'",
		"VACUUM",
		"PRAGMA user_version = 3",
		"PRAGMA temp_store = 1",
		"PRAGMA query_only = 0",
		"SELECT * FROM pragma_table_info('case')",
		"SELECT load_extension('x')",
		"BEGIN",
		"REINDEX",
		"ANALYZE",
		"SAVEPOINT s",
		"SELECT 1; SELECT 2",
		"SELECT 1; DELETE FROM case",
		"",
		" ; ",
		"-- nothing",
		"SELECT FROM WHERE",
		"SELECT zebra FROM case",
		"SELECT * FROM zebra",
	};
	char before[4096], folder[] = "/tmp/valise-ask-cwd-XXXXXX";

	assert_non_null(getcwd(before, sizeof(before)));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(0, chdir(folder));
	for (size_t i = 0; i < N_OF(refused); i++) {
		struct asked asked = ask(*state, refused[i]);
		if (asked.err != VL_ERR_USAGE || asked.why.text[0] == '\0')
			fail_msg("'%s' was taken: %s", refused[i], asked.text);
	}
	assert_int_equal(0, chdir(before));
	assert_int_equal(0, rmdir(folder)); /* no file was made in it */
	assert_answer(*state, "3;", "SELECT count(*) FROM case;  -- that is all");
}

static void test_what_is_meant_is_said(void **state)
{
	struct asked asked = ask(*state, "SELECT c.opend_at FROM case c");

	assert_non_null(strstr(asked.why.text, "did you mean 'opened_at'?"));
	asked = ask(*state, "SELECT * FROM evacuation_persons");
	assert_non_null(strstr(asked.why.text, "did you mean 'evacuation_person'?"));
	asked = ask(*state, "SELECT qqqqqqqqqqqqqqqq FROM case");
	assert_non_null(strstr(asked.why.text, "--schema"));
}

static void test_a_question_has_an_end(void **state)
{
	static const char *const long_ones[] = {
		"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 3000000) "
		"SELECT count(*) "
		"FROM t",
		"SELECT count(*) FROM case a, case b, case c, case d, case e, case f, case g, case "
		"h, case i, case j, case k",
	};

	step_ms = VL_ASK_SQL_MS / 100;
	for (size_t i = 0; i < N_OF(long_ones); i++) {
		struct asked asked = ask(*state, long_ones[i]);
		assert_int_equal(VL_ERR_TOO_LARGE, asked.err);
		assert_non_null(strstr(asked.why.text, "after 30 s"));
	}
}

static void test_a_question_has_so_much_memory(void **state)
{
	static const char *const large[] = {
		"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 1000) "
		"SELECT randomblob(100000) AS x FROM t ORDER BY x",
		"SELECT length(zeroblob(5000000))",
		"SELECT group_concat(randomblob(1000000)) FROM case a, case b, case c",
	};

	for (size_t i = 0; i < N_OF(large); i++) {
		struct asked asked = ask_within(*state, (size_t)16 << 20, large[i], NULL, 0);
		assert_int_equal(VL_ERR_TOO_LARGE, asked.err);
	}
	struct asked asked = ask_within(
		*state, (size_t)16 << 20,
		"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 300000) "
		"SELECT 'ten bytes.' FROM t",
		NULL, 0);
	assert_int_equal(VL_ERR_TOO_LARGE, asked.err);
	assert_non_null(strstr(asked.why.text, "LIMIT"));
	assert_answer(*state, "3;", "SELECT count(*) FROM case");
}

/* A damaged row is left out, however it is met, and counted once; all others are there. */
static void test_a_damaged_row_costs_itself(void **state)
{
	struct rows *r = *state;
	static const char *const questions[] = {
		"SELECT key FROM case ORDER BY persons, key",
		"SELECT key FROM case WHERE key IN ('SD-1', 'SD-2', 'YE-1')",
		"SELECT c.key FROM evacuation_operation o JOIN case c ON c.crisis = o.crisis ORDER "
		"BY 1",
		"SELECT DISTINCT c.key FROM case c, case d WHERE d.key IS NOT NULL ORDER BY 1",
	};

	rows_rot(r, "case", "case", "SD-1");
	for (size_t i = 0; i < N_OF(questions); i++) {
		struct asked asked = ask(r, questions[i]);
		assert_int_equal(VL_OK, asked.err);
		assert_non_null(strstr(asked.text, "SD-2;"));
		assert_non_null(strstr(asked.text, "YE-1;"));
		assert_null(strstr(asked.text, "SD-1"));
		assert_int_equal(1, asked.damaged);
	}
	assert_int_equal(0, ask(r, "SELECT key FROM case WHERE key = 'SD-2'").damaged);
}

/* A row that is stored whole, and is no message. */
static void test_a_row_that_is_none(void **state)
{
	struct rows *r = *state;

	vl_txn_abort(r->txn);
	r->txn = vl_txn_begin(r->store, true, NULL);
	rows_put_bytes(r, "case", "case", "SD-3",
		       (struct vl_bytes){(const uint8_t *)"\xff\xff\xff", 3});
	rows_read(r);
	struct asked asked = ask(r, "SELECT group_concat(key) FROM case WHERE persons >= 0");
	assert_int_equal(VL_OK, asked.err);
	assert_string_equal("SD-1,SD-2,YE-1;", asked.text);
	assert_int_equal(1, asked.damaged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_cases_join_people, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_lists_are_tables, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_values_in_sql, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_times_compare_as_times, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_names_that_sql_has_as_words, setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_values_of_the_line, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_look_up_answers_as_a_look_through_all,
						rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_join_reads_each_table_once, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_but_questions, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_meant_is_said, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_question_has_an_end, setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_question_has_so_much_memory, setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_damaged_row_costs_itself, setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_row_that_is_none, setup, rows_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

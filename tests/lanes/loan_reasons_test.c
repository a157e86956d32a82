/*
 * ask/reasons.h, table by table, on the tests' own lane: what each kind of line gives for a reason.
 */
#include "ask/reasons.h"
#include "play.h"

struct bench {
	struct play play;
	struct vl_txn *txn;
	struct vl_bound *bound;
	struct vl_ask_tables *tables;
	struct vl_arena *arena;
	struct vl_reasons r;
};

static void open_bench(struct bench *b, const char *scenario)
{
	char path[4096];
	struct vl_why why = {0};

	memset(b, 0, sizeof(*b));
	(void)snprintf(path, sizeof(path), "%s/%s.scenario", VALISE_SCENARIOS, scenario);
	play_open(&b->play, path);
	play_all(&b->play, 0);
	b->txn = vl_txn_begin(b->play.world.store, false, NULL);
	b->arena = vl_arena_open(0);
	b->tables = vl_ask_tables_open();
	assert_int_equal(vl_view_bind_one(vl_views[b->play.view], &b->bound, &why), VL_OK);
}

static void close_bench(struct bench *b)
{
	vl_view_unbind(b->bound);
	vl_ask_tables_close(b->tables);
	vl_arena_close(b->arena);
	vl_txn_abort(b->txn);
	play_close(&b->play);
}

static enum vl_err ask_some(struct bench *b, const char *kind, const char *key, const char *field,
			    size_t most, struct vl_why *why)
{
	struct vl_ask_kind *of = vl_arena_alloc(b->arena, sizeof(*of));
	struct vl_ask_probe probe;

	*of = (struct vl_ask_kind){b->tables, b->bound, b->play.view,
				   (unsigned)vl_view_kind(vl_views[b->play.view], kind)};
	enum vl_err err = vl_ask_probe_find(of, NULL, field, &probe, why);
	if (err == VL_OK)
		err = vl_reasons_find(&probe, b->txn, key, (struct vl_time){0}, most, b->arena,
				      &b->r);
	return err;
}

static void ask(struct bench *b, const char *kind, const char *key, const char *field)
{
	assert_int_equal(ask_some(b, kind, key, field, 20, NULL), VL_OK);
}

/* The events that were given, as "decides LoanPaid, no more LoanRequested". */
static const char *told(struct bench *b)
{
	static const char *const roles[] = {"none",    "part", "in vain",
					    "matters", "adds", "decides"};
	static char text[1024];
	size_t size = 0;

	text[0] = '\0';
	for (size_t i = 0; i < b->r.n_events; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s %s",
					 i > 0 ? ", " : "", roles[b->r.events[i].role],
					 b->r.events[i].item->fact.payload->descriptor->short_name);
	return text;
}

static void test_sets(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, "asked_twice");
	/* VL_LAST, VL_EXACTLY, VL_FIRST */
	ask(&b, "loan", "LN-9", "country");
	assert_string_equal(b.r.value, "EG");
	assert_string_equal(told(&b), "in vain LoanRequested, decides LoanRequested");
	assert_string_equal(b.r.events[1].item->fact.mission, "CN-EG-EMB");
	assert_string_equal(b.r.events[1].said.field->name, "country");
	assert_string_equal(b.r.sources, "set country = the last country of LoanRequested\n");
	ask(&b, "loan", "LN-9", "asked");
	assert_string_equal(told(&b), "in vain LoanRequested, decides LoanRequested");
	ask(&b, "loan", "LN-9", "requestedAt");
	assert_string_equal(told(&b), "decides LoanRequested, in vain LoanRequested");
	assert_string_equal(b.r.events[0].said.words, "2026-03-02T09:00:00Z");
	ask(&b, "loan", "LN-9", "mission");
	assert_string_equal(told(&b), "decides LoanRequested, in vain LoanRequested");
	/* VL_COUNT */
	ask(&b, "loan", "LN-9", "events");
	assert_string_equal(told(&b), "adds LoanRequested, adds LoanRequested");
	close_bench(&b);

	open_bench(&b, "trouble");
	/* VL_GREATEST, VL_SET and VL_CLEAR */
	ask(&b, "loan", "LN-1", "repaid");
	assert_string_equal(told(&b), "decides LoanRepaid");
	ask(&b, "loan", "LN-1", "written_off");
	assert_string_equal(told(&b), "in vain LoanWrittenOff, decides LoanRepaid");
	close_bench(&b);

	open_bench(&b, "repaid");
	/* VL_APPEND: officer:7 was there already, and counts once */
	ask(&b, "loan", "LN-1", "officers");
	assert_string_equal(b.r.value, "officer:7, officer:8");
	assert_string_equal(told(&b), "adds LoanRequested, adds LoanApproved, adds LoanPaid");
	close_bench(&b);
}

static void test_moves(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, "trouble");
	ask(&b, "loan", "LN-2", "state");
	assert_string_equal(b.r.value, "REQUESTED");
	assert_string_equal(told(&b), "decides LoanRequested, in vain LoanPaid");
	assert_string_equal(b.r.events[0].said.words, "new to REQUESTED");
	assert_string_equal(b.r.events[1].said.words, "changes nothing: the state is REQUESTED");
	/* A column, by its title, is the field that it prints. */
	ask(&b, "loan", "LN-2", "STATE");
	assert_string_equal(told(&b), "decides LoanRequested, in vain LoanPaid");
	close_bench(&b);
}

static void test_clocks(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, "trouble");
	ask(&b, "loan", "LN-1", "clocks");
	assert_string_equal(told(&b), "adds LoanRequested, adds LoanApproved, adds LoanPaid, "
				      "adds LoanWrittenOff, in vain LoanRepaid");
	assert_string_equal(b.r.events[0].said.words, "starts 'answer'");
	assert_string_equal(b.r.events[3].said.words, "takes away 'repay'");
	ask(&b, "loan", "LN-1", "clocks_due_at");
	assert_string_equal(told(&b), "adds LoanRequested, in vain LoanApproved, adds LoanPaid, "
				      "in vain LoanWrittenOff, in vain LoanRepaid");
	close_bench(&b);
}

static void test_rules(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, "trouble");
	/* by a function over the row: no more came back than was paid */
	ask(&b, "loan", "LN-1", "L2");
	assert_string_equal(b.r.value, "more came back than was paid");
	assert_string_equal(told(&b), "matters LoanRepaid");
	assert_string_equal(b.r.sources, "rule L2: more came back than was paid when too_much()\n");
	/* by a clock, and by a move */
	ask(&b, "loan", "LN-1", "L3");
	assert_string_equal(told(&b), "matters LoanRequested, adds LoanApproved");
	assert_non_null(strstr(b.r.sources, "clock 'answer'"));
	ask(&b, "loan", "LN-2", "L1");
	assert_string_equal(told(&b), "matters LoanRequested, adds LoanPaid");
	assert_non_null(strstr(b.r.value, "LoanPaid changes nothing: the state is REQUESTED"));
	/* one that is not broken */
	ask(&b, "loan", "LN-3", "L2");
	assert_string_equal(b.r.value, "");
	assert_int_equal(b.r.n_events, 0);
	close_bench(&b);
}

static void test_sums(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b, "trouble");
	ask(&b, "board", "all", "paid");
	assert_string_equal(b.r.value, "105");
	assert_int_equal(b.r.n_events, 0);
	assert_int_equal(b.r.adding, 2);
	assert_int_equal(b.r.sum, 105);
	assert_string_equal(b.r.adds[0].key, "LN-1");
	assert_int_equal(b.r.adds[0].amount, 100);
	assert_string_equal(b.r.adds[1].key, "LN-2");
	assert_string_equal(b.r.adds[1].kind, "loan");
	assert_string_equal(b.r.sources, "each loan: paid += paid\n");
	/* counted by a group, and by the rules that are broken; of many only so many are given */
	ask(&b, "country", "EG", "by_purpose");
	assert_int_equal(b.r.adding, 2);
	assert_string_equal(b.r.adds[0].name, "by_purpose/UNSPECIFIED");
	assert_int_equal(ask_some(&b, "board", "all", "violations_by_rule", 2, NULL), VL_OK);
	assert_int_equal(b.r.adding, 3);
	assert_int_equal(b.r.n_adds, 2);
	/* what nobody adds to */
	ask(&b, "country", "EG", "repaid");
	assert_int_equal(b.r.adding, 0);
	close_bench(&b);

	open_bench(&b, "repaid");
	/* a field of the same row that an event writes */
	ask(&b, "country", "SD", "funds");
	assert_string_equal(told(&b), "decides FundsCounted");
	assert_int_equal(b.r.adding, 0);
	ask(&b, "stray", "CN-EG-EMB", "events");
	assert_string_equal(told(&b), "adds FundsCounted");
	close_bench(&b);
}

static void test_names_that_are_not_there(void **state)
{
	struct vl_why why = {0};
	struct bench b;

	(void)state;
	open_bench(&b, "trouble");
	assert_int_equal(ask_some(&b, "loan", "LN-1", "repayd", 20, &why), VL_ERR_NOT_FOUND);
	assert_non_null(strstr(vl_why_text(&why, VL_ERR_NOT_FOUND), "did you mean 'repaid'"));
	assert_int_equal(ask_some(&b, "loan", "LN-1", "L9", 20, &why), VL_ERR_NOT_FOUND);
	assert_non_null(strstr(vl_why_text(&why, VL_ERR_NOT_FOUND), "no field and no rule 'L9'"));
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),   cmocka_unit_test(test_moves),
		cmocka_unit_test(test_clocks), cmocka_unit_test(test_rules),
		cmocka_unit_test(test_sums),   cmocka_unit_test(test_names_that_are_not_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

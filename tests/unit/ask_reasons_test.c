/*
 * ask/reasons.h, of every field of every row of every scenario: the row is folded again to what is
 * stored, and what says something has somebody who said it. Compiled with the tests' own lane, too.
 */
#include "ask/reasons.h"
#include "hq/fold/fold.h"
#include "play.h"

#define FIELDS 512

struct look {
	struct play play;
	struct vl_txn *txn;
	struct vl_bound *bound;
	struct vl_ask_tables *tables;
	struct vl_arena *arena;
	size_t asked;
};

static bool says_nothing(const char *value)
{
	return value[0] == '\0' || strcmp(value, "0") == 0 || strcmp(value, "no") == 0;
}

static bool is_key(const struct vl_ask_probe *probe)
{
	return probe->form == VL_PROBE_TERM && probe->term.cell < 0 &&
	       probe->term.field.column->source != VL_ASK_FIELD &&
	       probe->term.field.column->source != VL_ASK_ITEM;
}

/* A column that says what follows from no event: the key, and words that stand for nothing. */
static bool is_made(const struct vl_ask_probe *probe)
{
	return probe->form == VL_PROBE_TERM && probe->term.cell >= 0;
}

static void look_at_field(struct look *l, const struct vl_ask_kind *of, const char *key,
			  const ProtobufCMessage *row, const char *name)
{
	struct vl_ask_probe probe;
	struct vl_reasons reasons;
	struct vl_buf text = {0};
	struct vl_why why = {0};

	assert_int_equal(vl_ask_probe_find(of, row, name, &probe, &why), VL_OK);
	assert_int_equal(vl_reasons_find(&probe, l->txn, key, (struct vl_time){1700000000, 0}, 3,
					 l->arena, &reasons),
			 VL_OK);
	const struct vl_ask_row at = {key, row, {1700000000, 0}};
	vl_ask_probe_print(&probe, &at, &text);
	assert_string_equal(reasons.value, vl_buf_text(&text));
	if (!says_nothing(reasons.value) && !is_key(&probe) && !is_made(&probe) &&
	    reasons.n_events + reasons.adding + reasons.n_rows == 0)
		fail_msg("%s %s: nobody said %s = %s", vl_views[of->view]->kinds[of->kind].name,
			 key, name, reasons.value);
	assert_true(reasons.n_adds <= 3 && reasons.n_adds <= reasons.adding);
	for (size_t i = 1; i < reasons.n_adds; i++)
		assert_true(llabs(reasons.adds[i - 1].amount) >= llabs(reasons.adds[i].amount));
	vl_buf_free(&text);
	l->asked++;
}

static void look_at_row(struct look *l, const struct vl_ask_kind *of, const char *key,
			struct vl_bytes value)
{
	const ProtobufCMessageDescriptor *type = vl_views[of->view]->kinds[of->kind].row;
	const ProtobufCMessage *row = vl_wire_unpack(type, value, l->arena);
	const char *names[FIELDS];
	size_t n = vl_ask_field_names(l->tables, of->view, of->kind, names, FIELDS);

	assert_non_null(row);
	for (size_t i = 0; i < n; i++)
		look_at_field(l, of, key, row, names[i]);
	for (unsigned i = 0; i < type->n_fields; i++)
		look_at_field(l, of, key, row, type->fields[i].name);
}

static void look_at_kind(struct look *l, unsigned kind)
{
	const struct vl_ask_kind of = {l->tables, l->bound, l->play.view, kind};
	struct vl_cursor *cursor = vl_cursor_open(l->txn, vl_view_db(l->play.view, VL_VIEW_ROW));
	struct vl_bytes key, value;
	struct vl_key prefix;

	vl_row_key(&prefix, kind, "");
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &key, &value))
		look_at_row(l, &of, (const char *)key.data + 1, value);
	vl_cursor_close(cursor);
}

static void run(const char *path)
{
	struct look l = {0};
	struct vl_why why = {0};

	play_open(&l.play, path);
	play_all(&l.play, 5);
	l.txn = vl_txn_begin(l.play.world.store, false, NULL);
	l.arena = vl_arena_open(0);
	l.tables = vl_ask_tables_open();
	assert_int_equal(vl_view_bind_one(vl_views[l.play.view], &l.bound, &why), VL_OK);
	for (unsigned kind = 0; kind < vl_views[l.play.view]->n_kinds; kind++)
		look_at_kind(&l, kind);
	assert_true(l.asked > 0);
	vl_view_unbind(l.bound);
	vl_ask_tables_close(l.tables);
	vl_arena_close(l.arena);
	vl_txn_abort(l.txn);
	play_close(&l.play);
}

static void test_whatever_a_row_says_somebody_said(void **state)
{
	(void)state;

	assert_true(scenario_each(VALISE_SCENARIOS, run) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_a_row_says_somebody_said)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

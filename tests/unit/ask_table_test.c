/* ask/table.h, ask/value.h: every row as tables, and names that find their field. */
#include "ask_rows.h"

#include "ask/value.h"
#include "hq/fold/views.h"

/* A name stands for one table, and within it for one column, for SQL and for whoever writes
 * openedAt. */
static void test_names_are_names_of_one_thing(void **state)
{
	struct rows *r = *state;
	const struct vl_ask_table *t, *other;

	for (size_t i = 0; (t = vl_ask_table_at(r->tables, i)) != NULL; i++) {
		for (size_t j = 0; j < i && (other = vl_ask_table_at(r->tables, j)) != NULL; j++)
			if (strcmp(t->name, other->name) == 0 ||
			    (t->alias != NULL && strcmp(t->alias, other->name) == 0) ||
			    (other->alias != NULL && strcmp(t->name, other->alias) == 0))
				fail_msg("two tables are called %s", t->name);
		assert_true(t->n_columns > 0 && t->n_columns < VL_ASK_COLUMNS);
		assert_string_equal("key", t->columns[0].name);
		for (size_t a = 0; a < t->n_columns; a++)
			for (size_t b = 0; b < a; b++)
				if (vl_ask_same_name(t->columns[a].name, t->columns[b].name))
					fail_msg("%s has two columns %s", t->name,
						 t->columns[a].name);
	}
}

/* Every name that a kind's fields have finds that very field again. */
static void test_each_field_is_found_by_its_name(void **state)
{
	struct rows *r = *state;
	const char *names[1024];
	struct vl_ask_field field;
	size_t fields = 0;

	for (size_t v = 0; vl_views[v] != NULL; v++)
		for (unsigned kind = 0; kind < vl_views[v]->n_kinds; kind++) {
			size_t n = vl_ask_field_names(r->tables, v, kind, names, N_OF(names));
			assert_true(n > 0 && n < N_OF(names));
			for (size_t i = 0; i < n; i++) {
				assert_true(
					vl_ask_field_find(r->tables, v, kind, names[i], &field));
				assert_true(field.table->view == v && field.table->kind == kind);
				for (size_t j = 0; j < i; j++)
					if (vl_ask_same_name(names[i], names[j]))
						fail_msg("%s and %s", names[i], names[j]);
			}
			fields += n;
		}
	print_message("%zu fields\n", fields);
}

static void test_every_kind_has_its_table(void **state)
{
	struct rows *r = *state;
	char name[128];

	for (size_t v = 0; vl_views[v] != NULL; v++) {
		const struct vl_view *view = vl_views[v];
		const struct vl_ask_table *shown = vl_ask_table_named(r->tables, view->noun);
		assert_non_null(shown);
		assert_true(shown->view == v && shown->kind == view->shown && shown->n_lists == 0);
		for (unsigned kind = 0; kind < view->n_kinds; kind++) {
			(void)snprintf(name, sizeof(name), "%s_%s", view->noun,
				       view->kinds[kind].name);
			if (kind != view->shown || strcmp(view->noun, view->kinds[kind].name) != 0)
				assert_non_null(vl_ask_table_named(r->tables, name));
		}
	}
	assert_ptr_equal(vl_ask_table_named(r->tables, "evacuation"),
			 vl_ask_table_named(r->tables, "evacuation_leg"));
	assert_ptr_equal(vl_ask_table_named(r->tables, "evacuation_reports"),
			 vl_ask_table_named(r->tables, "Evacuation_Leg_Reports"));
	assert_null(vl_ask_table_named(r->tables, "cases"));
}

static struct vl_ask_field find(struct rows *r, const char *noun, const char *kind,
				const char *name)
{
	struct vl_ask_field field;

	if (!vl_ask_field_find(r->tables, rows_view(noun), rows_kind(noun, kind), name, &field))
		fail_msg("no field %s", name);
	return field;
}

static void test_a_field_is_written_in_several_ways(void **state)
{
	struct rows *r = *state;
	struct vl_ask_field field;
	static const char *const one[] = {"opened_at", "openedAt", "OPENED-AT", "opened.at"};
	static const char *const of_list[] = {"clocks_due_at", "clocks.dueAt", "clocks_due.at"};
	static const char *const none[] = {"",        "opened",   "opened_att", "clocks",
					   "clocks_", "position", "_"};

	for (size_t i = 0; i < N_OF(one); i++) {
		field = find(r, "case", "case", one[i]);
		assert_string_equal("case", field.table->name);
		assert_string_equal("opened_at", field.column->name);
	}
	for (size_t i = 0; i < N_OF(of_list); i++) {
		field = find(r, "case", "case", of_list[i]);
		assert_string_equal("case_clocks", field.table->name);
		assert_string_equal("due_at", field.column->name);
	}
	assert_string_equal("value", find(r, "case", "case", "merged_from").column->name);
	assert_string_equal("key", find(r, "case", "case", "KEY").column->name);
	for (size_t i = 0; i < N_OF(none); i++)
		assert_false(vl_ask_field_find(r->tables, rows_view("case"),
					       rows_kind("case", "case"), none[i], &field));
}

/* What a column says of every item of its table, with '|' between. */
static const char *said(struct rows *r, const struct vl_ask_field field,
			const ProtobufCMessage *row)
{
	struct vl_buf out = {0};
	struct vl_ask_walk walk;
	struct vl_ask_value value;

	for (bool more = vl_ask_first(&walk, field.table, row); more; more = vl_ask_next(&walk)) {
		vl_ask_read(&walk, field.column, "K", &value);
		vl_buf_put_text(&out, out.size > 0 ? "|" : "");
		vl_buf_put_text(&out, value.none ? "none" : "");
		vl_ask_print(&value, &out);
	}
	const char *text = vl_arena_text(r->arena, out.data, out.size);
	vl_buf_free(&out);
	return text;
}

static void test_values(void **state)
{
	struct rows *r = *state;
	const ProtobufCMessage *row = rows_message(
		r, "case", "case",
		"{\"state\":\"CASE_STATE_CLOSED\",\"priority\":\"PRIORITY_P1\",\"outcome\":77,"
		"\"owner\":\"CN-SD-EMB\","
		"\"openedAt\":\"2023-04-26T10:00:00.250Z\",\"persons\":3,\"assigned\":true,"
		"\"mergedFrom\":[\"A\",\"B\"],"
		"\"prioritySet\":{\"mission\":\"CN-EG-EMB\",\"event\":\"AAAAAAAAcACAAAAAAAAAAQ==\"}"
		","
		"\"clocks\":[{\"clock\":\"c1\",\"breached\":true},{\"clock\":\"c2\",\"saidInTime\":"
		"\"AQL/\"}]}");
	static const struct {
		const char *field, *text;
	} wanted[] = {
		{"key", "K"},
		{"state", "CLOSED"},
		{"priority", "P1"},
		{"type", ""},
		{"outcome", "77"},
		{"owner", "CN-SD-EMB"},
		{"opened_at", "2023-04-26T10:00:00.250Z"},
		{"closed_at", "none"},
		{"persons", "3"},
		{"assigned", "1"},
		{"consultation", "0"},
		{"merged_from", "A|B"},
		{"priority_set_mission", "CN-EG-EMB"},
		{"priority_set_event", "00000000-0000-7000-8000-000000000001"},
		{"type_set_mission", "none"},
		{"clocks_clock", "c1|c2"},
		{"clocks_breached", "1|0"},
		{"clocks_said_in_time", "none|0102ff"},
		{"transfers_from", ""},
	};

	for (size_t i = 0; i < N_OF(wanted); i++) {
		const char *text = said(r, find(r, "case", "case", wanted[i].field), row);
		if (strcmp(text, wanted[i].text) != 0)
			fail_msg("%s is '%s', not '%s'", wanted[i].field, text, wanted[i].text);
	}
}

/* Lists within lists, some of them empty. */
static void test_a_list_within_a_list(void **state)
{
	struct rows *r = *state;
	const ProtobufCMessage *row = rows_message(
		r, "traveller", "traveller",
		"{\"trips\":[{\"trip\":\"t1\"},{\"trip\":\"t2\",\"stays\":[{\"country\":"
		"\"SD\"},{\"country\":\"EG\"}]},"
		"{\"trip\":\"t3\"},{\"trip\":\"t4\",\"stays\":[{\"country\":\"ET\"}]},{"
		"\"trip\":\"t5\"}]}");
	const struct vl_ask_table *stays = vl_ask_table_named(r->tables, "traveller_trips_stays");

	assert_non_null(stays);
	assert_string_equal("SD|EG|ET",
			    said(r, find(r, "traveller", "traveller", "trips_stays_country"), row));
	assert_string_equal("trips_position", stays->columns[1].name);
	assert_string_equal("2|2|4",
			    said(r, (struct vl_ask_field){stays, &stays->columns[1]}, row));
	assert_string_equal("position", stays->columns[2].name);
	assert_string_equal("1|2|1",
			    said(r, (struct vl_ask_field){stays, &stays->columns[2]}, row));
	assert_string_equal("t1|t2|t3|t4|t5",
			    said(r, find(r, "traveller", "traveller", "trips_trip"), row));
}

static void test_nothing_personal_has_a_column(void **state)
{
	struct rows *r = *state;
	const struct vl_ask_table *t;

	for (size_t i = 0; (t = vl_ask_table_at(r->tables, i)) != NULL; i++) {
		for (size_t c = 0; c < t->n_columns; c++)
			for (unsigned p = 0; p < t->columns[c].n_path; p++)
				assert_false(vl_ask_is_personal(t->columns[c].path[p]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names_are_names_of_one_thing, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_each_field_is_found_by_its_name, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_every_kind_has_its_table, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_field_is_written_in_several_ways, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_values, rows_setup, rows_teardown),
		cmocka_unit_test_setup_teardown(test_a_list_within_a_list, rows_setup,
						rows_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_personal_has_a_column, rows_setup,
						rows_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

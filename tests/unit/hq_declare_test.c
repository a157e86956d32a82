#include "hq/fold/bind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include "hq/fold/views.h"

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "consular/alert/v1/view.pb-c.h"
#include "consular/evacuation/v1/view.pb-c.h"
#include "consular/traveller/v1/short.h"

/* What is wrong in a declaration is found when it is bound, with its place; and the views there are
 * have nothing wrong. */

static void test_every_view_binds(void **state)
{
	(void)state;
	struct vl_why why = {0};

	assert_int_equal(VL_OK, vl_views_check(&why));
	assert_true(vl_views_count() >= 4);
}

static void assert_explains_lookups(const struct vl_view *view, const char *text)
{
	char line[256];

	for (unsigned k = 0; k < view->n_kinds; k++)
		for (const struct vl_lookup *lookup = view->kinds[k].lookups;
		     lookup != NULL && lookup->kind != NULL; lookup++) {
			if (lookup->to.name != NULL)
				(void)snprintf(line, sizeof(line), "looks up %s = %s.%s",
					       lookup->to.name, lookup->kind, lookup->from.name);
			else
				(void)snprintf(line, sizeof(line), "reads %s.%s", lookup->kind,
					       lookup->from.name);
			assert_non_null(strstr(text, line));
		}
}

static void test_every_view_explains_each_kind_and_rule(void **state)
{
	(void)state;

	for (size_t v = 0; vl_views[v] != NULL; v++) {
		struct vl_buf out = {0};
		struct vl_bound *bound = vl_view_bind(vl_views[v], &out);
		assert_non_null(bound);
		vl_bound_explain(bound, &out);
		assert_explains_lookups(vl_views[v], vl_buf_text(&out));
		for (unsigned k = 0; k < vl_views[v]->n_kinds; k++) {
			char line[128];
			(void)snprintf(line, sizeof(line), "\n  %s, a ",
				       vl_views[v]->kinds[k].name);
			assert_non_null(strstr(vl_buf_text(&out), line));
			for (const struct vl_rule *rule = vl_views[v]->kinds[k].rules;
			     rule != NULL && rule->id != NULL; rule++)
				assert_non_null(strstr(vl_buf_text(&out), rule->text));
		}
		vl_view_unbind(bound);
		vl_buf_free(&out);
	}
}

/* -- what is wrong -- */

enum { TRAVELLER, BOARD, STRAY, KINDS };

static bool never(const ProtobufCMessage *row)
{
	(void)row;
	return false;
}

static const struct vl_column columns[] = {{"KEY", .form = VL_KEY}, {.title = NULL}};
static const struct vl_route routes[] = {{.event = ANY_EVENT, .kind = TRAVELLER, .key = SUBJECT},
					 {.key = {NULL, 0}}};

/* The lanes that the view says it reads. */
static const char *const *tried_reads;

/* One kind of row, one table of which is tried, and a board. */
static char *fault_of(const struct vl_kind *tried, const struct vl_route *tried_routes)
{
	static char text[2048];
	const struct vl_kind kinds[KINDS] = {
		[TRAVELLER] = *tried,
		[BOARD] = {.name = "board", .row = MESSAGE(BoardRow), .columns = columns},
		[STRAY] = VL_STRAY_KIND,
	};
	const struct vl_view view = {
		.lane = "consular.traveller.v1",
		.noun = "tried",
		.kinds = kinds,
		.n_kinds = KINDS,
		.shown = TRAVELLER,
		.routes = tried_routes,
		.reads = tried_reads,
	};
	struct vl_buf wrong = {0};
	struct vl_bound *bound = vl_view_bind(&view, &wrong);

	(void)snprintf(text, sizeof(text), "%s", bound != NULL ? "" : vl_buf_text(&wrong));
	vl_view_unbind(bound);
	vl_buf_free(&wrong);
	return text;
}

#define KIND(...)                                                                                  \
	{                                                                                          \
		.name = "traveller", .row = MESSAGE(TravellerRow), .columns = columns, __VA_ARGS__ \
	}
#define TABLE(type, ...)      \
	(const struct type[]) \
	{                     \
		__VA_ARGS__,  \
		{             \
			0     \
		}             \
	}

static const ProtobufCMessageDescriptor *const owned[] = {MESSAGE(TripCancelled), NULL};
#define WITH_SETS(...) KIND(.sets = TABLE(vl_set, __VA_ARGS__))
#define WITH_MOVES(...) KIND(.state = F(TravellerRow, state), .moves = TABLE(vl_move, __VA_ARGS__))
#define WITH_CLOCKS(...) KIND(.clocks = TABLE(vl_clock_rule, __VA_ARGS__))
#define WITH_RULES(...) KIND(.rules = TABLE(vl_rule, __VA_ARGS__))
#define WITH_SUMS(...)                \
	KIND(.targets =               \
		     TABLE(vl_target, \
			   {.kind = BOARD, .fixed = "all", .sums = TABLE(vl_sum, __VA_ARGS__)}))
#define WITH_COLUMNS(...)                                          \
	{                                                          \
		.name = "traveller", .row = MESSAGE(TravellerRow), \
		.columns = TABLE(vl_column, __VA_ARGS__)           \
	}

#define WITH_LOOKUPS(...) KIND(.lookups = TABLE(vl_lookup, __VA_ARGS__))

#define EVACUATIONS "consular.evacuation.v1"
#define AreaRow Consular__Alert__V1__AreaRow
#define CrisisRow Consular__Evacuation__V1__CrisisRow
#define OperationRow Consular__Evacuation__V1__OperationRow

static void look_at_nothing(struct vl_fold *fold, ProtobufCMessage *row)
{
	(void)fold, (void)row;
}

static const struct {
	struct vl_kind kind;
	const char *fault;
} wrongs[] = {
	{KIND(.done = 0), ""},
	/* sets */
	{WITH_SETS({MESSAGE(TripPlanned), F(TripPlanned, trip), F(TravellerRow, people), VL_LAST}),
	 "sets[0]: 'people' cannot become LAST of 'trip'"},
	{WITH_SETS(
		 {MESSAGE(TripPlanned), F(TripCancelled, trip), F(TravellerRow, mission), VL_LAST}),
	 ""},
	{WITH_SETS(
		 {MESSAGE(TripEnded), F(TripPlanned, purpose), F(TravellerRow, mission), VL_LAST}),
	 "TripEnded has no field 'purpose'"},
	{WITH_SETS({MESSAGE(TripPlanned), OCCURRED, F(BoardRow, people), VL_LAST}),
	 "TravellerRow has no field 'people' at this place"},
	{WITH_SETS({MESSAGE(CheckRow), OCCURRED, F(TravellerRow, last_event_at), VL_LAST}),
	 "is no event of consular.traveller.v1"},
	{WITH_SETS({ANY_EVENT, F(TripPlanned, trip), F(TravellerRow, mission), VL_LAST}),
	 "not every event has a field 'trip'"},
	{WITH_SETS({ANY_EVENT, TYPE, F(TravellerRow, last_event_at), VL_LAST}),
	 "'last_event_at' cannot become LAST"},
	{WITH_SETS({ANY_EVENT, TYPE, F(TravellerRow, mission), VL_GREATEST}),
	 "'mission' cannot become GREATEST"},
	{WITH_SETS({ANY_EVENT, TYPE, F(TravellerRow, state), VL_SET}), "'state' cannot become SET"},
	{WITH_SETS({ANY_EVENT, TYPE, F(TravellerRow, mission), VL_APPEND}),
	 "'mission' cannot become APPEND"},
	{WITH_SETS({ANY_EVENT, TYPE, F(TravellerRow, mission), VL_COUNT}),
	 "'mission' cannot become COUNT"},
	{WITH_SETS({ANY_EVENT, TYPE, F(TravellerRow, mission), 0}),
	 "it says not how 'mission' is set"},
	{WITH_SETS({MESSAGE(TripPlanned), F(TripPlanned, purpose), F(TravellerRow, kind), VL_LAST}),
	 "'kind' cannot become LAST of 'purpose'"},
	{WITH_SETS({MESSAGE(TravellerRegistered), F(TravellerRegistered, kind),
		    F(TravellerRow, kind), VL_LAST}),
	 ""},
	/* moves */
	{WITH_MOVES({MESSAGE(TripPlanned), FROM_ANY, 17, NULL}), "moves[0]: 17 is no state of"},
	{WITH_MOVES({MESSAGE(TripPlanned), STATE(9), REGISTRATION_STATE_REGISTERED, NULL}),
	 "moves[0]: 9 is no state of"},
	{WITH_MOVES({MESSAGE(Trip), FROM_ANY, REGISTRATION_STATE_REGISTERED, NULL}),
	 "is no event of"},
	{KIND(.moves = TABLE(vl_move, {MESSAGE(TripPlanned), FROM_ANY, 1, NULL})),
	 "names no field for the state"},
	{KIND(.state = F(TravellerRow, people),
	      .moves = TABLE(vl_move, {MESSAGE(TripPlanned), FROM_ANY, 1, NULL})),
	 "'people' is no enum"},
	{KIND(.done = STATE(1)), "names no field for the state"},
	/* clocks */
	{WITH_CLOCKS({"c", MESSAGE(TripPlanned), 5, {0}, MESSAGE(TripEnded)}),
	 "TravellerRow has no field 'repeated valise.v1.Clock clocks'"},
	/* lookups */
	{WITH_LOOKUPS({F(TravellerRow, instead), NULL, "board", F(BoardRow, people),
		       F(TravellerRow, people)}),
	 "lookups[0]: a row looks up kinds of a lower rank only, and 'board' is none"},
	{WITH_LOOKUPS({F(TravellerRow, instead), NULL, "boat", F(BoardRow, people),
		       F(TravellerRow, people)}),
	 "consular.traveller.v1 has no kind 'boat'"},
	{WITH_LOOKUPS({F(TravellerRow, instead), "consular.alert.v1", "area", F(AreaRow, name),
		       F(TravellerRow, instead)}),
	 "lookups[0]: consular.alert.v1 is not among the lanes that the view reads"},
	{WITH_LOOKUPS({F(TravellerRow, people), EVACUATIONS, "crisis", F(CrisisRow, title),
		       F(TravellerRow, instead)}),
	 "a key is a text, and 'people' is none"},
	{WITH_LOOKUPS({F(TravellerRow, instead), EVACUATIONS, "crisis", F(CrisisRow, title),
		       F(TravellerRow, people)}),
	 "'people' cannot become 'title' of CrisisRow: their types differ"},
	{WITH_LOOKUPS({F(TravellerRow, instead), EVACUATIONS, "crisis", F(OperationRow, lead),
		       F(TravellerRow, instead)}),
	 "CrisisRow has no field 'lead'"},
	{WITH_LOOKUPS({F(TravellerRow, instead), EVACUATIONS, "crisis", F(CrisisRow, title)}),
	 "both a key and a field to fill"},
	{WITH_LOOKUPS({{0}, EVACUATIONS, "crisis", F(CrisisRow, title)}),
	 "it is for a function 'look', and there is none"},
	{WITH_LOOKUPS(
		 {ROW_KEY, EVACUATIONS, "crisis", F(CrisisRow, title), F(TravellerRow, instead)}),
	 ""},
	{KIND(.look = look_at_nothing), "no lookups that say what it reads"},
	/* rules */
	{WITH_RULES({"X1", "words"}), "rules[0]: rule X1 needs either a function or a sum"},
	{WITH_RULES({"X1", "", IF(never)}), "rule X1 has no words"},
	{WITH_RULES({"X1", "words", .sum = F(TravellerRow, people)}), "has a sum without parts"},
	{WITH_RULES({"X1", "words", .sum = F(TravellerRow, mission),
		     .parts = {F(TravellerRow, minors)}}),
	 "'mission' is no number"},
	{WITH_RULES({"X1", "words", IF(never)}), ""},
	{WITH_RULES({"X1", "words", IN_C}), ""},
	/* references */
	{WITH_SETS({MESSAGE(TripPlanned), F(TripPlanned, trip), F(TravellerRow, mission),
		    VL_LAST | VL_REF}),
	 ""},
	{WITH_SETS({ANY_EVENT, OCCURRED, F(TravellerRow, last_event_at), VL_LAST | VL_REF}),
	 "'last_event_at' cannot become LAST"},
	/* steps, and what has an owner */
	{KIND(.steps = TABLE(vl_step, {MESSAGE(Trip)})),
	 "steps[0]: consular.traveller.v1.Trip is no"},
	{KIND(.steps = TABLE(vl_step, {MESSAGE(TripPlanned)}, {MESSAGE(TripPlanned)})),
	 "steps[1]: TripPlanned has a line already"},
	{KIND(.owned = &(struct vl_owned){.events = owned}), "owned[1]: nothing begins it"},
	{KIND(.owned = &(struct vl_owned){owned, MESSAGE(TripPlanned), MESSAGE(Trip)}),
	 "consular.traveller.v1.Trip is no event of"},
	{KIND(.owned = &(struct vl_owned){owned, MESSAGE(TripPlanned),
					  .lead = F(TravellerRow, people)}),
	 "'people' is no text, and names no mission"},
	{KIND(.owned = &(struct vl_owned){owned, MESSAGE(TripPlanned), .rule = "X1",
					  .lead = F(TravellerRow, mission)}),
	 ""},
	/* what C sums */
	{KIND(.summed = TABLE(vl_field, F(TravellerRow, mission))),
	 "summed[0]: 'mission' is neither a number nor a list of valise.v1.Count"},
	{KIND(.summed = TABLE(vl_field, F(TravellerRow, people))), ""},
	/* targets and sums */
	{KIND(.targets = TABLE(vl_target, {.kind = TRAVELLER, .fixed = "all"})),
	 "targets[0]: a row adds to kinds of a higher rank only"},
	{KIND(.targets = TABLE(vl_target,
			       {.kind = BOARD, .fixed = "all", .key = F(TravellerRow, mission)})),
	 "one of them"},
	{KIND(.targets = TABLE(vl_target, {.kind = BOARD, .key = F(TravellerRow, people)})),
	 "a key is a text"},
	{WITH_SUMS({F(TravellerRow, people)}),
	 "sums[0]: BoardRow has no field 'people' at this place"},
	{WITH_SUMS({F(BoardRow, people), F(TravellerRow, mission)}), "'mission' is no number"},
	{WITH_SUMS({F(BoardRow, people_by_kind)}), "needs a group"},
	{WITH_SUMS({F(BoardRow, people), .group = F(TravellerRow, kind)}), "has no groups"},
	{WITH_SUMS({F(BoardRow, people_by_kind), .group = F(TravellerRow, people)}),
	 "cannot be a group"},
	{WITH_SUMS({F(BoardRow, people), F(TravellerRow, people)},
		   {F(BoardRow, violations_by_rule), .group = BROKEN_RULES}),
	 ""},
	/* columns */
	{WITH_COLUMNS({"A", .form = VL_KEY}, {"A", .form = VL_KEY}),
	 "columns[1]: two columns are called A"},
	{WITH_COLUMNS({"A"}), "neither a field nor a function"},
	{WITH_COLUMNS({"A", .form = VL_DUE}), "there is no clock"},
	{WITH_COLUMNS({"A", .field = F(BoardRow, registered)}),
	 "TravellerRow has no field 'registered'"},
};

static void test_what_is_wrong_is_found_with_its_place(void **state)
{
	(void)state;

	static const char *const lanes[] = {EVACUATIONS, NULL};

	tried_reads = lanes;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		const char *fault = fault_of(&wrongs[i].kind, routes);
		if (wrongs[i].fault[0] == '\0' ? fault[0] == '\0'
					       : strstr(fault, wrongs[i].fault) != NULL)
			continue;
		fail_msg("case %zu: wanted '%s', got '%s'", i, wrongs[i].fault, fault);
	}
	tried_reads = NULL;
}

static void test_a_fault_names_file_kind_table_and_row(void **state)
{
	(void)state;

	assert_string_equal(fault_of(&wrongs[1].kind, routes),
			    "views/tried.c: kind 'traveller', sets[0]: 'people' "
			    "cannot become LAST of 'trip': their types differ\n");
}

static void test_lanes_read_in_one_direction(void **state)
{
	(void)state;
	static const char *const round[] = {EVACUATIONS, "consular.traveller.v1", NULL};
	static const char *const far_round[] = {"consular.alert.v1", NULL};
	static const char *const none[] = {"consular.nothing.v1", NULL};

	/* The view that is tried says that it is of travellers. */
	tried_reads = round;
	assert_string_equal(fault_of(&wrongs[0].kind, routes),
			    "views/tried.c: reads[1]: consular.traveller.v1 reads "
			    "consular.traveller.v1 itself, and lanes read in one direction only\n");
	tried_reads = none;
	assert_string_equal(fault_of(&wrongs[0].kind, routes),
			    "views/tried.c: reads[0]: there is no lane consular.nothing.v1\n");
	/* Alerts read travellers. */
	tried_reads = far_round;
	assert_non_null(strstr(fault_of(&wrongs[0].kind, routes),
			       "reads[0]: consular.alert.v1 reads consular.traveller.v1 itself"));
	tried_reads = NULL;
}

static void test_every_event_is_routed_or_ignored(void **state)
{
	(void)state;
	const struct vl_route some[] = {
		{.event = MESSAGE(TripPlanned), .kind = TRAVELLER, .key = SUBJECT},
		{.event = MESSAGE(SafetyCheckOpened),
		 .kind = TRAVELLER,
		 .key = F(SafetyCheckOpened, from)},
		{.event = MESSAGE(TripEnded), .kind = 17, .key = SUBJECT},
		{.key = {NULL, 0}},
	};
	const char *fault = fault_of(&wrongs[0].kind, some);

	assert_non_null(strstr(fault, "TravellerRegistered is neither routed nor ignored"));
	assert_null(strstr(fault, "TripPlanned is neither"));
	assert_non_null(strstr(fault, "routes[1]: a key is a text, and 'from' is none"));
	assert_non_null(strstr(fault, "routes[2]: there is no kind 17"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_view_binds),
		cmocka_unit_test(test_every_view_explains_each_kind_and_rule),
		cmocka_unit_test(test_what_is_wrong_is_found_with_its_place),
		cmocka_unit_test(test_a_fault_names_file_kind_table_and_row),
		cmocka_unit_test(test_lanes_read_in_one_direction),
		cmocka_unit_test(test_every_event_is_routed_or_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

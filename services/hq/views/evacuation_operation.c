/*
 * Operation: all its people by where they stand, and what was said of them from outside; and the
 * operations of a crisis together.
 *
 * The ledger is counted from single persons, never from figures; estimates and reported figures
 * stand beside it (E10). It reads a fixed number of tallies, however many people there are.
 * Rules of its own: E1, E8, E10, E11.
 */
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "hq/views/evacuation.h"

#include <inttypes.h>
#include <string.h>

/* Figures by name. */
enum { SLOT_ESTIMATES, SLOT_REPORTS };

/* -- figures -- */

void vl_evacuation_keep_figure(struct vl_fold *fold, unsigned slot, size_t *count,
			       Figure ***figures, const Figure *figure)
{
	char *name = vl_fold_printf(fold, "%d %d %s", (int)figure->measure, (int)figure->source,
				    figure->place);
	Figure *kept = vl_names_item(fold, slot, name, MESSAGE(Figure), count, figures);
	if (kept != NULL && kept->as_of != NULL &&
	    vl_time_compare(vl_view_time(figure->as_of), vl_view_time(kept->as_of)) < 0)
		return;
	if (kept != NULL)
		*kept = *figure;
}

void vl_evacuation_report(struct vl_fold *fold, const struct vl_fact *fact, Figure *figure)
{
	const FigureReported *said = (const FigureReported *)fact->payload;
	*figure = (Figure)CONSULAR__EVACUATION__V1__FIGURE__INIT;
	figure->measure = said->measure;
	figure->value = said->value;
	figure->qualifier = said->qualifier;
	figure->source = said->source;
	figure->place = vl_view_keep_ref(fold, said->place);
	figure->reference = vl_view_keep(fold, said->reference);
	figure->as_of = vl_evacuation_as_of(fold, fact, said->as_of);
}

bool vl_evacuation_compare(Figure *figure, int64_t ledger, bool final)
{
	figure->counted = true;
	figure->ledger = ledger;
	figure->difference = (int64_t)((uint64_t)ledger - (uint64_t)figure->value);
	if (figure->qualifier == QUALIFIER_ABOUT)
		return false;
	if (ledger < figure->value)
		return true;
	return final && ledger > figure->value && figure->qualifier == QUALIFIER_EXACT;
}

Google__Protobuf__Timestamp *vl_evacuation_as_of(struct vl_fold *fold, const struct vl_fact *fact,
						 const Google__Protobuf__Timestamp *time)
{
	return vl_view_stamp(fold, time != NULL ? vl_view_time(time) : fact->occurred_at);
}

/* -- what is said of it -- */

static STEP(take_estimate, OperationRow, EstimateMade)
{
	Figure figure = CONSULAR__EVACUATION__V1__FIGURE__INIT;
	figure.measure = event->measure;
	figure.value = event->value;
	figure.qualifier = event->qualifier;
	figure.source = FIGURE_SOURCE_OWN;
	figure.reference = vl_view_keep(fold, event->basis);
	figure.as_of = vl_evacuation_as_of(fold, fact, event->as_of);
	vl_evacuation_keep_figure(fold, SLOT_ESTIMATES, &row->n_estimates, &row->estimates,
				  &figure);
}

static STEP(take_figure, OperationRow, ProtobufCMessage)
{
	if (!vl_evacuation_is_empty(((const FigureReported *)fact->payload)->leg))
		return;
	Figure figure;
	vl_evacuation_report(fold, fact, &figure);
	vl_evacuation_keep_figure(fold, SLOT_REPORTS, &row->n_reports, &row->reports, &figure);
	if (figure.measure != MEASURE_OUT)
		return;
	Figure *added = vl_fold_add(fold, MESSAGE(Figure), &row->n_out_series, &row->out_series);
	if (added != NULL)
		*added = figure;
}

static void add_count(struct vl_fold *fold, int disposition, int64_t count, size_t *n,
		      DispositionCount ***counts)
{
	DispositionCount *added = vl_fold_add(fold, MESSAGE(DispositionCount), n, counts);
	if (added != NULL) {
		added->disposition = (Disposition)disposition;
		added->count = count;
	}
}

static STEP(take_situation, OperationRow, SituationStated)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < event->n_counts; i++)
		sum += (uint64_t)event->counts[i]->count;
	if (sum != (uint64_t)event->persons)
		BREAKS(fold, row, "E1", fact,
		       "%s counts %" PRId64 " persons, by disposition %" PRId64, fact->mission,
		       event->persons, (int64_t)sum);
	Google__Protobuf__Timestamp *as_of = vl_evacuation_as_of(fold, fact, event->as_of);
	if (vl_time_compare(vl_view_time(as_of), vl_view_time(row->stated_as_of)) < 0)
		return;
	row->stated_as_of = as_of;
	row->stated_persons = event->persons;
	row->n_stated = 0;
	for (size_t i = 0; i < event->n_counts; i++)
		add_count(fold, (int)event->counts[i]->disposition, event->counts[i]->count,
			  &row->n_stated, &row->stated);
}

/* More people than there are, and yet so few that sums of them fit. */
#define MOST INT64_C(1000000000000)

static int64_t within_reason(int64_t people)
{
	return people > MOST ? MOST : people < -MOST ? -MOST : people;
}

static STEP(take_correction, OperationRow, CumulativeOutCorrected)
{
	int64_t change = within_reason(event->change);
	row->out_correction = within_reason(row->out_correction + change);
	if (change < 0)
		row->out_lowered = within_reason(row->out_lowered - change);
}

const struct vl_step vl_evacuation_operation_steps[] = {
	{MESSAGE(EstimateMade), take_estimate},
	{MESSAGE(FigureReported), take_figure},
	{MESSAGE(SituationStated), take_situation},
	{MESSAGE(CumulativeOutCorrected), take_correction},
	END,
};

/* -- its heads -- */

static int64_t tally(struct vl_fold *fold, const char *name)
{
	return vl_fold_tally(fold, EVACUATION_OPERATION, vl_fold_key(fold), name);
}

static int64_t by_disposition(const OperationRow *row, Disposition disposition)
{
	for (size_t i = 0; i < row->n_dispositions; i++) {
		if (row->dispositions[i]->disposition == disposition)
			return row->dispositions[i]->count;
	}
	return 0;
}

static void count_dispositions(struct vl_fold *fold, OperationRow *row)
{
	for (int i = DISPOSITION_UNSPECIFIED; i < DISPOSITION_DUPLICATE_OF; i++) {
		const char *name = vl_fold_printf(fold, "disposition/%02d", i);
		const char *unsettled = vl_fold_printf(fold, "unsettled/%02d", i);
		if (name == NULL || unsettled == NULL)
			return;
		if (tally(fold, name) != 0)
			add_count(fold, i, tally(fold, name), &row->n_dispositions,
				  &row->dispositions);
		if (tally(fold, unsettled) != 0)
			add_count(fold, i, tally(fold, unsettled), &row->n_unsettled,
				  &row->unsettled);
	}
	row->home = by_disposition(row, DISPOSITION_HOME);
	row->at_staging = by_disposition(row, DISPOSITION_AT_STAGING);
	row->in_transit = by_disposition(row, DISPOSITION_IN_TRANSIT);
}

struct reading {
	struct vl_fold *fold;
	OperationRow *row;
};

static void list_state(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	StateCount *added =
		vl_fold_add(reading->fold, MESSAGE(StateCount), &reading->row->n_foreign_by_state,
			    &reading->row->foreign_by_state);
	if (added != NULL) {
		added->state = vl_view_keep(reading->fold, name + strlen("state/"));
		added->count = value;
	}
}

static void list_area(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	AreaCount *added = vl_fold_add(reading->fold, MESSAGE(AreaCount), &reading->row->n_staging,
				       &reading->row->staging);
	if (added != NULL) {
		added->area = vl_view_keep(reading->fold, name + strlen("staging/"));
		added->count = value;
	}
}

/* -- its rules -- */

static void check_conservation(struct vl_fold *fold, OperationRow *row)
{
	int64_t sum = 0;
	for (size_t i = 0; i < row->n_dispositions; i++)
		sum += row->dispositions[i]->count;
	if (row->references != row->persons + row->duplicates || sum != row->persons)
		BREAKS(fold, row, "E1", NULL,
		       "references %" PRId64 ", duplicates %" PRId64 ", persons %" PRId64
		       ", by disposition %" PRId64,
		       row->references, row->duplicates, row->persons, sum);
}

static void check_settled(struct vl_fold *fold, OperationRow *row)
{
	if (row->status != OPERATION_STATUS_CLOSED)
		return;
	for (size_t i = 0; i < row->n_unsettled; i++)
		BREAKS(fold, row, "E8", NULL, "closed with %" PRId64 " %s and nothing in writing",
		       row->unsettled[i]->count,
		       vl_view_name(MESSAGE(Disposition), (int)row->unsettled[i]->disposition));
}

/* What the ledger counts of a measure; false where it counts no such thing. `cumulative` is set
 * where it only grows, so that a figure of yesterday still binds today. */
static bool ledger_of(const OperationRow *row, const Figure *figure, int64_t *ledger,
		      bool *cumulative)
{
	const struct {
		Measure measure;
		int64_t count;
		bool cumulative;
	} counts[] = {
		{MEASURE_PRESENT, row->persons, false},
		{MEASURE_OUT, row->out, true},
		{MEASURE_HOME, row->home, true},
		{MEASURE_AT_STAGING, row->at_staging, false},
		{MEASURE_IN_TRANSIT, row->in_transit, false},
		{MEASURE_OUT_FOREIGN, row->out_foreign, true},
		{MEASURE_OUT_NATIONAL, row->out_nationals, true},
		{MEASURE_WISHES_TO_LEAVE, by_disposition(row, DISPOSITION_WISHES_TO_LEAVE), false},
		{MEASURE_DECEASED, by_disposition(row, DISPOSITION_DECEASED), true},
		{MEASURE_LEGS, row->legs, false},
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (counts[i].measure != figure->measure)
			continue;
		*ledger = counts[i].count;
		*cumulative = counts[i].cumulative;
		return true;
	}
	return false;
}

static int64_t in_area(struct vl_fold *fold, const char *area)
{
	char *name = vl_fold_printf(fold, "staging/%s", area);
	return name == NULL ? 0 : tally(fold, name);
}

static void check_figures(struct vl_fold *fold, OperationRow *row, size_t count, Figure **figures,
			  bool bind)
{
	for (size_t i = 0; i < count; i++) {
		int64_t ledger = 0;
		bool cumulative = false;
		if (!ledger_of(row, figures[i], &ledger, &cumulative))
			continue;
		if (figures[i]->measure == MEASURE_AT_STAGING &&
		    !vl_evacuation_is_empty(figures[i]->place))
			ledger = in_area(fold, figures[i]->place);
		if (vl_evacuation_compare(figures[i], ledger,
					  row->status == OPERATION_STATUS_CLOSED) &&
		    bind && cumulative)
			BREAKS(fold, row, "E10", NULL, "%s: reported %" PRId64 ", counted %" PRId64,
			       vl_view_name(MESSAGE(Measure), (int)figures[i]->measure),
			       figures[i]->value, ledger);
	}
}

/* By source, then by date; the order of the history where these are the same. */
static int by_source_and_date(const void *left, const void *right)
{
	const Figure *a = left, *b = right;
	int order = a->source < b->source ? -1 : a->source > b->source;
	return order != 0 ? order : vl_time_compare(vl_view_time(a->as_of), vl_view_time(b->as_of));
}

static void check_cumulative(struct vl_fold *fold, OperationRow *row)
{
	int64_t withdrawn = tally(fold, "withdrawn");
	uint64_t room = 0;
	const Figure *last = NULL;
	if (withdrawn > row->out_lowered)
		BREAKS(fold, row, "E11", NULL,
		       "%" PRId64 " offloaded after their leg had left, corrections for %" PRId64,
		       withdrawn, row->out_lowered);
	vl_view_sort(fold, row->out_series, row->n_out_series, by_source_and_date);
	for (size_t i = 0; i < row->n_out_series; i++) {
		const Figure *figure = row->out_series[i];
		if (figure->qualifier == QUALIFIER_ABOUT)
			continue;
		if (last == NULL || last->source != figure->source) {
			room = (uint64_t)row->out_lowered;
		} else if (figure->value < last->value) {
			uint64_t fall = (uint64_t)last->value - (uint64_t)figure->value;
			if (fall > room)
				BREAKS(fold, row, "E11", NULL,
				       "reported out fell from %" PRId64 " to %" PRId64
				       " without a correction",
				       last->value, figure->value);
			else
				room -= fall;
		}
		last = figure;
	}
}

/* -- violations by rule -- */

struct gathering {
	struct vl_fold *fold;
	struct evacuation_rules *rules;
};

static void add_rule(struct vl_fold *fold, struct evacuation_rules *rules, const char *rule,
		     int64_t count)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (strcmp(rules->items[i]->name, rule) == 0) {
			rules->items[i]->count += count;
			return;
		}
	}
	Valise__V1__Count *item =
		vl_fold_add(fold, &valise__v1__count__descriptor, &rules->count, &rules->items);
	if (item != NULL) {
		item->name = vl_view_keep(fold, rule);
		item->count = count;
	}
}

static void gather_rule(void *context, const char *name, int64_t value)
{
	const struct gathering *gathering = context;
	add_rule(gathering->fold, gathering->rules, name + strlen("violation/"), value);
}

/* "E2" before "E10". */
static int by_rule_order(const void *left, const void *right)
{
	const char *a = ((const Valise__V1__Count *)left)->name;
	const char *b = ((const Valise__V1__Count *)right)->name;
	size_t size_a = strlen(a), size_b = strlen(b);
	return size_a != size_b ? (size_a < size_b ? -1 : 1) : strcmp(a, b);
}

void vl_evacuation_add_rules(struct vl_fold *fold, size_t count,
			     Valise__V1__Violation *const *violations,
			     struct evacuation_rules *rules)
{
	for (size_t i = 0; i < count; i++)
		add_rule(fold, rules, violations[i]->rule, 1);
}

/* Those of the row, and those of its tallies "violation/..."; `total` is how many. */
static int64_t list_rules(struct vl_fold *fold, unsigned kind, size_t count,
			  Valise__V1__Violation *const *own, size_t *n_by_rule,
			  Valise__V1__Count ***by_rule)
{
	struct evacuation_rules rules = {0};
	int64_t total = 0;
	vl_fold_each_tally(fold, kind, vl_fold_key(fold), "violation/", gather_rule,
			   &(struct gathering){fold, &rules});
	vl_evacuation_add_rules(fold, count, own, &rules);
	vl_view_sort(fold, rules.items, rules.count, by_rule_order);
	for (size_t i = 0; i < rules.count; i++)
		total += rules.items[i]->count;
	*n_by_rule = rules.count;
	*by_rule = rules.items;
	return total;
}

FINISH(vl_evacuation_operation_finish, OperationRow)
{
	struct reading reading = {fold, row};
	const char *key = vl_fold_key(fold);
	row->out = row->out_counted + row->out_correction;
	count_dispositions(fold, row);
	vl_fold_each_tally(fold, EVACUATION_OPERATION, key, "state/", list_state, &reading);
	vl_fold_each_tally(fold, EVACUATION_OPERATION, key, "staging/", list_area, &reading);
	check_conservation(fold, row);
	check_settled(fold, row);
	check_figures(fold, row, row->n_estimates, row->estimates, false);
	check_figures(fold, row, row->n_reports, row->reports, true);
	check_cumulative(fold, row);
	row->violations_total =
		list_rules(fold, EVACUATION_OPERATION, row->n_violations, row->violations,
			   &row->n_violations_by_rule, &row->violations_by_rule);
}

CONTRIBUTE(vl_evacuation_operation_contribute, OperationRow)
{
	for (size_t i = 0; i < row->n_violations_by_rule; i++)
		vl_view_count(fold, EVACUATION_CRISIS, row->crisis,
			      row->violations_by_rule[i]->count, "violation/%s",
			      row->violations_by_rule[i]->name);
}

FINISH(vl_evacuation_crisis_finish, CrisisRow)
{
	row->violations_total =
		list_rules(fold, EVACUATION_CRISIS, row->n_violations, row->violations,
			   &row->n_violations_by_rule, &row->violations_by_rule);
}

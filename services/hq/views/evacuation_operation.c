/*
 * Operation: all its people by where they stand, and what was said of them from outside.
 *
 * The ledger is counted from single persons, never from figures; estimates and reported figures
 * stand beside it (E10). It reads a fixed number of tallies, however many people there are.
 * Rules of its own: E1, E8, E10, E11.
 */
#include "evacuation.h"

#include <inttypes.h>
#include <string.h>

/* Figures by name. */
enum { SLOT_ESTIMATES, SLOT_REPORTS };

static EV(OperationRow) *row_of(ProtobufCMessage *row)
{
	return (EV(OperationRow) *)row;
}

static void take_opened(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(OperationOpened) *opened = (const EV(OperationOpened) *)fact->payload;
	EV(OperationRow) *row = row_of(message);
	row->crisis = vl_view_keep_ref(fold, opened->crisis);
	row->title = vl_view_keep(fold, opened->title);
	row->lead = vl_view_keep(fold, opened->lead);
	if (row->status == OPERATION_STATUS(UNSPECIFIED))
		row->status = OPERATION_STATUS(OPEN);
	if (row->opened_at == NULL)
		row->opened_at = vl_view_stamp(fold, fact->occurred_at);
}

static void take_closed(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	EV(OperationRow) *row = row_of(message);
	row->status = OPERATION_STATUS(CLOSED);
	row->closed_at = vl_view_stamp(fold, fact->occurred_at);
}

static void take_reopened(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	(void)fold, (void)fact;
	row_of(message)->status = OPERATION_STATUS(REOPENED);
}

static void take_estimate(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	const EV(EstimateMade) *made = (const EV(EstimateMade) *)fact->payload;
	EV(OperationRow) *row = row_of(message);
	EV(Figure) figure = CONSULAR__EVACUATION__V1__FIGURE__INIT;
	figure.measure = made->measure;
	figure.value = made->value;
	figure.qualifier = made->qualifier;
	figure.source = CONSULAR__EVACUATION__V1__FIGURE_SOURCE__FIGURE_SOURCE_OWN;
	figure.reference = vl_view_keep(fold, made->basis);
	figure.as_of = vl_evacuation_as_of(fold, fact, made->as_of);
	vl_evacuation_keep_figure(fold, SLOT_ESTIMATES, &row->n_estimates, &row->estimates,
				  &figure);
}

static void take_figure(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	EV(OperationRow) *row = row_of(message);
	if (!vl_evacuation_is_empty(((const EV(FigureReported) *)fact->payload)->leg))
		return;
	EV(Figure) figure;
	vl_evacuation_report(fold, fact, &figure);
	vl_evacuation_keep_figure(fold, SLOT_REPORTS, &row->n_reports, &row->reports, &figure);
	if (figure.measure != MEASURE(OUT))
		return;
	EV(Figure) *added =
		vl_fold_add(fold, &EV_TYPE(figure), &row->n_out_series, &row->out_series);
	if (added != NULL)
		*added = figure;
}

static void add_count(struct vl_fold *fold, int disposition, int64_t count, size_t *n,
		      EV(DispositionCount) ***counts)
{
	EV(DispositionCount) *added = vl_fold_add(fold, &EV_TYPE(disposition_count), n, counts);
	if (added != NULL) {
		added->disposition = (EV(Disposition))disposition;
		added->count = count;
	}
}

static void take_situation(struct vl_fold *fold, ProtobufCMessage *message,
			   const struct vl_fact *fact)
{
	const EV(SituationStated) *stated = (const EV(SituationStated) *)fact->payload;
	EV(OperationRow) *row = row_of(message);
	uint64_t sum = 0;
	for (size_t i = 0; i < stated->n_counts; i++)
		sum += (uint64_t)stated->counts[i]->count;
	if (sum != (uint64_t)stated->persons)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E1", fact,
				  "%s counts %" PRId64 " persons, by disposition %" PRId64,
				  fact->mission, stated->persons, (int64_t)sum);
	Google__Protobuf__Timestamp *as_of = vl_evacuation_as_of(fold, fact, stated->as_of);
	if (vl_time_compare(vl_view_time(as_of), vl_view_time(row->stated_as_of)) < 0)
		return;
	row->stated_as_of = as_of;
	row->stated_persons = stated->persons;
	row->n_stated = 0;
	for (size_t i = 0; i < stated->n_counts; i++)
		add_count(fold, (int)stated->counts[i]->disposition, stated->counts[i]->count,
			  &row->n_stated, &row->stated);
}

/* More people than there are, and yet so few that sums of them fit. */
#define MOST INT64_C(1000000000000)

static int64_t within_reason(int64_t people)
{
	return people > MOST ? MOST : people < -MOST ? -MOST : people;
}

static void take_correction(struct vl_fold *fold, ProtobufCMessage *message,
			    const struct vl_fact *fact)
{
	const EV(CumulativeOutCorrected) *corrected =
		(const EV(CumulativeOutCorrected) *)fact->payload;
	EV(OperationRow) *row = row_of(message);
	(void)fold;
	int64_t change = within_reason(corrected->change);
	row->out_correction = within_reason(row->out_correction + change);
	if (change < 0)
		row->out_lowered = within_reason(row->out_lowered - change);
}

static void keep(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	(void)message;
	vl_evacuation_keep_said(fold, fact);
}

static const char *lead_of(const ProtobufCMessage *message)
{
	return ((const EV(OperationRow) *)message)->lead;
}

/* Only from who opened it, who leads it, and headquarters (E12). */
static const struct vl_step owned[] = {
	{&EV_TYPE(operation_opened), take_opened},
	{&EV_TYPE(operation_closed), take_closed},
	{&EV_TYPE(operation_reopened), take_reopened},
	{&EV_TYPE(cumulative_out_corrected), take_correction},
	{NULL, NULL},
};

static const struct vl_step steps[] = {
	{&EV_TYPE(operation_opened), keep},         {&EV_TYPE(operation_closed), keep},
	{&EV_TYPE(operation_reopened), keep},       {&EV_TYPE(estimate_made), take_estimate},
	{&EV_TYPE(figure_reported), take_figure},   {&EV_TYPE(situation_stated), take_situation},
	{&EV_TYPE(cumulative_out_corrected), keep}, {NULL, NULL},
};

EVACUATION_STEP(operation)
{
	vl_view_step(steps, fold, row, fact);
}

/* -- its heads -- */

static int64_t tally(struct vl_fold *fold, const char *name)
{
	return vl_fold_tally(fold, EVACUATION_OPERATION, vl_fold_key(fold), name);
}

static int64_t by_disposition(const EV(OperationRow) *row, EV(Disposition) disposition)
{
	for (size_t i = 0; i < row->n_dispositions; i++) {
		if (row->dispositions[i]->disposition == disposition)
			return row->dispositions[i]->count;
	}
	return 0;
}

static void count_dispositions(struct vl_fold *fold, EV(OperationRow) *row)
{
	for (int i = DISPOSITION(UNSPECIFIED); i < DISPOSITION(DUPLICATE_OF); i++) {
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
	row->home = by_disposition(row, DISPOSITION(HOME));
	row->at_staging = by_disposition(row, DISPOSITION(AT_STAGING));
	row->in_transit = by_disposition(row, DISPOSITION(IN_TRANSIT));
}

static void count_heads(struct vl_fold *fold, EV(OperationRow) *row)
{
	row->references = tally(fold, "references");
	row->duplicates = tally(fold, "duplicates");
	row->nationals = tally(fold, "persons/national");
	row->foreign = tally(fold, "persons/foreign");
	row->standing_unknown = tally(fold, "persons/unknown");
	row->persons = row->nationals + row->foreign + row->standing_unknown;
	row->boarded_nationals = tally(fold, "boarded/national");
	row->boarded_foreign = tally(fold, "boarded/foreign");
	row->boarded =
		row->boarded_nationals + row->boarded_foreign + tally(fold, "boarded/unknown");
	row->out_nationals = tally(fold, "out/national");
	row->out_foreign = tally(fold, "out/foreign");
	row->out_counted = row->out_nationals + row->out_foreign + tally(fold, "out/unknown");
	row->out = row->out_counted + row->out_correction;
	row->legs = tally(fold, "legs");
	row->legs_open = tally(fold, "legs/open");
	count_dispositions(fold, row);
}

struct reading {
	struct vl_fold *fold;
	EV(OperationRow) *row;
};

static void list_state(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	EV(StateCount) *added =
		vl_fold_add(reading->fold, &EV_TYPE(state_count), &reading->row->n_foreign_by_state,
			    &reading->row->foreign_by_state);
	if (added != NULL) {
		added->state = vl_view_keep(reading->fold, name + strlen("state/"));
		added->count = value;
	}
}

static void list_area(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	EV(AreaCount) *added = vl_fold_add(reading->fold, &EV_TYPE(area_count),
					   &reading->row->n_staging, &reading->row->staging);
	if (added != NULL) {
		added->area = vl_view_keep(reading->fold, name + strlen("staging/"));
		added->count = value;
	}
}

/* -- its rules -- */

static void check_conservation(struct vl_fold *fold, EV(OperationRow) *row)
{
	int64_t sum = 0;
	for (size_t i = 0; i < row->n_dispositions; i++)
		sum += row->dispositions[i]->count;
	if (row->references != row->persons + row->duplicates || sum != row->persons)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E1", NULL,
				  "references %" PRId64 ", duplicates %" PRId64 ", persons %" PRId64
				  ", by disposition %" PRId64,
				  row->references, row->duplicates, row->persons, sum);
}

static void check_settled(struct vl_fold *fold, EV(OperationRow) *row)
{
	if (row->status != OPERATION_STATUS(CLOSED))
		return;
	for (size_t i = 0; i < row->n_unsettled; i++)
		vl_fold_violation(
			fold, &row->n_violations, &row->violations, "E8", NULL,
			"closed with %" PRId64 " %s and nothing in writing",
			row->unsettled[i]->count,
			vl_view_name(&EV_TYPE(disposition), (int)row->unsettled[i]->disposition));
}

/* What the ledger counts of a measure; false where it counts no such thing. `cumulative` is set
 * where it only grows, so that a figure of yesterday still binds today. */
static bool ledger_of(const EV(OperationRow) *row, const EV(Figure) *figure, int64_t *ledger,
		      bool *cumulative)
{
	const struct {
		EV(Measure) measure;
		int64_t count;
		bool cumulative;
	} counts[] = {
		{MEASURE(PRESENT), row->persons, false},
		{MEASURE(OUT), row->out, true},
		{MEASURE(HOME), row->home, true},
		{MEASURE(AT_STAGING), row->at_staging, false},
		{MEASURE(IN_TRANSIT), row->in_transit, false},
		{MEASURE(OUT_FOREIGN), row->out_foreign, true},
		{MEASURE(OUT_NATIONAL), row->out_nationals, true},
		{MEASURE(WISHES_TO_LEAVE), by_disposition(row, DISPOSITION(WISHES_TO_LEAVE)),
		 false},
		{MEASURE(DECEASED), by_disposition(row, DISPOSITION(DECEASED)), true},
		{MEASURE(LEGS), row->legs, false},
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

static void check_figures(struct vl_fold *fold, EV(OperationRow) *row, size_t count,
			  EV(Figure) **figures, bool bind)
{
	for (size_t i = 0; i < count; i++) {
		int64_t ledger = 0;
		bool cumulative = false;
		if (!ledger_of(row, figures[i], &ledger, &cumulative))
			continue;
		if (figures[i]->measure == MEASURE(AT_STAGING) &&
		    !vl_evacuation_is_empty(figures[i]->place))
			ledger = in_area(fold, figures[i]->place);
		if (vl_evacuation_compare(figures[i], ledger,
					  row->status == OPERATION_STATUS(CLOSED)) &&
		    bind && cumulative)
			vl_fold_violation(fold, &row->n_violations, &row->violations, "E10", NULL,
					  "%s: reported %" PRId64 ", counted %" PRId64,
					  vl_view_name(&EV_TYPE(measure), (int)figures[i]->measure),
					  figures[i]->value, ledger);
	}
}

/* By source, then by date; the order of the history where these are the same. */
static int by_source_and_date(const void *left, const void *right)
{
	const EV(Figure) *a = left, *b = right;
	int order = a->source < b->source ? -1 : a->source > b->source;
	return order != 0 ? order : vl_time_compare(vl_view_time(a->as_of), vl_view_time(b->as_of));
}

static void check_cumulative(struct vl_fold *fold, EV(OperationRow) *row)
{
	int64_t withdrawn = tally(fold, "withdrawn");
	uint64_t room = 0;
	const EV(Figure) *last = NULL;
	if (withdrawn > row->out_lowered)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E11", NULL,
				  "%" PRId64
				  " offloaded after their leg had left, corrections for %" PRId64,
				  withdrawn, row->out_lowered);
	vl_view_sort(fold, row->out_series, row->n_out_series, by_source_and_date);
	for (size_t i = 0; i < row->n_out_series; i++) {
		const EV(Figure) *figure = row->out_series[i];
		if (figure->qualifier == QUALIFIER(ABOUT))
			continue;
		if (last == NULL || last->source != figure->source) {
			room = (uint64_t)row->out_lowered;
		} else if (figure->value < last->value) {
			uint64_t fall = (uint64_t)last->value - (uint64_t)figure->value;
			if (fall > room)
				vl_fold_violation(fold, &row->n_violations, &row->violations, "E11",
						  NULL,
						  "reported out fell from %" PRId64 " to %" PRId64
						  " without a correction",
						  last->value, figure->value);
			else
				room -= fall;
		}
		last = figure;
	}
}

EVACUATION_FINISH(operation)
{
	EV(OperationRow) *operation = row_of(row);
	struct reading reading = {fold, operation};
	const char *key = vl_fold_key(fold);
	vl_evacuation_take_said(
		fold, row,
		&(struct evacuation_owning){.begins = &EV_TYPE(operation_opened),
					    .steps = owned,
					    .lead = lead_of,
					    .n_violations = &operation->n_violations,
					    .violations = &operation->violations});
	count_heads(fold, operation);
	vl_fold_each_tally(fold, EVACUATION_OPERATION, key, "state/", list_state, &reading);
	vl_fold_each_tally(fold, EVACUATION_OPERATION, key, "staging/", list_area, &reading);
	check_conservation(fold, operation);
	check_settled(fold, operation);
	check_figures(fold, operation, operation->n_estimates, operation->estimates, false);
	check_figures(fold, operation, operation->n_reports, operation->reports, true);
	check_cumulative(fold, operation);
	struct evacuation_rules rules;
	vl_evacuation_rules(fold, EVACUATION_OPERATION, operation->n_violations,
			    operation->violations, &rules);
	operation->n_violations_by_rule = rules.count;
	operation->violations_by_rule = rules.items;
	operation->violations_total = rules.total;
}

EVACUATION_CONTRIBUTE(operation)
{
	const EV(OperationRow) *operation = (const EV(OperationRow) *)row;
	const char *crisis = operation->crisis;
	vl_view_count(fold, EVACUATION_CRISIS, crisis, 1, "operations");
	vl_view_count(fold, EVACUATION_CRISIS, crisis, operation->persons, "persons");
	vl_view_count(fold, EVACUATION_CRISIS, crisis, operation->nationals, "nationals");
	vl_view_count(fold, EVACUATION_CRISIS, crisis, operation->foreign, "foreign");
	vl_view_count(fold, EVACUATION_CRISIS, crisis, operation->out, "out");
	vl_view_count(fold, EVACUATION_CRISIS, crisis, operation->home, "home");
	for (size_t i = 0; i < operation->n_violations_by_rule; i++)
		vl_view_count(fold, EVACUATION_CRISIS, crisis,
			      operation->violations_by_rule[i]->count, "violation/%s",
			      operation->violations_by_rule[i]->name);
}

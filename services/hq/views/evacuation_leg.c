/*
 * Leg: the board at the gangway. Its times and its capacity come from its own facts, its heads
 * from the people's rows.
 *
 * Rules of its own: E2 once it has closed, E4, E10 for figures reported of this leg. Those of
 * its people (E3, E5, E7) are listed here because here somebody can still do something about
 * them; the operation counts them where they arise.
 */
#include "evacuation.h"

#include <inttypes.h>
#include <string.h>

static EV(LegRow) *row_of(ProtobufCMessage *row)
{
	return (EV(LegRow) *)row;
}

static void take_planned(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	const EV(LegPlanned) *planned = (const EV(LegPlanned) *)fact->payload;
	EV(LegRow) *row = row_of(message);
	row->origin = vl_evacuation_keep_place(fold, planned->origin);
	row->destination = vl_evacuation_keep_place(fold, planned->destination);
	row->capacity = planned->capacity;
	row->planned_departure =
		planned->planned_departure == NULL
			? NULL
			: vl_view_stamp(fold, vl_view_time(planned->planned_departure));
	row->planned_arrival =
		planned->planned_arrival == NULL
			? NULL
			: vl_view_stamp(fold, vl_view_time(planned->planned_arrival));
	row->status = LEG_STATUS(PLANNED);
	row->vehicle = planned->vehicle == NULL ? NULL : vl_fold_alloc(fold, sizeof(*row->vehicle));
	if (row->vehicle == NULL)
		return;
	consular__evacuation__v1__vehicle__init(row->vehicle);
	row->vehicle->kind = planned->vehicle->kind;
	row->vehicle->name = vl_view_keep(fold, planned->vehicle->name);
	row->vehicle->carrier = vl_view_keep(fold, planned->vehicle->carrier);
	row->vehicle->flag = vl_view_keep(fold, planned->vehicle->flag);
}

/* The first time that something is said to have happened. */
static void first(struct vl_fold *fold, Google__Protobuf__Timestamp **at,
		  const struct vl_fact *fact)
{
	if (*at == NULL)
		*at = vl_view_stamp(fold, fact->occurred_at);
}

static void take_opened(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	vl_evacuation_keep_said(fold, fact);
	first(fold, &row_of(message)->opened_at, fact);
}

static void take_departed(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	first(fold, &row_of(message)->departed_at, fact);
}

static void take_arrived(struct vl_fold *fold, ProtobufCMessage *message,
			 const struct vl_fact *fact)
{
	first(fold, &row_of(message)->arrived_at, fact);
}

static void take_cancelled(struct vl_fold *fold, ProtobufCMessage *message,
			   const struct vl_fact *fact)
{
	first(fold, &row_of(message)->cancelled_at, fact);
}

static void take_closed(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	const EV(LegClosed) *closed = (const EV(LegClosed) *)fact->payload;
	EV(LegRow) *row = row_of(message);
	first(fold, &row->closed_at, fact);
	if (closed->stated == NULL)
		return;
	row->stated = vl_fold_alloc(fold, sizeof(*row->stated));
	if (row->stated == NULL)
		return;
	consular__evacuation__v1__leg_count__init(row->stated);
	row->stated->boarded = closed->stated->boarded;
	row->stated->born = closed->stated->born;
	row->stated->disembarked = closed->stated->disembarked;
	row->stated->died = closed->stated->died;
	row->stated->aboard = closed->stated->aboard;
}

static void take_manifest(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	const EV(ManifestSealed) *manifest = (const EV(ManifestSealed) *)fact->payload;
	EV(LegRow) *row = row_of(message);
	(void)fold;
	if (manifest->expected > row->expected)
		row->expected = manifest->expected;
}

static void take_override(struct vl_fold *fold, ProtobufCMessage *message,
			  const struct vl_fact *fact)
{
	(void)fold;
	row_of(message)->allowed = ((const EV(CapacityOverridden) *)fact->payload)->allowed;
}

static void take_figure(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	EV(LegRow) *row = row_of(message);
	EV(Figure) figure;
	vl_evacuation_report(fold, fact, &figure);
	vl_evacuation_keep_figure(fold, 0, &row->n_reports, &row->reports, &figure);
}

static void keep(struct vl_fold *fold, ProtobufCMessage *message, const struct vl_fact *fact)
{
	(void)message;
	vl_evacuation_keep_said(fold, fact);
}

/* Only from who planned it, who opened it at its gangway, and headquarters (E12). That it
 * opened, left, came and closed is told from both of its ends. */
static const struct vl_step owned[] = {
	{&EV_TYPE(leg_planned), take_planned},
	{&EV_TYPE(leg_cancelled), take_cancelled},
	{&EV_TYPE(capacity_overridden), take_override},
	{&EV_TYPE(manifest_sealed), take_manifest},
	{NULL, NULL},
};

static const struct vl_step steps[] = {
	{&EV_TYPE(leg_planned), keep},
	{&EV_TYPE(leg_opened), take_opened},
	{&EV_TYPE(leg_departed), take_departed},
	{&EV_TYPE(leg_arrived), take_arrived},
	{&EV_TYPE(leg_closed), take_closed},
	{&EV_TYPE(leg_cancelled), keep},
	{&EV_TYPE(manifest_sealed), keep},
	{&EV_TYPE(capacity_overridden), keep},
	{&EV_TYPE(figure_reported), take_figure},
	{NULL, NULL},
};

EVACUATION_STEP(leg)
{
	vl_view_step(steps, fold, row, fact);
}

/* -- its heads -- */

static void count_heads(struct vl_fold *fold, EV(LegRow) *row)
{
	const struct {
		const char *name;
		int64_t *count;
	} counts[] = {
		{"allocated", &row->allocated},
		{"checked_in", &row->checked_in},
		{"boarded", &row->boarded},
		{"boarded/national", &row->boarded_nationals},
		{"boarded/foreign", &row->boarded_foreign},
		{"aboard", &row->aboard},
		{"disembarked", &row->disembarked},
		{"offloaded", &row->offloaded},
		{"died", &row->died},
		{"born", &row->born},
		{"no_show", &row->no_shows},
		{"expected", &row->expected_named},
		{"unlisted", &row->unlisted},
	};
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		*counts[i].count =
			vl_fold_tally(fold, EVACUATION_LEG, vl_fold_key(fold), counts[i].name);
	row->boarded_unknown = row->boarded - row->boarded_nationals - row->boarded_foreign;
}

/* What has happened has happened, in whatever order it is told: the furthest counts. */
static EV(LegStatus) status_of(const EV(LegRow) *row)
{
	if (row->closed_at != NULL)
		return LEG_STATUS(CLOSED);
	if (row->arrived_at != NULL)
		return LEG_STATUS(ARRIVED);
	if (row->departed_at != NULL)
		return LEG_STATUS(DEPARTED);
	if (row->cancelled_at != NULL)
		return LEG_STATUS(CANCELLED);
	return row->opened_at != NULL ? LEG_STATUS(OPEN) : row->status;
}

/* -- its rules -- */

static void check_closed(struct vl_fold *fold, EV(LegRow) *row)
{
	const EV(LegCount) *stated = row->stated;
	if (row->status == LEG_STATUS(CANCELLED) && row->boarded > 0)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E2", NULL,
				  "%" PRId64 " boarded a leg that was cancelled", row->boarded);
	if (row->status != LEG_STATUS(CLOSED))
		return;
	int64_t unboarded = vl_fold_tally(fold, EVACUATION_LEG, vl_fold_key(fold), "unboarded");
	if (unboarded > 0 || row->boarded + row->born != row->disembarked + row->died + row->aboard)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E2", NULL,
				  "boarded %" PRId64 " + born %" PRId64 ", but disembarked %" PRId64
				  " + died %" PRId64 " + aboard %" PRId64 "; %" PRId64
				  " never boarded",
				  row->boarded, row->born, row->disembarked, row->died, row->aboard,
				  unboarded);
	if (stated == NULL)
		return;
	if ((uint64_t)stated->boarded + (uint64_t)stated->born !=
	    (uint64_t)stated->disembarked + (uint64_t)stated->died + (uint64_t)stated->aboard)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E2", NULL,
				  "the count stated at closing does not add up");
	if (stated->boarded != row->boarded || stated->born != row->born ||
	    stated->died != row->died || stated->disembarked != row->disembarked ||
	    stated->aboard != row->aboard)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E2", NULL,
				  "stated at closing: boarded %" PRId64 ", disembarked %" PRId64
				  "; counted: %" PRId64 ", %" PRId64,
				  stated->boarded, stated->disembarked, row->boarded,
				  row->disembarked);
}

static void check_capacity(struct vl_fold *fold, EV(LegRow) *row)
{
	int64_t limit = row->capacity > row->allowed ? row->capacity : row->allowed;
	if (limit > 0 && row->boarded > limit)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "E4", NULL,
				  "boarded %" PRId64 ", room for %" PRId64, row->boarded, limit);
}

static void check_reports(struct vl_fold *fold, EV(LegRow) *row)
{
	bool final = row->status >= LEG_STATUS(DEPARTED);
	for (size_t i = 0; i < row->n_reports; i++) {
		EV(Figure) *figure = row->reports[i];
		int64_t ledger = 0;
		if (figure->measure == MEASURE(BOARDED))
			ledger = row->boarded;
		else if (figure->measure == MEASURE(BOARDED_NATIONAL))
			ledger = row->boarded_nationals;
		else if (figure->measure == MEASURE(BOARDED_FOREIGN))
			ledger = row->boarded_foreign;
		else if (figure->measure == MEASURE(DISEMBARKED))
			ledger = row->disembarked;
		else
			continue;
		if (vl_evacuation_compare(figure, ledger, final))
			vl_fold_violation(fold, &row->n_violations, &row->violations, "E10", NULL,
					  "reported %" PRId64 ", counted %" PRId64, figure->value,
					  ledger);
	}
}

struct reading {
	struct vl_fold *fold;
	EV(LegRow) *row;
};

/* "violation/RULE\tPERSON" */
static void list_persons_violation(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	EV(LegRow) *row = reading->row;
	char *rule = vl_view_keep(reading->fold, name + strlen("violation/"));
	char *part = strchr(rule, EVACUATION_PART[0]);
	(void)value;
	if (part == NULL)
		return;
	*part = '\0';
	vl_fold_violation(reading->fold, &row->n_violations, &row->violations, rule, NULL,
			  "person %s", part + 1);
}

EVACUATION_FINISH(leg)
{
	EV(LegRow) *leg = row_of(row);
	const char *key = vl_fold_key(fold);
	const EV(ItineraryRow) *itinerary =
		(const EV(ItineraryRow) *)vl_fold_row(fold, EVACUATION_ITINERARY, key);
	if (itinerary != NULL)
		leg->operation = itinerary->operation;
	vl_evacuation_take_said(fold, row,
				&(struct evacuation_owning){.begins = &EV_TYPE(leg_planned),
							    .opens = &EV_TYPE(leg_opened),
							    .theirs = true,
							    .steps = owned,
							    .n_violations = &leg->n_violations,
							    .violations = &leg->violations});
	count_heads(fold, leg);
	leg->status = status_of(leg);
	check_closed(fold, leg);
	check_capacity(fold, leg);
	check_reports(fold, leg);
	vl_fold_each_tally(fold, EVACUATION_LEG, key, "violation/", list_persons_violation,
			   &(struct reading){fold, leg});
}

EVACUATION_CONTRIBUTE(leg)
{
	const EV(LegRow) *leg = (const EV(LegRow) *)row;
	bool open = leg->status != LEG_STATUS(CLOSED) && leg->status != LEG_STATUS(CANCELLED);
	vl_view_count(fold, EVACUATION_OPERATION, leg->operation, 1, "legs");
	vl_view_count(fold, EVACUATION_OPERATION, leg->operation, open, "legs/open");
	for (size_t i = 0; i < leg->n_violations; i++) {
		const char *rule = leg->violations[i]->rule;
		if (strcmp(rule, "E2") == 0 || strcmp(rule, "E4") == 0 || strcmp(rule, "E10") == 0)
			vl_view_count(fold, EVACUATION_OPERATION, leg->operation, 1, "violation/%s",
				      rule);
	}
}

/*
 * Leg: the board at the gangway. Its times and its capacity come from its own facts, its heads
 * from the people's rows.
 *
 * Rules of its own: E2 once it has closed, E4, E10 for figures reported of this leg. Those of
 * its people (E3, E5, E7) are listed here because here somebody can still do something about
 * them; the operation counts them where they arise.
 */
#include "hq/fold/heads.h"
#include "hq/views/evacuation.h"

#include <inttypes.h>
#include <string.h>

static STEP(take_manifest, LegRow, ManifestSealed)
{
	if (event->expected > row->expected)
		row->expected = event->expected;
}

static STEP(take_figure, LegRow, FigureReported)
{
	Figure figure;
	vl_evacuation_report(fold, fact, &figure);
	vl_evacuation_keep_figure(fold, 0, &row->n_reports, &row->reports, &figure);
}

const struct vl_step vl_evacuation_leg_steps[] = {
	{MESSAGE(ManifestSealed), take_manifest}, {MESSAGE(FigureReported), take_figure}, END};

/* -- its heads -- */

/* What has happened has happened, in whatever order it is told: the furthest counts. */
static LegStatus status_of(const LegRow *row)
{
	if (row->closed_at != NULL)
		return LEG_STATUS_CLOSED;
	if (row->arrived_at != NULL)
		return LEG_STATUS_ARRIVED;
	if (row->departed_at != NULL)
		return LEG_STATUS_DEPARTED;
	if (row->cancelled_at != NULL)
		return LEG_STATUS_CANCELLED;
	return row->opened_at != NULL ? LEG_STATUS_OPEN : row->status;
}

/* -- its rules -- */

static void check_closed(struct vl_fold *fold, LegRow *row)
{
	const LegCount *stated = row->stated;
	if (row->status == LEG_STATUS_CANCELLED && row->boarded > 0)
		BREAKS(fold, row, "E2", NULL, "%" PRId64 " boarded a leg that was cancelled",
		       row->boarded);
	if (row->status != LEG_STATUS_CLOSED)
		return;
	int64_t unboarded = vl_fold_tally(fold, EVACUATION_LEG, vl_fold_key(fold), "unboarded");
	if (unboarded > 0 || row->boarded + row->born != row->disembarked + row->died + row->aboard)
		BREAKS(fold, row, "E2", NULL,
		       "boarded %" PRId64 " + born %" PRId64 ", but disembarked %" PRId64
		       " + died %" PRId64 " + aboard %" PRId64 "; %" PRId64 " never boarded",
		       row->boarded, row->born, row->disembarked, row->died, row->aboard,
		       unboarded);
	if (stated == NULL)
		return;
	if ((uint64_t)stated->boarded + (uint64_t)stated->born !=
	    (uint64_t)stated->disembarked + (uint64_t)stated->died + (uint64_t)stated->aboard)
		BREAKS(fold, row, "E2", NULL, "the count stated at closing does not add up");
	if (stated->boarded != row->boarded || stated->born != row->born ||
	    stated->died != row->died || stated->disembarked != row->disembarked ||
	    stated->aboard != row->aboard)
		BREAKS(fold, row, "E2", NULL,
		       "stated at closing: boarded %" PRId64 ", disembarked %" PRId64
		       "; counted: %" PRId64 ", %" PRId64,
		       stated->boarded, stated->disembarked, row->boarded, row->disembarked);
}

static void check_capacity(struct vl_fold *fold, LegRow *row)
{
	int64_t limit = row->capacity > row->allowed ? row->capacity : row->allowed;
	if (limit > 0 && row->boarded > limit)
		BREAKS(fold, row, "E4", NULL, "boarded %" PRId64 ", room for %" PRId64,
		       row->boarded, limit);
}

static void check_reports(struct vl_fold *fold, LegRow *row)
{
	bool final = row->status >= LEG_STATUS_DEPARTED;
	for (size_t i = 0; i < row->n_reports; i++) {
		Figure *figure = row->reports[i];
		int64_t ledger = 0;
		if (figure->measure == MEASURE_BOARDED)
			ledger = row->boarded;
		else if (figure->measure == MEASURE_BOARDED_NATIONAL)
			ledger = row->boarded_nationals;
		else if (figure->measure == MEASURE_BOARDED_FOREIGN)
			ledger = row->boarded_foreign;
		else if (figure->measure == MEASURE_DISEMBARKED)
			ledger = row->disembarked;
		else
			continue;
		if (vl_evacuation_compare(figure, ledger, final))
			BREAKS(fold, row, "E10", NULL, "reported %" PRId64 ", counted %" PRId64,
			       figure->value, ledger);
	}
}

struct reading {
	struct vl_fold *fold;
	LegRow *row;
};

/* "violation/RULE\tPERSON" */
static void list_persons_violation(void *context, const char *name, int64_t value)
{
	const struct reading *reading = context;
	LegRow *row = reading->row;
	char *rule = vl_view_keep(reading->fold, name + strlen("violation/"));
	char *part = strchr(rule, EVACUATION_PART[0]);
	(void)value;
	if (part == NULL)
		return;
	*part = '\0';
	BREAKS(reading->fold, row, rule, NULL, "person %s", part + 1);
}

FINISH(vl_evacuation_leg_finish, LegRow)
{
	const char *key = vl_fold_key(fold);
	const ItineraryRow *itinerary = (const void *)vl_fold_row(fold, EVACUATION_ITINERARY, key);
	if (itinerary != NULL)
		row->operation = itinerary->operation;
	row->boarded_unknown = row->boarded - row->boarded_nationals - row->boarded_foreign;
	row->status = status_of(row);
	check_closed(fold, row);
	check_capacity(fold, row);
	check_reports(fold, row);
	vl_fold_each_tally(fold, EVACUATION_LEG, key, "violation/", list_persons_violation,
			   &(struct reading){fold, row});
}

CONTRIBUTE(vl_evacuation_leg_contribute, LegRow)
{
	bool open = row->status != LEG_STATUS_CLOSED && row->status != LEG_STATUS_CANCELLED;
	vl_view_count(fold, EVACUATION_OPERATION, row->operation, 1, "legs");
	vl_view_count(fold, EVACUATION_OPERATION, row->operation, open, "legs_open");
	for (size_t i = 0; i < row->n_violations; i++) {
		const char *rule = row->violations[i]->rule;
		if (strcmp(rule, "E2") == 0 || strcmp(rule, "E4") == 0 || strcmp(rule, "E10") == 0)
			vl_view_count(fold, EVACUATION_OPERATION, row->operation, 1, "violation/%s",
				      rule);
	}
}

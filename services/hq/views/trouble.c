/*
 * What headquarters' officers acknowledged of a mission's chain on a lane: each fork and
 * rollback by its epoch (hq/watch/trouble.h). Of what was acknowledged more than once the one that
 * speaks of most batches counts. Only headquarters acknowledges (R1).
 */
#include "bus/types.h"
#include "hq/fold/heads.h"
#include "hq/fold/names.h"
#include "valise/trouble/v1/short.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KIND_TROUBLE, KIND_STRAY, KINDS };

#define KEY_MOST 512
#define TRIED_MOST 16 /* attempts of others that a row lists */

/* What names no chain is nobody's. */
static void touch(struct vl_touch *touch, const struct vl_fact *fact)
{
	const TroubleAcknowledged *event = (const void *)fact->payload;
	char key[KEY_MOST];

	(void)snprintf(key, sizeof(key), "%s/%s", event->mission, event->lane);
	vl_touch(touch, KIND_TROUBLE,
		 event->mission[0] != '\0' && event->lane[0] != '\0' ? key : "");
}

static void refuse(struct vl_fold *fold, TroubleRow *row, const struct vl_fact *fact)
{
	if (row->refused++ < TRIED_MOST)
		vl_fold_violation(fold, &row->n_violations, &row->violations, "R1", fact,
				  "%s is not headquarters and acknowledges nothing", fact->mission);
}

/* As it is acknowledged so far; one that says nothing yet where it is new, and NULL where there
 * is no room. */
static Acknowledged *find(struct vl_fold *fold, TroubleRow *row, const Trouble *trouble)
{
	char name[48];

	(void)snprintf(name, sizeof(name), "%d/%" PRIu64, (int)trouble->kind, trouble->epoch);
	return vl_names_item(fold, 0, name, MESSAGE(Acknowledged), &row->n_acknowledged,
			     &row->acknowledged);
}

static STEP(acknowledge, TroubleRow, TroubleAcknowledged)
{
	row->mission = event->mission;
	row->lane = event->lane;
	if (strcmp(fact->mission, VL_HEADQUARTERS) != 0) {
		refuse(fold, row, fact);
		return;
	}
	for (size_t i = 0; i < event->n_troubles; i++) {
		Acknowledged *one = find(fold, row, event->troubles[i]);
		if (one == NULL ||
		    (one->trouble != NULL && event->troubles[i]->batches <= one->trouble->batches))
			continue;
		one->trouble = event->troubles[i];
		one->by = vl_view_keep(fold, fact->actor);
		one->at = vl_view_stamp(fold, fact->occurred_at);
		one->event = vl_view_id(fact);
	}
}

static const struct vl_step steps[] = {{MESSAGE(TroubleAcknowledged), acknowledge}, END};

/* -- columns -- */

static size_t count(const TroubleRow *row, TroubleKind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < row->n_acknowledged; i++)
		n += row->acknowledged[i]->trouble->kind == kind;
	return n;
}

static CELL(put_forks, TroubleRow)
{
	vl_buf_printf(out, "%zu", count(row, TROUBLE_KIND_FORK));
}

static CELL(put_rollbacks, TroubleRow)
{
	vl_buf_printf(out, "%zu", count(row, TROUBLE_KIND_ROLLBACK));
}

static const Acknowledged *last(const TroubleRow *row)
{
	const Acknowledged *newest = NULL;

	for (size_t i = 0; i < row->n_acknowledged; i++)
		if (newest == NULL || vl_time_compare(vl_view_time(newest->at),
						      vl_view_time(row->acknowledged[i]->at)) <= 0)
			newest = row->acknowledged[i];
	return newest;
}

static CELL(put_by, TroubleRow)
{
	const Acknowledged *newest = last(row);

	vl_buf_put_text(out, newest != NULL ? newest->by : "");
}

static CELL(put_at, TroubleRow)
{
	const Acknowledged *newest = last(row);
	char text[VL_TIME_TEXT];

	vl_buf_put_text(out, newest != NULL ? vl_time_format(vl_view_time(newest->at), text) : "");
}

static const struct vl_column columns[] = {
	KEY_COLUMN("TROUBLE"),
	{"FORKS", put_forks},
	{"ROLLBACKS", put_rollbacks},
	{"LAST BY", put_by},
	{"AT", put_at},
	COLUMN("BREAKS", TroubleRow, violations),
	END,
};

static const struct vl_kind kinds[KINDS] = {
	[KIND_TROUBLE] = {.name = "trouble",
			  .row = MESSAGE(TroubleRow),
			  .steps = steps,
			  .columns = columns},
	[KIND_STRAY] = VL_STRAY_KIND,
};

const struct vl_view vl_view_trouble = {
	.lane = "valise.trouble.v1",
	.noun = "trouble",
	.kinds = kinds,
	.n_kinds = KINDS,
	.shown = KIND_TROUBLE,
	.touch = touch,
};

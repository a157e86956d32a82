#include "hq/watch/trouble.h"

#include "bus/wire.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/evidence.h"
#include "valise/trouble/v1/view.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOUN "trouble"
#define ROW (&valise__trouble__v1__trouble_row__descriptor)
#define FORK VALISE__TROUBLE__V1__TROUBLE_KIND__TROUBLE_KIND_FORK
#define ROLLBACK VALISE__TROUBLE__V1__TROUBLE_KIND__TROUBLE_KIND_ROLLBACK

typedef Valise__Trouble__V1__Acknowledged acknowledged;

struct gathering {
	struct vl_txn *txn;
	const char *mission, *lane;
	struct vl_buf items; /* struct vl_trouble */
	uint64_t begun;      /* epochs that began without knowing */
};

/* -- what there is -- */

static void add(struct gathering *g, enum vl_verdict kind, struct vl_epoch epoch, uint64_t batches)
{
	const struct vl_trouble trouble = {
		.kind = kind, .epoch = epoch, .batches = batches, .by = ""};

	vl_buf_put(&g->items, &trouble, sizeof(trouble));
}

static void add_fork(void *context, struct vl_epoch epoch, uint64_t kept, bool forgot)
{
	struct gathering *g = context;
	struct vl_chain chain = {0};

	(void)forgot;
	(void)vl_chains_get(g->txn, g->mission, g->lane, epoch, &chain);
	if (kept > 0)
		add(g, VL_VERDICT_FORK, epoch, chain.seq.n + kept);
}

static void add_rollback(void *context, struct vl_epoch epoch, uint64_t kept, bool forgot)
{
	struct gathering *g = context;

	(void)kept;
	g->begun += forgot;
	if (forgot)
		add(g, VL_VERDICT_ROLLBACK, epoch, 0);
}

static bool has(const struct gathering *g, struct vl_epoch epoch)
{
	const struct vl_trouble *items = (const struct vl_trouble *)(const void *)g->items.data;

	for (size_t i = 0; i < g->items.size / sizeof(*items); i++)
		if (items[i].epoch.n == epoch.n)
			return true;
	return false;
}

static void gather_forks(struct gathering *g, const struct vl_standing *standing,
			 struct vl_epoch named)
{
	uint64_t counted = vl_evidence_counted(g->txn, g->mission, g->lane);

	if (standing->forks > 0 && counted > 0)
		add(g, VL_VERDICT_FORK, (struct vl_epoch){0}, counted);
	if (standing->forks > 0)
		vl_evidence_each(g->txn, g->mission, g->lane, add_fork, g);
	if (standing->forks > 0 && g->items.size == 0)
		add(g, VL_VERDICT_FORK, (struct vl_epoch){0}, standing->forks);
	if (named.n > 0 && !has(g, named))
		add(g, VL_VERDICT_FORK, named, 0);
}

/* One of those that began without knowing was the first of all. */
static void gather_rollbacks(struct gathering *g, const struct vl_standing *standing)
{
	if (standing->rollbacks == 0)
		return;
	vl_evidence_each(g->txn, g->mission, g->lane, add_rollback, g);
	if (g->begun < standing->rollbacks + 1)
		add(g, VL_VERDICT_ROLLBACK, (struct vl_epoch){0}, standing->rollbacks);
}

/* -- what was acknowledged -- */

static int by_place(const void *a, const void *b)
{
	const Valise__Trouble__V1__Trouble *x = (*(acknowledged *const *)a)->trouble,
					   *y = (*(acknowledged *const *)b)->trouble;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

/* NULL where there is none, or where it is damaged. */
static Valise__Trouble__V1__TroubleRow *read_row(const struct gathering *g, struct vl_arena *arena)
{
	int view = vl_view_of_noun(NOUN);
	char text[VL_MISSION_MAX + 1 + VL_LEDGER_NAME], room[VL_ENTITY_MAX + 1];
	struct vl_bytes value;
	struct vl_key key;

	(void)snprintf(text, sizeof(text), "%s/%s", g->mission, g->lane);
	vl_row_key(&key, 0, vl_entity_key(text, room));
	if (view < 0 || vl_txn_find(g->txn, vl_view_db((size_t)view, VL_VIEW_ROW),
				    vl_key_done(&key), &value) != VL_OK)
		return NULL;
	void *row = vl_wire_check(ROW, value, true, NULL) == VL_OK
			    ? vl_wire_unpack(ROW, value, arena)
			    : NULL;
	return row;
}

static void look_up(struct vl_trouble *trouble, acknowledged **sorted, size_t count)
{
	Valise__Trouble__V1__Trouble wanted = {.kind = trouble->kind == VL_VERDICT_FORK ? FORK
											: ROLLBACK,
					       .epoch = trouble->epoch.n};
	acknowledged key = {.trouble = &wanted}, *at = &key;
	acknowledged **found = bsearch(&at, sorted, count, sizeof(at), by_place);

	if (found == NULL || (*found)->trouble->batches < trouble->batches)
		return;
	trouble->acknowledged = true;
	trouble->by = (*found)->by;
	if ((*found)->at != NULL)
		trouble->at = (struct vl_time){(*found)->at->seconds, (*found)->at->nanos};
}

static void mark_acknowledged(const struct gathering *g, struct vl_arena *arena,
			      struct vl_troubles *troubles)
{
	Valise__Trouble__V1__TroubleRow *row = troubles->count > 0 ? read_row(g, arena) : NULL;

	if (row == NULL || row->n_acknowledged == 0)
		return;
	qsort(row->acknowledged, row->n_acknowledged, sizeof(*row->acknowledged), by_place);
	for (size_t i = 0; i < troubles->count; i++)
		look_up(&troubles->items[i], row->acknowledged, row->n_acknowledged);
}

/* -- both -- */

enum vl_err vl_troubles_read(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_standing *standing, struct vl_epoch named,
			     struct vl_arena *arena, struct vl_troubles *troubles)
{
	struct gathering g = {.txn = txn, .mission = mission, .lane = lane};

	*troubles = (struct vl_troubles){0};
	gather_forks(&g, standing, named);
	gather_rollbacks(&g, standing);
	if (g.items.size > 0)
		troubles->items = vl_arena_alloc(arena, g.items.size);
	bool whole = !vl_buf_failed(&g.items) && (g.items.size == 0 || troubles->items != NULL);
	if (whole && g.items.size > 0) {
		memcpy(troubles->items, g.items.data, g.items.size);
		troubles->count = g.items.size / sizeof(*troubles->items);
	}
	vl_buf_free(&g.items);
	if (whole)
		mark_acknowledged(&g, arena, troubles);
	return whole && !vl_arena_failed(arena) ? vl_txn_err(txn) : VL_ERR_NOMEM;
}

enum vl_verdict vl_troubles_verdict(const struct vl_troubles *troubles)
{
	enum vl_verdict worst = VL_VERDICT_OK;

	for (size_t i = 0; i < troubles->count; i++)
		if (!troubles->items[i].acknowledged && troubles->items[i].kind < worst)
			worst = troubles->items[i].kind;
	return worst;
}

const struct vl_trouble *vl_troubles_rested(const struct vl_troubles *troubles)
{
	const struct vl_trouble *last = NULL;

	for (size_t i = 0; i < troubles->count; i++) {
		const struct vl_trouble *one = &troubles->items[i];
		if (one->acknowledged &&
		    (last == NULL || one->kind < last->kind ||
		     (one->kind == last->kind && vl_time_compare(last->at, one->at) <= 0)))
			last = one;
	}
	return last;
}

#include "hq/fold/fold.h"

#include "bus/types.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/views.h"

#include <stdlib.h>
#include <string.h>

/* The most urgent view first. */
static void put_in_order(size_t *order)
{
	size_t n = 0;

	for (int precedence = 0; precedence <= VL_PRECEDENCES; precedence++)
		for (size_t view = 0; vl_views[view] != NULL; view++)
			if (vl_view_precedence(view) == (enum vl_precedence)precedence)
				order[n++] = view;
}

struct vl_fold *vl_fold_open(void)
{
	struct vl_fold *fold = calloc(1, sizeof(*fold));

	if (fold == NULL)
		return NULL;
	fold->txn_arena = vl_arena_open(0);
	fold->arena = vl_arena_open(0);
	fold->dirty = calloc(vl_views_count() * FOLD_MAX_KINDS + 1, sizeof(struct dirty *));
	fold->bound = calloc(vl_views_count() + 1, sizeof(*fold->bound));
	fold->order = calloc(vl_views_count() + 1, sizeof(*fold->order));
	fold->renewals = calloc(vl_views_count() + 1, sizeof(*fold->renewals));
	fold->bounds = VL_FOLD_BOUNDS;
	fold->shared = (struct vl_facts){
		.arena = fold->txn_arena, .stop = vl_fold_yields, .context = fold};
	if (fold->txn_arena == NULL || fold->arena == NULL || fold->dirty == NULL ||
	    fold->order == NULL || fold->renewals == NULL || fold->bound == NULL ||
	    !vl_views_bind(fold->bound, &fold->packed)) {
		vl_fold_close(fold);
		return NULL;
	}
	put_in_order(fold->order);
	return fold;
}

static void forget(struct vl_fold *fold)
{
	for (size_t i = 0; i < vl_views_count() * FOLD_MAX_KINDS; i++)
		HASH_CLEAR(hh, fold->dirty[i]);
	vl_history_forget(&fold->shared);
	vl_arena_reset(fold->txn_arena);
	fold->turn = NULL;
	fold->marked = 0;
	fold->owners = NULL;
	fold->n_owners = fold->owner = 0;
}

static void forgive(struct vl_fold *fold, struct debt *debt)
{
	HASH_DEL(fold->debts, debt);
	free(debt);
}

void vl_fold_close(struct vl_fold *fold)
{
	if (fold == NULL)
		return;
	if (fold->dirty != NULL && fold->txn_arena != NULL)
		forget(fold);
	free(fold->dirty);
	free(fold->order);
	for (size_t i = 0; fold->bound != NULL && vl_views[i] != NULL; i++)
		vl_view_unbind(fold->bound[i]);
	free(fold->bound);
	free(fold->renewals);
	while (fold->debts != NULL)
		forgive(fold, fold->debts);
	vl_arena_close(fold->txn_arena);
	vl_arena_close(fold->arena);
	vl_buf_free(&fold->packed);
	free(fold);
}

void vl_fold_begin(struct vl_fold *fold, struct vl_txn *txn)
{
	forget(fold);
	fold->steps = fold->folded = 0;
	fold->pace.now_ms = NULL;
	fold->phase = VL_PHASE_FILE;
	fold->txn = txn;
	fold->claimed = 0;
	for (size_t view = 0; vl_views[view] != NULL; view++)
		if (vl_txn_count(txn, vl_view_db(view, VL_VIEW_EVENT)) > 0)
			fold->claimed |= UINT64_C(1) << view;
	vl_todo_begin(&fold->todo, txn);
	vl_renewal_read(txn, fold->renewals);
}

void vl_fold_bound(struct vl_fold *fold, const struct vl_fold_bounds *bounds)
{
	fold->bounds = *bounds;
}

void vl_fold_set_pace(struct vl_fold *fold, const struct vl_fold_pace *pace)
{
	bool began = fold->pace.now_ms != NULL;

	fold->pace = *pace;
	if (!began)
		vl_fold_enter(fold, fold->phase);
}

void vl_fold_enter(struct vl_fold *fold, enum vl_fold_phase phase)
{
	fold->phase = phase;
	fold->entered_ms = fold->pace.now_ms != NULL ? fold->pace.now_ms() : 0;
}

static bool hurries(const struct vl_fold *fold)
{
	const struct vl_fold_pace *pace = &fold->pace;

	return pace->soon || (pace->hurry != NULL && pace->hurry(pace->context));
}

bool vl_fold_late(const struct vl_fold *fold)
{
	const struct vl_fold_pace *pace = &fold->pace;

	if (pace->now_ms == NULL)
		return false;
	const int64_t *most_ms = hurries(fold) ? pace->soon_ms : pace->most_ms;
	return pace->now_ms() - fold->entered_ms >= most_ms[fold->phase];
}

const struct vl_fold_bounds *vl_fold_bounds(const struct vl_fold *fold)
{
	return &fold->bounds;
}

struct vl_todo *vl_fold_todo(struct vl_fold *fold)
{
	return &fold->todo;
}

uint64_t vl_fold_steps(const struct vl_fold *fold)
{
	return fold->steps;
}

void vl_fold_charge(struct vl_fold *fold, uint64_t steps)
{
	fold->steps += steps;
}

uint64_t vl_fold_filed(const struct vl_fold *fold)
{
	return fold->owner < fold->n_owners ? fold->owners[fold->owner].filed : 0;
}

/* -- whose work it is -- */

#define MOST_YIELDS 8

static struct debt *debt_of(const struct vl_fold *fold, const char *mission)
{
	struct debt *debt;

	HASH_FIND(hh, fold->debts, mission, strlen(mission), debt);
	return debt;
}

/* Out of memory, it owes nothing. */
static struct debt *lend(struct vl_fold *fold, const char *mission, uint64_t steps)
{
	size_t size = strlen(mission);
	struct debt *debt = debt_of(fold, mission);

	if (debt == NULL && (debt = calloc(1, sizeof(*debt) + size + 1)) != NULL) {
		memcpy(debt->mission, mission, size + 1);
		HASH_ADD_KEYPTR(hh, fold->debts, debt->mission, size, debt);
		if (debt->hh.tbl == NULL) {
			free(debt);
			debt = NULL;
		}
	}
	if (debt != NULL)
		debt->steps += steps;
	return debt;
}

/* A row of many facts is begun again later, at most so many times. What is urgent and waits is
 * another's, or it would be in this transaction. */
bool vl_fold_yields(void *context)
{
	struct vl_fold *fold = context;
	const struct vl_fold_pace *pace = &fold->pace;

	if (fold->yields || pace->soon || pace->hurry == NULL || fold->n_owners == 0)
		return fold->yields;
	const struct debt *debt = debt_of(fold, fold->owners[fold->owner].mission);
	fold->yields = (debt == NULL || debt->yielded < MOST_YIELDS) && pace->hurry(pace->context);
	return fold->yields;
}

/* The row took so many steps, and was given up or not. */
static void note_yield(struct vl_fold *fold, struct owner *owner, uint64_t steps)
{
	struct debt *debt = fold->yields ? lend(fold, owner->mission, fold->bounds.reserve)
					 : debt_of(fold, owner->mission);

	owner->yielded = owner->yielded || fold->yields;
	if (debt != NULL && fold->yields)
		debt->yielded++;
	else if (debt != NULL && steps > fold->bounds.reserve)
		debt->yielded = 0;
}

/* What a mission may take of a transaction: where the time, or what all may take, is spent
 * already, or others wait for who has a debt, what is kept for each. */
static uint64_t share_of(const struct vl_fold *fold, uint64_t debt)
{
	const struct vl_fold_bounds *bounds = &fold->bounds;
	uint64_t share = bounds->settle / (fold->n_owners > 0 ? fold->n_owners : 1);

	if (share < bounds->reserve || fold->folded >= bounds->settle || vl_fold_late(fold) ||
	    (debt > 0 && hurries(fold)))
		share = bounds->reserve;
	return share;
}

/* At the end of a transaction: what was folded beyond the share is owed, and every transaction
 * makes up for a share. */
static void settle_debts(struct vl_fold *fold)
{
	struct debt *debt, *next;
	uint64_t share = share_of(fold, 1);

	HASH_ITER (hh, fold->debts, debt, next) {
		debt->steps -= debt->steps < share ? debt->steps : share;
		if (debt->steps == 0 && debt->yielded == 0)
			forgive(fold, debt);
	}
	for (size_t i = 0; i < fold->n_owners; i++) {
		const struct owner *owner = &fold->owners[i];
		bool owes = owner->debt > 0;
		if (owner->folded > (owes ? 0 : share))
			(void)lend(fold, owner->mission, owner->folded - (owes ? 0 : share));
	}
}

static bool add_owner(struct vl_fold *fold, const char *mission)
{
	size_t n = fold->n_owners;

	if ((n & (n - 1)) == 0) {
		struct owner *larger =
			vl_arena_alloc(fold->txn_arena, (n == 0 ? 1 : 2 * n) * sizeof(*larger));
		if (larger == NULL)
			return false;
		if (n > 0)
			memcpy(larger, fold->owners, n * sizeof(*larger));
		fold->owners = larger;
	}
	const char *copy = vl_arena_text(fold->txn_arena, mission, strlen(mission));
	if (copy == NULL)
		return false;
	const struct debt *debt = debt_of(fold, copy);
	fold->owners[fold->n_owners++] =
		(struct owner){.mission = copy, .debt = debt != NULL ? debt->steps : 0};
	return true;
}

void vl_fold_serve(struct vl_fold *fold, const char *mission)
{
	if (fold->owner < fold->n_owners && strcmp(fold->owners[fold->owner].mission, mission) == 0)
		return;
	for (fold->owner = 0; fold->owner < fold->n_owners; fold->owner++)
		if (strcmp(fold->owners[fold->owner].mission, mission) == 0)
			return;
	if (!add_owner(fold, mission)) {
		fold->owner = 0;
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	}
}

uint64_t vl_fold_room(const struct vl_fold *fold)
{
	static const struct owner nobody;
	const struct owner *owner = fold->n_owners > 0 ? &fold->owners[fold->owner] : &nobody;
	uint64_t own = owner->folded + (hurries(fold) ? owner->debt : 0);
	uint64_t share = share_of(fold, owner->debt);

	return own < share ? share - own : 0;
}

struct dirty *vl_fold_mark(struct vl_fold *fold, unsigned kind, const char *key, bool *added)
{
	struct dirty **set = &fold->dirty[fold->view * FOLD_MAX_KINDS + kind], *entry;
	size_t size = strlen(key);

	fold->marked |= UINT64_C(1) << fold->view;
	HASH_FIND(hh, *set, key, size, entry);
	*added = entry == NULL;
	/* What this transaction filed of it is in the ledger by now. */
	if (entry != NULL && entry->done)
		entry->done = entry->complete = entry->taken_up = false;
	if (entry != NULL)
		return entry;
	entry = vl_arena_alloc(fold->txn_arena, sizeof(*entry));
	char *copy = vl_arena_text(fold->txn_arena, key, size);
	if (entry == NULL || copy == NULL) {
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
		return NULL;
	}
	entry->key = copy;
	entry->last = &entry->facts;
	entry->owner = (uint32_t)fold->owner;
	fold->steps += FOLD_MARK_STEPS;
	HASH_ADD_KEYPTR(hh, *set, entry->key, size, entry);
	if (entry->hh.tbl == NULL) {
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
		return NULL;
	}
	return entry;
}

/* -- what has to wait -- */

/* A byte for the kind, and the key. */
void vl_fold_put_entity(struct vl_buf *body, unsigned kind, const char *key)
{
	vl_buf_put_byte(body, (uint8_t)kind);
	vl_buf_put(body, key, strlen(key) + 1);
}

/* What waits in a queue of this mission already need not wait there twice. */
static void put_off(struct vl_fold *fold, const struct dirty *entry)
{
	const char *mission = fold->owners[entry->owner].mission, *whose;

	if (!entry->taken_up &&
	    vl_todo_waits(&fold->todo, fold->view, fold->kind, entry->key, &whose) &&
	    strcmp(whose, mission) == 0)
		return;
	vl_buf_reset(&fold->packed);
	vl_fold_put_entity(&fold->packed, fold->kind, entry->key);
	if (vl_buf_failed(&fold->packed))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	vl_todo_push(&fold->todo, VL_TODO_FOLDS, fold->view, mission, vl_buf_bytes(&fold->packed));
	vl_todo_wait(&fold->todo, fold->view, fold->kind, entry->key, mission);
}

static void settle_entity(struct vl_fold *fold, const struct dirty *entry)
{
	fold->owner = entry->owner;
	if (vl_fold_room(fold) == 0 || fold->owners[entry->owner].yielded) {
		put_off(fold, entry);
		return;
	}
	uint64_t before = fold->steps;
	bool whole = vl_fold_entity(fold, entry);
	note_yield(fold, &fold->owners[entry->owner], fold->steps - before);
	if (whole) {
		vl_todo_folded(&fold->todo, fold->view, fold->kind, entry->key);
		vl_fold_begin_fans(fold);
		vl_lookup_wake(fold);
	} else {
		put_off(fold, entry);
	}
	fold->folded += fold->steps - before + 1;
	fold->owners[entry->owner].folded += fold->steps - before + 1;
}

void vl_fold_damaged(struct vl_fold *fold, unsigned db)
{
	if (db >= VL_DB_VIEWS)
		vl_renewal_want(fold, (db - VL_DB_VIEWS) / VL_VIEW_DBS,
				(enum vl_view_db)((db - VL_DB_VIEWS) % VL_VIEW_DBS));
	else
		fold->todo.damaged++;
}

/* Each is folded once. Who owes nothing goes first. */
static void settle_kind(struct vl_fold *fold, struct dirty *set)
{
	struct dirty *entry, *next;

	for (int all = 0; all < 2; all++)
		HASH_ITER (hh, set, entry, next) {
			if (vl_txn_err(fold->txn) != VL_OK || entry->done ||
			    (!all && fold->owners[entry->owner].debt > 0))
				continue;
			entry->done = true;
			settle_entity(fold, entry);
		}
}

/* The kinds by their rank. */
static void settle_view(struct vl_fold *fold, size_t view)
{
	fold->view = view;
	for (fold->kind = 0; fold->kind < vl_views[view]->n_kinds; fold->kind++)
		settle_kind(fold, fold->dirty[view * FOLD_MAX_KINDS + fold->kind]);
	fold->marked &= ~(UINT64_C(1) << view);
}

static size_t next_marked(const struct vl_fold *fold)
{
	size_t i = 0;

	while ((fold->marked >> fold->order[i] & 1) == 0)
		i++;
	return fold->order[i];
}

enum vl_err vl_fold_settle(struct vl_fold *fold)
{
	/* Lanes read in one direction, so that this has an end. */
	while (fold->marked != 0)
		settle_view(fold, next_marked(fold));
	settle_debts(fold);
	if (fold->todo.damaged > 0)
		vl_renewal_want_all(fold);
	vl_todo_end(&fold->todo);
	vl_renewal_keep(fold);
	forget(fold);
	return vl_txn_err(fold->txn);
}

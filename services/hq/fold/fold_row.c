/*
 * One row: its history and tallies read, folded, packed, and put in place of the former, with
 * what both add to others.
 */
#include "base/text.h"
#include "bus/wire.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/history.h"
#include "hq/fold/renewal.h"
#include "valise/v1/view.pb-c.h"

#include <stdlib.h>
#include <string.h>

static void apply_changes(struct vl_fold *fold, const struct vl_key *row)
{
	bool counted = vl_recount_passed(fold, vl_key_done(row));
	unsigned db = vl_view_db(fold->view, VL_VIEW_TALLY);
	struct change *change, *next;
	struct vl_bytes value;
	uint8_t number[8];
	bool added;

	HASH_ITER (hh, fold->changes, change, next) {
		if (change->count == 0)
			continue;
		fold->steps++;
		if (counted)
			vl_recount_add(fold, change->tally, change->count);
		if (fold->adopts)
			continue;
		enum vl_err err = vl_txn_find(fold->txn, db, change->tally, &value);
		/* It is counted anew, and its entity folded then. */
		if (err == VL_ERR_CORRUPT) {
			vl_renewal_want(fold, fold->view, VL_VIEW_TALLY);
			continue;
		}
		bool found = err == VL_OK;
		int64_t sum = change->count +
			      (found && value.size == 8 ? (int64_t)vl_get_be64(value.data) : 0);
		vl_put_be64(number, (uint64_t)sum);
		if (sum != 0)
			vl_txn_put(fold->txn, db, change->tally, (struct vl_bytes){number, 8});
		else
			(void)vl_txn_delete(fold->txn, db, change->tally);
		if (change->kind > fold->kind)
			(void)vl_fold_mark(fold, change->kind, (const char *)change->tally.data + 1,
					   &added);
	}
	HASH_CLEAR(hh, fold->changes);
}

void vl_fold_row_adds(struct vl_fold *fold, const ProtobufCMessage *row, int sign)
{
	fold->sign = sign;
	if (row != NULL)
		vl_bound_contribute(fold->bound[fold->view], fold->kind, fold, row);
}

void vl_fold_hurt(struct vl_fold *fold, enum vl_view_db db)
{
	fold->hurt = true;
	vl_renewal_want(fold, fold->view, db);
}

bool vl_fold_has_tallies(struct vl_fold *fold)
{
	struct vl_key prefix;
	struct vl_bytes key;
	size_t damaged = 0;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY));

	vl_row_key(&prefix, fold->kind, fold->key);
	vl_cursor_pass_over(cursor, vl_key_done(&prefix), vl_cursor_count, &damaged);
	bool found = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, NULL) &&
		     vl_key_has_prefix(key, vl_key_done(&prefix));
	vl_cursor_close(cursor);
	if (damaged > 0)
		vl_fold_hurt(fold, VL_VIEW_TALLY);
	return found || damaged > 0;
}

static int compare_items(const void *a, const void *b)
{
	const struct vl_history_item *x = a, *y = b;
	int by_sender = strcmp(x->fact.mission, y->fact.mission);

	if (by_sender != 0)
		return by_sender;
	if (x->fact.epoch != y->fact.epoch)
		return x->fact.epoch < y->fact.epoch ? -1 : 1;
	return (x->fact.event > y->fact.event) - (x->fact.event < y->fact.event);
}

/* The history as this transaction filed it, without going through the ledger. */
static enum vl_err filed_history(struct vl_fold *fold, const struct dirty *entry,
				 struct vl_history_item **items, size_t *count)
{
	size_t n = 0, distinct = 0;

	*items = vl_arena_alloc(fold->arena, entry->n_facts * sizeof(**items));
	if (*items == NULL)
		return VL_ERR_NOMEM;
	for (const struct filed *filed = entry->facts; filed != NULL; filed = filed->next)
		(*items)[n++] = (struct vl_history_item){
			.fact = *filed->fact, .place = filed->place, .shared = true};
	qsort(*items, n, sizeof(**items), compare_items);
	/* One fact may touch an entity twice; the ledger has it once. */
	for (size_t i = 0; i < n; i++)
		if (i == 0 || compare_items(&(*items)[distinct - 1], &(*items)[i]) != 0)
			(*items)[distinct++] = (*items)[i];
	*count = distinct;
	*items = vl_history_order(*items, distinct, fold->arena);
	return vl_arena_failed(fold->arena) ? VL_ERR_NOMEM : VL_OK;
}

static enum vl_err gather(struct vl_fold *fold, const struct dirty *entry,
			  struct vl_history_item **items, size_t *count, size_t *damaged)
{
	size_t entries = 0;

	*count = *damaged = 0;
	/* A kind that is made of tallies alone has no history to read. */
	if (!vl_bound_has_facts(fold->bound[fold->view], fold->kind))
		return VL_OK;
	if (entry->complete && entry->n_facts > 0 && entry->weight <= VL_FOLD_WEIGHT)
		return filed_history(fold, entry, items, count);
	enum vl_err err =
		vl_history_read_some(fold->txn, fold->view, fold->kind, fold->key, fold->arena,
				     &fold->shared, items, count, damaged, &entries, &fold->beyond);
	if (entries > 0)
		vl_renewal_want(fold, fold->view, VL_VIEW_HISTORY);
	return err;
}

/* Say so in the row's list of violations. Every kind that has a history has one. */
static void show_rule(struct vl_fold *fold, ProtobufCMessage *row, const char *rule,
		      const char *detail)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(row->descriptor, "violations");

	if (field == NULL || field->label != PROTOBUF_C_LABEL_REPEATED ||
	    field->descriptor != &valise__v1__violation__descriptor)
		return;
	char *base = (char *)row;
	vl_fold_violation(fold, (size_t *)(void *)(base + field->quantifier_offset),
			  (Valise__V1__Violation ***)(void *)(base + field->offset), rule, NULL,
			  "%s", detail);
}

static void show_damage(struct vl_fold *fold, ProtobufCMessage *row, size_t damaged)
{
	char *detail = vl_fold_printf(
		fold,
		"%zu of its events can no longer be read in the ledger, and count for nothing here",
		damaged);

	if (damaged > 0 && detail != NULL)
		show_rule(fold, row, VL_RULE_DAMAGED, detail);
}

static void show_beyond(struct vl_fold *fold, ProtobufCMessage *row)
{
	if (fold->beyond)
		show_rule(fold, row, VL_RULE_BOUND,
			  "there is more of it than a row may be made of; the rest is in the "
			  "archive and counts for "
			  "nothing here");
}

ProtobufCMessage *vl_fold_items(struct vl_fold *fold, const struct vl_history_item *items,
				size_t count)
{
	const struct vl_bound *bound = fold->bound[fold->view];
	const struct vl_kind *kind = fold_kind(fold);
	size_t without = fold->trial != NULL ? fold->trial->without : VL_TRIAL_ALL;
	ProtobufCMessage *row = vl_arena_alloc(fold->arena, kind->row->sizeof_message);

	if (row == NULL)
		return NULL;
	protobuf_c_message_init(kind->row, row);
	for (size_t i = 0; i < count; i++) {
		fold->steps += items[i].shared ? 1 : vl_fact_weight(items[i].place.size);
		if (i != without)
			vl_bound_step(bound, fold->kind, fold, row, &items[i].fact);
		if ((i + 1) % VL_STOP_EACH == 0 && vl_fold_yields(fold))
			return NULL;
	}
	vl_bound_finish(bound, fold->kind, fold, row);
	return row;
}

/* The row as its history and tallies have it; NULL where it has neither. */
static ProtobufCMessage *make_row(struct vl_fold *fold, const struct dirty *entry)
{
	struct vl_history_item *items;
	size_t count, damaged;
	enum vl_err err = gather(fold, entry, &items, &count, &damaged);

	if (err != VL_OK)
		vl_txn_fail(fold->txn, err);
	if (err != VL_OK || fold->yields ||
	    (count == 0 && damaged == 0 && !vl_fold_has_tallies(fold)))
		return NULL;
	ProtobufCMessage *row = vl_fold_items(fold, items, count);
	if (row == NULL)
		return NULL;
	show_damage(fold, row, damaged);
	show_beyond(fold, row);
	return row;
}

/* Take back what the former row contributed, add what the new one does, and store it. */
static void replace_row(struct vl_fold *fold, const struct vl_key *key,
			const ProtobufCMessage *before, const ProtobufCMessage *row)
{
	unsigned db = vl_view_db(fold->view, VL_VIEW_ROW);

	vl_fold_row_adds(fold, before, -1);
	vl_fold_row_adds(fold, row, 1);
	if (vl_arena_failed(fold->arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	apply_changes(fold, key);
	vl_lookup_changed(fold, before, row);
	if (row != NULL)
		vl_txn_put(fold->txn, db, vl_key_done(key), vl_buf_bytes(&fold->packed));
	else
		(void)vl_txn_delete(fold->txn, db, vl_key_done(key));
}

static void begin_turn(struct vl_fold *fold)
{
	if (fold->turn_view == fold->view && fold->turn_kind == fold->kind)
		return;
	fold->turn_view = fold->view;
	fold->turn_kind = fold->kind;
	fold->turn = NULL;
}

/* The row as it is stored. One that is damaged makes way, and is then one that is missing. */
static bool find_row(struct vl_fold *fold, const struct vl_key *key, struct vl_bytes *old)
{
	unsigned db = vl_view_db(fold->view, VL_VIEW_ROW);
	enum vl_err err = vl_txn_find(fold->txn, db, vl_key_done(key), old);

	if (err == VL_ERR_CORRUPT) {
		vl_renewal_want(fold, fold->view, VL_VIEW_ROW);
		(void)vl_txn_weed(fold->txn, db, vl_key_done(key));
		return vl_txn_get(fold->txn, db, vl_key_done(key), old);
	}
	return err == VL_OK;
}

bool vl_fold_entity(struct vl_fold *fold, const struct dirty *entry)
{
	struct vl_key key;
	struct vl_bytes old = {0};
	const ProtobufCMessage *before = NULL;

	vl_arena_reset(fold->arena);
	vl_buf_reset(&fold->packed);
	memset(fold->slots, 0, sizeof(fold->slots));
	begin_turn(fold);
	fold->key = entry->key;
	fold->fans = NULL;
	vl_lookup_begin(fold);
	fold->beyond = fold->hurt = fold->adopts = fold->yields = false;
	vl_row_key(&key, fold->kind, entry->key);
	ProtobufCMessage *row = make_row(fold, entry);
	if (row != NULL)
		vl_wire_pack(row, &fold->packed);
	fold->steps += vl_fact_weight(fold->packed.size);
	if (vl_buf_failed(&fold->packed) || vl_arena_failed(fold->arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	if (fold->hurt || fold->yields)
		return false;
	vl_lookup_keep(fold, entry->key);
	/* Where the whole history came in this transaction there was no row. */
	bool had = !entry->complete && find_row(fold, &key, &old);
	bool same =
		had == (row != NULL) &&
		(!had || (old.size == fold->packed.size &&
			  (old.size == 0 || memcmp(old.data, fold->packed.data, old.size) == 0)));
	if (vl_txn_err(fold->txn) != VL_OK || same)
		return true;
	if (had)
		before = vl_wire_unpack(fold_kind(fold)->row, old, fold->arena);
	fold->adopts = !had && !entry->complete && vl_renewal_adopts(fold);
	replace_row(fold, &key, before, row);
	return true;
}

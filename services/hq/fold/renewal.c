#include "hq/fold/renewal.h"

#include "base/log.h"
#include "base/text.h"
#include "bus/batch.h"
#include "hq/fold/databases.h"
#include "hq/fold/filing.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/todo.h"
#include "hq/fold/views.h"
#include "hq/ledger/chains.h"

#include <string.h>

#define NAME "renewal"
#define HEAD 11 /* phase, flags, part, event, entity; then where it goes on */
#define AGAIN 1
#define GAPS 2
#define REROUTE 4
#define MOST_VIEWS 256 /* that one byte can number */
#define SLICES 16      /* of a transaction, with a look at the time between */
#define SLICE_LEAST 4
#define MOST_WAITING 1024 /* batches of a mission, looked through for one of an epoch */

/* -- where it stands -- */

static void state_key(struct vl_key *key, size_t view)
{
	vl_key_reset(key);
	vl_key_text(key, NAME);
	vl_key_u8(key, (uint8_t)view);
}

static struct vl_renewal unpack(struct vl_bytes value)
{
	struct vl_renewal renewal = {.phase = VL_RENEWAL_NONE};

	if (value.size < HEAD || value.data[0] > VL_RENEWAL_FIX ||
	    value.size - HEAD > VL_STORE_KEY_MAX)
		return renewal;
	renewal.phase = (enum vl_renewal_phase)value.data[0];
	renewal.again = (value.data[1] & AGAIN) != 0;
	renewal.gaps = (value.data[1] & GAPS) != 0;
	renewal.reroute = (value.data[1] & REROUTE) != 0;
	renewal.part = value.data[2];
	renewal.event = vl_get_be32(value.data + 3);
	renewal.entity = vl_get_be32(value.data + 7);
	vl_key_bytes(&renewal.at, value.data + HEAD, value.size - HEAD);
	return renewal;
}

static void put(struct vl_txn *txn, size_t view, const struct vl_renewal *renewal)
{
	uint8_t value[HEAD + VL_STORE_KEY_MAX];
	struct vl_bytes at = vl_key_done(&renewal->at);
	struct vl_key key;

	state_key(&key, view);
	if (renewal->phase == VL_RENEWAL_NONE) {
		(void)vl_txn_delete(txn, VL_DB_META, vl_key_done(&key));
		return;
	}
	value[0] = (uint8_t)renewal->phase;
	value[1] = (uint8_t)((renewal->again ? AGAIN : 0) | (renewal->gaps ? GAPS : 0) |
			     (renewal->reroute ? REROUTE : 0));
	value[2] = renewal->part;
	vl_put_be32(value + 3, renewal->event);
	vl_put_be32(value + 7, renewal->entity);
	memcpy(value + HEAD, at.data, at.size);
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key), (struct vl_bytes){value, HEAD + at.size});
}

static struct vl_renewal get(struct vl_txn *txn, size_t view)
{
	struct vl_bytes value;
	struct vl_key key;

	state_key(&key, view);
	if (vl_txn_find(txn, VL_DB_META, vl_key_done(&key), &value) != VL_OK)
		return (struct vl_renewal){.phase = VL_RENEWAL_NONE};
	return unpack(value);
}

/* One that is under way and has events to route anew still has to. */
void vl_renewal_begin(struct vl_txn *txn, size_t view)
{
	put(txn, view,
	    &(struct vl_renewal){.phase = VL_RENEWAL_FILES, .reroute = get(txn, view).reroute});
	vl_todo_forget_fans(txn, view);
}

void vl_renewal_follow(struct vl_txn *txn, size_t view)
{
	put(txn, view, &(struct vl_renewal){.phase = VL_RENEWAL_FILES, .reroute = true});
	vl_todo_forget_fans(txn, view);
}

void vl_renewal_forget_all(struct vl_txn *txn)
{
	for (size_t view = 0; view < MOST_VIEWS; view++)
		put(txn, view, &(struct vl_renewal){.phase = VL_RENEWAL_NONE});
	vl_txn_clear(txn, VL_DB_TODO);
	vl_txn_clear(txn, VL_DB_PENDING);
	vl_txn_clear(txn, VL_DB_RECOUNT);
	for (size_t view = 0; vl_views[view] != NULL; view++)
		vl_txn_clear(txn, vl_view_db(view, VL_VIEW_LOOKUP));
}

void vl_renewal_begin_all(struct vl_txn *txn)
{
	for (size_t view = 0; vl_views[view] != NULL; view++)
		vl_renewal_begin(txn, view);
}

void vl_renewal_forget(struct vl_txn *txn, size_t view)
{
	put(txn, view, &(struct vl_renewal){.phase = VL_RENEWAL_NONE});
}

void vl_renewal_read(struct vl_txn *txn, struct vl_renewal *renewals)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_META);
	struct vl_bytes key, value;
	struct vl_key prefix = {0};

	memset(renewals, 0, vl_views_count() * sizeof(*renewals));
	vl_key_text(&prefix, NAME);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &key, &value))
		if (key.size == prefix.size + 1 && key.data[prefix.size] < vl_views_count())
			renewals[key.data[prefix.size]] = unpack(value);
	vl_cursor_close(cursor);
}

enum vl_renewal_phase vl_renewal_phase_of(struct vl_txn *txn, size_t view)
{
	return get(txn, view).phase;
}

uint64_t vl_renewal_left_of(struct vl_txn *txn, size_t view)
{
	return get(txn, view).phase != VL_RENEWAL_NONE;
}

uint64_t vl_renewal_left(struct vl_txn *txn)
{
	uint64_t left = 0;

	for (size_t view = 0; vl_views[view] != NULL; view++)
		left += vl_renewal_left_of(txn, view);
	return left;
}

/* The last phase that mends a database. */
static enum vl_renewal_phase mended_in(enum vl_view_db db)
{
	switch (db) {
	case VL_VIEW_EVENT:
		return VL_RENEWAL_FILES;
	case VL_VIEW_HISTORY:
	case VL_VIEW_LOOKUP:
	case VL_VIEW_INDEX:
		return VL_RENEWAL_WEED;
	case VL_VIEW_TALLY:
		return VL_RENEWAL_COUNT;
	default:
		return VL_RENEWAL_FIX;
	}
}

static void begin(struct vl_fold *fold, size_t view)
{
	fold->renewals[view] = (struct vl_renewal){.phase = VL_RENEWAL_FILES};
	vl_renewal_begin(fold->txn, view);
}

void vl_renewal_want_all(struct vl_fold *fold)
{
	vl_log_error("an entry of the to-do list is damaged: all views are made whole again "
		     "from the archive, beside all other work");
	for (size_t view = 0; vl_views[view] != NULL; view++)
		if (fold->renewals[view].phase == VL_RENEWAL_NONE)
			begin(fold, view);
		else
			fold->renewals[view].again = true;
}

void vl_renewal_want(struct vl_fold *fold, size_t view, enum vl_view_db db)
{
	struct vl_renewal *renewal = &fold->renewals[view];
	char name[VL_LEDGER_NAME];

	/* Who only tries writes nothing. */
	if (fold->trial != NULL)
		return;
	if (renewal->phase != VL_RENEWAL_NONE) {
		renewal->again |= renewal->phase > mended_in(db);
		return;
	}
	vl_ledger_name(vl_view_db(view, db), name);
	vl_log_error("an entry of '%s' is damaged: that view is made whole again from the "
		     "archive, beside all else",
		     name);
	begin(fold, view);
}

bool vl_renewal_adopts(const struct vl_fold *fold)
{
	enum vl_renewal_phase phase = fold->renewals[fold->view].phase;

	return phase != VL_RENEWAL_NONE && phase < VL_RENEWAL_FIX;
}

/* -- FILES -- */

/* Sound, and where it says. */
static bool read_batch(struct vl_fold *fold, const struct vl_archive_place *at,
		       struct vl_bytes stored, struct vl_record *record, struct vl_batch *batch)
{
	struct vl_arena *arena = fold->txn_arena;
	struct vl_digest digest;
	/* Copied, as the next write takes it away. */
	const uint8_t *copy = (const uint8_t *)vl_arena_text(arena, stored.data, stored.size);

	if (copy == NULL ||
	    vl_record_unpack((struct vl_bytes){copy, stored.size}, record, &digest) != VL_OK ||
	    !vl_record_intact(record, &digest) ||
	    vl_batch_read(record->value, arena, batch, NULL) != VL_OK)
		return false;
	return vl_bytes_are(batch->head.mission, at->mission) &&
	       vl_bytes_are(batch->head.lane, at->lane) && batch->head.epoch.n == at->epoch.n &&
	       batch->head.seq.n == at->seq.n;
}

/* How many of a batch's events are filed already: of those that wait in the list, first in,
 * first out, the rest is filed from there. */
static uint32_t filed_of(struct vl_fold *fold, size_t view, const struct vl_archive_place *at)
{
	struct vl_todo_queue queue = {.view = view};
	struct vl_todo_entry entry = {0};
	struct vl_filing_entry waits;

	(void)strcpy(queue.mission, at->mission);
	for (unsigned i = 0; i < MOST_WAITING && vl_todo_first(&fold->todo, VL_TODO_FILES, &queue,
							       entry.n + (i > 0), &entry);
	     i++) {
		fold->steps++;
		if (!vl_filing_read_entry(entry.body, &waits) || waits.epoch.n != at->epoch.n)
			continue;
		return at->seq.n < waits.seq.n    ? UINT32_MAX
		       : at->seq.n == waits.seq.n ? waits.event
						  : 0;
	}
	return UINT32_MAX;
}

/* File again what is missing of a batch. True where all of it is there. */
static bool file_again(struct vl_fold *fold, size_t view, const struct vl_archive_place *at,
		       struct vl_bytes stored, uint64_t until)
{
	struct vl_renewal *renewal = &fold->renewals[view];
	struct vl_fold_part part = {.first = renewal->entity, .renew = true};
	struct vl_record record;
	struct vl_batch batch;
	unsigned n = 0;

	uint32_t filed = filed_of(fold, view, at);
	fold->steps += vl_fact_weight(stored.size) / 8;
	if (!read_batch(fold, at, stored, &record, &batch)) {
		renewal->gaps = true;
		return true;
	}
	while (renewal->event < batch.n_events && renewal->event < filed &&
	       vl_txn_err(fold->txn) == VL_OK) {
		struct vl_bytes bytes = batch.events[renewal->event];
		const struct vl_place place = {.epoch = at->epoch,
					       .seq = at->seq,
					       .event = {batch.head.first_event.n + renewal->event},
					       .offset = (uint32_t)(bytes.data - record.value.data),
					       .size = (uint32_t)bytes.size};
		struct vl_fold_added added;
		if (n++ > 0 && fold->steps >= until)
			return false;
		part.room = fold->steps < until ? until - fold->steps : 1;
		vl_fold_add_event(fold, view, at->mission, &place, bytes, NULL, &part, &added);
		renewal->entity = part.first;
		renewal->event += part.first == 0;
	}
	return true;
}

/* The batch in which it stands, or the next. False behind the last. */
static bool find_batch(struct vl_fold *fold, struct vl_renewal *renewal,
		       struct vl_archive_walk *walk, struct vl_archive_place *at,
		       struct vl_bytes *stored)
{
	walk->key = renewal->at;
	if (renewal->part == 0 ||
	    vl_txn_find(fold->txn, VL_DB_ARCHIVE, vl_key_done(&walk->key), stored) != VL_OK) {
		renewal->event = renewal->entity = 0;
		return vl_archive_next(fold->txn, walk, at, stored);
	}
	*at = (struct vl_archive_place){
		.mission = (const char *)walk->key.bytes,
		.lane = walk->lane,
		.epoch = {vl_get_be64(walk->key.bytes + walk->key.size - 16)},
		.seq = {vl_get_be64(walk->key.bytes + walk->key.size - 8)}};
	return true;
}

static bool file_batches(struct vl_fold *fold, size_t view, uint64_t until)
{
	struct vl_renewal *renewal = &fold->renewals[view];
	struct vl_archive_walk walk = {.lane = vl_views[view]->lane};
	struct vl_archive_place at;
	struct vl_bytes stored;

	while (fold->steps < until && vl_txn_err(fold->txn) == VL_OK) {
		if (!find_batch(fold, renewal, &walk, &at, &stored))
			return true;
		renewal->at = walk.key;
		renewal->part = !file_again(fold, view, &at, stored, until);
	}
	return false;
}

/* -- entities -- */

const char *vl_renewal_entity(size_t view, struct vl_bytes key, unsigned *kind, char *room)
{
	size_t size = key.size > 1 ? strnlen((const char *)key.data + 1, key.size - 1) : 0;

	if (size == 0 || size > VL_ENTITY_MAX || size + 2 > key.size ||
	    key.data[0] >= vl_views[view]->n_kinds)
		return NULL;
	*kind = key.data[0];
	memcpy(room, key.data + 1, size);
	room[size] = '\0';
	return room;
}

static bool has_history(struct vl_fold *fold, size_t view, unsigned kind, const char *entity)
{
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(view, VL_VIEW_HISTORY));
	struct vl_bytes key;
	struct vl_key prefix;

	vl_row_key(&prefix, kind, entity);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool found = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, NULL) &&
		     vl_key_has_prefix(key, vl_key_done(&prefix));
	vl_cursor_close(cursor);
	return found;
}

void vl_renewal_fold(struct vl_fold *fold, size_t view, unsigned kind, const char *entity)
{
	bool added;

	fold->view = view;
	struct dirty *entry = vl_fold_mark(fold, kind, entity, &added);
	/* Its entry in the list may be lost. */
	if (entry != NULL)
		entry->taken_up = true;
}

void vl_renewal_fold_known(struct vl_fold *fold, size_t view, unsigned kind, const char *entity)
{
	struct vl_key row;

	vl_row_key(&row, kind, entity);
	if (has_history(fold, view, kind, entity) ||
	    vl_txn_find(fold->txn, vl_view_db(view, VL_VIEW_ROW), vl_key_done(&row), NULL) !=
		    VL_ERR_NOT_FOUND)
		vl_renewal_fold(fold, view, kind, entity);
}

/* -- ROWS -- */

/* Each entity that has a history or a row, once: on to the next by the end of its keys. One that
 * has tallies alone is found by COUNT. */
static bool fold_some(struct vl_fold *fold, size_t view, uint64_t until)
{
	static const enum vl_view_db dbs[] = {VL_VIEW_HISTORY, VL_VIEW_ROW};
	const size_t count = sizeof(dbs) / sizeof(dbs[0]);
	struct vl_renewal *renewal = &fold->renewals[view];
	char room[VL_ENTITY_MAX + 1];
	struct vl_bytes key;
	unsigned kind;

	if (renewal->part >= count)
		return true;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(view, dbs[renewal->part]));
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool more = vl_cursor_seek(cursor, vl_key_done(&renewal->at), &key, NULL);
	while (more && fold->steps < until) {
		const char *entity = vl_renewal_entity(view, key, &kind, room);
		if (entity != NULL) {
			vl_renewal_fold(fold, view, kind, entity);
			vl_row_key(&renewal->at, kind, entity);
			renewal->at.bytes[renewal->at.size - 1] = 1;
		} else {
			vl_key_reset(&renewal->at);
			vl_key_bytes(&renewal->at, key.data, key.size);
			/* Of a kind that there is no more. */
			if (renewal->reroute)
				(void)vl_txn_delete(fold->txn, vl_view_db(view, dbs[renewal->part]),
						    vl_key_done(&renewal->at));
			vl_key_u8(&renewal->at, 0);
		}
		fold->steps += 8;
		more = vl_cursor_seek(cursor, vl_key_done(&renewal->at), &key, NULL);
	}
	vl_cursor_close(cursor);
	if (!more) {
		vl_key_reset(&renewal->at);
		renewal->part++;
	}
	return renewal->part >= count;
}

/* -- all of it -- */

void vl_renewal_turn(struct vl_renewal *renewal, enum vl_renewal_phase phase)
{
	renewal->phase = phase;
	renewal->part = 0;
	renewal->event = renewal->entity = 0;
	vl_key_reset(&renewal->at);
}

static void end(struct vl_fold *fold, size_t view)
{
	struct vl_renewal *renewal = &fold->renewals[view];
	bool again = renewal->again;

	if (renewal->gaps)
		vl_log_warning("batches of %s in the archive are damaged: their events are "
			       "missing from the view, and its rows say so. 'valise view "
			       "rebuild --from both' reads them from Kafka",
			       vl_views[view]->lane);
	if (!again)
		vl_log_info("the view of %s is whole again", vl_views[view]->lane);
	*renewal = (struct vl_renewal){.phase = again ? VL_RENEWAL_FILES : VL_RENEWAL_NONE};
}

void vl_renewal_keep(struct vl_fold *fold)
{
	for (size_t view = 0; vl_views[view] != NULL; view++)
		if (fold->renewals[view].phase != VL_RENEWAL_NONE)
			put(fold->txn, view, &fold->renewals[view]);
}

static bool do_some(struct vl_fold *fold, size_t view, uint64_t until)
{
	switch (fold->renewals[view].phase) {
	case VL_RENEWAL_FILES:
		return file_batches(fold, view, until);
	case VL_RENEWAL_WEED:
		return vl_renewal_weed(fold, view, until);
	case VL_RENEWAL_ROWS:
		return fold_some(fold, view, until);
	case VL_RENEWAL_CLEAR:
		return vl_recount_clear(fold, until);
	case VL_RENEWAL_COUNT:
		return vl_recount_count(fold, until);
	case VL_RENEWAL_FIX:
		return vl_recount_fix(fold, until);
	case VL_RENEWAL_NONE:
		break;
	}
	return true;
}

static void go_on(struct vl_fold *fold, size_t view, uint64_t until)
{
	struct vl_renewal *renewal = &fold->renewals[view];

	fold->view = view;
	vl_fold_serve(fold, VL_RENEWAL_MISSION);
	while (renewal->phase != VL_RENEWAL_NONE && fold->steps < until &&
	       vl_txn_err(fold->txn) == VL_OK) {
		if (!do_some(fold, view, until))
			break;
		if (renewal->phase == VL_RENEWAL_FIX) {
			end(fold, view);
			break;
		}
		vl_renewal_turn(renewal, (enum vl_renewal_phase)(renewal->phase + 1));
	}
	put(fold->txn, view, renewal);
}

void vl_renewal_serve(struct vl_fold *fold, uint64_t steps)
{
	size_t n = 0;

	for (size_t view = 0; vl_views[view] != NULL; view++)
		n += fold->renewals[view].phase != VL_RENEWAL_NONE;
	/* Some is done however late it is. */
	for (unsigned slice = 0; n > 0 && slice < SLICES && (slice == 0 || !vl_fold_late(fold));
	     slice++)
		for (size_t view = 0; vl_views[view] != NULL; view++)
			if (fold->renewals[view].phase != VL_RENEWAL_NONE)
				go_on(fold, view, fold->steps + steps / n / SLICES + SLICE_LEAST);
}

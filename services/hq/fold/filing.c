#include "hq/fold/filing.h"

#include "base/text.h"
#include "hq/fold/todo.h"
#include "hq/fold/views.h"
#include "hq/ledger/deadletter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* of an entry: epoch, seq, next event, next entity that it touches, whether it was buried */
#define BODY_SIZE 25
/* one turn each for so many missions, at most, in a transaction's share of a lane */
#define TURNS 16
#define TURN_STEPS 8 /* a turn at least */
#define MOST_VIEWS 64
#define FOLD_STEPS 16   /* what it takes to fold an entity, about */
#define WAIT_STEPS 1024 /* for an event that cannot be filed yet: it is not tried all the time */

struct vl_filing {
	struct vl_fold *fold;
	struct vl_arena *arena;
	struct vl_todo_queue *turns; /* of each view: who was served last */
};

struct vl_filing *vl_filing_open(struct vl_fold *fold)
{
	struct vl_filing *filing = calloc(1, sizeof(*filing));

	if (filing == NULL)
		return NULL;
	filing->fold = fold;
	filing->arena = vl_arena_open(0);
	filing->turns = calloc(vl_views_count() + 1, sizeof(*filing->turns));
	if (filing->arena == NULL || filing->turns == NULL) {
		vl_filing_close(filing);
		return NULL;
	}
	return filing;
}

void vl_filing_close(struct vl_filing *filing)
{
	if (filing == NULL)
		return;
	vl_arena_close(filing->arena);
	free(filing->turns);
	free(filing);
}

/* -- the events of a batch -- */

/* How far a batch is filed. */
struct progress {
	uint32_t event, entity;
	bool buried;
};

/* Why an event is in no view. */
static enum vl_err why_left_out(enum vl_fold_outcome outcome, uint64_t event, struct vl_why *why)
{
	switch (outcome) {
	case VL_FOLD_NIL:
		return vl_fail(why, VL_ERR_NIL_ID,
			       "event %" PRIu64
			       " of the batch has an id of zeros or ones, which names no event",
			       event);
	case VL_FOLD_REUSED:
		return vl_fail(why, VL_ERR_ID_REUSED,
			       "event %" PRIu64
			       " of the batch has the id of another event of its sender",
			       event);
	case VL_FOLD_UNREAD:
		return vl_fail(why, VL_ERR_UNKNOWN_TYPE,
			       "event %" PRIu64 " of the batch cannot be read here", event);
	case VL_FOLD_NEW:
	case VL_FOLD_KNOWN:
	case VL_FOLD_WAITS:
		break;
	}
	return VL_OK;
}

/* Of each batch the first such event has a letter; all are counted. */
static void leave_out(struct vl_txn *txn, const struct vl_filing_batch *b, struct progress *at,
		      const struct vl_fold_added *added, struct vl_standing *standing)
{
	struct vl_why why = {0};
	enum vl_err err = why_left_out(added->outcome, (uint64_t)at->event + 1, &why);

	standing->unread += err != VL_OK;
	if (err != VL_OK && !at->buried) {
		vl_deadletter_bury(txn, b->record, b->digest, err, &why);
		at->buried = true;
	}
}

/* Both stand, whoever came first; both are counted, and the batch that came later has a letter. */
static void note_shared(struct vl_txn *txn, const struct vl_filing_batch *b, struct progress *at,
			const struct vl_fold_added *added, struct vl_standing *standing)
{
	const struct vl_fold_other *other = added->others;
	struct vl_why why = {0};

	if (other == NULL)
		return;
	standing->shared++;
	(void)vl_fail(&why, VL_ERR_ID_REUSED,
		      "event %" PRIu64
		      " of the batch has the id of another event, by %s on %s; both are applied",
		      (uint64_t)at->event + 1, other->mission, vl_views[other->view]->lane);
	if (!at->buried)
		vl_deadletter_bury(txn, b->record, b->digest, VL_ERR_ID_REUSED, &why);
	at->buried = true;
	for (; other != NULL; other = other->next) {
		const char *lane = vl_views[other->view]->lane;
		struct vl_standing theirs = vl_standing_get(txn, other->mission, lane);
		theirs.shared += !other->counted;
		if (!other->counted)
			vl_standing_put(txn, other->mission, lane, &theirs);
	}
}

/* An event that stood until one from an earlier place came: it has the letter that it would have
 * had behind it. */
static void note_ousted(struct vl_txn *txn, const struct vl_filing_batch *b,
			const struct vl_fold_added *added, struct vl_standing *standing)
{
	const struct vl_place *place = &added->ousted;
	struct vl_why why = {0};
	struct vl_buf copy = {0};
	struct vl_key key;
	struct vl_bytes stored;
	struct vl_record record;
	struct vl_digest digest;

	if (!added->ousts)
		return;
	standing->repeated += added->ousted_as == VL_FOLD_KNOWN;
	standing->unread += added->ousted_as == VL_FOLD_REUSED;
	vl_archive_key(&key, b->mission, b->lane, place->epoch, place->seq);
	if (added->ousted_as != VL_FOLD_REUSED ||
	    vl_txn_find(txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored) != VL_OK)
		return;
	vl_buf_put(&copy, stored.data, stored.size); /* the next write takes it away */
	(void)vl_fail(&why, VL_ERR_ID_REUSED,
		      "event %" PRIu64 " of its epoch has the id of an earlier event of its sender",
		      place->event.n);
	if (vl_record_unpack(vl_buf_bytes(&copy), &record, &digest) == VL_OK)
		vl_deadletter_bury(txn, &record, &digest, VL_ERR_ID_REUSED, &why);
	vl_buf_free(&copy);
}

/* The event at hand, or `room` entities of it. False where it has to wait. */
static bool file_event(struct vl_filing *filing, struct vl_txn *txn,
		       const struct vl_filing_batch *b, struct progress *at, uint64_t room,
		       struct vl_standing *standing)
{
	const struct vl_batch *batch = b->batch;
	struct vl_bytes event = batch->events[at->event];
	struct vl_place place = vl_place_of(b->record, batch, at->event);
	struct vl_fold_part part = {.first = at->entity, .room = room};
	struct vl_fold_added added;

	vl_fold_add_event(filing->fold, b->view, b->mission, &place, event,
			  b->facts != NULL ? &b->facts[at->event] : NULL, &part, &added);
	if (added.outcome == VL_FOLD_WAITS)
		return false;
	standing->repeated += added.outcome == VL_FOLD_KNOWN && at->entity == 0;
	leave_out(txn, b, at, &added, standing);
	note_shared(txn, b, at, &added, standing);
	note_ousted(txn, b, &added, standing);
	at->entity = part.first;
	at->event += part.first == 0;
	return true;
}

/* True where all of it is filed. Where it is late one event is. */
static bool file_some(struct vl_filing *filing, struct vl_txn *txn, const struct vl_filing_batch *b,
		      struct progress *at, uint64_t most, struct vl_standing *standing)
{
	uint64_t before = vl_fold_filed(filing->fold), n = 0;

	while (at->event < b->batch->n_events && vl_txn_err(txn) == VL_OK) {
		uint64_t spent = vl_fold_filed(filing->fold) - before + n++;
		if (spent >= most || (n > 1 && vl_fold_late(filing->fold)))
			return false;
		if (!file_event(filing, txn, b, at, most - spent, standing)) {
			vl_fold_charge(filing->fold, WAIT_STEPS);
			return false;
		}
	}
	return true;
}

/* -- what is left of a batch, in the list -- */

static void pack_body(uint8_t body[BODY_SIZE], struct vl_epoch epoch, struct vl_seq seq,
		      const struct progress *at)
{
	vl_put_be64(body, epoch.n);
	vl_put_be64(body + 8, seq.n);
	vl_put_be32(body + 16, at->event);
	vl_put_be32(body + 20, at->entity);
	body[24] = at->buried;
}

bool vl_filing_read_entry(struct vl_bytes body, struct vl_filing_entry *entry)
{
	if (body.size != BODY_SIZE)
		return false;
	*entry = (struct vl_filing_entry){.epoch = {vl_get_be64(body.data)},
					  .seq = {vl_get_be64(body.data + 8)},
					  .event = vl_get_be32(body.data + 16)};
	return true;
}

static bool has_files(struct vl_todo *todo, const struct vl_filing_batch *b)
{
	struct vl_todo_queue queue = {.view = b->view};
	struct vl_todo_entry entry;

	strcpy(queue.mission, b->mission);
	return vl_todo_first(todo, VL_TODO_FILES, &queue, 0, &entry);
}

void vl_filing_add(struct vl_filing *filing, struct vl_txn *txn, const struct vl_filing_batch *b,
		   struct vl_standing *standing)
{
	struct vl_todo *todo = vl_fold_todo(filing->fold);
	struct progress at = {0};
	uint8_t body[BODY_SIZE];

	vl_fold_serve(filing->fold, b->mission);
	uint64_t most = vl_fold_bounds(filing->fold)->file, filed = vl_fold_filed(filing->fold);
	if (filed < most && !vl_fold_late(filing->fold) && !has_files(todo, b) &&
	    file_some(filing, txn, b, &at, most - filed, standing))
		return;
	pack_body(body, b->batch->head.epoch, b->batch->head.seq, &at);
	vl_todo_push(todo, VL_TODO_FILES, b->view, b->mission,
		     (struct vl_bytes){body, sizeof(body)});
}

/* Read a batch back. False where the disk has damaged it; what of it was not filed then counts
 * for nothing (hq/repair/mend.h). */
static bool read_back(struct vl_filing *filing, struct vl_txn *txn, const struct vl_filing_batch *b,
		      struct vl_bytes body, struct vl_record *record, struct vl_digest *digest,
		      struct vl_batch *batch)
{
	struct vl_key key;
	struct vl_bytes stored;

	vl_arena_reset(filing->arena);
	vl_archive_key(&key, b->mission, b->lane, (struct vl_epoch){vl_get_be64(body.data)},
		       (struct vl_seq){vl_get_be64(body.data + 8)});
	bool found = vl_txn_find(txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored) == VL_OK;
	/* Copied, as the next write takes it away. */
	const uint8_t *copy =
		found ? (const uint8_t *)vl_arena_text(filing->arena, stored.data, stored.size)
		      : NULL;
	bool sound =
		copy != NULL &&
		vl_record_unpack((struct vl_bytes){copy, stored.size}, record, digest) == VL_OK &&
		vl_record_intact(record, digest) &&
		vl_batch_read(record->value, filing->arena, batch, NULL) == VL_OK;
	if (vl_arena_failed(filing->arena))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	return sound;
}

/* File on a batch of the list. */
static void file_on(struct vl_filing *filing, struct vl_txn *txn, const struct vl_todo_queue *queue,
		    const struct vl_todo_entry *entry, uint64_t most)
{
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;
	struct vl_filing_batch b = {queue->mission,
				    vl_views[queue->view]->lane,
				    queue->view,
				    &record,
				    &batch,
				    &digest,
				    NULL};
	uint8_t body[BODY_SIZE] = {0};
	uint64_t n = entry->n;

	if (entry->body.size == BODY_SIZE)
		memcpy(body, entry->body.data, sizeof(body));
	struct progress at = {vl_get_be32(body + 16), vl_get_be32(body + 20), body[24] != 0};
	if (entry->body.size != BODY_SIZE ||
	    !read_back(filing, txn, &b, (struct vl_bytes){body, sizeof(body)}, &record, &digest,
		       &batch)) {
		vl_todo_take(vl_fold_todo(filing->fold), VL_TODO_FILES, queue, n);
		return;
	}
	struct vl_standing standing = vl_standing_get(txn, b.mission, b.lane);
	bool done = file_some(filing, txn, &b, &at, most, &standing);
	vl_standing_put(txn, b.mission, b.lane, &standing);
	pack_body(body, batch.head.epoch, batch.head.seq, &at);
	if (done)
		vl_todo_take(vl_fold_todo(filing->fold), VL_TODO_FILES, queue, n);
	else
		vl_todo_change(vl_fold_todo(filing->fold), VL_TODO_FILES, queue, n,
			       (struct vl_bytes){body, sizeof(body)});
}

/* -- serving -- */

static void serve_folds(struct vl_filing *filing, struct vl_txn *txn,
			const struct vl_todo_queue *queue, uint64_t most)
{
	struct vl_todo *todo = vl_fold_todo(filing->fold);
	struct vl_todo_entry entry = {0};

	for (uint64_t spent = 0, from = 0;
	     spent < most && (spent == 0 || !vl_fold_late(filing->fold)) &&
	     vl_txn_err(txn) == VL_OK && vl_todo_first(todo, VL_TODO_FOLDS, queue, from, &entry);
	     from = entry.n + 1) {
		uint64_t before = vl_fold_steps(filing->fold);
		if (vl_fold_take_up(filing->fold, queue->view, entry.body, most - spent))
			vl_todo_take(todo, VL_TODO_FOLDS, queue, entry.n);
		uint64_t took = vl_fold_steps(filing->fold) - before;
		spent += took > 1 ? took + FOLD_STEPS : 1;
	}
}

/* One mission's turn: half of it for batches, half for what is to be folded. */
static void serve_queue(struct vl_filing *filing, struct vl_txn *txn,
			const struct vl_todo_queue *queue, uint64_t most)
{
	struct vl_todo_entry entry;

	vl_fold_serve(filing->fold, queue->mission);
	if (vl_todo_first(vl_fold_todo(filing->fold), VL_TODO_FILES, queue, 0, &entry))
		file_on(filing, txn, queue, &entry, most / 2);
	serve_folds(filing, txn, queue, most / 2);
}

/* What each of the missions that wait may take at a time. */
static uint64_t size_of_turn(struct vl_todo *todo, size_t view, uint64_t share)
{
	struct vl_todo_queue queue = {.mission = ""};
	uint64_t n = 0;

	while (n < TURNS && vl_todo_next_queue(todo, view, &queue))
		n++;
	share /= n > 0 ? n : 1;
	return share > TURN_STEPS ? share : TURN_STEPS;
}

/* The missions of one view in turn, until the steps are spent or nobody is left; how many were
 * spent. */
static uint64_t serve_view(struct vl_filing *filing, struct vl_txn *txn, size_t view, uint64_t most)
{
	struct vl_todo *todo = vl_fold_todo(filing->fold);
	struct vl_todo_queue *turn = &filing->turns[view];
	uint64_t before = vl_fold_steps(filing->fold), n = 0, size = size_of_turn(todo, view, most);

	while (vl_txn_err(txn) == VL_OK && vl_fold_steps(filing->fold) - before + n < most &&
	       (n++ == 0 || !vl_fold_late(filing->fold))) {
		if (!vl_todo_next_queue(todo, view, turn)) {
			turn->mission[0] = '\0';
			if (!vl_todo_next_queue(todo, view, turn))
				break;
		}
		serve_queue(filing, txn, turn, size);
	}
	return vl_fold_steps(filing->fold) - before;
}

void vl_filing_serve(struct vl_filing *filing, struct vl_txn *txn, enum vl_precedence least)
{
	struct vl_todo *todo = vl_fold_todo(filing->fold);
	size_t lanes[MOST_VIEWS], n = 0;
	uint64_t left = vl_fold_bounds(filing->fold)->drain;

	if (!todo->any)
		return;
	for (int precedence = 0; precedence <= (int)least; precedence++)
		for (size_t view = 0; vl_views[view] != NULL && n < MOST_VIEWS; view++) {
			struct vl_todo_queue first = {.mission = ""};
			if (vl_view_precedence(view) == (enum vl_precedence)precedence &&
			    vl_todo_next_queue(todo, view, &first))
				lanes[n++] = view;
		}
	for (size_t i = 0; i < n; i++) {
		uint64_t share = i + 1 < n ? left / 2 : left,
			 spent = serve_view(filing, txn, lanes[i], share);
		left -= spent < left ? spent : left;
	}
}

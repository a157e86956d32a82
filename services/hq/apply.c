#include "hq/apply.h"

#include "base/text.h"
#include "bus/chain.h"
#include "bus/types.h"
#include "hq/chains.h"
#include "hq/deadletter.h"
#include "hq/fold.h"
#include "hq/ledger.h"
#include "hq/parked.h"
#include "hq/pulse.h"
#include "hq/standing.h"
#include "hq/views.h"

#include <stdlib.h>
#include <string.h>

struct vl_applier {
	struct vl_store *store;
	struct vl_txn *txn;
	struct vl_fold *fold;
	struct vl_arena *arena;
	struct vl_buf packed, copy;
	struct vl_parked_bounds bounds;
	uint64_t events, total;
	vl_apply_moved *moved; /* may be NULL */
	void *context;
};

/* One good batch on its way in. */
struct arrival {
	const struct vl_record *record;
	const struct vl_batch *batch;
	const struct vl_digest *digest;
	const struct vl_fact *facts; /* NULL where they must be read here */
	char mission[VL_MISSION_MAX + 1];
	const char *lane;
	size_t view;
	struct vl_standing standing;
};

enum vl_err vl_applier_open(struct vl_store *store, struct vl_applier **opened)
{
	struct vl_applier *applier = calloc(1, sizeof(*applier));

	*opened = NULL;
	if (applier == NULL)
		return VL_ERR_NOMEM;
	applier->store = store;
	applier->bounds = VL_PARKED_BOUNDS;
	applier->fold = vl_fold_open();
	applier->arena = vl_arena_open(0);
	if (applier->fold == NULL || applier->arena == NULL) {
		vl_applier_close(applier);
		return VL_ERR_NOMEM;
	}
	*opened = applier;
	return VL_OK;
}

void vl_applier_close(struct vl_applier *applier)
{
	if (applier == NULL)
		return;
	vl_txn_abort(applier->txn);
	vl_fold_close(applier->fold);
	vl_arena_close(applier->arena);
	vl_buf_free(&applier->packed);
	vl_buf_free(&applier->copy);
	free(applier);
}

enum vl_err vl_apply_begin(struct vl_applier *applier, struct vl_why *why)
{
	applier->txn = vl_txn_begin(applier->store, true, why);
	if (applier->txn == NULL)
		return VL_ERR_NOMEM;
	applier->events = 0;
	vl_fold_begin(applier->fold, applier->txn);
	return VL_OK;
}

enum vl_err vl_apply_commit(struct vl_applier *applier, struct vl_why *why)
{
	struct vl_txn *txn = applier->txn;
	enum vl_err err = vl_fold_settle(applier->fold);

	applier->txn = NULL;
	if (err != VL_OK) {
		struct vl_why reason = {0};
		(void)vl_txn_explain(txn, &reason);
		vl_txn_abort(txn);
		return vl_fail(why, err, err == VL_ERR_CORRUPT ? "%.100s; " VL_LEDGER_REBUILD : "%.100s", reason.text);
	}
	err = vl_txn_commit(txn, why);
	if (err == VL_OK)
		applier->total += applier->events;
	return err;
}

void vl_apply_abort(struct vl_applier *applier)
{
	vl_txn_abort(applier->txn);
	applier->txn = NULL;
}

void vl_apply_watch(struct vl_applier *applier, vl_apply_moved *moved, void *context)
{
	applier->moved = moved;
	applier->context = context;
}

void vl_apply_bound(struct vl_applier *applier, const struct vl_parked_bounds *bounds)
{
	applier->bounds = *bounds;
}

uint64_t vl_apply_events(const struct vl_applier *applier)
{
	return applier->events;
}

uint64_t vl_apply_total(const struct vl_applier *applier)
{
	return applier->total;
}

/* -- offsets -- */

static void offset_key(struct vl_key *key, const char *topic, int32_t partition)
{
	vl_key_reset(key);
	vl_key_text(key, topic);
	vl_key_u32(key, (uint32_t)partition);
}

int64_t vl_apply_offset(struct vl_txn *txn, const char *topic, int32_t partition, struct vl_digest *last)
{
	struct vl_key key;
	struct vl_bytes value;

	offset_key(&key, topic, partition);
	bool found = vl_txn_get(txn, VL_DB_OFFSET, vl_key_done(&key), &value);
	found = found && value.size == 40;
	if (last != NULL)
		*last = (struct vl_digest){0};
	if (last != NULL && found)
		memcpy(last->bytes, value.data + 8, sizeof(last->bytes));
	return found ? (int64_t)vl_get_be64(value.data) : -1;
}

static void offset_put(struct vl_txn *txn, const char *topic, int32_t partition, int64_t next,
		       const struct vl_digest *digest)
{
	struct vl_key key;
	uint8_t value[40];

	vl_put_be64(value, (uint64_t)next);
	memcpy(value + 8, digest->bytes, sizeof(digest->bytes));
	offset_key(&key, topic, partition);
	vl_txn_put(txn, VL_DB_OFFSET, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

enum vl_err vl_apply_rewind(struct vl_applier *applier, const char *topic, int32_t partition, int64_t offset,
			    struct vl_why *why)
{
	static const struct vl_digest none;
	struct vl_txn *txn = vl_txn_begin(applier->store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	offset_put(txn, topic, partition, offset, &none);
	return vl_txn_commit(txn, why);
}

/* False where the record has been applied before. */
static bool take_offset(struct vl_applier *applier, const struct vl_record *record, const struct vl_digest *digest)
{
	char topic[256];

	if (record->topic.size >= sizeof(topic)) {
		vl_txn_fail(applier->txn, VL_ERR_BUG);
		return false;
	}
	memcpy(topic, record->topic.data, record->topic.size);
	topic[record->topic.size] = '\0';
	if (record->offset < vl_apply_offset(applier->txn, topic, record->partition, NULL))
		return false;
	offset_put(applier->txn, topic, record->partition, record->offset + 1, digest);
	return true;
}

/* -- chains -- */

/* Whether one of this sender's batches on this lane, archived or kept as evidence, has that digest. Only a new epoch asks. */
static bool digest_kept(struct vl_applier *applier, enum vl_ledger_db db, const struct arrival *a,
			const struct vl_digest *digest)
{
	struct vl_key from = {0};
	struct vl_bytes key, value;
	struct vl_digest kept;
	struct vl_cursor *cursor = vl_cursor_open(applier->txn, db);
	bool found = false;

	vl_key_text(&from, a->mission);
	vl_key_text(&from, a->lane);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &key, &value);
	     more && !found && vl_key_has_prefix(key, vl_key_done(&from)); more = vl_cursor_next(cursor, &key, &value))
		found = vl_record_digest(value, &kept) && vl_digest_equal(&kept, digest);
	vl_cursor_close(cursor);
	return found;
}

/* -- accepting -- */

/* Enter the events into the view; a batch with one that cannot be read goes to the dead letters too. */
static void add_events(struct vl_applier *applier, struct arrival *a)
{
	const struct vl_batch *batch = a->batch;
	bool buried = false;

	for (size_t i = 0; i < batch->n_events; i++) {
		struct vl_bytes event = batch->events[i];
		struct vl_place place = {
			.epoch = batch->head.epoch,
			.seq = batch->head.seq,
			.event = {batch->head.first_event.n + i},
			.offset = (uint32_t)(event.data - a->record->value.data),
			.size = (uint32_t)event.size,
		};
		enum vl_fold_outcome outcome;
		vl_fold_add_event(applier->fold, a->view, a->mission, &place, event,
				  a->facts != NULL ? &a->facts[i] : NULL, &outcome);
		a->standing.repeated += outcome == VL_FOLD_KNOWN;
		a->standing.unread += outcome == VL_FOLD_UNREAD;
		if (outcome == VL_FOLD_UNREAD && !buried) {
			struct vl_why why = {0};
			(void)vl_fail(&why, VL_ERR_UNKNOWN_TYPE, "event %zu of the batch cannot be read here", i + 1);
			vl_deadletter_bury(applier->txn, a->record, a->digest, VL_ERR_UNKNOWN_TYPE, &why);
			buried = true;
		}
	}
}

/* As it is stored; valid until the next. */
static struct vl_bytes pack(struct vl_applier *applier, const struct arrival *a)
{
	vl_buf_reset(&applier->packed);
	vl_record_pack(&applier->packed, a->record, a->digest);
	if (vl_buf_failed(&applier->packed))
		vl_txn_fail(applier->txn, VL_ERR_NOMEM);
	return vl_buf_bytes(&applier->packed);
}

static void accept(struct vl_applier *applier, struct arrival *a, struct vl_chain chain)
{
	const struct vl_batch_head *head = &a->batch->head;
	struct vl_key key;

	struct vl_bytes packed = pack(applier, a);
	vl_archive_key(&key, a->mission, a->lane, head->epoch, head->seq);
	vl_txn_put(applier->txn, VL_DB_ARCHIVE, vl_key_done(&key), packed);
	vl_chain_advance(&chain, a->batch, a->digest);
	vl_chains_put(applier->txn, a->mission, a->lane, &chain);
	a->standing.batches++;
	a->standing.events += a->batch->n_events;
	a->standing.epoch = head->epoch;
	a->standing.seq = head->seq;
	a->standing.next_event = chain.next_event;
	a->standing.applied_ms = a->record->timestamp_ms;
	a->standing.signed_at = head->signed_at;
	applier->events += a->batch->n_events;
	add_events(applier, a);
}

/* Keep a record as evidence under its place and digest; false where it is there already. */
static bool keep_evidence(struct vl_applier *applier, const struct arrival *a)
{
	struct vl_key key;

	vl_archive_key(&key, a->mission, a->lane, a->batch->head.epoch, a->batch->head.seq);
	vl_key_bytes(&key, a->digest->bytes, sizeof(a->digest->bytes));
	if (vl_txn_get(applier->txn, VL_DB_EVIDENCE, vl_key_done(&key), NULL))
		return false;
	vl_txn_put(applier->txn, VL_DB_EVIDENCE, vl_key_done(&key), pack(applier, a));
	return true;
}

/* Keep it as evidence, which suspends its epoch. True where it is new. */
static bool contradict(struct vl_applier *applier, struct arrival *a)
{
	bool new = keep_evidence(applier, a);

	a->standing.forks += new;
	a->standing.replayed += !new;
	return new;
}

static bool is_suspended(struct vl_applier *applier, const struct arrival *a, struct vl_epoch epoch)
{
	return a->standing.forks > 0 && epoch.n != 0 &&
	       vl_chains_suspended(applier->txn, a->mission, a->lane, epoch).n == epoch.n;
}

/* Its place is taken, by itself or by another; or no more of its epoch is taken. True where it is new evidence. */
static bool meet_known(struct vl_applier *applier, struct arrival *a)
{
	struct vl_key key;
	struct vl_bytes stored;
	struct vl_record kept;
	struct vl_digest digest;

	vl_archive_key(&key, a->mission, a->lane, a->batch->head.epoch, a->batch->head.seq);
	bool found = vl_txn_get(applier->txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored);
	bool damaged = found && vl_record_unpack(stored, &kept, &digest) != VL_OK;
	/* A copy that is damaged contradicts nobody. */
	if (!damaged && (!found || !vl_digest_equal(&digest, a->digest)))
		return contradict(applier, a);
	a->standing.replayed++;
	return false;
}

/* Where a batch of an epoch that was never seen stands. Sets *rollback where it begins without memory of the one before. */
static enum vl_chain_step check_new_epoch(struct vl_applier *applier, const struct arrival *a, struct vl_chain *chain,
					  bool *rollback)
{
	const struct vl_batch_head *head = &a->batch->head;
	struct vl_chain newest = vl_chains_newest(applier->txn, a->mission, a->lane);
	bool first = newest.epoch.n == 0 && newest.seq.n == 0;
	enum vl_chain_step step = vl_chain_check(&newest, a->batch);

	*chain = (struct vl_chain){.epoch = head->epoch, .next_event = {1}};
	if (step == VL_CHAIN_NEXT)
		return step;
	if (head->seq.n != 1 || head->first_event.n != 1)
		return head->seq.n == 1 ? VL_CHAIN_MISMATCH : VL_CHAIN_AHEAD;
	static const struct vl_digest none;
	*rollback =
		!first && (vl_digest_equal(&head->prev, &none) || digest_kept(applier, VL_DB_ARCHIVE, a, &head->prev) ||
			   (a->standing.forks > 0 && digest_kept(applier, VL_DB_EVIDENCE, a, &head->prev)));
	return *rollback ? VL_CHAIN_NEXT : VL_CHAIN_AHEAD;
}

static void park(struct vl_applier *applier, struct arrival *a)
{
	const struct vl_parked_place place = {a->mission, a->lane, a->batch->head.epoch, a->batch->head.seq};

	switch (vl_parked_put(applier->txn, &applier->bounds, &place, a->digest, a->standing.parked,
			      pack(applier, a))) {
	case VL_PARKED_KEPT:
		a->standing.parked++;
		break;
	case VL_PARKED_THERE:
		a->standing.replayed++;
		break;
	case VL_PARKED_FULL:
		a->standing.dropped++;
		break;
	}
}

/* True where the batch was applied or is evidence, so that what waited for it may follow, or waits for nothing any more. */
static bool place_batch(struct vl_applier *applier, struct arrival *a)
{
	struct vl_chain chain;
	bool rollback = false;

	if (is_suspended(applier, a, a->batch->head.epoch))
		return meet_known(applier, a);
	enum vl_chain_step step = vl_chains_get(applier->txn, a->mission, a->lane, a->batch->head.epoch, &chain)
					  ? vl_chain_check(&chain, a->batch)
					  : check_new_epoch(applier, a, &chain, &rollback);

	switch (step) {
	case VL_CHAIN_NEXT:
		a->standing.rollbacks += rollback;
		accept(applier, a, chain);
		return true;
	case VL_CHAIN_KNOWN:
		return meet_known(applier, a);
	case VL_CHAIN_MISMATCH:
		return contradict(applier, a);
	case VL_CHAIN_AHEAD:
		park(applier, a);
		break;
	}
	return false;
}

/* -- what waited behind a gap -- */

/* Take the parked record at `key` out and try to place it. Its bytes were verified before they were parked. */
static bool try_parked(struct vl_applier *applier, struct arrival *a, const struct vl_key *key, struct vl_bytes stored)
{
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;
	struct arrival next = *a;

	vl_buf_reset(&applier->copy);
	vl_buf_put(&applier->copy, stored.data, stored.size);
	vl_arena_reset(applier->arena);
	enum vl_err err = vl_buf_failed(&applier->copy)
				  ? VL_ERR_NOMEM
				  : vl_record_unpack(vl_buf_bytes(&applier->copy), &record, &digest);
	if (err == VL_OK)
		err = vl_batch_read(record.value, applier->arena, &batch, NULL);
	if (err != VL_OK) {
		vl_txn_fail(applier->txn, err == VL_ERR_NOMEM ? err : VL_ERR_CORRUPT);
		return false;
	}
	vl_parked_take(applier->txn, a->mission, a->lane, key, applier->copy.size);
	next.record = &record;
	next.batch = &batch;
	next.digest = &digest;
	next.facts = NULL;
	next.standing.parked--;
	bool placed = place_batch(applier, &next);
	a->standing = next.standing;
	return placed;
}

static void drain_parked(struct vl_applier *applier, struct arrival *a)
{
	struct vl_key key = {0};
	struct vl_bytes stored;

	while (a->standing.parked > 0 && vl_txn_err(applier->txn) == VL_OK &&
	       vl_parked_ready(applier->txn, a->mission, a->lane, &key, &stored)) {
		uint64_t before = a->standing.parked;
		bool placed = try_parked(applier, a, &key, stored);
		/* What still has to wait must not hold up what comes behind it; what was placed may let any other follow. */
		if (!placed && a->standing.parked >= before)
			vl_key_u8(&key, 0);
		else
			vl_key_reset(&key);
	}
}

/* What it brought along out of the parked ones may be of a later epoch. */
static void tell_moved(struct vl_applier *applier, const struct arrival *a, const struct vl_standing *before)
{
	const struct vl_standing *now = &a->standing;
	struct vl_epoch epoch = a->batch->head.epoch;

	if (applier->moved == NULL ||
	    now->batches + now->replayed + now->forks == before->batches + before->replayed + before->forks)
		return;
	applier->moved(applier->context, a->mission, a->lane, epoch);
	if (now->batches != before->batches && now->epoch.n != epoch.n)
		applier->moved(applier->context, a->mission, a->lane, now->epoch);
}

static void apply_batch(struct vl_applier *applier, const struct vl_record *record, const struct vl_verified *verified,
			const struct vl_fact *facts)
{
	const struct vl_batch_head *head = &verified->batch.head;
	struct arrival a = {.record = record, .batch = &verified->batch, .digest = &verified->digest, .facts = facts};
	int view = vl_view_of_lane((const char *)head->lane.data, head->lane.size);
	bool pulse = vl_bytes_are(head->lane, VL_PULSE_LANE);

	if ((view < 0 && !pulse) || head->mission.size > VL_MISSION_MAX) {
		vl_deadletter_bury(applier->txn, record, &verified->digest, VL_ERR_WRONG_LANE, NULL);
		return;
	}
	if (pulse) {
		vl_arena_reset(applier->arena);
		vl_pulse_apply(applier->txn, applier->arena, record, verified);
		return;
	}
	a.view = (size_t)view;
	a.lane = vl_views[view]->lane;
	memcpy(a.mission, head->mission.data, head->mission.size);
	a.standing = vl_standing_get(applier->txn, a.mission, a.lane);
	const struct vl_standing before = a.standing;
	if (place_batch(applier, &a))
		drain_parked(applier, &a);
	if (a.standing.dropped > 0 && vl_parked_settle(applier->txn, a.mission, a.lane))
		a.standing.dropped = 0;
	tell_moved(applier, &a, &before);
	vl_standing_put(applier->txn, a.mission, a.lane, &a.standing);
}

void vl_apply_record(struct vl_applier *applier, const struct vl_record *record, enum vl_err verdict,
		     const struct vl_verified *verified, const struct vl_fact *facts, const struct vl_why *reason)
{
	if (vl_err_class(verdict) == VL_CLASS_FATAL) {
		vl_txn_fail(applier->txn, verdict);
		return;
	}
	if (!take_offset(applier, record, &verified->digest))
		return;
	if (verdict != VL_OK)
		vl_deadletter_bury(applier->txn, record, &verified->digest, verdict, reason);
	else if (verified->domain == VL_DOMAIN_DRILL)
		vl_deadletter_bury(applier->txn, record, &verified->digest, VL_ERR_DRILL, NULL);
	else
		apply_batch(applier, record, verified, facts);
}

/*
 * Where a batch stands in its chain, and what it lets follow (apply_state.h).
 */
#include "base/text.h"
#include "bus/chain.h"
#include "hq/fold/views.h"
#include "hq/ingest/apply_state.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/deadletter.h"
#include "hq/ledger/evidence.h"
#include "hq/ledger/passed.h"

#include <string.h>

#define DRAIN_TURN 32 /* batches of one mission's lane before another's turn */

/* -- accepting -- */

static void add_events(struct vl_applier *applier, struct vl_arrival *a)
{
	const struct vl_filing_batch batch = {a->mission, a->lane,   a->view, a->record,
					      a->batch,   a->digest, a->facts};

	vl_filing_add(applier->filing, applier->txn, &batch, &a->standing);
}

/* When the other ledger applied it; 0 where it has not. */
static int64_t applied_before(struct vl_applier *applier, const struct vl_arrival *a,
			      const struct vl_key *key)
{
	struct vl_bytes stored;
	struct vl_record record;
	struct vl_digest digest;

	return applier->before != NULL &&
			       vl_txn_get(applier->before, VL_DB_ARCHIVE, vl_key_done(key),
					  &stored) &&
			       vl_record_unpack(stored, &record, &digest) == VL_OK &&
			       vl_digest_equal(&digest, a->digest)
		       ? record.applied_ms
		       : 0;
}

/* Of a batch out of an archive the time that stands there. */
static int64_t applied_at(struct vl_applier *applier, const struct vl_arrival *a,
			  const struct vl_key *key)
{
	int64_t before = a->record->applied_ms;

	if (before == 0)
		before = applied_before(applier, a, key);
	if (before != 0)
		return before;
	return applier->clock != NULL ? vl_time_ms(vl_clock_now(applier->clock))
				      : a->record->timestamp_ms;
}

/* As it is stored; valid until the next. */
static struct vl_bytes pack(struct vl_applier *applier, const struct vl_arrival *a,
			    int64_t applied_ms)
{
	vl_buf_reset(&applier->packed);
	vl_record_pack_applied(&applier->packed, a->record, a->digest, applied_ms);
	if (vl_buf_failed(&applier->packed))
		vl_txn_fail(applier->txn, VL_ERR_NOMEM);
	return vl_buf_bytes(&applier->packed);
}

/* An epoch may follow on its digest, and what waited for it need not. */
static void let_follow(struct vl_applier *applier, const struct vl_arrival *a)
{
	if (a->standing.parked == 0)
		return;
	vl_parked_advance(applier->txn, a->mission, a->lane, a->batch->head.epoch);
	vl_parked_release(applier->txn, a->mission, a->lane, a->digest);
}

static void accept(struct vl_applier *applier, struct vl_arrival *a, struct vl_chain chain)
{
	const struct vl_batch_head *head = &a->batch->head;
	struct vl_key key;

	vl_archive_key(&key, a->mission, a->lane, head->epoch, head->seq);
	struct vl_bytes packed = pack(applier, a, applied_at(applier, a, &key));
	vl_txn_put(applier->txn, VL_DB_ARCHIVE, vl_key_done(&key), packed);
	vl_chain_advance(&chain, a->batch, a->digest);
	vl_chains_put(applier->txn, a->mission, a->lane, &chain);
	vl_chains_remember(applier->txn, a->mission, a->lane, a->digest, head->epoch, head->seq);
	let_follow(applier, a);
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

/* Keep it as evidence, which suspends its epoch. True where it is new, or may be. */
static bool contradict(struct vl_applier *applier, struct vl_arrival *a)
{
	const struct vl_batch_head *head = &a->batch->head;
	struct vl_chain chain;
	bool known = vl_chains_get(applier->txn, a->mission, a->lane, head->epoch, &chain);
	enum vl_evidence_outcome outcome =
		vl_evidence_keep(applier->txn, a->mission, a->lane, head->epoch, head->seq,
				 a->digest, pack(applier, a, 0), known);

	a->standing.forks += outcome != VL_EVIDENCE_THERE;
	a->standing.replayed += outcome == VL_EVIDENCE_THERE && !a->again;
	if (outcome == VL_EVIDENCE_KEPT)
		vl_chains_remember(applier->txn, a->mission, a->lane, a->digest, head->epoch,
				   head->seq);
	if (outcome != VL_EVIDENCE_THERE)
		let_follow(applier, a);
	return outcome != VL_EVIDENCE_THERE;
}

static bool is_suspended(struct vl_applier *applier, const struct vl_arrival *a,
			 struct vl_epoch epoch)
{
	return a->standing.forks > 0 && epoch.n != 0 &&
	       vl_chains_suspended(applier->txn, a->mission, a->lane, epoch).n == epoch.n;
}

/* Its place is taken, by itself or by another; or no more of its epoch is taken. True where it
 * is new evidence. */
static bool meet_known(struct vl_applier *applier, struct vl_arrival *a)
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
	a->standing.replayed += !a->again;
	return false;
}

static bool begins_at_nothing(const struct vl_batch_head *head)
{
	static const struct vl_digest none;

	return head->seq.n == 1 && vl_digest_equal(&head->prev, &none);
}

/* Where a batch of an epoch that was never seen stands. Sets *rollback where it begins without
 * memory of the one before. */
static enum vl_chain_step check_new_epoch(struct vl_applier *applier, const struct vl_arrival *a,
					  struct vl_chain *chain, bool *rollback)
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
	*rollback =
		!first && (begins_at_nothing(head) ||
			   vl_chains_remembers(applier->txn, a->mission, a->lane, &head->prev) ||
			   vl_evidence_counted(applier->txn, a->mission, a->lane) > 0);
	return *rollback ? VL_CHAIN_NEXT : VL_CHAIN_AHEAD;
}

static struct vl_parked_place place_of(const struct vl_arrival *a)
{
	const struct vl_batch_head *head = &a->batch->head;

	return (struct vl_parked_place){a->mission, a->lane, head->epoch, head->seq, &head->prev};
}

static void park(struct vl_applier *applier, struct vl_arrival *a)
{
	const struct vl_batch_head *head = &a->batch->head;
	const struct vl_parked_place place = place_of(a);

	switch (vl_parked_put(applier->txn, &applier->bounds, &place, a->digest, a->standing.parked,
			      pack(applier, a, 0))) {
	case VL_PARKED_KEPT:
		a->standing.parked++;
		break;
	case VL_PARKED_THERE:
		a->standing.replayed += !a->again;
		break;
	case VL_PARKED_FULL:
		a->standing.dropped += !a->again;
		vl_passed_note(applier->txn, a->mission, a->lane, a->record, head);
		break;
	}
}

/* True where the batch was applied or is evidence, so that what waited for it may follow, or
 * waits for nothing any more. */
static bool place_batch(struct vl_applier *applier, struct vl_arrival *a)
{
	struct vl_chain chain;
	bool rollback = false;

	if (is_suspended(applier, a, a->batch->head.epoch))
		return meet_known(applier, a);
	enum vl_chain_step step =
		vl_chains_get(applier->txn, a->mission, a->lane, a->batch->head.epoch, &chain)
			? vl_chain_check(&chain, a->batch)
			: check_new_epoch(applier, a, &chain, &rollback);

	switch (step) {
	case VL_CHAIN_NEXT:
		if (rollback || begins_at_nothing(&a->batch->head))
			vl_evidence_forgot(applier->txn, a->mission, a->lane, a->batch->head.epoch);
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

/* Whoever watches is told of what moved. */
static bool place_and_tell(struct vl_applier *applier, struct vl_arrival *a)
{
	const struct vl_standing before = a->standing, *now = &a->standing;
	bool placed = place_batch(applier, a);

	if (applier->moved != NULL && now->batches + now->replayed + now->forks !=
					      before.batches + before.replayed + before.forks)
		applier->moved(applier->context, a->mission, a->lane, a->batch->head.epoch);
	return placed;
}

/* -- what waited -- */

/* Take the parked record at `key` out and try to place it. Its bytes were verified before they
 * were parked. */
static void try_parked(struct vl_applier *applier, struct vl_arrival *a, const struct vl_key *key,
		       struct vl_bytes stored)
{
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;
	struct vl_arrival next = *a;

	vl_buf_reset(&applier->copy);
	vl_buf_put(&applier->copy, stored.data, stored.size);
	vl_arena_reset(applier->arena);
	enum vl_err err =
		vl_buf_failed(&applier->copy)
			? VL_ERR_NOMEM
			: vl_record_unpack(vl_buf_bytes(&applier->copy), &record, &digest);
	if (err == VL_OK)
		err = vl_batch_read(record.value, applier->arena, &batch, NULL);
	if (err != VL_OK) {
		vl_txn_fail(applier->txn, err == VL_ERR_NOMEM ? err : VL_ERR_CORRUPT);
		return;
	}
	next.record = &record;
	next.batch = &batch;
	next.digest = &digest;
	next.facts = NULL;
	next.again = false;
	const struct vl_parked_place place = place_of(&next);
	vl_parked_take(applier->txn, &place, key, applier->copy.size);
	next.standing.parked--;
	(void)place_and_tell(applier, &next);
	a->standing = next.standing;
}

/* One of what is due, or the knowledge that it is not. */
static void take_due(struct vl_applier *applier, struct vl_arrival *a, const struct vl_due *due)
{
	struct vl_key key;
	struct vl_bytes stored;
	uint64_t before = a->standing.parked;

	if (!vl_parked_ready(applier->txn, due, &key, &stored)) {
		vl_parked_not_due(applier->txn, due);
		return;
	}
	applier->left.batches--;
	applier->left.bytes -=
		stored.size < applier->left.bytes ? stored.size : applier->left.bytes;
	try_parked(applier, a, &key, stored);
	/* It has to wait on. */
	if (a->standing.parked >= before)
		vl_parked_not_due(applier->txn, due);
}

static bool has_left(const struct vl_applier *applier)
{
	return applier->left.batches > 0 && applier->left.bytes > 0 &&
	       vl_txn_err(applier->txn) == VL_OK;
}

static void drain(struct vl_applier *applier, struct vl_arrival *a, uint64_t most)
{
	struct vl_due due;

	while (a->standing.parked > 0 && has_left(applier) && most-- > 0 &&
	       vl_parked_due(applier->txn, a->mission, a->lane, &due))
		take_due(applier, a, &due);
}

void vl_arrival_place(struct vl_applier *applier, struct vl_arrival *a)
{
	if (place_and_tell(applier, a))
		drain(applier, a, UINT64_MAX);
}

/* The next that is due and urgent enough; false where there is none. */
static bool next_due(struct vl_applier *applier, struct vl_due *due)
{
	struct vl_key first = {.size = 0};
	bool more = vl_parked_due_any(applier->txn, due);

	while (more && applier->least < VL_ROUTINE) {
		int view = vl_view_of_lane(due->lane, strlen(due->lane));
		if (view < 0 || vl_view_precedence((size_t)view) <= applier->least)
			break;
		/* Around once. */
		if (first.size == due->key.size &&
		    memcmp(first.bytes, due->key.bytes, first.size) == 0)
			return false;
		if (first.size == 0)
			first = due->key;
		more = vl_parked_due_any(applier->txn, due);
	}
	return more;
}

bool vl_arrival_due(struct vl_applier *applier)
{
	struct vl_due due = {.epoch = {0}};

	return next_due(applier, &due);
}

bool vl_apply_drain(struct vl_applier *applier)
{
	struct vl_due *due = &applier->due;
	bool more = next_due(applier, due);

	while (more && has_left(applier)) {
		struct vl_arrival a = {.view = 0};
		int view = vl_view_of_lane(due->lane, strlen(due->lane));
		if (view < 0 || strlen(due->mission) > VL_MISSION_MAX) {
			vl_parked_not_due(applier->txn, due);
		} else {
			a.view = (size_t)view;
			a.lane = vl_views[view]->lane;
			(void)stpcpy(a.mission, due->mission);
			a.standing = vl_standing_get(applier->txn, a.mission, a.lane);
			drain(applier, &a, DRAIN_TURN);
			if (a.standing.parked == 0)
				vl_parked_not_due(applier->txn, due);
			if (a.standing.dropped > 0 &&
			    vl_parked_settle(applier->txn, a.mission, a.lane))
				a.standing.dropped = 0;
			vl_standing_put(applier->txn, a.mission, a.lane, &a.standing);
		}
		more = next_due(applier, due);
	}
	return more && vl_txn_err(applier->txn) == VL_OK;
}

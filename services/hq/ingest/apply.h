/*
 * Apply: the one writer of headquarters' ledger.
 *
 * Each sender's records come in the order of their partition, already judged (bus/record.h). A
 * good batch that follows its chain goes into the archive and its events into the views; one
 * that comes again is dropped and counted; one that comes too early is parked until what is
 * missing has come, within bounds (parked.h), and beyond them read again later (passed.h); one
 * that contradicts the chain is kept as evidence. What is not authentic or cannot be read goes
 * to the dead letters. All of it, with the offset it came from, is one transaction: after a
 * crash the same records come again and change nothing.
 *
 * A chain is kept for each (mission, lane, epoch). An epoch that begins without the digest of
 * the one before (a lost or restored outbox) is applied all the same, since its events are
 * authentic, and the standing says `rollback`.
 *
 * A fork, two signed batches for one place, suspends its epoch for ever: what came first up to
 * then stays applied, all that comes later of that epoch, of whichever branch, is kept as
 * evidence, and the standing says `fork`. Other epochs and lanes go on. The receipt says so, and
 * the mission puts what was not applied into a new epoch (services/agent/outbox/outbox.h).
 * Pulses are another matter: pulse.h.
 */
#ifndef VALISE_HQ_INGEST_APPLY_H
#define VALISE_HQ_INGEST_APPLY_H

#include "base/clock.h"
#include "bus/record.h"
#include "bus/types.h"
#include "hq/fold/fold.h"
#include "hq/fold/view.h"
#include "hq/ingest/marks.h"
#include "hq/ledger/parked.h"
#include "store/store.h"

struct vl_applier;

/* The store stays the caller's and must outlive the applier. */
enum vl_err vl_applier_open(struct vl_store *store, struct vl_applier **applier) VL_CHECKED;
void vl_applier_close(struct vl_applier *applier);

/* Begin a transaction; then any number of records; then commit or abort. */
enum vl_err vl_apply_begin(struct vl_applier *applier, struct vl_why *why) VL_CHECKED;

/* Apply one record on which vl_record_verify gave `verdict` and `verified`; `reason` are its
 * words. `facts`, which may be NULL, are those of the batch (verify.h) and, like the record,
 * live until commit or abort. A record below the partition's offset is passed over. An error of
 * the store sticks until commit. */
void vl_apply_record(struct vl_applier *applier, const struct vl_record *record,
		     enum vl_err verdict, const struct vl_verified *verified,
		     const struct vl_fact *facts, const struct vl_why *reason);

/* The same where its partition is to be read on at `mark`, as others of it wait, or were taken,
 * that came before or behind it. */
void vl_apply_in_turn(struct vl_applier *applier, const struct vl_record *record,
		      const struct vl_mark *mark, enum vl_err verdict,
		      const struct vl_verified *verified, const struct vl_fact *facts,
		      const struct vl_why *reason);

/* The same for a record that was passed over and is read once more (passed.h): the partition's
 * offset stays, and only what is still wanted is taken. */
void vl_apply_again(struct vl_applier *applier, const struct vl_record *record, enum vl_err verdict,
		    const struct vl_verified *verified, const struct vl_fact *facts);

/* The same for a batch that another ledger has kept. */
void vl_apply_kept(struct vl_applier *applier, const struct vl_record *record,
		   const struct vl_verified *verified);

/* The most that one transaction takes out of what waited behind gaps. */
struct vl_drain {
	uint64_t batches, bytes;
};

#define VL_DRAIN ((struct vl_drain){256, (uint64_t)1 << 19})

/* Go on with what waited and is due, lane by lane in turns, as far as this transaction may. True
 * where more is left for the next: the ledger knows what. */
bool vl_apply_drain(struct vl_applier *applier);

/* Whether anything was due when the last transaction ended: then the next need not wait for
 * records. */
bool vl_apply_waits(const struct vl_applier *applier);

/* Fold what changed, as far as one transaction goes, and commit. Any error but FULL means the
 * process must stop (store.h); after FULL nothing of the transaction has happened. */
enum vl_err vl_apply_commit(struct vl_applier *applier, struct vl_why *why) VL_CHECKED;
void vl_apply_abort(struct vl_applier *applier);

/* Be told, within the transaction, of each (mission, lane, epoch) that was applied further, was
 * sent again what is applied, or was sent evidence. The names are valid during the call. */
typedef void vl_apply_moved(void *context, const char *mission, const char *lane,
			    struct vl_epoch epoch);
void vl_apply_watch(struct vl_applier *applier, vl_apply_moved *moved, void *context);

/* Between transactions: Kafka no longer has the next record of a partition, and `offset` is
 * where it will be read on. What was read before may come again and is known by its place in the
 * chain; what is missing is a gap that the senders fill. */
enum vl_err vl_apply_rewind(struct vl_applier *applier, const char *topic, int32_t partition,
			    int64_t offset, struct vl_why *why) VL_CHECKED;

/* Look at so many more entries of the ledger, round and round (look.h), between transactions.
 * What is damaged of the views is made whole again from then on (renewal.h); CORRUPT where
 * anything else is, which vl_ledger_mend makes again. *round: all was looked at once. */
enum vl_err vl_apply_look(struct vl_applier *applier, uint64_t entries, bool *round,
			  struct vl_why *why) VL_CHECKED;

/* The bounds of what may wait behind gaps; VL_PARKED_BOUNDS until then. */
void vl_apply_bound(struct vl_applier *applier, const struct vl_parked_bounds *bounds);

/* Leave what waits, or is still to be done, for lanes less urgent than `least` as it is: there
 * is no room for it (reserve.h). */
void vl_apply_only(struct vl_applier *applier, enum vl_precedence least);

/* The archive keeps when each batch was applied: by this clock from now on, and until then by the
 * broker's time. A batch that `before`, another ledger (may be NULL), has applied keeps the time at
 * which that did. Both must outlive the applier, or be taken back. */
void vl_apply_time(struct vl_applier *applier, const struct vl_clock *clock, struct vl_txn *before);

/* Events applied in this transaction so far, and since open. */
uint64_t vl_apply_events(const struct vl_applier *applier);
uint64_t vl_apply_total(const struct vl_applier *applier);

/* Steps of this transaction so far, or of the last one (fold.h): what it has cost, and what
 * folding will cost at least. */
uint64_t vl_apply_steps(const struct vl_applier *applier);

/* What is still to be done for batches that were accepted, as of the last commit (todo.h): where
 * it is not 0, begin and commit again, with or without records. The bounds of one transaction:
 * VL_FOLD_BOUNDS until then. */
uint64_t vl_apply_left(const struct vl_applier *applier);
void vl_apply_bound_steps(struct vl_applier *applier, const struct vl_fold_bounds *bounds);

/* How long the transaction at hand may take; from now on, and until the next begin. */
void vl_apply_pace(struct vl_applier *applier, const struct vl_fold_pace *pace);

/* The next offset of a partition; -1 where it was never read. `last`, which may be NULL, is set
 * to the digest of the record before it, all zero where that is not known. */
int64_t vl_apply_offset(struct vl_txn *txn, const char *topic, int32_t partition,
			struct vl_digest *last);

#endif

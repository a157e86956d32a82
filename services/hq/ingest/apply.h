/*
 * Apply: the one writer of headquarters' ledger.
 *
 * Each sender's records come in the order of their partition, already judged (bus/record.h). A good
 * batch that follows its chain goes into the archive, and its events into the views. A batch that
 * comes again is dropped and counted. A batch that comes too early is parked until the missing ones
 * have come, within bounds (parked.h); beyond them it is read again later (passed.h). A batch that
 * contradicts the chain is kept as evidence. A record that is not authentic, or cannot be read,
 * goes to the dead letters. All of it, with its offset, is one transaction: after a crash the same
 * records come again and change nothing.
 *
 * A chain is kept for each (mission, lane, epoch). An epoch may begin without the digest of the
 * previous one, after a lost or restored outbox. It is applied all the same, since its events are
 * authentic. The standing then says `rollback`.
 *
 * A fork, two signed batches with one number, suspends its epoch for ever. Batches that came before
 * it stay applied. All later ones of that epoch, of any branch, are kept as evidence, and the
 * standing says `fork`. Other epochs and lanes go on. The receipt says so, and the mission puts the
 * events that were not applied into a new epoch (services/agent/outbox/outbox.h). Pulses have rules
 * of their own: pulse.h.
 *
 * Next: apply_state.h, its parts.
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
 * live until commit or abort. A record below the partition's offset is skipped. An error of the
 * store sticks until commit. */
void vl_apply_record(struct vl_applier *applier, const struct vl_record *record,
		     enum vl_err verdict, const struct vl_verified *verified,
		     const struct vl_fact *facts, const struct vl_why *reason);

/* The same if its partition is to be read on at `mark`, since other records of it, before or
 * behind, wait or were taken. */
void vl_apply_in_turn(struct vl_applier *applier, const struct vl_record *record,
		      const struct vl_mark *mark, enum vl_err verdict,
		      const struct vl_verified *verified, const struct vl_fact *facts,
		      const struct vl_why *reason);

/* Note that records were put off before they were judged (verify.h). They are this one, and all
 * with its key from it on to before `to` in its partition. They are read again. */
void vl_apply_put_off(struct vl_applier *applier, const struct vl_record *record, int64_t to,
		      const struct vl_mark *mark);

/* The same for a passed record that is read again (passed.h): the partition's offset stays, and
 * only a record that is still needed is taken. A record that was put off is judged only now. */
void vl_apply_again(struct vl_applier *applier, const struct vl_record *record, enum vl_err verdict,
		    const struct vl_verified *verified, const struct vl_fact *facts,
		    const struct vl_why *reason);

/* The same for a batch that another ledger has kept. */
void vl_apply_kept(struct vl_applier *applier, const struct vl_record *record,
		   const struct vl_verified *verified);

/* The most parked batches that one transaction takes out. */
struct vl_drain {
	uint64_t batches, bytes;
};

#define VL_DRAIN ((struct vl_drain){256, (uint64_t)1 << 19})

/* Go on with the parked batches that are due, lane by lane in turns, as far as this transaction
 * allows. True if more are left for the next; the ledger knows them. */
bool vl_apply_drain(struct vl_applier *applier);

/* Whether an epoch was due when the last transaction ended: then the next need not wait for
 * records. */
bool vl_apply_waits(const struct vl_applier *applier);

/* Fold the changed entities, as far as one transaction allows, and commit. After any error but
 * FULL the process must stop (store.h). After FULL nothing of the transaction has happened. */
enum vl_err vl_apply_commit(struct vl_applier *applier, struct vl_why *why) VL_CHECKED;
void vl_apply_abort(struct vl_applier *applier);

/* Call `moved`, within the transaction, for each (mission, lane, epoch) of which more was
 * applied, an applied batch came again, or evidence came. The names are valid during the call. */
typedef void vl_apply_moved(void *context, const char *mission, const char *lane,
			    struct vl_epoch epoch);
void vl_apply_watch(struct vl_applier *applier, vl_apply_moved *moved, void *context);

/* Between transactions: Kafka no longer has the next record of a partition, which will be read
 * on at `offset`. Records that were read before may come again and are known by their number in
 * the chain. Missing ones are a gap that the senders fill. */
enum vl_err vl_apply_rewind(struct vl_applier *applier, const char *topic, int32_t partition,
			    int64_t offset, struct vl_why *why) VL_CHECKED;

/* Check so many more entries of the ledger, round and round (look.h), between transactions.
 * Damaged views are made whole again from then on (renewal.h). CORRUPT if other databases are
 * damaged; vl_ledger_mend makes those again. *round: all was checked once. */
enum vl_err vl_apply_look(struct vl_applier *applier, uint64_t entries, bool *round,
			  struct vl_why *why) VL_CHECKED;

/* Set other bounds of parked batches than VL_PARKED_BOUNDS. */
void vl_apply_bound(struct vl_applier *applier, const struct vl_parked_bounds *bounds);

/* Leave waiting batches and work for lanes less urgent than `least` as they are: there is no
 * room for them (reserve.h). */
void vl_apply_only(struct vl_applier *applier, enum vl_precedence least);

/* The archive keeps when each batch was applied: by this clock from now on, and until then by
 * the broker's time. If `before`, another ledger (may be NULL), has applied a batch, its time is
 * kept. Both must outlive the applier, or be taken back. */
void vl_apply_time(struct vl_applier *applier, const struct vl_clock *clock, struct vl_txn *before);

/* Events applied in this transaction so far, and since open. */
uint64_t vl_apply_events(const struct vl_applier *applier);
uint64_t vl_apply_total(const struct vl_applier *applier);

/* Steps of this transaction so far, or of the last one (fold.h): those that were used, and the
 * least that folding will use. */
uint64_t vl_apply_steps(const struct vl_applier *applier);

/* The work left for accepted batches, as of the last commit (todo.h): if it is not 0, begin and
 * commit again, with or without records. And other bounds of one transaction than
 * VL_FOLD_BOUNDS. */
uint64_t vl_apply_left(const struct vl_applier *applier);
void vl_apply_bound_steps(struct vl_applier *applier, const struct vl_fold_bounds *bounds);

/* How long the open transaction may take; from now on, and until the next begin. */
void vl_apply_pace(struct vl_applier *applier, const struct vl_fold_pace *pace);

/* The next offset of a partition; -1 if it was never read. `last`, which may be NULL, is set to
 * the digest of the previous record, all zero if it is unknown. */
int64_t vl_apply_offset(struct vl_txn *txn, const char *topic, int32_t partition,
			struct vl_digest *last);

#endif

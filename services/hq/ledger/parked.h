/*
 * Parked batches: those that wait behind a gap, within bounds; and the gap itself.
 *
 * A batch beyond the bounds is not kept. It is read again from its place in Kafka (passed.h), and
 * its mission keeps it until the receipt. The furthest such batch is remembered, so that they count
 * as missing until the chain has come that far: none is ever skipped. One mission's flood fills its
 * own bounds and no other's. All together cannot fill the disk.
 *
 * A parked batch is found by what it waits for. For an epoch that is its chain's next number, for
 * an epoch's first batch the digest that it follows on. Each applied batch marks the epochs that
 * may go on as due. They are taken in turns, over as many transactions as needed.
 *
 * Next: passed.h, batches that had no room there.
 */
#ifndef VALISE_HQ_LEDGER_PARKED_H
#define VALISE_HQ_LEDGER_PARKED_H

#include "hq/ledger/ledger.h"

/* The most that may wait: batches and bytes of one (mission, lane), and bytes of all together.
 * All lanes of one mission may have twice the bytes of one lane. */
#define VL_PARKED_LANES 2
struct vl_parked_bounds {
	uint64_t batches, bytes, all;
};

#define VL_PARKED_BOUNDS ((struct vl_parked_bounds){1000, (uint64_t)64 << 20, (uint64_t)1 << 30})

/* The batch's sender, its number, and the digest that it follows on. */
struct vl_parked_place {
	const char *mission, *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
	const struct vl_digest *prev;
};

enum vl_parked_outcome {
	VL_PARKED_KEPT,
	VL_PARKED_THERE, /* it waits already */
	VL_PARKED_FULL,  /* it would be beyond the bounds; its number is remembered */
};

/* Keep a packed record (ledger.h). `waiting` is how many wait there already. */
enum vl_parked_outcome vl_parked_put(struct vl_txn *txn, const struct vl_parked_bounds *bounds,
				     const struct vl_parked_place *place,
				     const struct vl_digest *digest, uint64_t waiting,
				     struct vl_bytes packed);

/* A newly applied batch of an epoch, or a newly remembered digest, may let others follow: they
 * are due. */
void vl_parked_advance(struct vl_txn *txn, const char *mission, const char *lane,
		       struct vl_epoch epoch);
void vl_parked_release(struct vl_txn *txn, const char *mission, const char *lane,
		       const struct vl_digest *digest);

/* An epoch that is due. The names are in `key`. */
struct vl_due {
	struct vl_key key;
	const char *mission, *lane;
	struct vl_epoch epoch;
};

/* The first due epoch of (mission, lane). Without them it is the first behind the lane of `due`,
 * around the end to the first again, if `due` was set before. False if none is due. */
bool vl_parked_due(struct vl_txn *txn, const char *mission, const char *lane, struct vl_due *due);
bool vl_parked_due_any(struct vl_txn *txn, struct vl_due *due);
void vl_parked_not_due(struct vl_txn *txn, const struct vl_due *due);

/* The first parked batch of an epoch, if it may follow now. It is the next of a known chain, the
 * first of an epoch, or any of a suspended one. `stored` is valid until the next write. */
bool vl_parked_ready(struct vl_txn *txn, const struct vl_due *due, struct vl_key *found,
		     struct vl_bytes *stored);

/* Note again what a parked batch waits for, and mark its epoch as due. */
void vl_parked_wait(struct vl_txn *txn, const struct vl_parked_place *place);

/* Remove the one at `key`, of `size` bytes as stored. */
void vl_parked_take(struct vl_txn *txn, const struct vl_parked_place *place,
		    const struct vl_key *key, size_t size);

/* Count anew after a row was damaged: first that nothing waits anywhere, then for each lane its
 * bytes. */
void vl_parked_recount_none(struct vl_txn *txn);
void vl_parked_recount(struct vl_txn *txn, const char *mission, const char *lane, uint64_t bytes);

/* Forget batches that were not kept, when the newest chain has come that far. True if none of
 * them is missing any more. */
bool vl_parked_settle(struct vl_txn *txn, const char *mission, const char *lane);

/* Missing batches. `to` 0: and all that follow on the lane. Epoch 0 if none has come yet: from
 * the very first on. */
struct vl_gap {
	struct vl_epoch epoch;
	struct vl_seq from, to;
};

/* The gap of (mission, lane) as of this transaction; false if nothing is missing. If there are
 * several, it is that of the newest epoch, since an older one may never close. */
bool vl_parked_gap(struct vl_txn *txn, const char *mission, const char *lane, struct vl_gap *gap);

/* Call `each` for every (mission, lane) with a gap, by mission and lane. The names are valid
 * during the call. */
void vl_parked_each_gap(struct vl_txn *txn,
			void (*each)(void *context, const char *mission, const char *lane,
				     const struct vl_gap *gap),
			void *context);

#endif

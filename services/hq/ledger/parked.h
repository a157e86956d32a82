/*
 * What waits behind a gap: batches that came before the ones they follow, so many at most; and
 * what is missing.
 *
 * A batch beyond the bounds is not kept: it is read again from where it lies (passed.h), and its
 * mission keeps it until the receipt. The furthest place of those is remembered, so that they
 * are missed until the chain has come that far: nothing is ever skipped. One mission's flood
 * fills its own bounds and no other's; all together cannot fill the disk.
 *
 * What waits is found by what it waits for: an epoch by the next place of its chain, its first
 * batch by the digest it follows on. Whatever is applied names the epochs that may go on as due;
 * they are taken in turns, over as many transactions as it takes.
 */
#ifndef VALISE_HQ_LEDGER_PARKED_H
#define VALISE_HQ_LEDGER_PARKED_H

#include "hq/ledger/ledger.h"

/* The most that may wait: batches and bytes of one (mission, lane), and bytes of all together.
 * One mission may have twice the bytes of a lane on all its lanes. */
#define VL_PARKED_LANES 2
struct vl_parked_bounds {
	uint64_t batches, bytes, all;
};

#define VL_PARKED_BOUNDS ((struct vl_parked_bounds){1000, (uint64_t)64 << 20, (uint64_t)1 << 30})

/* Whose batch, its place, and what it follows on. */
struct vl_parked_place {
	const char *mission, *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
	const struct vl_digest *prev;
};

enum vl_parked_outcome {
	VL_PARKED_KEPT,
	VL_PARKED_THERE, /* it waits already */
	VL_PARKED_FULL,  /* it would be beyond the bounds; its place is remembered */
};

/* Keep a record, packed (ledger.h), at its place. `waiting` is how many wait there already. */
enum vl_parked_outcome vl_parked_put(struct vl_txn *txn, const struct vl_parked_bounds *bounds,
				     const struct vl_parked_place *place,
				     const struct vl_digest *digest, uint64_t waiting,
				     struct vl_bytes packed);

/* What is applied of an epoch, or a digest that is remembered from now on, may let others
 * follow: they are due. */
void vl_parked_advance(struct vl_txn *txn, const char *mission, const char *lane,
		       struct vl_epoch epoch);
void vl_parked_release(struct vl_txn *txn, const char *mission, const char *lane,
		       const struct vl_digest *digest);

/* Something that is due. The names are in `key`. */
struct vl_due {
	struct vl_key key;
	const char *mission, *lane;
	struct vl_epoch epoch;
};

/* The first that is due of (mission, lane); or, without them, the first behind the lane of
 * `due`, around the end to the first again, where that was set before. False where nothing is. */
bool vl_parked_due(struct vl_txn *txn, const char *mission, const char *lane, struct vl_due *due);
bool vl_parked_due_any(struct vl_txn *txn, struct vl_due *due);
void vl_parked_not_due(struct vl_txn *txn, const struct vl_due *due);

/* The first parked batch of an epoch, where it may follow now: the next of a known chain, the
 * first of an epoch, any of a suspended one. `stored` is valid until the next write. */
bool vl_parked_ready(struct vl_txn *txn, const struct vl_due *due, struct vl_key *found,
		     struct vl_bytes *stored);

/* What a parked batch waits for, noted again, and its epoch as due. */
void vl_parked_wait(struct vl_txn *txn, const struct vl_parked_place *place);

/* Take out the one at `key`, of `size` bytes as stored. */
void vl_parked_take(struct vl_txn *txn, const struct vl_parked_place *place,
		    const struct vl_key *key, size_t size);

/* Count anew after a row was damaged: nothing waits anywhere; then, lane by lane, that so many
 * bytes do. */
void vl_parked_recount_none(struct vl_txn *txn);
void vl_parked_recount(struct vl_txn *txn, const char *mission, const char *lane, uint64_t bytes);

/* Forget what was not kept once the newest chain has come that far. True where nothing of it is
 * missing any more. */
bool vl_parked_settle(struct vl_txn *txn, const char *mission, const char *lane);

/* What is missing. `to` 0: and all that follows on the lane. Epoch 0 where nothing has come yet:
 * from the very first on. */
struct vl_gap {
	struct vl_epoch epoch;
	struct vl_seq from, to;
};

/* The gap that stands on (mission, lane) as of this transaction; false where nothing is missing.
 * Where there are several it is that of the newest epoch, since an older one may never close. */
bool vl_parked_gap(struct vl_txn *txn, const char *mission, const char *lane, struct vl_gap *gap);

/* Call `each` for every (mission, lane) with a gap, by mission and lane. The names are valid
 * during the call. */
void vl_parked_each_gap(struct vl_txn *txn,
			void (*each)(void *context, const char *mission, const char *lane,
				     const struct vl_gap *gap),
			void *context);

#endif

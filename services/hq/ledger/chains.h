/*
 * The ledger's chains: how far each sender is on each lane, epoch by epoch.
 *
 * Next: standing.h, the state of each lane.
 */
#ifndef VALISE_HQ_LEDGER_CHAINS_H
#define VALISE_HQ_LEDGER_CHAINS_H

#include "bus/chain.h"
#include "store/store.h"

/* The chain of one epoch; false if there is none. */
bool vl_chains_get(struct vl_txn *txn, const char *mission, const char *lane, struct vl_epoch epoch,
		   struct vl_chain *chain);
void vl_chains_put(struct vl_txn *txn, const char *mission, const char *lane,
		   const struct vl_chain *chain);

/* The chain of the latest epoch; all zero if there is none. */
struct vl_chain vl_chains_newest(struct vl_txn *txn, const char *mission, const char *lane);

/* A row of the chains, as a cursor shows it. False if the key is not one. */
bool vl_chains_read_key(struct vl_bytes key, const char **mission, const char **lane,
			struct vl_epoch *epoch);
struct vl_chain vl_chains_read(struct vl_bytes value, struct vl_epoch epoch);

/* Remember the digest of a batch that was archived or kept as evidence. And whether one of this
 * sender's batches on this lane has that digest: then an epoch may follow on it. */
void vl_chains_remember(struct vl_txn *txn, const char *mission, const char *lane,
			const struct vl_digest *digest, struct vl_epoch epoch, struct vl_seq seq);
bool vl_chains_remembers(struct vl_txn *txn, const char *mission, const char *lane,
			 const struct vl_digest *digest);

/* The newest suspended epoch of (mission, lane) up to this one, 0 if there is none. An epoch is
 * suspended for ever once there is evidence of it: a signed batch that contradicts its chain. */
struct vl_epoch vl_chains_suspended(struct vl_txn *txn, const char *mission, const char *lane,
				    struct vl_epoch up_to);

#endif

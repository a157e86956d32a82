/*
 * The part of mending that counts from the archive.
 *
 * Next: check.h, a check of the whole ledger.
 */
#ifndef VALISE_HQ_REPAIR_MEND_COUNT_H
#define VALISE_HQ_REPAIR_MEND_COUNT_H

#include "hq/ledger/ledger.h"

/* Make the chain of each epoch in the archive that has none. If its newest batches are damaged,
 * the lane's offsets are forgotten, so that Kafka is read again for them. Errors stick in the
 * transaction, here and below. */
void vl_mend_chains(struct vl_txn *txn);

/* Find the epochs in the archive that began without knowing of the previous one. */
void vl_mend_beginnings(struct vl_txn *txn);

/* Count the waiting bytes, of each lane and in all. */
void vl_mend_waiting(struct vl_txn *txn);

/* Make the standing of each lane that has none, and count the waiting batches of all. */
void vl_mend_standings(struct vl_txn *txn);

/* Whether a key of mission, lane, epoch and more names an epoch that has a chain. */
bool vl_mend_is_known(struct vl_txn *txn, struct vl_bytes key);

#endif

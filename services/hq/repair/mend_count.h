/*
 * What mend.c makes again from the archive.
 */
#ifndef VALISE_HQ_REPAIR_MEND_COUNT_H
#define VALISE_HQ_REPAIR_MEND_COUNT_H

#include "hq/ledger/ledger.h"

/* The chain of each epoch in the archive that has none. Where its newest batches are damaged the
 * lane's offsets are forgotten, so that Kafka is read again for them. Errors stick in the
 * transaction, here and below. */
void vl_mend_chains(struct vl_txn *txn);

/* Which epochs in the archive began without knowing of the one before. */
void vl_mend_beginnings(struct vl_txn *txn);

/* How much waits, of each lane and in all. */
void vl_mend_waiting(struct vl_txn *txn);

/* The standing of each lane that has none, and of all how many batches wait. */
void vl_mend_standings(struct vl_txn *txn);

/* Whether a key of mission, lane, epoch and more names an epoch that has a chain. */
bool vl_mend_is_known(struct vl_txn *txn, struct vl_bytes key);

#endif

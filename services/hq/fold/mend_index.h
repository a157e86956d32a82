/*
 * What is looked up by, made again from what it is of (mend.h).
 */
#ifndef VALISE_HQ_FOLD_MEND_INDEX_H
#define VALISE_HQ_FOLD_MEND_INDEX_H

#include "hq/ledger/ledger.h"

/* What each parked batch waits for. All of them are due: what has to wait on is found to. Errors
 * stick in the transaction, here and below. */
void vl_mend_waits(struct vl_txn *txn);

/* The digests of all that is archived or evidence. */
void vl_mend_digests(struct vl_txn *txn);

#endif

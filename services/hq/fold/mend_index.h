/*
 * Indexes made again from the data that they index (mend.h).
 *
 * Next: digest.h, comparing views.
 */
#ifndef VALISE_HQ_FOLD_MEND_INDEX_H
#define VALISE_HQ_FOLD_MEND_INDEX_H

#include "hq/ledger/ledger.h"

/* Note again what each parked batch waits for. All of them are due; those that still have to
 * wait are found then. Errors stick in the transaction, here and below. */
void vl_mend_waits(struct vl_txn *txn);

/* Note again the digests of all archived batches and of the evidence. */
void vl_mend_digests(struct vl_txn *txn);

#endif

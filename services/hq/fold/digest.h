/*
 * The digest of a view: of its facts, and not of when headquarters received them.
 *
 * BLAKE2b-256 over every entry of the lane's row, tally and history databases in key order, each as
 * length and bytes. Two headquarters that have applied the same batches, in any order, have the
 * same digest.
 *
 * Next: views.h, all views.
 */
#ifndef VALISE_HQ_FOLD_DIGEST_H
#define VALISE_HQ_FOLD_DIGEST_H

#include "bus/batch.h"
#include "store/store.h"

/* The digest of view `view` (an index into vl_views) as `txn` sees it. */
enum vl_err vl_view_digest(struct vl_txn *txn, size_t view, struct vl_digest *digest) VL_CHECKED;

#endif

/*
 * Versions: the declaration by which the rows in the ledger were made.
 *
 * The ledger keeps, in `meta`, a version for each lane (hq/fold/bind.h: the tables, the known types
 * of event, the view's own C, the engine). If a writing program declares a lane otherwise, the view
 * of that lane is made again in place. All other work goes on meanwhile (renewal.h). The archive's
 * events are routed anew, so that an event of a formerly unknown type enters the view too. Events
 * that are routed elsewhere now are removed. Each row is folded again, and each sum counted again.
 * Until that is done `valise view ls` shows it, and `valise view digest` waits.
 *
 * If the set of lanes differs, all views are made again. The list of work left, which names lanes
 * by their number, is deleted.
 *
 * Next: renewal.h, making a view whole again.
 */
#ifndef VALISE_HQ_FOLD_VERSION_H
#define VALISE_HQ_FOLD_VERSION_H

#include "hq/ledger/ledger.h"

/* Compare, begin the necessary work, and note the versions. The log names each lane that is made
 * again. `store` is open for writing, and no other transaction is open. */
enum vl_err vl_versions_follow(struct vl_store *store, struct vl_why *why) VL_CHECKED;

/* This program has made the whole view of the lane. If memory ends, the transaction fails. */
void vl_version_note(struct vl_txn *txn, size_t view);

#endif

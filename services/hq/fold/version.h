/*
 * Versions: by what declaration the rows in the ledger were made.
 *
 * The ledger keeps, in `meta`, a version for each lane (hq/fold/bind.h: the tables, the types of
 * event that are known, the view's own C, the engine). Where a program that writes declares a
 * lane otherwise, the view of that lane is made again in place, while all else goes on
 * (renewal.h): what the archive has is routed anew, so that an event of a type that was not
 * known comes into the view, too; what is routed elsewhere now is taken out; each row is folded
 * again, and each sum counted again. Until that is done `valise view ls` shows it, and `valise
 * view digest` waits.
 *
 * Where there are other lanes than before, the list of what is still to be done, which names
 * lanes by their number, is forgotten, and all views are made again.
 */
#ifndef VALISE_HQ_FOLD_VERSION_H
#define VALISE_HQ_FOLD_VERSION_H

#include "hq/ledger/ledger.h"

/* Compare, begin what is needed, and note the versions; each lane that is made again is said in the
 * log. `store` is open for writing, and nobody's transaction runs. */
enum vl_err vl_versions_follow(struct vl_store *store, struct vl_why *why) VL_CHECKED;

/* The view of the lane was made by this program, all of it. Out of memory fails the transaction. */
void vl_version_note(struct vl_txn *txn, size_t view);

#endif

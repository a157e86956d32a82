/*
 * Look: while headquarters is idle, it reads through the ledger. So it finds corrupted data before
 * a reader needs it. The archive and the dead letters are left out, since they cannot be made again
 * (`valise view check`).
 *
 * Next: mend_index.h, indexes made again.
 */
#ifndef VALISE_HQ_FOLD_LOOK_H
#define VALISE_HQ_FOLD_LOOK_H

#include "hq/ledger/ledger.h"

/* The position; zeroed at first. */
struct vl_look {
	unsigned db;
	struct vl_key at;
};

/* Read so many entries more. Returns the database with a damaged one, or -1. *round says that
 * the whole ledger was read. */
int vl_look_on(struct vl_look *look, struct vl_txn *txn, uint64_t entries, bool *round);

#endif

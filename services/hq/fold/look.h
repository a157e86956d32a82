/*
 * Look: the ledger is looked through while there is nothing else to do, so that what its disk
 * has damaged is found before anybody asks for it. The archive and the dead letters are left
 * out: of them nothing can be made again (`valise view check`).
 */
#ifndef VALISE_HQ_FOLD_LOOK_H
#define VALISE_HQ_FOLD_LOOK_H

#include "hq/ledger/ledger.h"

/* How far it has come; zeroed at first. */
struct vl_look {
	unsigned db;
	struct vl_key at;
};

/* So many entries on. The database in which one is damaged, or -1. *round says that all of it
 * was looked through. */
int vl_look_on(struct vl_look *look, struct vl_txn *txn, uint64_t entries, bool *round);

#endif

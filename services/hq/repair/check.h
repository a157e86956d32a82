/*
 * Check: every entry of the ledger, checked once. It finds corrupted data before a reader needs it.
 *
 * Next: rebuild.h, a view from the archive.
 */
#ifndef VALISE_HQ_REPAIR_CHECK_H
#define VALISE_HQ_REPAIR_CHECK_H

#include "hq/ledger/ledger.h"

/* One damaged entry. */
struct vl_damage {
	const char *db; /* the database's name */
	/* its current key; empty: the database has more or fewer entries than it should */
	struct vl_bytes key;
	bool event; /* the entry itself is sound, but its event in the archive is not */
};

typedef void vl_damage_tell(void *context, const struct vl_damage *damage);

/* Walk every database. `tell` is called for each damaged entry; its argument is valid during the
 * call. It fails if the walk could not be finished: the tree itself is broken, or memory is
 * short. */
enum vl_err vl_ledger_check(struct vl_txn *txn, vl_damage_tell *tell, void *context) VL_CHECKED;

#endif

/*
 * Check: everything in the ledger, looked at once. What a disk has let rot is found where it
 * lies, before anybody asks for it.
 */
#ifndef VALISE_HQ_REPAIR_CHECK_H
#define VALISE_HQ_REPAIR_CHECK_H

#include "hq/ledger/ledger.h"

/* Something damaged. */
struct vl_damage {
	const char *db; /* the database's name */
	/* as it is now; empty: there are more or fewer entries than there should be */
	struct vl_bytes key;
	bool event; /* the entry itself is sound, but its event in the archive is not */
};

typedef void vl_damage_tell(void *context, const struct vl_damage *damage);

/* Walk every database. `tell` is called for each entry that is damaged; what it is given is
 * valid during the call. Not ok where the walk could not be ended: the tree itself is broken, or
 * memory is short. */
enum vl_err vl_ledger_check(struct vl_txn *txn, vl_damage_tell *tell, void *context) VL_CHECKED;

#endif

/*
 * Opening a ledger. Who writes mends its heads first.
 *
 * Next: hq/repair/mend.h, what of a damaged ledger is made again.
 */
#ifndef VALISE_HQ_REPAIR_OPEN_H
#define VALISE_HQ_REPAIR_OPEN_H

#include "hq/ledger/ledger.h"

/* Open the ledger in folder `path`; `size` is the map's. Errors as vl_store_open. */
enum vl_err vl_ledger_open(const char *path, size_t size, bool read_only, struct vl_store **store,
			   struct vl_why *why) VL_CHECKED;

#endif

/*
 * The key book: the keys with which headquarters has ever verified, so that a key of the past stays
 * good for its past.
 *
 * If a sender's public key is replaced or removed, the key signs nothing new. Its earlier
 * signatures stay true: rows depend on them, the batches are in Kafka, and a rebuild reads them
 * again. So the book notes every enrolled key in the ledger. When a key leaves the folder, the book
 * notes for each lane how far that sender was, including the batches that wait behind a gap. Up to
 * there the key stays good. It writes the same into the folder's `past` (bus/ring.h), for the tools
 * and for a rebuild from nothing.
 *
 * A file in `past` that a person wrote is accepted: so a stolen key can end at a batch before the
 * theft. If a key file exists and cannot be read, it ends no key: its sender's previous key goes
 * on.
 *
 * Next: reserve.h, when the views are full.
 */
#ifndef VALISE_HQ_INGEST_KEYBOOK_H
#define VALISE_HQ_INGEST_KEYBOOK_H

#include "bus/ring.h"
#include "store/store.h"

/* Read folder `dir` into a ring, bring the book up to date in a transaction of its own, and add
 * the keys of the past. Call it between transactions, from the thread that writes. Keys that
 * were left out, ended, or could not be written into `past` are logged. Errors of vl_ring_open
 * and of the store. */
enum vl_err vl_keybook_open_ring(struct vl_store *store, const char *dir, struct vl_ring **ring,
				 struct vl_why *why) VL_CHECKED;

#endif

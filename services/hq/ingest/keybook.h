/*
 * The key book: which keys headquarters has ever verified with, so that a key of the past keeps its
 * past good.
 *
 * Whoever replaces or removes a sender's public key says that the key signs nothing new. What it
 * signed before stays true: rows rest on it, its batches lie in Kafka, and a rebuild meets them
 * again. So the book notes every enrolled key in the ledger. When one is no longer in the folder,
 * it notes for each lane how far that sender had come by then, the batches that wait behind a gap
 * included, and up to there the key stays good. It writes the same into the folder's `past`
 * (bus/ring.h), for the tools and for a rebuild from nothing.
 *
 * A file in `past` that somebody wrote by hand is believed: so a stolen key ends at a place before
 * the theft.
 *
 * A file that is there and cannot be read ends no key: its sender's key of before goes on.
 *
 * Read verify.h next.
 */
#ifndef VALISE_HQ_INGEST_KEYBOOK_H
#define VALISE_HQ_INGEST_KEYBOOK_H

#include "bus/ring.h"
#include "store/store.h"

/* Read folder `dir` into a ring, bring the book up to date in a transaction of its own, and add the
 * keys of the past. Call it between transactions, from the thread that writes. What was left out,
 * ended, or could not be written into `past` is logged. Errors as vl_ring_open's and the store's.
 * */
enum vl_err vl_keybook_open_ring(struct vl_store *store, const char *dir, struct vl_ring **ring,
				 struct vl_why *why) VL_CHECKED;

#endif

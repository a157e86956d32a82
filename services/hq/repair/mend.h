/*
 * Mend: what headquarters can make again in a damaged ledger, so that one damaged row costs only
 * itself and headquarters goes on.
 *
 *   offset             forgotten: the partition is read again from its beginning, and known
 *                      batches are skipped
 *   chain              from the newest sound batch of its epoch in the archive; if batches behind
 *                      that one are damaged, Kafka is read again for them
 *   standing           counted again from the archive, the parked batches and the evidence; events
 *                      that only came again are not in them, so these count from 0: REPLAYED,
 *                      REPEATED, UNREAD, shared ids, and ROLLBACKS that named a known batch
 *   waiting, parked    a parked batch is forgotten, and its mission sends it again, since it has
 *                      no receipt; the waiting ones are counted again
 *   evidence           its number stays, so that its epoch stays suspended; its bytes are lost
 *   pulse, missing     forgotten: the next pulse, and the next look, find it again
 *   passed             forgotten: headquarters requests those batches from the mission
 *   awaits, due        made again from the parked batches
 *   held, digest       made again from the evidence and the archive, with the epochs that began
 *                      without knowing of the previous one; of pulses these are forgotten, and
 *                      their rollbacks are new troubles (trouble.h)
 *   reasons            that reason is counted from 0
 *   key, unread        forgotten: the keys folder and its `past`, and Kafka, give them again
 *   todo, pending      forgotten: all views are made whole again (renewal.h); also if `meta` lost
 *                      how far that was
 *   dead, refused      cannot be made again: they stay, are skipped, and `valise view check`
 *                      lists them
 *
 * The views' own databases are made whole again in place, while headquarters goes on: renewal.h.
 *
 * All of this is made from the archive. A damaged batch in the archive is left out of the rows,
 * which say so (DAMAGED).
 *
 * Next: mend_count.h, counting from the archive.
 */
#ifndef VALISE_HQ_REPAIR_MEND_H
#define VALISE_HQ_REPAIR_MEND_H

#include "hq/ledger/ledger.h"

/* How much is checked: small and essential databases, at each start; or all, after damage was
 * found. */
enum vl_mend_depth { VL_MEND_HEADS, VL_MEND_ALL };

/* In one transaction. The log names each mended database; *mended counts rows. CORRUPT if a
 * database cannot even be walked. */
enum vl_err vl_ledger_mend(struct vl_store *store, enum vl_mend_depth depth, size_t *mended,
			   struct vl_why *why) VL_CHECKED;

/* No entry is damaged, but the tree that leads to them is. A database is written anew in the
 * order of its entries; a view's databases are made anew from the archive. No other transaction
 * may be open, and all other work waits for it. CORRUPT, with what to do, if even that is
 * impossible. */
enum vl_err vl_ledger_mend_order(struct vl_store *store, unsigned db,
				 struct vl_why *why) VL_CHECKED;

#endif

/*
 * Mend: what of a damaged ledger can be made again, made again, so that one damaged row costs
 * itself and headquarters goes on.
 *
 * offset             forgotten: the partition is read again from its beginning, and what is
 * known is passed over chain              from the newest sound batch of its epoch in the
 * archive; where batches behind that one are damaged, Kafka is read again for them standing
 * counted again from the archive, what waits and the evidence; what only came again is not in
 * them, and counts from 0: REPLAYED, REPEATED, UNREAD, shared ids, and ROLLBACKS that named a
 * known batch waiting, parked    a parked batch is forgotten, and its mission sends it again, as
 * it has no receipt; what waits is counted again evidence           its place stays, so that its
 * epoch stays suspended; its bytes are lost pulse, missing     forgotten: the next pulse, and
 * the next look, say it again passed             forgotten: its mission is asked for what was
 * passed over there awaits, due        made again from what is parked held, digest       made
 * again from the evidence and the archive; which epochs began without knowing of the one before,
 * in the archive, too: of pulses it is forgotten, and their rollbacks are troubles anew
 * (trouble.h) reasons            that reason is counted from 0 key, unread        forgotten: the
 * keys folder and its `past` say it again, and so does Kafka todo, pending      forgotten: all
 * views are made whole again (renewal.h); so too where `meta` lost how far that was dead,
 * refused      nothing can be made again: they stay, are passed over, and `valise view check`
 * lists them
 *
 * The views' own databases are made whole again in place, while headquarters goes on: renewal.h.
 *
 * The archive itself is what all of this is made from: a damaged batch in it is left out of the
 * rows, which say so (DAMAGED).
 */
#ifndef VALISE_HQ_REPAIR_MEND_H
#define VALISE_HQ_REPAIR_MEND_H

#include "hq/ledger/ledger.h"

/* How much is looked at: what is small and what everything hangs on, at each start; or all of
 * it, when something was found damaged. */
enum vl_mend_depth { VL_MEND_HEADS, VL_MEND_ALL };

/* In one transaction. Each database that was mended is said in the log; *mended counts rows.
 * CORRUPT where a database cannot even be walked. */
enum vl_err vl_ledger_mend(struct vl_store *store, enum vl_mend_depth depth, size_t *mended,
			   struct vl_why *why) VL_CHECKED;

/* No entry is damaged, but what leads to them: a database is written anew in the order of its
 * entries, a view's databases are made anew from the archive. Nobody else may use the store, and
 * all else waits for it. CORRUPT, with what to do, where even that cannot be. */
enum vl_err vl_ledger_mend_order(struct vl_store *store, unsigned db,
				 struct vl_why *why) VL_CHECKED;

#endif

/*
 * The past: views as they were, made again from the archive in memory, by the engine of today.
 *
 * As known at a time: of the batches that headquarters had applied by then. As true at a time: of
 * the facts that had occurred by then, by all that is known today. Rows, sums and histories of it
 * are read as those of the ledger are. Nothing of the ledger changes, and nothing waits for it.
 *
 * All of a lane is folded, since a row may follow from any other. So it has bounds: VL_PAST_EVENTS
 * events, and VL_PAST_BYTES of memory.
 *
 * Next: hq/ledger/ledger.h, where the archive keeps when a batch was applied.
 */
#ifndef VALISE_HQ_FOLD_PAST_H
#define VALISE_HQ_FOLD_PAST_H

#include "base/clock.h"
#include "hq/ledger/ledger.h"

#define VL_PAST_EVENTS ((uint64_t)1000000)
#define VL_PAST_BYTES ((size_t)2 << 30)

enum vl_past_by { VL_PAST_KNOWN, VL_PAST_TRUE };

struct vl_past;

/* An empty one; `most` events are folded. `progress` may be NULL, and is called now and then with
 * the events so far. Close with vl_past_close. */
enum vl_err vl_past_open(enum vl_past_by by, struct vl_time time, uint64_t most,
			 void (*progress)(uint64_t events), struct vl_past **past,
			 struct vl_why *why) VL_CHECKED;
void vl_past_close(struct vl_past *past);

/* Fold one view, and those that it reads, of the ledger that `live` looks into. `live` only reads.
 * It lets its snapshot go and takes a newer one now and then. TOO_LARGE beyond the bounds, NOMEM,
 * or the error of a store. */
enum vl_err vl_past_fold(struct vl_past *past, struct vl_txn *live, size_t view,
			 struct vl_why *why) VL_CHECKED;

/* When all is folded: a transaction that reads it, closed with the past. NULL when out of
 * memory. */
struct vl_txn *vl_past_read(struct vl_past *past, struct vl_why *why);

/* Batches of the archive that are damaged, and were left out. */
uint64_t vl_past_damaged(const struct vl_past *past);

#endif

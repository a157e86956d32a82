/*
 * Pulses: what each mission's agent says of itself (proto/valise/pulse/v1), the newest of each,
 * as received.
 *
 * A pulse stands by itself. So, unlike a batch of facts, it waits for nothing: one that is later
 * in its chain takes the place of the one before, whether or not those between came. What
 * contradicts the chain is evidence and a fork all the same, as far as the newest pulse can
 * tell: its own place and the two beside it. An epoch that begins at nothing after there was one
 * is a rollback. What came before is a replay, and changes nothing: an old pulse sent again by
 * somebody makes no mission look alive. There is no history and no archive of them, no view, and
 * no receipt.
 */
#ifndef VALISE_HQ_INGEST_PULSE_H
#define VALISE_HQ_INGEST_PULSE_H

#include "hq/ledger/ledger.h"
#include "valise/pulse/v1/pulse.pb-c.h"

/* The newest of one mission; all of it points into the ledger's page and the arena. */
struct vl_pulse_kept {
	int64_t at_ms; /* the broker's */
	int32_t partition;
	struct vl_batch_head head;
	struct vl_digest digest;
	const Valise__Pulse__V1__Pulse *said;
};

/* Apply one record of the lane of pulses, found good. `arena` is for the work. An error of the
 * store sticks to the transaction. */
void vl_pulse_apply(struct vl_txn *txn, struct vl_arena *arena, const struct vl_record *record,
		    const struct vl_verified *verified);

/* NOT_FOUND where there is none; CORRUPT where its bytes are not what was signed: the next one
 * will take its place. */
enum vl_err vl_pulse_get(struct vl_txn *txn, const char *mission, struct vl_arena *arena,
			 struct vl_pulse_kept *kept) VL_CHECKED;

/* Call `each` for every mission's, by mission; those that are damaged are passed over. The arena
 * is reset for each. */
void vl_pulse_each(struct vl_txn *txn, struct vl_arena *arena,
		   void (*each)(void *context, const char *mission,
				const struct vl_pulse_kept *kept),
		   void *context);

#endif

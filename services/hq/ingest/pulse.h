/*
 * Pulses: each mission's newest pulse, as received (proto/valise/pulse/v1).
 *
 * A pulse stands by itself. So, unlike a batch of facts, it waits for nothing. One that is later in
 * its chain replaces the previous one, whether or not those between came. A pulse that contradicts
 * the chain is evidence and a fork, as far as the newest pulse can show. That covers its own number
 * and the two beside it. An epoch that begins at nothing after another epoch is a rollback. An
 * earlier pulse is a replay and changes nothing: an old pulse that is sent again makes no mission
 * look alive. Pulses have no history, no archive, no view and no receipt.
 *
 * Next: hq/watch/pulse_board.h, the verdict on each mission.
 */
#ifndef VALISE_HQ_INGEST_PULSE_H
#define VALISE_HQ_INGEST_PULSE_H

#include "hq/ledger/ledger.h"
#include "valise/pulse/v1/pulse.pb-c.h"

/* The newest of one mission; it points into the ledger's page and the arena. */
struct vl_pulse_kept {
	int64_t at_ms; /* the broker's */
	int32_t partition;
	struct vl_batch_head head;
	struct vl_digest digest;
	const Valise__Pulse__V1__Pulse *said;
};

/* Apply one record of the lane of pulses that was verified. `arena` is for the work. An error of
 * the store sticks to the transaction. */
void vl_pulse_apply(struct vl_txn *txn, struct vl_arena *arena, const struct vl_record *record,
		    const struct vl_verified *verified);

/* NOT_FOUND if there is none. CORRUPT if its bytes were changed; the next pulse replaces it. */
enum vl_err vl_pulse_get(struct vl_txn *txn, const char *mission, struct vl_arena *arena,
			 struct vl_pulse_kept *kept) VL_CHECKED;

/* Call `each` for every mission's, by mission; damaged ones are skipped. The arena is reset for
 * each. */
void vl_pulse_each(struct vl_txn *txn, struct vl_arena *arena,
		   void (*each)(void *context, const char *mission,
				const struct vl_pulse_kept *kept),
		   void *context);

#endif

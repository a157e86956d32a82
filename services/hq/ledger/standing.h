/*
 * Standing: the state of one mission on one lane, in counters and a verdict.
 *
 * Next: parked.h, batches behind a gap.
 */
#ifndef VALISE_HQ_LEDGER_STANDING_H
#define VALISE_HQ_LEDGER_STANDING_H

#include "hq/ledger/ledger.h"

/* The verdict on a chain, worst first. */
enum vl_verdict {
	/* two signed batches have one number; both are kept, and their epoch is suspended */
	VL_VERDICT_FORK,
	VL_VERDICT_ROLLBACK, /* an epoch began that does not know the end of the previous one */
	/* batches are missing: later ones wait, or a pulse says that they were sent */
	VL_VERDICT_GAP,
	VL_VERDICT_SILENT, /* the mission's pulses no longer come */
	VL_VERDICT_OK,
};

struct vl_standing {
	uint64_t batches, events; /* applied */
	uint64_t replayed;        /* batches that came again and were dropped */
	uint64_t repeated;        /* events whose id was already known */
	/* archived events that are not in a view. Their type is unknown, their payload is
	 * malformed, or their id is that of this sender's other event on the lane, or zeros or
	 * ones */
	uint64_t unread;
	/* events whose id is also that of another mission's event, or of one on another lane:
	 * applied all the same */
	uint64_t shared;
	/* batches kept as evidence; epochs begun without knowing of the previous one */
	uint64_t forks, rollbacks;
	uint64_t parked; /* batches that wait behind a gap, now */
	/* batches for which there was no room to wait, until they have come again */
	uint64_t dropped;
	struct vl_epoch epoch; /* of the last batch applied */
	struct vl_seq seq;
	struct vl_event_no next_event;
	int64_t applied_ms;       /* the broker's time of the last batch applied */
	struct vl_time signed_at; /* the mission's own */
};

/* The verdict by what came. What did not come is judged by the pulses (pulse_board.h). */
enum vl_verdict vl_standing_verdict(const struct vl_standing *standing);

/* "ok", "gap", "fork", "rollback", "silent"; static. */
const char *vl_verdict_name(enum vl_verdict verdict);

/* The standing of (mission, lane); all zero if there is none. */
struct vl_standing vl_standing_get(struct vl_txn *txn, const char *mission, const char *lane);
void vl_standing_put(struct vl_txn *txn, const char *mission, const char *lane,
		     const struct vl_standing *standing);

/* Call `each` for every standing, by mission and lane. The names are valid during the call.
 * Returns how many are damaged and skipped. */
size_t vl_standing_each(struct vl_txn *txn,
			void (*each)(void *context, const char *mission, const char *lane,
				     const struct vl_standing *standing),
			void *context);

#endif

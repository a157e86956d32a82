/*
 * Cut tails: what Kafka has had of a mission and headquarters did not find there.
 *
 * A gap in the middle of a chain shows by what waits behind it; one at its end shows by nothing
 * but the mission's pulse, which says how far Kafka has acked each lane. While headquarters has
 * not applied that far, the lane is suspect, and no more: it may be behind. So it asks where
 * every partition of the lane ends now, which is after the pulse came and so after all that the
 * pulse speaks of, and reads on to there. What it has still not applied then is missing, and is
 * written down (db missing). It is a gap for as long as it is not applied, and so goes by itself
 * when the mission sends it again.
 */
#ifndef VALISE_HQ_WATCH_PULSE_TAIL_H
#define VALISE_HQ_WATCH_PULSE_TAIL_H

#include "hq/ledger/ledger.h"
#include "hq/ledger/parked.h"
#include "stream/stream.h"

struct vl_tails;

/* The store stays the caller's. NULL when out of memory. */
struct vl_tails *vl_tails_open(struct vl_store *store);
void vl_tails_close(struct vl_tails *tails);

/* Look, between transactions, for suspect lanes, and remember them. True where there are any:
 * ask where their partitions end (vl_feed_ask_ends). */
bool vl_tails_suspect(struct vl_tails *tails);

/* The answer: where each partition of each lane that could be asked whole ended, after suspect
 * said true; 0 where it is empty. Judges the suspects whose lanes are applied to there. False
 * while others are still to be judged: call again. */
enum vl_err vl_tails_judge(struct vl_tails *tails, const struct vl_position *ends, size_t count,
			   bool *done, struct vl_why *why) VL_CHECKED;

/* Call `each` for every (mission, lane) whose tail is missing, by mission and lane, with what is
 * to be sent again: the rest of the newest epoch that came, or from there on all that follows
 * where the tail is of a later one. The names are valid during the call. */
void vl_tails_each(struct vl_txn *txn,
		   void (*each)(void *context, const char *mission, const char *lane,
				const struct vl_gap *gap),
		   void *context);

/* What of a lane was found to be missing, as far as it still is. False where nothing is. */
bool vl_tails_missing(struct vl_txn *txn, const char *mission, const char *lane,
		      struct vl_epoch *epoch, struct vl_seq *seq);

#endif

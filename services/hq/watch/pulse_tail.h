/*
 * Cut tails: batches that Kafka had and lost at the end of a lane.
 *
 * A gap in the middle of a chain shows by the batches that wait behind it. A gap at its end shows
 * only by the mission's pulse, which says how far Kafka has acked each lane. While headquarters has
 * not applied that far, the lane is suspect, but headquarters may only be behind. So it asks where
 * every partition of the lane ends now. That is after the pulse came, and so after all batches that
 * the pulse includes. Headquarters reads on to these ends. The batches that are still not applied
 * then are missing, and are noted (db missing). They are a gap until they are applied, so the gap
 * closes by itself when the mission sends them again.
 *
 * Next: trouble.h, acknowledged forks and rollbacks.
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

/* Look, between transactions, for suspect lanes, and remember them. True if there are any: ask
 * where their partitions end (vl_feed_ask_ends). */
bool vl_tails_suspect(struct vl_tails *tails);

/* The answer, asked after suspect was true: the end of each partition of each lane that answered
 * wholly; 0 if empty. Judges the suspects whose lanes are applied to there. While others are
 * still to be judged, *done is false: call again. */
enum vl_err vl_tails_judge(struct vl_tails *tails, const struct vl_position *ends, size_t count,
			   bool *done, struct vl_why *why) VL_CHECKED;

/* Call `each` for every (mission, lane) whose tail is missing, by mission and lane, with the
 * batches to send again. These are the rest of the newest epoch that came; or all that follow,
 * if the tail is of a later epoch. The names are valid during the call. */
void vl_tails_each(struct vl_txn *txn,
		   void (*each)(void *context, const char *mission, const char *lane,
				const struct vl_gap *gap),
		   void *context);

/* The end of a lane that was found missing, as far as it still is. False if nothing is. */
bool vl_tails_missing(struct vl_txn *txn, const char *mission, const char *lane,
		      struct vl_epoch *epoch, struct vl_seq *seq);

#endif

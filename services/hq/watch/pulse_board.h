/*
 * The board: what is to be said of each mission, by what came (standing.h) and by what its
 * pulses say should have come.
 *
 * Nothing here is written down: it is worked out of one snapshot of the ledger. A lane is a
 * `gap` too where what Kafka had of it is missing (pulse_tail.h), and a `fork` too where the
 * mission's pulse names another batch for a place than the one applied there. A fork or rollback
 * that an officer has acknowledged is no verdict any more (trouble.h). A mission is `silent`
 * when three of its intervals went by without a word of it, by the broker's clock and as far as
 * headquarters has read the lane of pulses: what others have said since is the measure, so that
 * a headquarters that was away, is behind or is cut off takes nobody for silent. A mission that
 * never sent a pulse is never silent.
 */
#ifndef VALISE_HQ_WATCH_PULSE_BOARD_H
#define VALISE_HQ_WATCH_PULSE_BOARD_H

#include "hq/ingest/pulse.h"
#include "hq/ledger/standing.h"
#include "hq/watch/trouble.h"

#define VL_BOARD_INTERVALS 3

/* Of a gap: batches `from` to `to` of an epoch, the first that are missing; else zeros. */
struct vl_missing {
	struct vl_epoch epoch;
	struct vl_seq from, to;
};

struct vl_lane_state {
	const char *lane;
	struct vl_standing standing;
	enum vl_verdict verdict;
	struct vl_missing missing;
	struct vl_epoch named; /* by its pulse, as forked; else 0 */
	struct vl_troubles troubles;
};

struct vl_mission_state {
	const char *mission;
	enum vl_verdict verdict; /* the worst */
	/* the broker's time of the newest pulse or batch applied; 0 where there is none */
	int64_t heard_ms;
	/* three intervals went by on our own clock: true of all where headquarters hears nothing */
	bool overdue;
	const struct vl_pulse_kept *pulse; /* NULL where it never sent one */
	const struct vl_lane_state *lanes; /* by name, that of pulses among them */
	size_t n_lanes;
};

/* Call `each` for every mission heard of, by id; what it is given is valid during the call.
 * `now` is our own clock. */
enum vl_err vl_board_each(struct vl_txn *txn, struct vl_time now,
			  void (*each)(void *context, const struct vl_mission_state *state),
			  void *context) VL_CHECKED;

/* How many standings are damaged, and in none of them; headquarters counts them again at its
 * next start. */
size_t vl_board_damaged(struct vl_txn *txn);

/* Whether headquarters hears nothing itself: there are missions that send pulses, and all are
 * overdue. */
bool vl_board_deaf(struct vl_txn *txn, struct vl_time now);

#endif

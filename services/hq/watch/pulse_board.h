/*
 * The board: the verdict on each mission, by the batches that came (standing.h) and by those that
 * its pulses name.
 *
 * The board is not stored: it is computed from one snapshot of the ledger. A lane is also a `gap`
 * if batches that Kafka had are missing (pulse_tail.h). It is also a `fork` if the mission's pulse
 * has another batch for a number than the one applied. A fork or rollback that an officer has
 * acknowledged is no verdict (trouble.h).
 *
 * A mission is `silent` if no record of it came for three of its intervals. The broker's clock
 * counts, as far as headquarters has read the lane of pulses. The pulses of others are the measure.
 * So a headquarters that was away, is behind or is cut off reports no mission as silent. A mission
 * that never sent a pulse is never silent.
 *
 * Next: pulse_tail.h, lost ends of lanes.
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
	/* the broker's time of the newest pulse or applied batch; 0 if there is none */
	int64_t heard_ms;
	/* three intervals went by on our own clock: true of all if headquarters receives nothing */
	bool overdue;
	const struct vl_pulse_kept *pulse; /* NULL if it never sent one */
	const struct vl_lane_state *lanes; /* by name, that of pulses among them */
	size_t n_lanes;
};

/* Call `each` for every known mission, by id; its argument is valid during the call. `now` is
 * our own clock. */
enum vl_err vl_board_each(struct vl_txn *txn, struct vl_time now,
			  void (*each)(void *context, const struct vl_mission_state *state),
			  void *context) VL_CHECKED;

/* How many standings are damaged, and so are not counted; headquarters counts them again at its
 * next start. */
size_t vl_board_damaged(struct vl_txn *txn);

/* Whether headquarters itself receives nothing: missions send pulses, and all are overdue. */
bool vl_board_deaf(struct vl_txn *txn, struct vl_time now);

#endif

/*
 * Troubles: the forks and rollbacks of a mission's lane, by their epochs, and which of them an
 * officer has acknowledged.
 *
 * Signed batches stay signed, so a fork and a rollback stand for ever. If headquarters' own agent
 * has signed that an officer looked at one (proto/valise/trouble/v1, views/trouble.c), it rests: it
 * is shown as acknowledged and raises no alarm. An acknowledged trouble is named by its epoch,
 * which no rebuild changes. A fork is also named by how many different batches of that epoch came,
 * so that the next one is a new trouble. A trouble that is damaged, or cannot be named, never
 * counts as acknowledged.
 *
 * Next: hq/repair/mend.h, mending damage.
 */
#ifndef VALISE_HQ_WATCH_TROUBLE_H
#define VALISE_HQ_WATCH_TROUBLE_H

#include "base/arena.h"
#include "hq/ledger/standing.h"

struct vl_trouble {
	enum vl_verdict kind; /* FORK or ROLLBACK */
	/* 0: the epoch is unknown: forks and rollbacks that were only counted */
	struct vl_epoch epoch;
	/* how many batches of a forked epoch came, applied and evidence; of epoch 0 how many
	 * were counted */
	uint64_t batches;
	bool acknowledged;
	const char *by; /* acknowledged by whom, and when; else "" */
	struct vl_time at;
};

struct vl_troubles {
	struct vl_trouble *items; /* in the arena; by kind and epoch */
	size_t count;
};

/* All of (mission, lane). `named` is an epoch that the mission's own pulse calls forked
 * (pulse_board.h), else 0. NOMEM, or the transaction's error. */
enum vl_err vl_troubles_read(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_standing *standing, struct vl_epoch named,
			     struct vl_arena *arena, struct vl_troubles *troubles) VL_CHECKED;

/* The worst that is not acknowledged: FORK, ROLLBACK or OK. */
enum vl_verdict vl_troubles_verdict(const struct vl_troubles *troubles);

/* Of the worst acknowledged kind, the last one; NULL if none is. */
const struct vl_trouble *vl_troubles_rested(const struct vl_troubles *troubles);

#endif

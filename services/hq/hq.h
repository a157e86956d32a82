/*
 * Headquarters: reads the lanes, verifies, and keeps the views.
 *
 * Kafka --> feed --> verify (threads, in parallel) --> apply (one writer): views, chains,
 * offsets in one transaction | Kafka <-- headquarters' own agent <-- receipts <-------+ after
 * each commit directives <-----+ while a gap stands
 *
 * Continue with feed.h, verify.h, apply.h, fold.h, view.h, receipts.h, directives.h, pulse.h,
 * trouble.h and reserve.h, in that order.
 */
#ifndef VALISE_HQ_HQ_H
#define VALISE_HQ_HQ_H

#include "base/conf.h"
#include "base/err.h"

#include <stdatomic.h>

struct vl_hq_settings {
	const char *views;          /* folder of the ledger */
	uint64_t size;              /* of its map */
	const char *keys;           /* folder of <id>.pub files */
	uint64_t threads;           /* that verify */
	const char *receipts;       /* socket of headquarters' own agent, or "" */
	uint64_t receipts_interval; /* ms */
	uint64_t directives_after;  /* s */
};

/* The keys of headquarters' configuration file, for vl_conf_open. */
extern const struct vl_conf_key vl_hq_keys[];

/* CONFIG, with words, where a value read from the file cannot be; BUG where a view is declared
 * wrongly. */
enum vl_err vl_hq_check(const struct vl_hq_settings *settings, struct vl_why *why) VL_CHECKED;

/* Told from outside, by a signal: end; read the folder of keys again. */
struct vl_hq_signals {
	atomic_bool stop, reload;
};

/* Run until `signals->stop`. The error that ended it otherwise, with words, has the class FATAL. */
enum vl_err vl_hq_run(const struct vl_hq_settings *settings, const struct vl_conf_pair *pairs,
		      size_t n_pairs, struct vl_hq_signals *signals, struct vl_why *why) VL_CHECKED;

#endif

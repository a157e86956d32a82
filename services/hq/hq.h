/*
 * Headquarters: reads the lanes, verifies, and keeps the views.
 *
 *     Kafka --> feed --> verify (threads) --> apply (one writer):
 *                                             views, chains, offsets in one transaction
 *                                               |
 *     Kafka <-- headquarters' own agent <-- receipts, after each commit
 *                                       <-- directives, while a gap stands
 *
 * Next: ingest/feed.h, which reads Kafka.
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

/* CONFIG, with the reason, if a value in the file is impossible. BUG if a view is declared
 * wrongly. */
enum vl_err vl_hq_check(const struct vl_hq_settings *settings, struct vl_why *why) VL_CHECKED;

/* Requests from outside, by a signal: end; read the folder of keys again. */
struct vl_hq_signals {
	atomic_bool stop, reload;
};

/* Run until `signals->stop`. If an error ends it, the error has a reason and the class FATAL. */
enum vl_err vl_hq_run(const struct vl_hq_settings *settings, const struct vl_conf_pair *pairs,
		      size_t n_pairs, struct vl_hq_signals *signals, struct vl_why *why) VL_CHECKED;

#endif

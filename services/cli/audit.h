/*
 * The audit of whole lanes: every chain from its first batch, and its faults by name.
 *
 * Pure: records go in as they come, judgements come out. A batch that comes too early waits until
 * the end; then all that waited are taken in order. Only the batches that are missing then are a
 * gap. A replay (the same bytes again) comes from at-least-once delivery, and is not wrong.
 *
 * On a lane whose topic Kafka compacts, a hole is not wrong and no gap. A batch that comes for a
 * number in such a hole is a replay. All else is judged there as on any other lane.
 *
 * Next: catalogue.h, the catalogue of topics.
 */
#ifndef VALISE_CLI_AUDIT_H
#define VALISE_CLI_AUDIT_H

#include "bus/record.h"

enum cli_finding_kind {
	/* another batch has that number, or prev is not the digest of the previous batch */
	CLI_FINDING_FORK,
	CLI_FINDING_ROLLBACK, /* an epoch that does not know of the previous one */
	CLI_FINDING_GAP,      /* `seq` ... `last_seq` never came */
	CLI_FINDING_BAD,      /* not authentic, or not readable: `reason` */
};

struct cli_finding {
	enum cli_finding_kind kind;
	enum vl_err reason;
	struct vl_epoch epoch;
	struct vl_seq seq, last_seq;
	int32_t partition; /* where it shows */
	int64_t offset;
	bool acknowledged; /* an officer at headquarters has looked into it */
	bool taken;        /* a fork whose branch the chain went on with */
	uint8_t half[16];  /* of a fork: half of the batch's digest */
};

#define CLI_FINDINGS 1000 /* kept for each line; all are counted */

/* One mission on one lane. A bad record counts for the mission that its key names, or "?" if
 * that is no mission's id. */
struct cli_audit_line {
	char mission[VL_MISSION_MAX + 1], lane[256];
	uint64_t batches, events, replayed, gaps, forks, rollbacks, drills, bad;
	uint64_t rested_forks, rested_rollbacks; /* the acknowledged ones among these */
	/* batches that could not be compared or placed: there was no room to remember the
	 * earlier ones */
	uint64_t unsure;
	uint64_t reasons[VL_ERR_COUNT]; /* the bad ones, by reason */
	struct cli_finding *findings;
	size_t n_findings;
};

/* The most that an audit remembers, of all lines together. A batch takes 16 bytes, 32 while its
 * array grows; one that waits takes 136, or twice that. Beyond the bound a batch that comes
 * again is not compared. If too many wait, they are judged as if no more came. Both may make
 * batches `unsure`. Records that are not authentic make at most `lines` lines: the others count
 * for "?". */
struct cli_audit_bounds {
	size_t batches, waiting, findings, lines;
};

#define CLI_AUDIT_BOUNDS ((struct cli_audit_bounds){8000000, 100000, 100000, 4096})

struct cli_audit;

/* NULL when out of memory. */
struct cli_audit *cli_audit_open(void);
void cli_audit_close(struct cli_audit *audit);

/* Set other bounds than CLI_AUDIT_BOUNDS. */
void cli_audit_bound(struct cli_audit *audit, const struct cli_audit_bounds *bounds);

/* Add a record that vl_record_verify judged: `verified` counts only if the verdict is ok. NOMEM
 * sticks until finish. */
void cli_audit_add(struct cli_audit *audit, const struct vl_record *record, enum vl_err verdict,
		   const struct vl_verified *verified);

/* Judge the waiting batches, and sort the lines by mission and lane. NOMEM if memory ended
 * before. */
enum vl_err cli_audit_finish(struct cli_audit *audit) VL_CHECKED;

/* After that: an officer at headquarters has acknowledged a fault of an epoch
 * (proto/valise/trouble/v1). It is a rollback, or a fork with `batches` different batches. If
 * more batches came, or not all findings were kept, the fault stays. */
void cli_audit_acknowledge(struct cli_audit *audit, const char *mission, const char *lane,
			   enum cli_finding_kind kind, struct vl_epoch epoch, uint64_t batches);

size_t cli_audit_count(const struct cli_audit *audit);
const struct cli_audit_line *cli_audit_at(const struct cli_audit *audit, size_t i);

/* "ok", "unsure", "bad", "gap", "rollback" or "fork": the worst fault that is not acknowledged;
 * static. */
const char *cli_audit_verdict(const struct cli_audit_line *line);
const char *cli_finding_name(enum cli_finding_kind kind);

#endif

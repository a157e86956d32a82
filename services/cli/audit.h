/*
 * The audit of whole lanes: every chain walked from its first batch, and what is wrong with it
 * by name.
 *
 * Pure: records go in as they come, judgements come out. A batch that comes too early waits
 * until the end, when everything that waited is taken in order; only what is missing then is a
 * gap. A replay (the same bytes again) is what at-least-once delivery makes and is not wrong. On
 * a lane whose topic Kafka compacts a hole is nobody's fault and no gap, and a batch that comes
 * for a place in one is a replay; all else is judged there as on any other.
 */
#ifndef VALISE_CLI_AUDIT_H
#define VALISE_CLI_AUDIT_H

#include "bus/record.h"

enum cli_finding_kind {
	/* another batch has that place, or that prev is not what came before */
	CLI_FINDING_FORK,
	CLI_FINDING_ROLLBACK, /* an epoch that does not know of the one before */
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

/* One mission on one lane. A bad record counts for the mission its key names, "?" where that is
 * none. */
struct cli_audit_line {
	char mission[VL_MISSION_MAX + 1], lane[256];
	uint64_t batches, events, replayed, gaps, forks, rollbacks, drills, bad;
	uint64_t rested_forks, rested_rollbacks; /* of these the acknowledged ones */
	/* batches that could not be compared or placed: no room to remember what came before */
	uint64_t unsure;
	uint64_t reasons[VL_ERR_COUNT]; /* the bad ones, by reason */
	struct cli_finding *findings;
	size_t n_findings;
};

/* What an audit remembers, of all lines together. A batch is 16 bytes, 32 while its array grows;
 * one that waits 136, or twice that. What comes again of batches beyond is not compared, and
 * where too many wait they are judged as if no more came; both may make batches `unsure`.
 * Records that are not authentic make no more lines than that: the others count for "?". */
struct cli_audit_bounds {
	size_t batches, waiting, findings, lines;
};

#define CLI_AUDIT_BOUNDS ((struct cli_audit_bounds){8000000, 100000, 100000, 4096})

struct cli_audit;

/* NULL when out of memory. */
struct cli_audit *cli_audit_open(void);
void cli_audit_close(struct cli_audit *audit);

/* CLI_AUDIT_BOUNDS until then. */
void cli_audit_bound(struct cli_audit *audit, const struct cli_audit_bounds *bounds);

/* Take a record that vl_record_verify judged: `verified` counts only where the verdict is ok.
 * NOMEM sticks until finish. */
void cli_audit_add(struct cli_audit *audit, const struct vl_record *record, enum vl_err verdict,
		   const struct vl_verified *verified);

/* Judge what waited, and sort the lines by mission and lane. NOMEM where anything was lost on
 * the way. */
enum vl_err cli_audit_finish(struct cli_audit *audit) VL_CHECKED;

/* After that: an officer at headquarters has acknowledged what is wrong with an epoch
 * (proto/valise/trouble/v1): a rollback, or a fork of which there were so many different
 * batches. Where more came, or not all findings were kept, it stays as it is. */
void cli_audit_acknowledge(struct cli_audit *audit, const char *mission, const char *lane,
			   enum cli_finding_kind kind, struct vl_epoch epoch, uint64_t batches);

size_t cli_audit_count(const struct cli_audit *audit);
const struct cli_audit_line *cli_audit_at(const struct cli_audit *audit, size_t i);

/* "ok", "unsure", "bad", "gap", "rollback" or "fork": the worst there is that is not
 * acknowledged; static. */
const char *cli_audit_verdict(const struct cli_audit_line *line);
const char *cli_finding_name(enum cli_finding_kind kind);

#endif

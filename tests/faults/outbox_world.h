/*
 * The outbox under fault: a fixed scenario, and the oracle that keeps the answers to a client and
 * compares them afterwards.
 *
 * The scenario has steps, each one transaction: several lanes, ids given twice, events without an
 * id. It has batches that are closed within the transaction, an event on overflow pages, acks, an
 * abort. The oracle notes each OK (id, lane, epoch, number and the event's bytes). It also notes
 * each batch that a reader could have seen, since a link may have sent it.
 *
 * Next: ledger_world.h, the ledger under fault.
 */
#ifndef VALISE_TESTS_FAULTS_OUTBOX_WORLD_H
#define VALISE_TESTS_FAULTS_OUTBOX_WORLD_H

#include "agent_fixture.h"
#include "audit.h"

#define BOX_STEPS 9
#define BOX_EVENTS 14
#define BOX_MISSION "CN-SD-EMB"

/* An event that the outbox answered with OK or, if `doubtful`, with unknown. */
struct box_promise {
	uint8_t id[16], digest[16];
	char lane[48];
	uint64_t epoch, number;
	unsigned step;
	bool doubtful;
};

/* A batch that could be sent. */
struct box_batch {
	char lane[48];
	uint64_t epoch, seq;
	uint8_t digest[32];
	unsigned step;
};

struct box {
	char path[300];
	struct vl_signer *signer;
	struct vl_outbox *outbox;
	struct vl_clock clock;
	struct vl_rand rand;
	struct vl_time now;
	uint64_t seed;
	size_t size;
	/* made beforehand: their memory must not disturb the count */
	struct vl_buf events[BOX_STEPS][BOX_EVENTS];
	struct box_promise promises[256];
	size_t n_promises;
	struct box_batch batches[256];
	size_t n_batches;
	bool failed_early; /* the last step failed before commit */
	char wrong[300];   /* the first broken promise; "" for none */
};

void box_init(struct box *box, const char *path);
void box_free(struct box *box);

/* Forget every promise, for another run from an empty folder. */
void box_restart(struct box *box);

enum vl_err box_open(struct box *box);
void box_close(struct box *box);

/* Do step `step`. Returns ok, or the error of begin or commit. A good event that is refused as
 * bad, or an OK that contradicts an earlier answer, is `wrong`. */
enum vl_err box_step(struct box *box, unsigned step);

/* Do the steps from `from` on, each begun and filled while the previous one is being committed,
 * as the keeper does. Calls `done` (may be NULL) after each successful commit. Returns the step
 * that failed, with *err, or BOX_STEPS. */
unsigned box_fly(struct box *box, unsigned from, void (*done)(unsigned step), enum vl_err *err);

/* Look at the store as it is now, not open elsewhere. Every promise made before step `kept` is
 * there once and unchanged. The step under way is there wholly or not at all, and there is
 * nothing else. Every batch that could be seen is as it was; chains and signatures hold. If
 * `extend`, then send everything again and a new event to each lane: the answers must fit.
 * False, with the reason in `wrong`. */
bool box_check(struct box *box, unsigned kept, bool extend);

/* Do only the last part of a check, with the box as it is open now and all its promises. Closes
 * it. */
bool box_extend(struct box *box);

/* After a check: doubtful events that are there count as promised, the others as never promised. */
void box_settle(struct box *box);

/* From now on report that there is room, so that LMDB itself reports that there is none. */
void box_lie(bool there_is_room);

/* Note a fault, unless there is one already. Always false. */
bool box_wrong(struct box *box, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

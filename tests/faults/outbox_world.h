/*
 * The outbox under fault: a fixed scenario, and the oracle that keeps what a client was told and
 * asks for it afterwards.
 *
 * The scenario has steps, each one transaction: several lanes, ids given twice, events without
 * an id, batches that are closed within the transaction, an event on overflow pages, acks, an
 * abort. The oracle writes down each OK (id, lane, epoch, number and the event's bytes) and each
 * batch that a reader could have seen, for a link may have sent it.
 */
#ifndef VALISE_TESTS_FAULTS_OUTBOX_WORLD_H
#define VALISE_TESTS_FAULTS_OUTBOX_WORLD_H

#include "agent_fixture.h"
#include "audit.h"

#define BOX_STEPS 9
#define BOX_EVENTS 14
#define BOX_MISSION "CN-SD-EMB"

/* Something the outbox has said OK to, or, where `doubtful`, said that it does not know. */
struct box_promise {
	uint8_t id[16], digest[16];
	char lane[48];
	uint64_t epoch, number;
	unsigned step;
	bool doubtful;
};

/* A batch that was there to be sent. */
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
	/* made beforehand: their memory must not be in the way */
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

/* Do step `step`. ok, or what begin or commit said. A good event refused as if it were bad, or
 * OK for an answer that contradicts an earlier one, is `wrong`. */
enum vl_err box_step(struct box *box, unsigned step);

/* Do the steps from `from` on, each begun and filled while the one before is still being
 * committed, as the keeper does. Calls `done` (NULL: nobody) after each that has landed well.
 * Returns the step that failed, and *err why, or BOX_STEPS. */
unsigned box_fly(struct box *box, unsigned from, void (*done)(unsigned step), enum vl_err *err);

/* Look at the store as it is now, opened by nobody: every promise made before step `kept` is
 * there once and unchanged, the step under way wholly or not at all, nothing else; every batch
 * ever to be seen is as it was; chains and signatures hold. Then, where `extend`, send
 * everything again and a new event to each lane: the answers must fit. False, and `wrong` says
 * why. */
bool box_check(struct box *box, unsigned kept, bool extend);

/* Do only the last part of a check, with the box as it is open now and everything that was
 * promised in it. Closes it. */
bool box_extend(struct box *box);

/* After a check: what was doubtful and is there counts as promised, the rest as never said. */
void box_settle(struct box *box);

/* From now on say that there is room, so that LMDB itself has to say that there is not. */
void box_lie(bool there_is_room);

/* Note what is wrong, unless something is already. Always false. */
bool box_wrong(struct box *box, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

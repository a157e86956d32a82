/*
 * The scenes of tests/bench/flash.c: records that an enrolled mission sends so that others wait.
 * Each was seen once, or is near to one that was.
 *
 * Next: flash_peer.h, a plain consumer beside it.
 */
#ifndef VALISE_BENCH_FLASH_SCENES_H
#define VALISE_BENCH_FLASH_SCENES_H

#include "base/buf.h"
#include "bus/batch.h"
#include "bus/sign.h"

#define CASES "consular.case.v1"
#define EVACUATIONS "consular.evacuation.v1"
#define TRAVELLERS "consular.traveller.v1"

/* One sender's chain on one lane. */
struct chain {
	const char *mission, *lane;
	struct vl_signer *signer;
	uint64_t epoch, seq, next;
	struct vl_digest head;
};

/* A signed batch, ready for Kafka. */
struct ready {
	struct vl_buf value;
	char sig[VL_SIG_TEXT];
};

/* Batches that are sent at once. */
struct dose {
	struct ready *batches;
	size_t n;
};

struct scene {
	const char *name, *lane;
	void (*make)(struct chain *chain, struct dose *dose);
};

/* The first one sends nothing. Ends with a NULL name. */
extern const struct scene scenes[];

void must(bool good, const char *what);

/* A batch with one leg that is planned. */
void plan_leg(struct chain *chain, const char *leg, struct ready *ready);

void dose_free(struct dose *dose);

#endif

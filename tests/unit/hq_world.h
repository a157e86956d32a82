/*
 * A small world for tests of headquarters: senders with keys and chains, their signed records, and
 * a ledger in a folder of its own. It is deterministic: keys follow from the order in which senders
 * are made, time from the events.
 *
 *     struct sender s = world_sender(w, "CN-SD-EMB");
 *
 *     bring(w, open_case(&s, 1, "SD-1", 100));
 *     assert_int_equal(world_standing(w, s.id).batches, 1);
 *
 * The world owns all that is made in it, and world_close frees it. Senders are copied like numbers:
 * a copy is a clone of the mission, with the same key. A batch lives as long as the world of its
 * sender.
 *
 * Next: hq_pulse_world.h, pulses for it.
 */
#ifndef VALISE_TESTS_HQ_WORLD_H
#define VALISE_TESTS_HQ_WORLD_H

#include "base/text.h"
#include "bus/batch.h"
#include "bus/keys.h"
#include "bus/record.h"
#include "bus/ring.h"
#include "bus/wire.h"
#include "consular/case/v1/case.pb-c.h"
#include "hq/fold/digest.h"
#include "hq/fold/views.h"
#include "hq/ingest/apply.h"
#include "hq/ledger/ledger.h"
#include "hq/ledger/standing.h"
#include "valise/v1/batch.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define LANE "consular.case.v1"
#define TYPE_PREFIX "type.googleapis.com/"

struct world {
	char dir[64], keys[80], views[80];
	struct vl_ring *ring; /* of the senders enrolled; NULL before the first */
	struct vl_store *store;
	struct vl_applier *applier;
	struct vl_arena *arena;
	int64_t offset;
	int64_t later_ms; /* of the broker's clock */
	struct vl_signer *signers[8];
	size_t n_signers;
	struct sent *sent; /* the newest first */
};

struct sender {
	struct world *world;
	char id[VL_MISSION_MAX + 1];
	struct vl_signer *signer;
	struct vl_epoch epoch;
	uint64_t seq, next_event;
	struct vl_digest head;
};

/* A record with its memory. */
struct sent {
	struct sent *next; /* of the world's */
	struct vl_buf value;
	char sig[VL_SIG_TEXT];
	char key[VL_MISSION_MAX + 1];
	struct vl_record record;
};

/* -- the world -- */

/* With an empty ledger, in which no sender is enrolled. It must not move, since its senders
 * point to it. */
void world_open(struct world *w);
void world_close(struct world *w);

/* The senders, their batches and the ring alone; of a world that was not opened, too. */
void world_forget(struct world *w);

/* Memory of zeros that begins with an open world, for a fixture; world_teardown ends it. */
void *world_new(size_t size);

/* Fixtures: sets *state to an open world; closes the world that *state is or begins with, and
 * frees it. */
int world_setup(void **state);
int world_teardown(void **state);

void world_open_ledger(struct world *w);
void world_close_ledger(struct world *w);

/* Give it an empty ledger, and Kafka's first offset. */
void world_start_over(struct world *w);

/* -- senders, and what they sign: the sender's chain moves on -- */

/* A mission at the beginning of its epoch 1000. And one that is not enrolled, under any id. */
struct sender world_sender(struct world *w, const char *id);
struct sender world_stranger(struct world *w, const char *id);

/* From now on the ring has the sender's key under its name. */
void world_enrol(struct world *w, const struct sender *s);

/* What the sender signs next begins an epoch, which names the end of the one before. */
void sender_begin_epoch(struct sender *s, uint64_t epoch);

/* One serialised Event, which the caller frees. `id` numbers it; times are seconds; `after` 0 is
 * none. */
void put_event(struct vl_buf *out, uint64_t id, const char *subject, int64_t at,
	       const ProtobufCMessage *payload, uint64_t after);

/* A batch of these events. `lane` is static text. */
struct sent *sign_batch_on(struct sender *s, const char *lane, const struct vl_buf *events,
			   size_t n);

/* A batch of one event, and of one that opens a case. */
struct sent *sign_event_on(struct sender *s, const char *lane, uint64_t id, const char *subject,
			   int64_t at, const ProtobufCMessage *payload, uint64_t after);
struct sent *open_case(struct sender *s, uint64_t id, const char *subject, int64_t at);

/* -- headquarters -- */

/* Bring one record, as the next of partition 0 of the lane, in a transaction of its own, and in
 * the one begun. */
void bring(struct world *w, const struct sent *sent);
void bring_within(struct world *w, const struct sent *sent);

/* Do the work left for the records that were brought; returns how many transactions that took.
 * Fails if it does not end. */
unsigned world_work_off(struct world *w);

/* The view of cases; its digest, and that of any view. */
size_t case_view(void);
struct vl_digest world_digest(struct world *w);
struct vl_digest world_digest_of(struct world *w, size_t view);

/* On the lane of cases. */
struct vl_standing world_standing(struct world *w, const char *mission);

uint64_t world_count(struct world *w, unsigned db);

#define assert_digest_equal(a, b) assert_memory_equal((a).bytes, (b).bytes, 32)

/* -- tests at random -- */

/* The first seed and the number of rounds: VALISE_SEED, else 1, and VALISE_ROUNDS, else
 * `rounds`; both are printed. */
struct rounds {
	uint64_t first, n;
};
struct rounds rounds_from(uint64_t rounds);

uint64_t next_random(uint64_t *seed);

#endif

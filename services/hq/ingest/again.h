/*
 * Again: reads passed batches (passed.h) once more, beside the feed.
 *
 * There is one pass at a time, one thread, one reader. After a turn of some thousands of records
 * the next pass has its turn, so that one mission's flood delays no other mission. A pass that
 * brought little rests before its next turn, longer each time. So does one whose partition cannot
 * be read; its batches are not lost meanwhile. If Kafka no longer has the batches, the pass ends,
 * and headquarters requests them from the missions (directives.h).
 *
 * Next: hq/ledger/evidence.h, batches that contradict a chain.
 */
#ifndef VALISE_HQ_INGEST_AGAIN_H
#define VALISE_HQ_INGEST_AGAIN_H

#include "base/clock.h"
#include "hq/ingest/verify.h"
#include "store/store.h"
#include "stream/stream.h"

struct vl_again;

/* Store, verifier and clock must outlive it; pairs are kept. */
enum vl_err vl_again_open(struct vl_store *store, struct vl_verifier *verifier,
			  const struct vl_conf_pair *pairs, size_t n_pairs,
			  const struct vl_clock *clock, struct vl_again **again,
			  struct vl_why *why) VL_CHECKED;

/* Call often, between transactions, from the thread that writes; `now_ms` is monotonic. Only an
 * error of the store is returned. */
enum vl_err vl_again_work(struct vl_again *again, int64_t now_ms, struct vl_why *why) VL_CHECKED;

/* Whether nothing is being read, and no pass would be useful as of the last commit, including
 * those that rest. */
bool vl_again_idle(struct vl_again *again);

/* Call after vl_verifier_stop; waits for the thread. */
void vl_again_close(struct vl_again *again);

#endif

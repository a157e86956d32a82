/*
 * Again: reads what was passed over (passed.h) once more, beside the feed.
 *
 * One pass at a time, one thread, one reader: a turn of some thousands of records, then the next
 * pass has its turn, so that one mission's flood keeps nobody else's records waiting. A pass
 * that brought little rests before its next, longer each time, and so does one whose partition
 * cannot be read; what lies there is not lost meanwhile. What Kafka no longer has ends the pass:
 * the missions are asked for it (directives.h).
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

/* Whether nothing is being read, and nothing would be worth it as of the last commit, whatever
 * rests. */
bool vl_again_idle(struct vl_again *again);

/* Call after vl_verifier_stop; waits for the thread. */
void vl_again_close(struct vl_again *again);

#endif

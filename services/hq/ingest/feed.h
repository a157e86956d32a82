/*
 * The feed: a thread that reads every lane with a view, and that of pulses, from Kafka into the
 * verifier.
 *
 * It begins where the ledger's offsets say, waits for brokers and topics that are not there yet,
 * and takes in partitions that are added later. Each partition is read for itself
 * (stream/reader.h): one that cannot be read, now or ever, keeps nobody waiting. What is wrong
 * with it is noted in the ledger (unread.h), and so is what was passed over because nobody can
 * read it.
 *
 * Where Kafka no longer has a partition's next record (its topic was made anew, or its oldest
 * records deleted), an error in the log says so, and reading goes on at the first record there
 * is: no record is known by its offset, so that nothing is skipped and nothing taken twice. What
 * Kafka has lost shows as a gap in the chains, and the missions send it again, as they have no
 * receipt for it.
 *
 * Senders' clocks decide nothing: where a topic keeps the senders' times a record gets ours,
 * when it is read.
 */
#ifndef VALISE_HQ_INGEST_FEED_H
#define VALISE_HQ_INGEST_FEED_H

#include "base/buf.h"
#include "base/clock.h"
#include "bus/types.h"
#include "hq/ingest/apply.h"
#include "hq/ingest/verify.h"
#include "store/store.h"
#include "stream/stream.h"

struct vl_feed;

/* Start reading. Store, verifier and clock must outlive the feed; pairs are kept. Lanes less
 * urgent than `least` are not read, and noted as waiting: there is no room for them (reserve.h). */
enum vl_err vl_feed_open(struct vl_store *store, struct vl_verifier *verifier,
			 const struct vl_conf_pair *pairs, size_t n_pairs,
			 const struct vl_clock *clock, enum vl_precedence least,
			 struct vl_feed **feed, struct vl_why *why) VL_CHECKED;

/* Call often, between transactions: puts what could not be read, and what can be again, into the
 * ledger. */
enum vl_err vl_feed_note(struct vl_feed *feed, struct vl_why *why) VL_CHECKED;

/* Call often, between transactions: where the feed has to go on at another offset, put that into
 * the ledger (vl_apply_rewind), once all records from before are applied. */
enum vl_err vl_feed_rewind(struct vl_feed *feed, struct vl_applier *applier,
			   struct vl_why *why) VL_CHECKED;

/* Ask where every partition of the lanes with a view ends now; and the answer, an array of
 * vl_position in `ends`, once it is there: a lane is in it only where all its partitions are
 * read and could be asked. An empty partition ends at 0. Once a partition is read to its end the
 * answer says instead what its offset in the ledger will be when all that was read is applied:
 * behind that there is nothing but what Kafka itself wrote. So ask for the answer again until it
 * is reached. */
void vl_feed_ask_ends(struct vl_feed *feed);
bool vl_feed_ends(struct vl_feed *feed, struct vl_buf *ends);

/* Whether every partition of a lane that can be read was at its end since then
 * (vl_monotonic_ms), or is now, and all up to there is applied. `feed` is a struct vl_feed. */
bool vl_feed_has_read(void *feed, const char *lane, int64_t since_ms);

/* Call after vl_verifier_stop; waits for the thread. */
void vl_feed_close(struct vl_feed *feed);

#endif

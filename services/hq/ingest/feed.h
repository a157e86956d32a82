/*
 * The feed: a thread that reads every lane with a view, and the lane of pulses, from Kafka into
 * the verifier.
 *
 * It begins at the ledger's offsets, waits for brokers and topics that do not exist yet, and
 * reads partitions that are added later. Each partition is read for itself (stream/reader.h):
 * one that cannot be read delays no other. Its state is noted in the ledger (unread.h), and so
 * are unreadable records that were passed over.
 *
 * Kafka may no longer have a partition's next record: its topic was made anew, or its oldest
 * records were deleted. Then an error in the log says so, and reading goes on at the first
 * existing record. No record is known by its offset, so none is skipped and none is taken twice.
 * Records that Kafka lost appear as a gap in the chains. The missions send them again, since
 * they have no receipt for them.
 *
 * In a partition of a FLASH lane no record waits behind another sender's flood. Records that
 * find no room are put off (verify.h), and reading goes on.
 *
 * Senders' clocks decide nothing: if a topic keeps the senders' times, a record gets ours when
 * it is read.
 *
 * Next: feed_in.h, its parts.
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

/* Call it often, between transactions: it notes in the ledger which partitions cannot be read,
 * and which can again. */
enum vl_err vl_feed_note(struct vl_feed *feed, struct vl_why *why) VL_CHECKED;

/* Call it often, between transactions. If the feed has to go on at another offset, this puts it
 * into the ledger (vl_apply_rewind), after all records from before are applied. */
enum vl_err vl_feed_rewind(struct vl_feed *feed, struct vl_applier *applier,
			   struct vl_why *why) VL_CHECKED;

/* Ask where every partition of the lanes with a view ends now. And the answer, an array of
 * vl_position in `ends`, when it has come. A lane is in it only if all its partitions are read
 * and could answer. An empty partition ends at 0. When a partition is read to its end, the
 * answer has its future offset in the ledger instead, when all read records are applied. Behind
 * that there are only records that Kafka itself wrote. So ask for the answer again until it is
 * reached. */
void vl_feed_ask_ends(struct vl_feed *feed);
bool vl_feed_ends(struct vl_feed *feed, struct vl_buf *ends);

/* Whether every readable partition of a lane was at its end since then (vl_monotonic_ms), or is
 * now, and all up to there is applied. `feed` is a struct vl_feed. */
bool vl_feed_has_read(void *feed, const char *lane, int64_t since_ms);

/* Call after vl_verifier_stop; waits for the thread. */
void vl_feed_close(struct vl_feed *feed);

#endif

/*
 * The feed: a thread that reads every lane with a view, and that of pulses, from Kafka into the verifier.
 *
 * It begins where the ledger's offsets say, waits for brokers and topics that are not there yet, and takes in partitions that are
 * added later. Where Kafka no longer has a partition's next record (its topic was made anew, or its oldest records deleted), an
 * error in the log says so, and reading goes on at the first record there is: no record is known by its offset, so that nothing
 * is skipped and nothing taken twice. What Kafka has lost shows as a gap in the chains, and the missions send it again, as
 * they have no receipt for it.
 */
#ifndef VALISE_HQ_FEED_H
#define VALISE_HQ_FEED_H

#include "hq/apply.h"
#include "hq/verify.h"
#include "store/store.h"
#include "stream/stream.h"

struct vl_feed;

/* Start reading. Store and verifier must outlive the feed; pairs are kept. */
enum vl_err vl_feed_open(struct vl_store *store, struct vl_verifier *verifier, const struct vl_conf_pair *pairs,
			 size_t n_pairs, struct vl_feed **feed, struct vl_why *why) VL_CHECKED;

/* Call often, between transactions: where the feed has to go on at another offset, put that into the ledger (vl_apply_rewind), once
 * all records from before are applied. */
enum vl_err vl_feed_rewind(struct vl_feed *feed, struct vl_applier *applier, struct vl_why *why) VL_CHECKED;

/* Ask where every partition of the lanes with a view ends now; and the answer, once it is there, at most VL_FEED_PARTITIONS: a lane
 * is in it only where all its partitions are read and could be asked. An empty partition ends at 0. */
#define VL_FEED_PARTITIONS 256
void vl_feed_ask_ends(struct vl_feed *feed);
bool vl_feed_ends(struct vl_feed *feed, struct vl_position *ends, size_t *count);

/* Call after vl_verifier_stop; waits for the thread. */
void vl_feed_close(struct vl_feed *feed);

#endif

/*
 * The feed: a thread that reads every lane with a view from Kafka into the verifier.
 *
 * It begins where the ledger's offsets say, waits for brokers and topics that are not there yet, and takes in partitions that are
 * added later. A partition whose offset Kafka no longer has is stopped, with a reason in the log, while the others go on: it
 * is never reset and nothing is skipped.
 */
#ifndef VALISE_HQ_FEED_H
#define VALISE_HQ_FEED_H

#include "hq/verify.h"
#include "store/store.h"
#include "stream/stream.h"

struct vl_feed;

/* Start reading. Store and verifier must outlive the feed; pairs are kept. */
enum vl_err vl_feed_open(struct vl_store *store, struct vl_verifier *verifier, const struct vl_conf_pair *pairs,
			 size_t n_pairs, struct vl_feed **feed, struct vl_why *why) VL_CHECKED;

/* Call after vl_verifier_stop; waits for the thread. */
void vl_feed_close(struct vl_feed *feed);

#endif

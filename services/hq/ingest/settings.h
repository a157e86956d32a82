/*
 * Settings: whether the topics are set as headquarters relies on. A thread of its own asks the
 * brokers at the start and every five seconds. A difference is logged when it is found, and again
 * every hour, and is kept in the ledger (unread.h).
 *
 * Headquarters relies on these (brokers/topics.yaml sets them; that file is not needed here):
 *
 *   message.timestamp.type   LogAppendTime: the broker's clock measures silence, never senders'
 *   cleanup.policy           delete on lanes, directives and dead letters, compact on receipts
 *                            and pulses
 *   retention.ms, .bytes     -1: Kafka deletes nothing by itself
 *   min.compaction.lag.ms    if compacted, 30 days at least: receipts wait for absent missions
 *   max.message.bytes        a batch of 1,000,000 bytes and its headers fits; at most 16 MiB
 *   partitions               1 of receipts and directives, the only one that a mission reads
 *
 * Next: keybook.h, keys of the past.
 */
#ifndef VALISE_HQ_INGEST_SETTINGS_H
#define VALISE_HQ_INGEST_SETTINGS_H

#include "base/clock.h"
#include "hq/ledger/unread.h"
#include "store/store.h"
#include "stream/stream.h"

struct vl_settings;

/* Pairs and clock are kept; the store must outlive it. */
enum vl_err vl_settings_open(struct vl_store *store, const struct vl_conf_pair *pairs,
			     size_t n_pairs, const struct vl_clock *clock,
			     struct vl_settings **settings, struct vl_why *why) VL_CHECKED;

/* Waits for the thread, some seconds at most. */
void vl_settings_close(struct vl_settings *settings);

/* Call it often, between transactions: it puts the findings into the ledger. */
enum vl_err vl_settings_note(struct vl_settings *settings, struct vl_why *why) VL_CHECKED;

/* Pure: the faults of one topic, at most VL_SETTINGS_FOUND. `value` gives a setting by name,
 * NULL if it is unknown. */
#define VL_SETTINGS_FOUND 8
size_t vl_settings_judge(const char *topic, int32_t partitions,
			 const char *(*value)(void *context, const char *name), void *context,
			 struct vl_unread found[VL_SETTINGS_FOUND]);

#endif

/*
 * Settings: whether the topics are as headquarters relies on, asked of the brokers at the start
 * and again every five seconds, on a thread of its own. What is otherwise is said aloud when it
 * is found and again every hour, and stands in the ledger (unread.h).
 *
 * What is relied on (brokers/topics.yaml sets it; nobody needs that file here):
 *
 * message.timestamp.type   LogAppendTime: silence is measured by the broker's clock, never by
 * senders' cleanup.policy           delete on lanes, directives and dead letters, compact on
 * receipts and pulses retention.ms, .bytes     -1: Kafka forgets nothing by itself
 * min.compaction.lag.ms    where compacted, 30 days at least: receipts wait for who was away
 * max.message.bytes        a batch of 1,000,000 bytes and its headers fits; no more than 16 MiB
 * partitions               1 of receipts and directives, which a mission reads alone
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

/* Call often, between transactions: puts what was found into the ledger. */
enum vl_err vl_settings_note(struct vl_settings *settings, struct vl_why *why) VL_CHECKED;

/* Pure: what is wrong with one topic, at most VL_SETTINGS_FOUND of it. `value` gives a setting
 * by name, NULL where it is not known. */
#define VL_SETTINGS_FOUND 8
size_t vl_settings_judge(const char *topic, int32_t partitions,
			 const char *(*value)(void *context, const char *name), void *context,
			 struct vl_unread found[VL_SETTINGS_FOUND]);

#endif

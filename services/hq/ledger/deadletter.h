/*
 * Dead letters: records that are not authentic or cannot be read, kept byte for byte. A batch also
 * has one if one of its events is left out, or has an id that another event has too. Its other
 * events are applied all the same.
 *
 * The letter is kept in the transaction that moves the offset. It is sent to the topic
 * valise.deadletter.v1 afterwards, and again until Kafka has it. So a dead letter may be there
 * twice, always with the same origin. Key, value and headers are those of the record. Headers
 * valise.errors.topic, .partition, .offset, .timestamp, .reason and .detail (text) are added.
 *
 * One that the topic refuses delays no other (refused.h). If the topic accepts nothing at all, all
 * wait, with pauses of 1 s to 1 minute. Then it does not exist, or there are no rights. The log
 * reports each of these once when it begins, and once when it ends.
 *
 * Next: refused.h, those that their topic refuses.
 */
#ifndef VALISE_HQ_LEDGER_DEADLETTER_H
#define VALISE_HQ_LEDGER_DEADLETTER_H

#include "base/clock.h"
#include "hq/ledger/ledger.h"
#include "stream/stream.h"

#define VL_DEADLETTER_TOPIC "valise.deadletter.v1"

/* The most bytes, as stored, that may wait for Kafka whole: of one topic and record key, and of
 * all. Beyond it only the first bytes of a value are kept, with the digest of all of it. Beyond
 * twice as much a letter is only counted. It is still in Kafka, where it came from. */
#define VL_DEADLETTER_SENDER ((uint64_t)8 << 20)
#define VL_DEADLETTER_ALL ((uint64_t)64 << 20)
#define VL_DEADLETTER_FIRST ((size_t)1024)

/* Keep a record as a dead letter for `reason`; `why`, which may be NULL, has its words. Counts
 * the reason. */
void vl_deadletter_bury(struct vl_txn *txn, const struct vl_record *record,
			const struct vl_digest *digest, enum vl_err reason,
			const struct vl_why *why);

/* Delete a letter that Kafka has, or that is to be forgotten; `again` if it is among the
 * refused. */
void vl_deadletter_let_go(struct vl_txn *txn, struct vl_bytes key, bool again);

/* How many records had each reason, ever, by name. */
void vl_deadletter_each_reason(struct vl_txn *txn,
			       void (*each)(void *context, const char *reason, uint64_t count),
			       void *context);

/* Sends dead letters to Kafka. One for the process, used by the thread that writes the ledger.
 * The clock times the refused ones. */
struct vl_undertaker;

enum vl_err vl_undertaker_open(struct vl_store *store, const struct vl_conf_pair *pairs,
			       size_t n_pairs, const struct vl_clock *clock,
			       struct vl_undertaker **undertaker, struct vl_why *why) VL_CHECKED;

/* Send the waiting letters, and delete those that Kafka has; it does not wait. Call it after
 * commits and when idle. Only an error of the store is returned; Kafka's are logged and tried
 * again. */
enum vl_err vl_undertaker_work(struct vl_undertaker *undertaker, struct vl_why *why) VL_CHECKED;

/* Wait a little for letters in flight. The rest is sent after the next start. */
void vl_undertaker_close(struct vl_undertaker *undertaker);

#endif

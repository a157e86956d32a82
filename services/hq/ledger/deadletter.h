/*
 * Dead letters: records that are not authentic or cannot be read, kept byte for byte. A batch
 * with an event that is left out, or whose id another event has, too, has one as well: its other
 * events are applied all the same.
 *
 * Burying happens in the transaction that moves the offset; sending to the topic
 * valise.deadletter.v1 happens afterwards and is repeated until Kafka has it, so a dead letter
 * may stand there twice, always with the same origin. Key, value and headers are those of the
 * record; headers valise.errors.topic, .partition, .offset, .timestamp, .reason and .detail
 * (text) are added. One that the topic refuses holds up no other (refused.h). Where the topic
 * takes nothing at all, as it is not there or not for us, all wait, with pauses of 1 s to 1
 * minute between tries. The log says each of these once when it begins, and once when it ends.
 */
#ifndef VALISE_HQ_LEDGER_DEADLETTER_H
#define VALISE_HQ_LEDGER_DEADLETTER_H

#include "base/clock.h"
#include "hq/ledger/ledger.h"
#include "stream/stream.h"

#define VL_DEADLETTER_TOPIC "valise.deadletter.v1"

/* What may wait for Kafka whole, in bytes as stored: of one topic and record key, and of all.
 * Beyond it only the first bytes of a value are kept, with the digest of all of it; beyond twice
 * as much a letter is counted alone. It still lies where it came from. */
#define VL_DEADLETTER_SENDER ((uint64_t)8 << 20)
#define VL_DEADLETTER_ALL ((uint64_t)64 << 20)
#define VL_DEADLETTER_FIRST ((size_t)1024)

/* Bury a record for `reason`; `why`, which may be NULL, has its words. Counts the reason. */
void vl_deadletter_bury(struct vl_txn *txn, const struct vl_record *record,
			const struct vl_digest *digest, enum vl_err reason,
			const struct vl_why *why);

/* Take out a letter that Kafka has, or that is to be forgotten: `again` where it lies among the
 * refused. */
void vl_deadletter_let_go(struct vl_txn *txn, struct vl_bytes key, bool again);

/* How many records were buried for each reason, ever, by name. */
void vl_deadletter_each_reason(struct vl_txn *txn,
			       void (*each)(void *context, const char *reason, uint64_t count),
			       void *context);

/* Brings buried records to Kafka. One for the process, used by the thread that writes the
 * ledger. The clock times what was refused. */
struct vl_undertaker;

enum vl_err vl_undertaker_open(struct vl_store *store, const struct vl_conf_pair *pairs,
			       size_t n_pairs, const struct vl_clock *clock,
			       struct vl_undertaker **undertaker, struct vl_why *why) VL_CHECKED;

/* Send what is buried and forget what Kafka has; does not wait. Call it after commits and when
 * idle. Only an error of the store is returned; Kafka's are logged and tried again. */
enum vl_err vl_undertaker_work(struct vl_undertaker *undertaker, struct vl_why *why) VL_CHECKED;

/* Waits a little for what is under way. What is left is sent after the next start. */
void vl_undertaker_close(struct vl_undertaker *undertaker);

#endif

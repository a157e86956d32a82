/*
 * Inside the outbox: its databases, and how their rows are packed. Numbers are big-endian.
 *
 *     META     "format" -> u32;  "mission" -> text;  "key" -> key id[16]
 *              "token", "machine" -> [16]
 *              "resign" -> anything, while some batches are still to be signed with `key`
 *              "carry " and lane text -> u64 epoch, digest[32], u64 epoch, u64 seq
 *                                        (older rows lack the last two)
 *              "ids" -> u64 seconds, u64 count
 *              "ids " and lane text -> u64 epoch, u64 event, u64 epoch, u64 seq (outbox_ids.c)
 *              "lost " and a BATCH key -> u64 seconds, u64 first event, u64 event behind the last,
 *                                         then that row as it was found, or nothing without room
 *     CHAIN    lane text -> u32 number, u64 epoch, u64 seq, u64 next_event, digest[32]
 *     BATCH    lane text NUL, u64 epoch, u64 seq -> key id[16], signature[64], digest[32],
 *              u8 domain, u32 n_events, u64 first_event, u64 seconds, u32 nanos,
 *              a sum[8] of the key and all this; then the batch's bytes, which the digest proves
 *     EVENT    id[16] -> u32 lane number, u64 epoch, u64 event, u64 gist (bus/batch.h)
 *                        (format 2 has no gist)
 *     ACKED    lane text -> u64 epoch, u64 seq
 *     APPLIED  lane text -> u64 epoch, u64 seq, digest[32] of that batch (not in older rows)
 *     SENT     lane text -> u64 epoch, u64 seq
 *     INBOX    topic text NUL, u32 partition -> u64 next offset
 *
 * The store adds its checksum to all but BATCH (UNCHECKED).
 *
 * A lane gets a number of its own in each outbox, at its first event. A name in every EVENT row
 * would double that database.
 *
 * Next: ids.h, the ids of a round.
 */
#ifndef VALISE_AGENT_OUTBOX_OUTBOX_ROWS_H
#define VALISE_AGENT_OUTBOX_OUTBOX_ROWS_H

#include "agent/outbox/outbox.h"
#include "bus/chain.h"
#include "store/store.h"

enum { META, CHAIN, BATCH, EVENT, ACKED, APPLIED, INBOX, SENT };
extern const char *const vl_outbox_dbs[];

#define VL_OUTBOX_UNCHECKED (UINT64_C(1) << BATCH)
#define VL_OUTBOX_FORMAT 3
#define VL_OUTBOX_FORMAT_BEFORE 2 /* read as it is; the writer writes the new number */
#define VL_BATCH_ROW_HEAD ((size_t)145)
#define VL_EVENT_ROW ((size_t)28)
#define VL_EVENT_ROW_BEFORE ((size_t)20)

struct chain_row {
	uint32_t number;
	struct vl_chain chain;
};

struct event_row {
	uint32_t number;
	struct vl_epoch epoch;
	struct vl_event_no event;
	uint64_t gist;
	bool has_gist; /* of the row; false if format 2 wrote it */
};

/* A lane whose epochs up to this one are being left behind, and the batch behind which the next
 * epoch begins. Batches up to (kept_epoch, kept_seq) stay: they are whole, and the next epoch
 * begins behind them. */
struct carry_row {
	struct vl_epoch up_to;
	struct vl_digest prev;
	struct vl_epoch kept_epoch;
	struct vl_seq kept_seq;
};

/* When the lanes' positions were last noted, and how many ids were known then. */
struct ids_row {
	int64_t since;
	uint64_t count;
};

/* The number behind a lane's last event at that time, and the batch up to which all must be
 * applied before older ids are deleted. */
struct lane_ids {
	struct vl_epoch epoch;
	struct vl_event_no event;
	struct vl_epoch due_epoch;
	struct vl_seq due_seq;
};

struct vl_key row_batch_key(const char *lane, struct vl_epoch epoch, struct vl_seq seq);

void row_put_chain(struct vl_txn *txn, const char *lane, const struct chain_row *row);
void row_put_batch(struct vl_txn *txn, const struct vl_outbox_batch *batch);
void row_put_position(struct vl_txn *txn, const char *topic, int32_t partition, int64_t offset);
void row_pack_event(const struct event_row *row, uint8_t bytes[VL_EVENT_ROW]);

/* The greatest id of all EVENT rows; false if it cannot be determined. */
bool row_greatest_id(struct vl_txn *txn, struct vl_event_id *id);

/* False if the row has a wrong size: damaged. */
bool row_read_chain(struct vl_bytes value, struct chain_row *row);
bool row_read_event(struct vl_bytes value, struct event_row *row);

/* False if it is damaged; the batch's own bytes are not checked (vl_outbox_intact). Then all is
 * zero but lane, epoch and seq; `lane` is NULL if not even the key is valid. */
bool row_read_batch(struct vl_bytes key, struct vl_bytes value, struct vl_outbox_batch *batch);

/* How far a lane is ACKED or APPLIED. Zeros if there is no row, or if it is damaged. A batch
 * that is not known to be acked is sent again. A batch that is not known to be applied waits for
 * the next receipt. */
void row_put_place(struct vl_txn *txn, unsigned db, const char *lane, struct vl_epoch epoch,
		   struct vl_seq seq);
void row_get_place(struct vl_txn *txn, unsigned db, const char *lane, struct vl_epoch *epoch,
		   struct vl_seq *seq);

/* The digest of the last applied batch; false if it is unknown. */
void row_put_applied(struct vl_txn *txn, const char *lane, struct vl_epoch epoch, struct vl_seq seq,
		     const struct vl_digest *digest);
bool row_get_applied_digest(struct vl_txn *txn, const char *lane, struct vl_digest *digest);

/* A batch that is given up, as it was found; its events were these, or some of these. */
struct lost_events {
	uint64_t first, end;
};
void row_put_lost(struct vl_txn *txn, struct vl_bytes batch_key, struct vl_time when,
		  struct lost_events events, struct vl_bytes raw);

/* Walk them: the first, and the next one. `batch` has lane, epoch and seq; its value has the
 * bytes that are kept. */
struct vl_cursor *row_open_lost(struct vl_txn *txn);
bool row_next_lost(struct vl_cursor *cursor, bool first, struct vl_outbox_batch *batch,
		   struct lost_events *events);

/* As put, if that is later than the present row. */
void row_raise_place(struct vl_txn *txn, unsigned db, const char *lane, struct vl_epoch epoch,
		     struct vl_seq seq);

/* put: an `up_to` of 0 deletes the row. get: zeros if there is none. */
void row_put_carry(struct vl_txn *txn, const char *lane, const struct carry_row *row);
struct carry_row row_get_carry(struct vl_txn *txn, const char *lane);

/* False and zeros if there is none, or if it is damaged: then it is noted anew. */
void row_put_ids(struct vl_txn *txn, const struct ids_row *row);
bool row_get_ids(struct vl_txn *txn, struct ids_row *row);
void row_put_lane_ids(struct vl_txn *txn, const char *lane, const struct lane_ids *row);
struct lane_ids row_get_lane_ids(struct vl_txn *txn, const char *lane);

/* -1 if there is no row, or if it is damaged: receipts are then read from the first. */
int64_t row_get_position(struct vl_txn *txn, const char *topic, int32_t partition);

#endif

/*
 * The ledger: headquarters' store, and the content of each database in it.
 *
 * meta      name                                 -> value: format, bytes parked in all,
 *                                                   the version of each view (version.h)
 * offset    topic, partition                     -> next offset, digest of the last record
 * chain     mission, lane, epoch                 -> seq, next event, digest
 * standing  mission, lane                        -> counters and verdict (standing.h)
 * archive   mission, lane, epoch, seq            -> record as received, digest
 * parked    mission, lane, epoch, seq, digest    -> record that waits behind a gap
 * evidence  mission, lane, epoch, seq, digest    -> record that contradicts the chain, or nothing
 *                                                   if only its digest is kept; the epoch of any
 *                                                   such record is suspended
 * dead      topic, partition, offset             -> dead letter, until Kafka has it
 * refused   time of the next try, key in dead    -> dead letter that its topic refused (refused.h)
 * reasons   name of a reason                     -> how many records were refused for it
 * waiting   mission, lane                        -> bytes parked; the furthest batch that was not
 *                                                   kept (parked.h)
 * pulse     mission                              -> its newest pulse, a record as received
 * missing   mission, lane                        -> epoch, seq that Kafka had and headquarters did
 *                                                   not find
 * key       key id; key id, lane                 -> a public key that was ever enrolled, and where
 *                                                   it ended (keybook.h)
 * unread    kind, topic, partition, name, offset -> a part of Kafka that cannot be read, or a
 *                                                   setting that is wrong (unread.h)
 * passed    mission, lane, topic, partition      -> the place in Kafka of batches for which there
 *                                                   was no room to wait (passed.h)
 * awaits    mission, lane, digest, epoch         -> nothing: the parked first batch of that epoch
 *                                                   follows on that digest
 * due       mission, lane, epoch                 -> nothing: parked batches of that epoch may be
 *                                                   applied now
 * digest    mission, lane, half of a digest      -> epoch, seq of its batch, archived or evidence
 * held      mission; mission, lane; and epoch    -> how much evidence is kept and counted, and
 *                                                   whether the epoch began without knowing of
 *                                                   the previous one (evidence.h)
 * todo      view, mission, class, number         -> work left for an accepted batch (todo.h)
 * pending   view, kind, entity                   -> an entity that waits to be folded, or a fan
 *                                                   under way
 * recount   view, key of a tally                 -> the sum of what the rows add to it (renewal.h)
 *
 * and for each view (index i of vl_views):
 * event     event id, mission                    -> its place, and its fingerprint; duplicates are
 *                                                   known for ever
 * history   kind, entity, mission, epoch, event  -> where the event is in the archive
 * row       kind, entity                         -> the row, a packed message
 * tally     kind, entity, name                   -> a number
 * lookup    kind, entity                         -> the rows that it looks up (fold_lookup.c)
 *           row that is looked up, kind, entity  -> nothing: this entity looks it up
 * index     kind, field, value, entity           -> nothing: a declared index of the rows
 *
 * Texts in keys end with a NUL, and numbers are big-endian. All changes of one batch are written in
 * one transaction with the offset that it came from.
 *
 * Next: chains.h, how far each sender is.
 */
#ifndef VALISE_HQ_LEDGER_H
#define VALISE_HQ_LEDGER_H

#include "bus/record_pack.h"
#include "store/store.h"

enum vl_ledger_db {
	VL_DB_META,
	VL_DB_OFFSET,
	VL_DB_CHAIN,
	VL_DB_STANDING,
	VL_DB_ARCHIVE,
	VL_DB_PARKED,
	VL_DB_EVIDENCE,
	VL_DB_DEAD,
	VL_DB_REFUSED,
	VL_DB_REASONS,
	VL_DB_WAITING,
	VL_DB_PULSE,
	VL_DB_MISSING,
	VL_DB_KEY,
	VL_DB_UNREAD,
	VL_DB_PASSED,
	VL_DB_AWAITS,
	VL_DB_DUE,
	VL_DB_DIGEST,
	VL_DB_HELD,
	VL_DB_TODO,
	VL_DB_PENDING,
	VL_DB_RECOUNT,
	VL_DB_VIEWS, /* the first of the views' own */
};

enum vl_view_db {
	VL_VIEW_EVENT,
	VL_VIEW_HISTORY,
	VL_VIEW_ROW,
	VL_VIEW_TALLY,
	VL_VIEW_LOOKUP,
	VL_VIEW_INDEX,
	VL_VIEW_DBS
};

static inline unsigned vl_view_db(size_t view, enum vl_view_db db)
{
	return (unsigned)(VL_DB_VIEWS + view * VL_VIEW_DBS + db);
}

/* The format of the whole ledger, in `meta`, one byte. */
#define VL_LEDGER_FORMAT 13
#define VL_LEDGER_FORMAT_KEY "format"

/* Room for the name of a database, as LMDB has it (hq/fold/databases.h). */
#define VL_LEDGER_NAME 128

/* What to do about a damaged ledger; it ends a sentence. */
#define VL_LEDGER_REBUILD                                                                        \
	"to rebuild the views from offset 0, stop valise-hq, move its folder away and start it " \
	"again"

/* The place of one event in the archive. */
struct vl_place {
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no event;
	uint32_t offset, size; /* within the batch's bytes */
	uint64_t sum;          /* of the event's bytes */
};

/* The place of one event of a batch; without the sum. */
struct vl_place vl_place_of(const struct vl_record *record, const struct vl_batch *batch,
			    size_t event);

/* What the keys of a mission's lane begin with. Both are NUL-terminated, here and below. */
struct vl_key vl_ledger_lane_key(const char *mission, const char *lane);

/* The archive's key. */
void vl_archive_key(struct vl_key *key, const char *mission, const char *lane,
		    struct vl_epoch epoch, struct vl_seq seq);

/* A batch's place in the archive. */
struct vl_archive_place {
	const char *mission, *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
};

/* Walk the archived batches of one lane, by mission, epoch and seq: {.lane = LANE} to begin.
 * `at` points into the walk, `stored` is valid until the next write. False at the end. */
struct vl_archive_walk {
	const char *lane;
	struct vl_key key; /* of the last */
};

bool vl_archive_next(struct vl_txn *txn, struct vl_archive_walk *walk, struct vl_archive_place *at,
		     struct vl_bytes *stored);

/* The batch's bytes out of the archive, that of `place`; and one event's within them. CORRUPT if
 * it is absent, or was changed. */
enum vl_err vl_archive_batch(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *batch) VL_CHECKED;
enum vl_err vl_place_event(struct vl_bytes batch, const struct vl_place *place,
			   struct vl_bytes *event) VL_CHECKED;

/* Both at once. */
enum vl_err vl_archive_event(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *event) VL_CHECKED;

#endif

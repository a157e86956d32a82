/*
 * The ledger: headquarters' store, and what lies where in it.
 *
 * meta      name                                  -> value           format, bytes parked in
 * all, the version of each view (version.h) offset    topic, partition                      ->
 * next offset, digest of the last record chain     mission, lane, epoch                  -> seq,
 * next event, digest standing  mission, lane                         -> counters and verdict
 * (standing.h) archive   mission, lane, epoch, seq             -> record as received, digest
 * parked    mission, lane, epoch, seq, digest     -> record that waits behind a gap evidence
 * mission, lane, epoch, seq, digest     -> record that contradicts the chain, or nothing where
 * only its digest is kept; with one the epoch is suspended dead      topic, partition, offset
 * -> record for the dead letters, until Kafka has it refused   when to try again, key in dead
 * -> dead letter that its topic refused (refused.h) reasons   name of a reason
 * -> how many records were refused for it waiting   mission, lane                         ->
 * bytes parked; the furthest place that was not kept (parked.h) pulse     mission
 * -> its newest pulse, a record as received missing   mission, lane                         ->
 * epoch, seq that Kafka had and headquarters did not find key       key id; key id, lane
 * -> a public key ever enrolled, and where it ended (keybook.h) unread    kind, topic,
 * partition, name, offset  -> what cannot be read from Kafka, or is not as relied on (unread.h)
 * passed    mission, lane, topic, partition       -> where in Kafka that lies for which there
 * was no room to wait (passed.h) awaits    mission, lane, digest, epoch          -> nothing: the
 * parked first batch of that epoch follows on that digest due       mission, lane, epoch
 * -> nothing: what is parked of that epoch may be applied now digest    mission, lane, half of a
 * digest       -> epoch, seq of the batch, archived or evidence, that has it held      mission;
 * mission, lane; and epoch       -> how much evidence is kept and counted, and whether the epoch
 * began without knowing (evidence.h) todo      view, mission, class, number          -> what of
 * an accepted batch is still to be done (todo.h) pending   view, kind, entity
 * -> an entity that waits to be folded, or a fan under way recount   view, key of a tally
 * -> what the rows add to it, counted anew (renewal.h) and for each view (index i of vl_views):
 * event     event id, mission                     -> its place, what tells it from others;
 * de-duplication is for ever history   kind, entity, mission, epoch, event   -> where the event
 * lies in the archive row       kind, entity                          -> the row, a packed
 * message tally     kind, entity, name                    -> a number
 *
 * Texts in keys end with a NUL, numbers are big-endian. Everything that one batch changes is
 * written in one transaction with the offset it came from.
 */
#ifndef VALISE_HQ_LEDGER_H
#define VALISE_HQ_LEDGER_H

#include "bus/record.h"
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

enum vl_view_db { VL_VIEW_EVENT, VL_VIEW_HISTORY, VL_VIEW_ROW, VL_VIEW_TALLY, VL_VIEW_DBS };

static inline unsigned vl_view_db(size_t view, enum vl_view_db db)
{
	return (unsigned)(VL_DB_VIEWS + view * VL_VIEW_DBS + db);
}

/* Of all that is in it; it is in `meta`, one byte. */
#define VL_LEDGER_FORMAT 12
#define VL_LEDGER_FORMAT_KEY "format"

/* Open the ledger in folder `path`; `size` is the map's. Whoever writes mends its heads first
 * (mend.h). Errors as vl_store_open. */
enum vl_err vl_ledger_open(const char *path, size_t size, bool read_only, struct vl_store **store,
			   struct vl_why *why) VL_CHECKED;

/* The name of a database, as LMDB has it. */
#define VL_LEDGER_NAME 128
void vl_ledger_name(unsigned db, char name[VL_LEDGER_NAME]);

/* What to do about a ledger that is damaged; ends a sentence. */
#define VL_LEDGER_REBUILD                                                                        \
	"to rebuild the views from offset 0, stop valise-hq, move its folder away and start it " \
	"again"

/* What is kept of bytes to know them again, as LMDB has no checksums: XXH3. It finds what a disk
 * let rot, and proves nothing against somebody who wants two events to be alike. */
uint64_t vl_sum(struct vl_bytes bytes);

/* The place of one event in the archive. */
struct vl_place {
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no event;
	uint32_t offset, size; /* within the batch's bytes */
	uint64_t sum;          /* of the event's bytes */
};

/* A record as it was received, packed for the archive and the like. `digest` is all zero where
 * there was no value. */
void vl_record_pack(struct vl_buf *buf, const struct vl_record *record,
		    const struct vl_digest *digest);

/* The same for the archive, of a record that is applied now. */
void vl_record_pack_applied(struct vl_buf *buf, const struct vl_record *record,
			    const struct vl_digest *digest, int64_t applied_ms);

/* The same again, pointing into `bytes`. CORRUPT where it is not one, or not what was packed,
 * and `record` is then of no use; but whether the value has its digest is not looked at:
 * vl_record_intact. */
enum vl_err vl_record_unpack(struct vl_bytes bytes, struct vl_record *record,
			     struct vl_digest *digest) VL_CHECKED;

bool vl_record_intact(const struct vl_record *record, const struct vl_digest *digest);

/* The digest alone of a packed record, for a look at many; false where there are too few bytes. */
bool vl_record_digest(struct vl_bytes packed, struct vl_digest *digest);

/* The archive's key. `mission` and `lane` are NUL-terminated. */
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

/* The batch's bytes out of the archive, that of `place`; and one event's within them. CORRUPT
 * where it is not there, or not what it was. */
enum vl_err vl_archive_batch(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *batch) VL_CHECKED;
enum vl_err vl_place_event(struct vl_bytes batch, const struct vl_place *place,
			   struct vl_bytes *event) VL_CHECKED;

/* Both at once. */
enum vl_err vl_archive_event(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *event) VL_CHECKED;

#endif

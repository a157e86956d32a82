/*
 * The outbox: a mission's events from the moment they are accepted, on its own disk.
 *
 * One process writes it, the keeper. In one transaction it numbers its clients' events, builds and
 * signs the batches of every lane, and stores them with each chain's new head. When commit has
 * returned ok, they are on the disk and will not be lost. Any number of readers may look: the link,
 * which sends, and `valise outbox ls`.
 *
 * A batch is kept after Kafka has it; if Kafka loses it, it is sent again. Only headquarters'
 * signed receipt (proto/valise/receipt/v1) frees a batch: headquarters has applied it. The ids of
 * its events are kept longer: 15 days, or as many as vl_outbox_ids_span says, whichever comes
 * first, and at most twice that. Headquarters knows a duplicate for ever.
 *
 * Some lanes have no receipts: the agent's own pulses, and the receipts and directives in the
 * outbox of headquarters' own agent. Kafka's ack frees them, and their ids are not kept. Their
 * content can always be sent again. Of receipts to one mission only the newest is kept, since it
 * includes the earlier ones.
 *
 * If an event's payload names the mission that it is for, and its lane is addressed (bus/types.h),
 * it goes to that mission's lane.
 *
 * Continuity is in doubt if the folder may be an old copy or a clone. At the start the mark shows
 * it (mark.h), later headquarters' receipts. Then a new epoch begins before anything more is
 * signed. So two batches are never signed with one (lane, epoch, seq). Events of the old epoch that
 * headquarters has not applied by then are carried into the new one, with their ids. Headquarters
 * knows a duplicate by its id.
 *
 * A batch that is corrupted on this disk costs only itself. The corruption is found when the batch
 * is due to be sent or carried. Then it is put aside, and its lane goes on in a new epoch behind
 * the last whole one.
 *
 * outbox_rows.h lists the databases in LMDB and their rows.
 *
 * Next: outbox_in.h, its parts.
 */
#ifndef VALISE_AGENT_OUTBOX_H
#define VALISE_AGENT_OUTBOX_H

#include "base/clock.h"
#include "base/rand.h"
#include "bus/batch.h"
#include "bus/sign.h"
#include "bus/types.h"

#define VL_OUTBOX_SIZE_MIN ((size_t)16 << 20)
#define VL_OUTBOX_BATCH_MIN ((size_t)1024)

struct vl_outbox;

/* Texts, signer, clock and rand stay the caller's, and must outlive the outbox. */
struct vl_outbox_options {
	const char *path;   /* a folder; made if it is missing */
	size_t size;        /* the most it may hold, without FLASH's reserve; sparse */
	size_t batch_bytes; /* the most one batch takes when several events share it */
	const char *mission;
	const struct vl_signer *signer;
	enum vl_domain domain;
	const struct vl_clock *clock;
	const struct vl_rand *rand;
	/* file of the mark, outside the folder; NULL: an old copy of the folder is not detected
	 * here */
	const char *mark;
	uint64_t ids; /* how many ids of applied events are kept; 0: vl_outbox_ids_span */
	/* a file that differs from machine to machine; NULL: a move is not detected */
	const char *machine;
};

/* Open as the writer. LOCKED if another agent writes. CONFIG if the folder is another mission's,
 * or a size is out of range. CORRUPT if it does not name its mission.
 *
 * If a chain's head is corrupted, or does not fit its last batch, the chain goes on in a new
 * epoch. That begins behind the newest batch that is kept and whole; vl_outbox_repaired counts
 * these. If the key is another one than last time, or vl_outbox_doubt returns a reason, a new
 * epoch begins on every lane. All batches that are kept are then signed with the new key. */
enum vl_err vl_outbox_open(const struct vl_outbox_options *options, struct vl_outbox **outbox,
			   struct vl_why *why) VL_CHECKED;

/* Open to look only, also while an agent writes, or while none runs. NOT_FOUND if there is no
 * outbox yet. Never open an outbox twice in one process (store/store.h). */
enum vl_err vl_outbox_open_reader(const char *path, struct vl_outbox **outbox,
				  struct vl_why *why) VL_CHECKED;

/* Aborts an open transaction. NULL is fine. */
void vl_outbox_close(struct vl_outbox *outbox);

/* Its mission; valid until close. */
const char *vl_outbox_mission(const struct vl_outbox *outbox);

/* The least number of ids of applied events that an outbox of this size knows: one for 1,600
 * bytes, and 10,000 at least. */
uint64_t vl_outbox_ids_span(size_t size);

/* Whether open found another key than last time. */
bool vl_outbox_rekeyed(const struct vl_outbox *outbox);

/* How many batches open signed anew with the present key. Their values and digests stay as they
 * were. */
uint64_t vl_outbox_resigned(const struct vl_outbox *outbox);

/* Whether there was no room for the rest. The rest keeps the signatures of another key until
 * vl_outbox_free_some has signed it too. */
bool vl_outbox_resigning(const struct vl_outbox *outbox);

/* The speed of the line in bytes a second (the writer). Batches of several events close at two
 * seconds of it, 16 kB to batch_bytes, so that a slow line is soon free for another lane. Until
 * the first call they close at 64 kB. Signed batches stay as they are. */
void vl_outbox_set_line(struct vl_outbox *outbox, uint64_t rate);

/* Why open had to treat it as an old copy or a clone; NULL if it had not. Static. */
const char *vl_outbox_doubt(const struct vl_outbox *outbox);

/* Write the mark, if a lane has moved since the last time (vl_outbox_moved). The writer calls it
 * every few seconds; close does it too. If it fails, the mark is behind: until it can be
 * written, an old copy may not be detected. */
enum vl_err vl_outbox_mark(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
bool vl_outbox_moved(const struct vl_outbox *outbox);

/* Call it at intervals; it acts once a minute. It forgets readers that died, since LMDB keeps
 * for them all freed pages. True, once, if a living reader has read one snapshot for a minute or
 * longer while the outbox went on: then `held` names it. */
struct vl_outbox_reader {
	long pid;
	int64_t seconds;
	size_t pinned; /* bytes that are free and cannot be used meanwhile */
};
bool vl_outbox_tend(struct vl_outbox *outbox, int64_t now_ms, struct vl_outbox_reader *held);

/* After a commit that was FULL: the reason. */
void vl_outbox_explain_full(struct vl_outbox *outbox, struct vl_why *why);

/* How many chains open began anew because their heads were damaged. */
unsigned vl_outbox_repaired(const struct vl_outbox *outbox);

/* -- accepting (the writer) -- */

/* The result for one event. */
struct vl_accepted {
	struct vl_event_id id;
	const char *lane; /* valid until close */
	struct vl_epoch epoch;
	struct vl_event_no event;
	/* this event was accepted before, in this transaction or an earlier one; this is the
	 * first answer again */
	bool duplicate;
};

/* Begin a transaction. It fails only if the store cannot be read. */
enum vl_err vl_outbox_begin(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;

/* Take one serialised Event (copied).
 *
 * If its id was accepted before and vl_event_gist is the same, the event is a duplicate. If the
 * gist differs, the event is refused (INVALID). An event for a lane of headquarters alone is
 * refused too, except at headquarters.
 *
 * An error refuses this event alone, and the transaction goes on, if it is of class REJECT. So
 * does FULL or CORRUPT while vl_outbox_failed stays false. CORRUPT means that the row of this id
 * is corrupted, so that it is unknown whether the event was accepted before. Any other error
 * fails the transaction: nothing of it is kept, and commit returns the same error.
 *
 * FULL comes first for less urgent events: above 90 % of the size only FLASH and IMMEDIATE are
 * taken, above 93 % only FLASH. FLASH's reserve is beyond the size: a 16th of it, 16 MB or more.
 * Half of the reserve is kept for acks, for freeing, and because freed room is in pieces. Room
 * that cannot be used again counts as full, also if only an old snapshot of a reader causes
 * that; then FULL names the reader. */
enum vl_err vl_outbox_accept(struct vl_outbox *outbox, struct vl_bytes event,
			     struct vl_accepted *accepted, struct vl_why *why) VL_CHECKED;

/* The same for a pulse, which only the agent makes: vl_outbox_accept refuses one. */
enum vl_err vl_outbox_accept_pulse(struct vl_outbox *outbox, struct vl_bytes event,
				   struct vl_why *why) VL_CHECKED;

/* Note that the link has given Kafka all of a lane's batches up to this one. It never goes back. */
void vl_outbox_sent(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		    struct vl_seq seq);

/* Note that Kafka has all of a lane's batches up to this one. It never goes back. */
void vl_outbox_ack(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		   struct vl_seq seq);

/* Freeing, below, is done within a transaction too, best right before its commit. It first waits
 * for the asynchronous commit. If the transaction is then given to submit, it is committed at
 * once. */

/* Headquarters' statement, with a verified signature: everything of the lane up to this batch,
 * whose digest this is, is applied. */
struct vl_outbox_receipt {
	const char *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_digest digest;
	/* the newest epoch up to `epoch` that headquarters has suspended; 0: none */
	struct vl_epoch suspended;
};

/* How a receipt fits this outbox. */
enum vl_outbox_fit {
	/* it is about a batch of ours: that batch and all before it in the lane may be deleted */
	VL_OUTBOX_FREED,
	VL_OUTBOX_KNOWN, /* it says nothing new, or is about a batch from before this outbox */
	/* we have never made that batch: this outbox is an old copy, or has a clone */
	VL_OUTBOX_AHEAD,
	VL_OUTBOX_OTHER, /* our batch with that number is another one: the same conclusion */
	/* headquarters has two batches with one number, and takes no more of the epoch */
	VL_OUTBOX_SUSPENDED,
};

/* Judge a receipt. Only one with the digest of a batch of ours frees. Since each batch contains
 * the digest of the previous one, all earlier batches are the same there and here. It frees
 * nothing by itself: vl_outbox_free_some does.
 *
 * On AHEAD, OTHER and SUSPENDED the lane's next batch begins a new epoch, behind the last batch
 * that headquarters has. vl_outbox_free_some carries the events of the old epochs that
 * headquarters has not applied. An epoch that was never seen here makes only the newest epoch
 * give way, and only if this process did not begin that one. So two running clones do not chase
 * each other. A receipt that comes again begins nothing anew. */
enum vl_outbox_fit vl_outbox_free(struct vl_outbox *outbox,
				  const struct vl_outbox_receipt *receipt);

/* Delete applied batches, at most this many in one transaction. Also carry some events into a
 * new epoch: they are accepted in it anew, and their old batch is deleted, in this one
 * transaction. Call it again while vl_outbox_freeing is true; then the room can be used. */
#define VL_OUTBOX_FREE_STEP 256
#define VL_OUTBOX_CARRY_STEP ((size_t)512 << 10) /* bytes of batches */
void vl_outbox_free_some(struct vl_outbox *outbox);

/* Report that a batch due to be sent is not as it was stored. It is put aside as it is. If more
 * batches are behind it, the lane's next batch begins a new epoch behind the last whole one
 * before it. vl_outbox_free_some carries the whole batches behind it. The rest of the lane, and
 * other lanes, lose nothing. False, and nothing changes, if the batch is whole, or not here. */
bool vl_outbox_give_up(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		       struct vl_seq seq);

/* How many batches are put aside. The bytes of the first VL_OUTBOX_LOST_KEPT are kept. */
#define VL_OUTBOX_LOST_KEPT 64
uint64_t vl_outbox_lost(const struct vl_outbox *outbox);

/* Whether vl_outbox_free_some may have more to do. */
bool vl_outbox_freeing(const struct vl_outbox *outbox);

/* Events carried since open, and batches that could not be carried because they are damaged.
 * Those are put aside as they are. */
void vl_outbox_carried(const struct vl_outbox *outbox, uint64_t *events, uint64_t *damaged);

/* Note how far a topic from headquarters was read. */
void vl_outbox_set_position(struct vl_outbox *outbox, const char *topic, int32_t partition,
			    int64_t offset);

/* Whether the lane has no receipts. */
bool vl_outbox_unreceipted(const char *lane);

/* True once the transaction can only fail. */
bool vl_outbox_failed(const struct vl_outbox *outbox);

/* Sign and store the accepted events. Answer clients only after ok. If it fails, nothing is kept
 * and no number is used up. The exception is OUTCOME_UNKNOWN: then this process must end, and a
 * new one must look. */
enum vl_err vl_outbox_commit(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
void vl_outbox_abort(struct vl_outbox *outbox);

/* The same commit on a thread of its own, so that the next transaction can be begun and filled
 * meanwhile; one at a time. It fails if the transaction had failed before. The descriptor
 * becomes readable when the commit is done. Then, or to wait for it, call vl_outbox_land, whose
 * result is that of commit. If that is an error, the transaction begun meanwhile has failed too,
 * and can only be aborted. Commit and abort first wait for an asynchronous commit. */
enum vl_err vl_outbox_submit(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
bool vl_outbox_flying(const struct vl_outbox *outbox);
bool vl_outbox_landed(const struct vl_outbox *outbox);
enum vl_err vl_outbox_land(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
int vl_outbox_fd(const struct vl_outbox *outbox);

/* -- looking (a reader, or the writer between transactions) -- */

enum vl_outbox_state {
	VL_OUTBOX_STORED, /* on this disk */
	/* and given to a Kafka that answered but has not acked it: Kafka may have it or not */
	VL_OUTBOX_SENT,
	VL_OUTBOX_ACKED,   /* and Kafka has acked it */
	VL_OUTBOX_APPLIED, /* and headquarters has applied it: about to be deleted */
	/* its row is not what was stored: it is not sent, and only lane, epoch and seq are known */
	VL_OUTBOX_DAMAGED,
	/* a damaged batch that was given up; stored_at is when, value its bytes, or nothing */
	VL_OUTBOX_LOST,
};

/* One batch as it is kept. It points into the snapshot. */
struct vl_outbox_batch {
	const char *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no first_event;
	uint32_t n_events;
	enum vl_outbox_state state;
	struct vl_time stored_at;
	enum vl_domain domain;
	struct vl_key_id key;
	struct vl_signature signature;
	struct vl_digest digest; /* as it was signed */
	struct vl_bytes value;   /* the record's value; value.size is the batch's bytes */
};

/* A snapshot of the outbox. While it is held the file can only grow: end it within a second. */
struct vl_outbox_look;

/* NULL if no snapshot is possible; `why` has the reason. */
struct vl_outbox_look *vl_outbox_look(struct vl_outbox *outbox, struct vl_why *why);
void vl_outbox_look_end(struct vl_outbox_look *look);

/* Step through every batch in the order of (lane, epoch, seq). Start with {0}; each call moves
 * `*batch` to the next one. False at the end, or on an error, which vl_outbox_look_err then
 * returns. */
bool vl_outbox_each(struct vl_outbox_look *look, struct vl_outbox_batch *batch);

/* The first batch of `lane` after (epoch, seq); {0}, {0} for its first of all. False as for
 * vl_outbox_each. */
bool vl_outbox_next(struct vl_outbox_look *look, const char *lane, struct vl_epoch epoch,
		    struct vl_seq seq, struct vl_outbox_batch *batch);

/* Step through the batches that were given up, as vl_outbox_each does. */
bool vl_outbox_each_lost(struct vl_outbox_look *look, struct vl_outbox_batch *batch);

/* How far Kafka has acked a lane; zeros if it has acked nothing. */
void vl_outbox_acked(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		     struct vl_seq *seq);

/* How far headquarters has applied a lane. */
void vl_outbox_applied(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		       struct vl_seq *seq);

/* How far a partition of a topic from headquarters was read: the next offset; -1 if it never
 * was. */
int64_t vl_outbox_position(struct vl_outbox_look *look, const char *topic, int32_t partition);

/* The head of a lane's chain: its epoch, and the last batch in it (0 if that epoch has none
 * yet). Zeros if no event was ever accepted. `digest`, which may be NULL, is the last batch's,
 * of any epoch. */
void vl_outbox_head(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		    struct vl_seq *seq, struct vl_digest *digest);

/* Call `each` with the name of every lane that has a chain here, by name; it is valid during the
 * call. One whose row is damaged is left out. */
void vl_outbox_each_lane(struct vl_outbox_look *look, void (*each)(void *context, const char *lane),
			 void *context);

/* How many batches are kept. */
uint64_t vl_outbox_count(struct vl_outbox_look *look);

/* ok, or the error that stopped the last call: CORRUPT, IO. */
enum vl_err vl_outbox_look_err(const struct vl_outbox_look *look);

/* Whether the bytes are still those that were signed. LMDB has no checksums: call it before
 * sending. */
bool vl_outbox_intact(const struct vl_outbox_batch *batch);

#endif

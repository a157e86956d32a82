/*
 * The outbox: a mission's events from the moment they are accepted, on its own disk.
 *
 * One writer, the keeper. In one transaction it takes what its clients sent, numbers the events,
 * builds and signs the batches of every lane, and stores them with each chain's new head; what
 * commit has returned ok for is on the disk and will not be lost. Any number of readers look on:
 * the link, which sends, and `valise outbox ls`.
 *
 * A batch is kept when Kafka has it, and when Kafka loses it again it is sent again. What frees
 * a batch is headquarters' signed receipt alone (proto/valise/receipt/v1): it has applied it.
 * Its events' ids are kept on for a while: at least as many as vl_outbox_ids_span says or 15
 * days, whichever comes first, and at most twice that; headquarters knows a double for ever.
 * Some lanes are another matter: the agent's own pulses, and the receipts and directives in the
 * outbox of headquarters' own agent, are freed by Kafka's ack, and their ids are not kept;
 * nobody gives a receipt for them, and what they say can always be said again. Of receipts to
 * one mission only the newest is kept, as it says all that the ones before it said.
 *
 * An event whose payload names the mission that it is for goes to that mission's lane, where its
 * own is addressed (bus/types.h).
 *
 * Continuity is in doubt where the folder may be an old copy or a clone. At the start the mark
 * tells (mark.h), later headquarters' receipts; then a new epoch begins before anything more is
 * signed, so that nothing is ever signed twice for one place. What headquarters has not applied
 * of the old epoch by then is carried into the new one, with its events' ids, and headquarters
 * knows a double by its id.
 *
 * A batch that this disk has let rot costs itself. It is found when it is to be sent or carried,
 * and put aside; its lane goes on in a new epoch behind the last whole one.
 *
 * In LMDB: meta (format, mission, key id, whether to sign anew, token, machine, lanes being
 * carried, batches put aside), chain (lane -> its head), batch ((lane, epoch, seq) -> signature
 * and bytes), event (id -> lane, epoch, number, gist), acked and applied (lane -> epoch, seq),
 * inbox (topic, partition -> next offset).
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
	const char *path;   /* a folder; made where missing */
	size_t size;        /* the most it may hold but for FLASH's reserve; sparse */
	size_t batch_bytes; /* the most one batch takes when several events share it */
	const char *mission;
	const struct vl_signer *signer;
	enum vl_domain domain;
	const struct vl_clock *clock;
	const struct vl_rand *rand;
	/* file of the mark, outside the folder; NULL: an old copy of it is not known for one
	 * here */
	const char *mark;
	uint64_t ids; /* a span of ids that are known although applied; 0: vl_outbox_ids_span */
	/* a file that differs from machine to machine; NULL: moving is not noticed */
	const char *machine;
};

/* Open as the writer. LOCKED where another agent writes; CONFIG where the folder is another
 * mission's, or a size is out of range; CORRUPT where it does not say whose it is. A chain whose
 * head rotted, or says another end than its last batch, goes on in a new epoch, behind the
 * newest batch that is kept and whole; vl_outbox_repaired says how many. Signing with another
 * key than last time, and whatever vl_outbox_doubt then tells, begins a new epoch on every lane;
 * all that is kept is signed with that key. */
enum vl_err vl_outbox_open(const struct vl_outbox_options *options, struct vl_outbox **outbox,
			   struct vl_why *why) VL_CHECKED;

/* Open to look only, while an agent may be writing. NOT_FOUND where there is none yet. Works
 * while no agent runs. Never open an outbox twice in one process (store/store.h). */
enum vl_err vl_outbox_open_reader(const char *path, struct vl_outbox **outbox,
				  struct vl_why *why) VL_CHECKED;

/* Aborts a transaction under way. NULL is fine. */
void vl_outbox_close(struct vl_outbox *outbox);

/* Whose it is; valid until close. */
const char *vl_outbox_mission(const struct vl_outbox *outbox);

/* How many ids of applied events an outbox of this size knows at least: one for 1,600 bytes,
 * 10,000 at least. */
uint64_t vl_outbox_ids_span(size_t size);

/* True where open found another key than last time. */
bool vl_outbox_rekeyed(const struct vl_outbox *outbox);

/* How many batches open signed anew with the present key. Their values and digests stay as they
 * were. */
uint64_t vl_outbox_resigned(const struct vl_outbox *outbox);

/* Whether there was no room for the rest, which keeps the signatures of another key until
 * vl_outbox_free_some has signed it, too. */
bool vl_outbox_resigning(const struct vl_outbox *outbox);

/* The line carries this many bytes a second (the writer): batches of several events close at two
 * seconds of it, 16 kB to batch_bytes, so that a thin line is soon free for another lane. Until
 * this is told they close at 64 kB. What is signed already stays as it is. */
void vl_outbox_set_line(struct vl_outbox *outbox, uint64_t rate);

/* Why open had to take it for an old copy or a clone, in words; NULL where it had not. Static. */
const char *vl_outbox_doubt(const struct vl_outbox *outbox);

/* Write the mark, where a lane has moved since it was written last (vl_outbox_moved). For the
 * writer, every few seconds; close does it too. An error leaves the mark behind: until it can be
 * written an old copy may not be known for one. */
enum vl_err vl_outbox_mark(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
bool vl_outbox_moved(const struct vl_outbox *outbox);

/* Call it now and then; once a minute it looks: it forgets readers that died, as LMDB keeps for
 * them all that is freed. True, once, where a living one has read one snapshot for a minute or
 * longer while the outbox went on: then `held` says who. */
struct vl_outbox_reader {
	long pid;
	int64_t seconds;
	size_t pinned; /* bytes that are free and cannot be used meanwhile */
};
bool vl_outbox_tend(struct vl_outbox *outbox, int64_t now_ms, struct vl_outbox_reader *held);

/* After a commit that was FULL: why, in words. */
void vl_outbox_explain_full(struct vl_outbox *outbox, struct vl_why *why);

/* How many chains open had to begin anew because their heads were damaged. */
unsigned vl_outbox_repaired(const struct vl_outbox *outbox);

/* -- accepting (the writer) -- */

/* What became of one event. */
struct vl_accepted {
	struct vl_event_id id;
	const char *lane; /* valid until close */
	struct vl_epoch epoch;
	struct vl_event_no event;
	/* this event was accepted before, in this transaction or an earlier one: this is the
	 * first answer again */
	bool duplicate;
};

/* Begin a transaction; not ok only when the store cannot be read. */
enum vl_err vl_outbox_begin(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;

/* Take one serialised Event (copied). An id that was accepted before is a repeat where
 * vl_event_gist is the same too; where it is not, the event is refused (INVALID). So is an event
 * for a lane that is headquarters' alone, but at headquarters. An error of class REJECT, or FULL
 * while vl_outbox_failed stays false, refuses this event alone, and the transaction goes on; so
 * does CORRUPT while it stays false: the row of this id rotted, and whether it was accepted
 * before cannot be said. Any other error fails the transaction: nothing of it will be kept, and
 * commit says the same. FULL comes for the less urgent first: above 90 % of the size only FLASH
 * and IMMEDIATE are taken, above 93 % only FLASH. Its reserve lies beyond the size: a 16th of
 * it, 16 MB or more, half of which is kept for acks, for freeing and as what is freed lies in
 * pieces. What counts is what cannot be used again, were it only that somebody reads an old
 * snapshot: then FULL says who. */
enum vl_err vl_outbox_accept(struct vl_outbox *outbox, struct vl_bytes event,
			     struct vl_accepted *accepted, struct vl_why *why) VL_CHECKED;

/* The same for a pulse, which is the agent's own to give: vl_outbox_accept refuses one. */
enum vl_err vl_outbox_accept_pulse(struct vl_outbox *outbox, struct vl_bytes event,
				   struct vl_why *why) VL_CHECKED;

/* Note that the link has given Kafka all of a lane's batches up to this one. Never goes back. */
void vl_outbox_sent(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		    struct vl_seq seq);

/* Note that Kafka has all of a lane's batches up to this one. Never goes back. */
void vl_outbox_ack(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		   struct vl_seq seq);

/* Freeing, below, is done within a transaction too, best right before its commit: it lands what
 * flies, and its transaction is committed here and now where submit is asked. */

/* What headquarters says, its signature found good: everything of the lane up to this batch,
 * whose digest this is, is applied. */
struct vl_outbox_receipt {
	const char *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_digest digest;
	/* the newest epoch up to `epoch` that headquarters has suspended; 0: none */
	struct vl_epoch suspended;
};

/* How a receipt fits what is here. */
enum vl_outbox_fit {
	/* it is about a batch of ours: that one and all before it in the lane may go */
	VL_OUTBOX_FREED,
	VL_OUTBOX_KNOWN, /* it says nothing new, or is about a batch from before this outbox */
	/* we have never made that batch: this outbox is an old copy, or has a clone */
	VL_OUTBOX_AHEAD,
	VL_OUTBOX_OTHER, /* our batch of that place is another one: the same */
	/* it has seen two batches for one place, and takes no more of the epoch */
	VL_OUTBOX_SUSPENDED,
};

/* Only a batch of ours with that digest frees; as each batch has the digest of the one before in
 * it, all before it are the same there and here. Frees nothing by itself: vl_outbox_free_some
 * does.
 *
 * AHEAD, OTHER and SUSPENDED: the lane's next batch begins a new epoch, behind what headquarters
 * has, and what it has not applied of the old ones is carried along by vl_outbox_free_some. Only
 * the newest epoch that is not this process's own has to give way to one that was never seen
 * here, so that two clones that run do not chase each other. A receipt that comes again begins
 * nothing anew. */
enum vl_outbox_fit vl_outbox_free(struct vl_outbox *outbox,
				  const struct vl_outbox_receipt *receipt);

/* Delete applied batches, at most this many in one transaction, and carry some events into a new
 * epoch: they are accepted in it anew and their old batch is deleted, in this one transaction.
 * Call it in further ones while vl_outbox_freeing says so; then the room can be used. */
#define VL_OUTBOX_FREE_STEP 256
#define VL_OUTBOX_CARRY_STEP ((size_t)512 << 10) /* bytes of batches */
void vl_outbox_free_some(struct vl_outbox *outbox);

/* A batch that is to be sent and is not what was stored. It is put aside as it is, and where
 * more lies behind it the lane's next batch begins a new epoch behind the last whole one before
 * it; what is whole behind it is carried along, by vl_outbox_free_some. The rest of the lane,
 * and other lanes, lose nothing. False, and nothing is done, where it is whole, or not here. */
bool vl_outbox_give_up(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		       struct vl_seq seq);

/* How many are put aside. What was found of them is kept of the first VL_OUTBOX_LOST_KEPT. */
#define VL_OUTBOX_LOST_KEPT 64
uint64_t vl_outbox_lost(const struct vl_outbox *outbox);

/* Whether there may be more to do for vl_outbox_free_some. */
bool vl_outbox_freeing(const struct vl_outbox *outbox);

/* Events carried since open, and batches that could not be, being damaged: those are put aside
 * as they are. */
void vl_outbox_carried(const struct vl_outbox *outbox, uint64_t *events, uint64_t *damaged);

/* Note how far a topic that comes down was read. */
void vl_outbox_set_position(struct vl_outbox *outbox, const char *topic, int32_t partition,
			    int64_t offset);

/* Whether nobody gives receipts for what is sent on the lane. */
bool vl_outbox_unreceipted(const char *lane);

/* True once the transaction can only fail. */
bool vl_outbox_failed(const struct vl_outbox *outbox);

/* Sign and store what was accepted. Only after ok may anybody be told. Otherwise nothing is kept
 * and no number is burned, except for OUTCOME_UNKNOWN: then this process must end and a new one
 * look. */
enum vl_err vl_outbox_commit(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
void vl_outbox_abort(struct vl_outbox *outbox);

/* The same commit on a thread of its own, so that the next transaction can be begun and filled
 * meanwhile; one at a time. Not ok where the transaction had failed before. The descriptor
 * becomes readable when it has landed; then, or to wait for it, call land, whose result is what
 * commit's would have been. When that is an error the transaction begun meanwhile has failed
 * too, and can only be aborted. Commit and abort land what is still flying first. */
enum vl_err vl_outbox_submit(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
bool vl_outbox_flying(const struct vl_outbox *outbox);
bool vl_outbox_landed(const struct vl_outbox *outbox);
enum vl_err vl_outbox_land(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;
int vl_outbox_fd(const struct vl_outbox *outbox);

/* -- looking (a reader, or the writer between transactions) -- */

enum vl_outbox_state {
	VL_OUTBOX_STORED, /* on this disk */
	/* and given to a Kafka that answered, which has not acked it: it may be there or not */
	VL_OUTBOX_SENT,
	VL_OUTBOX_ACKED,   /* and Kafka has acked it */
	VL_OUTBOX_APPLIED, /* and headquarters has applied it: about to be deleted */
	/* its row is not what was stored: it is not sent, and only lane, epoch and seq are known */
	VL_OUTBOX_DAMAGED,
	/* such a one that was given up; stored_at is when, value what was found, or nothing */
	VL_OUTBOX_LOST,
};

/* One batch as it is kept. Points into the snapshot. */
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

/* A snapshot of the outbox. As long as it is held the file can only grow: end it within a
 * second. */
struct vl_outbox_look;

/* NULL where it cannot be had; `why` says. */
struct vl_outbox_look *vl_outbox_look(struct vl_outbox *outbox, struct vl_why *why);
void vl_outbox_look_end(struct vl_outbox_look *look);

/* Step through every batch in the order of (lane, epoch, seq). Start with {0}; each call moves
 * `*batch` on to the next one. False at the end, or on an error that vl_outbox_look_err then
 * tells. */
bool vl_outbox_each(struct vl_outbox_look *look, struct vl_outbox_batch *batch);

/* The first batch of `lane` after (epoch, seq); {0}, {0} for its first of all. False as for
 * each. */
bool vl_outbox_next(struct vl_outbox_look *look, const char *lane, struct vl_epoch epoch,
		    struct vl_seq seq, struct vl_outbox_batch *batch);

/* Step through the batches that were given up, as vl_outbox_each does. */
bool vl_outbox_each_lost(struct vl_outbox_look *look, struct vl_outbox_batch *batch);

/* How far Kafka has acked a lane; zeros where nothing is. */
void vl_outbox_acked(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		     struct vl_seq *seq);

/* The same for what headquarters has applied. */
void vl_outbox_applied(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		       struct vl_seq *seq);

/* How far a partition of a topic that comes down was read: the next offset, -1 where it never
 * was. */
int64_t vl_outbox_position(struct vl_outbox_look *look, const char *topic, int32_t partition);

/* The head of a lane's chain: its epoch, and the last batch in it (0 where that epoch has none
 * yet). Zeros where nothing was ever accepted. `digest`, which may be NULL, is the last batch's,
 * of whichever epoch. */
void vl_outbox_head(struct vl_outbox_look *look, const char *lane, struct vl_epoch *epoch,
		    struct vl_seq *seq, struct vl_digest *digest);

/* Call `each` with the name of every lane that has a chain here, by name; it is valid during the
 * call. One whose row is damaged is left out. */
void vl_outbox_each_lane(struct vl_outbox_look *look, void (*each)(void *context, const char *lane),
			 void *context);

/* How many batches are kept. */
uint64_t vl_outbox_count(struct vl_outbox_look *look);

/* ok, or what stopped the last call: CORRUPT, IO. */
enum vl_err vl_outbox_look_err(const struct vl_outbox_look *look);

/* Whether the bytes still are what was signed. LMDB has no checksums: ask before sending. */
bool vl_outbox_intact(const struct vl_outbox_batch *batch);

#endif

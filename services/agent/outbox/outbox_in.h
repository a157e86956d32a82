/*
 * Inside the outbox: the declarations that its parts share.
 *
 *     outbox.c         opens and closes
 *     outbox_accept.c  takes events
 *     outbox_batch.c   makes batches of them
 *     outbox_round.c   stores
 *     outbox_free.c    deletes applied batches
 *     outbox_doubt.c   compares with the mark
 *     outbox_carry.c   begins a new epoch and carries events into it
 *     outbox_room.c    measures how full it is
 *     outbox_repair.c  begins a chain anew if its head is corrupted
 *     outbox_ids.c     deletes old ids
 *     outbox_lost.c    gives up a damaged batch
 *     outbox_resign.c  signs with another key
 *     outbox_look.c    reads
 *     outbox_rows.c    packs and unpacks rows
 *
 * The events accepted between begin and commit are a round. There are two rounds, so that one can
 * be filled while the writer's thread stores the other. Numbers and chain go on from the one that
 * is being stored; if that fails, both are dropped. An id is searched in both rounds, and then in
 * the store, by a read transaction that was refreshed when the round began. So the ids of the
 * previous round must stay until the next refresh.
 *
 * Freeing reads and writes the store at once, in a transaction on the caller's thread, which then
 * takes the round as well. Therefore wait for the asynchronous commit first; a round that frees
 * batches is committed synchronously.
 *
 * Next: outbox_rows.h, its rows.
 */
#ifndef VALISE_AGENT_OUTBOX_OUTBOX_IN_H
#define VALISE_AGENT_OUTBOX_OUTBOX_IN_H

#include "agent/outbox/ids.h"
#include "agent/outbox/mark.h"
#include "agent/outbox/outbox_rows.h"
#include "agent/outbox/seal.h"
#include "agent/outbox/roster.h"

#include <pthread.h>

/* the most lanes with a chain here: VL_ROSTER_ADDRESSED and the catalogue's */
#define VL_OUTBOX_LANES 4096
#define VL_OUTBOX_SPARE 16
#define VL_OUTBOX_SPARE_BYTES ((size_t)1 << 20)

/* One lane that has a chain here. */
struct outbox_lane {
	char *name;
	uint32_t number;
	/* after the accepted events; its digest is not used, but `tail` */
	struct vl_chain chain;
	struct vl_chain committed; /* as it is on the disk */
	struct vl_digest tail;     /* the sealer's, while it has a batch of this lane */
	bool freeing;              /* there may be batches that are applied and still kept */
	/* this process began its epoch, with a number that no clone has */
	bool own;
	bool carried; /* all of `carry` is done when this round is committed */
	/* ids from before are deleted when all up to that batch is applied */
	struct lane_ids ids;
	struct carry_row carry;     /* epochs to leave behind; 0: none */
	struct vl_epoch past_epoch; /* batches up to here cannot be carried */
	struct vl_seq past_seq;
	struct vl_buf batch; /* the open batch: its head, then its events */
	size_t prev_at;      /* in it */
	uint32_t n_events;
};

/* A batch that is closed and not on the disk yet. */
struct outbox_closed {
	struct outbox_closed *next;
	struct outbox_lane *lane;
	struct vl_buf value;
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_event_no first_event;
	uint32_t n_events;
	bool given; /* to the sealer */
	struct vl_seal seal;
};

/* The result of one round for a lane: its chain's head, and how far it is acked. */
struct outbox_end {
	bool touched, acked, sent;
	struct vl_chain chain;
	const struct outbox_closed *last;
	struct vl_epoch acked_epoch, sent_epoch;
	struct vl_seq acked_seq, sent_seq;
};

struct outbox_round {
	struct outbox_closed *first, *last;
	unsigned n_given; /* batches given to the sealer */
	struct vl_ids ids;
	struct outbox_end ends[VL_OUTBOX_LANES]; /* by number */
	uint32_t n_lanes;                        /* at the time it was complete */
	struct vl_time now;
	size_t added;
	bool empty; /* nothing to store */
};

struct vl_outbox {
	struct vl_store *store;
	struct vl_outbox_options options; /* all zero for a reader */
	size_t batch_bytes;               /* batches close at this size on this line */
	struct vl_key_id key;
	char mission[VL_MISSION_MAX + 1];
	bool rekeyed, renumber; /* the folder has the previous format */
	uint64_t resigned;
	bool resigning; /* there was no room for the rest */
	struct vl_key resign_at;
	unsigned repaired;

	struct outbox_lane *lanes[VL_OUTBOX_LANES]; /* by number */
	uint32_t n_lanes;                           /* numbers given so far */
	/* by the number in the roster; NULL if the lane has no chain yet */
	struct outbox_lane **by_roster;

	struct vl_txn *known; /* for searching ids; at rest between rounds */
	bool ordered;         /* the greatest id that it sees is `greatest` */
	struct vl_event_id greatest;
	struct outbox_round rounds[2];
	struct outbox_round *round; /* between begin and commit; else NULL */
	/* being committed by the writer's thread; else NULL */
	struct outbox_round *flying;
	struct vl_txn *txn;                   /* the transaction of a round that frees; else NULL */
	enum vl_err err;                      /* why this round can only fail */
	struct vl_buf scratch;                /* an event with its new id in front */
	struct vl_buf spare[VL_OUTBOX_SPARE]; /* empty ones, to be used again */
	unsigned n_spare;

	struct vl_sealer *sealer;
	struct outbox_writer *writer; /* NULL until the first submit */
	int landed;                   /* an eventfd; -1 for a reader */

	/* An estimate of how full it is: measured at intervals, plus what was accepted since. */
	struct vl_store_use use;
	size_t added;
	bool measured;

	int64_t tend_at;
	struct vl_store_reader reader; /* the reader of the oldest snapshot at the last look */
	int64_t reader_since;
	bool reader_told;

	struct vl_epoch floor; /* a new lane's epoch must be above it */
	const char *doubt;     /* why this may be a copy; NULL: it is not */
	uint8_t token[VL_MARK_TOKEN];
	bool marked; /* the mark has the state on the disk */
	/* outbox_ids.c's */
	struct ids_row ids;
	bool ids_loaded, ids_noted, ids_sweeping;
	struct vl_event_id ids_at; /* where it continues */

	uint64_t carried, damaged, lost;
	struct vl_buf lost_ranges; /* outbox_lost.c's */
};

/* NULL when out of memory or of numbers. `number` may be new or from a row. */
struct outbox_lane *outbox_add_lane(struct vl_outbox *outbox, struct vl_bytes name,
				    uint32_t number);

/* Begin anew the chains whose heads are damaged, `damaged` of those there are. The others are
 * loaded already. */
enum vl_err outbox_repair_chains(struct vl_outbox *outbox, struct vl_txn *txn,
				 size_t damaged) VL_CHECKED;

/* The state of a lane, on the disk and so far. */
void outbox_set_chain(struct outbox_lane *lane, const struct vl_chain *chain);

/* End the transaction that frees, if there is one. If that transaction was not kept, its batches
 * still exist: look for them again. */
void outbox_free_abort(struct vl_outbox *outbox);
void outbox_free_again(struct vl_outbox *outbox);

/* The lane of that name, or NULL if it has no chain here. */
struct outbox_lane *outbox_find_lane(const struct vl_outbox *outbox, const char *name);

/* An ack frees, on a lane without receipts. */
void outbox_free_acked(struct vl_outbox *outbox, const char *lane, struct vl_epoch epoch,
		       struct vl_seq seq);

/* A number above `before`, and at least the present time's. And one that a clone does not take
 * in the same second. */
uint64_t outbox_new_epoch(const struct vl_outbox *outbox, uint64_t before);
uint64_t outbox_unique_epoch(const struct vl_outbox *outbox, uint64_t before);

/* -- outbox_room.c -- */

/* The size that LMDB may grow to: the size, and the reserve that FLASH alone may use. */
size_t outbox_map_size(size_t size);
void outbox_measure(struct vl_outbox *outbox);
size_t outbox_footprint(size_t size);
bool outbox_fits(const struct vl_outbox *outbox, const struct vl_lane *lane, size_t size);
enum vl_err outbox_refuse_full(const struct vl_outbox *outbox, const struct vl_lane *lane,
			       size_t size, struct vl_why *why) VL_CHECKED;

/* -- outbox_doubt.c: at open, in its transaction -- */

/* Compare with the mark and the machine, once the chains are loaded. Sets `doubt`, `floor` and
 * `token`. CONFIG where the mark is another mission's. */
enum vl_err outbox_doubt_look(struct vl_outbox *outbox, struct vl_txn *txn, struct vl_why *why);

/* Give this start its token, and note the machine. True if that has put something into the
 * transaction. */
bool outbox_doubt_note(struct vl_outbox *outbox, struct vl_txn *txn);

/* -- outbox_resign.c: at open, and as room is made -- */

/* Note, in a transaction, that all kept batches must be signed with the present key. And do it,
 * in transactions of its own. Without room the rest stays as it is. */
void outbox_resign_order(struct vl_txn *txn);
enum vl_err outbox_resign(struct vl_outbox *outbox, struct vl_why *why) VL_CHECKED;

/* Whether there is a rest, and room for some of it. Sign some in the transaction that frees. And
 * begin from the first again, if that transaction was not kept. */
bool outbox_resign_due(const struct vl_outbox *outbox);
void outbox_resign_some(struct vl_outbox *outbox);
void outbox_resign_again(struct vl_outbox *outbox);

/* -- outbox_carry.c -- */

/* The lane must leave its epochs up to `up_to` behind. The next one begins behind the batch
 * `prev`, and the kept batches stay. Within the transaction that frees. */
void outbox_carry_order(struct vl_outbox *outbox, struct outbox_lane *lane,
			const struct carry_row *order);

/* When a round begins: begin the new epochs that were ordered. */
void outbox_carry_renew(struct vl_outbox *outbox);

/* Carry some events, in the transaction that frees. */
void outbox_carry_some(struct vl_outbox *outbox);

/* The lane's first batch that headquarters has not applied; false if there is none. Within the
 * transaction that frees. */
bool outbox_unapplied(struct vl_outbox *outbox, const struct outbox_lane *lane,
		      struct vl_outbox_batch *batch);

/* -- outbox_ids.c: within the transaction that frees -- */

/* Delete some ids, or check whether it is time to; ids_sweeping is set while there is more to
 * do. */
void outbox_ids_some(struct vl_outbox *outbox);

/* All of a lane's carried events are in its present epoch. */
void outbox_ids_carried(struct vl_outbox *outbox, struct outbox_lane *lane);

/* -- outbox_lost.c: within the transaction that frees; load at open, too -- */

void outbox_lost_load(struct vl_outbox *outbox, struct vl_txn *txn);
void outbox_put_aside(struct vl_outbox *outbox, const struct outbox_lane *lane,
		      struct vl_epoch epoch, struct vl_seq seq);

/* Whether the event was in a batch that is given up: its id then counts as unused. */
bool outbox_lost_event(const struct vl_outbox *outbox, const struct event_row *row);

/* The round's transaction that frees. NULL, and the round has failed, if there can be none. */
struct vl_txn *outbox_writing(struct vl_outbox *outbox);

/* Put an event into the lane's open batch. */
void outbox_append(struct vl_outbox *outbox, struct outbox_lane *lane, struct vl_bytes event);

/* Make the round fail with `err`, unless it has failed already. */
void outbox_fail(struct vl_outbox *outbox, enum vl_err err);

/* Begin a lane's next batch; drop the open one. */
void outbox_batch_open(struct vl_outbox *outbox, struct outbox_lane *lane);
void outbox_batch_drop(struct vl_outbox *outbox, struct outbox_lane *lane);

/* Close the lane's batch, and have it sealed: by the sealer's thread while more events come, or
 * at once. */
void outbox_batch_close(struct vl_outbox *outbox, struct outbox_lane *lane, bool more);

/* Take a closed batch back from the sealer; free it. */
void outbox_batch_take(struct vl_outbox *outbox, struct outbox_closed *closed);
void outbox_batch_free(struct vl_outbox *outbox, struct outbox_closed *closed);

/* Drop a round and all in it. */
void outbox_round_drop(struct vl_outbox *outbox, struct outbox_round *round);

/* End the writer's thread. NULL is fine. */
void outbox_writer_close(struct outbox_writer *writer);

#endif

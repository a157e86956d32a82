/*
 * Filing: the events of accepted batches enter the histories, a bounded number in a transaction,
 * and the to-do list is served.
 *
 * A new batch is filed at once, as far as its mission's share of the transaction goes (fold.h), in
 * the sender's own order. If an earlier batch of that mission and lane still waits, the new one
 * waits behind it. The rest is read back from the archive later.
 *
 * The list is served at the end of each transaction, the lanes in turn. The most urgent has half of
 * the steps, the next has half of the rest, and so on. So none stands still. Within a lane the
 * missions have turns.
 *
 * Next: todo.h, the work that is left.
 */
#ifndef VALISE_HQ_FOLD_FILING_H
#define VALISE_HQ_FOLD_FILING_H

#include "bus/batch.h"
#include "bus/record.h"
#include "bus/types.h"
#include "hq/fold/fold.h"
#include "hq/ledger/standing.h"

struct vl_filing;

/* The fold must outlive it. NULL when out of memory. */
struct vl_filing *vl_filing_open(struct vl_fold *fold);
void vl_filing_close(struct vl_filing *filing);

/* A batch that was just archived. */
struct vl_filing_batch {
	const char *mission, *lane;
	size_t view;
	const struct vl_record *record;
	const struct vl_batch *batch;
	const struct vl_digest *digest;
	const struct vl_fact *facts; /* NULL if they must be read here */
};

/* File as much as the share allows. If an event cannot be read, its batch goes to the dead
 * letters too. The standing counts repeated and unreadable events. Errors stick in the
 * transaction. */
void vl_filing_add(struct vl_filing *filing, struct vl_txn *txn,
		   const struct vl_filing_batch *batch, struct vl_standing *standing);

/* The content of an entry of the queue of batches: the batch, and how many of its events are
 * filed. False if it is none. */
struct vl_filing_entry {
	struct vl_epoch epoch;
	struct vl_seq seq;
	uint32_t event;
};
bool vl_filing_read_entry(struct vl_bytes body, struct vl_filing_entry *entry);

/* Serve the to-do list, of lanes at least as urgent as `least`. */
void vl_filing_serve(struct vl_filing *filing, struct vl_txn *txn, enum vl_precedence least);

#endif

/*
 * Renewal: a view that the disk has damaged is made whole again where it is, while headquarters
 * goes on.
 *
 * What meets a damaged entry of a view says so (vl_renewal_want). From then on each transaction
 * does a bounded number of steps for that view, in the name of headquarters, beside all else:
 *
 * FILES   each archived batch of the lane is filed again: what is missing of ids and histories
 * is put back, and no more WEED    what is still damaged of ids, histories and rows is taken
 * out, and, where the view is declared otherwise than before (version.h), what is routed
 * elsewhere now; whose it was is folded again ROWS    each entity is folded again CLEAR   what
 * an earlier count has left in `recount` is taken out COUNT   what each row adds to the tallies
 * is counted in `recount`, beside the tallies there are FIX     each tally that is not what was
 * counted becomes it, and its entity is folded again
 *
 * New events are filed and rows are folded all the while. A row that was damaged is made from
 * its history at once, but what it had added to tallies is not known: it adds nothing more until
 * COUNT has counted it (`adopted`). An entity whose tally is damaged keeps its row as it is
 * until FIX. An event whose id is damaged waits for FILES, and behind it those of its mission on
 * this lane. A batch that is damaged in the archive itself is passed over: histories that name
 * it stay, and their rows say so (DAMAGED).
 *
 * How far it has come is in `meta`: a restart goes on there. Once it is at its end the view is
 * what it would have been.
 */
#ifndef VALISE_HQ_FOLD_RENEWAL_H
#define VALISE_HQ_FOLD_RENEWAL_H

#include "hq/ledger/ledger.h"

struct vl_fold;

enum vl_renewal_phase {
	VL_RENEWAL_NONE,
	VL_RENEWAL_FILES,
	VL_RENEWAL_WEED,
	VL_RENEWAL_ROWS,
	VL_RENEWAL_CLEAR,
	VL_RENEWAL_COUNT,
	VL_RENEWAL_FIX,
};

/* That of one view. `at` is where it goes on. */
struct vl_renewal {
	enum vl_renewal_phase phase;
	bool again;             /* once more from its beginning, as more damage was met behind it */
	bool gaps;              /* the archive has damaged batches */
	bool reroute;           /* events may belong elsewhere now */
	uint8_t part;           /* of the phase */
	uint32_t event, entity; /* FILES: within a batch */
	struct vl_key at;
};

/* Whose work it is. */
#define VL_RENEWAL_MISSION "HQ"

/* A database of the view has a damaged entry, whatever it is. Said in the log, once. Within a
 * fold's transaction. */
void vl_renewal_want(struct vl_fold *fold, size_t view, enum vl_view_db db);

/* The same for all views: an entry of what is to be done is damaged, and nobody knows whose. */
void vl_renewal_want_all(struct vl_fold *fold);

/* The same without a fold. */
void vl_renewal_begin(struct vl_txn *txn, size_t view);
void vl_renewal_begin_all(struct vl_txn *txn);

/* The view is declared otherwise than before: it is made again, and events are routed anew. */
void vl_renewal_follow(struct vl_txn *txn, size_t view);

/* Other lanes than before: what is under way and what is to be done, by number of a lane, is
 * forgotten. */
void vl_renewal_forget_all(struct vl_txn *txn);

/* The view was made anew otherwise. */
void vl_renewal_forget(struct vl_txn *txn, size_t view);

/* What is under way, read for a transaction; `renewals` has one for each view. */
void vl_renewal_read(struct vl_txn *txn, struct vl_renewal *renewals);

/* Whether one is under way: of all views, how many; of one, 1 or 0. */
uint64_t vl_renewal_left(struct vl_txn *txn);
uint64_t vl_renewal_left_of(struct vl_txn *txn, size_t view);

/* Its phase, of VL_RENEWAL_FIX. */
enum vl_renewal_phase vl_renewal_phase_of(struct vl_txn *txn, size_t view);

/* Go on with all of them, so many steps, before the fold settles; once it has settled, keep how
 * far they are. */
void vl_renewal_serve(struct vl_fold *fold, uint64_t steps);
void vl_renewal_keep(struct vl_fold *fold);

/* -- for the fold (recount.c) -- */

/* Whether a row, by its key, that was damaged or is missing is adopted: made again without
 * adding to tallies. */
bool vl_renewal_adopts(const struct vl_fold *fold);

/* Whether COUNT has passed that row, so that what it adds from now on is counted beside
 * (vl_recount_add). */
bool vl_recount_passed(const struct vl_fold *fold, struct vl_bytes row);
void vl_recount_add(struct vl_fold *fold, struct vl_bytes tally, int64_t count);

/* CLEAR, COUNT and FIX of the view at hand, until the fold has taken so many steps. True where
 * the phase is done. */
bool vl_recount_clear(struct vl_fold *fold, uint64_t until);
bool vl_recount_count(struct vl_fold *fold, uint64_t until);
bool vl_recount_fix(struct vl_fold *fold, uint64_t until);

/* -- within -- */

/* Go over to a phase, from its beginning. */
void vl_renewal_turn(struct vl_renewal *renewal, enum vl_renewal_phase phase);

/* WEED of the view (weed.c), until the fold has taken so many steps. True where it is done. */
bool vl_renewal_weed(struct vl_fold *fold, size_t view, uint64_t until);

/* The entity in a key of a history, a row or a tally, in `room` (VL_ENTITY_MAX + 1 bytes); NULL
 * where it is none. */
const char *vl_renewal_entity(size_t view, struct vl_bytes key, unsigned *kind, char *room);

/* Have an entity folded again, whatever waits; and the same where it has a history or a row. */
void vl_renewal_fold(struct vl_fold *fold, size_t view, unsigned kind, const char *entity);
void vl_renewal_fold_known(struct vl_fold *fold, size_t view, unsigned kind, const char *entity);

#endif

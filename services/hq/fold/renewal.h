/*
 * Renewal: a view that the disk has damaged is made whole again in place, while headquarters goes
 * on.
 *
 * Code that meets a damaged entry of a view reports it (vl_renewal_want). From then on each
 * transaction does a bounded number of steps for that view, in the name of headquarters, beside all
 * other work:
 *
 *     FILES   each archived batch of the lane is filed again: only missing ids and history entries
 *             are put back
 *     WEED    damaged ids, histories and rows are deleted; if the view is declared otherwise than
 *             before (version.h), also entries that are routed elsewhere now; their entities are
 *             folded again
 *     ROWS    each entity is folded again
 *     CLEAR   the rest of an earlier count in `recount` is deleted
 *     COUNT   what each row adds to the tallies is counted in `recount`, beside the present tallies
 *     FIX     each tally that differs from the count is replaced, and its entity is folded again
 *
 * Meanwhile new events are filed and rows are folded. A damaged row is made from its history at
 * once, but what it had added to tallies is unknown. So it adds nothing more until COUNT has
 * counted it (`adopted`). An entity whose tally is damaged keeps its row until FIX. An event whose
 * id is damaged waits for FILES, and behind it the events of its mission on this lane. A batch that
 * is damaged in the archive itself is skipped: histories that name it stay, and their rows say so
 * (DAMAGED).
 *
 * The progress is in `meta`: a restart goes on there. At the end the view is as if nothing had been
 * damaged.
 *
 * Next: look.h, finding damage.
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

/* The renewal of one view. `at` is where it goes on. */
struct vl_renewal {
	enum vl_renewal_phase phase;
	/* once more from the beginning, since more damage was met behind it */
	bool again;
	bool gaps;              /* the archive has damaged batches */
	bool reroute;           /* events may belong elsewhere now */
	uint8_t part;           /* of the phase */
	uint32_t event, entity; /* FILES: within a batch */
	struct vl_key at;
};

/* The mission in whose name the work is done. */
#define VL_RENEWAL_MISSION "HQ"

/* A database of the view has a damaged entry of any kind. Logged once. Within a fold's
 * transaction. */
void vl_renewal_want(struct vl_fold *fold, size_t view, enum vl_view_db db);

/* The same for all views: an entry of the work left is damaged, and its view is unknown. */
void vl_renewal_want_all(struct vl_fold *fold);

/* The same without a fold. */
void vl_renewal_begin(struct vl_txn *txn, size_t view);
void vl_renewal_begin_all(struct vl_txn *txn);

/* The view is declared otherwise than before: it is made again, and events are routed anew. */
void vl_renewal_follow(struct vl_txn *txn, size_t view);

/* The set of lanes differs: renewals under way and work left, by number of a lane, are deleted. */
void vl_renewal_forget_all(struct vl_txn *txn);

/* The view was made anew in another way. */
void vl_renewal_forget(struct vl_txn *txn, size_t view);

/* The renewals under way, read for a transaction; `renewals` has one for each view. */
void vl_renewal_read(struct vl_txn *txn, struct vl_renewal *renewals);

/* Whether one is under way: of all views, how many; of one, 1 or 0. */
uint64_t vl_renewal_left(struct vl_txn *txn);
uint64_t vl_renewal_left_of(struct vl_txn *txn, size_t view);

/* Its phase, of VL_RENEWAL_FIX. */
enum vl_renewal_phase vl_renewal_phase_of(struct vl_txn *txn, size_t view);

/* Go on with all of them, so many steps, before the fold settles. After it has settled, keep
 * their progress. */
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

/* CLEAR, COUNT and FIX of the present view, until the fold has used so many steps. True if the
 * phase is done. */
bool vl_recount_clear(struct vl_fold *fold, uint64_t until);
bool vl_recount_count(struct vl_fold *fold, uint64_t until);
bool vl_recount_fix(struct vl_fold *fold, uint64_t until);

/* -- within -- */

/* Begin a phase. */
void vl_renewal_turn(struct vl_renewal *renewal, enum vl_renewal_phase phase);

/* WEED of the view (weed.c), until the fold has used so many steps. True if it is done. */
bool vl_renewal_weed(struct vl_fold *fold, size_t view, uint64_t until);

/* The entity in a key of a history, a row or a tally, in `room` (VL_ENTITY_MAX + 1 bytes); NULL
 * if it has none. */
const char *vl_renewal_entity(size_t view, struct vl_bytes key, unsigned *kind, char *room);

/* Fold an entity again, whether or not it waits. And the same if it has a history or a row. */
void vl_renewal_fold(struct vl_fold *fold, size_t view, unsigned kind, const char *entity);
void vl_renewal_fold_known(struct vl_fold *fold, size_t view, unsigned kind, const char *entity);

#endif

/*
 * Rebuild: a lane's view made anew from the archive, without Kafka.
 *
 * One transaction empties the lane's view and folds every archived batch into it again. Readers see
 * the old view until it commits, and then the new one, whole. A crash before leaves the old view.
 * Every batch is verified first: its bytes against their digest, its number against the head, and
 * it against the previous batch of its epoch. If its key is known, its signature is verified too.
 * An accepted batch stays accepted if its key is no longer known. If the archive is damaged, the
 * rebuild reports what is damaged, and changes nothing.
 *
 * Next: beside.h, the whole ledger from Kafka.
 */
#ifndef VALISE_HQ_REPAIR_REBUILD_H
#define VALISE_HQ_REPAIR_REBUILD_H

#include "bus/ring.h"
#include "hq/fold/digest.h"
#include "hq/ledger/ledger.h"

/* What was read. */
struct vl_rebuilt {
	uint64_t batches, events;
	uint64_t unsigned_here; /* batches whose key is no longer known */
	struct vl_digest before, after;
};

/* Called after each batch. */
typedef void vl_rebuild_progress(void *context, const struct vl_rebuilt *so_far);

/* `store` is open for writing, and no other transaction is open. `ring` may be NULL: then
 * signatures are not verified. CORRUPT, with the reason, if the archive is damaged; any other
 * error is the store's. */
enum vl_err vl_rebuild_lane(struct vl_store *store, const struct vl_ring *ring, size_t view,
			    vl_rebuild_progress *progress, void *context,
			    struct vl_rebuilt *rebuilt, struct vl_why *why) VL_CHECKED;

/* Read and verify a batch out of an archive: ok, BAD_SIGNATURE, MALFORMED or NOMEM. If its key
 * is unknown (`ring` may be NULL), there is no signer. */
enum vl_err vl_rebuild_read(const struct vl_record *record, const struct vl_digest *digest,
			    const struct vl_ring *ring, struct vl_arena *arena,
			    struct vl_verified *verified) VL_CHECKED;

#endif

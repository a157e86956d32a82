/*
 * Rebuild: a lane's view made anew from the archive, without Kafka.
 *
 * One transaction empties the lane's view and folds every archived batch into it again: whoever
 * reads sees the old view until it commits, and then the new one, whole; a crash at any place
 * before leaves the old. What is read is verified first: the bytes against their digest, the
 * place against the head, each batch against the one before it in its epoch, and the signature
 * where its key is known. A batch that was accepted stays accepted when its key is known no
 * more. Where anything of the archive is damaged the rebuild says what, and changes nothing.
 */
#ifndef VALISE_HQ_REPAIR_REBUILD_H
#define VALISE_HQ_REPAIR_REBUILD_H

#include "bus/ring.h"
#include "hq/fold/digest.h"
#include "hq/ledger/ledger.h"

/* What was read. */
struct vl_rebuilt {
	uint64_t batches, events;
	uint64_t unsigned_here; /* batches whose key is not known any more */
	struct vl_digest before, after;
};

/* Told after each batch. */
typedef void vl_rebuild_progress(void *context, const struct vl_rebuilt *so_far);

/* `store` is open for writing, and nobody else's transaction runs. `ring` may be NULL: then
 * signatures are not looked at. CORRUPT, with words, where the archive is damaged; any other
 * error is the store's. */
enum vl_err vl_rebuild_lane(struct vl_store *store, const struct vl_ring *ring, size_t view,
			    vl_rebuild_progress *progress, void *context,
			    struct vl_rebuilt *rebuilt, struct vl_why *why) VL_CHECKED;

/* A batch out of an archive, read again: ok, BAD_SIGNATURE, MALFORMED or NOMEM. Where its key is
 * not known (`ring` may be NULL) there is no signer. */
enum vl_err vl_rebuild_read(const struct vl_record *record, const struct vl_digest *digest,
			    const struct vl_ring *ring, struct vl_arena *arena,
			    struct vl_verified *verified) VL_CHECKED;

#endif

/*
 * Evidence: signed batches that contradict a chain, kept for whoever has to judge between the
 * branches.
 *
 * A clone of a mission, or a key that was stolen, can sign as many as it likes. So the first of
 * each epoch are kept whole, as received; of more only place and digest are kept; beyond that
 * they are counted. All have bounds of their mission's own. An epoch with a chain is suspended
 * by the first, whatever the bounds say, and a later epoch may follow on any of them: where some
 * were only counted, on whatever it says that it follows. What a mission signed thus never waits
 * for evidence that found no room.
 */
#ifndef VALISE_HQ_LEDGER_EVIDENCE_H
#define VALISE_HQ_LEDGER_EVIDENCE_H

#include "hq/ledger/ledger.h"

/* batches of one (mission, lane, epoch) that are kept whole */
#define VL_EVIDENCE_WHOLE 8
#define VL_EVIDENCE_BYTES ((uint64_t)16 << 20) /* of one mission's that are kept whole, as stored */
#define VL_EVIDENCE_DIGESTS 1000               /* of one (mission, lane, epoch) */
#define VL_EVIDENCE_MISSION_DIGESTS 20000      /* of one mission */

enum vl_evidence_outcome {
	VL_EVIDENCE_KEPT,    /* whole, or its digest */
	VL_EVIDENCE_THERE,   /* it was kept before */
	VL_EVIDENCE_COUNTED, /* as one more; whether it came before is not known */
};

/* Keep a batch that contradicts; `packed` is the record (ledger.h), `chain` whether its epoch
 * has one. */
enum vl_evidence_outcome vl_evidence_keep(struct vl_txn *txn, const char *mission, const char *lane,
					  struct vl_epoch epoch, struct vl_seq seq,
					  const struct vl_digest *digest, struct vl_bytes packed,
					  bool chain);

/* Note that an epoch began without knowing of the one before: it may be the very first, or a
 * rollback. Nobody can say which of two such was first, whatever order they came in: so each is
 * noted. */
void vl_evidence_forgot(struct vl_txn *txn, const char *mission, const char *lane,
			struct vl_epoch epoch);

/* Call `each` for every epoch of (mission, lane) of which evidence is kept or that began so, in
 * their order: how many batches are kept, and whether it did. */
void vl_evidence_each(struct vl_txn *txn, const char *mission, const char *lane,
		      void (*each)(void *context, struct vl_epoch epoch, uint64_t kept,
				   bool forgot),
		      void *context);

/* Count again what is kept, after a row was damaged. Whether anything was only counted is not
 * known then: it is taken to be so. Which epochs began without knowing is forgotten. */
void vl_evidence_recount(struct vl_txn *txn);

/* How many of (mission, lane) were only counted. */
uint64_t vl_evidence_counted(struct vl_txn *txn, const char *mission, const char *lane);

#endif

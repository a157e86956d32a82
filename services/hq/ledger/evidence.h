/*
 * Evidence: signed batches that contradict a chain, kept for a person who judges between the
 * branches.
 *
 * A clone of a mission, or a stolen key, can sign any number of them. So the first of each epoch
 * are kept whole, as received; of more, only number and digest are kept; beyond that they are
 * counted. All bounds are of one mission. The first one suspends an epoch that has a chain,
 * whatever the bounds say. A later epoch may follow on any of them. If some were only counted, it
 * may follow on any digest. So a mission's batch never waits for evidence that found no room.
 *
 * Next: deadletter.h, records that are not authentic.
 */
#ifndef VALISE_HQ_LEDGER_EVIDENCE_H
#define VALISE_HQ_LEDGER_EVIDENCE_H

#include "hq/ledger/ledger.h"

/* batches of one (mission, lane, epoch) that are kept whole */
#define VL_EVIDENCE_WHOLE 8
/* of one mission's batches that are kept whole, as stored */
#define VL_EVIDENCE_BYTES ((uint64_t)16 << 20)
#define VL_EVIDENCE_DIGESTS 1000          /* of one (mission, lane, epoch) */
#define VL_EVIDENCE_MISSION_DIGESTS 20000 /* of one mission */

enum vl_evidence_outcome {
	VL_EVIDENCE_KEPT,    /* whole, or its digest */
	VL_EVIDENCE_THERE,   /* it was kept before */
	VL_EVIDENCE_COUNTED, /* as one more; it is unknown whether it came before */
};

/* Keep a contradicting batch. `packed` is the record (ledger.h); `chain` says whether its epoch
 * has a chain. */
enum vl_evidence_outcome vl_evidence_keep(struct vl_txn *txn, const char *mission, const char *lane,
					  struct vl_epoch epoch, struct vl_seq seq,
					  const struct vl_digest *digest, struct vl_bytes packed,
					  bool chain);

/* Note that an epoch began without knowing of the previous one. It may be the very first, or a
 * rollback. In any order of arrival it is unknown which of two such epochs was first, so each is
 * noted. */
void vl_evidence_forgot(struct vl_txn *txn, const char *mission, const char *lane,
			struct vl_epoch epoch);

/* Call `each` for every epoch of (mission, lane) with evidence or such a beginning, in order. It
 * gives how many batches are kept, and whether it began so. */
void vl_evidence_each(struct vl_txn *txn, const char *mission, const char *lane,
		      void (*each)(void *context, struct vl_epoch epoch, uint64_t kept,
				   bool forgot),
		      void *context);

/* Count the kept batches again, after a row was damaged. It is then unknown whether others were
 * only counted, so that is assumed. Epochs that began without knowing are forgotten. */
void vl_evidence_recount(struct vl_txn *txn);

/* How many of (mission, lane) were only counted. */
uint64_t vl_evidence_counted(struct vl_txn *txn, const char *mission, const char *lane);

#endif

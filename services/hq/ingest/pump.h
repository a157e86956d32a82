/*
 * The pump: from the verifier into the ledger, one transaction at a time.
 *
 * Next: apply.h, the writer of the ledger.
 */
#ifndef VALISE_HQ_INGEST_PUMP_H
#define VALISE_HQ_INGEST_PUMP_H

#include "hq/ingest/apply.h"
#include "hq/ingest/verify.h"

/* Wait up to `timeout_ms` for a judged record. Then apply it and all others that are ready,
 * within bounds, in one transaction. Under load thousands of events share a commit; a single one
 * is committed at once. If work is left for earlier batches (todo.h), it does not wait, and does
 * more of that. TIMEOUT if none came; an error of the store otherwise (apply.h). */
enum vl_err vl_pump(struct vl_verifier *verifier, struct vl_applier *applier, int timeout_ms,
		    struct vl_why *why) VL_CHECKED;

#endif

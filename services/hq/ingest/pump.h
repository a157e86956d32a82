/*
 * The pump: from the verifier into the ledger, one transaction at a time.
 */
#ifndef VALISE_HQ_INGEST_PUMP_H
#define VALISE_HQ_INGEST_PUMP_H

#include "hq/ingest/apply.h"
#include "hq/ingest/verify.h"

/* Wait up to `timeout_ms` for a judged record, then apply it and whatever else is ready, within
 * bounds, in one transaction: under load thousands of events share a commit, a lone one is
 * committed at once. Where something is still to be done for earlier batches (todo.h) it does
 * not wait, and does more of that. TIMEOUT where none came; an error of the store otherwise
 * (apply.h). */
enum vl_err vl_pump(struct vl_verifier *verifier, struct vl_applier *applier, int timeout_ms,
		    struct vl_why *why) VL_CHECKED;

#endif

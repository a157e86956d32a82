/*
 * A Kafka record packed into bytes. Headquarters' ledger stores records so. A mission's link sends
 * them so to the keeper: the link can read Kafka, and the keeper can verify.
 *
 * Fixed numbers stand first, then each run of bytes behind its length. A checksum covers all but
 * the value, and the value's digest stands in front.
 *
 * Next: bus/chain.h, the order of the batches of one lane.
 */
#ifndef VALISE_BUS_RECORD_PACK_H
#define VALISE_BUS_RECORD_PACK_H

#include "base/buf.h"
#include "bus/record.h"

/* Append a record as it was received. `digest` is all zero where there was no value, or where the
 * reader takes its own. */
void vl_record_pack(struct vl_buf *buf, const struct vl_record *record,
		    const struct vl_digest *digest);

/* The same for the archive, of a record that is applied now. */
void vl_record_pack_applied(struct vl_buf *buf, const struct vl_record *record,
			    const struct vl_digest *digest, int64_t applied_ms);

/* Read it again; `record` points into `bytes`. CORRUPT if the bytes are no packed record, or if the
 * checksum differs; `record` then has no meaning. Nothing outside of `bytes` is ever read. The
 * value is not compared with its digest: vl_record_intact does that. */
enum vl_err vl_record_unpack(struct vl_bytes bytes, struct vl_record *record,
			     struct vl_digest *digest) VL_CHECKED;

bool vl_record_intact(const struct vl_record *record, const struct vl_digest *digest);

/* Read the digest of a packed record alone. False where there are too few bytes. */
bool vl_record_digest(struct vl_bytes packed, struct vl_digest *digest);

#endif

/*
 * Sealing: giving closed batches their position in the chain, their digest and their signature. It
 * runs on a thread of its own while the keeper takes more events. Digests depend on each other, so
 * only the thread computes them. Signatures do not, so any waiting thread makes them. The thread
 * starts with the first batch that it is given; an agent that is never busy has none.
 *
 * Next: mark.h, which detects old copies.
 */
#ifndef VALISE_AGENT_OUTBOX_SEAL_H
#define VALISE_AGENT_OUTBOX_SEAL_H

#include "bus/batch.h"
#include "bus/sign.h"

enum vl_seal_state { VL_SEAL_GIVEN, VL_SEAL_DIGESTED, VL_SEAL_SIGNING, VL_SEAL_DONE };

/* One batch. While the sealer has it, all that it points to is the sealer's. */
struct vl_seal {
	uint8_t *value;
	size_t size, prev_at;   /* the position in the value of the 32 bytes of `prev` */
	struct vl_digest *tail; /* the digest of the previous batch, then of this one */
	enum vl_domain domain;
	struct vl_digest digest;
	struct vl_signature signature;
	enum vl_err err;
	enum vl_seal_state state; /* the sealer's, as is the rest */
	struct vl_seal *next;
};

/* Do it at once. */
void vl_seal(const struct vl_signer *signer, struct vl_seal *seal);

struct vl_sealer;

/* The signer stays the caller's, and must outlive it. NULL when out of memory. */
struct vl_sealer *vl_sealer_open(const struct vl_signer *signer);

/* Every given batch must have been taken back. NULL is fine. */
void vl_sealer_close(struct vl_sealer *sealer);

/* Give one to the thread, after those given before. */
void vl_sealer_give(struct vl_sealer *sealer, struct vl_seal *seal);

/* Wait until this one, the oldest of those given and not taken back, is sealed, and take it
 * back; from any thread. */
void vl_sealer_take(struct vl_sealer *sealer, struct vl_seal *oldest);

#endif

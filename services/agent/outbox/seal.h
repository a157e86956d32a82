/*
 * Sealing: giving closed batches their place in the chain, digest and signature, on a thread of
 * its own while the keeper takes more events. Digests depend on each other and are the thread's;
 * signatures do not, and whoever has time makes them. The thread begins with the first batch it
 * is given; an agent that is never busy has none.
 */
#ifndef VALISE_AGENT_OUTBOX_SEAL_H
#define VALISE_AGENT_OUTBOX_SEAL_H

#include "bus/batch.h"
#include "bus/sign.h"

enum vl_seal_state { VL_SEAL_GIVEN, VL_SEAL_DIGESTED, VL_SEAL_SIGNING, VL_SEAL_DONE };

/* One batch. While the sealer has it, all it points to is the sealer's. */
struct vl_seal {
	uint8_t *value;
	size_t size, prev_at;   /* where in the value the 32 bytes of `prev` stand */
	struct vl_digest *tail; /* the digest of the batch before, then of this one */
	enum vl_domain domain;
	struct vl_digest digest;
	struct vl_signature signature;
	enum vl_err err;
	enum vl_seal_state state; /* the sealer's, as is the rest */
	struct vl_seal *next;
};

/* Do it here and now. */
void vl_seal(const struct vl_signer *signer, struct vl_seal *seal);

struct vl_sealer;

/* The signer stays the caller's, and must outlive it. NULL when out of memory. */
struct vl_sealer *vl_sealer_open(const struct vl_signer *signer);

/* Everything given must have been taken back. NULL is fine. */
void vl_sealer_close(struct vl_sealer *sealer);

/* Have one sealed, after those given before. */
void vl_sealer_give(struct vl_sealer *sealer, struct vl_seal *seal);

/* Wait until this one, the oldest of those given and not taken back, is sealed, and have it
 * back; from any thread. */
void vl_sealer_take(struct vl_sealer *sealer, struct vl_seal *oldest);

#endif

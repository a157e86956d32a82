#include "bus/chain.h"

static bool is_zero(const struct vl_digest *digest)
{
	return vl_digest_equal(digest, &(struct vl_digest){0});
}

/* A batch of an epoch that the chain has not come to. */
static enum vl_chain_step check_later(const struct vl_chain *chain,
				      const struct vl_batch_head *head)
{
	if (head->seq.n > 1)
		return VL_CHAIN_AHEAD;
	if (head->first_event.n != 1)
		return VL_CHAIN_MISMATCH;
	if (vl_digest_equal(&head->prev, &chain->digest))
		return VL_CHAIN_NEXT; /* of a chain not begun, the digest is all zeros */
	return is_zero(&head->prev) ? VL_CHAIN_MISMATCH : VL_CHAIN_AHEAD;
}

enum vl_chain_step vl_chain_check(const struct vl_chain *chain, const struct vl_batch *batch)
{
	const struct vl_batch_head *head = &batch->head;

	if (head->epoch.n > chain->epoch.n)
		return check_later(chain, head);
	if (head->epoch.n < chain->epoch.n || head->seq.n <= chain->seq.n)
		return VL_CHAIN_KNOWN;
	if (head->seq.n - chain->seq.n > 1)
		return VL_CHAIN_AHEAD;
	return vl_digest_equal(&head->prev, &chain->digest) &&
			       head->first_event.n == chain->next_event.n
		       ? VL_CHAIN_NEXT
		       : VL_CHAIN_MISMATCH;
}

void vl_chain_advance(struct vl_chain *chain, const struct vl_batch *batch,
		      const struct vl_digest *digest)
{
	chain->epoch = batch->head.epoch;
	chain->seq = batch->head.seq;
	chain->next_event.n = batch->head.first_event.n + batch->n_events;
	chain->digest = *digest;
}

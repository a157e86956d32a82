/*
 * A walk over every batch of every lane of an outbox: form, signature, chain, numbers.
 *
 * Next: agent_receipt.h, receipts for it.
 */
#ifndef VALISE_TESTS_AGENT_AUDIT_H
#define VALISE_TESTS_AGENT_AUDIT_H

#include "agent_fixture.h"

#include "bus/chain.h"

struct audit {
	unsigned batches, events, lanes;
	size_t biggest;
};

static inline void audit_batch(const struct vl_outbox_batch *kept, struct vl_chain *chain,
			       struct vl_arena *arena, const struct vl_public_key *key)
{
	struct vl_batch batch;
	struct vl_event event;

	assert_true(vl_outbox_intact(kept));
	assert_int_equal(vl_verify(key, kept->domain, &kept->digest, &kept->signature), VL_OK);
	assert_int_equal(vl_batch_read(kept->value, arena, &batch, NULL), VL_OK);
	assert_int_equal(vl_chain_check(chain, &batch), VL_CHAIN_NEXT);
	vl_chain_advance(chain, &batch, &kept->digest);
	assert_int_equal(batch.head.mission.size, 9);
	assert_memory_equal(batch.head.mission.data, "CN-SD-EMB", 9);
	assert_int_equal(batch.head.lane.size, strlen(kept->lane));
	assert_int_equal(batch.head.epoch.n, kept->epoch.n);
	assert_int_equal(batch.head.seq.n, kept->seq.n);
	assert_int_equal(batch.head.first_event.n, kept->first_event.n);
	assert_int_equal(batch.n_events, kept->n_events);
	for (size_t i = 0; i < batch.n_events; i++) {
		assert_int_equal(vl_event_read(batch.events[i], &event, NULL), VL_OK);
		assert_int_equal(event.id.size, 16);
	}
}

static inline struct audit audit(struct world *world)
{
	struct vl_outbox_look *look = vl_outbox_look(world->outbox, NULL);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_outbox_batch kept = {0};
	struct vl_chain chain = {0};
	char lane[64] = "";
	struct audit found = {0};

	assert_non_null(look);
	while (vl_outbox_each(look, &kept)) {
		if (strcmp(lane, kept.lane) != 0) {
			(void)strcpy(lane, kept.lane);
			chain = (struct vl_chain){0};
			found.lanes++;
		}
		audit_batch(&kept, &chain, arena, vl_signer_public(world->signer));
		vl_arena_reset(arena);
		found.batches++;
		found.events += kept.n_events;
		if (kept.value.size > found.biggest)
			found.biggest = kept.value.size;
	}
	assert_int_equal(vl_outbox_look_err(look), VL_OK);
	vl_outbox_look_end(look);
	vl_arena_close(arena);
	return found;
}

#endif

/*
 * The ids of events that are accepted and not yet on the disk, in the order of their arrival, each
 * with its row.
 *
 * Next: seal.h, which signs batches.
 */
#ifndef VALISE_AGENT_OUTBOX_IDS_H
#define VALISE_AGENT_OUTBOX_IDS_H

#include "base/rand.h"
#include "base/text.h"

#define VL_IDS_ROW ((size_t)28)

struct vl_id_row {
	struct vl_event_id id;
	uint8_t row[VL_IDS_ROW];
};

/* Start with vl_ids_start, end with vl_ids_free. */
struct vl_ids {
	struct vl_id_row *rows;
	size_t count, room;
	struct vl_event_id greatest; /* of them */
	uint64_t *slots;             /* 0 for an empty one */
	unsigned bits;               /* 2^bits slots; 0 for none yet */
	uint64_t keys[2];
};

/* The random numbers prevent a sender from making ids that all fall on one slot. */
void vl_ids_start(struct vl_ids *ids, const struct vl_rand *rand);
void vl_ids_free(struct vl_ids *ids);

/* Drop all; keep some memory. */
void vl_ids_clear(struct vl_ids *ids);

/* The row of an id, or NULL. Valid until the next put. */
const uint8_t *vl_ids_find(const struct vl_ids *ids, const struct vl_event_id *id);

/* The ids in their order, each with its row, to be freed by the caller; NULL when out of memory. */
struct vl_id_place {
	struct vl_event_id id;
	const uint8_t *row;
};
struct vl_id_place *vl_ids_sort(const struct vl_ids *ids);

/* Put an id that is not present. False when out of memory. */
bool vl_ids_put(struct vl_ids *ids, const struct vl_event_id *id, const uint8_t row[VL_IDS_ROW]);

#endif

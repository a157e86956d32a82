#include "agent/ids.h"

#include <stdlib.h>
#include <string.h>

#define BITS_MIN 8
#define ROWS_KEPT ((size_t)8192)

void vl_ids_start(struct vl_ids *ids, const struct vl_rand *rand)
{
	*ids = (struct vl_ids){0};
	vl_rand_fill(rand, ids->keys, sizeof(ids->keys));
	ids->keys[0] |= 1;
	ids->keys[1] |= 1;
}

static void let_go(struct vl_ids *ids)
{
	free(ids->rows);
	free(ids->slots);
	ids->rows = NULL;
	ids->slots = NULL;
	ids->count = ids->room = 0;
	ids->bits = 0;
}

void vl_ids_free(struct vl_ids *ids)
{
	let_go(ids);
}

void vl_ids_clear(struct vl_ids *ids)
{
	if (ids->room > ROWS_KEPT)
		let_go(ids);
	else if (ids->count > 0)
		memset(ids->slots, 0, sizeof(*ids->slots) << ids->bits);
	ids->count = 0;
}

/* Where an id stands or would stand: the slots are never more than half full. */
static size_t slot_of(const struct vl_ids *ids, const struct vl_event_id *id)
{
	uint64_t half[2];

	memcpy(half, id->bytes, sizeof(half));
	uint64_t hash = half[0] * ids->keys[0] + half[1] * ids->keys[1];
	hash = (hash ^ hash >> 32) * ids->keys[1];
	size_t mask = ((size_t)1 << ids->bits) - 1, slot = (size_t)(hash >> (64 - ids->bits));
	while (ids->slots[slot] != 0 &&
	       memcmp(ids->rows[ids->slots[slot] - 1].id.bytes, id->bytes, sizeof(id->bytes)) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

const uint8_t *vl_ids_find(const struct vl_ids *ids, const struct vl_event_id *id)
{
	if (ids->count == 0)
		return NULL;
	uint32_t at = ids->slots[slot_of(ids, id)];
	return at != 0 ? ids->rows[at - 1].row : NULL;
}

static bool grow(struct vl_ids *ids)
{
	unsigned bits = ids->bits == 0 ? BITS_MIN : ids->bits + 1;
	uint32_t *slots = calloc((size_t)1 << bits, sizeof(*slots));
	struct vl_id_row *rows = realloc(ids->rows, ((size_t)1 << (bits - 1)) * sizeof(*rows));

	if (rows != NULL)
		ids->rows = rows;
	if (rows == NULL || slots == NULL) {
		free(slots);
		return false;
	}
	free(ids->slots);
	ids->slots = slots;
	ids->bits = bits;
	ids->room = (size_t)1 << (bits - 1);
	for (size_t i = 0; i < ids->count; i++)
		ids->slots[slot_of(ids, &ids->rows[i].id)] = (uint32_t)i + 1;
	return true;
}

bool vl_ids_put(struct vl_ids *ids, const struct vl_event_id *id, const uint8_t row[VL_IDS_ROW])
{
	if (ids->count == ids->room && !grow(ids))
		return false;
	struct vl_id_row *put = &ids->rows[ids->count];
	put->id = *id;
	memcpy(put->row, row, sizeof(put->row));
	ids->slots[slot_of(ids, id)] = (uint32_t)++ids->count;
	return true;
}

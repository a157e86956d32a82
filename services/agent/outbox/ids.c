#include "agent/outbox/ids.h"

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

static uint64_t hash_of(const struct vl_ids *ids, const struct vl_event_id *id)
{
	uint64_t half[2];

	memcpy(half, id->bytes, sizeof(half));
	uint64_t hash = half[0] * ids->keys[0] + half[1] * ids->keys[1];
	return (hash ^ hash >> 32) * ids->keys[1];
}

/* What a slot says of a row: where it is, and half of its id's hash, so that it need not be
 * fetched to see that it is another. */
static uint64_t slot_value(uint64_t hash, size_t index)
{
	return hash << 32 | (index + 1);
}

static size_t slot_index(uint64_t slot)
{
	return (size_t)(slot & UINT32_MAX) - 1;
}

/* Where an id stands or would stand: the slots are never more than half full. */
static size_t slot_of(const struct vl_ids *ids, uint64_t hash, const struct vl_event_id *id)
{
	size_t mask = ((size_t)1 << ids->bits) - 1, at = (size_t)(hash >> (64 - ids->bits));

	while (ids->slots[at] != 0 &&
	       (ids->slots[at] >> 32 != (hash & UINT32_MAX) ||
		vl_event_id_compare(&ids->rows[slot_index(ids->slots[at])].id, id) != 0))
		at = (at + 1) & mask;
	return at;
}

const uint8_t *vl_ids_find(const struct vl_ids *ids, const struct vl_event_id *id)
{
	if (ids->count == 0 || vl_event_id_compare(id, &ids->greatest) > 0)
		return NULL;
	uint64_t slot = ids->slots[slot_of(ids, hash_of(ids, id), id)];
	return slot != 0 ? ids->rows[slot_index(slot)].row : NULL;
}

static bool grow(struct vl_ids *ids)
{
	unsigned bits = ids->bits == 0 ? BITS_MIN : ids->bits + 1;
	uint64_t *slots = calloc((size_t)1 << bits, sizeof(*slots));
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
	for (size_t i = 0; i < ids->count; i++) {
		uint64_t hash = hash_of(ids, &rows[i].id);
		slots[slot_of(ids, hash, &rows[i].id)] = slot_value(hash, i);
	}
	return true;
}

bool vl_ids_put(struct vl_ids *ids, const struct vl_event_id *id, const uint8_t row[VL_IDS_ROW])
{
	if (ids->count == ids->room && !grow(ids))
		return false;
	struct vl_id_row *put = &ids->rows[ids->count];
	if (ids->count == 0 || vl_event_id_compare(id, &ids->greatest) > 0)
		ids->greatest = *id;
	put->id = *id;
	memcpy(put->row, row, sizeof(put->row));
	uint64_t hash = hash_of(ids, id);
	ids->slots[slot_of(ids, hash, id)] = slot_value(hash, ids->count++);
	return true;
}

static int compare(const void *a, const void *b)
{
	return vl_event_id_compare(&((const struct vl_id_place *)a)->id,
				   &((const struct vl_id_place *)b)->id);
}

struct vl_id_place *vl_ids_sort(const struct vl_ids *ids)
{
	struct vl_id_place *places = malloc((ids->count + 1) * sizeof(*places));

	if (places == NULL)
		return NULL;
	for (size_t i = 0; i < ids->count; i++)
		places[i] = (struct vl_id_place){ids->rows[i].id, ids->rows[i].row};
	qsort(places, ids->count, sizeof(*places), compare);
	return places;
}

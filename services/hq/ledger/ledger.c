#include "hq/ledger/ledger.h"

#include "base/checksum.h"
#include "base/text.h"

#include <string.h>

struct vl_place vl_place_of(const struct vl_record *record, const struct vl_batch *batch,
			    size_t event)
{
	struct vl_bytes bytes = batch->events[event];

	return (struct vl_place){
		.epoch = batch->head.epoch,
		.seq = batch->head.seq,
		.event = {batch->head.first_event.n + event},
		.offset = (uint32_t)(bytes.data - record->value.data),
		.size = (uint32_t)bytes.size,
	};
}

struct vl_key vl_ledger_lane_key(const char *mission, const char *lane)
{
	struct vl_key key;

	vl_key_reset(&key);
	vl_key_text(&key, mission);
	vl_key_text(&key, lane);
	return key;
}

void vl_archive_key(struct vl_key *key, const char *mission, const char *lane,
		    struct vl_epoch epoch, struct vl_seq seq)
{
	*key = vl_ledger_lane_key(mission, lane);
	vl_key_u64(key, epoch.n);
	vl_key_u64(key, seq.n);
}

/* On to the first batch of the lane that a key is of, or lies before; false where the key is of
 * that lane. */
static bool skip_lanes(struct vl_archive_walk *walk, struct vl_bytes key)
{
	const char *mission = (const char *)key.data;
	struct vl_key own;

	vl_key_reset(&own);
	vl_key_text(&own, mission);
	int order = strcmp(mission + strlen(mission) + 1, walk->lane);
	if (order == 0)
		return false;
	if (order < 0)
		vl_key_text(&own, walk->lane);
	else
		own.bytes[own.size - 1] = 1; /* behind all of this mission */
	walk->key = own;
	return true;
}

bool vl_archive_next(struct vl_txn *txn, struct vl_archive_walk *walk, struct vl_archive_place *at,
		     struct vl_bytes *stored)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_ARCHIVE);
	struct vl_bytes key;

	if (walk->key.size > 0)
		vl_key_u8(&walk->key, 0);
	bool found = vl_cursor_seek(cursor, vl_key_done(&walk->key), &key, stored);
	while (found && skip_lanes(walk, key))
		found = vl_cursor_seek(cursor, vl_key_done(&walk->key), &key, stored);
	vl_cursor_close(cursor);
	if (!found)
		return false;
	vl_key_reset(&walk->key);
	vl_key_bytes(&walk->key, key.data, key.size);
	at->mission = (const char *)walk->key.bytes;
	at->lane = walk->lane;
	at->epoch.n = vl_get_be64(walk->key.bytes + walk->key.size - 16);
	at->seq.n = vl_get_be64(walk->key.bytes + walk->key.size - 8);
	return true;
}

enum vl_err vl_archive_batch(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *batch)
{
	struct vl_key key;
	struct vl_bytes stored;
	struct vl_record record;
	struct vl_digest digest;

	vl_archive_key(&key, mission, lane, place->epoch, place->seq);
	if (!vl_txn_get(txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored) ||
	    vl_record_unpack(stored, &record, &digest) != VL_OK)
		return VL_ERR_CORRUPT;
	*batch = record.value;
	return VL_OK;
}

enum vl_err vl_place_event(struct vl_bytes batch, const struct vl_place *place,
			   struct vl_bytes *event)
{
	if (batch.size < place->offset || batch.size - place->offset < place->size)
		return VL_ERR_CORRUPT;
	*event = (struct vl_bytes){batch.data + place->offset, place->size};
	return vl_checksum(*event) == place->sum ? VL_OK : VL_ERR_CORRUPT;
}

enum vl_err vl_archive_event(struct vl_txn *txn, const char *mission, const char *lane,
			     const struct vl_place *place, struct vl_bytes *event)
{
	struct vl_bytes batch;
	enum vl_err err = vl_archive_batch(txn, mission, lane, place, &batch);

	return err == VL_OK ? vl_place_event(batch, place, event) : err;
}

#include "hq/fold/mend_index.h"

#include "base/arena.h"
#include "base/text.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/parked.h"

#include <string.h>

/* The names and numbers of a batch's key. */
struct spot {
	char mission[VL_MISSION_MAX + 1], lane[VL_LEDGER_NAME];
	struct vl_epoch epoch;
	struct vl_seq seq;
};

static bool read_spot(struct vl_bytes key, struct spot *spot)
{
	const char *mission = (const char *)key.data;
	size_t name = strnlen(mission, key.size), rest = key.size - name;

	if (name > VL_MISSION_MAX || rest < 2)
		return false;
	size_t lane = strnlen(mission + name + 1, rest - 1);
	if (lane >= sizeof(spot->lane) || rest - 1 < lane + 1 + 16)
		return false;
	memcpy(spot->mission, mission, name + 1);
	memcpy(spot->lane, mission + name + 1, lane + 1);
	const uint8_t *numbers = key.data + name + lane + 2;
	spot->epoch.n = vl_get_be64(numbers);
	spot->seq.n = vl_get_be64(numbers + 8);
	return true;
}

/* Walk the sound entries of a database. */
static void walk(struct vl_txn *txn, enum vl_ledger_db db,
		 void (*each)(struct vl_txn *txn, const struct spot *spot, struct vl_bytes key,
			      struct vl_bytes value))
{
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	struct vl_bytes key, value;
	struct spot spot;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		if (read_spot(key, &spot))
			each(txn, &spot, key, value);
	vl_cursor_close(cursor);
}

static void wait_again(struct vl_txn *txn, const struct spot *spot, struct vl_bytes key,
		       struct vl_bytes value)
{
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;

	(void)key;
	if (arena == NULL)
		vl_txn_fail(txn, VL_ERR_NOMEM);
	else if (vl_record_unpack(value, &record, &digest) == VL_OK &&
		 vl_batch_read(record.value, arena, &batch, NULL) == VL_OK)
		vl_parked_wait(txn,
			       &(struct vl_parked_place){spot->mission, spot->lane, spot->epoch,
							 spot->seq, &batch.head.prev});
	vl_arena_close(arena);
}

void vl_mend_waits(struct vl_txn *txn)
{
	vl_txn_clear(txn, VL_DB_AWAITS);
	vl_txn_clear(txn, VL_DB_DUE);
	walk(txn, VL_DB_PARKED, wait_again);
}

static void remember_archived(struct vl_txn *txn, const struct spot *spot, struct vl_bytes key,
			      struct vl_bytes value)
{
	struct vl_digest digest;

	(void)key;
	if (vl_record_digest(value, &digest))
		vl_chains_remember(txn, spot->mission, spot->lane, &digest, spot->epoch, spot->seq);
}

/* Its digest ends the key. */
static void remember_evidence(struct vl_txn *txn, const struct spot *spot, struct vl_bytes key,
			      struct vl_bytes value)
{
	struct vl_digest digest;

	(void)value;
	memcpy(digest.bytes, key.data + key.size - sizeof(digest.bytes), sizeof(digest.bytes));
	vl_chains_remember(txn, spot->mission, spot->lane, &digest, spot->epoch, spot->seq);
}

void vl_mend_digests(struct vl_txn *txn)
{
	vl_txn_clear(txn, VL_DB_DIGEST);
	walk(txn, VL_DB_ARCHIVE, remember_archived);
	walk(txn, VL_DB_EVIDENCE, remember_evidence);
}

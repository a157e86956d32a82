#include "hq/repair/mend_count.h"

#include "base/text.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/evidence.h"
#include "hq/ledger/parked.h"
#include "hq/ledger/standing.h"

#include <string.h>

/* Where a batch lies, by its key: mission, lane, epoch, seq; the numbers are 0 where it has
 * none. */
struct spot {
	char mission[VL_MISSION_MAX + 1], lane[VL_LEDGER_NAME];
	struct vl_epoch epoch;
	struct vl_seq seq;
};

static bool read_spot(struct vl_bytes key, struct spot *spot)
{
	const uint8_t *mission_end = memchr(key.data, '\0', key.size), *end = key.data + key.size;
	const uint8_t *lane_end =
		mission_end != NULL ? memchr(mission_end + 1, '\0', (size_t)(end - mission_end - 1))
				    : NULL;

	if (lane_end == NULL || mission_end - key.data > (ptrdiff_t)VL_MISSION_MAX ||
	    lane_end - mission_end > VL_LEDGER_NAME)
		return false;
	memcpy(spot->mission, key.data, (size_t)(mission_end - key.data) + 1);
	memcpy(spot->lane, mission_end + 1, (size_t)(lane_end - mission_end));
	spot->epoch.n = end - lane_end - 1 >= 8 ? vl_get_be64(lane_end + 1) : 0;
	spot->seq.n = end - lane_end - 1 >= 16 ? vl_get_be64(lane_end + 9) : 0;
	return true;
}

bool vl_mend_is_known(struct vl_txn *txn, struct vl_bytes key)
{
	struct spot spot;
	struct vl_chain chain;

	return read_spot(key, &spot) &&
	       vl_chains_get(txn, spot.mission, spot.lane, spot.epoch, &chain);
}

/* A batch out of the archive, where it is sound and lies where it says. */
struct found {
	struct spot spot;
	struct vl_record record;
	struct vl_digest digest;
	struct vl_batch batch;
};

static bool read_found(struct vl_txn *txn, struct vl_bytes key, struct vl_bytes value,
		       struct vl_arena *arena, struct found *found)
{
	const struct vl_batch_head *head = &found->batch.head;

	vl_arena_reset(arena);
	if (!read_spot(key, &found->spot) ||
	    vl_record_unpack(value, &found->record, &found->digest) != VL_OK ||
	    !vl_record_intact(&found->record, &found->digest))
		return false;
	enum vl_err err = vl_batch_read(found->record.value, arena, &found->batch, NULL);
	if (err == VL_ERR_NOMEM)
		vl_txn_fail(txn, err);
	return err == VL_OK && vl_bytes_are(head->mission, found->spot.mission) &&
	       vl_bytes_are(head->lane, found->spot.lane) && head->epoch.n == found->spot.epoch.n &&
	       head->seq.n == found->spot.seq.n;
}

/* -- chains -- */

static void forget_offsets(struct vl_txn *txn, const char *lane)
{
	struct vl_key from = {0};
	struct vl_bytes key;

	vl_key_text(&from, lane);
	for (bool more = true; more;) {
		struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_OFFSET);
		struct vl_key copy = {0};
		more = vl_cursor_seek(cursor, vl_key_done(&from), &key, NULL) &&
		       vl_key_has_prefix(key, vl_key_done(&from));
		if (more)
			vl_key_bytes(&copy, key.data, key.size);
		vl_cursor_close(cursor);
		more = more && vl_txn_delete(txn, VL_DB_OFFSET, vl_key_done(&copy));
	}
}

/* From the newest batch of the epoch that is sound. */
static void make_chain(struct vl_txn *txn, const struct spot *spot, struct vl_arena *arena)
{
	struct vl_key beyond;
	struct vl_bytes key, value;
	struct found found;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_ARCHIVE);
	bool cut = false;

	vl_archive_key(&beyond, spot->mission, spot->lane, spot->epoch,
		       (struct vl_seq){UINT64_MAX});
	bool more = vl_cursor_seek(cursor, vl_key_done(&beyond), &key, &value)
			    ? vl_cursor_prev(cursor, &key, &value)
			    : vl_cursor_last(cursor, &key, &value);
	for (; more && read_spot(key, &found.spot) &&
	       strcmp(found.spot.mission, spot->mission) == 0 &&
	       strcmp(found.spot.lane, spot->lane) == 0 && found.spot.epoch.n == spot->epoch.n;
	     more = vl_cursor_prev(cursor, &key, &value)) {
		if (!read_found(txn, key, value, arena, &found)) {
			cut = true;
			continue;
		}
		struct vl_chain chain = {.epoch = spot->epoch};
		vl_chain_advance(&chain, &found.batch, &found.digest);
		vl_chains_put(txn, spot->mission, spot->lane, &chain);
		break;
	}
	vl_cursor_close(cursor);
	if (cut)
		forget_offsets(txn, spot->lane);
}

/* On to the first key behind all of that epoch; behind all of that lane, where `lane`. */
static bool skip(struct vl_cursor *cursor, const struct spot *spot, bool lane, struct vl_bytes *key,
		 struct vl_bytes *value)
{
	struct vl_key beyond;

	vl_archive_key(&beyond, spot->mission, spot->lane,
		       lane ? (struct vl_epoch){UINT64_MAX} : spot->epoch,
		       (struct vl_seq){UINT64_MAX});
	vl_key_u8(&beyond, UINT8_MAX);
	return vl_cursor_seek(cursor, vl_key_done(&beyond), key, value);
}

/* Call `each` for the first key of every epoch in the archive. */
static void each_epoch(struct vl_txn *txn, void (*each)(struct vl_txn *txn, const struct spot *spot,
							struct vl_bytes key, struct vl_bytes value,
							struct vl_arena *arena))
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_ARCHIVE);
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_bytes key, value;
	struct spot spot;

	if (arena == NULL)
		vl_txn_fail(txn, VL_ERR_NOMEM);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;) {
		if (!read_spot(key, &spot)) {
			more = vl_cursor_next(cursor, &key, &value);
			continue;
		}
		each(txn, &spot, key, value, arena);
		more = skip(cursor, &spot, false, &key, &value);
	}
	vl_cursor_close(cursor);
	vl_arena_close(arena);
}

static void mend_chain(struct vl_txn *txn, const struct spot *spot, struct vl_bytes key,
		       struct vl_bytes value, struct vl_arena *arena)
{
	struct vl_chain chain;

	(void)key, (void)value;
	if (!vl_chains_get(txn, spot->mission, spot->lane, spot->epoch, &chain))
		make_chain(txn, spot, arena);
}

void vl_mend_chains(struct vl_txn *txn)
{
	each_epoch(txn, mend_chain);
}

static void mend_beginning(struct vl_txn *txn, const struct spot *spot, struct vl_bytes key,
			   struct vl_bytes value, struct vl_arena *arena)
{
	static const struct vl_digest none;
	struct found found;

	if (read_found(txn, key, value, arena, &found) && found.batch.head.seq.n == 1 &&
	    vl_digest_equal(&found.batch.head.prev, &none))
		vl_evidence_forgot(txn, spot->mission, spot->lane, spot->epoch);
}

void vl_mend_beginnings(struct vl_txn *txn)
{
	each_epoch(txn, mend_beginning);
}

/* -- what waits -- */

/* Call `each` for every lane that has keys in `db`. */
static void each_lane(struct vl_txn *txn, enum vl_ledger_db db,
		      void (*each)(struct vl_txn *txn, const struct spot *spot))
{
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	struct vl_bytes key;
	struct spot spot;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, NULL); more;) {
		if (!read_spot(key, &spot)) {
			more = vl_cursor_next(cursor, &key, NULL);
			continue;
		}
		each(txn, &spot);
		more = skip(cursor, &spot, true, &key, NULL);
	}
	vl_cursor_close(cursor);
}

/* Entries of a lane, and their values' bytes. */
static uint64_t count_lane(struct vl_txn *txn, enum vl_ledger_db db, const struct spot *spot,
			   uint64_t *bytes)
{
	struct vl_key from = vl_ledger_lane_key(spot->mission, spot->lane);
	struct vl_bytes key, value;
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	uint64_t n = 0;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&from));
	     more = vl_cursor_next(cursor, &key, &value)) {
		n++;
		*bytes += value.size;
	}
	vl_cursor_close(cursor);
	return n;
}

static void count_waiting(struct vl_txn *txn, const struct spot *spot)
{
	uint64_t bytes = 0;

	(void)count_lane(txn, VL_DB_PARKED, spot, &bytes);
	vl_parked_recount(txn, spot->mission, spot->lane, bytes);
}

void vl_mend_waiting(struct vl_txn *txn)
{
	vl_parked_recount_none(txn);
	each_lane(txn, VL_DB_PARKED, count_waiting);
}

/* -- standings -- */

static void count_batch(struct vl_standing *s, const struct found *found)
{
	static const struct vl_digest none;
	const struct vl_batch_head *head = &found->batch.head;

	s->rollbacks += s->events > 0 && head->seq.n == 1 && vl_digest_equal(&head->prev, &none);
	s->events += found->batch.n_events;
	s->epoch = head->epoch;
	s->seq = head->seq;
	s->next_event.n = head->first_event.n + found->batch.n_events;
	s->applied_ms = found->record.timestamp_ms;
	s->signed_at = head->signed_at;
}

static void count_archive(struct vl_txn *txn, const struct spot *spot, struct vl_standing *s)
{
	struct vl_key from = vl_ledger_lane_key(spot->mission, spot->lane);
	struct vl_bytes key, value;
	struct vl_arena *arena = vl_arena_open(0);
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_ARCHIVE);
	struct found found;

	if (arena == NULL)
		vl_txn_fail(txn, VL_ERR_NOMEM);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&from));
	     more = vl_cursor_next(cursor, &key, &value)) {
		s->batches++;
		if (read_found(txn, key, value, arena, &found))
			count_batch(s, &found);
	}
	vl_cursor_close(cursor);
	vl_arena_close(arena);
}

static void count_standing(struct vl_txn *txn, const struct spot *spot)
{
	struct vl_standing s = vl_standing_get(txn, spot->mission, spot->lane);
	uint64_t bytes = 0;

	if (!vl_mission_valid(spot->mission, strlen(spot->mission)))
		return;
	if (s.batches == 0)
		count_archive(txn, spot, &s);
	s.parked = count_lane(txn, VL_DB_PARKED, spot, &bytes);
	if (s.forks == 0)
		s.forks = count_lane(txn, VL_DB_EVIDENCE, spot, &bytes);
	s.dropped = s.dropped > 0 || !vl_parked_settle(txn, spot->mission, spot->lane);
	vl_standing_put(txn, spot->mission, spot->lane, &s);
}

void vl_mend_standings(struct vl_txn *txn)
{
	each_lane(txn, VL_DB_STANDING, count_standing);
	each_lane(txn, VL_DB_ARCHIVE, count_standing);
	each_lane(txn, VL_DB_PARKED, count_standing);
}

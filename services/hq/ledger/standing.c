#include "hq/ledger/standing.h"

#include "base/text.h"

#include <string.h>

#define NUMBERS 15

enum vl_verdict vl_standing_verdict(const struct vl_standing *standing)
{
	if (standing->forks > 0)
		return VL_VERDICT_FORK;
	if (standing->rollbacks > 0)
		return VL_VERDICT_ROLLBACK;
	return standing->parked > 0 || standing->dropped > 0 ? VL_VERDICT_GAP : VL_VERDICT_OK;
}

const char *vl_verdict_name(enum vl_verdict verdict)
{
	switch (verdict) {
	case VL_VERDICT_FORK:
		return "fork";
	case VL_VERDICT_ROLLBACK:
		return "rollback";
	case VL_VERDICT_GAP:
		return "gap";
	case VL_VERDICT_SILENT:
		return "silent";
	case VL_VERDICT_OK:
		break;
	}
	return "ok";
}

static struct vl_standing unpack(struct vl_bytes value)
{
	struct vl_standing s = {0};
	uint64_t n[NUMBERS];

	if (value.size != sizeof(n))
		return s;
	for (size_t i = 0; i < NUMBERS; i++)
		n[i] = vl_get_be64(value.data + 8 * i);
	s.batches = n[0];
	s.events = n[1];
	s.replayed = n[2];
	s.repeated = n[3];
	s.unread = n[4];
	s.forks = n[5];
	s.rollbacks = n[6];
	s.parked = n[7];
	s.epoch.n = n[8];
	s.seq.n = n[9];
	s.next_event.n = n[10];
	s.applied_ms = (int64_t)n[11];
	s.signed_at = vl_time_from_ms((int64_t)n[12]);
	s.dropped = n[13];
	s.shared = n[14];
	return s;
}

struct vl_standing vl_standing_get(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct vl_key key;
	struct vl_bytes value;

	key = vl_ledger_lane_key(mission, lane);
	return vl_txn_get(txn, VL_DB_STANDING, vl_key_done(&key), &value) ? unpack(value)
									  : (struct vl_standing){0};
}

void vl_standing_put(struct vl_txn *txn, const char *mission, const char *lane,
		     const struct vl_standing *s)
{
	const uint64_t n[NUMBERS] = {s->batches,
				     s->events,
				     s->replayed,
				     s->repeated,
				     s->unread,
				     s->forks,
				     s->rollbacks,
				     s->parked,
				     s->epoch.n,
				     s->seq.n,
				     s->next_event.n,
				     (uint64_t)s->applied_ms,
				     (uint64_t)vl_time_ms(s->signed_at),
				     s->dropped,
				     s->shared};
	uint8_t value[sizeof(n)];
	struct vl_key key;

	for (size_t i = 0; i < NUMBERS; i++)
		vl_put_be64(value + 8 * i, n[i]);
	key = vl_ledger_lane_key(mission, lane);
	vl_txn_put(txn, VL_DB_STANDING, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

size_t vl_standing_each(struct vl_txn *txn,
			void (*each)(void *context, const char *mission, const char *lane,
				     const struct vl_standing *standing),
			void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_STANDING);
	struct vl_bytes key, value;
	size_t damaged = 0;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, vl_cursor_count, &damaged);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value)) {
		const char *mission = (const char *)key.data;
		struct vl_standing standing = unpack(value);
		each(context, mission, mission + strlen(mission) + 1, &standing);
	}
	vl_cursor_close(cursor);
	return damaged;
}

#include "hq/watch/pulse_tail.h"

#include "base/log.h"
#include "hq/fold/views.h"
#include "hq/ingest/apply.h"
#include "hq/ingest/pulse.h"
#include "hq/ledger/chains.h"
#include "hq/ledger/passed.h"
#include "hq/ledger/standing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One lane of one mission that Kafka has had more of than is applied. */
struct suspect {
	char mission[VL_MISSION_MAX + 1];
	const char *lane;
	struct vl_epoch epoch;
	struct vl_seq seq;
	bool judged, missing;
};

struct vl_tails {
	struct vl_store *store;
	struct vl_arena *arena;
	struct vl_buf suspects; /* an array */
	struct vl_txn *txn;     /* while looking */
};

struct vl_tails *vl_tails_open(struct vl_store *store)
{
	struct vl_tails *tails = calloc(1, sizeof(*tails));

	if (tails == NULL)
		return NULL;
	tails->store = store;
	tails->arena = vl_arena_open(0);
	if (tails->arena == NULL) {
		free(tails);
		return NULL;
	}
	return tails;
}

void vl_tails_close(struct vl_tails *tails)
{
	if (tails == NULL)
		return;
	vl_arena_close(tails->arena);
	vl_buf_free(&tails->suspects);
	free(tails);
}

static bool is_applied(struct vl_txn *txn, const char *mission, const char *lane,
		       struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_chain chain;

	return vl_chains_get(txn, mission, lane, epoch, &chain) && chain.seq.n >= seq.n;
}

/* What waits behind a gap will tell more when it is applied, what found no room there is asked
 * for already, what was put off is read once more, and what lies behind a fork is not missing but
 * evidence. */
static bool is_missing(struct vl_txn *txn, const struct suspect *s)
{
	struct vl_standing standing = vl_standing_get(txn, s->mission, s->lane);
	const struct vl_gap gap = {s->epoch, s->seq, s->seq};

	return standing.parked == 0 && standing.dropped == 0 && standing.forks == 0 &&
	       !is_applied(txn, s->mission, s->lane, s->epoch, s->seq) &&
	       !vl_passed_lies(txn, s->mission, s->lane, &gap);
}

/* It has been found already. */
static bool is_known(struct vl_txn *txn, const struct suspect *s)
{
	struct vl_epoch epoch;
	struct vl_seq seq;

	return vl_tails_missing(txn, s->mission, s->lane, &epoch, &seq) && epoch.n == s->epoch.n &&
	       seq.n == s->seq.n;
}

static void look_at(void *context, const char *mission, const struct vl_pulse_kept *kept)
{
	struct vl_tails *tails = context;

	for (size_t i = 0; i < kept->said->n_heads; i++) {
		const Valise__Pulse__V1__Pulse__Head *head = kept->said->heads[i];
		int view = vl_view_of_lane(head->lane, strlen(head->lane));
		struct suspect s = {.epoch = {head->acked_epoch}, .seq = {head->acked_seq}};
		if (view < 0 || head->acked_seq == 0 || strlen(mission) > VL_MISSION_MAX)
			continue;
		(void)stpcpy(s.mission, mission);
		s.lane = vl_views[view]->lane;
		if (is_missing(tails->txn, &s) && !is_known(tails->txn, &s))
			vl_buf_put(&tails->suspects, &s, sizeof(s));
	}
}

bool vl_tails_suspect(struct vl_tails *tails)
{
	vl_buf_reset(&tails->suspects);
	tails->txn = vl_txn_begin(tails->store, false, NULL);
	if (tails->txn == NULL)
		return false;
	vl_pulse_each(tails->txn, tails->arena, look_at, tails);
	vl_txn_abort(tails->txn);
	tails->txn = NULL;
	vl_arena_reset(tails->arena);
	/* Out of memory: they are looked for again. */
	if (vl_buf_failed(&tails->suspects))
		vl_buf_reset(&tails->suspects);
	return tails->suspects.size > 0;
}

enum reading { UNKNOWN, BEHIND, READ };

/* Whether a lane is applied to where it ended. */
static enum reading reading_of(struct vl_txn *txn, const char *lane, const struct vl_position *ends,
			       size_t count)
{
	enum reading reading = UNKNOWN;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(ends[i].topic, lane) != 0)
			continue;
		if (ends[i].offset > 0 &&
		    vl_apply_offset(txn, lane, ends[i].partition, NULL) < ends[i].offset)
			return BEHIND;
		reading = READ;
	}
	return reading;
}

static void note_missing(struct vl_txn *txn, const struct suspect *s)
{
	struct vl_key key = vl_ledger_lane_key(s->mission, s->lane);
	uint8_t value[16];

	vl_put_be64(value, s->epoch.n);
	vl_put_be64(value + 8, s->seq.n);
	vl_txn_put(txn, VL_DB_MISSING, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

static void tell(const struct suspect *suspects, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (suspects[i].missing)
			vl_log_warning(
				"%s says that Kafka had its batches to %" PRIu64
				" of epoch %" PRIu64
				" on '%s', and Kafka does not have them. Headquarters requests "
				"them again",
				suspects[i].mission, suspects[i].seq.n, suspects[i].epoch.n,
				suspects[i].lane);
}

static enum vl_err note_all(struct vl_tails *tails, struct suspect *suspects, size_t n,
			    struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(tails->store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		if (suspects[i].missing)
			note_missing(txn, &suspects[i]);
	enum vl_err err = vl_txn_commit(txn, why);
	if (err == VL_OK)
		tell(suspects, n);
	for (size_t i = 0; i < n; i++)
		suspects[i].missing = false;
	/* No room: it is looked at again. */
	return err == VL_ERR_FULL ? VL_OK : err;
}

enum vl_err vl_tails_judge(struct vl_tails *tails, const struct vl_position *ends, size_t count,
			   bool *done, struct vl_why *why)
{
	struct suspect *suspects = (struct suspect *)(void *)tails->suspects.data;
	size_t n = tails->suspects.size / sizeof(*suspects);
	struct vl_txn *txn = vl_txn_begin(tails->store, false, why);
	bool news = false;

	if (txn == NULL)
		return VL_ERR_NOMEM;
	*done = true;
	for (size_t i = 0; i < n; i++) {
		struct suspect *s = &suspects[i];
		enum reading reading = s->judged ? UNKNOWN : reading_of(txn, s->lane, ends, count);
		*done &= reading != BEHIND;
		s->judged |= reading == READ;
		s->missing = reading == READ && is_missing(txn, s);
		news |= s->missing;
	}
	vl_txn_abort(txn);
	return news ? note_all(tails, suspects, n, why) : VL_OK;
}

bool vl_tails_missing(struct vl_txn *txn, const char *mission, const char *lane,
		      struct vl_epoch *epoch, struct vl_seq *seq)
{
	struct vl_key key = vl_ledger_lane_key(mission, lane);
	struct vl_bytes value;

	if (!vl_txn_get(txn, VL_DB_MISSING, vl_key_done(&key), &value) || value.size != 16)
		return false;
	epoch->n = vl_get_be64(value.data);
	seq->n = vl_get_be64(value.data + 8);
	return !is_applied(txn, mission, lane, *epoch, *seq);
}

void vl_tails_each(struct vl_txn *txn,
		   void (*each)(void *context, const char *mission, const char *lane,
				const struct vl_gap *gap),
		   void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_MISSING);
	struct vl_bytes key;

	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, NULL); more;
	     more = vl_cursor_next(cursor, &key, NULL)) {
		const char *mission = (const char *)key.data, *lane = mission + strlen(mission) + 1;
		struct vl_epoch epoch;
		struct vl_seq seq;
		if (!vl_tails_missing(txn, mission, lane, &epoch, &seq))
			continue;
		struct vl_chain newest = vl_chains_newest(txn, mission, lane);
		struct vl_gap gap = {newest.epoch, {newest.seq.n + 1}, {0}};
		if (epoch.n == newest.epoch.n)
			gap.to = seq;
		each(context, mission, lane, &gap);
	}
	vl_cursor_close(cursor);
}

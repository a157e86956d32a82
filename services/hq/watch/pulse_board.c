#include "hq/watch/pulse_board.h"

#include "base/text.h"
#include "bus/types.h"
#include "hq/fold/views.h"
#include "hq/ledger/chains.h"
#include "hq/watch/pulse_tail.h"

#include <stdlib.h>
#include <string.h>

#define LANES 64

/* The newest pulse of all in a partition: as far as headquarters has heard there. */
struct heard {
	int32_t partition;
	int64_t at_ms;
};

struct board {
	struct vl_txn *txn;
	struct vl_time now;
	void (*each)(void *context, const struct vl_mission_state *state);
	void *context;
	struct vl_buf heard;              /* struct heard */
	char mission[VL_MISSION_MAX + 1]; /* whose lanes are being gathered; "" at the start */
	struct vl_lane_state lanes[LANES];
	size_t n_lanes;
	struct vl_arena *arena, *names;
};

/* -- how far headquarters has heard -- */

static struct heard *find_heard(const struct board *b, int32_t partition)
{
	struct heard *all = (struct heard *)(void *)b->heard.data;

	for (size_t i = 0; i < b->heard.size / sizeof(*all); i++)
		if (all[i].partition == partition)
			return &all[i];
	return NULL;
}

static void hear(void *context, const char *mission, const struct vl_pulse_kept *kept)
{
	struct board *b = context;
	struct heard *heard = find_heard(b, kept->partition), now = {kept->partition, kept->at_ms};

	(void)mission;
	if (heard == NULL)
		vl_buf_put(&b->heard, &now, sizeof(now));
	else if (kept->at_ms > heard->at_ms)
		heard->at_ms = kept->at_ms;
}

static int64_t heard_in(const struct board *b, int32_t partition)
{
	const struct heard *heard = find_heard(b, partition);

	return heard != NULL ? heard->at_ms : 0;
}

static int64_t patience_ms(const struct vl_pulse_kept *pulse)
{
	return (int64_t)pulse->said->interval_seconds * 1000 * VL_BOARD_INTERVALS;
}

/* -- a lane -- */

/* The first hole before what waits. */
static struct vl_missing find_hole(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct vl_missing hole = {0};
	struct vl_key from = vl_ledger_lane_key(mission, lane);
	struct vl_bytes key;
	struct vl_chain chain = {0};

	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_PARKED);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	if (vl_cursor_seek(cursor, vl_key_done(&from), &key, NULL) &&
	    vl_key_has_prefix(key, vl_key_done(&from)) && key.size >= from.size + 16) {
		hole.epoch.n = vl_get_be64(key.data + from.size);
		hole.to.n = vl_get_be64(key.data + from.size + 8) - 1;
	}
	vl_cursor_close(cursor);
	(void)vl_chains_get(txn, mission, lane, hole.epoch, &chain);
	hole.from.n = chain.seq.n + 1;
	return hole;
}

static struct vl_missing find_tail(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct vl_missing tail = {0};
	struct vl_chain chain = {0};

	if (!vl_tails_missing(txn, mission, lane, &tail.epoch, &tail.to))
		return (struct vl_missing){0};
	(void)vl_chains_get(txn, mission, lane, tail.epoch, &chain);
	tail.from.n = chain.seq.n + 1;
	return tail;
}

/* Whether the mission names another batch for its head's place than the one that is applied
 * there. */
static bool contradicts(struct vl_txn *txn, const char *mission,
			const Valise__Pulse__V1__Pulse__Head *head)
{
	struct vl_key key;
	struct vl_bytes stored;
	struct vl_digest applied;

	if (head->seq == 0 || head->digest.len != sizeof(struct vl_digest))
		return false;
	vl_archive_key(&key, mission, head->lane, (struct vl_epoch){head->epoch},
		       (struct vl_seq){head->seq});
	return vl_txn_get(txn, VL_DB_ARCHIVE, vl_key_done(&key), &stored) &&
	       vl_record_digest(stored, &applied) &&
	       memcmp(applied.bytes, head->digest.data, sizeof(applied.bytes)) != 0;
}

static enum vl_verdict worse(enum vl_verdict a, enum vl_verdict b)
{
	return a < b ? a : b;
}

static void judge_lane(struct board *b, struct vl_lane_state *lane)
{
	const struct vl_standing *s = &lane->standing;
	enum vl_err err = vl_troubles_read(b->txn, b->mission, lane->lane, s, lane->named, b->names,
					   &lane->troubles);

	if (err != VL_OK)
		vl_txn_fail(b->txn, err);
	lane->verdict = vl_troubles_verdict(&lane->troubles);
	if (s->parked > 0 || s->dropped > 0)
		lane->verdict = worse(lane->verdict, VL_VERDICT_GAP);
	lane->missing = lane->standing.parked > 0 ? find_hole(b->txn, b->mission, lane->lane)
						  : find_tail(b->txn, b->mission, lane->lane);
	if (lane->missing.to.n > 0)
		lane->verdict = worse(lane->verdict, VL_VERDICT_GAP);
}

/* -- a mission -- */

static struct vl_lane_state *find_lane(struct board *b, const char *name)
{
	for (size_t i = 0; i < b->n_lanes; i++)
		if (strcmp(b->lanes[i].lane, name) == 0)
			return &b->lanes[i];
	if (b->n_lanes == LANES)
		return NULL;
	struct vl_lane_state *lane = &b->lanes[b->n_lanes];
	*lane = (struct vl_lane_state){.lane = vl_arena_text(b->names, name, strlen(name)),
				       .verdict = VL_VERDICT_OK};
	b->n_lanes += lane->lane != NULL;
	return lane->lane != NULL ? lane : NULL;
}

/* What the pulse says of the lanes, those among them of which nothing came at all. */
static void take_heads(struct board *b, const struct vl_pulse_kept *pulse)
{
	for (size_t i = 0; i < pulse->said->n_heads; i++) {
		const Valise__Pulse__V1__Pulse__Head *head = pulse->said->heads[i];
		if (vl_view_of_lane(head->lane, strlen(head->lane)) < 0)
			continue;
		struct vl_lane_state *lane = find_lane(b, head->lane);
		if (lane == NULL)
			continue;
		if (contradicts(b->txn, b->mission, head))
			lane->named.n = head->epoch;
		judge_lane(b, lane);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vl_lane_state *)a)->lane,
		      ((const struct vl_lane_state *)b)->lane);
}

static void judge_silence(struct board *b, struct vl_mission_state *state)
{
	int64_t patience = patience_ms(state->pulse);

	state->overdue = vl_time_ms(b->now) - state->heard_ms > patience;
	if (heard_in(b, state->pulse->partition) - state->heard_ms <= patience)
		return;
	for (size_t i = 0; i < b->n_lanes; i++)
		b->lanes[i].verdict = worse(b->lanes[i].verdict, VL_VERDICT_SILENT);
}

/* All of a mission's lanes are gathered. */
static void tell(struct board *b)
{
	struct vl_pulse_kept pulse;
	struct vl_mission_state state = {
		.mission = b->mission, .verdict = VL_VERDICT_OK, .lanes = b->lanes};

	if (b->mission[0] == '\0')
		return;
	vl_arena_reset(b->arena);
	for (size_t i = 0; i < b->n_lanes; i++) {
		judge_lane(b, &b->lanes[i]);
		if (b->lanes[i].standing.applied_ms > state.heard_ms)
			state.heard_ms = b->lanes[i].standing.applied_ms;
	}
	enum vl_err err = vl_pulse_get(b->txn, b->mission, b->arena, &pulse);
	if (err == VL_ERR_NOMEM)
		vl_txn_fail(b->txn, err);
	if (err == VL_OK) {
		state.pulse = &pulse;
		if (pulse.at_ms > state.heard_ms)
			state.heard_ms = pulse.at_ms;
		take_heads(b, &pulse);
		judge_silence(b, &state);
	}
	qsort(b->lanes, b->n_lanes, sizeof(b->lanes[0]), by_name);
	state.n_lanes = b->n_lanes;
	for (size_t i = 0; i < b->n_lanes; i++) {
		state.verdict = worse(state.verdict, b->lanes[i].verdict);
		/* Behind a fork no number says which batch is meant. */
		if (b->lanes[i].verdict != VL_VERDICT_GAP)
			b->lanes[i].missing = (struct vl_missing){0};
	}
	b->each(b->context, &state);
}

static void gather(void *context, const char *mission, const char *lane,
		   const struct vl_standing *standing)
{
	struct board *b = context;

	if (strcmp(b->mission, mission) != 0) {
		tell(b);
		b->n_lanes = 0;
		vl_arena_reset(b->names);
		(void)stpncpy(b->mission, mission, VL_MISSION_MAX);
	}
	struct vl_lane_state *state = find_lane(b, lane);
	if (state != NULL)
		state->standing = *standing;
	else
		vl_txn_fail(b->txn, VL_ERR_NOMEM);
}

enum vl_err vl_board_each(struct vl_txn *txn, struct vl_time now,
			  void (*each)(void *context, const struct vl_mission_state *state),
			  void *context)
{
	struct board *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return VL_ERR_NOMEM;
	*b = (struct board){.txn = txn, .now = now, .each = each, .context = context};
	b->arena = vl_arena_open(0);
	b->names = vl_arena_open(0);
	enum vl_err err = b->arena != NULL && b->names != NULL ? VL_OK : VL_ERR_NOMEM;
	if (err == VL_OK) {
		vl_pulse_each(txn, b->arena, hear, b);
		(void)vl_standing_each(txn, gather, b);
		tell(b);
		err = vl_txn_err(txn);
	}
	vl_arena_close(b->arena);
	vl_arena_close(b->names);
	vl_buf_free(&b->heard);
	free(b);
	return err;
}

static void pass(void *context, const char *mission, const char *lane,
		 const struct vl_standing *standing)
{
	(void)context, (void)mission, (void)lane, (void)standing;
}

size_t vl_board_damaged(struct vl_txn *txn)
{
	return vl_standing_each(txn, pass, NULL);
}

/* -- headquarters itself -- */

struct ears {
	size_t pulsing, overdue;
};

static void listen_to(void *context, const struct vl_mission_state *state)
{
	struct ears *ears = context;

	ears->pulsing += state->pulse != NULL;
	ears->overdue += state->overdue;
}

bool vl_board_deaf(struct vl_txn *txn, struct vl_time now)
{
	struct ears ears = {0};

	return vl_board_each(txn, now, listen_to, &ears) == VL_OK && ears.pulsing > 0 &&
	       ears.overdue == ears.pulsing;
}

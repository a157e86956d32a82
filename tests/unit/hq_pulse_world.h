/*
 * Pulses for tests of headquarters, as a mission's agent makes them, and the board that
 * headquarters makes of them.
 *
 * Next: hq_scene.h, damage to a ledger.
 */
#ifndef VALISE_TESTS_HQ_PULSE_WORLD_H
#define VALISE_TESTS_HQ_PULSE_WORLD_H

#include "hq_world.h"

#include "bus/types.h"
#include "consular/alert/v1/alert.pb-c.h"
#include "hq/watch/pulse_board.h"
#include "hq/watch/pulse_tail.h"

#define ALERT_LANE "consular.alert.v1"
#define EVERY 60

/* A head of a lane, for a pulse: as the sender's chain stands, and acked to there. */
static inline Valise__Pulse__V1__Pulse__Head head_of(const struct sender *s, const char *lane,
						     uint64_t acked)
{
	Valise__Pulse__V1__Pulse__Head head = VALISE__PULSE__V1__PULSE__HEAD__INIT;

	head.lane = (char *)lane;
	head.epoch = head.acked_epoch = s->epoch.n;
	head.seq = s->seq;
	head.digest = (ProtobufCBinaryData){sizeof(s->head.bytes), (uint8_t *)s->head.bytes};
	head.acked_seq = acked;
	return head;
}

/* The next pulse of the chain `pulses`. */
static inline struct sent *beat(struct sender *pulses, Valise__Pulse__V1__Pulse__Head *heads,
				size_t n)
{
	Valise__Pulse__V1__Pulse pulse = VALISE__PULSE__V1__PULSE__INIT;
	Valise__Pulse__V1__Pulse__Head *list[8];

	assert_true(n <= 8);
	for (size_t i = 0; i < n; i++)
		list[i] = &heads[i];
	pulse.heads = list;
	pulse.n_heads = n;
	pulse.interval_seconds = EVERY;
	pulse.waiting_batches = 4;
	pulse.version = (char *)"1.2.3";
	return sign_event_on(pulses, VL_PULSE_LANE, 0, pulses->id, 100, &pulse.base, 0);
}

/* The same, brought at once. */
static inline void bring_beat(struct world *w, struct sender *pulses,
			      Valise__Pulse__V1__Pulse__Head *heads, size_t n)
{
	bring(w, beat(pulses, heads, n));
}

/* A batch of one event on the lane of alerts. */
static inline struct sent *submit_alert(struct sender *s, uint64_t id)
{
	Consular__Alert__V1__AlertSubmitted submitted = CONSULAR__ALERT__V1__ALERT_SUBMITTED__INIT;

	return sign_event_on(s, ALERT_LANE, id, "A-1", 100, &submitted.base, 0);
}

/* The board's entry of one lane of one mission; with NULL for the lane, of the mission. */
struct asked {
	const char *mission, *lane;
	enum vl_verdict verdict;
	struct vl_missing missing;
	bool found, pulses, overdue;
	int64_t heard_ms;
	uint64_t waiting;
};

static inline void note_asked(void *context, const struct vl_mission_state *state)
{
	struct asked *asked = context;

	if (strcmp(state->mission, asked->mission) != 0)
		return;
	asked->found = asked->lane == NULL;
	asked->verdict = state->verdict;
	asked->pulses = state->pulse != NULL;
	asked->overdue = state->overdue;
	asked->heard_ms = state->heard_ms;
	asked->waiting = state->pulse != NULL ? state->pulse->said->waiting_batches : 0;
	for (size_t i = 0; asked->lane != NULL && i < state->n_lanes; i++) {
		if (strcmp(state->lanes[i].lane, asked->lane) != 0)
			continue;
		asked->found = true;
		asked->verdict = state->lanes[i].verdict;
		asked->missing = state->lanes[i].missing;
	}
}

static inline struct asked ask_board(struct world *w, const char *mission, const char *lane)
{
	struct asked asked = {.mission = mission, .lane = lane, .verdict = VL_VERDICT_OK};
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);

	assert_non_null(txn);
	struct vl_time now = vl_time_from_ms(1700000000000 + w->later_ms);
	assert_int_equal(vl_board_each(txn, now, note_asked, &asked), VL_OK);
	vl_txn_abort(txn);
	return asked;
}

#define assert_verdict(w, mission, lane, wanted)                                  \
	assert_string_equal(vl_verdict_name(ask_board(w, mission, lane).verdict), \
			    vl_verdict_name(wanted))

static inline int64_t applied_to(struct world *w, const char *lane)
{
	struct vl_txn *txn = vl_txn_begin(w->store, false, NULL);
	int64_t offset = vl_apply_offset(txn, lane, 0, NULL);

	vl_txn_abort(txn);
	return offset;
}

/* Judge cut tails as a headquarters that has read both lanes to their ends. */
static inline void judge_tails(struct world *w)
{
	struct vl_tails *tails = vl_tails_open(w->store);
	struct vl_position ends[] = {{LANE, 0, 0}, {ALERT_LANE, 0, 0}};
	bool done = true;

	assert_non_null(tails);
	for (size_t i = 0; i < 2; i++) {
		int64_t offset = applied_to(w, ends[i].topic);
		ends[i].offset = offset > 0 ? offset : 0;
	}
	if (vl_tails_suspect(tails))
		assert_int_equal(vl_tails_judge(tails, ends, 2, &done, NULL), VL_OK);
	assert_true(done);
	vl_tails_close(tails);
}

#endif

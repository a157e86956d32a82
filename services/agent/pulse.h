/*
 * The pulse: the agent's state, reported to headquarters at intervals (proto/valise/pulse/v1).
 *
 * It goes through the mission's own outbox, signed and numbered like any event. The next one is
 * made only when the previous one has left the outbox, that is, when Kafka has it. So after days
 * without a line one pulse waits, not thousands. The first comes soon after the start.
 *
 * Next: agent.h, keeper and link together.
 */
#ifndef VALISE_AGENT_PULSE_H
#define VALISE_AGENT_PULSE_H

#include "agent/outbox/outbox.h"

struct vl_pulse;

/* The clock and the text stay the caller's. */
struct vl_pulse_options {
	uint64_t every; /* seconds; 0: never */
	/* for the content of a pulse; the caller's milliseconds decide when it is due */
	const struct vl_clock *clock;
	const char *version;
};

/* NULL when out of memory. */
struct vl_pulse *vl_pulse_open(const struct vl_pulse_options *options);
void vl_pulse_close(struct vl_pulse *pulse);

/* Another interval from now on. */
void vl_pulse_renew(struct vl_pulse *pulse, uint64_t every);

/* When to call vl_pulse_make next; -1 for never. */
int64_t vl_pulse_due(const struct vl_pulse *pulse);

/* Records the broker's clock minus our clock, less the round trip. Network delay only lowers it,
 * so the maximum since the last pulse is the best estimate. */
void vl_pulse_clock(struct vl_pulse *pulse, int64_t ahead_ms);

/* If a pulse is due, append it to `event` as a serialised Event, for vl_outbox_accept_pulse.
 * False if none is due, if the previous one is still in the outbox, or if the outbox cannot be
 * read. Then the next one is due after another interval. */
bool vl_pulse_make(struct vl_pulse *pulse, struct vl_outbox *outbox, int64_t now_ms,
		   struct vl_buf *event);

#endif

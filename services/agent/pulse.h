/*
 * The pulse: how the agent stands, said to headquarters now and then (proto/valise/pulse/v1).
 *
 * It goes through the mission's own outbox, signed and numbered as any event, and only when the
 * one before is gone from there, which is when Kafka has it: after days without a line one pulse
 * waits, not thousands. The first comes soon after the start.
 */
#ifndef VALISE_AGENT_PULSE_H
#define VALISE_AGENT_PULSE_H

#include "agent/outbox/outbox.h"

struct vl_pulse;

/* The clock and the text stay the caller's. */
struct vl_pulse_options {
	uint64_t every; /* seconds; 0: never */
	/* for what a pulse says; when it is due the caller's milliseconds tell */
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

/* The broker's clock was so far ahead of ours, less what the answer took. The greatest since the
 * last pulse is the nearest. */
void vl_pulse_clock(struct vl_pulse *pulse, int64_t ahead_ms);

/* Where a pulse is due: append it to `event` as a serialised Event, for vl_outbox_accept_pulse.
 * False where it is not, where the one before is still in the outbox, or where the outbox cannot
 * be read; the next one is due after another interval. */
bool vl_pulse_make(struct vl_pulse *pulse, struct vl_outbox *outbox, int64_t now_ms,
		   struct vl_buf *event);

#endif

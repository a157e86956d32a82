#include "agent/pulse.h"

#include "agent/outbox/roster.h"
#include "bus/batch.h"
#include "valise/pulse/v1/pulse.pb-c.h"

#include <stdlib.h>
#include <string.h>

struct vl_pulse {
	struct vl_pulse_options options;
	int64_t due;
	bool clock_known;
	int64_t ahead_ms;
	Valise__Pulse__V1__Pulse__Head *heads; /* room for one a lane */
	Valise__Pulse__V1__Pulse__Head **list;
	struct vl_digest *digests;
};

struct vl_pulse *vl_pulse_open(const struct vl_pulse_options *options)
{
	struct vl_pulse *pulse = calloc(1, sizeof(*pulse));

	if (pulse == NULL)
		return NULL;
	pulse->options = *options;
	pulse->due = options->every > 0 ? 0 : -1;
	pulse->heads = calloc(vl_n_lanes, sizeof(*pulse->heads));
	pulse->list = calloc(vl_n_lanes, sizeof(Valise__Pulse__V1__Pulse__Head *));
	pulse->digests = calloc(vl_n_lanes, sizeof(*pulse->digests));
	if (pulse->heads == NULL || pulse->list == NULL || pulse->digests == NULL) {
		vl_pulse_close(pulse);
		return NULL;
	}
	return pulse;
}

void vl_pulse_close(struct vl_pulse *pulse)
{
	if (pulse == NULL)
		return;
	free(pulse->heads);
	free(pulse->list);
	free(pulse->digests);
	free(pulse);
}

void vl_pulse_renew(struct vl_pulse *pulse, uint64_t every)
{
	if (every == pulse->options.every)
		return;
	pulse->options.every = every;
	pulse->due = every > 0 ? 0 : -1;
}

int64_t vl_pulse_due(const struct vl_pulse *pulse)
{
	return pulse->due;
}

void vl_pulse_clock(struct vl_pulse *pulse, int64_t ahead_ms)
{
	if (!pulse->clock_known || ahead_ms > pulse->ahead_ms)
		pulse->ahead_ms = ahead_ms;
	pulse->clock_known = true;
}

static void put_heads(struct vl_pulse *pulse, struct vl_outbox_look *look,
		      Valise__Pulse__V1__Pulse *message)
{
	message->heads = pulse->list;
	for (size_t i = 0; i < vl_n_lanes; i++) {
		Valise__Pulse__V1__Pulse__Head *head = &pulse->heads[message->n_heads];
		struct vl_digest *digest = &pulse->digests[message->n_heads];
		const char *lane = vl_lanes[i].name;
		struct vl_epoch epoch, acked_epoch;
		struct vl_seq seq, acked_seq;
		vl_outbox_head(look, lane, &epoch, &seq, digest);
		vl_outbox_acked(look, lane, &acked_epoch, &acked_seq);
		if (epoch.n == 0 || strcmp(lane, VL_PULSE_LANE) == 0)
			continue;
		valise__pulse__v1__pulse__head__init(head);
		head->lane = (char *)lane;
		head->epoch = epoch.n;
		head->seq = seq.n;
		head->digest = (ProtobufCBinaryData){sizeof(digest->bytes), digest->bytes};
		head->acked_epoch = acked_epoch.n;
		head->acked_seq = acked_seq.n;
		pulse->list[message->n_heads++] = head;
	}
}

static void put_waiting(struct vl_outbox_look *look, struct vl_time now,
			Valise__Pulse__V1__Pulse *message)
{
	message->waiting_batches = vl_outbox_count(look);
	for (size_t i = 0; i < vl_roster_count(); i++) {
		struct vl_outbox_batch batch;
		if (!vl_outbox_next(look, vl_roster_lane(i)->name, (struct vl_epoch){0},
				    (struct vl_seq){0}, &batch))
			continue;
		int64_t age = now.seconds - batch.stored_at.seconds;
		if (age > 0 && (uint64_t)age > message->oldest_seconds)
			message->oldest_seconds = (uint64_t)age;
	}
}

static void say(struct vl_pulse *pulse, struct vl_outbox_look *look, const char *mission,
		struct vl_buf *event)
{
	struct vl_time now = vl_clock_now(pulse->options.clock);
	Valise__Pulse__V1__Pulse message = VALISE__PULSE__V1__PULSE__INIT;
	Valise__Pulse__V1__Pulse__Offset ahead = VALISE__PULSE__V1__PULSE__OFFSET__INIT;

	put_heads(pulse, look, &message);
	put_waiting(look, now, &message);
	message.interval_seconds = (uint32_t)pulse->options.every;
	message.version = (char *)pulse->options.version;
	ahead.milliseconds = pulse->ahead_ms;
	if (pulse->clock_known)
		message.clock_offset = &ahead;
	vl_event_pack(event, mission, "agent", now, &message.base);
}

bool vl_pulse_make(struct vl_pulse *pulse, struct vl_outbox *outbox, int64_t now_ms,
		   struct vl_buf *event)
{
	struct vl_outbox_batch before;

	if (pulse->due < 0 || now_ms < pulse->due)
		return false;
	pulse->due = now_ms + (int64_t)pulse->options.every * 1000;
	struct vl_outbox_look *look = vl_outbox_look(outbox, NULL);
	if (look == NULL)
		return false;
	bool waits = vl_outbox_next(look, VL_PULSE_LANE, (struct vl_epoch){0}, (struct vl_seq){0},
				    &before);
	if (!waits)
		say(pulse, look, vl_outbox_mission(outbox), event);
	bool good = !waits && vl_outbox_look_err(look) == VL_OK && !vl_buf_failed(event);
	vl_outbox_look_end(look);
	if (good)
		pulse->clock_known = false;
	return good;
}

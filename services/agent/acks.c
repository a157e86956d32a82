#include "agent/acks.h"

#include "agent/outbox/roster.h"

#include <stdlib.h>

struct vl_acks {
	int64_t since; /* -1 while there is nothing */
	struct {
		struct place {
			struct vl_epoch epoch;
			struct vl_seq seq;
			bool news;
		} acked, sent;
	} lanes[]; /* by the number in the roster */
};

struct vl_acks *vl_acks_open(void)
{
	struct vl_acks *acks = calloc(1, sizeof(*acks) + vl_roster_room() * sizeof(acks->lanes[0]));

	if (acks != NULL)
		acks->since = -1;
	return acks;
}

void vl_acks_close(struct vl_acks *acks)
{
	free(acks);
}

void vl_acks_take(struct vl_acks *acks, const struct vl_pipe_message *message, int64_t now_ms)
{
	size_t i = vl_roster_number(message->lane);
	struct place place = {message->epoch, message->seq, true};

	if (message->kind == VL_PIPE_ACKED)
		acks->lanes[i].acked = place;
	else
		acks->lanes[i].sent = place;
	if (acks->since < 0)
		acks->since = now_ms;
}

int64_t vl_acks_since(const struct vl_acks *acks)
{
	return acks->since;
}

void vl_acks_note(const struct vl_acks *acks, struct vl_outbox *outbox)
{
	for (size_t i = 0; acks->since >= 0 && i < vl_roster_count(); i++) {
		const struct place *sent = &acks->lanes[i].sent, *acked = &acks->lanes[i].acked;
		if (sent->news)
			vl_outbox_sent(outbox, vl_roster_lane(i)->name, sent->epoch, sent->seq);
		if (acked->news)
			vl_outbox_ack(outbox, vl_roster_lane(i)->name, acked->epoch, acked->seq);
	}
}

void vl_acks_noted(struct vl_acks *acks)
{
	for (size_t i = 0; acks->since >= 0 && i < vl_roster_count(); i++)
		acks->lanes[i].sent.news = acks->lanes[i].acked.news = false;
	acks->since = -1;
}

void vl_acks_not_noted(struct vl_acks *acks, int64_t now_ms)
{
	for (size_t i = 0; i < vl_roster_count(); i++) {
		struct place *sent = &acks->lanes[i].sent, *acked = &acks->lanes[i].acked;
		sent->news = sent->seq.n > 0;
		acked->news = acked->seq.n > 0;
		if (sent->news || acked->news)
			acks->since = now_ms;
	}
}

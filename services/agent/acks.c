#include "agent/acks.h"

#include <stdlib.h>

struct vl_acks {
	int64_t since; /* -1 while there is nothing */
	struct {
		struct vl_epoch epoch;
		struct vl_seq seq;
		bool news;
	} lanes[]; /* by the index in vl_lanes */
};

struct vl_acks *vl_acks_open(void)
{
	struct vl_acks *acks = calloc(1, sizeof(*acks) + vl_n_lanes * sizeof(acks->lanes[0]));

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
	size_t i = (size_t)(message->lane - vl_lanes);

	acks->lanes[i].epoch = message->epoch;
	acks->lanes[i].seq = message->seq;
	acks->lanes[i].news = true;
	if (acks->since < 0)
		acks->since = now_ms;
}

int64_t vl_acks_since(const struct vl_acks *acks)
{
	return acks->since;
}

void vl_acks_note(const struct vl_acks *acks, struct vl_outbox *outbox)
{
	for (size_t i = 0; acks->since >= 0 && i < vl_n_lanes; i++)
		if (acks->lanes[i].news)
			vl_outbox_ack(outbox, vl_lanes[i].name, acks->lanes[i].epoch, acks->lanes[i].seq);
}

void vl_acks_noted(struct vl_acks *acks)
{
	for (size_t i = 0; acks->since >= 0 && i < vl_n_lanes; i++)
		acks->lanes[i].news = false;
	acks->since = -1;
}

void vl_acks_not_noted(struct vl_acks *acks, int64_t now_ms)
{
	for (size_t i = 0; i < vl_n_lanes; i++) {
		acks->lanes[i].news = acks->lanes[i].seq.n > 0;
		if (acks->lanes[i].news)
			acks->since = now_ms;
	}
}

#include "play.h"

static struct sender *sender_of(struct play *p, const char *mission, size_t view)
{
	const struct sender *same = NULL;

	for (size_t i = 0; i < p->n_posts; i++) {
		if (strcmp(p->posts[i].sender.id, mission) != 0)
			continue;
		if (p->posts[i].view == view)
			return &p->posts[i].sender;
		same = &p->posts[i].sender;
	}
	assert_true(p->n_posts < PLAY_POSTS);
	struct play_post *post = &p->posts[p->n_posts++];
	*post = (struct play_post){same != NULL ? *same : world_sender(&p->world, mission), view};
	post->sender.seq = 0;
	post->sender.next_event = 1;
	post->sender.head = (struct vl_digest){0};
	return &post->sender;
}

static void number(ProtobufCBinaryData *id, uint8_t bytes[16], size_t n)
{
	memset(bytes, 0, 16);
	bytes[0] = 1;
	vl_put_be64(bytes + 8, n + 1);
	*id = (ProtobufCBinaryData){16, bytes};
}

struct sent *play_sign(struct play *p, size_t n, bool readable)
{
	const struct scenario *s = &p->s;
	Valise__V1__Event event = *s->events[n].event;
	Google__Protobuf__Any payload = *event.payload;
	uint8_t id[16], after[16];
	struct vl_buf packed = {0};

	if (!readable) {
		payload.type_url = TYPE_PREFIX "consular.later.v1.NotKnownYet";
		event.payload = &payload;
	}

	number(&event.id, id, n);
	if (s->events[n].after != SIZE_MAX)
		number(&event.after, after, s->events[n].after);
	vl_wire_pack(&event.base, &packed);
	struct sent *sent = sign_batch_on(sender_of(p, s->events[n].mission, s->events[n].view),
					  vl_views[s->events[n].view]->lane, &packed, 1);
	vl_buf_free(&packed);
	return sent;
}

void play_open(struct play *p, const char *path)
{
	memset(p, 0, sizeof(*p));
	p->s = scenario_read(path);
	p->view = p->s.n_events > 0 ? p->s.events[0].view : 0;
	world_open(&p->world);
	p->sent = calloc(p->s.n_events + 1, sizeof(struct sent *));
	assert_non_null(p->sent);
	for (size_t i = 0; i < p->s.n_events; i++)
		p->sent[i] = play_sign(p, i, true);
}

void play_close(struct play *p)
{
	world_close(&p->world);
	free(p->sent);
	scenario_close(&p->s);
}

void play_shuffle(size_t *order, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t i = n; seed != 0 && i > 1; i--) {
		size_t j = next_random(&seed) % i, kept = order[i - 1];
		order[i - 1] = order[j];
		order[j] = kept;
	}
}

void play_all(struct play *p, uint64_t seed)
{
	size_t *order = calloc(p->s.n_events + 1, sizeof(*order));

	assert_non_null(order);
	play_shuffle(order, p->s.n_events, seed);
	for (size_t i = 0; i < p->s.n_events; i++) {
		bring(&p->world, p->sent[order[i]]);
		if (i % 3 == 0)
			bring(&p->world, p->sent[order[i]]);
	}
	free(order);
	(void)world_work_off(&p->world);
}

#include "view_fake_in.h"

#include "valise/v1/view.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX 128

static const char *short_key(const char *key, char room[KEY_MAX + 1])
{
	if (strlen(key) <= KEY_MAX)
		return key;
	uint64_t hash = 14695981039346656037u;
	for (const char *c = key; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 1099511628211u;
	snprintf(room, KEY_MAX + 1, "%.100s~%016" PRIx64, key, hash);
	return room;
}

struct entity *fake_find(struct fake *fake, unsigned kind, const char *key, bool make)
{
	char room[KEY_MAX + 1];
	key = short_key(key, room);
	size_t low = 0, high = fake->n_entities;
	while (low < high) {
		size_t middle = (low + high) / 2;
		struct entity *entity = fake->entities[middle];
		int order = entity->kind != kind ? (entity->kind < kind ? -1 : 1)
						 : strcmp(entity->key, key);
		if (order == 0)
			return entity;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!make)
		return NULL;
	fake->entities = grown(fake->entities, fake->n_entities, sizeof(*fake->entities));
	memmove(&fake->entities[low + 1], &fake->entities[low],
		(fake->n_entities++ - low) * sizeof(*fake->entities));
	struct entity *entity = fake->entities[low] = must(calloc(1, sizeof(*entity)));
	entity->kind = kind;
	entity->key = must(strdup(key));
	return entity;
}

struct fake *fake_open(const struct vl_view *view)
{
	struct fake *fake = must(calloc(1, sizeof(*fake)));
	struct vl_buf wrong = {0};
	fake->view = view;
	fake->first = fake;
	fake->bound = vl_view_bind(view, &wrong);
	if (fake->bound == NULL) {
		(void)fprintf(stderr, "%s", vl_buf_text(&wrong));
		abort();
	}
	vl_buf_free(&wrong);
	return fake;
}

struct fake *fake_of(struct fake *fake, const struct vl_view *view)
{
	for (fake = fake->first; fake != NULL && fake->view != view;)
		fake = fake->next;
	return fake;
}

struct fake *fake_beside(struct fake *fake, const struct vl_view *view)
{
	struct fake *there = fake_of(fake, view);
	if (there != NULL)
		return there;
	there = fake_open(view);
	there->first = fake->first;
	there->next = fake->first->next;
	return fake->first->next = there;
}

static void free_entity(struct entity *entity)
{
	for (size_t i = 0; i < entity->n_tallies; i++)
		free(entity->tallies[i].name);
	for (size_t i = 0; i < entity->n_given; i++) {
		free(entity->given[i].key);
		free(entity->given[i].name);
	}
	free(entity->tallies);
	free(entity->given);
	free(entity->facts);
	free(entity->row);
	free(entity->key);
	free(entity);
}

static void close_one(struct fake *fake)
{
	for (size_t i = 0; i < fake->n_facts; i++) {
		struct stored *stored = fake->facts[i];
		free(stored->mission);
		free(stored->subject);
		free(stored->actor);
		free(stored->bytes);
		free(stored);
	}
	for (size_t i = 0; i < fake->n_entities; i++)
		free_entity(fake->entities[i]);
	free(fake->facts);
	free(fake->entities);
	fake_release(&fake->shown);
	fake_release(&fake->turn);
	vl_buf_free(&fake->cell);
	vl_view_unbind(fake->bound);
	free(fake);
}

void fake_close(struct fake *fake)
{
	for (struct fake *next; fake != NULL; fake = next) {
		next = fake->next;
		close_one(fake);
	}
}

/* -- facts -- */

static void make_id(uint8_t id[16], const char *mission, uint64_t epoch, uint64_t event)
{
	uint64_t hash = 14695981039346656037u ^ epoch;
	for (const char *c = mission; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 1099511628211u;
	memcpy(id, &hash, 8);
	memcpy(id + 8, &event, 8);
}

const uint8_t *fake_add(struct fake *fake, const char *mission, uint64_t epoch, uint64_t event,
			int64_t occurred_ms, const char *subject, const char *actor,
			const uint8_t *after, const ProtobufCMessage *payload)
{
	uint8_t id[16];
	make_id(id, mission, epoch, event);
	for (size_t i = 0; i < fake->n_facts; i++) {
		if (memcmp(fake->facts[i]->id, id, 16) == 0)
			return fake->facts[i]->id;
	}
	struct stored *stored = must(calloc(1, sizeof(*stored)));
	stored->mission = must(strdup(mission));
	stored->subject = must(strdup(subject));
	stored->actor = must(strdup(actor));
	stored->epoch = epoch;
	stored->event = event;
	memcpy(stored->id, id, 16);
	stored->has_after = after != NULL;
	if (after != NULL)
		memcpy(stored->after, after, 16);
	stored->at = vl_time_from_ms(occurred_ms);
	stored->type = payload->descriptor;
	stored->size = protobuf_c_message_get_packed_size(payload);
	stored->bytes = must(malloc(stored->size + 1));
	protobuf_c_message_pack(payload, stored->bytes);
	fake->facts = grown(fake->facts, fake->n_facts, sizeof(*fake->facts));
	fake->facts[fake->n_facts++] = stored;
	return stored->id;
}

const uint8_t *fake_next(struct fake *fake, const char *mission, int64_t occurred_ms,
			 const char *subject, const char *actor, const uint8_t *after,
			 const ProtobufCMessage *payload)
{
	uint64_t last = 0;
	for (size_t i = 0; i < fake->n_facts; i++) {
		const struct stored *stored = fake->facts[i];
		if (strcmp(stored->mission, mission) == 0 && stored->epoch == 1 &&
		    stored->event > last)
			last = stored->event;
	}
	return fake_add(fake, mission, 1, last + 1, occurred_ms, subject, actor, after, payload);
}

/* -- rows and tallies -- */

const ProtobufCMessage *fake_row(struct fake *fake, unsigned kind, const char *key)
{
	struct entity *entity = fake_find(fake, kind, key, false);
	if (entity == NULL || !entity->has_row)
		return NULL;
	return fake_unpack(&fake->shown, fake->view->kinds[kind].row, entity->row,
			   entity->row_size);
}

int64_t fake_tally(struct fake *fake, unsigned kind, const char *key, const char *name)
{
	struct entity *entity = fake_find(fake, kind, key, false);
	for (size_t i = 0; entity != NULL && i < entity->n_tallies; i++) {
		if (strcmp(entity->tallies[i].name, name) == 0)
			return entity->tallies[i].value;
	}
	return 0;
}

unsigned fake_violations(const ProtobufCMessage *row, const char *rule)
{
	if (row == NULL)
		return 0;
	const ProtobufCFieldDescriptor *field =
		must((void *)(uintptr_t)protobuf_c_message_descriptor_get_field_by_name(
			row->descriptor, "violations"));
	size_t n;
	memcpy(&n, (const char *)row + field->quantifier_offset, sizeof(n));
	Valise__V1__Violation **items;
	memcpy(&items, (const char *)row + field->offset, sizeof(items));
	unsigned found = 0;
	for (size_t i = 0; i < n; i++)
		found += rule == NULL || strcmp(items[i]->rule, rule) == 0;
	return found;
}

const char *fake_cell(struct fake *fake, unsigned kind, const char *key, const char *title,
		      struct vl_time now)
{
	const ProtobufCMessage *row = fake_row(fake, kind, key);
	vl_buf_reset(&fake->cell);
	const struct vl_column *columns = fake->view->kinds[kind].columns;
	for (size_t n = 0; row != NULL && columns[n].title != NULL; n++) {
		if (strcmp(columns[n].title, title) == 0)
			vl_bound_cell(fake->bound, kind, n, key, row, now, &fake->cell);
	}
	return vl_buf_text(&fake->cell);
}

/* -- convergence -- */

static void put_entity(const struct fake *fake, const struct entity *entity, struct vl_buf *buf)
{
	vl_buf_printf(buf, "\n%s %s %zu:", fake->view->kinds[entity->kind].name, entity->key,
		      entity->row_size);
	vl_buf_put(buf, entity->row, entity->row_size);
	for (size_t t = 0; t < entity->n_tallies; t++) {
		if (entity->tallies[t].value != 0)
			vl_buf_printf(buf, "\n %s=%" PRId64, entity->tallies[t].name,
				      entity->tallies[t].value);
	}
}

void fake_packed(struct fake *fake, struct vl_buf *buf)
{
	for (; fake != NULL; fake = fake->next) {
		vl_buf_printf(buf, "\n%s", fake->view->lane);
		for (size_t i = 0; i < fake->n_entities; i++)
			if (fake->entities[i]->has_row)
				put_entity(fake, fake->entities[i], buf);
	}
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* A fact, and where it is said. */
struct said {
	const struct stored *stored;
	struct fake *to;
};

/* Every third twice. */
static struct said *say_all(const struct fake *fake, struct fake *copy, size_t *n)
{
	struct said *all = NULL;
	*n = 0;
	for (; fake != NULL; fake = fake->next) {
		for (size_t i = 0; i < fake->n_facts; i++) {
			for (int twice = 0; twice <= (i % 3 == 0); twice++) {
				all = grown(all, *n, sizeof(*all));
				all[(*n)++] = (struct said){fake->facts[i], copy};
			}
		}
		copy = copy->next;
	}
	return all;
}

static struct fake *open_same(const struct fake *fake)
{
	struct fake *copy = fake_open(fake->view), *last = copy;
	for (fake = fake->next; fake != NULL; fake = fake->next) {
		last->next = fake_open(fake->view);
		last = last->next;
		last->first = copy;
	}
	return copy;
}

struct fake *fake_shuffled(const struct fake *fake, uint64_t seed, bool live)
{
	struct fake *copy = open_same(fake);
	size_t n;
	struct said *order = say_all(fake, copy, &n);
	for (size_t i = n; i > 1; i--) {
		size_t j = next_random(&seed) % i;
		struct said kept = order[i - 1];
		order[i - 1] = order[j];
		order[j] = kept;
	}
	for (size_t i = 0; i < n; i++) {
		const struct stored *s = order[i].stored;
		struct vl_fold fold = {.fake = order[i].to};
		fake_add(order[i].to, s->mission, s->epoch, s->event, vl_time_ms(s->at), s->subject,
			 s->actor, s->has_after ? s->after : NULL,
			 fake_unpack(&fold, s->type, s->bytes, s->size));
		fake_release(&fold);
		if (live)
			fake_fold(copy);
	}
	fake_fold(copy);
	free(order);
	return copy;
}

bool fake_converges(struct fake *fake, uint64_t seed, unsigned rounds)
{
	struct vl_buf wanted = {0}, got = {0};
	bool same = true;
	fake_fold(fake);
	fake_packed(fake, &wanted);
	for (unsigned i = 0; same && i < rounds * 2; i++) {
		vl_buf_reset(&got);
		struct fake *copy = fake_shuffled(fake, seed + i / 2, i % 2 == 1);
		fake_packed(copy, &got);
		same = got.size == wanted.size && memcmp(got.data, wanted.data, got.size) == 0;
		if (!same)
			fprintf(stderr, "seed %" PRIu64 " (%s) gives other rows\n", seed + i / 2,
				i % 2 == 1 ? "live" : "rebuilt");
		fake_close(copy);
	}
	vl_buf_free(&wanted);
	vl_buf_free(&got);
	return same;
}

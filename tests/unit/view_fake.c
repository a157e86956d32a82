#include "view_fake.h"

#include "valise/v1/view.pb-c.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 128

struct stored {
	char *mission, *subject, *actor;
	uint64_t epoch, event;
	uint8_t id[16], after[16];
	bool has_after, done;
	struct vl_time at;
	const ProtobufCMessageDescriptor *type;
	uint8_t *bytes;
	size_t size;
};

struct tally {
	char *name;
	int64_t value;
};

struct contribution {
	unsigned kind;
	char *key, *name;
	int64_t count;
};

struct entity {
	unsigned kind;
	char *key;
	bool pending, has_row;
	struct stored **facts;
	size_t n_facts, n_tallies, n_given;
	struct tally *tallies; /* by name */
	struct contribution *given;
	uint8_t *row;
	size_t row_size;
};

/* Each allocation apart, so that the sanitizer sees a pointer kept for too long. */
struct vl_fold {
	struct fake *fake;
	struct entity *entity;
	void **blocks;
	size_t n_blocks;
};

struct vl_touch {
	struct fake *fake;
	struct stored *fact;
};

struct fake {
	const struct vl_view *view;
	struct stored **facts;
	size_t n_facts, n_touched;
	struct entity **entities; /* by kind, then key */
	size_t n_entities;
	struct vl_fold shown; /* owns what fake_row returned */
	struct vl_buf cell;
};

static void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* Room for one more in an array of `size`-byte elements; capacity doubles at powers of two. */
static void *grown(void *items, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return items;
	return must(realloc(items, (count == 0 ? 1 : count * 2) * size));
}

/* -- memory of one fold -- */

void *vl_fold_alloc(struct vl_fold *fold, size_t size)
{
	fold->blocks = grown(fold->blocks, fold->n_blocks, sizeof(*fold->blocks));
	return fold->blocks[fold->n_blocks++] = must(calloc(1, size == 0 ? 1 : size));
}

static void *proto_alloc(void *fold, size_t size)
{
	return vl_fold_alloc(fold, size);
}

static void proto_free(void *fold, void *memory)
{
	(void)fold, (void)memory;
}

static void release(struct vl_fold *fold)
{
	for (size_t i = 0; i < fold->n_blocks; i++)
		free(fold->blocks[i]);
	free(fold->blocks);
	fold->blocks = NULL;
	fold->n_blocks = 0;
}

static ProtobufCMessage *unpack(struct vl_fold *fold, const ProtobufCMessageDescriptor *type, const void *bytes,
				size_t size)
{
	ProtobufCAllocator allocator = {.alloc = proto_alloc, .free = proto_free, .allocator_data = fold};
	return must(protobuf_c_message_unpack(type, &allocator, size, bytes));
}

/* -- entities and tallies -- */

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

static struct entity *find(struct fake *fake, unsigned kind, const char *key, bool make)
{
	char room[KEY_MAX + 1];
	key = short_key(key, room);
	size_t low = 0, high = fake->n_entities;
	while (low < high) {
		size_t middle = (low + high) / 2;
		struct entity *entity = fake->entities[middle];
		int order = entity->kind != kind ? (entity->kind < kind ? -1 : 1) : strcmp(entity->key, key);
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
	memmove(&fake->entities[low + 1], &fake->entities[low], (fake->n_entities++ - low) * sizeof(*fake->entities));
	struct entity *entity = fake->entities[low] = must(calloc(1, sizeof(*entity)));
	entity->kind = kind;
	entity->key = must(strdup(key));
	return entity;
}

static int64_t *tally_of(struct entity *entity, const char *name)
{
	size_t at = 0;
	while (at < entity->n_tallies && strcmp(entity->tallies[at].name, name) < 0)
		at++;
	if (at < entity->n_tallies && strcmp(entity->tallies[at].name, name) == 0)
		return &entity->tallies[at].value;
	entity->tallies = grown(entity->tallies, entity->n_tallies, sizeof(*entity->tallies));
	memmove(&entity->tallies[at + 1], &entity->tallies[at], (entity->n_tallies++ - at) * sizeof(*entity->tallies));
	entity->tallies[at] = (struct tally){.name = must(strdup(name))};
	return &entity->tallies[at].value;
}

static void sum_up(struct fake *fake, const struct contribution *given, int64_t sign)
{
	*tally_of(find(fake, given->kind, given->key, true), given->name) += sign * given->count;
}

static int64_t sum_of(const struct contribution *given, size_t n, const struct contribution *like)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		if (given[i].kind == like->kind && strcmp(given[i].key, like->key) == 0 &&
		    strcmp(given[i].name, like->name) == 0)
			sum += given[i].count;
	}
	return sum;
}

/* A tally that ends as it was wakes nobody: a view that relies on more has to say so (vl_fold_dirty). */
static void replace_given(struct fake *fake, struct entity *entity, struct contribution *former, size_t n_former)
{
	const struct contribution *lists[] = {former, entity->given};
	const size_t counts[] = {n_former, entity->n_given};
	for (int l = 0; l < 2; l++) {
		for (size_t i = 0; i < counts[l]; i++) {
			const struct contribution *one = &lists[l][i];
			sum_up(fake, one, l == 0 ? -1 : 1);
			bool changed = sum_of(former, n_former, one) != sum_of(entity->given, entity->n_given, one);
			if (changed && one->kind > entity->kind)
				find(fake, one->kind, one->key, true)->pending = true;
		}
	}
	for (size_t i = 0; i < n_former; i++) {
		free(former[i].key);
		free(former[i].name);
	}
	free(former);
}

/* -- the interface -- */

void vl_touch(struct vl_touch *touch, unsigned kind, const char *key)
{
	if (key == NULL || key[0] == '\0')
		return;
	if (kind >= touch->fake->view->n_kinds)
		abort();
	struct entity *entity = find(touch->fake, kind, key, true);
	entity->pending = true;
	if (entity->n_facts > 0 && entity->facts[entity->n_facts - 1] == touch->fact)
		return;
	entity->facts = grown(entity->facts, entity->n_facts, sizeof(*entity->facts));
	entity->facts[entity->n_facts++] = touch->fact;
}

const char *vl_fold_key(const struct vl_fold *fold)
{
	return fold->entity->key;
}

char *vl_fold_printf(struct vl_fold *fold, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char text[1024];
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return strcpy(vl_fold_alloc(fold, strlen(text) + 1), text);
}

static void *append(struct vl_fold *fold, size_t *count, void *items, void *item)
{
	void **array;
	memcpy(&array, items, sizeof(array));
	if ((*count & (*count - 1)) == 0) {
		void **larger = vl_fold_alloc(fold, (*count == 0 ? 1 : *count * 2) * sizeof(*larger));
		if (*count > 0)
			memcpy(larger, array, *count * sizeof(*larger));
		array = larger;
		memcpy(items, &array, sizeof(array));
	}
	return array[(*count)++] = item;
}

void *vl_fold_add(struct vl_fold *fold, const ProtobufCMessageDescriptor *descriptor, size_t *count, void *items)
{
	ProtobufCMessage *item = vl_fold_alloc(fold, descriptor->sizeof_message);
	protobuf_c_message_init(descriptor, item);
	return append(fold, count, items, item);
}

void vl_fold_add_text(struct vl_fold *fold, const char *text, size_t *count, char ***items)
{
	append(fold, count, items, (void *)(uintptr_t)text);
}

void vl_fold_violation(struct vl_fold *fold, size_t *count, Valise__V1__Violation ***items, const char *rule,
		       const struct vl_fact *fact, const char *format, ...)
{
	Valise__V1__Violation *violation = vl_fold_add(fold, &valise__v1__violation__descriptor, count, items);
	va_list args;
	va_start(args, format);
	char text[1024];
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	violation->rule = vl_fold_printf(fold, "%s", rule);
	violation->detail = vl_fold_printf(fold, "%s", text);
	if (fact != NULL) {
		violation->event.len = 16;
		violation->event.data = memcpy(vl_fold_alloc(fold, 16), fact->id, 16);
	}
}

const ProtobufCMessage *vl_fold_row(struct vl_fold *fold, unsigned kind, const char *key)
{
	if (kind >= fold->entity->kind)
		abort();
	struct entity *entity = find(fold->fake, kind, key, false);
	if (entity == NULL || !entity->has_row)
		return NULL;
	return unpack(fold, fold->fake->view->kinds[kind].row, entity->row, entity->row_size);
}

int64_t vl_fold_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *name)
{
	return fake_tally(fold->fake, kind, key, name);
}

void vl_fold_each_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *prefix,
			void (*each)(void *context, const char *name, int64_t value), void *context)
{
	struct entity *entity = find(fold->fake, kind, key, false);
	for (size_t i = 0; entity != NULL && i < entity->n_tallies; i++) {
		const struct tally *tally = &entity->tallies[i];
		if (tally->value != 0 && strncmp(tally->name, prefix, strlen(prefix)) == 0)
			each(context, vl_fold_printf(fold, "%s", tally->name), tally->value);
	}
}

void vl_fold_contribute(struct vl_fold *fold, unsigned kind, const char *key, const char *name, int64_t count)
{
	struct entity *entity = fold->entity;
	if (kind >= fold->fake->view->n_kinds || strlen(name) > 200)
		abort();
	if (key[0] == '\0')
		return;
	entity->given = grown(entity->given, entity->n_given, sizeof(*entity->given));
	entity->given[entity->n_given++] = (struct contribution){
		.kind = kind, .key = must(strdup(key)), .name = must(strdup(name)), .count = count};
}

void vl_fold_dirty(struct vl_fold *fold, unsigned kind, const char *key)
{
	if (kind <= fold->entity->kind || kind >= fold->fake->view->n_kinds)
		abort();
	if (key[0] != '\0')
		find(fold->fake, kind, key, true)->pending = true;
}

/* -- the order of a history -- */

static int own_order(const struct stored *a, const struct stored *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	return a->event < b->event ? -1 : a->event > b->event;
}

/* Whether another fact of the history, not yet taken, comes first by its sender's order or (when `causal`) by
 * `after`. */
static bool waits(const struct entity *entity, const struct stored *fact, bool causal)
{
	for (size_t i = 0; i < entity->n_facts; i++) {
		const struct stored *other = entity->facts[i];
		if (other == fact || other->done)
			continue;
		if (strcmp(other->mission, fact->mission) == 0 && own_order(other, fact) < 0)
			return true;
		if (causal && fact->has_after && memcmp(other->id, fact->after, 16) == 0)
			return true;
	}
	return false;
}

static bool sooner(const struct stored *a, const struct stored *b)
{
	int order = vl_time_compare(a->at, b->at);
	return order != 0 ? order < 0 : strcmp(a->mission, b->mission) < 0;
}

static struct stored *take(const struct entity *entity, bool causal)
{
	struct stored *best = NULL;
	for (size_t i = 0; i < entity->n_facts; i++) {
		struct stored *fact = entity->facts[i];
		if (!fact->done && (best == NULL || sooner(fact, best)) && !waits(entity, fact, causal))
			best = fact;
	}
	return best;
}

/* -- folding -- */

static void step_all(struct vl_fold *fold, const struct vl_kind *kind, ProtobufCMessage *row)
{
	struct entity *entity = fold->entity;
	for (size_t i = 0; i < entity->n_facts; i++)
		entity->facts[i]->done = false;
	for (size_t i = 0; i < entity->n_facts; i++) {
		struct stored *stored = take(entity, true);
		if (stored == NULL)
			stored = must(take(entity, false));
		stored->done = true;
		struct vl_fact *fact = vl_fold_alloc(fold, sizeof(*fact));
		*fact = (struct vl_fact){
			.mission = stored->mission,
			.epoch = stored->epoch,
			.event = stored->event,
			.id = memcpy(vl_fold_alloc(fold, 16), stored->id, 16),
			.after = stored->has_after ? memcpy(vl_fold_alloc(fold, 16), stored->after, 16) : NULL,
			.subject = stored->subject,
			.actor = stored->actor,
			.occurred_at = stored->at,
			.payload = unpack(fold, stored->type, stored->bytes, stored->size),
		};
		if (kind->step != NULL)
			kind->step(fold, row, fact);
	}
}

static bool alive(const struct entity *entity)
{
	for (size_t i = 0; i < entity->n_tallies; i++) {
		if (entity->tallies[i].value != 0)
			return true;
	}
	return entity->n_facts > 0;
}

static void fold_row(struct vl_fold *fold)
{
	struct entity *entity = fold->entity;
	const struct vl_kind *kind = &fold->fake->view->kinds[entity->kind];
	ProtobufCMessage *row = vl_fold_alloc(fold, kind->row->sizeof_message);
	protobuf_c_message_init(kind->row, row);
	step_all(fold, kind, row);
	if (kind->finish != NULL)
		kind->finish(fold, row);
	entity->row_size = protobuf_c_message_get_packed_size(row);
	entity->row = must(malloc(entity->row_size + 1));
	protobuf_c_message_pack(row, entity->row);
	release(fold);
}

static void fold_entity(struct fake *fake, struct entity *entity)
{
	const struct vl_kind *kind = &fake->view->kinds[entity->kind];
	struct vl_fold fold = {.fake = fake, .entity = entity};
	struct contribution *former = entity->given;
	size_t n_former = entity->n_given;
	entity->given = NULL;
	entity->n_given = 0;
	entity->pending = false;
	free(entity->row);
	entity->row = NULL;
	entity->has_row = alive(entity);
	if (entity->has_row)
		fold_row(&fold);
	if (entity->has_row && kind->contribute != NULL)
		kind->contribute(&fold, unpack(&fold, kind->row, entity->row, entity->row_size));
	replace_given(fake, entity, former, n_former);
	release(&fold);
}

static struct entity *next_pending(struct fake *fake)
{
	for (size_t i = 0; i < fake->n_entities; i++) {
		if (fake->entities[i]->pending)
			return fake->entities[i];
	}
	return NULL;
}

void fake_fold(struct fake *fake)
{
	for (; fake->n_touched < fake->n_facts; fake->n_touched++) {
		struct stored *stored = fake->facts[fake->n_touched];
		struct vl_fold fold = {.fake = fake};
		struct vl_fact fact = {
			.mission = stored->mission,
			.epoch = stored->epoch,
			.event = stored->event,
			.id = stored->id,
			.after = stored->has_after ? stored->after : NULL,
			.subject = stored->subject,
			.actor = stored->actor,
			.occurred_at = stored->at,
			.payload = unpack(&fold, stored->type, stored->bytes, stored->size),
		};
		fake->view->touch(&(struct vl_touch){.fake = fake, .fact = stored}, &fact);
		release(&fold);
	}
	for (struct entity *entity; (entity = next_pending(fake)) != NULL;)
		fold_entity(fake, entity);
}

/* -- what tests call -- */

struct fake *fake_open(const struct vl_view *view)
{
	struct fake *fake = must(calloc(1, sizeof(*fake)));
	fake->view = view;
	return fake;
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

void fake_close(struct fake *fake)
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
	release(&fake->shown);
	vl_buf_free(&fake->cell);
	free(fake);
}

static void make_id(uint8_t id[16], const char *mission, uint64_t epoch, uint64_t event)
{
	uint64_t hash = 14695981039346656037u ^ epoch;
	for (const char *c = mission; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 1099511628211u;
	memcpy(id, &hash, 8);
	memcpy(id + 8, &event, 8);
}

const uint8_t *fake_add(struct fake *fake, const char *mission, uint64_t epoch, uint64_t event, int64_t occurred_ms,
			const char *subject, const char *actor, const uint8_t *after, const ProtobufCMessage *payload)
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

const uint8_t *fake_next(struct fake *fake, const char *mission, int64_t occurred_ms, const char *subject,
			 const char *actor, const uint8_t *after, const ProtobufCMessage *payload)
{
	uint64_t last = 0;
	for (size_t i = 0; i < fake->n_facts; i++) {
		const struct stored *stored = fake->facts[i];
		if (strcmp(stored->mission, mission) == 0 && stored->epoch == 1 && stored->event > last)
			last = stored->event;
	}
	return fake_add(fake, mission, 1, last + 1, occurred_ms, subject, actor, after, payload);
}

const ProtobufCMessage *fake_row(struct fake *fake, unsigned kind, const char *key)
{
	struct entity *entity = find(fake, kind, key, false);
	if (entity == NULL || !entity->has_row)
		return NULL;
	return unpack(&fake->shown, fake->view->kinds[kind].row, entity->row, entity->row_size);
}

int64_t fake_tally(struct fake *fake, unsigned kind, const char *key, const char *name)
{
	struct entity *entity = find(fake, kind, key, false);
	for (size_t i = 0; entity != NULL && i < entity->n_tallies; i++) {
		if (strcmp(entity->tallies[i].name, name) == 0)
			return entity->tallies[i].value;
	}
	return 0;
}

void fake_packed(struct fake *fake, struct vl_buf *buf)
{
	for (size_t i = 0; i < fake->n_entities; i++) {
		const struct entity *entity = fake->entities[i];
		if (!entity->has_row)
			continue;
		vl_buf_printf(buf, "\n%s %s %zu:", fake->view->kinds[entity->kind].name, entity->key, entity->row_size);
		vl_buf_put(buf, entity->row, entity->row_size);
		for (size_t t = 0; t < entity->n_tallies; t++) {
			if (entity->tallies[t].value != 0)
				vl_buf_printf(buf, "\n %s=%" PRId64, entity->tallies[t].name, entity->tallies[t].value);
		}
	}
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

struct fake *fake_shuffled(const struct fake *fake, uint64_t seed, bool live)
{
	struct fake *copy = fake_open(fake->view);
	size_t *order = must(calloc(fake->n_facts * 2 + 1, sizeof(*order)));
	size_t n = 0;
	for (size_t i = 0; i < fake->n_facts; i++) {
		order[n++] = i;
		if (i % 3 == 0)
			order[n++] = i;
	}
	for (size_t i = n; i > 1; i--) {
		size_t j = next_random(&seed) % i, kept = order[i - 1];
		order[i - 1] = order[j];
		order[j] = kept;
	}
	for (size_t i = 0; i < n; i++) {
		const struct stored *s = fake->facts[order[i]];
		struct vl_fold fold = {.fake = copy};
		fake_add(copy, s->mission, s->epoch, s->event, vl_time_ms(s->at), s->subject, s->actor,
			 s->has_after ? s->after : NULL, unpack(&fold, s->type, s->bytes, s->size));
		release(&fold);
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

unsigned fake_violations(const ProtobufCMessage *row, const char *rule)
{
	if (row == NULL)
		return 0;
	const ProtobufCFieldDescriptor *field =
		must((void *)(uintptr_t)protobuf_c_message_descriptor_get_field_by_name(row->descriptor, "violations"));
	size_t n;
	memcpy(&n, (const char *)row + field->quantifier_offset, sizeof(n));
	Valise__V1__Violation **items;
	memcpy(&items, (const char *)row + field->offset, sizeof(items));
	unsigned found = 0;
	for (size_t i = 0; i < n; i++)
		found += rule == NULL || strcmp(items[i]->rule, rule) == 0;
	return found;
}

const char *fake_cell(struct fake *fake, unsigned kind, const char *key, const char *title, struct vl_time now)
{
	const ProtobufCMessage *row = fake_row(fake, kind, key);
	vl_buf_reset(&fake->cell);
	for (const struct vl_column *column = fake->view->kinds[kind].columns; row != NULL && column->title; column++) {
		if (strcmp(column->title, title) == 0)
			column->cell(key, row, now, &fake->cell);
	}
	return vl_buf_text(&fake->cell);
}

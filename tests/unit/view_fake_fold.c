#include "view_fake_in.h"

#include "hq/fold/trial.h"
#include "valise/v1/view.pb-c.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct vl_touch {
	struct fake *fake;
	struct stored *fact;
	bool touched;
};

/* -- memory of one fold -- */

void *vl_fold_alloc(struct vl_fold *fold, size_t size)
{
	fold->blocks = grown(fold->blocks, fold->n_blocks, sizeof(*fold->blocks));
	return fold->blocks[fold->n_blocks++] = must(calloc(1, size == 0 ? 1 : size));
}

void **vl_fold_slot(struct vl_fold *fold, unsigned slot)
{
	return &fold->slots[slot];
}

void **vl_turn_slot(struct vl_fold *fold)
{
	return &fold->fake->turn.turn;
}

void *vl_turn_alloc(struct vl_fold *fold, size_t size)
{
	return vl_fold_alloc(&fold->fake->turn, size);
}

static void begin_turn(struct fake *fake, unsigned kind)
{
	if (fake->turn_kind == kind)
		return;
	fake_release(&fake->turn);
	fake->turn.turn = NULL;
	fake->turn_kind = kind;
}

static void *proto_alloc(void *fold, size_t size)
{
	return vl_fold_alloc(fold, size);
}

static void proto_free(void *fold, void *memory)
{
	(void)fold, (void)memory;
}

void fake_release(struct vl_fold *fold)
{
	for (size_t i = 0; i < fold->n_blocks; i++)
		free(fold->blocks[i]);
	free(fold->blocks);
	fold->blocks = NULL;
	fold->n_blocks = 0;
}

ProtobufCMessage *fake_unpack(struct vl_fold *fold, const ProtobufCMessageDescriptor *type,
			      const void *bytes, size_t size)
{
	ProtobufCAllocator allocator = {
		.alloc = proto_alloc, .free = proto_free, .allocator_data = fold};
	return must(protobuf_c_message_unpack(type, &allocator, size, bytes));
}

/* -- tallies -- */

static int64_t *tally_of(struct entity *entity, const char *name)
{
	size_t at = 0;
	while (at < entity->n_tallies && strcmp(entity->tallies[at].name, name) < 0)
		at++;
	if (at < entity->n_tallies && strcmp(entity->tallies[at].name, name) == 0)
		return &entity->tallies[at].value;
	entity->tallies = grown(entity->tallies, entity->n_tallies, sizeof(*entity->tallies));
	memmove(&entity->tallies[at + 1], &entity->tallies[at],
		(entity->n_tallies++ - at) * sizeof(*entity->tallies));
	entity->tallies[at] = (struct tally){.name = must(strdup(name))};
	return &entity->tallies[at].value;
}

static void sum_up(struct fake *fake, const struct contribution *given, int64_t sign)
{
	*tally_of(fake_find(fake, given->kind, given->key, true), given->name) +=
		sign * given->count;
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

/* A tally that ends as it was wakes nobody: a view that relies on more has to say so
 * (vl_fold_dirty). */
static void replace_given(struct fake *fake, struct entity *entity, struct contribution *former,
			  size_t n_former)
{
	const struct contribution *lists[] = {former, entity->given};
	const size_t counts[] = {n_former, entity->n_given};
	for (int l = 0; l < 2; l++) {
		for (size_t i = 0; i < counts[l]; i++) {
			const struct contribution *one = &lists[l][i];
			sum_up(fake, one, l == 0 ? -1 : 1);
			bool changed = sum_of(former, n_former, one) !=
				       sum_of(entity->given, entity->n_given, one);
			if (changed && one->kind > entity->kind)
				fake_find(fake, one->kind, one->key, true)->pending = true;
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
	touch->touched = true;
	if (kind >= touch->fake->view->n_kinds)
		abort();
	struct entity *entity = fake_find(touch->fake, kind, key, true);
	entity->pending = true;
	if (entity->n_facts > 0 && entity->facts[entity->n_facts - 1] == touch->fact)
		return;
	entity->facts = grown(entity->facts, entity->n_facts, sizeof(*entity->facts));
	entity->facts[entity->n_facts++] = touch->fact;
}

bool vl_touched(const struct vl_touch *touch)
{
	return touch->touched;
}

/* It makes no trials. */
void vl_trial_look(struct vl_fold *fold, const ProtobufCMessage *row, const struct vl_fact *fact)
{
	(void)fold, (void)row, (void)fact;
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
		void **larger =
			vl_fold_alloc(fold, (*count == 0 ? 1 : *count * 2) * sizeof(*larger));
		if (*count > 0)
			memcpy(larger, array, *count * sizeof(*larger));
		array = larger;
		memcpy(items, &array, sizeof(array));
	}
	return array[(*count)++] = item;
}

void *vl_fold_add(struct vl_fold *fold, const ProtobufCMessageDescriptor *descriptor, size_t *count,
		  void *items)
{
	ProtobufCMessage *item = vl_fold_alloc(fold, descriptor->sizeof_message);
	protobuf_c_message_init(descriptor, item);
	return append(fold, count, items, item);
}

void vl_fold_add_text(struct vl_fold *fold, const char *text, size_t *count, char ***items)
{
	append(fold, count, items, (void *)(uintptr_t)text);
}

void vl_fold_violation(struct vl_fold *fold, size_t *count, Valise__V1__Violation ***items,
		       const char *rule, const struct vl_fact *fact, const char *format, ...)
{
	Valise__V1__Violation *violation =
		vl_fold_add(fold, &valise__v1__violation__descriptor, count, items);
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
	struct entity *entity = fake_find(fold->fake, kind, key, false);
	if (entity == NULL || !entity->has_row)
		return NULL;
	return fake_unpack(fold, fold->fake->view->kinds[kind].row, entity->row, entity->row_size);
}

const ProtobufCMessage *vl_turn_row(struct vl_fold *fold, unsigned kind, const char *key)
{
	struct entity *entity = fake_find(fold->fake, kind, key, false);
	if (kind >= fold->entity->kind)
		abort();
	if (entity == NULL || !entity->has_row)
		return NULL;
	return fake_unpack(&fold->fake->turn, fold->fake->view->kinds[kind].row, entity->row,
			   entity->row_size);
}

/* Nothing is remembered of who looks up what: see fold_lane. */
const ProtobufCMessage *vl_fold_look(struct vl_fold *fold, unsigned n, const char *key)
{
	struct fake *fake = fold->fake, *there = fake;
	char ref[VL_VIEW_REF];
	unsigned kind;
	size_t view;

	if (key[0] == '\0' || !vl_bound_lookup(fake->bound, fold->entity->kind, n, &view, &kind))
		return NULL;
	if (view != VL_OWN_LANE)
		there = fake_of(fake, vl_views[view]);
	if (there == NULL)
		return NULL;
	const struct entity *entity = fake_find(
		there, kind, there->view->references ? vl_view_ref(key, ref) : key, false);
	if (entity == NULL || !entity->has_row)
		return NULL;
	const ProtobufCMessageDescriptor *type = there->view->kinds[kind].row;
	ProtobufCMessage *seen = vl_fold_alloc(fold, type->sizeof_message);
	protobuf_c_message_init(type, seen);
	vl_bound_sees(fake->bound, fold->entity->kind, view, kind,
		      fake_unpack(fold, type, entity->row, entity->row_size), seen);
	return seen;
}

int64_t vl_fold_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *name)
{
	return fake_tally(fold->fake, kind, key, name);
}

void vl_fold_each_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *prefix,
			void (*each)(void *context, const char *name, int64_t value), void *context)
{
	struct entity *entity = fake_find(fold->fake, kind, key, false);
	for (size_t i = 0; entity != NULL && i < entity->n_tallies; i++) {
		const struct tally *tally = &entity->tallies[i];
		if (tally->value != 0 && strncmp(tally->name, prefix, strlen(prefix)) == 0)
			each(context, vl_fold_printf(fold, "%s", tally->name), tally->value);
	}
}

void vl_fold_contribute(struct vl_fold *fold, unsigned kind, const char *key, const char *name,
			int64_t count)
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
		fake_find(fold->fake, kind, key, true)->pending = true;
}

void vl_fold_dirty_each(struct vl_fold *fold, unsigned kind, const char *prefix)
{
	const struct entity *entity = fold->entity;

	for (size_t i = 0; i < entity->n_tallies; i++) {
		const struct tally *tally = &entity->tallies[i];
		if (tally->value != 0 && strncmp(tally->name, prefix, strlen(prefix)) == 0)
			vl_fold_dirty(fold, kind, tally->name + strlen(prefix));
	}
}

/* -- the order of a history -- */

static int own_order(const struct stored *a, const struct stored *b)
{
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	return a->event < b->event ? -1 : a->event > b->event;
}

/* Whether another fact of the history, not yet taken, comes first by its sender's order or (when
 * `causal`) by `after`. */
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
		if (!fact->done && (best == NULL || sooner(fact, best)) &&
		    !waits(entity, fact, causal))
			best = fact;
	}
	return best;
}

/* -- folding -- */

static void step_all(struct vl_fold *fold, ProtobufCMessage *row)
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
			.after = stored->has_after
					 ? memcpy(vl_fold_alloc(fold, 16), stored->after, 16)
					 : NULL,
			.subject = stored->subject,
			.actor = stored->actor,
			.occurred_at = stored->at,
			.payload = fake_unpack(fold, stored->type, stored->bytes, stored->size),
		};
		vl_bound_step(fold->fake->bound, fold->entity->kind, fold, row, fact);
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
	step_all(fold, row);
	vl_bound_finish(fold->fake->bound, entity->kind, fold, row);
	entity->row_size = protobuf_c_message_get_packed_size(row);
	entity->row = must(malloc(entity->row_size + 1));
	protobuf_c_message_pack(row, entity->row);
	fake_release(fold);
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
	if (entity->has_row)
		vl_bound_contribute(fake->bound, entity->kind, &fold,
				    fake_unpack(&fold, kind->row, entity->row, entity->row_size));
	replace_given(fake, entity, former, n_former);
	fake_release(&fold);
}

static struct entity *next_pending(struct fake *fake)
{
	for (size_t i = 0; i < fake->n_entities; i++) {
		if (fake->entities[i]->pending)
			return fake->entities[i];
	}
	return NULL;
}

/* What came since the last fold. */
static bool touch_all(struct fake *fake)
{
	bool any = fake->n_touched < fake->n_facts;
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
			.payload = fake_unpack(&fold, stored->type, stored->bytes, stored->size),
		};
		vl_bound_route(fake->bound, &(struct vl_touch){.fake = fake, .fact = stored},
			       &fact);
		fake_release(&fold);
	}
	return any;
}

/* Whether rows of the kind look up any that there are here. */
static bool looks(struct fake *fake, unsigned kind)
{
	unsigned there;
	size_t view;
	for (unsigned n = 0; vl_bound_lookup(fake->bound, kind, n, &view, &there); n++) {
		if (view == VL_OWN_LANE || fake_of(fake, vl_views[view]) != NULL)
			return true;
	}
	return false;
}

/* Whatever looks up others is folded again, each time. */
static void fold_lane(struct fake *fake)
{
	for (size_t i = 0; i < fake->n_entities; i++)
		fake->entities[i]->pending |= looks(fake, fake->entities[i]->kind);
	for (struct entity *entity; (entity = next_pending(fake)) != NULL;) {
		begin_turn(fake, entity->kind);
		fold_entity(fake, entity);
	}
	begin_turn(fake, fake->view->n_kinds);
}

/* How many lanes have to be folded before it. */
static unsigned depth(const struct vl_view *view)
{
	unsigned most = 0;
	for (size_t i = 0; view->reads != NULL && view->reads[i] != NULL; i++) {
		const char *lane = view->reads[i];
		unsigned below = 1 + depth(vl_views[vl_view_of_lane(lane, strlen(lane))]);
		most = below > most ? below : most;
	}
	return most;
}

void fake_fold(struct fake *fake)
{
	bool any = false, more = true;
	for (struct fake *lane = fake->first; lane != NULL; lane = lane->next)
		any = touch_all(lane) || any;
	for (unsigned level = 0; any && more; level++) {
		more = false;
		for (struct fake *lane = fake->first; lane != NULL; lane = lane->next) {
			if (depth(lane->view) == level)
				fold_lane(lane);
			more = more || depth(lane->view) > level;
		}
	}
}

#include "view_history.h"

#include "base/arena.h"
#include "base/text.h"
#include "bus/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)
#define MOST_EVENTS 48
#define MOST_DEPTH 5
#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

struct history {
	struct vl_arena *arena;
	uint64_t state;
	size_t subjects; /* how many of them the history speaks of */
	bool tame;       /* nothing absurd, and nothing left out */
	const uint8_t *ids[MOST_EVENTS];
	size_t n_ids;
};

static const char *const subjects[] = {"X-1", "X-2", "X-3", "X-4", "X-5", "X-6"};
static const char *const missions[] = {"CN-SD-EMB", "CN-EG-EMB", "HQ"};
static const char *const places[] = {"SD", "SD-KRT", "EG", "SD-RS", "KSA"};
static const char *const odd[] = {
	"en-US",
	"zh-CN",
	"x-1",
	" X-1",
	"CN-SD-EMB",
	"officer-1",
	"a/b\tc",
	"17",
	"领事",
	"a name that is longer than a reference may be, so that its beginning and a digest stand "
	"for the whole of it wherever it is named",
};

static uint64_t bits(struct history *h)
{
	uint64_t z = h->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t below(struct history *h, uint64_t bound)
{
	return bits(h) % bound;
}

static bool one_in(struct history *h, uint64_t n)
{
	return below(h, n) == 0;
}

/* What a tame history never does. */
static bool wild(struct history *h, uint64_t n)
{
	return one_in(h, n) && !h->tame;
}

/* -- values -- */

static const char *one_of(struct history *h, const char *const *texts, size_t count)
{
	return texts[below(h, count)];
}

static bool is_of_place(const char *field)
{
	static const char *const of_place[] = {"country", "area",  "place",
					       "within",  "point", "location"};

	for (size_t i = 0; i < N_OF(of_place); i++)
		if (strstr(field, of_place[i]) != NULL)
			return true;
	return false;
}

static const char *text(struct history *h, const char *field)
{
	if (wild(h, 8))
		return "";
	if (wild(h, 16))
		return one_of(h, odd, N_OF(odd));
	if (is_of_place(field))
		return one_of(h, places, N_OF(places));
	if (strstr(field, "mission") != NULL || wild(h, 12))
		return one_of(h, missions, N_OF(missions));
	return one_of(h, subjects, h->subjects);
}

static uint64_t number(struct history *h)
{
	if (wild(h, 24)) {
		uint64_t shift = below(h, 64), whole = bits(h);
		return whole >> shift;
	}
	return below(h, 6);
}

static int64_t time_ms(struct history *h)
{
	if (wild(h, 40))
		return (int64_t)(bits(h) >> 16) - (INT64_C(1) << 46);
	return T0 + (int64_t)below(h, (h->tame ? 3 : 20) * 24) * (DAY_MS / 24);
}

static void fill_time(struct history *h, Google__Protobuf__Timestamp *time)
{
	struct vl_time at = vl_time_from_ms(time_ms(h));

	time->seconds = at.seconds;
	time->nanos = at.nanos;
}

static ProtobufCBinaryData some_bytes(struct history *h)
{
	ProtobufCBinaryData bytes = {0};

	if (one_in(h, 3))
		return bytes;
	bytes.len = one_in(h, 8) ? below(h, 40) : 16;
	bytes.data = vl_arena_alloc(h->arena, bytes.len + 1);
	if (bytes.len == 16 && h->n_ids > 0)
		memcpy(bytes.data, h->ids[below(h, h->n_ids)], 16);
	return bytes;
}

static int constant(struct history *h, const ProtobufCEnumDescriptor *type)
{
	return wild(h, 40) ? 99 : type->values[below(h, type->n_values)].value;
}

/* -- messages -- */

static ProtobufCMessage *message(struct history *h, const ProtobufCMessageDescriptor *type,
				 int depth);

static void fill_value(struct history *h, const ProtobufCFieldDescriptor *field, void *at,
		       int depth)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at = message(h, field->descriptor, depth + 1);
		return;
	case PROTOBUF_C_TYPE_STRING:
		*(const char **)at = text(h, field->name);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)at = some_bytes(h);
		return;
	case PROTOBUF_C_TYPE_ENUM:
		*(int *)at = constant(h, field->descriptor);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = (protobuf_c_boolean)below(h, 2);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)at = (double)below(h, 3600) / 10 - 180;
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		*(float *)at = (float)below(h, 100);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SINT64:
		*(uint64_t *)at = number(h);
		return;
	default:
		*(uint32_t *)at = (uint32_t)number(h);
	}
}

static size_t value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_SINT32:
		return 4;
	default:
		return 8;
	}
}

static void fill_list(struct history *h, uint8_t *base, const ProtobufCFieldDescriptor *field,
		      int depth)
{
	size_t count = below(h, 4), size = value_size(field);
	uint8_t *values = vl_arena_alloc(h->arena, count * size + 1);

	for (size_t i = 0; i < count; i++)
		fill_value(h, field, values + i * size, depth);
	*(size_t *)(base + field->quantifier_offset) = count;
	*(void **)(base + field->offset) = values;
}

static void fill_field(struct history *h, uint8_t *base, const ProtobufCFieldDescriptor *field,
		       int depth)
{
	bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;

	if (wild(h, 5) || (oneof && *(uint32_t *)(base + field->quantifier_offset) != 0))
		return;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE && depth > MOST_DEPTH)
		return;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		fill_list(h, base, field, depth);
		return;
	}
	fill_value(h, field, base + field->offset, depth);
	if (oneof)
		*(uint32_t *)(base + field->quantifier_offset) = field->id;
}

static ProtobufCMessage *message(struct history *h, const ProtobufCMessageDescriptor *type,
				 int depth)
{
	ProtobufCMessage *made = vl_arena_alloc(h->arena, type->sizeof_message);

	protobuf_c_message_init(type, made);
	if (type == &google__protobuf__timestamp__descriptor)
		fill_time(h, (Google__Protobuf__Timestamp *)(void *)made);
	else
		for (unsigned i = 0; i < type->n_fields; i++)
			fill_field(h, (uint8_t *)(void *)made, &type->fields[i], depth);
	return made;
}

/* -- histories -- */

/* A tame history begins with what others follow from. */
static const ProtobufCMessageDescriptor *
type_of(struct history *h, const ProtobufCMessageDescriptor *const *types, size_t count)
{
	static const char *const first[] = {"Opened", "Registered", "Drafted", "Loaded", "Planned"};
	const ProtobufCMessageDescriptor *type = types[below(h, count)];

	if (!h->tame || h->n_ids >= 2 * N_OF(first))
		return type;
	for (size_t i = 0; i < count; i++) {
		type = types[below(h, count)];
		if (strstr(type->short_name, first[h->n_ids / 2]) != NULL)
			break;
	}
	return type;
}

static void add_event(struct history *h, struct fake *fake,
		      const ProtobufCMessageDescriptor *const *types, size_t n_types)
{
	const char *const actors[] = {"officer-1", "officer-2", ""};
	const char *subject = wild(h, 20) ? text(h, "") : subjects[below(h, h->subjects)];
	const uint8_t *after = h->n_ids > 0 && one_in(h, 4) ? h->ids[below(h, h->n_ids)] : NULL;
	const char *mission = one_of(h, missions, h->tame ? 2 : N_OF(missions));
	const char *actor = one_of(h, actors, N_OF(actors));
	const ProtobufCMessage *payload = message(h, type_of(h, types, n_types), 0);

	h->ids[h->n_ids] = fake_next(fake, mission, time_ms(h), subject, actor, after, payload);
	h->n_ids++;
}

void history_add(struct fake *fake, const char *lane, uint64_t seed)
{
	struct history h = {.arena = vl_arena_open(0), .state = seed};
	size_t n_types, events = 4 + below(&h, MOST_EVENTS - 4);
	const ProtobufCMessageDescriptor *const *types = vl_types_of(lane, &n_types);

	if (h.arena == NULL || n_types == 0)
		abort();
	h.tame = one_in(&h, 2);
	h.subjects = 1 + below(&h, N_OF(subjects));
	for (size_t i = 0; i < events; i++)
		add_event(&h, fake, types, n_types);
	vl_arena_close(h.arena);
}

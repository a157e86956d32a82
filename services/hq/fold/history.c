#include "hq/fold/history.h"
#include "base/hash.h"
#include "base/text.h"
#include "bus/batch.h"
#include "bus/types.h"
#include "bus/wire.h"
#include "hq/fold/fold.h"
#include "hq/fold/views.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_SIZE 24 /* a history's value: seq, offset, size, sum */

const char *vl_entity_key(const char *key, char room[VL_ENTITY_MAX + 1])
{
	size_t size = strlen(key);
	uint8_t digest[16];

	if (size <= VL_ENTITY_MAX)
		return key;
	size_t keep = VL_ENTITY_MAX - 1 - 2 * sizeof(digest);
	while (keep > 0 && ((uint8_t)key[keep] & 0xc0) == 0x80)
		keep--;
	crypto_generichash(digest, sizeof(digest), (const uint8_t *)key, size, NULL, 0);
	memcpy(room, key, keep);
	room[keep] = '~';
	(void)vl_hex(digest, sizeof(digest), room + keep + 1);
	return room;
}

void vl_row_key(struct vl_key *key, unsigned kind, const char *entity)
{
	char room[VL_ENTITY_MAX + 1];

	vl_key_reset(key);
	vl_key_u8(key, (uint8_t)kind);
	if (entity[0] != '\0')
		vl_key_text(key, vl_entity_key(entity, room));
}

void vl_history_key(struct vl_key *key, unsigned kind, const char *entity, const char *mission,
		    const struct vl_place *place)
{
	vl_row_key(key, kind, entity);
	vl_key_text(key, mission);
	vl_key_u64(key, place->epoch.n);
	vl_key_u64(key, place->event.n);
}

void vl_history_put(struct vl_txn *txn, unsigned db, const struct vl_key *key,
		    const struct vl_place *place)
{
	uint8_t value[PLACE_SIZE];

	vl_put_be64(value, place->seq.n);
	vl_put_be32(value + 8, place->offset);
	vl_put_be32(value + 12, place->size);
	vl_put_be64(value + 16, place->sum);
	vl_txn_put(txn, db, vl_key_done(key), (struct vl_bytes){value, sizeof(value)});
}

/* The key: a byte for the kind, the entity and the sender, each with a NUL, then the sender's
 * epoch and the event's number. */
const char *vl_history_place(struct vl_bytes key, struct vl_bytes value, struct vl_place *place)
{
	if (value.size != PLACE_SIZE || key.size < 1 + 2 + 16)
		return NULL;
	const uint8_t *numbers = key.data + key.size - 16;
	const char *entity = (const char *)key.data + 1,
		   *mission = memchr(entity, 0, key.size - 17);
	if (mission == NULL || mission + 1 >= (const char *)numbers || numbers[-1] != 0)
		return NULL;
	*place = (struct vl_place){
		.epoch = {vl_get_be64(numbers)},
		.seq = {vl_get_be64(value.data)},
		.event = {vl_get_be64(numbers + 8)},
		.offset = vl_get_be32(value.data + 8),
		.size = vl_get_be32(value.data + 12),
		.sum = vl_get_be64(value.data + 16),
	};
	return mission + 1;
}

bool vl_fact_read(struct vl_bytes bytes, const char *mission, const struct vl_place *place,
		  bool known, struct vl_arena *arena, struct vl_fact *fact)
{
	struct vl_event event;
	size_t length;

	if (vl_event_read(bytes, &event, NULL) != VL_OK || !event.has_payload ||
	    event.id.size != 16 || event.subject.size == 0)
		return false;
	const char *name =
		vl_type_name((const char *)event.type_url.data, event.type_url.size, &length);
	const ProtobufCMessageDescriptor *type = vl_type_find(name, length);
	if (type == NULL || (!known && vl_wire_check(type, event.payload, true, NULL) != VL_OK))
		return false;
	*fact = (struct vl_fact){
		.mission = mission,
		.epoch = place->epoch.n,
		.event = place->event.n,
		.id = event.id.data,
		.after = event.after.size == 16 ? event.after.data : NULL,
		.subject = vl_arena_text(arena, event.subject.data, event.subject.size),
		.actor = vl_arena_text(arena, event.actor.data, event.actor.size),
		.occurred_at = event.occurred_at,
		.payload = vl_wire_unpack(type, event.payload, arena),
	};
	if (!known)
		fact->gist = vl_event_gist(&event);
	return fact->subject != NULL && fact->actor != NULL && fact->payload != NULL;
}

void vl_event_content(struct vl_bytes event, uint8_t content[VL_CONTENT_SIZE])
{
	(void)crypto_generichash(content, VL_CONTENT_SIZE, event.data, event.size, NULL, 0);
}

struct vl_fact *vl_facts_read(const struct vl_batch *batch, struct vl_arena *arena)
{
	const struct vl_batch_head *head = &batch->head;
	struct vl_fact *facts = vl_arena_alloc(arena, batch->n_events * sizeof(*facts));
	const char *mission = vl_arena_text(arena, head->mission.data, head->mission.size);
	uint8_t(*contents)[VL_CONTENT_SIZE] =
		vl_arena_alloc(arena, batch->n_events * sizeof(*contents));

	for (size_t i = 0;
	     facts != NULL && mission != NULL && contents != NULL && i < batch->n_events; i++) {
		struct vl_place place = {.epoch = head->epoch, .event = {head->first_event.n + i}};
		if (!vl_fact_read(batch->events[i], mission, &place, false, arena, &facts[i]))
			facts[i].payload = NULL;
		vl_event_content(batch->events[i], contents[i]);
		facts[i].content = contents[i];
	}
	return vl_arena_failed(arena) ? NULL : facts;
}

/* -- order -- */

/* One sender's run of facts: items[next..end) are still to be given out. */
struct run {
	size_t next, end;
};

struct by_id {
	const uint8_t *id;
	size_t item;
};

static int compare_ids(const void *a, const void *b)
{
	return memcmp(((const struct by_id *)a)->id, ((const struct by_id *)b)->id, 16);
}

static size_t find_runs(const struct vl_history_item *items, size_t count, struct run *runs)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(items[i].fact.mission, items[i - 1].fact.mission) != 0)
			runs[n++] = (struct run){i, i};
		runs[n - 1].end = i + 1;
	}
	return n;
}

/* Whether the fact that `item` answers has come but has not been given out yet. */
static bool must_wait(const struct vl_history_item *item, const struct by_id *ids,
		      const bool *given, size_t count)
{
	if (item->fact.after == NULL)
		return false;
	struct by_id wanted = {item->fact.after, 0};
	const struct by_id *found = bsearch(&wanted, ids, count, sizeof(*ids), compare_ids);
	return found != NULL && !given[found->item];
}

/* The run whose head comes next: earliest among those that need not wait, or, where all wait for
 * each other, of all. */
static size_t pick(const struct vl_history_item *items, const struct run *runs, size_t n_runs,
		   const struct by_id *ids, const bool *given, size_t count)
{
	size_t best = n_runs, fallback = n_runs;

	for (size_t r = 0; r < n_runs; r++) {
		if (runs[r].next == runs[r].end)
			continue;
		const struct vl_history_item *head = &items[runs[r].next];
		struct vl_time at = head->fact.occurred_at;
		if (fallback == n_runs ||
		    vl_time_compare(at, items[runs[fallback].next].fact.occurred_at) < 0)
			fallback = r;
		if ((best == n_runs ||
		     vl_time_compare(at, items[runs[best].next].fact.occurred_at) < 0) &&
		    !must_wait(head, ids, given, count))
			best = r;
	}
	return best != n_runs ? best : fallback;
}

/* `items` come by sender, each sender's in its own order, as the keys have it; runs are
 * therefore in order of sender id, and the first of two equal times is the lesser sender's. */
struct vl_history_item *vl_history_order(struct vl_history_item *items, size_t count,
					 struct vl_arena *arena)
{
	struct run *runs = vl_arena_alloc(arena, count * sizeof(*runs));
	size_t n_runs = runs != NULL ? find_runs(items, count, runs) : 0;
	if (n_runs <= 1)
		return items;

	struct vl_history_item *ordered = vl_arena_alloc(arena, count * sizeof(*ordered));
	struct by_id *ids = vl_arena_alloc(arena, count * sizeof(*ids));
	bool *given = vl_arena_alloc(arena, count * sizeof(*given));
	if (ordered == NULL || ids == NULL || given == NULL)
		return items;
	for (size_t i = 0; i < count; i++)
		ids[i] = (struct by_id){items[i].fact.id, i};
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < count; i++) {
		struct run *run = &runs[pick(items, runs, n_runs, ids, given, count)];
		given[run->next] = true;
		ordered[i] = items[run->next++];
	}
	return ordered;
}

/* -- reading -- */

/* A fact of this many bytes is unpacked once a transaction, as long as all of them together are
 * no more than that. */
#define SHARED_SIZE ((size_t)1024)
#define SHARED_BYTES ((size_t)8 << 20)

struct vl_shared_fact {
	struct vl_key place;
	struct vl_fact fact;
	UT_hash_handle hh;
};

void vl_history_forget(struct vl_facts *facts)
{
	HASH_CLEAR(hh, facts->by_place);
	facts->bytes = 0;
}

/* What gathering one history needs. */
struct gathering {
	struct vl_txn *txn;
	size_t view;
	struct vl_arena *arena;
	struct vl_history_item *items;
	size_t count, room, damaged;
	size_t entries; /* that are damaged themselves; of the others that are, the event */
	/* What may be read: by weight, in all and of one sender. */
	uint64_t most, weight, share, own;
	const char *sender; /* whose `own` is */
	bool beyond;
	/* The archived batch that was read last: neighbours in a history often come out of one. */
	const char *mission;
	struct vl_place last;
	struct vl_bytes batch;
	struct vl_facts *shared; /* or NULL */
	unsigned asked;          /* how often it might have had to stop */
};

static bool read_own(struct gathering *g, const char *mission, struct vl_history_item *item)
{
	const struct vl_place *place = &item->place;

	if (g->mission == NULL || strcmp(g->mission, mission) != 0 ||
	    g->last.epoch.n != place->epoch.n || g->last.seq.n != place->seq.n) {
		if (g->mission == NULL || strcmp(g->mission, mission) != 0)
			g->mission = vl_arena_text(g->arena, mission, strlen(mission));
		g->last = *place;
		g->batch = (struct vl_bytes){0};
		if (g->mission == NULL ||
		    vl_archive_batch(g->txn, g->mission, vl_views[g->view]->lane, place,
				     &g->batch) != VL_OK)
			return false;
	}
	return vl_place_event(g->batch, place, &item->bytes) == VL_OK &&
	       vl_fact_read(item->bytes, g->mission, place, true, g->arena, &item->fact);
}

/* The bytes that it points to go with the next write. */
static bool keep_ids(struct vl_arena *arena, struct vl_fact *fact)
{
	uint8_t *copy = vl_arena_alloc(arena, 32);

	if (copy == NULL)
		return false;
	memcpy(copy, fact->id, 16);
	if (fact->after != NULL)
		memcpy(copy + 16, fact->after, 16);
	fact->id = copy;
	fact->after = fact->after != NULL ? copy + 16 : NULL;
	return true;
}

/* What is shared already, or an empty place for it; NULL where there is no room. */
static struct vl_shared_fact *shared_place(const struct gathering *g, const char *mission,
					   const struct vl_place *place)
{
	struct vl_facts *facts = g->shared;
	struct vl_shared_fact *shared;
	struct vl_key key;

	vl_key_reset(&key);
	vl_key_u8(&key, (uint8_t)g->view);
	vl_key_text(&key, mission);
	vl_key_u64(&key, place->epoch.n);
	vl_key_u64(&key, place->event.n);
	HASH_FIND(hh, facts->by_place, key.bytes, key.size, shared);
	if (shared != NULL || place->size > SHARED_BYTES - facts->bytes)
		return shared;
	shared = vl_arena_alloc(facts->arena, sizeof(*shared));
	if (shared == NULL)
		return NULL;
	shared->place = key;
	HASH_ADD_KEYPTR(hh, facts->by_place, shared->place.bytes, shared->place.size, shared);
	facts->bytes += place->size;
	return shared->hh.tbl != NULL ? shared : NULL;
}

static bool read_fact(struct gathering *g, const char *mission, struct vl_history_item *item)
{
	bool large = g->shared != NULL && item->place.size >= SHARED_SIZE;
	struct vl_shared_fact *shared = large ? shared_place(g, mission, &item->place) : NULL;

	if (shared == NULL || shared->fact.payload == NULL) {
		if (!read_own(g, mission, item))
			return false;
		struct vl_arena *arena = shared != NULL ? g->shared->arena : NULL;
		const char *sender =
			arena != NULL ? vl_arena_text(arena, mission, strlen(mission)) : NULL;
		struct vl_fact fact;
		if (sender != NULL &&
		    vl_fact_read(item->bytes, sender, &item->place, true, arena, &fact) &&
		    keep_ids(arena, &fact))
			shared->fact = fact;
		return true;
	}
	item->fact = shared->fact;
	item->shared = true;
	return true;
}

static struct vl_history_item *add_item(struct gathering *g)
{
	if (g->count == g->room) {
		size_t room = g->room == 0 ? 8 : g->room * 2;
		struct vl_history_item *larger = vl_arena_alloc(g->arena, room * sizeof(*larger));
		if (larger == NULL)
			return NULL;
		if (g->count > 0)
			memcpy(larger, g->items, g->count * sizeof(*larger));
		g->items = larger;
		g->room = room;
	}
	return &g->items[g->count++];
}

/* The item added last is damaged. */
static void leave_out(struct gathering *g)
{
	g->count--;
	g->damaged++;
}

/* Whether there is room for one more of this sender's. Once one is left out, so is all that the
 * sender has behind it. */
static bool has_room(struct gathering *g, const char *mission, const struct vl_place *place)
{
	uint64_t weight = vl_fact_weight(place->size);

	if (g->sender == NULL || strcmp(g->sender, mission) != 0) {
		g->sender = vl_arena_text(g->arena, mission, strlen(mission));
		g->own = 0;
	}
	g->own += weight;
	bool fits = g->own <= g->share && g->weight + weight <= g->most;
	if (fits)
		g->weight += weight;
	g->beyond = g->beyond || !fits;
	return fits;
}

static enum vl_err gather_item(struct gathering *g, struct vl_bytes key, struct vl_bytes value)
{
	struct vl_history_item *item = add_item(g);

	if (item == NULL)
		return VL_ERR_NOMEM;
	const char *mission = vl_history_place(key, value, &item->place);
	if (mission != NULL && g->most != 0 && !has_room(g, mission, &item->place))
		g->count--;
	else if (mission == NULL || !read_fact(g, mission, item))
		leave_out(g);
	return vl_arena_failed(g->arena) ? VL_ERR_NOMEM : VL_OK;
}

/* To the next entry of a history; to that of the next sender where `pass`. */
static bool step_on(struct vl_cursor *cursor, bool pass, struct vl_bytes *key,
		    struct vl_bytes *value)
{
	struct vl_key behind = {0};

	if (!pass || key->size < 1 + 2 + 16)
		return vl_cursor_next(cursor, key, value);
	/* without the NUL behind the sender's id */
	vl_key_bytes(&behind, key->data, key->size - 17);
	vl_key_u8(&behind, 1);
	return vl_cursor_seek(cursor, vl_key_done(&behind), key, value);
}

static bool must_stop(struct gathering *g)
{
	const struct vl_facts *facts = g->shared;

	return ++g->asked % VL_STOP_EACH == 0 && facts != NULL && facts->stop != NULL &&
	       facts->stop(facts->context);
}

/* Read the history; where there is a bound and no share of each yet, give up at the bound. */
static enum vl_err gather(struct gathering *g, unsigned kind, const char *entity)
{
	struct vl_key prefix;
	struct vl_bytes key, value;
	struct vl_cursor *cursor = vl_cursor_open(g->txn, vl_view_db(g->view, VL_VIEW_HISTORY));
	bool shared = g->share < g->most;
	enum vl_err err = VL_OK;

	vl_row_key(&prefix, kind, entity);
	vl_cursor_pass_over(cursor, vl_key_done(&prefix), vl_cursor_count, &g->entries);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && err == VL_OK && vl_key_has_prefix(key, vl_key_done(&prefix)) &&
	     (shared || !g->beyond) && !must_stop(g);
	     more = step_on(cursor, shared && g->own > g->share, &key, &value))
		err = gather_item(g, key, value);
	vl_cursor_close(cursor);
	return err == VL_OK ? vl_txn_err(g->txn) : err;
}

/* -- each sender's share of the bound -- */

/* What each sender's facts weigh, VL_FOLD_WEIGHT at most. */
struct weights {
	uint64_t *of;
	size_t n;
};

static bool add_weight(struct weights *weights, struct vl_arena *arena)
{
	size_t n = weights->n;

	if ((n & (n - 1)) == 0) {
		uint64_t *larger = vl_arena_alloc(arena, (n == 0 ? 1 : 2 * n) * sizeof(*larger));
		if (larger == NULL)
			return false;
		if (n > 0)
			memcpy(larger, weights->of, n * sizeof(*larger));
		weights->of = larger;
	}
	weights->of[weights->n++] = 0;
	return true;
}

static struct weights weigh(struct gathering *g, unsigned kind, const char *entity)
{
	struct vl_key prefix;
	struct vl_bytes key, value;
	struct vl_place place;
	struct weights weights = {0};
	const char *sender = NULL;
	struct vl_cursor *cursor = vl_cursor_open(g->txn, vl_view_db(g->view, VL_VIEW_HISTORY));
	bool full = false;

	vl_row_key(&prefix, kind, entity);
	vl_cursor_pass_over(cursor, vl_key_done(&prefix), NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = step_on(cursor, full, &key, &value)) {
		const char *mission = vl_history_place(key, value, &place);
		full = false;
		if (mission == NULL)
			continue;
		if (sender == NULL || strcmp(sender, mission) != 0) {
			sender = vl_arena_text(g->arena, mission, strlen(mission));
			if (sender == NULL || !add_weight(&weights, g->arena))
				break;
		}
		weights.of[weights.n - 1] += vl_fact_weight(place.size);
		full = weights.of[weights.n - 1] >= VL_FOLD_WEIGHT;
	}
	vl_cursor_close(cursor);
	return weights;
}

static int compare_weights(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Who has little keeps all of it, and the others share the rest alike. */
static uint64_t share_of_each(struct gathering *g, unsigned kind, const char *entity)
{
	struct weights weights = weigh(g, kind, entity);
	uint64_t left = VL_FOLD_WEIGHT;

	if (weights.n > 0)
		qsort(weights.of, weights.n, sizeof(*weights.of), compare_weights);
	for (size_t i = 0; i < weights.n; i++) {
		uint64_t share = left / (weights.n - i);
		if (weights.of[i] > share)
			return share;
		left -= weights.of[i];
	}
	return left;
}

static enum vl_err give(struct gathering *g, enum vl_err err, struct vl_history_item **items,
			size_t *count, size_t *damaged)
{
	*items = err == VL_OK && g->count > 0 ? vl_history_order(g->items, g->count, g->arena)
					      : NULL;
	*count = err == VL_OK ? g->count : 0;
	*damaged = g->damaged + g->entries;
	return err == VL_OK && vl_arena_failed(g->arena) ? VL_ERR_NOMEM : err;
}

enum vl_err vl_history_read(struct vl_txn *txn, size_t view, unsigned kind, const char *entity,
			    struct vl_arena *arena, struct vl_history_item **items, size_t *count,
			    size_t *damaged)
{
	struct gathering g = {.txn = txn, .view = view, .arena = arena};

	return give(&g, gather(&g, kind, entity), items, count, damaged);
}

enum vl_err vl_history_read_some(struct vl_txn *txn, size_t view, unsigned kind, const char *entity,
				 struct vl_arena *arena, struct vl_facts *facts,
				 struct vl_history_item **items, size_t *count, size_t *damaged,
				 size_t *entries, bool *beyond)
{
	struct gathering g = {.txn = txn,
			      .view = view,
			      .arena = arena,
			      .most = VL_FOLD_WEIGHT,
			      .share = VL_FOLD_WEIGHT};
	g.shared = facts;
	enum vl_err err = gather(&g, kind, entity);

	*beyond = g.beyond;
	if (err == VL_OK && g.beyond) {
		g = (struct gathering){
			.txn = txn, .view = view, .arena = arena, .most = VL_FOLD_WEIGHT};
		g.shared = facts;
		g.share = share_of_each(&g, kind, entity);
		g.share -= g.share == g.most;
		err = gather(&g, kind, entity);
	}
	*entries = g.entries;
	return give(&g, err, items, count, damaged);
}

#include "hq/fold.h"

#include "base/text.h"
#include "bus/batch.h"
#include "bus/wire.h"
#include "hq/history.h"
#include "hq/views.h"
#include "valise/v1/view.pb-c.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MAX_KINDS 16
#define TALLY_NAME_MAX 200

/* An entity to be folded again. */
struct dirty {
	char *key;
	UT_hash_handle hh;
};

/* What one row adds to one tally, summed over the row as it was (taken back) and as it is. */
struct change {
	unsigned kind;
	const char *key;
	struct vl_key tally;
	int64_t count;
	UT_hash_handle hh;
};

struct vl_fold {
	struct vl_txn *txn;
	struct vl_arena *txn_arena; /* until settle: the dirty sets */
	struct vl_arena *arena;     /* until one entity is done */
	struct vl_buf packed;
	struct dirty **dirty; /* view * MAX_KINDS + kind */
	size_t view;
	unsigned kind;
	const char *key;
	int sign; /* -1 while a row's former contribution is taken back, else 1 */
	struct change *changes;
};

struct vl_touch {
	struct vl_fold *fold;
	const struct vl_fact *fact;
	const struct vl_place *place;
	bool remove;
};

struct vl_fold *vl_fold_open(void)
{
	struct vl_fold *fold = calloc(1, sizeof(*fold));

	if (fold == NULL)
		return NULL;
	fold->txn_arena = vl_arena_open(0);
	fold->arena = vl_arena_open(0);
	fold->dirty = calloc(vl_views_count() * MAX_KINDS + 1, sizeof(struct dirty *));
	if (fold->txn_arena == NULL || fold->arena == NULL || fold->dirty == NULL) {
		vl_fold_close(fold);
		return NULL;
	}
	return fold;
}

static void forget(struct vl_fold *fold)
{
	for (size_t i = 0; i < vl_views_count() * MAX_KINDS; i++)
		HASH_CLEAR(hh, fold->dirty[i]);
	vl_arena_reset(fold->txn_arena);
}

void vl_fold_close(struct vl_fold *fold)
{
	if (fold == NULL)
		return;
	if (fold->dirty != NULL)
		forget(fold);
	free(fold->dirty);
	vl_arena_close(fold->txn_arena);
	vl_arena_close(fold->arena);
	vl_buf_free(&fold->packed);
	free(fold);
}

void vl_fold_begin(struct vl_fold *fold, struct vl_txn *txn)
{
	forget(fold);
	fold->txn = txn;
}

static const struct vl_kind *kind_of(const struct vl_fold *fold)
{
	return &vl_views[fold->view]->kinds[fold->kind];
}

static void mark(struct vl_fold *fold, unsigned kind, const char *key)
{
	struct dirty **set = &fold->dirty[fold->view * MAX_KINDS + kind], *entry;
	size_t size = strlen(key);

	HASH_FIND(hh, *set, key, size, entry);
	if (entry != NULL)
		return;
	entry = vl_arena_alloc(fold->txn_arena, sizeof(*entry));
	char *copy = vl_arena_text(fold->txn_arena, key, size);
	if (entry == NULL || copy == NULL) {
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
		return;
	}
	entry->key = copy;
	HASH_ADD_KEYPTR(hh, *set, entry->key, size, entry);
}

/* -- adding facts -- */

void vl_touch(struct vl_touch *touch, unsigned kind, const char *key)
{
	struct vl_fold *fold = touch->fold;
	unsigned db = vl_view_db(fold->view, VL_VIEW_HISTORY);
	char room[VL_ENTITY_MAX + 1];
	struct vl_key at;

	if (key[0] == '\0' || kind >= vl_views[fold->view]->n_kinds)
		return;
	key = vl_entity_key(key, room);
	vl_history_key(&at, kind, key, touch->fact->mission, touch->place);
	if (touch->remove)
		(void)vl_txn_delete(fold->txn, db, vl_key_done(&at));
	else
		vl_history_put(fold->txn, db, &at, touch->place);
	mark(fold, kind, key);
}

static void file_fact(struct vl_fold *fold, const struct vl_fact *fact, const struct vl_place *place, bool remove)
{
	struct vl_touch touch = {fold, fact, place, remove};

	vl_views[fold->view]->touch(&touch, fact);
}

/* An entry of the event database: who sent this id, where it lies, and whether it stands in the histories or another sender's
 * identical event does in its stead. */
struct claim {
	struct vl_place place;
	uint8_t content[8];
	bool stands;
};

#define CLAIM_SIZE 41

static void claim_key(struct vl_key *key, const uint8_t id[16], const char *mission)
{
	*key = (struct vl_key){0};
	vl_key_bytes(key, id, 16);
	if (mission != NULL)
		vl_key_text(key, mission);
}

static void put_claim(struct vl_fold *fold, const uint8_t id[16], const char *mission, const struct claim *claim)
{
	struct vl_key key;
	uint8_t value[CLAIM_SIZE];

	claim_key(&key, id, mission);
	vl_put_be64(value, claim->place.epoch.n);
	vl_put_be64(value + 8, claim->place.seq.n);
	vl_put_be64(value + 16, claim->place.event.n);
	vl_put_be32(value + 24, claim->place.offset);
	vl_put_be32(value + 28, claim->place.size);
	memcpy(value + 32, claim->content, sizeof(claim->content));
	value[40] = claim->stands;
	vl_txn_put(fold->txn, vl_view_db(fold->view, VL_VIEW_EVENT), vl_key_done(&key),
		   (struct vl_bytes){value, sizeof(value)});
}

static struct claim get_claim(struct vl_bytes value)
{
	struct claim claim = {0};

	if (value.size != CLAIM_SIZE)
		return claim;
	claim.place = (struct vl_place){{vl_get_be64(value.data)},
					{vl_get_be64(value.data + 8)},
					{vl_get_be64(value.data + 16)},
					vl_get_be32(value.data + 24),
					vl_get_be32(value.data + 28)};
	memcpy(claim.content, value.data + 32, sizeof(claim.content));
	claim.stands = value.data[40] != 0;
	return claim;
}

/* Another sender's event with the same id and content: one event, which stands under the lesser sender id whichever came
 * first. True where `mine` gives way. */
static bool settle_twins(struct vl_fold *fold, const uint8_t id[16], const char *mission, const char *other,
			 struct claim *theirs)
{
	struct vl_bytes bytes;
	struct vl_fact fact;

	if (strcmp(other, mission) < 0)
		return true;
	theirs->stands = false;
	if (vl_archive_event(fold->txn, other, vl_views[fold->view]->lane, &theirs->place, &bytes) != VL_OK ||
	    !vl_fact_read(bytes, other, &theirs->place, fold->arena, &fact))
		vl_txn_fail(fold->txn, VL_ERR_CORRUPT);
	else
		file_fact(fold, &fact, &theirs->place, true);
	put_claim(fold, id, other, theirs);
	return false;
}

#define MAX_TWINS 8

/* Look at who else has sent this id. KNOWN where this sender has, or where another's twin of it stands. */
static enum vl_fold_outcome enter_claim(struct vl_fold *fold, const uint8_t id[16], const char *mission,
					struct claim *mine)
{
	struct vl_key prefix;
	struct vl_bytes key, value;
	struct claim theirs[MAX_TWINS];
	char others[MAX_TWINS][VL_MISSION_MAX + 1];
	size_t n = 0;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_EVENT));
	bool known = false;

	claim_key(&prefix, id, NULL);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix)); more = vl_cursor_next(cursor, &key, &value)) {
		const char *other = (const char *)key.data + 16;
		struct claim claim = get_claim(value);
		known = known || strcmp(other, mission) == 0;
		if (claim.stands && memcmp(claim.content, mine->content, sizeof(mine->content)) == 0 && n < MAX_TWINS) {
			theirs[n] = claim;
			(void)snprintf(others[n++], sizeof(others[0]), "%s", other);
		}
	}
	vl_cursor_close(cursor);
	if (known)
		return VL_FOLD_KNOWN;
	mine->stands = true;
	for (size_t i = 0; i < n; i++)
		if (settle_twins(fold, id, mission, others[i], &theirs[i]))
			mine->stands = false;
	put_claim(fold, id, mission, mine);
	return mine->stands ? VL_FOLD_NEW : VL_FOLD_KNOWN;
}

void vl_fold_add_event(struct vl_fold *fold, size_t view, const char *mission, const struct vl_place *place,
		       struct vl_bytes event, enum vl_fold_outcome *outcome)
{
	struct claim claim = {.place = *place};
	struct vl_fact fact;

	fold->view = view;
	vl_arena_reset(fold->arena);
	*outcome = VL_FOLD_UNREAD;
	if (!vl_fact_read(event, mission, place, fold->arena, &fact)) {
		if (vl_arena_failed(fold->arena))
			vl_txn_fail(fold->txn, VL_ERR_NOMEM);
		return;
	}
	crypto_generichash(claim.content, sizeof(claim.content), event.data, event.size, NULL, 0);
	*outcome = enter_claim(fold, fact.id, mission, &claim);
	if (*outcome == VL_FOLD_NEW)
		file_fact(fold, &fact, place, false);
}

/* -- what views call -- */

const char *vl_fold_key(const struct vl_fold *fold)
{
	return fold->key;
}

void *vl_fold_alloc(struct vl_fold *fold, size_t size)
{
	return vl_arena_alloc(fold->arena, size);
}

static char *print(struct vl_fold *fold, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int size = vsnprintf(NULL, 0, format, args);
	char *text = size >= 0 ? vl_arena_alloc(fold->arena, (size_t)size + 1) : NULL;
	if (text != NULL)
		(void)vsnprintf(text, (size_t)size + 1, format, again);
	va_end(again);
	return text;
}

char *vl_fold_printf(struct vl_fold *fold, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = print(fold, format, args);
	va_end(args);
	return text;
}

/* A repeated field grows by doubling at powers of two, so that its capacity needs no place of its own. */
static bool append(struct vl_fold *fold, void *item, size_t *count, void ***items)
{
	if (item == NULL)
		return false;
	if ((*count & (*count - 1)) == 0) {
		void **larger = vl_arena_alloc(fold->arena, (*count == 0 ? 1 : *count * 2) * sizeof(*larger));
		if (larger == NULL)
			return false;
		if (*count > 0)
			memcpy(larger, *items, *count * sizeof(*larger));
		*items = larger;
	}
	(*items)[(*count)++] = item;
	return true;
}

void *vl_fold_add(struct vl_fold *fold, const ProtobufCMessageDescriptor *descriptor, size_t *count, void *items)
{
	ProtobufCMessage *item = vl_arena_alloc(fold->arena, descriptor->sizeof_message);
	void **list;

	if (item != NULL)
		protobuf_c_message_init(descriptor, item);
	memcpy(&list, items, sizeof(list));
	bool added = append(fold, item, count, &list);
	memcpy(items, &list, sizeof(list));
	return added ? item : NULL;
}

void vl_fold_add_text(struct vl_fold *fold, const char *text, size_t *count, char ***items)
{
	void **list = (void **)*items;

	(void)append(fold, (void *)text, count, &list);
	*items = (char **)list;
}

void vl_fold_violation(struct vl_fold *fold, size_t *count, Valise__V1__Violation ***items, const char *rule,
		       const struct vl_fact *fact, const char *format, ...)
{
	Valise__V1__Violation *violation = vl_fold_add(fold, &valise__v1__violation__descriptor, count, items);
	va_list args;

	if (violation == NULL)
		return;
	va_start(args, format);
	char *detail = print(fold, format, args);
	va_end(args);
	violation->rule = vl_arena_text(fold->arena, rule, strlen(rule));
	if (detail != NULL)
		violation->detail = detail;
	if (violation->rule == NULL)
		violation->rule = (char *)protobuf_c_empty_string;
	if (fact != NULL)
		violation->event = (ProtobufCBinaryData){16, (uint8_t *)fact->id};
}

const ProtobufCMessage *vl_fold_row(struct vl_fold *fold, unsigned kind, const char *key)
{
	struct vl_key at;
	struct vl_bytes value;

	if (key[0] == '\0')
		return NULL;
	vl_row_key(&at, kind, key);
	if (!vl_txn_get(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW), vl_key_done(&at), &value))
		return NULL;
	return vl_wire_unpack(vl_views[fold->view]->kinds[kind].row, value, fold->arena);
}

static void tally_key(struct vl_key *key, unsigned kind, const char *entity, const char *name)
{
	vl_row_key(key, kind, entity);
	vl_key_bytes(key, name, strnlen(name, TALLY_NAME_MAX));
}

int64_t vl_fold_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *name)
{
	struct vl_key at;
	struct vl_bytes value;

	tally_key(&at, kind, key, name);
	bool found = vl_txn_get(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY), vl_key_done(&at), &value);
	return found && value.size == 8 ? (int64_t)vl_get_be64(value.data) : 0;
}

void vl_fold_each_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *prefix,
			void (*each)(void *context, const char *name, int64_t value), void *context)
{
	struct vl_key from, whole;
	struct vl_bytes at, value;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY));

	vl_row_key(&whole, kind, key);
	tally_key(&from, kind, key, prefix);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &at, &value);
	     more && vl_key_has_prefix(at, vl_key_done(&from)); more = vl_cursor_next(cursor, &at, &value)) {
		char *name = vl_arena_text(fold->arena, at.data + whole.size, at.size - whole.size);
		if (name != NULL && value.size == 8)
			each(context, name, (int64_t)vl_get_be64(value.data));
	}
	vl_cursor_close(cursor);
}

void vl_fold_contribute(struct vl_fold *fold, unsigned kind, const char *key, const char *name, int64_t count)
{
	struct vl_key at;
	struct change *change;

	if (key[0] == '\0' || count == 0)
		return;
	tally_key(&at, kind, key, name);
	HASH_FIND(hh, fold->changes, at.bytes, at.size, change);
	if (change == NULL) {
		change = vl_arena_alloc(fold->arena, sizeof(*change));
		char *copy = vl_arena_text(fold->arena, key, strlen(key));
		if (change == NULL || copy == NULL)
			return;
		change->kind = kind;
		change->key = copy;
		change->tally = at;
		HASH_ADD_KEYPTR(hh, fold->changes, change->tally.bytes, change->tally.size, change);
	}
	change->count += fold->sign * count;
}

void vl_fold_dirty(struct vl_fold *fold, unsigned kind, const char *key)
{
	char room[VL_ENTITY_MAX + 1];

	if (key[0] != '\0' && kind > fold->kind && kind < vl_views[fold->view]->n_kinds)
		mark(fold, kind, vl_entity_key(key, room));
}

/* -- settling -- */

static void apply_changes(struct vl_fold *fold)
{
	unsigned db = vl_view_db(fold->view, VL_VIEW_TALLY);
	struct change *change, *next;
	struct vl_bytes value;
	char room[VL_ENTITY_MAX + 1];
	uint8_t number[8];

	HASH_ITER(hh, fold->changes, change, next)
	{
		if (change->count == 0)
			continue;
		bool found = vl_txn_get(fold->txn, db, vl_key_done(&change->tally), &value);
		int64_t sum = change->count + (found && value.size == 8 ? (int64_t)vl_get_be64(value.data) : 0);
		vl_put_be64(number, (uint64_t)sum);
		if (sum != 0)
			vl_txn_put(fold->txn, db, vl_key_done(&change->tally), (struct vl_bytes){number, 8});
		else
			(void)vl_txn_delete(fold->txn, db, vl_key_done(&change->tally));
		if (change->kind > fold->kind)
			mark(fold, change->kind, vl_entity_key(change->key, room));
	}
	HASH_CLEAR(hh, fold->changes);
}

static void contribute(struct vl_fold *fold, const ProtobufCMessage *row, int sign)
{
	fold->sign = sign;
	if (row != NULL && kind_of(fold)->contribute != NULL)
		kind_of(fold)->contribute(fold, row);
}

static bool has_tallies(struct vl_fold *fold)
{
	struct vl_key prefix;
	struct vl_bytes key;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY));

	vl_row_key(&prefix, fold->kind, fold->key);
	bool found = vl_cursor_seek(cursor, vl_key_done(&prefix), &key, NULL) &&
		     vl_key_has_prefix(key, vl_key_done(&prefix));
	vl_cursor_close(cursor);
	return found;
}

/* The row as its history and tallies have it; NULL where it has neither. */
static ProtobufCMessage *make_row(struct vl_fold *fold)
{
	const struct vl_kind *kind = kind_of(fold);
	struct vl_history_item *items;
	size_t count;
	enum vl_err err = vl_history_read(fold->txn, fold->view, fold->kind, fold->key, fold->arena, &items, &count);

	if (err != VL_OK)
		vl_txn_fail(fold->txn, err);
	if (err != VL_OK || (count == 0 && !has_tallies(fold)))
		return NULL;
	ProtobufCMessage *row = vl_arena_alloc(fold->arena, kind->row->sizeof_message);
	if (row == NULL)
		return NULL;
	protobuf_c_message_init(kind->row, row);
	for (size_t i = 0; i < count && kind->step != NULL; i++)
		kind->step(fold, row, &items[i].fact);
	if (kind->finish != NULL)
		kind->finish(fold, row);
	return row;
}

/* Take back what the former row contributed, add what the new one does, and store it. */
static void replace_row(struct vl_fold *fold, const struct vl_key *key, const ProtobufCMessage *before,
			const ProtobufCMessage *row)
{
	unsigned db = vl_view_db(fold->view, VL_VIEW_ROW);

	contribute(fold, before, -1);
	contribute(fold, row, 1);
	if (vl_arena_failed(fold->arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	apply_changes(fold);
	if (row != NULL)
		vl_txn_put(fold->txn, db, vl_key_done(key), vl_buf_bytes(&fold->packed));
	else
		(void)vl_txn_delete(fold->txn, db, vl_key_done(key));
}

static void fold_entity(struct vl_fold *fold, const char *entity)
{
	struct vl_key key;
	struct vl_bytes old = {0};
	const ProtobufCMessage *before = NULL;

	vl_arena_reset(fold->arena);
	vl_buf_reset(&fold->packed);
	fold->key = entity;
	vl_row_key(&key, fold->kind, entity);
	ProtobufCMessage *row = make_row(fold);
	if (row != NULL)
		vl_wire_pack(row, &fold->packed);
	if (vl_buf_failed(&fold->packed) || vl_arena_failed(fold->arena))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	bool had = vl_txn_get(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW), vl_key_done(&key), &old);
	bool same = had == (row != NULL) &&
		    (!had || (old.size == fold->packed.size &&
			      (old.size == 0 || memcmp(old.data, fold->packed.data, old.size) == 0)));
	if (vl_txn_err(fold->txn) != VL_OK || same)
		return;
	if (had)
		before = vl_wire_unpack(kind_of(fold)->row, old, fold->arena);
	/* What a row contributes must follow from its packed form alone, or it could not be taken back later. */
	if (row != NULL)
		row = vl_wire_unpack(kind_of(fold)->row, vl_buf_bytes(&fold->packed), fold->arena);
	replace_row(fold, &key, before, row);
}

enum vl_err vl_fold_settle(struct vl_fold *fold)
{
	struct dirty *entry, *next;

	for (fold->view = 0; vl_views[fold->view] != NULL; fold->view++)
		for (fold->kind = 0; fold->kind < vl_views[fold->view]->n_kinds; fold->kind++)
			HASH_ITER(hh, fold->dirty[fold->view * MAX_KINDS + fold->kind], entry, next)
	if (vl_txn_err(fold->txn) == VL_OK)
		fold_entity(fold, entry->key);
	forget(fold);
	return vl_txn_err(fold->txn);
}

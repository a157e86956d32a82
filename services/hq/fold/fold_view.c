/*
 * What a view may ask of the fold while one row is made (view.h).
 */
#include "base/text.h"
#include "bus/wire.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/views.h"
#include "valise/v1/view.pb-c.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vl_trial_look(struct vl_fold *fold, const ProtobufCMessage *row, const struct vl_fact *fact)
{
	if (fold->trial != NULL && fold->trial->look != NULL)
		fold->trial->look(fold->trial->context, fold, row, fact);
}

const char *vl_fold_key(const struct vl_fold *fold)
{
	return fold->key;
}

void *vl_fold_alloc(struct vl_fold *fold, size_t size)
{
	return vl_arena_alloc(fold->arena, size);
}

void **vl_fold_slot(struct vl_fold *fold, unsigned slot)
{
	return &fold->slots[slot];
}

void **vl_turn_slot(struct vl_fold *fold)
{
	return &fold->turn;
}

void *vl_turn_alloc(struct vl_fold *fold, size_t size)
{
	void *memory = vl_arena_alloc(fold->txn_arena, size);

	if (memory == NULL)
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	return memory;
}

static char *print(struct vl_fold *fold, const char *format, va_list args)
{
	char first[256];
	va_list again;

	va_copy(again, args);
	int size = vsnprintf(first, sizeof(first), format, args);
	char *text = size >= 0 ? vl_arena_alloc(fold->arena, (size_t)size + 1) : NULL;
	if (text != NULL && (size_t)size < sizeof(first))
		memcpy(text, first, (size_t)size);
	else if (text != NULL)
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

/* A repeated field grows by doubling at powers of two, so that its capacity needs no place of
 * its own. */
static bool append(struct vl_fold *fold, void *item, size_t *count, void ***items)
{
	if (item == NULL)
		return false;
	if (*count >= VL_FOLD_ITEMS) {
		fold->beyond = true;
		return false;
	}
	if ((*count & (*count - 1)) == 0) {
		void **larger = vl_arena_alloc(fold->arena,
					       (*count == 0 ? 1 : *count * 2) * sizeof(*larger));
		if (larger == NULL)
			return false;
		if (*count > 0)
			memcpy(larger, *items, *count * sizeof(*larger));
		*items = larger;
	}
	(*items)[(*count)++] = item;
	return true;
}

void *vl_fold_add(struct vl_fold *fold, const ProtobufCMessageDescriptor *descriptor, size_t *count,
		  void *items)
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

void vl_fold_violation(struct vl_fold *fold, size_t *count, Valise__V1__Violation ***items,
		       const char *rule, const struct vl_fact *fact, const char *format, ...)
{
	Valise__V1__Violation *violation =
		vl_fold_add(fold, &valise__v1__violation__descriptor, count, items);
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

static const ProtobufCMessage *read_row(struct vl_fold *fold, unsigned kind, const char *key,
					struct vl_arena *arena)
{
	struct vl_key at;
	struct vl_bytes value;

	if (key[0] == '\0' || vl_fold_hides_row(fold, fold->view, kind, key))
		return NULL;
	vl_row_key(&at, kind, key);
	enum vl_err err = vl_txn_find(fold->txn, vl_view_db(fold->view, VL_VIEW_ROW),
				      vl_key_done(&at), &value);
	if (err == VL_ERR_CORRUPT)
		vl_fold_hurt(fold, VL_VIEW_ROW);
	if (err != VL_OK)
		return NULL;
	fold->steps += vl_fact_weight(value.size);
	return vl_wire_unpack(vl_views[fold->view]->kinds[kind].row, value, arena);
}

const ProtobufCMessage *vl_fold_row(struct vl_fold *fold, unsigned kind, const char *key)
{
	return read_row(fold, kind, key, fold->arena);
}

const ProtobufCMessage *vl_turn_row(struct vl_fold *fold, unsigned kind, const char *key)
{
	return read_row(fold, kind, key, fold->txn_arena);
}

void vl_fold_tally_key(struct vl_key *key, unsigned kind, const char *entity, const char *name)
{
	vl_row_key(key, kind, entity);
	vl_key_bytes(key, name, strnlen(name, FOLD_TALLY_NAME_MAX));
}

int64_t vl_fold_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *name)
{
	struct vl_key at;
	struct vl_bytes value;

	if (vl_fold_hides_tally(fold, kind, key, name))
		return 0;
	vl_fold_tally_key(&at, kind, key, name);
	enum vl_err err = vl_txn_find(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY),
				      vl_key_done(&at), &value);
	if (err == VL_ERR_CORRUPT)
		vl_fold_hurt(fold, VL_VIEW_TALLY);
	return err == VL_OK && value.size == 8 ? (int64_t)vl_get_be64(value.data) : 0;
}

void vl_fold_each_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *prefix,
			void (*each)(void *context, const char *name, int64_t value), void *context)
{
	struct vl_key from, whole;
	struct vl_bytes at, value;
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fold->view, VL_VIEW_TALLY));
	uint64_t n = 0;
	size_t damaged = 0;

	vl_row_key(&whole, kind, key);
	vl_fold_tally_key(&from, kind, key, prefix);
	vl_cursor_pass_over(cursor, vl_key_done(&from), vl_cursor_count, &damaged);
	for (bool more = vl_cursor_seek(cursor, vl_key_done(&from), &at, &value);
	     more && vl_key_has_prefix(at, vl_key_done(&from));
	     more = vl_cursor_next(cursor, &at, &value)) {
		if (n == VL_FOLD_TALLIES) {
			fold->beyond = true;
			break;
		}
		n++;
		fold->steps++;
		char *name = vl_arena_text(fold->arena, at.data + whole.size, at.size - whole.size);
		if (name != NULL && value.size == 8 && !vl_fold_hides_tally(fold, kind, key, name))
			each(context, name, (int64_t)vl_get_be64(value.data));
	}
	vl_cursor_close(cursor);
	if (damaged > 0)
		vl_fold_hurt(fold, VL_VIEW_TALLY);
}

void vl_fold_contribute(struct vl_fold *fold, unsigned kind, const char *key, const char *name,
			int64_t count)
{
	struct vl_key at;
	struct change *change;

	if (key[0] == '\0' || count == 0)
		return;
	vl_fold_tally_key(&at, kind, key, name);
	HASH_FIND(hh, fold->changes, at.bytes, at.size, change);
	if (change == NULL) {
		change = vl_arena_alloc(fold->arena, sizeof(*change));
		char *copy = vl_arena_text(fold->arena, at.bytes, at.size);
		if (change == NULL || copy == NULL)
			return;
		change->kind = kind;
		change->tally = (struct vl_bytes){(const uint8_t *)copy, at.size};
		HASH_ADD_KEYPTR(hh, fold->changes, change->tally.data, change->tally.size, change);
		if (change->hh.tbl == NULL) {
			vl_txn_fail(fold->txn, VL_ERR_NOMEM);
			return;
		}
	}
	change->count += fold->sign * count;
}

void vl_fold_dirty_each(struct vl_fold *fold, unsigned kind, const char *prefix)
{
	struct fan *fan = fold->fans;

	if (kind <= fold->kind || kind >= vl_views[fold->view]->n_kinds || fold->counting)
		return;
	while (fan != NULL && (fan->kind != kind || strcmp(fan->prefix, prefix) != 0))
		fan = fan->next;
	/* Asked for twice: of the row as it was, and as it is. */
	if (fan != NULL)
		return;
	fan = vl_arena_alloc(fold->arena, sizeof(*fan));
	if (fan == NULL)
		return;
	*fan = (struct fan){kind, prefix, fold->fans};
	fold->fans = fan;
}

void vl_fold_dirty(struct vl_fold *fold, unsigned kind, const char *key)
{
	char room[VL_ENTITY_MAX + 1];
	bool added;

	if (key[0] != '\0' && kind > fold->kind && kind < vl_views[fold->view]->n_kinds &&
	    !fold->counting)
		(void)vl_fold_mark(fold, kind, vl_entity_key(key, room), &added);
}

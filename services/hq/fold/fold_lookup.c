/*
 * Lookups (declare.h): a row reads rows of other kinds and lanes, and is folded again when what it
 * can see of them changes.
 *
 * In the database `lookup` of the view that reads, for each entity the names of the rows that its
 * fold has read last, whether they were there or not; and for each of these names the entity, so
 * that whoever reads a row is found by it. A name is the view that is read, the kind's name and the
 * entity. When a row changes, its readers are marked by a fan (fold_fan.c), a bounded number in a
 * transaction.
 */
#include "base/text.h"
#include "bus/wire.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/names.h"

#include <string.h>

#define OF_READER 'f' /* kind, entity -> the names, each with its NUL */
#define OF_READ 'r'   /* name, kind and entity as the fan has them -> nothing */

static void reader_key(struct vl_key *key, unsigned kind, const char *entity)
{
	vl_key_reset(key);
	vl_key_u8(key, OF_READER);
	vl_key_u8(key, (uint8_t)kind);
	vl_key_text(key, entity);
}

void vl_lookup_readers(struct vl_key *key, const char *name)
{
	vl_key_reset(key);
	vl_key_u8(key, OF_READ);
	vl_key_text(key, name);
}

static void edge_key(struct vl_key *key, const char *name, unsigned kind, const char *entity)
{
	vl_lookup_readers(key, name);
	vl_key_u8(key, (uint8_t)(kind + 1));
	vl_key_text(key, entity);
}

const char *vl_lookup_reader(const char *name, unsigned *kind)
{
	*kind = (unsigned)(uint8_t)name[0] - 1;
	return name + 1;
}

/* -- reading -- */

static char *name_of(struct vl_fold *fold, size_t view, unsigned kind, const char *entity)
{
	return vl_fold_printf(fold, "%c%s\t%s", (char)(view + 1), vl_views[view]->kinds[kind].name,
			      entity);
}

/* The row reads so many others at most, and each is noted once. */
static bool note(struct vl_fold *fold, char *name)
{
	void **place = name != NULL ? vl_names_at(fold, &fold->read_names, name) : NULL;

	if (place == NULL || *place != NULL)
		return place != NULL;
	if (fold->n_read == VL_FOLD_ITEMS) {
		fold->beyond = true;
		return false;
	}
	struct read *read = vl_fold_alloc(fold, sizeof(*read));
	if (read == NULL)
		return false;
	*read = (struct read){.name = name};
	*place = read;
	*fold->last_read = read;
	fold->last_read = &read->next;
	fold->n_read++;
	return true;
}

static const ProtobufCMessage *unpack_seen(struct vl_fold *fold, size_t view, unsigned kind,
					   struct vl_bytes value)
{
	const ProtobufCMessageDescriptor *type = vl_views[view]->kinds[kind].row;
	const ProtobufCMessage *row = vl_wire_unpack(type, value, fold->arena);
	ProtobufCMessage *seen = vl_fold_alloc(fold, type->sizeof_message);

	fold->steps += vl_fact_weight(value.size);
	if (row == NULL || seen == NULL)
		return NULL;
	protobuf_c_message_init(type, seen);
	size_t as = view == fold->view ? VL_OWN_LANE : view;
	(void)vl_bound_sees(fold->bound[fold->view], fold->kind, as, kind, row, seen);
	return seen;
}

const ProtobufCMessage *vl_fold_look(struct vl_fold *fold, unsigned n, const char *key)
{
	char ref[VL_VIEW_REF], room[VL_ENTITY_MAX + 1];
	struct vl_bytes value;
	struct vl_key at;
	unsigned kind;
	size_t view;

	if (key[0] == '\0' ||
	    !vl_bound_lookup(fold->bound[fold->view], fold->kind, n, &view, &kind))
		return NULL;
	if (view == VL_OWN_LANE)
		view = fold->view;
	key = vl_entity_key(vl_views[view]->references ? vl_view_ref(key, ref) : key, room);
	if (vl_fold_hides_row(fold, view, kind, key) || !note(fold, name_of(fold, view, kind, key)))
		return NULL;
	vl_row_key(&at, kind, key);
	fold->steps++;
	enum vl_err err =
		vl_txn_find(fold->txn, vl_view_db(view, VL_VIEW_ROW), vl_key_done(&at), &value);
	if (err == VL_ERR_CORRUPT) {
		fold->hurt = true;
		vl_renewal_want(fold, view, VL_VIEW_ROW);
	}
	return err == VL_OK ? unpack_seen(fold, view, kind, value) : NULL;
}

/* -- who reads what -- */

static void put_edge(struct vl_fold *fold, const char *name, const char *entity, bool reads)
{
	unsigned db = vl_view_db(fold->view, VL_VIEW_LOOKUP);
	struct vl_key key;

	edge_key(&key, name, fold->kind, entity);
	fold->steps++;
	if (reads)
		vl_txn_put(fold->txn, db, vl_key_done(&key), (struct vl_bytes){0});
	else
		(void)vl_txn_delete(fold->txn, db, vl_key_done(&key));
}

/* What it read before, copied, as the next write takes it away. */
static struct vl_bytes former(struct vl_fold *fold, const struct vl_key *key)
{
	struct vl_bytes value;
	enum vl_err err = vl_txn_find(fold->txn, vl_view_db(fold->view, VL_VIEW_LOOKUP),
				      vl_key_done(key), &value);

	if (err == VL_ERR_CORRUPT) {
		vl_renewal_want(fold, fold->view, VL_VIEW_LOOKUP);
		(void)vl_txn_weed(fold->txn, vl_view_db(fold->view, VL_VIEW_LOOKUP),
				  vl_key_done(key));
	}
	if (err != VL_OK || value.size == 0 || value.data[value.size - 1] != 0)
		return (struct vl_bytes){0};
	const char *copy = vl_arena_text(fold->arena, value.data, value.size);
	return (struct vl_bytes){(const uint8_t *)copy, copy != NULL ? value.size : 0};
}

/* What is in one of the two and not in the other; while the view is renewed all that is read. */
static void put_edges(struct vl_fold *fold, const char *entity, struct vl_bytes before, bool all)
{
	void *names = NULL;

	for (const char *name = (const char *)before.data, *end = name + before.size; name < end;
	     name += strlen(name) + 1) {
		void **place = vl_names_at(fold, &names, name);
		if (place != NULL)
			*place = fold;
		if (vl_names_find(&fold->read_names, name) == NULL)
			put_edge(fold, name, entity, false);
	}
	for (const struct read *read = fold->reads; read != NULL; read = read->next)
		if (all || vl_names_find(&names, read->name) == NULL)
			put_edge(fold, read->name, entity, true);
}

void vl_lookup_keep(struct vl_fold *fold, const char *entity)
{
	bool all = fold->renewals[fold->view].phase != VL_RENEWAL_NONE;
	unsigned db = vl_view_db(fold->view, VL_VIEW_LOOKUP);
	struct vl_buf now = {0};
	struct vl_key key;

	if (!vl_bound_looks(fold->bound[fold->view], fold->kind))
		return;
	reader_key(&key, fold->kind, entity);
	struct vl_bytes before = former(fold, &key);
	for (const struct read *read = fold->reads; read != NULL; read = read->next)
		vl_buf_put(&now, read->name, strlen(read->name) + 1);
	bool same = now.size == before.size &&
		    (now.size == 0 || memcmp(now.data, before.data, now.size) == 0);
	if (vl_buf_failed(&now))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	if (!same || all)
		put_edges(fold, entity, before, all);
	if (!same && now.size > 0)
		vl_txn_put(fold->txn, db, vl_key_done(&key), vl_buf_bytes(&now));
	else if (!same)
		(void)vl_txn_delete(fold->txn, db, vl_key_done(&key));
	vl_buf_free(&now);
}

void vl_lookup_begin(struct vl_fold *fold)
{
	fold->reads = NULL;
	fold->last_read = &fold->reads;
	fold->read_names = NULL;
	fold->n_read = 0;
	fold->seen_by = 0;
}

/* -- who has to know -- */

/* What the view `reader` can see of the row, packed. False where it looks up no such rows. */
static bool pack_seen(struct vl_fold *fold, size_t reader, const ProtobufCMessage *row,
		      struct vl_buf *out)
{
	const ProtobufCMessageDescriptor *type = fold_kind(fold)->row;
	size_t as = reader == fold->view ? VL_OWN_LANE : fold->view;
	ProtobufCMessage *seen = row != NULL ? vl_fold_alloc(fold, type->sizeof_message) : NULL;

	if (seen != NULL)
		protobuf_c_message_init(type, seen);
	bool any = vl_bound_sees(fold->bound[reader], VL_ANY_KIND, as, fold->kind,
				 seen != NULL ? row : NULL, seen);
	if (any && seen != NULL)
		vl_wire_pack(seen, out);
	return any;
}

void vl_lookup_changed(struct vl_fold *fold, const ProtobufCMessage *before,
		       const ProtobufCMessage *row)
{
	struct vl_buf was = {0}, is = {0};

	for (size_t reader = 0; vl_views[reader] != NULL; reader++) {
		vl_buf_reset(&was);
		vl_buf_reset(&is);
		if (!pack_seen(fold, reader, before, &was) || !pack_seen(fold, reader, row, &is))
			continue;
		if ((before == NULL) != (row == NULL) || was.size != is.size ||
		    (is.size > 0 && memcmp(was.data, is.data, is.size) != 0))
			fold->seen_by |= UINT64_C(1) << reader;
	}
	if (vl_buf_failed(&was) || vl_buf_failed(&is))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	vl_buf_free(&was);
	vl_buf_free(&is);
}

void vl_lookup_wake(struct vl_fold *fold)
{
	size_t view = fold->view;

	if (fold->seen_by == 0)
		return;
	char *name = name_of(fold, view, fold->kind, fold->key);
	if (name == NULL)
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	for (size_t reader = 0; name != NULL && fold->seen_by >> reader != 0; reader++)
		if ((fold->seen_by >> reader & 1) != 0)
			vl_fold_begin_readers(fold, reader, name);
	fold->view = view;
	fold->seen_by = 0;
}

/* -- a view that is made anew -- */

static bool reads_view(const struct vl_fold *fold, size_t reader, size_t view)
{
	for (unsigned kind = 0; kind < vl_views[view]->n_kinds; kind++)
		if (vl_bound_sees(fold->bound[reader], VL_ANY_KIND, view, kind, NULL, NULL))
			return true;
	return false;
}

/* Mark those of one view that look up any row of another. */
static void mark_readers(struct vl_fold *fold, size_t reader, size_t view)
{
	const uint8_t from[] = {OF_READ, (uint8_t)(view + 1)};
	const struct vl_bytes prefix = {from, sizeof(from)};
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(reader, VL_VIEW_LOOKUP));
	struct vl_bytes key;
	size_t damaged = 0;
	unsigned kind;
	bool added;

	fold->view = reader;
	vl_cursor_pass_over(cursor, prefix, vl_cursor_count, &damaged);
	for (bool more = vl_cursor_seek(cursor, prefix, &key, NULL);
	     more && vl_key_has_prefix(key, prefix); more = vl_cursor_next(cursor, &key, NULL)) {
		size_t name = 1 + strnlen((const char *)key.data + 1, key.size - 1) + 1;
		if (name + 2 > key.size || key.data[key.size - 1] != 0)
			continue;
		const char *entity = vl_lookup_reader((const char *)key.data + name, &kind);
		if (kind < vl_views[reader]->n_kinds)
			(void)vl_fold_mark(fold, kind, entity, &added);
	}
	vl_cursor_close(cursor);
	if (damaged > 0)
		vl_renewal_want(fold, reader, VL_VIEW_LOOKUP);
}

void vl_fold_readers(struct vl_fold *fold, size_t view)
{
	vl_fold_serve(fold, VL_RENEWAL_MISSION);
	for (size_t reader = 0; vl_views[reader] != NULL; reader++)
		if (reader != view && reads_view(fold, reader, view))
			mark_readers(fold, reader, view);
	fold->view = view;
}

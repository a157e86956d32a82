/*
 * Fans: one entity that has many others folded again, such as a place in which a safety check
 * was opened and the travellers there, or a row that many look up.
 *
 * The others are those that the entity's own tallies name, or those that look it up
 * (fold_lookup.c), in the order of their names. A fan
 * takes a bounded number at a time; what is left is an entry of the to-do list, and in `pending`
 * is how far the fan has come. Where the entity changes again meanwhile, the fan goes on from
 * where it is, round by the beginning to that place: so each of the others is met after the last
 * change, and no number of changes keeps the last of them waiting for ever.
 */
#include "base/text.h"
#include "hq/fold/fold_state.h"
#include "hq/fold/renewal.h"

#include <string.h>

#define MEMBER_STEPS 16 /* what it takes to fold one that is marked, about */

/* A fan's place: it stands before `next`, and ends before `stop`, having gone by the beginning;
 * where that is NULL at the end. */
struct state {
	bool round; /* it has passed the beginning */
	const char *next, *stop;
};

/* Of those that look up a row: `from` is READERS, `view` is theirs, and `key` the name of the row.
 */
struct vl_fan {
	size_t view;
	unsigned from, to; /* kinds */
	const char *key, *prefix;
};

#define READERS 0x7f /* more than there are kinds */

static void state_key(struct vl_key *key, const struct vl_fan *fan)
{
	vl_key_reset(key);
	vl_key_u8(key, (uint8_t)fan->view);
	vl_key_u8(key, (uint8_t)(fan->from | VL_TODO_FAN));
	vl_key_text(key, fan->key);
	vl_key_u8(key, (uint8_t)fan->to);
	vl_key_text(key, fan->prefix);
}

/* Copied, as the next write takes it away. */
static bool get_state(struct vl_fold *fold, const struct vl_fan *fan, struct state *state)
{
	struct vl_key key;
	struct vl_bytes value;

	*state = (struct state){.next = ""};
	if (!fold->todo.any)
		return false;
	state_key(&key, fan);
	enum vl_err err = vl_txn_find(fold->txn, VL_DB_PENDING, vl_key_done(&key), &value);
	fold->todo.damaged += err == VL_ERR_CORRUPT;
	/* Then it begins anew. */
	if (err == VL_ERR_CORRUPT)
		return true;
	if (err != VL_OK || value.size < 3)
		return false;
	const char *copy = vl_arena_text(fold->txn_arena, value.data, value.size);
	if (copy == NULL)
		return false;
	size_t first = strnlen(copy + 1, value.size - 1);
	state->round = (copy[0] & 1) != 0;
	state->next = copy + 1;
	state->stop = (copy[0] & 2) != 0 && first + 2 < value.size ? copy + first + 2 : NULL;
	return true;
}

static void put_state(struct vl_fold *fold, const struct vl_fan *fan, const struct state *state)
{
	struct vl_key key;
	struct vl_buf *value = &fold->packed;

	vl_buf_reset(value);
	vl_buf_put_byte(value, (uint8_t)((state->round ? 1 : 0) | (state->stop != NULL ? 2 : 0)));
	vl_buf_put(value, state->next, strlen(state->next) + 1);
	if (state->stop != NULL)
		vl_buf_put(value, state->stop, strlen(state->stop) + 1);
	else
		vl_buf_put_byte(value, 0);
	if (vl_buf_failed(value))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	state_key(&key, fan);
	vl_txn_put(fold->txn, VL_DB_PENDING, vl_key_done(&key), vl_buf_bytes(value));
}

static void drop_state(struct vl_fold *fold, const struct vl_fan *fan)
{
	struct vl_key key;

	state_key(&key, fan);
	(void)vl_txn_delete(fold->txn, VL_DB_PENDING, vl_key_done(&key));
}

/* Where its members are: the part of their keys before a name, what the names begin with, and where
 * it goes on. */
static enum vl_view_db members(const struct vl_fan *fan, const struct state *state,
			       struct vl_key *whole, struct vl_key *prefix, struct vl_key *from)
{
	if (fan->from == READERS) {
		vl_lookup_readers(whole, fan->key);
		vl_lookup_readers(prefix, fan->key);
		vl_lookup_readers(from, fan->key);
		vl_key_bytes(from, state->next, strlen(state->next));
		return VL_VIEW_LOOKUP;
	}
	vl_row_key(whole, fan->from, fan->key);
	vl_fold_tally_key(prefix, fan->from, fan->key, fan->prefix);
	vl_fold_tally_key(from, fan->from, fan->key,
			  state->next[0] != '\0' ? state->next : fan->prefix);
	return VL_VIEW_TALLY;
}

static void mark_member(struct vl_fold *fold, const struct vl_fan *fan, const char *name,
			struct vl_bytes value)
{
	char room[VL_ENTITY_MAX + 1];
	unsigned kind;
	bool added;

	if (fan->from == READERS) {
		const char *entity = vl_lookup_reader(name, &kind);
		if (kind < vl_views[fan->view]->n_kinds)
			(void)vl_fold_mark(fold, kind, entity, &added);
	} else if (value.size == 8 && name[strlen(fan->prefix)] != '\0') {
		(void)vl_fold_mark(fold, fan->to, vl_entity_key(name + strlen(fan->prefix), room),
				   &added);
	}
}

/* Mark the members from state->next on, up to the end or the stop, `room` of them. True where
 * there are no more this way. */
static bool walk(struct vl_fold *fold, const struct vl_fan *fan, struct state *state,
		 uint64_t *room)
{
	struct vl_key whole, from, prefix;
	struct vl_bytes key, value;
	const char *limit = state->round ? state->stop : NULL, *name = NULL;
	enum vl_view_db db = members(fan, state, &whole, &prefix, &from);
	struct vl_cursor *cursor = vl_cursor_open(fold->txn, vl_view_db(fan->view, db));
	size_t damaged = 0;
	bool more;

	fold->view = fan->view;
	vl_cursor_pass_over(cursor, vl_key_done(&prefix), vl_cursor_count, &damaged);
	for (more = vl_cursor_seek(cursor, vl_key_done(&from), &key, &value);
	     more && vl_key_has_prefix(key, vl_key_done(&prefix));
	     more = vl_cursor_next(cursor, &key, &value)) {
		name = vl_arena_text(fold->txn_arena, key.data + whole.size, key.size - whole.size);
		if (name == NULL || (limit != NULL && strcmp(name, limit) >= 0) || *room == 0)
			break;
		mark_member(fold, fan, name, value);
		--*room;
		fold->steps++;
		name = NULL;
	}
	vl_cursor_close(cursor);
	/* Whom such a one names is folded again, as all are. */
	if (damaged > 0)
		vl_renewal_want(fold, fan->view, db);
	bool stopped = name != NULL && (limit == NULL || strcmp(name, limit) < 0);
	if (stopped)
		state->next = name;
	return !stopped;
}

/* True where the fan has come round to its end. */
static bool go_on(struct vl_fold *fold, const struct vl_fan *fan, struct state *state,
		  uint64_t room)
{
	while (vl_txn_err(fold->txn) == VL_OK && !vl_arena_failed(fold->txn_arena)) {
		if (!walk(fold, fan, state, &room))
			return false;
		if (state->round || state->stop == NULL)
			return true;
		*state = (struct state){.round = true, .next = "", .stop = state->stop};
	}
	vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	return false;
}

static void put_entry(struct vl_fold *fold, const struct vl_fan *fan)
{
	struct vl_buf *body = &fold->packed;

	vl_buf_reset(body);
	vl_fold_put_entity(body, fan->from | VL_TODO_FAN, fan->key);
	vl_fold_put_entity(body, fan->to, fan->prefix);
	if (vl_buf_failed(body))
		vl_txn_fail(fold->txn, VL_ERR_NOMEM);
	vl_todo_push(&fold->todo, VL_TODO_FOLDS, fan->view, fold->owners[fold->owner].mission,
		     vl_buf_bytes(body));
}

/* One that is under way goes round once more. */
static void begin(struct vl_fold *fold, const struct vl_fan *fan)
{
	struct state state;

	if (get_state(fold, fan, &state)) {
		state.stop = state.next[0] != '\0' ? state.next : NULL;
		state.round = false;
		put_state(fold, fan, &state);
	} else if (!go_on(fold, fan, &state, vl_fold_room(fold) / MEMBER_STEPS)) {
		put_state(fold, fan, &state);
		put_entry(fold, fan);
	}
}

void vl_fold_begin_fans(struct vl_fold *fold)
{
	for (const struct fan *wanted = fold->fans; wanted != NULL; wanted = wanted->next)
		begin(fold, &(struct vl_fan){fold->view, fold->kind, wanted->kind, fold->key,
					     wanted->prefix});
	fold->fans = NULL;
}

void vl_fold_begin_readers(struct vl_fold *fold, size_t reader, const char *name)
{
	begin(fold, &(struct vl_fan){reader, READERS, 0, name, ""});
}

/* -- from the list -- */

/* A byte and a text; NULL where there is none. */
static const char *take_entity(struct vl_bytes *body, unsigned *kind)
{
	size_t size = body->size > 0 ? strnlen((const char *)body->data + 1, body->size - 1) : 0;

	if (body->size < size + 2)
		return NULL;
	const char *key = (const char *)body->data + 1;
	*kind = body->data[0];
	*body = (struct vl_bytes){body->data + size + 2, body->size - size - 2};
	return key;
}

static bool take_up_fan(struct vl_fold *fold, const struct vl_fan *fan, uint64_t room)
{
	struct state state;

	if (fan->to >= vl_views[fan->view]->n_kinds || !get_state(fold, fan, &state))
		return true;
	bool done = go_on(fold, fan, &state, room / MEMBER_STEPS + 1);
	if (done)
		drop_state(fold, fan);
	else
		put_state(fold, fan, &state);
	return done;
}

bool vl_fold_take_up(struct vl_fold *fold, size_t view, struct vl_bytes body, uint64_t room)
{
	struct vl_fan fan = {.view = view};
	unsigned kind;
	bool added;

	/* Copied, as the next write takes it away. */
	body.data = (const uint8_t *)vl_arena_text(fold->txn_arena, body.data, body.size);
	const char *key = body.data != NULL ? take_entity(&body, &kind) : NULL;
	if (key == NULL)
		return true;
	fold->view = view;
	if ((kind & VL_TODO_FAN) != 0) {
		fan.from = kind & ~(unsigned)VL_TODO_FAN;
		fan.key = key;
		fan.prefix = take_entity(&body, &fan.to);
		return fan.prefix == NULL || take_up_fan(fold, &fan, room);
	}
	fold->steps++;
	if (kind >= vl_views[view]->n_kinds || !vl_todo_waits(&fold->todo, view, kind, key, NULL))
		return true;
	struct dirty *entry = vl_fold_mark(fold, kind, key, &added);
	if (entry != NULL)
		entry->taken_up = true;
	return true;
}

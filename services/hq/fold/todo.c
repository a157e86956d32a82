#include "hq/fold/todo.h"

#include "base/text.h"
#include "hq/fold/fold.h"

#include <stdio.h>
#include <string.h>

static const char counter[] = "todo";

void vl_todo_begin(struct vl_todo *todo, struct vl_txn *txn)
{
	*todo = (struct vl_todo){.txn = txn};
	todo->any = vl_txn_count(txn, VL_DB_TODO) > 0 || vl_txn_count(txn, VL_DB_PENDING) > 0;
}

static void counter_key(struct vl_key *key)
{
	vl_key_reset(key);
	vl_key_text(key, counter);
}

static uint64_t next_number(struct vl_todo *todo)
{
	struct vl_key key;
	struct vl_bytes value;

	if (todo->known == 0) {
		counter_key(&key);
		bool found = vl_txn_get(todo->txn, VL_DB_META, vl_key_done(&key), &value) &&
			     value.size == 8;
		todo->known = todo->next = found ? vl_get_be64(value.data) : 1;
	}
	return todo->next++;
}

static void put_number(struct vl_txn *txn, uint64_t next)
{
	struct vl_key key;
	uint8_t value[8];

	counter_key(&key);
	vl_put_be64(value, next);
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

static void weed(struct vl_txn *txn, enum vl_ledger_db db)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, db);

	vl_cursor_weed(cursor, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, NULL, NULL); more;)
		more = vl_cursor_next(cursor, NULL, NULL);
	vl_cursor_close(cursor);
}

void vl_todo_end(struct vl_todo *todo)
{
	if (todo->damaged > 0) {
		weed(todo->txn, VL_DB_TODO);
		weed(todo->txn, VL_DB_PENDING);
		todo->damaged = 0;
	}
	if (todo->next == todo->known)
		return;
	put_number(todo->txn, todo->next);
	todo->known = todo->next;
}

static struct vl_cursor *open_cursor(struct vl_todo *todo, enum vl_ledger_db db)
{
	struct vl_cursor *cursor = todo->any ? vl_cursor_open(todo->txn, db) : NULL;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, vl_cursor_count, &todo->damaged);
	return cursor;
}

/* -- queues: view, mission with a NUL, class, number -- */

static void queue_key(struct vl_key *key, size_t view, const char *mission,
		      enum vl_todo_class class)
{
	vl_key_reset(key);
	vl_key_u8(key, (uint8_t)view);
	vl_key_text(key, mission);
	vl_key_u8(key, (uint8_t) class);
}

static void entry_key(struct vl_key *key, const struct vl_todo_queue *queue,
		      enum vl_todo_class class, uint64_t n)
{
	queue_key(key, queue->view, queue->mission, class);
	vl_key_u64(key, n);
}

void vl_todo_push(struct vl_todo *todo, enum vl_todo_class class, size_t view, const char *mission,
		  struct vl_bytes body)
{
	struct vl_key key;

	queue_key(&key, view, mission, class);
	vl_key_u64(&key, next_number(todo));
	vl_txn_put(todo->txn, VL_DB_TODO, vl_key_done(&key), body);
	todo->any = true;
}

bool vl_todo_first(struct vl_todo *todo, enum vl_todo_class class,
		   const struct vl_todo_queue *queue, uint64_t from, struct vl_todo_entry *entry)
{
	struct vl_key prefix, start;
	struct vl_bytes key, value;
	struct vl_cursor *cursor = open_cursor(todo, VL_DB_TODO);

	queue_key(&prefix, queue->view, queue->mission, class);
	entry_key(&start, queue, class, from);
	bool found = vl_cursor_seek(cursor, vl_key_done(&start), &key, &value) &&
		     vl_key_has_prefix(key, vl_key_done(&prefix)) && key.size == prefix.size + 8;
	vl_cursor_close(cursor);
	if (found)
		*entry = (struct vl_todo_entry){vl_get_be64(key.data + prefix.size), value};
	return found;
}

void vl_todo_change(struct vl_todo *todo, enum vl_todo_class class,
		    const struct vl_todo_queue *queue, uint64_t n, struct vl_bytes body)
{
	struct vl_key key;

	entry_key(&key, queue, class, n);
	vl_txn_put(todo->txn, VL_DB_TODO, vl_key_done(&key), body);
}

void vl_todo_take(struct vl_todo *todo, enum vl_todo_class class, const struct vl_todo_queue *queue,
		  uint64_t n)
{
	struct vl_key key;

	entry_key(&key, queue, class, n);
	(void)vl_txn_delete(todo->txn, VL_DB_TODO, vl_key_done(&key));
}

bool vl_todo_next_queue(struct vl_todo *todo, size_t view, struct vl_todo_queue *queue)
{
	struct vl_key from = {0};
	struct vl_bytes key;
	struct vl_cursor *cursor = open_cursor(todo, VL_DB_TODO);

	vl_key_u8(&from, (uint8_t)view);
	if (queue->mission[0] != '\0') {
		vl_key_text(&from, queue->mission);
		vl_key_u8(&from, 0xff); /* behind its classes */
	}
	bool found = vl_cursor_seek(cursor, vl_key_done(&from), &key, NULL) && key.size > 1 &&
		     key.data[0] == view;
	vl_cursor_close(cursor);
	size_t size = found ? strnlen((const char *)key.data + 1, key.size - 1) : 0;
	if (!found || size == key.size - 1 || size > VL_MISSION_MAX)
		return false;
	queue->view = view;
	memcpy(queue->mission, key.data + 1, size);
	queue->mission[size] = '\0';
	return true;
}

/* -- entities that wait -- */

static void pending_key(struct vl_key *key, size_t view, unsigned kind, const char *entity)
{
	vl_key_reset(key);
	vl_key_u8(key, (uint8_t)view);
	vl_key_u8(key, (uint8_t)kind);
	vl_key_text(key, entity);
}

void vl_todo_wait(struct vl_todo *todo, size_t view, unsigned kind, const char *entity,
		  const char *mission)
{
	struct vl_key key;

	pending_key(&key, view, kind, entity);
	vl_txn_put(todo->txn, VL_DB_PENDING, vl_key_done(&key),
		   (struct vl_bytes){(const uint8_t *)mission, strlen(mission) + 1});
	todo->any = true;
}

bool vl_todo_waits(struct vl_todo *todo, size_t view, unsigned kind, const char *entity,
		   const char **mission)
{
	struct vl_key key;
	struct vl_bytes value;

	if (!todo->any)
		return false;
	pending_key(&key, view, kind, entity);
	enum vl_err err = vl_txn_find(todo->txn, VL_DB_PENDING, vl_key_done(&key), &value);
	todo->damaged += err == VL_ERR_CORRUPT;
	if (err == VL_ERR_CORRUPT)
		value.size = 0;
	else if (err != VL_OK)
		return false;
	if (mission != NULL)
		*mission = value.size > 0 && value.data[value.size - 1] == 0
				   ? (const char *)value.data
				   : "";
	return true;
}

void vl_todo_folded(struct vl_todo *todo, size_t view, unsigned kind, const char *entity)
{
	struct vl_key key;

	if (!todo->any)
		return;
	pending_key(&key, view, kind, entity);
	(void)vl_txn_delete(todo->txn, VL_DB_PENDING, vl_key_done(&key));
}

/* -- for tools -- */

/* The entries whose key begins with the view and, of a fan, `kind`. */
static void clear_in(struct vl_txn *txn, enum vl_ledger_db db, size_t view, uint8_t kind)
{
	const uint8_t from[] = {(uint8_t)view, kind};
	struct vl_key found;
	struct vl_bytes key;
	bool more = true;

	while (more && vl_txn_err(txn) == VL_OK) {
		struct vl_cursor *cursor = vl_cursor_open(txn, db);
		vl_cursor_weed(cursor, NULL, NULL);
		more = vl_cursor_seek(cursor, (struct vl_bytes){from, sizeof(from)}, &key, NULL) &&
		       key.size > 0 && key.data[0] == from[0];
		vl_key_reset(&found);
		if (more)
			vl_key_bytes(&found, key.data, key.size);
		vl_cursor_close(cursor);
		more = more && vl_txn_delete(txn, db, vl_key_done(&found));
	}
}

void vl_todo_clear(struct vl_txn *txn, size_t view)
{
	clear_in(txn, VL_DB_TODO, view, 0);
	clear_in(txn, VL_DB_PENDING, view, 0);
}

void vl_todo_forget_fans(struct vl_txn *txn, size_t view)
{
	clear_in(txn, VL_DB_PENDING, view, VL_TODO_FAN);
}

void vl_todo_count_on(struct vl_txn *txn)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_TODO);
	struct vl_bytes key;
	uint64_t next = 1, n;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, NULL); more;
	     more = vl_cursor_next(cursor, &key, NULL)) {
		n = key.size > 8 ? vl_get_be64(key.data + key.size - 8) : 0;
		next = n >= next ? n + 1 : next;
	}
	vl_cursor_close(cursor);
	if (next > 1)
		put_number(txn, next);
}

uint64_t vl_todo_left(struct vl_txn *txn)
{
	return vl_txn_count(txn, VL_DB_TODO);
}

bool vl_todo_any_of(struct vl_txn *txn, size_t view)
{
	uint8_t prefix = (uint8_t)view;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_TODO);
	struct vl_bytes key;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	bool any = vl_cursor_seek(cursor, (struct vl_bytes){&prefix, 1}, &key, NULL) &&
		   key.data[0] == prefix;
	vl_cursor_close(cursor);
	return any;
}

static uint64_t count_in(struct vl_txn *txn, enum vl_ledger_db db, size_t view)
{
	uint8_t prefix = (uint8_t)view;
	struct vl_bytes key;
	struct vl_cursor *cursor = vl_cursor_open(txn, db);
	uint64_t count = 0;

	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){&prefix, 1}, &key, NULL);
	     more && key.size > 0 && key.data[0] == prefix;
	     more = vl_cursor_next(cursor, &key, NULL))
		count++;
	vl_cursor_close(cursor);
	return count;
}

uint64_t vl_todo_left_of(struct vl_txn *txn, size_t view)
{
	uint64_t entries = count_in(txn, VL_DB_TODO, view),
		 entities = count_in(txn, VL_DB_PENDING, view);

	return entries > entities ? entries : entities;
}

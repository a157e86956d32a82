/*
 * A view: how one lane's facts become rows that people act on.
 *
 * A lane's file in views/ fills in one `struct vl_view` (fold/declare.h). The engine (fold.h) does
 * the rest: it keeps every history, applies the view's tables and functions, and stores the rows.
 * It gives the same rows for the same set of facts, in any order of arrival. This header has the
 * functions that a view's own functions call.
 *
 * - A view has kinds of row, listed in their rank: a case, a leg, a person. An entity is one (kind,
 *   key).
 * - `touch` names the entities that a fact belongs to. The fact enters the history of each.
 * - A row is the fold of its entity's history: a zeroed message, one `step` for each fact in the
 *   order of fold.h, then one `finish`. A row must follow from that history, from rows of a lower
 *   rank, from rows that it looks up (declare.h) and from tallies. It never follows from the clock,
 *   from chance, or from the order of arrival.
 * - After a row has changed, `contribute` says what it adds to other entities. It adds to tallies,
 *   named counters that the engine sums up; the row's former contribution is taken back first. An
 *   entity of a higher rank whose tally changed is folded again. A tally named "aboard/P-17" is
 *   also a list of members, read back by prefix.
 * - No fact is refused for its content. If the facts break a rule, `finish` (or `step`) computes a
 *   Violation in the row from the whole set.
 *
 * Rows and facts are protobuf-c structs in the fold's arena. They are never freed by hand. They are
 * valid until the entity is folded and packed, so that a row may keep pointers into its facts. If
 * memory ends, that sticks in the arena, and the engine gives up the whole transaction. So a view
 * only has to survive a NULL.
 *
 * Next: declare.h, the tables of a view.
 */
#ifndef VALISE_HQ_FOLD_VIEW_H
#define VALISE_HQ_FOLD_VIEW_H

#include "base/buf.h"
#include "base/clock.h"
#include "valise/v1/view.pb-c.h"

#include <google/protobuf/timestamp.pb-c.h>

/* One fact as a view sees it. Everything points into the verified bytes or the arena. */
struct vl_fact {
	const char *mission;   /* who signed it */
	uint64_t epoch, event; /* its place in the sender's own order */
	const uint8_t *id;     /* 16 bytes */
	const uint8_t *after;  /* 16 bytes, or NULL */
	/* the engine's (vl_event_content), or NULL if it is not computed yet */
	const uint8_t *content;
	uint64_t gist; /* the engine's (vl_event_gist); 0 of a fact read back */
	const char *subject;
	const char *actor;
	struct vl_time occurred_at;
	/* one of the lane's events; payload->descriptor says which */
	const ProtobufCMessage *payload;
};

struct vl_touch;
struct vl_fold;

/* The present fact belongs to entity (kind, key), which is copied. `kind` is an index into the
 * view's kinds. An empty key is ignored. A key of more than 128 bytes is shortened by its
 * digest, the same at every use. */
void vl_touch(struct vl_touch *touch, unsigned kind, const char *key);

/* Whether the fact belongs to any entity so far. */
bool vl_touched(const struct vl_touch *touch);

/* -- in step and finish -- */

/* The key of the entity being folded. */
const char *vl_fold_key(const struct vl_fold *fold);

/* Zeroed memory, a printed text, and a new item at the end of a repeated message field, all in
 * the arena. NULL when out of memory. vl_fold_add makes a message of `descriptor`, initialised,
 * and appends it to the field's pointer array:
 *
 *     struct Row { size_t n_items; Item **items; };
 *     Item *item = vl_fold_add(fold, &item__descriptor, &row->n_items, &row->items);
 *
 * It is NULL too if the list has its greatest length (fold.h); the engine then shows the rule
 * BOUND in the row. */
void *vl_fold_alloc(struct vl_fold *fold, size_t size);
char *vl_fold_printf(struct vl_fold *fold, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void *vl_fold_add(struct vl_fold *fold, const ProtobufCMessageDescriptor *descriptor, size_t *count,
		  void *items);

/* The same for a repeated string field: appends `text` (not copied). */
void vl_fold_add_text(struct vl_fold *fold, const char *text, size_t *count, char ***items);

/* A pointer of the kind's own. It is NULL when the entity's fold begins, and keeps its value
 * until the end. It holds what the steps of one fold need besides the row, such as the names of
 * a list (names.h). `slot` is below VL_FOLD_SLOTS. */
#define VL_FOLD_SLOTS 9
/* The last one is the engine's (owned.c). */
#define VL_FOLD_SLOT_OWNED 8
void **vl_fold_slot(struct vl_fold *fold, unsigned slot);

/* The shared memory of a turn: entities of one kind that are folded one after another while no
 * row of a lower rank changes. It is a pointer that is NULL when the turn begins, and memory
 * that lasts for the turn. It saves work; nothing in a row may depend on it. */
void **vl_turn_slot(struct vl_fold *fold);
void *vl_turn_alloc(struct vl_fold *fold, size_t size);
const ProtobufCMessage *vl_turn_row(struct vl_fold *fold, unsigned kind, const char *key);

/* Append a Violation to a row's field `repeated valise.v1.Violation`; `fact` may be NULL. The
 * detail is printed from `format`; it never holds personal data. */
void vl_fold_violation(struct vl_fold *fold, size_t *count, Valise__V1__Violation ***items,
		       const char *rule, const struct vl_fact *fact, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* The present row of a lower rank, unpacked in the arena; NULL if there is none. */
const ProtobufCMessage *vl_fold_row(struct vl_fold *fold, unsigned kind, const char *key);

/* In `look` only: the row with that key which line `n` of the kind's lookups means, with the fields
 * that the lines name. NULL if there is none, or the key is empty. The present row is folded again
 * when these fields change. */
const ProtobufCMessage *vl_fold_look(struct vl_fold *fold, unsigned n, const char *key);

/* A tally of an entity. And all of its tallies whose name begins with `prefix`, in name order,
 * zeros left out. `finish` may read only tallies that rows of a lower rank than its own
 * contribute. In `each`, `name` is the whole name; it stays valid in the arena. Of very many
 * only the first are read, and the row shows the rule BOUND (fold.h). */
int64_t vl_fold_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *name);
void vl_fold_each_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *prefix,
			void (*each)(void *context, const char *name, int64_t value),
			void *context);

/* -- in contribute only -- */

/* Add `count` to tally `name` of (kind, key). A tally of an entity of equal or lower rank is
 * kept, but does not cause that entity to be folded again. `name` is at most 200 bytes. */
void vl_fold_contribute(struct vl_fold *fold, unsigned kind, const char *key, const char *name,
			int64_t count);

/* Fold (kind, key), of a higher rank, again, because this row changed in a way that no tally
 * shows. In `finish` too. */
void vl_fold_dirty(struct vl_fold *fold, unsigned kind, const char *key);

/* Fold every entity of `kind`, of a higher rank, again that a tally of this one names. Its key
 * stands behind `prefix`, which is static text, in the tally's name ("member/" and
 * "member/T-17": T-17). There may be a million: it may take many transactions. */
void vl_fold_dirty_each(struct vl_fold *fold, unsigned kind, const char *prefix);

/* -- functions that most views use (view.c) -- */

/* A new message in the fold's memory, initialised; NULL when out of memory. */
void *vl_view_make(struct vl_fold *fold, const ProtobufCMessageDescriptor *type);

/* The fact's id as a row has it. */
ProtobufCBinaryData vl_view_id(const struct vl_fact *fact);

/* A violation in a row that has `violations`: BREAKS(fold, row, "C1", fact, "%s ...", ...). */
#define BREAKS(fold, row, rule, fact, ...) \
	vl_fold_violation(fold, &(row)->n_violations, &(row)->violations, rule, fact, __VA_ARGS__)

/* A reference is used as it is, up to 80 bytes of printable text. A longer one is replaced by
 * its beginning and a digest of the whole, the same everywhere. So it fits a key and, in a pair,
 * the name of a tally. "" for NULL. Returns `out`. */
#define VL_VIEW_REF 84
const char *vl_view_ref(const char *text, char out[VL_VIEW_REF]);

/* Copies in the fold's memory: of a text as a reference, of a text, of a time. A text that is
 * NULL, or for which there is no memory, is empty; a time without memory is NULL. */
char *vl_view_keep_ref(struct vl_fold *fold, const char *text);
char *vl_view_keep(struct vl_fold *fold, const char *text);
Google__Protobuf__Timestamp *vl_view_stamp(struct vl_fold *fold, struct vl_time time);

/* Zero for NULL. */
struct vl_time vl_view_time(const Google__Protobuf__Timestamp *stamp);

/* A constant's name without the enum's: "AT_STAGING". "" if it is unspecified or unknown. */
const char *vl_view_name(const ProtobufCEnumDescriptor *type, int value);

/* Room for one more in an array of `count` elements of `size` bytes, which began empty and grows
 * only by this function. It doubles at powers of two. NULL when out of memory, and the array
 * stays as it is. */
void *vl_view_grow(struct vl_fold *fold, void *items, size_t count, size_t size);

/* Sort an array of pointers; equal ones keep their order. */
void vl_view_sort(struct vl_fold *fold, void *items, size_t count,
		  int (*compare)(const void *a, const void *b));

/* The rank of a constant among those of its type: its number, or 0 if this build does not know
 * it. So an unknown constant is never the highest. */
int vl_view_rank(const ProtobufCEnumDescriptor *type, int value);

/* Contribute to a tally whose name is printed. */
void vl_view_count(struct vl_fold *fold, unsigned kind, const char *key, int64_t count,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Append the tallies of the present entity whose name begins with `prefix`, without it, in the
 * order of their names. */
void vl_view_list_counts(struct vl_fold *fold, unsigned kind, const char *prefix, size_t *count,
			 Valise__V1__Count ***items);

/* Cells: the key; each broken rule, once; "NAME:COUNT NAME:COUNT". */
void vl_view_put_key(const char *key, const ProtobufCMessage *row, struct vl_time now,
		     struct vl_buf *out);
void vl_view_put_rules(struct vl_buf *out, size_t count, Valise__V1__Violation *const *violations);
void vl_view_put_counts(struct vl_buf *out, size_t count, Valise__V1__Count *const *counts);

#endif

/*
 * A view: how one lane's facts become rows that people act on.
 *
 * A lane's file in views/ fills in one `struct vl_view` (fold/declare.h); the engine (fold.h)
 * does the rest: it keeps every history, applies the view's tables and functions, stores the
 * rows, and gives the same rows for the same set of facts in whatever order they came. Here is
 * what a view's own functions call.
 *
 * - A view has kinds of row, listed in their rank: a case, a leg, a person. An entity is one (kind,
 *   key).
 * - `touch` says which entities a fact belongs to. The fact enters the history of each.
 * - A row is the fold of its entity's history: a zeroed message, one `step` for each fact in the
 *   order of fold.h, then one `finish`. Whatever the row says must follow from that history, from
 *   rows of a lower rank and from tallies; never from the clock, from chance, or from the order in
 *   which facts arrived.
 * - After a row has changed, `contribute` says what it adds to other entities: tallies, named
 *   counters that the engine sums up (the row's former contribution is taken back first). An entity
 *   of a higher rank whose tally changed is folded again. A tally named "aboard/P-17" also serves
 *   as a list of members, read back by prefix.
 * - Facts are never refused for what they say. A rule that the facts break becomes a Violation in
 *   the row, worked out in `finish` (or `step`) from the whole set.
 *
 * Rows and facts are protobuf-c structs in the fold's arena: never freed by hand, valid until
 * the entity is folded and packed, so that a row may keep pointers into its facts. Out of memory
 * sticks in the arena and the engine gives up the whole transaction, so a view only has to
 * survive a NULL.
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
	/* the engine's (vl_event_content), or NULL where not reckoned yet */
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

/* Say that the fact at hand belongs to entity (kind, key), which is copied. `kind` is an index
 * into the view's kinds. An empty key is ignored; a key of more than 128 bytes is shortened by
 * its digest (the same wherever a key is named). */
void vl_touch(struct vl_touch *touch, unsigned kind, const char *key);

/* Whether it belongs to any so far. */
bool vl_touched(const struct vl_touch *touch);

/* -- in step and finish -- */

/* The key of the entity being folded. */
const char *vl_fold_key(const struct vl_fold *fold);

/* Zeroed memory, a printed text, and a place at the end of a repeated message field, all in the
 * arena; NULL when out of memory. vl_fold_add makes a message of `descriptor`, initialised, and
 * appends it to the field's pointer array: struct Row { size_t n_items; Item **items; }; Item
 * *item = vl_fold_add(fold, &item__descriptor, &row->n_items, &row->items); NULL, too, where the
 * list is as long as any may be (fold.h); the engine then shows the rule BOUND in the row. */
void *vl_fold_alloc(struct vl_fold *fold, size_t size);
char *vl_fold_printf(struct vl_fold *fold, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void *vl_fold_add(struct vl_fold *fold, const ProtobufCMessageDescriptor *descriptor, size_t *count,
		  void *items);

/* The same for a repeated string field: appends `text` (not copied). */
void vl_fold_add_text(struct vl_fold *fold, const char *text, size_t *count, char ***items);

/* A pointer of the kind's own that is NULL when the entity's fold begins and keeps what is put
 * into it until its end: what the steps of one fold need besides the row, such as the names of a
 * list (names.h). `slot` is below VL_FOLD_SLOTS. */
#define VL_FOLD_SLOTS 9
/* The last one is the engine's (owned.c). */
#define VL_FOLD_SLOT_OWNED 8
void **vl_fold_slot(struct vl_fold *fold, unsigned slot);

/* What the folds of a turn share: entities of one kind that are folded one after another while
 * no row of a lower rank changes. A pointer that is NULL when the turn begins, and memory that
 * lasts for it. It saves work; nothing in a row may depend on what is there. */
void **vl_turn_slot(struct vl_fold *fold);
void *vl_turn_alloc(struct vl_fold *fold, size_t size);
const ProtobufCMessage *vl_turn_row(struct vl_fold *fold, unsigned kind, const char *key);

/* Append a Violation to a row's field `repeated valise.v1.Violation`; `fact` may be NULL. The
 * detail is printed from `format`; it never holds personal data. */
void vl_fold_violation(struct vl_fold *fold, size_t *count, Valise__V1__Violation ***items,
		       const char *rule, const struct vl_fact *fact, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* A row of a lower rank as it stands, unpacked in the arena; NULL where there is none. */
const ProtobufCMessage *vl_fold_row(struct vl_fold *fold, unsigned kind, const char *key);

/* A tally of an entity, and all of its tallies whose name begins with `prefix`, in name order,
 * zeros left out. Only tallies contributed by rows of a lower rank than the one being folded may
 * be read in `finish`. In `each`, `name` is the whole name; it stays valid in the arena. Of very
 * many only the first are read, and the row shows the rule BOUND (fold.h). */
int64_t vl_fold_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *name);
void vl_fold_each_tally(struct vl_fold *fold, unsigned kind, const char *key, const char *prefix,
			void (*each)(void *context, const char *name, int64_t value),
			void *context);

/* -- in contribute only -- */

/* Add `count` to tally `name` of (kind, key). A tally of an entity of equal or lower rank is
 * kept, but does not cause that entity to be folded again. `name` is at most 200 bytes. */
void vl_fold_contribute(struct vl_fold *fold, unsigned kind, const char *key, const char *name,
			int64_t count);

/* Have (kind, key), of a higher rank, folded again because this row changed in a way that no
 * tally tells. In `finish`, too. */
void vl_fold_dirty(struct vl_fold *fold, unsigned kind, const char *key);

/* Have every entity of `kind`, of a higher rank, folded again that a tally of this one names: by
 * what stands behind `prefix`, which is static text, in the tally's name ("member/" and
 * "member/T-17": T-17). There may be a million: it may take many transactions. */
void vl_fold_dirty_each(struct vl_fold *fold, unsigned kind, const char *prefix);

/* -- what most views do alike (view.c) -- */

/* A new message in the fold's memory, initialised; NULL when out of memory. */
void *vl_view_make(struct vl_fold *fold, const ProtobufCMessageDescriptor *type);

/* The fact's id as a row has it. */
ProtobufCBinaryData vl_view_id(const struct vl_fact *fact);

/* A violation in a row that has `violations`: BREAKS(fold, row, "C1", fact, "%s ...", ...). */
#define BREAKS(fold, row, rule, fact, ...) \
	vl_fold_violation(fold, &(row)->n_violations, &(row)->violations, rule, fact, __VA_ARGS__)

/* A reference is taken as it is up to 80 bytes of printable text; else its beginning and a
 * digest of the whole stand for it, everywhere alike, so that it fits a key and, in a pair, the
 * name of a tally. "" for NULL. Returns `out`. */
#define VL_VIEW_REF 84
const char *vl_view_ref(const char *text, char out[VL_VIEW_REF]);

/* Copies in the fold's memory: of a text as a reference, of a text, of a time. A text that is
 * NULL, or has no room, is empty; a time that has none is NULL. */
char *vl_view_keep_ref(struct vl_fold *fold, const char *text);
char *vl_view_keep(struct vl_fold *fold, const char *text);
Google__Protobuf__Timestamp *vl_view_stamp(struct vl_fold *fold, struct vl_time time);

/* Zero for NULL. */
struct vl_time vl_view_time(const Google__Protobuf__Timestamp *stamp);

/* A constant's name without the enum's: "AT_STAGING"; "" for one that is unspecified or not
 * known. */
const char *vl_view_name(const ProtobufCEnumDescriptor *type, int value);

/* Room for one more in an array of `count` elements of `size` bytes that began empty and grows
 * by this alone: it doubles at powers of two. NULL when out of memory, and the array stays as it
 * is. */
void *vl_view_grow(struct vl_fold *fold, void *items, size_t count, size_t size);

/* Put an array of pointers into order; those that are equal stay as they were to each other. */
void vl_view_sort(struct vl_fold *fold, void *items, size_t count,
		  int (*compare)(const void *a, const void *b));

/* Where a constant stands among those of its type: its number, or 0 for one that this build does
 * not know, so that what nobody can read is never the highest. */
int vl_view_rank(const ProtobufCEnumDescriptor *type, int value);

/* Contribute to a tally whose name is printed. */
void vl_view_count(struct vl_fold *fold, unsigned kind, const char *key, int64_t count,
		   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Append the tallies of the entity being folded whose name begins with `prefix`, without it, in
 * the order of their names. */
void vl_view_list_counts(struct vl_fold *fold, unsigned kind, const char *prefix, size_t *count,
			 Valise__V1__Count ***items);

/* Cells: the key; each rule that is broken, once; "NAME:COUNT NAME:COUNT". */
void vl_view_put_key(const char *key, const ProtobufCMessage *row, struct vl_time now,
		     struct vl_buf *out);
void vl_view_put_rules(struct vl_buf *out, size_t count, Valise__V1__Violation *const *violations);
void vl_view_put_counts(struct vl_buf *out, size_t count, Valise__V1__Count *const *counts);

#endif

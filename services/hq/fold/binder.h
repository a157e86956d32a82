/*
 * Inside the binding of a view: bind.c binds the whole, and its routes. bind_facts.c binds what
 * events do to a row, bind_lookup.c what it reads of others, and bind_row.c what follows from it.
 *
 * Next: bound.h, the result.
 */
#ifndef VALISE_HQ_FOLD_BINDER_H
#define VALISE_HQ_FOLD_BINDER_H

#include "hq/fold/bound.h"

/* The number of the list of violations in every row. */
#define VIOLATIONS_ID 40

/* The view that is being bound, and the position for a fault. */
struct binder {
	struct vl_bound *bound;
	struct vl_buf *wrong;
	bool failed;
	const char *kind, *table;
	size_t row;
};

/* Add a line to `wrong`, with the position. */
void binder_fault(struct binder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed, in the view's arena. */
void *binder_make(struct binder *b, size_t count, size_t size);

/* The field in the descriptor. NULL, and a fault, if this message has no such field. */
const ProtobufCFieldDescriptor *binder_field(struct binder *b,
					     const ProtobufCMessageDescriptor *type,
					     const struct vl_field *field);

/* A value of a fact: a field of the event, or one of the names with an @, for which NULL is
 * returned. If it is neither, that is a fault, *source is OF_PAYLOAD, and NULL is returned. */
const ProtobufCFieldDescriptor *binder_source(struct binder *b,
					      const ProtobufCMessageDescriptor *event,
					      const struct vl_field *field, enum source *source);

/* Whether the type is one of the lane's, or ANY_EVENT; else that is a fault. */
bool binder_event(struct binder *b, const ProtobufCMessageDescriptor *event);

/* bind_facts.c: the sets, the moves, the clocks of a kind. */
void binder_facts(struct binder *b, unsigned rank, struct bound_kind *kind);

/* bind_lookup.c: its lookups, and the lanes that the view reads. */
void binder_lookups(struct binder *b, unsigned rank, struct bound_kind *kind);
void binder_reads(struct binder *b);

/* bind_row.c: its rules, targets and columns. */
void binder_row(struct binder *b, unsigned rank, struct bound_kind *kind);

#endif

/*
 * Inside the fake engine: its data (view_fake.c), and how they are folded (view_fake_fold.c).
 *
 * Next: view_case.h, cases in it.
 */
#ifndef VALISE_TESTS_VIEW_FAKE_IN_H
#define VALISE_TESTS_VIEW_FAKE_IN_H

#include "hq/fold/bind.h"
#include "hq/fold/views.h"
#include "view_fake.h"

#include <stdlib.h>

struct stored {
	char *mission, *subject, *actor;
	uint64_t epoch, event;
	uint8_t id[16], after[16];
	bool has_after, done;
	struct vl_time at;
	const ProtobufCMessageDescriptor *type;
	uint8_t *bytes;
	size_t size;
};

struct tally {
	char *name;
	int64_t value;
};

struct contribution {
	unsigned kind;
	char *key, *name;
	int64_t count;
};

struct entity {
	unsigned kind;
	char *key;
	bool pending, has_row;
	struct stored **facts;
	size_t n_facts, n_tallies, n_given;
	struct tally *tallies; /* by name */
	struct contribution *given;
	uint8_t *row;
	size_t row_size;
};

/* Each allocation apart, so that the sanitizer sees a pointer kept for too long. */
struct vl_fold {
	struct fake *fake;
	struct entity *entity;
	void **blocks;
	size_t n_blocks;
	void *slots[VL_FOLD_SLOTS];
	void *turn;
};

struct fake {
	const struct vl_view *view;
	struct vl_bound *bound;
	struct stored **facts;
	size_t n_facts, n_touched;
	struct entity **entities; /* by kind, then key */
	size_t n_entities;
	struct vl_fold shown; /* owns what fake_row returned */
	struct vl_fold turn;  /* the memory that folds of one kind share */
	unsigned turn_kind;
	struct vl_buf cell;
	struct fake *first, *next; /* of the lanes beside each other */
};

static inline void *must(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* Room for one more in an array of `size`-byte elements; capacity doubles at powers of two. */
static inline void *grown(void *items, size_t count, size_t size)
{
	if ((count & (count - 1)) != 0)
		return items;
	return must(realloc(items, (count == 0 ? 1 : count * 2) * size));
}

/* -- view_fake.c -- */

/* If it does not exist: a new one for `make`, else NULL. */
struct entity *fake_find(struct fake *fake, unsigned kind, const char *key, bool make);

/* That of a lane, among those beside each other; NULL where there is none. */
struct fake *fake_of(struct fake *fake, const struct vl_view *view);

/* -- view_fake_fold.c -- */

/* A message in the fold's memory, and the end of all of it. */
ProtobufCMessage *fake_unpack(struct vl_fold *fold, const ProtobufCMessageDescriptor *type,
			      const void *bytes, size_t size);
void fake_release(struct vl_fold *fold);

#endif

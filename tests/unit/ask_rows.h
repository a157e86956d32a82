/*
 * Rows to ask about: a ledger in a folder of its own, and rows put into it as proto3 JSON.
 *
 *	rows_put(r, "case", "case", "SD-1", "{\"state\":\"CASE_STATE_OPENED\"}");
 *	rows_read(r);
 *
 * Next: hq_world.h, headquarters.
 */
#ifndef VALISE_TESTS_ASK_ROWS_H
#define VALISE_TESTS_ASK_ROWS_H

#include "ask/table.h"
#include "ask/where.h"
#include "base/arena.h"
#include "hq/ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka.h needs those before it. */
#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* More than there are. */
#define VL_ROWS_VIEWS 32

struct rows {
	char dir[64];
	struct vl_store *store;
	struct vl_txn *txn;
	struct vl_ask_tables *tables;
	struct vl_arena *arena;
	struct vl_bound *bound[VL_ROWS_VIEWS];
};

/* Fixtures: *state is an open ledger with nothing in it, being written. */
int rows_setup(void **state);
int rows_teardown(void **state);

/* A view's index, and a kind's. */
size_t rows_view(const char *noun);
unsigned rows_kind(const char *noun, const char *kind);

/* A kind, to ask about; in the arena. */
const struct vl_ask_kind *rows_of(struct rows *r, const char *noun, const char *kind);

/* A message out of JSON, in the arena. */
const ProtobufCMessage *rows_message(struct rows *r, const char *noun, const char *kind,
				     const char *json);

void rows_put(struct rows *r, const char *noun, const char *kind, const char *key,
	      const char *json);
void rows_put_bytes(struct rows *r, const char *noun, const char *kind, const char *key,
		    struct vl_bytes bytes);

/* Commit, and read from here on. */
void rows_read(struct rows *r);

/* Turn a bit of a stored row, as a disk may. It is read afterwards. */
void rows_rot(struct rows *r, const char *noun, const char *kind, const char *key);

#endif

/*
 * Inside the store: what open.c, which makes and opens one, and store.c, which works in it, share.
 */
#ifndef VALISE_STORE_INSIDE_H
#define VALISE_STORE_INSIDE_H

#include "store/store.h"

#include <lmdb.h>

#define STORE_MAX_DBS 64

struct vl_store {
	MDB_env *env;
	MDB_dbi dbs[STORE_MAX_DBS];
	unsigned n_dbs;
	int lock; /* held by the one writer; -1 for readers */
};

/* The one place where LMDB's codes, and errno's, become ours. */
enum vl_err vl_store_translate(int rc);

/* The same, with LMDB's words. */
enum vl_err vl_store_explain(struct vl_why *why, int rc);

#endif

/*
 * Inside the store: what its parts share. open.c makes and opens one, file.c looks at its file, store.c works in it, cursor.c walks, readers.c looks at who reads,
 * check.c tells a damaged row.
 */
#ifndef VALISE_STORE_INSIDE_H
#define VALISE_STORE_INSIDE_H

#include "store/store.h"

#include <lmdb.h>

#define STORE_MAX_DBS 64
#define STORE_WORD ((size_t)4) /* the check word behind each value */

struct store_db {
	MDB_dbi dbi;
	bool checked;
	uint64_t seed; /* of its check words: they fit in no other database */
	char *name;
};

struct vl_store {
	MDB_env *env;
	struct store_db dbs[STORE_MAX_DBS];
	unsigned n_dbs;
	int lock;        /* held by the one writer; -1 for readers */
	size_t file_end; /* the file was seen to be this long */
};

struct vl_txn {
	struct vl_store *store;
	MDB_txn *txn;
	enum vl_err err;
	const struct store_db *damaged; /* where a row was found to be, or NULL */
};

static inline struct vl_bytes vl_store_bytes(const MDB_val *val)
{
	return (struct vl_bytes){val->mv_data, val->mv_size};
}

/* The one place where LMDB's codes, and errno's, become ours. */
enum vl_err vl_store_translate(int rc);

/* The same, with LMDB's words. */
enum vl_err vl_store_explain(struct vl_why *why, int rc);

/* The file is as long as its newest meta page says, or what it lacks was never used; the writer then makes it so long. CORRUPT where it
 * was cut. */
enum vl_err vl_store_check_length(struct vl_store *store, bool read_only, struct vl_why *why);

/* After a commit: LMDB does not write a page that was taken and given back at once, were it the last. */
void vl_store_fill_up(struct vl_store *store);

/* What the file may grow by before its disk is full; SIZE_MAX where that cannot be told. */
size_t vl_store_disk_left(MDB_env *env);

/* -- check words -- */

void vl_store_name_db(struct store_db *db, char *name, bool checked);

/* Write a value and its word, where it has one, to `to`, which has room for both. */
void vl_store_seal(const struct store_db *db, const MDB_val *key, struct vl_bytes value, uint8_t *to);

/* Take the word off a value. False where it does not fit. */
bool vl_store_good(const struct store_db *db, const MDB_val *key, MDB_val *value);

/* Whether a damaged entry would be sound if its key began with `prefix`: then that is how it began before it rotted. `value` has its
 * word still. */
bool vl_store_was(const struct store_db *db, struct vl_bytes prefix, const MDB_val *key, const MDB_val *value);

/* As mdb_get, the word taken off the value. MDB_CORRUPTED where the row is damaged; where it is not found, but an entry beside its
 * place was it before its key rotted; and where the order is not what it should be: such a tree sends a search astray. */
int vl_store_look_up(struct vl_txn *txn, const struct store_db *db, MDB_val *key, MDB_val *value);

#endif

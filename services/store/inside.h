/*
 * Inside the store: what its parts share. door.c sees who comes in, open.c makes and opens one,
 * kind.c and file.c look at what is there, grow.c maps it, store.c works in it, cursor.c walks,
 * readers.c looks at who reads, check.c tells a damaged row.
 */
#ifndef VALISE_STORE_INSIDE_H
#define VALISE_STORE_INSIDE_H

#include "store/store.h"

#include <lmdb.h>
#include <pthread.h>
#include <sys/types.h>

#define STORE_MAX_DBS 64
#define STORE_FOLLOWS 8        /* times that a reader maps what a writer adds while it opens */
#define STORE_WORD ((size_t)4) /* the check word behind each value */
#define STORE_DAMAGED (-1)     /* beside LMDB's codes: an entry that its check word contradicts */

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
	int lock, data, folder;        /* held by the one writer; -1 for readers */
	unsigned long long lock_inode; /* of the lock.mdb that it looks at */
	pid_t identity;                /* that LMDB knows us by; 0: our process's number */
	size_t file_end;               /* the file was seen to be this long */
	/* for beginning a transaction, and for mapping more while there is none */
	pthread_mutex_t gate;
	unsigned under_way;
	size_t most; /* to be mapped; 0 where it does not grow */
	/* the database that a transaction failed for, as it is damaged */
	const struct store_db *failed;
	bool was_full;
	bool wary;
};

/* A large value that was found sound, so that it need not be read again each time something is
 * looked for beside it. */
#define STORE_LARGE 4096
#define STORE_KNOWN 4
struct store_known {
	const struct store_db *db;
	const void *value;
	size_t size;
	uint64_t key;     /* its digest */
	uint32_t changes; /* of the database, by then */
};

struct vl_txn {
	struct vl_store *store;
	MDB_txn *txn;
	enum vl_err err;
	bool writes;
	uint32_t changes[STORE_MAX_DBS]; /* made in each database; a writer's */
	struct store_known known[STORE_KNOWN];
	unsigned next_known;
	const struct store_db *damaged; /* where a row was found to be, or NULL */
	const struct store_db *broken;  /* of which LMDB itself could not read a page, or NULL */
};

static inline struct vl_bytes vl_store_bytes(const MDB_val *val)
{
	return (struct vl_bytes){val->mv_data, val->mv_size};
}

/* The one place where LMDB's codes, and errno's, become ours. */
enum vl_err vl_store_translate(int rc);

/* A call on that database gave `rc`: the transaction fails with it. */
void vl_store_fail(struct vl_txn *txn, const struct store_db *db, int rc);

/* The same, with LMDB's words. */
enum vl_err vl_store_explain(struct vl_why *why, int rc);

/* -- who comes in (door.c, identity.c) -- */

/* For the writer: before anything is made; once data.mdb is there; once it is open. Then, before
 * each transaction, whether readers are still seen. */
enum vl_err vl_store_lock_folder(struct vl_store *store, const char *path, struct vl_why *why);
enum vl_err vl_store_lock_data(struct vl_store *store, const char *path, struct vl_why *why);
void vl_store_sign(struct vl_store *store, const char *path);
enum vl_err vl_store_check_seen(const struct vl_store *store, struct vl_why *why);

/* For a reader, before it opens anything. */
enum vl_err vl_store_check_reader(const char *path, struct vl_why *why);

/* On this thread be that process for LMDB, until it is 0 again; and a number that no process
 * has. */
void vl_store_assume(pid_t identity);
pid_t vl_store_new_identity(void);

/* -- what is there (kind.c, file.c) -- */

/* Of the right kind, and of a format that is read. */
enum vl_err vl_store_check_kind(MDB_txn *txn, const struct vl_store_options *options,
				struct vl_why *why);

/* The file is as long as its newest meta page says, or what it lacks was never used; the writer
 * then makes it so long. CORRUPT where it was cut. */
enum vl_err vl_store_check_length(struct vl_store *store, bool read_only, struct vl_why *why);

/* After a commit: LMDB does not write a page that was taken and given back at once, were it the
 * last. */
void vl_store_fill_up(struct vl_store *store);

/* What the file may grow by before its disk is full; SIZE_MAX where that cannot be told. */
size_t vl_store_disk_left(MDB_env *env);

/* -- how much is mapped (grow.c) -- */

/* To begin with; `file` is how long data.mdb is. */
size_t vl_store_first_map(const struct vl_store_options *options, size_t file);

/* Within the gate, with no transaction under way: map more where it is nearly full; map what the
 * file has now. */
void vl_store_grow(struct vl_store *store);
int vl_store_follow(struct vl_store *store);

/* -- check words -- */

void vl_store_name_db(struct store_db *db, char *name, bool checked);

/* Write a value and its word, where it has one, to `to`, which has room for both. */
void vl_store_seal(const struct store_db *db, const MDB_val *key, struct vl_bytes value,
		   uint8_t *to);

/* Take the word off a value. False where it does not fit. */
bool vl_store_good(const struct store_db *db, const MDB_val *key, MDB_val *value);

/* Whether an entry beside a place that is looked for is sound. */
bool vl_store_sound(struct vl_txn *txn, const struct store_db *db, const MDB_val *key,
		    const MDB_val *value);

/* The writer is about to change something in that database. */
void vl_store_changes(struct vl_txn *txn, const struct store_db *db);

/* Whether a damaged entry would be sound if its key began with `prefix`: then that is how it
 * began before it rotted. `value` has its word still. */
bool vl_store_was(const struct store_db *db, struct vl_bytes prefix, const MDB_val *key,
		  const MDB_val *value);

/* As mdb_get, the word taken off the value. STORE_DAMAGED where the row is damaged, or was it
 * before its key was damaged; where the order is not what it should be; and, for a writer, where
 * an entry beside its place is damaged: what is written there might go astray. */
int vl_store_look_up(struct vl_txn *txn, const struct store_db *db, MDB_val *key, MDB_val *value);

#endif

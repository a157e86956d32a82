/*
 * Inside the store: the declarations that its parts share. door.c checks who opens it, open.c makes
 * and opens one, scratch.c makes one in memory, kind.c and file.c check what exists, grow.c maps
 * it. store.c does transactions, cursor.c walks, readers.c looks at readers, check.c detects a
 * corrupted row.
 *
 * Next: stream/stream.h, the door to Kafka.
 */
#ifndef VALISE_STORE_INSIDE_H
#define VALISE_STORE_INSIDE_H

#include "store/store.h"

#include <lmdb.h>
#include <pthread.h>
#include <sys/types.h>

#define STORE_MAX_DBS 128
/* times that a reader maps more while a writer adds to the store that it opens */
#define STORE_FOLLOWS 8
#define STORE_WORD ((size_t)4) /* the checksum behind each value */
#define STORE_DAMAGED (-1)     /* beside LMDB's codes: an entry whose checksum does not fit */

struct store_db {
	MDB_dbi dbi;
	bool checked;
	uint64_t seed; /* of its checksums: they fit in no other database */
	char *name;
};

struct vl_store {
	MDB_env *env;
	struct store_db dbs[STORE_MAX_DBS];
	unsigned n_dbs;
	int lock, data, folder;        /* held by the one writer; -1 for readers */
	unsigned long long lock_inode; /* of the lock.mdb that it uses */
	pid_t identity;                /* the process number by which LMDB knows us; 0: our own */
	size_t file_end;               /* the length of the file when it was last seen */
	/* for beginning a transaction, and for mapping more while there is none */
	pthread_mutex_t gate;
	unsigned under_way;
	size_t most; /* to be mapped; 0 where it does not grow */
	/* the corrupted database that made a transaction fail */
	const struct store_db *failed;
	bool was_full;
	bool wary;
};

/* A large value that was found sound, so that it need not be read again for each search beside
 * it. */
#define STORE_LARGE 4096
#define STORE_KNOWN 4
struct store_known {
	const struct store_db *db;
	const void *value;
	size_t size;
	uint64_t key;     /* its digest */
	uint32_t changes; /* of the database at that time */
};

struct vl_txn {
	struct vl_store *store;
	MDB_txn *txn;
	enum vl_err err;
	bool writes;
	uint32_t changes[STORE_MAX_DBS]; /* made in each database; a writer's */
	struct store_known known[STORE_KNOWN];
	unsigned next_known;
	const struct store_db *damaged; /* where a corrupted row was found, or NULL */
	/* the database of which LMDB itself could not read a page, or NULL */
	const struct store_db *broken;
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

/* -- who opens the store (door.c, identity.c) -- */

/* For the writer: before anything is made; when data.mdb exists; when the store is open. Then,
 * before each transaction, whether readers are still visible. */
enum vl_err vl_store_lock_folder(struct vl_store *store, const char *path, struct vl_why *why);
enum vl_err vl_store_lock_data(struct vl_store *store, const char *path, struct vl_why *why);
void vl_store_sign(struct vl_store *store, const char *path);
enum vl_err vl_store_check_seen(const struct vl_store *store, struct vl_why *why);

/* For a reader, before it opens anything. */
enum vl_err vl_store_check_reader(const char *path, struct vl_why *why);

/* On this thread, be that process for LMDB, until the call with 0. And a number that no process
 * has. */
void vl_store_assume(pid_t identity);
pid_t vl_store_new_identity(void);

/* -- what exists (kind.c, file.c) -- */

/* Whether it is of the right kind, and of a format that is read. */
enum vl_err vl_store_check_kind(MDB_txn *txn, const struct vl_store_options *options,
				struct vl_why *why);

/* Whether the file is as long as its newest meta page says, or its missing part was never used.
 * A writer then makes it so long. CORRUPT if it was cut. */
enum vl_err vl_store_check_length(struct vl_store *store, bool read_only, struct vl_why *why);

/* After a commit: LMDB does not write a page that was taken and given back at once, even the
 * last one. */
void vl_store_fill_up(struct vl_store *store);

/* The bytes that the file may grow by before its disk is full; SIZE_MAX if unknown. */
size_t vl_store_disk_left(MDB_env *env);

/* -- how much is mapped (grow.c) -- */

/* The first map; `file` is the length of data.mdb. */
size_t vl_store_first_map(const struct vl_store_options *options, size_t file);

/* Within the gate, with no transaction open: map more if the map is nearly full; map the present
 * length of the file. */
void vl_store_grow(struct vl_store *store);
int vl_store_follow(struct vl_store *store);

/* -- checksums -- */

void vl_store_name_db(struct store_db *db, char *name, bool checked);

/* Write a value, and its checksum if it has one, to `to`, which has room for both. */
void vl_store_seal(const struct store_db *db, const MDB_val *key, struct vl_bytes value,
		   uint8_t *to);

/* Remove the checksum from a value. False if it does not fit. */
bool vl_store_good(const struct store_db *db, const MDB_val *key, MDB_val *value);

/* Whether an entry beside a requested key is sound. */
bool vl_store_sound(struct vl_txn *txn, const struct store_db *db, const MDB_val *key,
		    const MDB_val *value);

/* The writer is about to change that database. */
void vl_store_changes(struct vl_txn *txn, const struct store_db *db);

/* Whether a corrupted entry would be sound if its key began with `prefix`: then its key began so
 * before the corruption. `value` still has its checksum. */
bool vl_store_was(const struct store_db *db, struct vl_bytes prefix, const MDB_val *key,
		  const MDB_val *value);

/* As mdb_get, with the checksum removed. STORE_DAMAGED if the row is corrupted, or if its key
 * was corrupted, or if the order is wrong. For a writer it is also STORE_DAMAGED if an entry
 * beside the key is corrupted, since a new row there might be misplaced. */
int vl_store_look_up(struct vl_txn *txn, const struct store_db *db, MDB_val *key, MDB_val *value);

#endif

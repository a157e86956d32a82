/*
 * The store: the only user of LMDB.
 *
 * One store is a folder with one LMDB environment and a few named databases, numbered as the caller
 * listed them. One process writes, by a lock on the folder; any number read. Commits are
 * synchronous: a commit that returned ok is on the disk. NOSYNC, NOMETASYNC, WRITEMAP and MAPASYNC
 * are never used, since a lost commit after publishing would be a fork.
 *
 * The warnings of lmdb.h hold here too. Never open one store twice in a process, and never use it
 * across fork(). Keep read transactions short, since an old one keeps every freed page from reuse.
 * Use a local file system only.
 *
 * A transaction carries its first error: after it every call does nothing, reads find nothing, and
 * commit aborts and returns that error. So a caller may do all its work and check once, at commit
 * (the idea is Knot DNS's).
 *
 * LMDB has no checksums. Therefore each value has a checksum behind it, of its key, its bytes and
 * its database; callers never see it. A corrupted row is CORRUPT, and so is a requested row whose
 * key is corrupted. A corrupted row is never returned, nor reported as absent. A wary writer also
 * reports a corrupted row right beside the requested key, since a new row there might be misplaced.
 * Databases whose values prove themselves (for example by a digest) have no checksums.
 *
 * If commit fails with another error than FULL, the outcome on disk is unknown: OUTCOME_UNKNOWN,
 * and the process must stop. A store that grows is mapped step by step, and readers map what
 * exists. Both map more between their transactions, as needed. If a reader could not, because
 * another of its transactions is open, it returns GONE: close the store and open it again.
 *
 * Next: inside.h, how the store is built. Or stream/stream.h, the door to Kafka.
 */
#ifndef VALISE_STORE_STORE_H
#define VALISE_STORE_STORE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VL_STORE_KEY_MAX ((size_t)511)

struct vl_store;
struct vl_txn;
struct vl_cursor;

struct vl_store_options {
	const char *path; /* the folder; made, 0700, unless read_only */
	/* database names; ends with NULL. Their index is the `db` of every call */
	const char *const *dbs;
	uint64_t unchecked; /* bit i: the values of database i have no checksum */
	/* the most the store may ever hold; sparse. Ignored for read_only */
	size_t map_size;
	bool grows; /* map it step by step, as it is needed */
	bool read_only;
	bool wary; /* a writer also reports corruption right beside a key: CORRUPT */
	/* The key of the format's number, and the formats that are read. `older` says what to do
	 * about an older one. An empty key: the format is not checked. */
	unsigned format_db;
	struct vl_bytes format_key;
	uint64_t format, format_oldest;
	const char *older;
};

/* LOCKED if another process writes to the store, or if a writer would not see its readers.
 * PERMISSION, with what must be allowed. NOT_FOUND if read_only and there is no store. VERSION
 * if another version made it. CORRUPT if it is not a store, was cut short, or has a database
 * that is not in `dbs`: its name is corrupted. While no format is written, a writer makes the
 * missing databases. NOMEM if the process may not map so much. */
enum vl_err vl_store_open(const struct vl_store_options *options, struct vl_store **store,
			  struct vl_why *why) VL_CHECKED;
void vl_store_close(struct vl_store *store);

/* An empty store in memory, of at most `size` bytes. No other process sees it, and it is gone when
 * it is closed. Beyond `size` a transaction is FULL. It is for one thread, and is not read while it
 * is written. */
enum vl_err vl_store_open_scratch(const char *const *dbs, size_t size, struct vl_store **store,
				  struct vl_why *why) VL_CHECKED;

/* How full the store is: bytes in use by data, as of the last commit, and the most there may be.
 * That is the map's size, or less if the disk has less. */
void vl_store_usage(struct vl_store *store, size_t *used, size_t *room);

/* A process that reads, as of the commit `snapshot`. */
struct vl_store_reader {
	long pid;
	uint64_t snapshot;
};

/* The same, and the free bytes that cannot be used again: pages freed since the oldest snapshot
 * that a process reads, and that process. `pinned` is 0 if no process reads an old one. */
struct vl_store_use {
	size_t used, room, pinned;
	struct vl_store_reader reader;
};
void vl_store_use(struct vl_store *store, struct vl_store_use *use);

/* The process that reads the oldest snapshot. False if no process reads one older than the last
 * commit. */
bool vl_store_oldest_reader(struct vl_store *store, struct vl_store_reader *reader);

/* Forget readers that died (lmdb.h, mdb_reader_check). Cheap; call it at start and now and then. */
void vl_store_reap_readers(struct vl_store *store);

/* A page of the file that cannot be read (cut off, or a disk error) raises SIGBUS. From this
 * call on the process then reports it in one line, as `program`, and ends with status 1. For a
 * program's main; `program` is static. */
void vl_store_guard(const char *program);

/* Begin. NULL only when out of memory or reader slots; `why` says. One write transaction at a
 * time, on one thread. */
struct vl_txn *vl_txn_begin(struct vl_store *store, bool write, struct vl_why *why);

/* A read transaction sees the present again; its earlier values become invalid. */
enum vl_err vl_txn_refresh(struct vl_txn *txn) VL_CHECKED;

/* A read transaction releases its snapshot, so that it keeps no page from reuse. It must not be
 * read until it is refreshed. */
void vl_txn_rest(struct vl_txn *txn);

/* The database whose corruption made a transaction fail since the last call; -1 if none did. */
int vl_store_failed(struct vl_store *store);

/* The first error, or ok. A missing key is no error. */
enum vl_err vl_txn_err(const struct vl_txn *txn);

/* The caller has found a database out of order: the transaction fails as with a corrupted row. */
void vl_txn_disorder(struct vl_txn *txn, unsigned db);

/* The same with a reason: which database has the corrupted row. */
enum vl_err vl_txn_explain(const struct vl_txn *txn, struct vl_why *why);

/* Make the transaction fail with `err` unless it has failed already, so that it can only abort. */
void vl_txn_fail(struct vl_txn *txn, enum vl_err err);

/* Both end the transaction; `txn` is gone. */
enum vl_err vl_txn_commit(struct vl_txn *txn, struct vl_why *why) VL_CHECKED;
void vl_txn_abort(struct vl_txn *txn);

/* False if there is no such key, or if the transaction has failed. The value stays valid until
 * the next write in this transaction, or its end. It need not be aligned. */
bool vl_txn_get(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes *value);

/* The same, but the caller handles a corrupted row: ok, NOT_FOUND or CORRUPT, and the
 * transaction goes on. Any other error fails it. */
enum vl_err vl_txn_find(struct vl_txn *txn, unsigned db, struct vl_bytes key,
			struct vl_bytes *value) VL_CHECKED;

void vl_txn_put(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes value);

/* The greatest key; so no greater one exists. False if there is none, if its entry is corrupted
 * and proves nothing, or if the transaction has failed. It stays valid as a value does. */
bool vl_txn_greatest(struct vl_txn *txn, unsigned db, struct vl_bytes *key);

/* Room of `size` bytes for a value of an unchecked database, to be filled before the next call.
 * NULL if the transaction has failed. */
uint8_t *vl_txn_reserve(struct vl_txn *txn, unsigned db, struct vl_bytes key, size_t size);

/* Delete all entries. */
void vl_txn_clear(struct vl_txn *txn, unsigned db);

/* Delete an entry. True if it existed. */
bool vl_txn_delete(struct vl_txn *txn, unsigned db, struct vl_bytes key);

/* How many entries. */
uint64_t vl_txn_count(struct vl_txn *txn, unsigned db);

/* A cursor, for walking in key order. NULL if the transaction has failed. Close it before the
 * transaction ends. */
struct vl_cursor *vl_cursor_open(struct vl_txn *txn, unsigned db);
void vl_cursor_close(struct vl_cursor *cursor);

/* Without this call, a corrupted entry fails the transaction. After it, corrupted entries are
 * skipped. For each one `tell` (may be NULL) is called with its current key, if that key has
 * `prefix` or had it before the corruption. `prefix` must outlive the cursor. */
typedef void vl_cursor_damaged(void *context, struct vl_bytes key);
void vl_cursor_pass_over(struct vl_cursor *cursor, struct vl_bytes prefix, vl_cursor_damaged *tell,
			 void *context);

/* The same for all corrupted entries; and the cursor deletes those that it skips. */
void vl_cursor_weed(struct vl_cursor *cursor, vl_cursor_damaged *tell, void *context);

/* Delete the corrupted entries at a key and right beside it, since they may mislead a search for
 * the key. True if there were any. */
bool vl_txn_weed(struct vl_txn *txn, unsigned db, struct vl_bytes key);

/* A callback that counts: `context` is a size_t. */
void vl_cursor_count(void *context, struct vl_bytes key);

/* Move to the first entry whose key is not less than `from` (empty: the first of all). Or to the
 * last, the next, the previous. False if there is none. Key and value may be NULL. */
bool vl_cursor_seek(struct vl_cursor *cursor, struct vl_bytes from, struct vl_bytes *key,
		    struct vl_bytes *value);
bool vl_cursor_last(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);
bool vl_cursor_next(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);
bool vl_cursor_prev(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);

/* Put an entry, unless its key exists. False if it exists, or if the transaction has failed.
 * False too if a corrupted entry beside it may mislead a search. The cursor reports that entry
 * as on a walk, and the caller uses vl_txn_put. If the key is close behind the previous one, no
 * search through the tree is needed. */
bool vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value);

/* Delete the current entry; the next one is then the one behind it. */
void vl_cursor_delete(struct vl_cursor *cursor);

/* Put a key greater than every existing key: pages are filled completely. */
void vl_cursor_append(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value);

/* Walk the entries whose key begins with `prefix`:
 *
 * for (bool more = vl_cursor_seek(c, prefix, &key, &value);
 *      more && vl_key_has_prefix(key, prefix); more = vl_cursor_next(c, &key, &value)) */
bool vl_key_has_prefix(struct vl_bytes key, struct vl_bytes prefix);

/* A key under construction. Text parts end with a NUL, and numbers are big-endian, so that byte
 * order is the intended order. Its error (too long) sticks; an overlong key fails the
 * transaction that uses it. */
struct vl_key {
	uint8_t bytes[VL_STORE_KEY_MAX];
	size_t size;
	bool failed;
};

/* Begin anew. Only the used part of `bytes` is ever set, since keys are made by the million. */
static inline void vl_key_reset(struct vl_key *key)
{
	key->size = 0;
	key->failed = false;
}

void vl_key_text(struct vl_key *key, const char *text);
/* no length, no NUL: fixed-size parts only */
void vl_key_bytes(struct vl_key *key, const void *bytes, size_t count);
void vl_key_u8(struct vl_key *key, uint8_t n);
void vl_key_u32(struct vl_key *key, uint32_t n);
void vl_key_u64(struct vl_key *key, uint64_t n);

/* The finished key. If it failed, this is an overlong key, which every call refuses and no key
 * begins with. */
struct vl_bytes vl_key_done(const struct vl_key *key);

#endif

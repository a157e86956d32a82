/*
 * The store: the only door to LMDB.
 *
 * One store is a folder with one LMDB environment and a few named databases, numbered as the
 * caller listed them. One process writes (a lock on the folder sees to that), any number read.
 * Commits are synchronous: a commit that returned ok is on the disk. Never opened with NOSYNC,
 * NOMETASYNC, WRITEMAP or MAPASYNC: a lost commit after publishing would be a fork.
 *
 * What lmdb.h warns of holds here too: never open one store twice in a process, never use it
 * across fork(), keep read transactions short (an old one keeps every freed page from reuse),
 * and on a local file system only.
 *
 * A transaction carries its first error: after it every call does nothing, reads find nothing,
 * and commit aborts and returns that error. So a caller may do all its work and look once, at
 * commit (the idea is Knot DNS's). LMDB has no checksums. Here each value has a check word of
 * its key, its bytes and its database behind it, which the callers never see: a damaged row is
 * CORRUPT, and so is one that is looked for and whose key is damaged; it is never served, nor
 * taken for one that was never there. A wary writer also learns of a damaged row right beside
 * the place, as what is put there might go astray. Databases whose values prove themselves (by a
 * digest, say) go without.
 *
 * An error from commit itself that is not FULL leaves the outcome on disk unknown:
 * OUTCOME_UNKNOWN, and the process must stop. A store that grows is mapped bit by bit, and
 * readers map what there is: both map more between their transactions, as it is needed. GONE
 * from a reader that could not: another of its transactions is under way; close the store and
 * open it again.
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
	uint64_t unchecked; /* bit i: the values of database i have no check word */
	/* the most the store may ever hold; sparse. Ignored for read_only */
	size_t map_size;
	bool grows; /* map it bit by bit, as it is needed */
	bool read_only;
	bool wary; /* a writer learns of damage right beside a place, too: CORRUPT */
	/* Where the format is written, as a number, and which are read; `older`: what to do
	 * about an older one. No key: not looked at. */
	unsigned format_db;
	struct vl_bytes format_key;
	uint64_t format, format_oldest;
	const char *older;
};

/* LOCKED where another process writes to it, and where a writer would not see who reads;
 * PERMISSION, with what is to be allowed; NOT_FOUND where read_only and there is none; VERSION
 * where another version made it; CORRUPT where it is not a store, was cut short, or has a
 * database that is not among `dbs`: a name that rotted. Whoever writes makes those that are
 * missing while no format is written. NOMEM where the process may not map so much. */
enum vl_err vl_store_open(const struct vl_store_options *options, struct vl_store **store,
			  struct vl_why *why) VL_CHECKED;
void vl_store_close(struct vl_store *store);

/* How full: bytes in use by data, as of the last commit, and the most there may be: the map's
 * size, or less where the disk has less. */
void vl_store_usage(struct vl_store *store, size_t *used, size_t *room);

/* A process that reads, as of the commit `snapshot`. */
struct vl_store_reader {
	long pid;
	uint64_t snapshot;
};

/* The same, and what cannot be used again although it is free: pages freed since the oldest
 * snapshot that somebody reads, and who that is. `pinned` is 0 where nobody reads an old one. */
struct vl_store_use {
	size_t used, room, pinned;
	struct vl_store_reader reader;
};
void vl_store_use(struct vl_store *store, struct vl_store_use *use);

/* Who reads the oldest snapshot; false where nobody reads one that is older than the last
 * commit. */
bool vl_store_oldest_reader(struct vl_store *store, struct vl_store_reader *reader);

/* Forget readers that died (lmdb.h, mdb_reader_check). Cheap; call it at start and now and then. */
void vl_store_reap_readers(struct vl_store *store);

/* A page of the file that cannot be read (cut off, or the disk says so) is a SIGBUS. From here
 * on the process then says so in one line, as `program`, and ends with status 1. For a program's
 * main; `program` is static. */
void vl_store_guard(const char *program);

/* Begin. NULL only when out of memory or reader slots; `why` says. One write transaction at a
 * time, on one thread. */
struct vl_txn *vl_txn_begin(struct vl_store *store, bool write, struct vl_why *why);

/* A read transaction sees the present again; its earlier values become invalid. */
enum vl_err vl_txn_refresh(struct vl_txn *txn) VL_CHECKED;

/* A read transaction lets its snapshot go, so that it keeps no page from reuse; until it is
 * refreshed it must not be read. */
void vl_txn_rest(struct vl_txn *txn);

/* The database for whose damage a transaction failed since this was last asked; -1 where none
 * did. */
int vl_store_failed(struct vl_store *store);

/* The first error, or ok. A key that is not there is no error. */
enum vl_err vl_txn_err(const struct vl_txn *txn);

/* The order of a database is not what it should be, as the caller has found: the transaction
 * fails as with a damaged row. */
void vl_txn_disorder(struct vl_txn *txn, unsigned db);

/* The same with words: which database has the damaged row. */
enum vl_err vl_txn_explain(const struct vl_txn *txn, struct vl_why *why);

/* Make the transaction fail with `err` unless it has failed already, so that it can only abort. */
void vl_txn_fail(struct vl_txn *txn, enum vl_err err);

/* Both end the transaction; `txn` is gone. */
enum vl_err vl_txn_commit(struct vl_txn *txn, struct vl_why *why) VL_CHECKED;
void vl_txn_abort(struct vl_txn *txn);

/* False where there is no such key (or the transaction has failed). The value stays valid until
 * the next write in this transaction, or its end; it need not be aligned. */
bool vl_txn_get(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes *value);

/* The same where a damaged row is the caller's business: ok, NOT_FOUND, or CORRUPT, and the
 * transaction is none the worse. Any other error fails it. */
enum vl_err vl_txn_find(struct vl_txn *txn, unsigned db, struct vl_bytes key,
			struct vl_bytes *value) VL_CHECKED;

void vl_txn_put(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes value);

/* The greatest key there is, and so no greater one is there. False where there is none, where
 * its entry is damaged and proves nothing, or where the transaction has failed. It stays valid
 * as a value does. */
bool vl_txn_greatest(struct vl_txn *txn, unsigned db, struct vl_bytes *key);

/* Room of `size` bytes for a value of an unchecked database, to be filled before the next call.
 * NULL where the transaction has failed. */
uint8_t *vl_txn_reserve(struct vl_txn *txn, unsigned db, struct vl_bytes key, size_t size);

/* Take out all entries. */
void vl_txn_clear(struct vl_txn *txn, unsigned db);

/* True where there was one. */
bool vl_txn_delete(struct vl_txn *txn, unsigned db, struct vl_bytes key);

/* How many entries. */
uint64_t vl_txn_count(struct vl_txn *txn, unsigned db);

/* A cursor, for walking in key order. NULL where the transaction has failed. Close it before the
 * transaction ends. */
struct vl_cursor *vl_cursor_open(struct vl_txn *txn, unsigned db);
void vl_cursor_close(struct vl_cursor *cursor);

/* Damaged entries fail the transaction; or, from now on, they are passed over, and `tell` (NULL:
 * nobody) is told the key of each, as it is now, that begins with `prefix` or did so before it
 * rotted. `prefix` must outlive the cursor. */
typedef void vl_cursor_damaged(void *context, struct vl_bytes key);
void vl_cursor_pass_over(struct vl_cursor *cursor, struct vl_bytes prefix, vl_cursor_damaged *tell,
			 void *context);

/* The same for all that is damaged; and what the cursor passes over is taken out. */
void vl_cursor_weed(struct vl_cursor *cursor, vl_cursor_damaged *tell, void *context);

/* Take out what is damaged at a key and right beside it: there a search for the key ends, and
 * may be led astray. True where anything was. */
bool vl_txn_weed(struct vl_txn *txn, unsigned db, struct vl_bytes key);

/* One that counts: `context` is a size_t. */
void vl_cursor_count(void *context, struct vl_bytes key);

/* Stand on the first entry whose key is not less than `from` (an empty `from`: the first of
 * all); on the last one; on the next, on the one before. False where there is none; key and
 * value may be NULL. */
bool vl_cursor_seek(struct vl_cursor *cursor, struct vl_bytes from, struct vl_bytes *key,
		    struct vl_bytes *value);
bool vl_cursor_last(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);
bool vl_cursor_next(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);
bool vl_cursor_prev(struct vl_cursor *cursor, struct vl_bytes *key, struct vl_bytes *value);

/* Put, unless the key is there already: then false; false too where the transaction has failed,
 * and where something damaged beside its place may lead others astray, which is reported as by a
 * walk: then put it with vl_txn_put. A key close behind the one before, in key order, is put
 * without a search through the tree. */
bool vl_cursor_insert(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value);

/* Take out the entry that it stands on; the next is then the one behind. */
void vl_cursor_delete(struct vl_cursor *cursor);

/* Put a key greater than every key there is: pages are filled to the brim. */
void vl_cursor_append(struct vl_cursor *cursor, struct vl_bytes key, struct vl_bytes value);

/* Walk the entries whose key begins with `prefix`: for (bool more = vl_cursor_seek(c, prefix,
 * &key, &value); more && vl_key_has_prefix(key, prefix); more = vl_cursor_next(c, &key, &value)) */
bool vl_key_has_prefix(struct vl_bytes key, struct vl_bytes prefix);

/* A key being put together: text parts end with a NUL, numbers are big-endian, so that byte
 * order is the order meant. Its error (too long) sticks; an overlong key fails the transaction
 * it is used in. */
struct vl_key {
	uint8_t bytes[VL_STORE_KEY_MAX];
	size_t size;
	bool failed;
};

/* Begin anew. Only what is used of `bytes` is ever set, as keys are made by the million. */
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

/* The finished key; where it failed an overlong one, which every call refuses and no key begins
 * with. */
struct vl_bytes vl_key_done(const struct vl_key *key);

#endif

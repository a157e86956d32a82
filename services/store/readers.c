/*
 * Who reads, what that holds back, and readers that died (store.h).
 */
#include "store/inside.h"

#include <stdio.h>
#include <string.h>

/* The oldest snapshot in LMDB's table of readers, and its reader. */
struct oldest {
	unsigned long long snapshot;
	int pid;
	bool found;
};

/* LMDB lists its readers only as lines: pid, thread, and the transaction it reads as of, or '-'
 * for one at rest. */
static int take_line(const char *line, void *context)
{
	struct oldest *oldest = context;
	unsigned long long snapshot;
	int pid;

	if (sscanf(line, "%d %*x %llu", &pid, &snapshot) != 2)
		return 0;
	if (!oldest->found || snapshot < oldest->snapshot)
		*oldest = (struct oldest){snapshot, pid, true};
	return 0;
}

bool vl_store_oldest_reader(struct vl_store *store, struct vl_store_reader *reader)
{
	struct oldest oldest = {0};
	MDB_envinfo info;

	(void)mdb_reader_list(store->env, take_line, &oldest);
	(void)mdb_env_info(store->env, &info);
	*reader = (struct vl_store_reader){oldest.pid, oldest.snapshot};
	return oldest.found && oldest.snapshot < info.me_last_txnid;
}

/* LMDB lists the pages that a transaction freed in its own database 0, under that transaction, a
 * count first. It takes again those of transactions before the oldest snapshot. */
static void count_free(MDB_txn *txn, unsigned long long oldest, size_t *free, size_t *pinned)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t freed_by, count;

	*free = *pinned = 0;
	if (mdb_cursor_open(txn, 0, &cursor) != 0)
		return;
	while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
		memcpy(&freed_by, key.mv_data, sizeof(freed_by));
		memcpy(&count, value.mv_data, sizeof(count));
		*(freed_by >= oldest ? pinned : free) += count;
	}
	mdb_cursor_close(cursor);
}

void vl_store_use(struct vl_store *store, struct vl_store_use *use)
{
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;
	size_t free = 0, pinned = 0;

	bool held = vl_store_oldest_reader(store, &use->reader);
	(void)mdb_env_info(store->env, &info);
	(void)mdb_env_stat(store->env, &stat);
	if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) == 0) {
		count_free(txn, held ? use->reader.snapshot : UINT64_MAX, &free, &pinned);
		mdb_txn_abort(txn);
	}
	size_t file = (info.me_last_pgno + 1) * stat.ms_psize,
	       left = vl_store_disk_left(store->env);
	use->used = file - (free + pinned) * stat.ms_psize;
	use->pinned = pinned * stat.ms_psize;
	size_t most = store->most > info.me_mapsize ? store->most : info.me_mapsize;
	use->room = left < most - file ? file + left : most;
}

void vl_store_usage(struct vl_store *store, size_t *used, size_t *room)
{
	struct vl_store_use use;

	vl_store_use(store, &use);
	*used = use.used;
	*room = use.room;
}

void vl_store_reap_readers(struct vl_store *store)
{
	int dead;
	(void)mdb_reader_check(store->env, &dead);
}

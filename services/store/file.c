/*
 * The file of a store: its length, its room, and SIGBUS where it is cut short (inside.h).
 */
#include "store/inside.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- its length -- */

/* How long the newest commit has it; 0 where that is nonsense. */
static size_t wanted_length(struct vl_store *store)
{
	MDB_envinfo info;
	MDB_stat stat_;

	(void)mdb_env_info(store->env, &info);
	(void)mdb_env_stat(store->env, &stat_);
	if (stat_.ms_psize == 0 || info.me_last_pgno >= info.me_mapsize / stat_.ms_psize)
		return 0;
	return (info.me_last_pgno + 1) * stat_.ms_psize;
}

/* How many of the pages from `first` on are free: LMDB lists them in its own database 0, in each
 * entry a count, then that many. */
static size_t free_from(struct vl_store *store, size_t first)
{
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t found = 0, n, page;

	if (mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	if (mdb_cursor_open(txn, 0, &cursor) == 0) {
		while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
			const uint8_t *at = value.mv_data;
			memcpy(&n, at, sizeof(n));
			for (size_t i = 1; i <= n && (i + 1) * sizeof(page) <= value.mv_size; i++) {
				memcpy(&page, at + i * sizeof(page), sizeof(page));
				found += page >= first;
			}
		}
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return found;
}

/* The file made long enough to be looked at without a SIGBUS: is all that it lacked free? */
static bool lacks_only_free(struct vl_store *store, int fd, size_t size, size_t wanted)
{
	MDB_stat stat_;

	(void)mdb_env_stat(store->env, &stat_);
	if (size % stat_.ms_psize != 0 || ftruncate(fd, (off_t)wanted) != 0)
		return false;
	if (free_from(store, size / stat_.ms_psize) == (wanted - size) / stat_.ms_psize)
		return true;
	(void)!ftruncate(fd, (off_t)size);
	return false;
}

/* Since a reader looked how long the file is, a writer may have gone on. */
static size_t follow_writer(struct vl_store *store)
{
	size_t wanted = wanted_length(store);

	for (int tries = 0; wanted == 0 && tries < STORE_FOLLOWS && vl_store_follow(store) == 0;
	     tries++)
		wanted = wanted_length(store);
	return wanted;
}

enum vl_err vl_store_check_length(struct vl_store *store, bool read_only, struct vl_why *why)
{
	size_t wanted = read_only ? follow_writer(store) : wanted_length(store);
	struct stat file;
	int fd;

	if (mdb_env_get_fd(store->env, &fd) != 0 || fstat(fd, &file) != 0)
		return vl_fail(why, VL_ERR_IO, "its file cannot be looked at");
	store->file_end = (size_t)file.st_size;
	if (wanted == 0)
		return vl_fail(why, VL_ERR_CORRUPT,
			       "its file says that it has more pages than it may");
	if (store->file_end >= wanted)
		return VL_OK;
	if (!read_only && lacks_only_free(store, fd, store->file_end, wanted)) {
		store->file_end = wanted;
		return VL_OK;
	}
	return vl_fail(why, VL_ERR_CORRUPT,
		       "its file is cut short: it has %zu bytes and should have %zu",
		       store->file_end, wanted);
}

void vl_store_fill_up(struct vl_store *store)
{
	size_t wanted = wanted_length(store);
	struct stat file;
	int fd;

	if (wanted <= store->file_end || mdb_env_get_fd(store->env, &fd) != 0 ||
	    fstat(fd, &file) != 0)
		return;
	store->file_end = (size_t)file.st_size;
	if (store->file_end < wanted && ftruncate(fd, (off_t)wanted) == 0)
		store->file_end = wanted;
}

/* -- a page that cannot be read -- */

static char last_words[256];
static size_t last_size;

static void on_bus_error(int number)
{
	(void)number;
	(void)!write(STDERR_FILENO, last_words, last_size);
	_exit(1);
}

void vl_store_guard(const char *program)
{
	struct sigaction action = {.sa_handler = on_bus_error};
	int size = snprintf(last_words, sizeof(last_words),
			    "%.32s: a page of the store's file cannot be read: the file was "
			    "cut short, or its disk fails; ending\n",
			    program);

	last_size = size > 0 ? (size_t)size : 0;
	(void)sigaction(SIGBUS, &action, NULL);
}

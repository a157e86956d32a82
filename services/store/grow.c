/*
 * The map: how much of the file there may be. LMDB has to know before, and to change it no
 * transaction may be under way in this process. So it begins small, is made larger between
 * transactions, well before it is full, and by doubling, up to what the caller allows. A reader
 * maps what there is, and more when a writer has gone on.
 */
#include "store/inside.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define HEADROOM ((size_t)256 << 20) /* what one transaction may take */

static size_t file_size(struct vl_store *store)
{
	struct stat file;
	int fd;

	return mdb_env_get_fd(store->env, &fd) == 0 && fstat(fd, &file) == 0 ? (size_t)file.st_size
									     : 0;
}

static size_t at_most(size_t size, size_t most)
{
	return size < most ? size : most;
}

size_t vl_store_first_map(const struct vl_store_options *options, size_t file)
{
	if (options->read_only)
		return file;
	return options->grows ? at_most(file + HEADROOM, options->map_size) : options->map_size;
}

/* mdb_env_set_mapsize gives the old map back first: were there no room for the new one, there
 * would be none. */
static int set_map(struct vl_store *store, size_t before, size_t size)
{
	if (size > before) {
		void *probe = mmap(NULL, size - before, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (probe == MAP_FAILED)
			return ENOMEM;
		(void)munmap(probe, size - before);
	}
	return mdb_env_set_mapsize(store->env, size);
}

/* Within the gate, while no transaction is open. If it cannot be done, the map stays as it is,
 * and later reports that it is full. */
void vl_store_grow(struct vl_store *store)
{
	MDB_envinfo info;
	MDB_stat stat;

	(void)mdb_env_info(store->env, &info);
	(void)mdb_env_stat(store->env, &stat);
	size_t needed = (info.me_last_pgno + 1) * stat.ms_psize + HEADROOM / 2;
	size_t wanted = store->was_full || needed > info.me_mapsize ? 2 * info.me_mapsize : 0;
	wanted = at_most(wanted, store->most);
	store->was_full = false;
	if (wanted > info.me_mapsize)
		(void)set_map(store, info.me_mapsize, wanted);
}

int vl_store_follow(struct vl_store *store)
{
	MDB_envinfo info;

	(void)mdb_env_info(store->env, &info);
	return set_map(store, info.me_mapsize, file_size(store));
}

/*
 * Opening and closing (store.h).
 */
#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_READERS 256
#define IDENTITIES 8 /* to be tried */

static enum vl_err sync_folder(const char *path, struct vl_why *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum vl_err err = VL_OK;

	if (fd < 0 || fsync(fd) != 0)
		err = vl_fail(why, vl_store_translate(errno), "%s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return err;
}

/* The folder above: where ours was made, its name is not on the disk before. */
static enum vl_err sync_above(const char *path, struct vl_why *why)
{
	char above[4096];
	int size = snprintf(above, sizeof(above), "%s/..", path);
	enum vl_err err = size < (int)sizeof(above) ? sync_folder(above, why) : VL_ERR_INVALID;

	/* Another program made ours, or ensured that no one looks. */
	return err == VL_ERR_PERMISSION ? VL_OK : err;
}

static int open_db(struct vl_store *store, MDB_txn *txn, const struct vl_store_options *options,
		   unsigned i)
{
	struct store_db *db = &store->dbs[i];
	char *name = strdup(options->dbs[i]);
	unsigned flags = 0;

	if (name == NULL)
		return ENOMEM;
	vl_store_name_db(db, name, i >= 64 || (options->unchecked >> i & 1) == 0);
	store->n_dbs++;
	int rc = mdb_dbi_open(txn, name, options->read_only ? 0 : MDB_CREATE, &db->dbi);
	if (rc == 0)
		rc = mdb_dbi_flags(txn, db->dbi, &flags);
	return rc == 0 && flags != 0 ? MDB_INCOMPATIBLE : rc;
}

/* Since the file was looked at a writer may have gone on: then more of it is mapped. */
static int begin(struct vl_store *store, unsigned flags, MDB_txn **txn)
{
	int rc = mdb_txn_begin(store->env, NULL, flags, txn);

	for (int tries = 0;
	     rc == MDB_MAP_RESIZED && tries < STORE_FOLLOWS && vl_store_follow(store) == 0; tries++)
		rc = mdb_txn_begin(store->env, NULL, flags, txn);
	return rc;
}

static enum vl_err open_dbs(struct vl_store *store, const struct vl_store_options *options,
			    struct vl_why *why)
{
	MDB_txn *txn;
	int rc = begin(store, options->read_only ? MDB_RDONLY : 0, &txn);

	if (rc != 0)
		return vl_store_explain(why, rc);
	enum vl_err err = vl_store_check_kind(txn, options, why);
	for (unsigned i = 0; err == VL_OK && rc == 0 && options->dbs[i] != NULL; i++)
		rc = open_db(store, txn, options, i);
	if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE)
		err = vl_fail(why, VL_ERR_CORRUPT,
			      "it is not a store of this kind, or one that is damaged");
	else if (rc != 0)
		err = vl_store_explain(why, rc);
	if (err != VL_OK) {
		mdb_txn_abort(txn);
		return err;
	}
	rc = mdb_txn_commit(txn);
	return rc != 0 ? vl_store_explain(why, rc) : VL_OK;
}

/* LMDB writes its first two pages without a barrier, and a crash can leave what nothing would
 * ever open again. So they are made aside, brought to the disk, and then given their name: a
 * store is there wholly or not at all. */
static enum vl_err make_data(const struct vl_store_options *options, struct vl_why *why)
{
	char aside[4096], name[4096];
	MDB_env *env = NULL;

	(void)snprintf(name, sizeof(name), "%s/data.mdb", options->path);
	if (access(name, F_OK) == 0)
		return VL_OK;
	enum vl_err err = sync_above(options->path, why);
	if (err != VL_OK)
		return err;
	int size = snprintf(aside, sizeof(aside), "%s/new.mdb", options->path);
	if (size >= (int)sizeof(aside) || (unlink(aside) != 0 && errno != ENOENT))
		return vl_fail(why, vl_store_translate(errno), "%s", strerror(errno));
	int rc = mdb_env_create(&env);
	if (rc == 0)
		rc = mdb_env_set_mapsize(env, vl_store_first_map(options, 0));
	if (rc == 0)
		rc = mdb_env_open(env, aside, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
	if (rc == 0)
		rc = mdb_env_sync(env, 1);
	if (rc == 0 && rename(aside, name) != 0)
		rc = errno;
	if (env != NULL)
		mdb_env_close(env);
	return rc == 0 ? VL_OK : vl_store_explain(why, rc);
}

/* LMDB takes an empty file for a new one. */
static enum vl_err check_begin(const char *path, size_t *size, struct vl_why *why)
{
	char name[4096];
	struct stat found;

	(void)snprintf(name, sizeof(name), "%s/data.mdb", path);
	if (stat(name, &found) != 0)
		return vl_fail(why, vl_store_translate(errno), "%s", strerror(errno));
	*size = (size_t)found.st_size;
	if (found.st_size < 2 * sysconf(_SC_PAGESIZE))
		return vl_fail(why, VL_ERR_CORRUPT, "its file is cut short: it has only %lld bytes",
			       (long long)found.st_size);
	return VL_OK;
}

static int try_env(struct vl_store *store, const struct vl_store_options *options, size_t map)
{
	/* NOTLS: a reader may be used from whichever thread holds it. */
	unsigned flags = MDB_NOTLS | (options->read_only ? MDB_RDONLY : 0);
	MDB_txn *txn;

	vl_store_assume(store->identity);
	int rc = mdb_env_create(&store->env);
	vl_store_assume(0);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(store->env, STORE_MAX_DBS);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(store->env, MAX_READERS);
	if (rc == 0)
		rc = mdb_env_set_mapsize(store->env, map);
	if (rc == 0)
		rc = mdb_env_open(store->env, options->path, flags, 0600);
	/* With its first snapshot a process marks itself. */
	if (rc == 0)
		rc = begin(store, MDB_RDONLY, &txn);
	if (rc == 0)
		mdb_txn_abort(txn);
	return rc;
}

static void close_env(struct vl_store *store)
{
	if (store->env == NULL)
		return;
	vl_store_assume(store->identity);
	mdb_env_close(store->env);
	vl_store_assume(0);
	store->env = NULL;
}

/* What the kernel says alike of memory, of address space, and of a map as large as a damaged
 * file asks for. */
static enum vl_err explain_map(struct vl_why *why, size_t map)
{
	struct rlimit space;

	if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur == RLIM_INFINITY)
		return vl_fail(
			why, VL_ERR_NOMEM,
			"out of memory, or its file says that it has more pages than it may");
	return vl_fail(why, VL_ERR_NOMEM,
		       "this process may not map the %zu MB that it asks for: allow it more "
		       "address space (ulimit -v), or give the store a smaller size",
		       map >> 20);
}

static enum vl_err open_env(struct vl_store *store, const struct vl_store_options *options,
			    size_t file, struct vl_why *why)
{
	size_t map = vl_store_first_map(options, file);
	unsigned set = 0;
	int rc = try_env(store, options, map);

	/* Somebody in another container has our number. */
	for (int tries = 0;
	     (rc == EAGAIN || rc == EACCES) && store->env != NULL && tries < IDENTITIES; tries++) {
		close_env(store);
		store->identity = vl_store_new_identity();
		rc = try_env(store, options, map);
	}
	if (rc == 0)
		rc = mdb_env_get_flags(store->env, &set);
	if (rc == ENOMEM)
		return explain_map(why, map);
	if (rc != 0)
		return vl_store_explain(why, rc);
	if (set & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_WRITEMAP | MDB_MAPASYNC))
		return vl_fail(why, VL_ERR_BUG, "opened without synchronous commits");
	return VL_OK;
}

/* For a writer: lock it, and ensure that there is a file. */
static enum vl_err come_to_write(struct vl_store *store, const struct vl_store_options *options,
				 struct vl_why *why)
{
	enum vl_err err = VL_OK;

	if (mkdir(options->path, 0700) != 0 && errno != EEXIST)
		err = vl_fail(why, vl_store_translate(errno), "%s", strerror(errno));
	if (err == VL_OK)
		err = vl_store_lock_folder(store, options->path, why);
	if (err == VL_OK)
		err = make_data(options, why);
	if (err == VL_OK)
		err = vl_store_lock_data(store, options->path, why);
	return err;
}

static enum vl_err count_dbs(const struct vl_store_options *options, struct vl_why *why)
{
	unsigned n = 0;

	while (options->dbs[n] != NULL)
		n++;
	return n <= STORE_MAX_DBS
		       ? VL_OK
		       : vl_fail(why, VL_ERR_BUG, "it has %u databases, and a store at most %d", n,
				 STORE_MAX_DBS);
}

static struct vl_store *new_store(const struct vl_store_options *options)
{
	struct vl_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->lock = store->data = store->folder = -1;
	store->wary = options->wary;
	store->most = options->grows && !options->read_only ? options->map_size : 0;
	(void)pthread_mutex_init(&store->gate, NULL);
	return store;
}

enum vl_err vl_store_open(const struct vl_store_options *options, struct vl_store **opened,
			  struct vl_why *why)
{
	struct vl_store *store = new_store(options);
	size_t file = 0;

	*opened = NULL;
	if (store == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = count_dbs(options, why);
	if (err == VL_OK)
		err = options->read_only ? vl_store_check_reader(options->path, why)
					 : come_to_write(store, options, why);
	if (err == VL_OK)
		err = check_begin(options->path, &file, why);
	if (err == VL_OK)
		err = open_env(store, options, file, why);
	if (err == VL_OK && !options->read_only)
		vl_store_sign(store, options->path);
	if (err == VL_OK)
		err = vl_store_check_length(store, options->read_only, why);
	if (err == VL_OK)
		err = open_dbs(store, options, why);
	/* LMDB does not sync the folder after it has made its files. */
	if (err == VL_OK && !options->read_only)
		err = sync_folder(options->path, why);
	if (err != VL_OK) {
		vl_store_close(store);
		return err;
	}
	vl_store_reap_readers(store);
	*opened = store;
	return VL_OK;
}

void vl_store_close(struct vl_store *store)
{
	if (store == NULL)
		return;
	close_env(store);
	/* The last that goes is what keeps others out. */
	if (store->folder >= 0)
		(void)close(store->folder);
	if (store->data >= 0)
		(void)close(store->data);
	if (store->lock >= 0)
		(void)close(store->lock);
	for (unsigned i = 0; i < store->n_dbs; i++)
		free(store->dbs[i].name);
	(void)pthread_mutex_destroy(&store->gate);
	free(store);
}

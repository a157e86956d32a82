/*
 * A store in memory: its file has no name and no folder, and goes with the process. Nobody else can
 * see it, so that it needs no lock.
 */
#include "store/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int make_dbs(struct vl_store *store, const char *const *dbs)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; dbs[i] != NULL && rc == 0; i++) {
		char *name = i < STORE_MAX_DBS ? strdup(dbs[i]) : NULL;
		if (name == NULL) {
			rc = ENOMEM;
			break;
		}
		vl_store_name_db(&store->dbs[i], name, false);
		store->n_dbs++;
		rc = mdb_dbi_open(txn, name, MDB_CREATE, &store->dbs[i].dbi);
	}
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int open_env(struct vl_store *store, size_t size)
{
	char path[64];
	int file = memfd_create("valise", MFD_CLOEXEC);

	if (file < 0)
		return errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	int rc = mdb_env_create(&store->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(store->env, STORE_MAX_DBS);
	if (rc == 0)
		rc = mdb_env_set_mapsize(store->env, size);
	if (rc == 0)
		rc = mdb_env_open(store->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
	/* LMDB has opened it for itself. */
	(void)close(file);
	return rc;
}

enum vl_err vl_store_open_scratch(const char *const *dbs, size_t size, struct vl_store **opened,
				  struct vl_why *why)
{
	struct vl_store *store = calloc(1, sizeof(*store));

	*opened = NULL;
	if (store == NULL)
		return VL_ERR_NOMEM;
	store->lock = store->data = store->folder = -1;
	(void)pthread_mutex_init(&store->gate, NULL);
	int rc = open_env(store, size);
	if (rc == 0)
		rc = make_dbs(store, dbs);
	if (rc != 0) {
		vl_store_close(store);
		return vl_store_explain(why, rc);
	}
	*opened = store;
	return VL_OK;
}

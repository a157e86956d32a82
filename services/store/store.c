#include "store/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* bytes left on a disk that cannot take another page or few */
#define NEARLY_FULL ((size_t)64 << 10)

enum vl_err vl_store_translate(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return VL_OK;
	case MDB_NOTFOUND:
	case ENOENT:
		return VL_ERR_NOT_FOUND;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
		return VL_ERR_FULL;
	case MDB_READERS_FULL:
		return VL_ERR_BUSY;
	case MDB_MAP_RESIZED:
		return VL_ERR_GONE;
	case STORE_DAMAGED:
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return VL_ERR_CORRUPT;
	case MDB_BAD_VALSIZE:
	case MDB_KEYEXIST:
	case MDB_BAD_TXN:
		return VL_ERR_BUG;
	case EACCES:
	case EPERM:
	case EROFS:
		return VL_ERR_PERMISSION;
	case ENOMEM:
		return VL_ERR_NOMEM;
	default:
		return VL_ERR_IO;
	}
}

enum vl_err vl_store_explain(struct vl_why *why, int rc)
{
	return vl_fail(why, vl_store_translate(rc), "%s", mdb_strerror(rc));
}

size_t vl_store_disk_left(MDB_env *env)
{
	struct statvfs disk;
	int fd;

	if (mdb_env_get_fd(env, &fd) != 0 || fstatvfs(fd, &disk) != 0)
		return SIZE_MAX;
	return (size_t)disk.f_bavail * disk.f_frsize;
}

/* Within the gate. What is under way in this process alone decides whether more may be mapped. */
static int begin(struct vl_store *store, bool write, MDB_txn **txn)
{
	if (write && store->most > 0 && store->under_way == 0)
		vl_store_grow(store);
	int rc = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, txn);
	if (rc == MDB_READERS_FULL) {
		vl_store_reap_readers(store);
		rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn);
	}
	if (rc == MDB_MAP_RESIZED && store->under_way == 0) {
		rc = vl_store_follow(store);
		if (rc == 0)
			rc = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, txn);
	}
	store->under_way += rc == 0;
	return rc;
}

/* It is no more: commit and abort free LMDB's part. */
static void forget(struct vl_txn *txn)
{
	struct vl_store *store = txn->store;

	(void)pthread_mutex_lock(&store->gate);
	store->under_way--;
	(void)pthread_mutex_unlock(&store->gate);
	free(txn);
}

struct vl_txn *vl_txn_begin(struct vl_store *store, bool write, struct vl_why *why)
{
	struct vl_txn *txn = calloc(1, sizeof(*txn));

	if (txn == NULL) {
		(void)vl_fail(why, VL_ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (write && vl_store_check_seen(store, why) != VL_OK) {
		free(txn);
		return NULL;
	}
	txn->store = store;
	txn->writes = write;
	(void)pthread_mutex_lock(&store->gate);
	int rc = begin(store, write, &txn->txn);
	(void)pthread_mutex_unlock(&store->gate);
	if (rc != 0) {
		(void)vl_store_explain(why, rc);
		free(txn);
		return NULL;
	}
	return txn;
}

enum vl_err vl_txn_refresh(struct vl_txn *txn)
{
	struct vl_store *store = txn->store;

	mdb_txn_reset(txn->txn);
	(void)pthread_mutex_lock(&store->gate);
	int rc = mdb_txn_renew(txn->txn);
	/* This one is the only one, and sees nothing now. */
	if (rc == MDB_MAP_RESIZED && store->under_way == 1 && (rc = vl_store_follow(store)) == 0)
		rc = mdb_txn_renew(txn->txn);
	(void)pthread_mutex_unlock(&store->gate);
	if (rc != 0)
		vl_txn_fail(txn, vl_store_translate(rc));
	return txn->err;
}

void vl_txn_rest(struct vl_txn *txn)
{
	mdb_txn_reset(txn->txn);
}

enum vl_err vl_txn_err(const struct vl_txn *txn)
{
	return txn->err;
}

enum vl_err vl_txn_explain(const struct vl_txn *txn, struct vl_why *why)
{
	if (txn->err == VL_ERR_CORRUPT && txn->broken != NULL)
		return vl_fail(
			why, txn->err,
			"a page of its file data.mdb is damaged, where its database '%.80s' is",
			txn->broken->name);
	if (txn->err == VL_ERR_CORRUPT && txn->damaged != NULL)
		return vl_fail(why, txn->err, "a row of its database '%.80s' is damaged",
			       txn->damaged->name);
	return vl_fail(why, txn->err, "%s", vl_err_text(txn->err));
}

void vl_txn_fail(struct vl_txn *txn, enum vl_err err)
{
	if (txn->err == VL_OK)
		txn->err = err;
	txn->store->was_full |= err == VL_ERR_FULL;
}

void vl_store_fail(struct vl_txn *txn, const struct store_db *db, int rc)
{
	enum vl_err err = vl_store_translate(rc);

	if (err == VL_ERR_CORRUPT && txn->err == VL_OK) {
		if (rc == STORE_DAMAGED)
			txn->damaged = db;
		else
			txn->broken = db;
		txn->store->failed = db;
	}
	vl_txn_fail(txn, err);
}

void vl_txn_disorder(struct vl_txn *txn, unsigned db)
{
	vl_store_fail(txn, &txn->store->dbs[db], STORE_DAMAGED);
}

int vl_store_failed(struct vl_store *store)
{
	const struct store_db *db = store->failed;

	store->failed = NULL;
	return db != NULL ? (int)(db - store->dbs) : -1;
}

/* Once a meta page could not be written LMDB begins nothing any more. */
static bool is_dead(MDB_env *env)
{
	MDB_txn *probe;
	int rc = mdb_txn_begin(env, NULL, 0, &probe);

	if (rc == 0)
		mdb_txn_abort(probe);
	return rc != 0;
}

enum vl_err vl_txn_commit(struct vl_txn *txn, struct vl_why *why)
{
	struct vl_store *store = txn->store;

	if (txn->err != VL_OK) {
		enum vl_err err = vl_txn_explain(txn, why);
		vl_txn_abort(txn);
		return err;
	}
	/* The handle is freed whether or not the commit succeeds. */
	int rc = mdb_txn_commit(txn->txn);
	forget(txn);
	if (rc == 0) {
		vl_store_fill_up(store);
		return VL_OK;
	}
	/* A full disk takes half a write, and LMDB then speaks of EIO. */
	bool full = vl_store_translate(rc) == VL_ERR_FULL ||
		    (rc == EIO && vl_store_disk_left(store->env) < NEARLY_FULL);
	store->was_full |= full;
	if (full && !is_dead(store->env))
		return vl_fail(why, VL_ERR_FULL, "%s", mdb_strerror(rc == EIO ? ENOSPC : rc));
	return vl_fail(why, VL_ERR_OUTCOME_UNKNOWN, "commit failed: %s", mdb_strerror(rc));
}

void vl_txn_abort(struct vl_txn *txn)
{
	if (txn == NULL)
		return;
	mdb_txn_abort(txn->txn);
	forget(txn);
}

static bool to_val(struct vl_txn *txn, struct vl_bytes key, MDB_val *val)
{
	if (key.size == 0 || key.size > VL_STORE_KEY_MAX)
		vl_txn_fail(txn, VL_ERR_BUG);
	*val = (MDB_val){key.size, (void *)key.data};
	return txn->err == VL_OK;
}

enum vl_err vl_txn_find(struct vl_txn *txn, unsigned db, struct vl_bytes key,
			struct vl_bytes *value)
{
	const struct store_db *of = &txn->store->dbs[db];
	MDB_val k, v;

	if (!to_val(txn, key, &k))
		return txn->err;
	int rc = of->checked ? vl_store_look_up(txn, of, &k, &v)
			     : mdb_get(txn->txn, of->dbi, &k, &v);
	if (rc == 0 && value != NULL)
		*value = vl_store_bytes(&v);
	if (rc != 0 && rc != MDB_NOTFOUND && rc != STORE_DAMAGED)
		vl_store_fail(txn, of, rc);
	return vl_store_translate(rc);
}

bool vl_txn_get(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes *value)
{
	enum vl_err err = vl_txn_find(txn, db, key, value);

	if (err == VL_ERR_CORRUPT)
		vl_store_fail(txn, &txn->store->dbs[db], STORE_DAMAGED);
	return err == VL_OK;
}

/* Make room for a value, and for its word where there is one. */
static int make_room(struct vl_txn *txn, const struct store_db *of, MDB_val *key, size_t size,
		     MDB_val *room)
{
	*room = (MDB_val){size + (of->checked ? STORE_WORD : 0), NULL};
	vl_store_changes(txn, of);
	return mdb_put(txn->txn, of->dbi, key, room, MDB_RESERVE);
}

void vl_txn_put(struct vl_txn *txn, unsigned db, struct vl_bytes key, struct vl_bytes value)
{
	const struct store_db *of = &txn->store->dbs[db];
	MDB_val k, v;

	if (!to_val(txn, key, &k))
		return;
	int rc = make_room(txn, of, &k, value.size, &v);
	if (rc == 0)
		vl_store_seal(of, &k, value, v.mv_data);
	else
		vl_store_fail(txn, of, rc);
}

uint8_t *vl_txn_reserve(struct vl_txn *txn, unsigned db, struct vl_bytes key, size_t size)
{
	const struct store_db *of = &txn->store->dbs[db];
	MDB_val k, v;

	if (of->checked)
		vl_txn_fail(txn, VL_ERR_BUG);
	if (!to_val(txn, key, &k))
		return NULL;
	int rc = make_room(txn, of, &k, size, &v);
	if (rc != 0)
		vl_store_fail(txn, of, rc);
	return rc == 0 ? v.mv_data : NULL;
}

bool vl_txn_delete(struct vl_txn *txn, unsigned db, struct vl_bytes key)
{
	MDB_val k;

	if (!to_val(txn, key, &k))
		return false;
	vl_store_changes(txn, &txn->store->dbs[db]);
	int rc = mdb_del(txn->txn, txn->store->dbs[db].dbi, &k, NULL);
	if (rc != 0 && rc != MDB_NOTFOUND)
		vl_store_fail(txn, &txn->store->dbs[db], rc);
	return rc == 0;
}

void vl_txn_clear(struct vl_txn *txn, unsigned db)
{
	vl_store_changes(txn, &txn->store->dbs[db]);
	int rc = txn->err == VL_OK ? mdb_drop(txn->txn, txn->store->dbs[db].dbi, 0) : 0;

	if (rc != 0)
		vl_store_fail(txn, &txn->store->dbs[db], rc);
}

uint64_t vl_txn_count(struct vl_txn *txn, unsigned db)
{
	MDB_stat stat = {0};
	int rc = txn->err == VL_OK ? mdb_stat(txn->txn, txn->store->dbs[db].dbi, &stat) : 0;
	if (rc != 0)
		vl_store_fail(txn, &txn->store->dbs[db], rc);
	return stat.ms_entries;
}

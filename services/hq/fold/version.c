#include "hq/fold/version.h"

#include "base/log.h"
#include "hq/fold/bind.h"
#include "hq/fold/renewal.h"
#include "hq/fold/views.h"

#define NAME "version"
#define LANES "lanes"

static void version_key(struct vl_key *key, size_t view)
{
	vl_key_reset(key);
	vl_key_text(key, NAME);
	vl_key_text(key, vl_views[view]->lane);
}

static enum vl_err version_of(size_t view, struct vl_digest *version, struct vl_why *why)
{
	struct vl_bound *bound;
	enum vl_err err = vl_view_bind_one(vl_views[view], &bound, why);

	if (err == VL_OK)
		err = vl_bound_version(bound, vl_view_sums[view], version);
	vl_view_unbind(bound);
	return err;
}

static void put_version(struct vl_txn *txn, size_t view, const struct vl_digest *version)
{
	struct vl_key key;

	version_key(&key, view);
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key),
		   (struct vl_bytes){version->bytes, sizeof(version->bytes)});
}

void vl_version_note(struct vl_txn *txn, size_t view)
{
	struct vl_digest version;
	enum vl_err err = version_of(view, &version, NULL);

	if (err != VL_OK)
		vl_txn_fail(txn, err);
	else
		put_version(txn, view, &version);
}

/* What has no facts has no rows that another declaration made. */
static bool is_empty(struct vl_txn *txn, size_t view)
{
	return vl_txn_count(txn, vl_view_db(view, VL_VIEW_HISTORY)) == 0 &&
	       vl_txn_count(txn, vl_view_db(view, VL_VIEW_EVENT)) == 0;
}

/* Noted where it is the first. */
static bool differs(struct vl_txn *txn, size_t view, const struct vl_digest *version)
{
	struct vl_bytes value;
	struct vl_key key;

	version_key(&key, view);
	if (!vl_txn_get(txn, VL_DB_META, vl_key_done(&key), &value)) {
		put_version(txn, view, version);
		return !is_empty(txn, view);
	}
	return value.size != sizeof(version->bytes) ||
	       memcmp(value.data, version->bytes, value.size) != 0;
}

/* Whether the lanes stand where they stood. Noted as they are now. */
static bool same_lanes(struct vl_txn *txn)
{
	struct vl_buf lanes = {0};
	struct vl_bytes value, name = vl_bytes_of(LANES);

	for (size_t view = 0; vl_views[view] != NULL; view++)
		vl_buf_printf(&lanes, "%s\n", vl_views[view]->lane);
	if (vl_buf_failed(&lanes))
		vl_txn_fail(txn, VL_ERR_NOMEM);
	bool known = vl_txn_get(txn, VL_DB_META, name, &value);
	bool same = !known ||
		    (value.size == lanes.size && memcmp(value.data, lanes.data, lanes.size) == 0);
	if (!known || !same)
		vl_txn_put(txn, VL_DB_META, name, vl_buf_bytes(&lanes));
	vl_buf_free(&lanes);
	return same;
}

static enum vl_err follow(struct vl_txn *txn, struct vl_why *why)
{
	bool same = same_lanes(txn);
	enum vl_err err = VL_OK;

	if (!same)
		vl_renewal_forget_all(txn);
	for (size_t view = 0; vl_views[view] != NULL && err == VL_OK; view++) {
		struct vl_digest version;
		err = version_of(view, &version, why);
		if (err != VL_OK || (same && !differs(txn, view, &version)))
			continue;
		vl_log_info("%s is declared otherwise than when its view was made: it is made "
			    "again from the "
			    "archive, beside all else",
			    vl_views[view]->lane);
		vl_renewal_follow(txn, view);
		put_version(txn, view, &version);
	}
	return err != VL_OK ? err : vl_txn_err(txn);
}

enum vl_err vl_versions_follow(struct vl_store *store, struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(store, true, why);

	if (txn == NULL)
		return VL_ERR_NOMEM;
	enum vl_err err = follow(txn, why);
	if (err == VL_OK)
		return vl_txn_commit(txn, why);
	vl_txn_abort(txn);
	return err;
}

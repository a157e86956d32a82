#include "hq/repair/open.h"

#include "hq/fold/databases.h"
#include "hq/repair/mend.h"

/* The archive's records prove themselves (vl_record_pack), and are read for one event of many. */
#define UNCHECKED (UINT64_C(1) << VL_DB_ARCHIVE)

#define OLDER_TO_READ \
	"read it with the programs of its own version, or start this version's valise-hq on it"

/* A new one is of ours; the store has looked at that of another. */
static enum vl_err put_format(struct vl_store *store, struct vl_why *why)
{
	struct vl_txn *txn = vl_txn_begin(store, true, why);
	struct vl_key key = {0};
	uint8_t format = VL_LEDGER_FORMAT;

	if (txn == NULL)
		return VL_ERR_NOMEM;
	vl_key_text(&key, VL_LEDGER_FORMAT_KEY);
	if (vl_txn_get(txn, VL_DB_META, vl_key_done(&key), NULL)) {
		vl_txn_abort(txn);
		return VL_OK;
	}
	vl_txn_put(txn, VL_DB_META, vl_key_done(&key), (struct vl_bytes){&format, 1});
	return vl_txn_commit(txn, why);
}

enum vl_err vl_ledger_open(const char *path, size_t size, bool read_only, struct vl_store **store,
			   struct vl_why *why)
{
	struct vl_arena *arena = vl_arena_open(0);
	char **names = arena != NULL ? vl_ledger_names(arena) : NULL;
	enum vl_err err = VL_ERR_NOMEM;
	size_t mended;

	*store = NULL;
	if (names != NULL) {
		struct vl_store_options options = {
			.path = path,
			.dbs = (const char *const *)names,
			.unchecked = UNCHECKED,
			.map_size = size,
			.grows = true,
			.read_only = read_only,
			.wary = true,
			.format_db = VL_DB_META,
			.format_key = {(const uint8_t *)VL_LEDGER_FORMAT_KEY,
				       sizeof(VL_LEDGER_FORMAT_KEY)},
			.format = VL_LEDGER_FORMAT,
			.format_oldest = VL_LEDGER_FORMAT,
			.older = read_only ? OLDER_TO_READ : VL_LEDGER_REBUILD};
		err = vl_store_open(&options, store, why);
	}
	vl_arena_close(arena);
	if (err == VL_OK && !read_only)
		err = vl_ledger_mend(*store, VL_MEND_HEADS, &mended, why);
	if (err == VL_OK && !read_only)
		err = put_format(*store, why);
	if (err != VL_OK) {
		vl_store_close(*store);
		*store = NULL;
	}
	return err;
}

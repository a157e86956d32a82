#include "hq/fold/digest.h"

#include "base/text.h"
#include "hq/ledger/ledger.h"

#include <sodium.h>

static void hash_run(crypto_generichash_state *state, struct vl_bytes run)
{
	uint8_t size[8];

	vl_put_be64(size, run.size);
	crypto_generichash_update(state, size, sizeof(size));
	crypto_generichash_update(state, run.data, run.size);
}

enum vl_err vl_view_digest(struct vl_txn *txn, size_t view, struct vl_digest *digest)
{
	static const enum vl_view_db dbs[] = {VL_VIEW_ROW, VL_VIEW_TALLY, VL_VIEW_HISTORY};
	crypto_generichash_state state;
	struct vl_bytes key, value;

	crypto_generichash_init(&state, NULL, 0, sizeof(digest->bytes));
	for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
		struct vl_cursor *cursor = vl_cursor_open(txn, vl_view_db(view, dbs[i]));
		crypto_generichash_update(&state, (const uint8_t[]){(uint8_t)i}, 1);
		for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
		     more = vl_cursor_next(cursor, &key, &value)) {
			hash_run(&state, key);
			hash_run(&state, value);
		}
		vl_cursor_close(cursor);
	}
	crypto_generichash_final(&state, digest->bytes, sizeof(digest->bytes));
	return vl_txn_err(txn);
}

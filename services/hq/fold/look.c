#include "hq/fold/look.h"

#include "hq/fold/views.h"

static bool is_mended(unsigned db)
{
	return db != VL_DB_ARCHIVE && db != VL_DB_DEAD && db != VL_DB_REFUSED &&
	       db != VL_DB_RECOUNT;
}

int vl_look_on(struct vl_look *look, struct vl_txn *txn, uint64_t entries, bool *round)
{
	const unsigned count = vl_view_db(vl_views_count(), 0);
	struct vl_bytes key;
	size_t damaged = 0;

	*round = false;
	while (entries > 0 && damaged == 0 && !*round && vl_txn_err(txn) == VL_OK) {
		struct vl_cursor *cursor =
			is_mended(look->db) ? vl_cursor_open(txn, look->db) : NULL;
		vl_cursor_pass_over(cursor, (struct vl_bytes){0}, vl_cursor_count, &damaged);
		bool more = vl_cursor_seek(cursor, vl_key_done(&look->at), &key, NULL);
		for (; more && entries > 0 && damaged == 0; entries--)
			more = vl_cursor_next(cursor, &key, NULL);
		vl_key_reset(&look->at);
		if (more)
			vl_key_bytes(&look->at, key.data, key.size);
		vl_cursor_close(cursor);
		if (more || damaged > 0)
			break;
		look->db = (look->db + 1) % count;
		*round = look->db == 0;
	}
	return damaged > 0 || vl_txn_err(txn) == VL_ERR_CORRUPT ? (int)look->db : -1;
}

#include "hq/ledger/chains.h"

#include "base/text.h"
#include "hq/ledger/ledger.h"

#include <string.h>

#define CHAIN_SIZE 48

bool vl_chains_read_key(struct vl_bytes key, const char **mission, const char **lane,
			struct vl_epoch *epoch)
{
	*mission = (const char *)key.data;
	size_t size = strnlen(*mission, key.size) + 1;
	if (size >= key.size)
		return false;
	*lane = *mission + size;
	size += strnlen(*lane, key.size - size) + 1;
	if (size + 8 != key.size)
		return false;
	epoch->n = vl_get_be64(key.data + size);
	return true;
}

struct vl_chain vl_chains_read(struct vl_bytes value, struct vl_epoch epoch)
{
	struct vl_chain chain = {.epoch = epoch};

	if (value.size == CHAIN_SIZE) {
		chain.seq.n = vl_get_be64(value.data);
		chain.next_event.n = vl_get_be64(value.data + 8);
		memcpy(chain.digest.bytes, value.data + 16, sizeof(chain.digest.bytes));
	}
	return chain;
}

bool vl_chains_get(struct vl_txn *txn, const char *mission, const char *lane, struct vl_epoch epoch,
		   struct vl_chain *chain)
{
	struct vl_key key;
	struct vl_bytes value;

	key = vl_ledger_lane_key(mission, lane);
	vl_key_u64(&key, epoch.n);
	if (!vl_txn_get(txn, VL_DB_CHAIN, vl_key_done(&key), &value))
		return false;
	*chain = vl_chains_read(value, epoch);
	return true;
}

void vl_chains_put(struct vl_txn *txn, const char *mission, const char *lane,
		   const struct vl_chain *chain)
{
	struct vl_key key;
	uint8_t value[CHAIN_SIZE];

	vl_put_be64(value, chain->seq.n);
	vl_put_be64(value + 8, chain->next_event.n);
	memcpy(value + 16, chain->digest.bytes, sizeof(chain->digest.bytes));
	key = vl_ledger_lane_key(mission, lane);
	vl_key_u64(&key, chain->epoch.n);
	vl_txn_put(txn, VL_DB_CHAIN, vl_key_done(&key), (struct vl_bytes){value, sizeof(value)});
}

struct vl_chain vl_chains_newest(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct vl_key from, beyond;
	struct vl_bytes key, value;
	struct vl_chain chain = {0};
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_CHAIN);

	from = vl_ledger_lane_key(mission, lane);
	beyond = from;
	vl_key_u64(&beyond, UINT64_MAX);
	vl_key_u8(&beyond, 0);
	bool more = vl_cursor_seek(cursor, vl_key_done(&beyond), NULL, NULL)
			    ? vl_cursor_prev(cursor, &key, &value)
			    : vl_cursor_last(cursor, &key, &value);
	if (more && vl_key_has_prefix(key, vl_key_done(&from)) && key.size == from.size + 8)
		chain = vl_chains_read(value, (struct vl_epoch){vl_get_be64(key.data + from.size)});
	vl_cursor_close(cursor);
	return chain;
}

/* Half of a digest is as hard to meet by chance, and whoever forges one meets only what is their
 * own. */
static void digest_key(struct vl_key *key, const char *mission, const char *lane,
		       const struct vl_digest *digest)
{
	*key = vl_ledger_lane_key(mission, lane);
	vl_key_bytes(key, digest->bytes, sizeof(digest->bytes) / 2);
}

void vl_chains_remember(struct vl_txn *txn, const char *mission, const char *lane,
			const struct vl_digest *digest, struct vl_epoch epoch, struct vl_seq seq)
{
	struct vl_key key;
	uint8_t place[16];

	vl_put_be64(place, epoch.n);
	vl_put_be64(place + 8, seq.n);
	digest_key(&key, mission, lane, digest);
	vl_txn_put(txn, VL_DB_DIGEST, vl_key_done(&key), (struct vl_bytes){place, sizeof(place)});
}

bool vl_chains_remembers(struct vl_txn *txn, const char *mission, const char *lane,
			 const struct vl_digest *digest)
{
	struct vl_key key;

	digest_key(&key, mission, lane, digest);
	return vl_txn_get(txn, VL_DB_DIGEST, vl_key_done(&key), NULL);
}

struct vl_epoch vl_chains_suspended(struct vl_txn *txn, const char *mission, const char *lane,
				    struct vl_epoch up_to)
{
	struct vl_key from, beyond;
	struct vl_bytes key;
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_EVIDENCE);

	from = vl_ledger_lane_key(mission, lane);
	beyond = from;
	vl_key_u64(&beyond, up_to.n);
	vl_key_u64(&beyond, UINT64_MAX);
	vl_key_u8(&beyond, UINT8_MAX);
	bool more = vl_cursor_seek(cursor, vl_key_done(&beyond), &key, NULL)
			    ? vl_cursor_prev(cursor, &key, NULL)
			    : vl_cursor_last(cursor, &key, NULL);
	bool found =
		more && vl_key_has_prefix(key, vl_key_done(&from)) && key.size >= from.size + 8;
	struct vl_epoch epoch = {found ? vl_get_be64(key.data + from.size) : 0};
	vl_cursor_close(cursor);
	return epoch;
}

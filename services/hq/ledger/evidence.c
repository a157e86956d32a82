#include "hq/ledger/evidence.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Of a mission, of one lane, of one epoch: what is kept; of an epoch too whether it began
 * without knowing of the one before. */
struct held {
	uint64_t whole, bytes, digests, counted, forgot;
};

#define HELD_SIZE 40

static struct held held_read(struct vl_bytes value)
{
	struct held held = {0};

	if (value.size != HELD_SIZE)
		return held;
	held.whole = vl_get_be64(value.data);
	held.bytes = vl_get_be64(value.data + 8);
	held.digests = vl_get_be64(value.data + 16);
	held.counted = vl_get_be64(value.data + 24);
	held.forgot = vl_get_be64(value.data + 32);
	return held;
}

static struct held held_get(struct vl_txn *txn, const struct vl_key *key)
{
	struct vl_bytes value;

	return vl_txn_get(txn, VL_DB_HELD, vl_key_done(key), &value) ? held_read(value)
								     : (struct held){0};
}

static void held_add(struct vl_txn *txn, const struct vl_key *key, const struct held *more)
{
	struct held held = held_get(txn, key);
	uint8_t value[HELD_SIZE];

	vl_put_be64(value, held.whole + more->whole);
	vl_put_be64(value + 8, held.bytes + more->bytes);
	vl_put_be64(value + 16, held.digests + more->digests);
	vl_put_be64(value + 24, held.counted + more->counted);
	vl_put_be64(value + 32, held.forgot | more->forgot);
	vl_txn_put(txn, VL_DB_HELD, vl_key_done(key), (struct vl_bytes){value, sizeof(value)});
}

/* The keys of a mission, of its lane, of its epoch there. */
static void held_keys(struct vl_key keys[3], const char *mission, const char *lane,
		      struct vl_epoch epoch)
{
	for (unsigned i = 0; i < 3; i++) {
		vl_key_reset(&keys[i]);
		vl_key_text(&keys[i], mission);
		if (i > 0)
			vl_key_text(&keys[i], lane);
		if (i > 1)
			vl_key_u64(&keys[i], epoch.n);
	}
}

enum vl_evidence_outcome vl_evidence_keep(struct vl_txn *txn, const char *mission, const char *lane,
					  struct vl_epoch epoch, struct vl_seq seq,
					  const struct vl_digest *digest, struct vl_bytes packed,
					  bool chain)
{
	struct vl_key keys[3], key;
	struct held more = {0};

	vl_archive_key(&key, mission, lane, epoch, seq);
	vl_key_bytes(&key, digest->bytes, sizeof(digest->bytes));
	if (vl_txn_get(txn, VL_DB_EVIDENCE, vl_key_done(&key), NULL))
		return VL_EVIDENCE_THERE;
	held_keys(keys, mission, lane, epoch);
	const struct held all = held_get(txn, &keys[0]), of = held_get(txn, &keys[2]);
	bool whole = of.whole < VL_EVIDENCE_WHOLE && all.bytes + packed.size <= VL_EVIDENCE_BYTES;
	bool room = of.digests < VL_EVIDENCE_DIGESTS && all.digests < VL_EVIDENCE_MISSION_DIGESTS;
	bool first = chain && of.whole + of.digests == 0;
	if (whole)
		more = (struct held){.whole = 1, .bytes = packed.size};
	else if (room || first)
		more.digests = 1;
	else
		more.counted = 1;
	for (unsigned i = 0; i < 3; i++)
		if (i < 2 || chain || more.counted == 0)
			held_add(txn, &keys[i], &more);
	if (more.counted > 0)
		return VL_EVIDENCE_COUNTED;
	vl_txn_put(txn, VL_DB_EVIDENCE, vl_key_done(&key), whole ? packed : vl_bytes_of(""));
	return VL_EVIDENCE_KEPT;
}

uint64_t vl_evidence_counted(struct vl_txn *txn, const char *mission, const char *lane)
{
	struct vl_key keys[3];

	held_keys(keys, mission, lane, (struct vl_epoch){0});
	return held_get(txn, &keys[1]).counted;
}

void vl_evidence_forgot(struct vl_txn *txn, const char *mission, const char *lane,
			struct vl_epoch epoch)
{
	struct vl_key keys[3];

	held_keys(keys, mission, lane, epoch);
	held_add(txn, &keys[2], &(struct held){.forgot = 1});
}

void vl_evidence_each(struct vl_txn *txn, const char *mission, const char *lane,
		      void (*each)(void *context, struct vl_epoch epoch, uint64_t kept,
				   bool forgot),
		      void *context)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_HELD);
	struct vl_bytes key, value;
	struct vl_key keys[3];

	held_keys(keys, mission, lane, (struct vl_epoch){0});
	const struct vl_bytes of = vl_key_done(&keys[1]);
	for (bool more = vl_cursor_seek(cursor, of, &key, &value);
	     more && vl_key_has_prefix(key, of); more = vl_cursor_next(cursor, &key, &value)) {
		struct held held = held_read(value);
		if (key.size == of.size + 8 && held.whole + held.digests + held.forgot > 0)
			each(context, (struct vl_epoch){vl_get_be64(key.data + of.size)},
			     held.whole + held.digests, held.forgot > 0);
	}
	vl_cursor_close(cursor);
}

static void count_again(struct vl_txn *txn, struct vl_bytes key, struct vl_bytes value)
{
	char mission[VL_MISSION_MAX + 1], lane[VL_LEDGER_NAME];
	struct vl_key keys[3];
	struct held more = {
		.digests = value.size == 0, .whole = value.size > 0, .bytes = value.size};

	size_t name = strnlen((const char *)key.data, key.size);
	if (name > VL_MISSION_MAX || key.size < name + 2)
		return;
	(void)snprintf(mission, sizeof(mission), "%s", (const char *)key.data);
	size_t length = strnlen((const char *)key.data + name + 1, key.size - name - 1);
	if (length >= sizeof(lane) || key.size < name + length + 2 + 8)
		return;
	(void)snprintf(lane, sizeof(lane), "%s", (const char *)key.data + name + 1);
	held_keys(keys, mission, lane,
		  (struct vl_epoch){vl_get_be64(key.data + name + length + 2)});
	for (unsigned i = 0; i < 3; i++)
		held_add(txn, &keys[i], &more);
	if (held_get(txn, &keys[1]).counted == 0)
		held_add(txn, &keys[1], &(struct held){.counted = 1});
}

void vl_evidence_recount(struct vl_txn *txn)
{
	struct vl_cursor *cursor = vl_cursor_open(txn, VL_DB_EVIDENCE);
	struct vl_bytes key, value;

	vl_txn_clear(txn, VL_DB_HELD);
	vl_cursor_pass_over(cursor, (struct vl_bytes){0}, NULL, NULL);
	for (bool more = vl_cursor_seek(cursor, (struct vl_bytes){0}, &key, &value); more;
	     more = vl_cursor_next(cursor, &key, &value))
		count_again(txn, key, value);
	vl_cursor_close(cursor);
}

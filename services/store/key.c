/*
 * Keys that sort as their parts do (store.h).
 */
#include "base/text.h"
#include "store/store.h"

#include <string.h>

void vl_key_bytes(struct vl_key *key, const void *bytes, size_t count)
{
	if (key->failed || count > sizeof(key->bytes) - key->size) {
		key->failed = true;
		return;
	}
	if (count > 0)
		memcpy(key->bytes + key->size, bytes, count);
	key->size += count;
}

void vl_key_text(struct vl_key *key, const char *text)
{
	vl_key_bytes(key, text, strlen(text) + 1);
}

void vl_key_u8(struct vl_key *key, uint8_t n)
{
	vl_key_bytes(key, &n, 1);
}

void vl_key_u32(struct vl_key *key, uint32_t n)
{
	uint8_t bytes[4];
	vl_put_be32(bytes, n);
	vl_key_bytes(key, bytes, sizeof(bytes));
}

void vl_key_u64(struct vl_key *key, uint64_t n)
{
	uint8_t bytes[8];
	vl_put_be64(bytes, n);
	vl_key_bytes(key, bytes, sizeof(bytes));
}

struct vl_bytes vl_key_done(const struct vl_key *key)
{
	return (struct vl_bytes){key->bytes, key->failed ? VL_STORE_KEY_MAX + 1 : key->size};
}

bool vl_key_has_prefix(struct vl_bytes key, struct vl_bytes prefix)
{
	return key.size >= prefix.size &&
	       (prefix.size == 0 || memcmp(key.data, prefix.data, prefix.size) == 0);
}

#include "base/checksum.h"

#include "base/hash.h"

uint64_t vl_checksum(struct vl_bytes bytes)
{
	return XXH3_64bits(bytes.data, bytes.size);
}

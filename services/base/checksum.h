/*
 * The checksum of what is kept on a disk or goes through a pipe: XXH3, 64 bits. It finds what was
 * corrupted by accident. It proves nothing against a person who wants two contents to be alike.
 *
 * Next: base/hash.h, hash tables.
 */
#ifndef VALISE_BASE_CHECKSUM_H
#define VALISE_BASE_CHECKSUM_H

#include "base/buf.h"

uint64_t vl_checksum(struct vl_bytes bytes);

#endif

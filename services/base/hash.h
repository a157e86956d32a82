/*
 * The only door to xxhash, and to uthash, made to survive a failed allocation, where it would
 * end the process: after HASH_ADD_*, `entry->hh.tbl` is NULL where the entry was not added. Its
 * hash is XXH3, as keys here are long and looked for by the million.
 */
#ifndef VALISE_BASE_HASH_H
#define VALISE_BASE_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, size, hash) ((hash) = (unsigned)XXH3_64bits((key), (size)))
#include <uthash.h>

#endif

/*
 * The only user of xxhash and of uthash.
 *
 * Here uthash survives a failed allocation, which otherwise ends the process: after HASH_ADD_*,
 * `entry->hh.tbl` is NULL if the entry was not added. Its hash is XXH3, since keys here are long
 * and are looked up by the million.
 *
 * Next: clock.h, time.
 */
#ifndef VALISE_BASE_HASH_H
#define VALISE_BASE_HASH_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, size, hash) ((hash) = (unsigned)XXH3_64bits((key), (size)))
#include <uthash.h>

#endif

/*
 * uthash, made to survive a failed allocation, where it would end the process: after HASH_ADD_*, `entry->hh.tbl` is NULL where the
 * entry was not added.
 */
#ifndef VALISE_BASE_HASH_H
#define VALISE_BASE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif

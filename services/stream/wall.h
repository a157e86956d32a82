/*
 * The wall: the most that a record batch may hold unpacked. For services/stream and its tests only.
 *
 * librdkafka 2.0.2 unpacks gzip and lz4 without bound (200 MB from less than 1 MB), and zstd up to
 * receive.message.max.bytes. So this program defines the libraries' unpacking functions itself, in
 * front of theirs. These count the output and fail beyond VL_UNPACK_MAX; librdkafka takes that for
 * a batch that cannot be unpacked. All other unpacking in this program is bounded too. Snappy is
 * librdkafka's own; it cannot grow to more than 22 times its packed size.
 *
 * Next: inquiry.h, why nothing comes from a partition.
 */
#ifndef VALISE_STREAM_WALL_H
#define VALISE_STREAM_WALL_H

#include <stdbool.h>

/* Find the libraries' functions. Call it before the first consumer is opened. */
void vl_wall_build(void);

/* How many times it stopped an unpacking. */
unsigned long long vl_wall_held(void);

#endif

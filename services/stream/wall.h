/*
 * The wall: what a record batch may hold unpacked. For services/stream and its tests only.
 *
 * librdkafka 2.0.2 unpacks gzip and lz4 without bound (200 MB from less than 1 MB), and zstd up
 * to receive.message.max.bytes. So this program has the libraries' unpacking functions itself,
 * in front of theirs: they count what comes out and fail beyond VL_UNPACK_MAX, which librdkafka
 * takes for a batch that cannot be unpacked. Whatever else of this program unpacks is bounded
 * too. Snappy is librdkafka's own; it cannot grow to more than 22 times its packed size.
 */
#ifndef VALISE_STREAM_WALL_H
#define VALISE_STREAM_WALL_H

#include <stdbool.h>

/* Find the libraries' functions; called before the first consumer is. */
void vl_wall_build(void);

/* How often it has held something back. */
unsigned long long vl_wall_held(void);

#endif

/*
 * The peer of flash: a plain librdkafka consumer of the same partition, which does nothing with its
 * records. When it has a record, headquarters may have it too.
 *
 * Next: tests/faults/README.md, what was tried. This is the last header of the tests.
 */
#ifndef VALISE_BENCH_FLASH_PEER_H
#define VALISE_BENCH_FLASH_PEER_H

#include <stddef.h>
#include <stdint.h>

struct peer;

/* Receive from the partition's end on. The time at which the n-th record with that key was
 * received goes into `received[n]`, in milliseconds of the system's clock. Ends the process if
 * it cannot. */
struct peer *peer_open(const char *brokers, const char *topic, int32_t partition, const char *key,
		       _Atomic int64_t *received, size_t room);
void peer_close(struct peer *peer);

#endif

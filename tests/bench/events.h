/*
 * The events of the benchmarks: cases opened, about 300 bytes each, with a sealed personal part
 * that no compression shrinks. One is made with the real messages and then copied, with an id,
 * time, number and seal of its own. So making them takes next to no time from the measurement.
 *
 * Next: flash_scenes.h, what delays an urgent event.
 */
#ifndef VALISE_BENCH_EVENTS_H
#define VALISE_BENCH_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_EVENT_MAX 512
#define BENCH_MISSION "CN-SD-EMB"
#define BENCH_LANE "consular.case.v1"

/* One source of events; each thread has its own. */
struct bench_events {
	uint8_t bytes[BENCH_EVENT_MAX]; /* the next event */
	size_t size;
	size_t id, subject, nonce, seal;
	uint64_t random;
};

/* `seed` distinguishes sources. */
void bench_events_start(struct bench_events *events, uint64_t seed);

/* Make `bytes` the next one. */
void bench_events_next(struct bench_events *events);

/* Seconds since some point, for differences. */
double bench_seconds(void);

#endif

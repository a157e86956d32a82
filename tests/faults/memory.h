/*
 * Memory that runs out: the N-th allocation by the product or by LMDB fails, once or from then on
 * (-Wl,--wrap). Allocations by shared libraries for themselves are not seen. protobuf-c takes its
 * memory from the product's arenas.
 *
 * Next: trial.h, the trials of a store.
 */
#ifndef VALISE_TESTS_FAULTS_MEMORY_H
#define VALISE_TESTS_FAULTS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Let the nth allocation from now on fail (from 1; 0: none). Counting begins again. */
void memory_fail(uint64_t nth, bool for_ever);

uint64_t memory_calls(void);  /* since memory_fail */
uint64_t memory_failed(void); /* how many of them were made to fail */

/* Allocations not yet freed: the same before and after, or something leaks. */
int64_t memory_live(void);

#endif

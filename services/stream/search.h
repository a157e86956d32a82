/*
 * The search for the first offset behind a batch that cannot be read. Kafka gives the whole
 * batch for any offset in it, so an offset is inside while reading there fails in the same way.
 *
 * Pure: `next` names an offset to be tried, `tell` takes what came of it. The offset before the
 * end is tried first, as most such batches are the last; then doubling steps, then halves: at
 * most 2 * log2(records of the batch) + 1 tries.
 */
#ifndef VALISE_STREAM_SEARCH_H
#define VALISE_STREAM_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct vl_search {
	int64_t inside, outside; /* the last that is, and the first that is known not to be */
	int64_t tried, step;     /* step 0: halves */
	bool last_tried;
};

/* `at` is inside; `end` is the partition's. */
void vl_search_begin(struct vl_search *search, int64_t at, int64_t end);

/* False once `outside` is the first offset behind the batch; else the offset to be tried. */
bool vl_search_next(struct vl_search *search, int64_t *offset);
void vl_search_tell(struct vl_search *search, bool inside);

#endif

/*
 * The search for the first offset behind a batch that cannot be read. Kafka returns the whole batch
 * for any offset in it. So an offset is inside if reading there fails in the same way.
 *
 * Pure: `next` names an offset to try, and the caller reports the result to `tell`. The offset
 * before the end is tried first, since most such batches are the last. Then steps double, then
 * halve: at most 2 * log2(records of the batch) + 1 tries.
 *
 * Next: wall.h, the bound on unpacking.
 */
#ifndef VALISE_STREAM_SEARCH_H
#define VALISE_STREAM_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct vl_search {
	/* the last offset that is inside, and the first that is known not to be */
	int64_t inside, outside;
	int64_t tried, step; /* step 0: halves */
	bool last_tried;
};

/* `at` is inside; `end` is the partition's. */
void vl_search_begin(struct vl_search *search, int64_t at, int64_t end);

/* False when `outside` is the first offset behind the batch; else the offset to try. */
bool vl_search_next(struct vl_search *search, int64_t *offset);
void vl_search_tell(struct vl_search *search, bool inside);

#endif

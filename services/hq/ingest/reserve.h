/*
 * The reserve: headquarters' action when its views are full.
 *
 * A part of their room is kept for urgent lanes. If the rest is full, or their disk is nearly full,
 * lanes other than FLASH and IMMEDIATE are not read. Their records wait in Kafka, where none is
 * lost, while urgent lanes go on. After a pause, and when there is room, all lanes go on from the
 * ledger's offsets. If the reserve is full too, no new record is taken, and it is tried again.
 * Readers are not affected in either case.
 *
 * Next: hq/fold/fold.h, how facts become rows.
 */
#ifndef VALISE_HQ_INGEST_RESERVE_H
#define VALISE_HQ_INGEST_RESERVE_H

#include "bus/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VL_RESERVE_SHARE 16                /* of the room one part in so many, */
#define VL_RESERVE_LEAST ((size_t)1 << 20) /* this at least, unless that is more than a quarter, */
#define VL_RESERVE_MOST ((size_t)4 << 30)  /* and this at most */

/* Least and most pause before all lanes are tried again. And how long all must go on before
 * another shortage counts as a new one. */
#define VL_RESERVE_PAUSE_MS 5000
#define VL_RESERVE_PAUSE_MOST_MS 60000
#define VL_RESERVE_STEADY_MS 600000

/* Begins as {.size = [views] size}. */
struct vl_reserve {
	size_t size;
	bool urgent; /* the other lanes wait */
	bool said, said_all;
	int64_t pause_ms, until_ms, since_ms;
};

/* The part of `room` that is kept for urgent lanes. */
size_t vl_reserve_of(size_t room);

/* How large the views may be now, and the least urgent lane that is read. */
size_t vl_reserve_map(const struct vl_reserve *reserve);
enum vl_precedence vl_reserve_least(const struct vl_reserve *reserve);

/* The report, at most once while the state lasts. */
enum vl_reserve_word { VL_RESERVE_NOTHING, VL_RESERVE_FULL, VL_RESERVE_ALL_FULL, VL_RESERVE_ROOM };

/* A write found no room. True if it should be tried again only after `pause_ms`; false if urgent
 * lanes may go on at once. */
bool vl_reserve_met(struct vl_reserve *reserve, int64_t now_ms, enum vl_reserve_word *word);

/* Call it at intervals; `used` and `room` are the store's (vl_store_usage). True if the views
 * must be opened again, since other lanes are read from now on. */
bool vl_reserve_look(struct vl_reserve *reserve, size_t used, size_t room, int64_t now_ms,
		     enum vl_reserve_word *word);

#endif

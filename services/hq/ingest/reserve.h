/*
 * The reserve: what headquarters does when its views are full.
 *
 * A part of their room is kept for what is urgent. Where the rest is full, or their disk nearly
 * is, lanes that are not FLASH or IMMEDIATE are read no further: they wait in Kafka, where
 * nothing of them is lost, while the urgent ones go on. After a pause, and once there is room,
 * all go on from where the ledger says. Where the reserve is full too nothing new is taken, and
 * it is tried again. Readers are not concerned in either case.
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

/* Least and most pause before all is tried again; and how long all must have gone on for another
 * time to be a new one. */
#define VL_RESERVE_PAUSE_MS 5000
#define VL_RESERVE_PAUSE_MOST_MS 60000
#define VL_RESERVE_STEADY_MS 600000

/* Begins as {.size = [views] size}. */
struct vl_reserve {
	size_t size;
	bool urgent; /* the others wait */
	bool said, said_all;
	int64_t pause_ms, until_ms, since_ms;
};

/* What of `room` is kept for what is urgent. */
size_t vl_reserve_of(size_t room);

/* How large the views may be now, and the least urgent that is taken. */
size_t vl_reserve_map(const struct vl_reserve *reserve);
enum vl_precedence vl_reserve_least(const struct vl_reserve *reserve);

/* What is to be said of it, at most once while it lasts. */
enum vl_reserve_word { VL_RESERVE_NOTHING, VL_RESERVE_FULL, VL_RESERVE_ALL_FULL, VL_RESERVE_ROOM };

/* Something found no room. True where it is to be tried again only after `pause_ms`; false where
 * what is urgent may go on at once. */
bool vl_reserve_met(struct vl_reserve *reserve, int64_t now_ms, enum vl_reserve_word *word);

/* Look now and then; `used` and `room` are the store's (vl_store_usage). True where the views
 * must be opened again: from now on others are taken than before. */
bool vl_reserve_look(struct vl_reserve *reserve, size_t used, size_t room, int64_t now_ms,
		     enum vl_reserve_word *word);

#endif

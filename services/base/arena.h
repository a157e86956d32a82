/*
 * Memory for one piece of work, released all at once.
 *
 * Next: text.h, functions on text and bytes.
 */
#ifndef VALISE_BASE_ARENA_H
#define VALISE_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vl_arena;

/* `limit` bounds the bytes that may be in use at once; 0 for no limit. NULL when out of memory.
 * Close with _close. */
struct vl_arena *vl_arena_open(size_t limit);
void vl_arena_close(struct vl_arena *arena);

/* Zeroed, aligned for anything, valid until reset. NULL when out of memory or over the limit.
 * Then vl_arena_failed stays true until reset, so that a long job may check once at its end. */
void *vl_arena_alloc(struct vl_arena *arena, size_t size);

/* A copy with a NUL behind it. NULL as for alloc. */
char *vl_arena_text(struct vl_arena *arena, const void *bytes, size_t count);

bool vl_arena_failed(const struct vl_arena *arena);

/* Everything allocated becomes invalid; one chunk is kept for the next job. */
void vl_arena_reset(struct vl_arena *arena);

#endif

#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK ((size_t)16 * 1024)

struct chunk {
	struct chunk *older;
	size_t used, room;
	alignas(max_align_t) uint8_t bytes[];
};

struct vl_arena {
	struct chunk *newest;
	size_t limit, in_use;
	bool failed;
};

struct vl_arena *vl_arena_open(size_t limit)
{
	struct vl_arena *arena = calloc(1, sizeof(*arena));
	if (arena != NULL)
		arena->limit = limit;
	return arena;
}

static void free_chunks(struct chunk *chunk)
{
	while (chunk != NULL) {
		struct chunk *older = chunk->older;
		free(chunk);
		chunk = older;
	}
}

void vl_arena_close(struct vl_arena *arena)
{
	if (arena == NULL)
		return;
	free_chunks(arena->newest);
	free(arena);
}

static bool add_chunk(struct vl_arena *arena, size_t size)
{
	size_t room = arena->newest != NULL ? arena->newest->room * 2 : FIRST_CHUNK;
	if (room < size)
		room = size;
	struct chunk *chunk = calloc(1, sizeof(*chunk) + room);
	if (chunk == NULL)
		return false;
	chunk->older = arena->newest;
	chunk->room = room;
	arena->newest = chunk;
	return true;
}

void *vl_arena_alloc(struct vl_arena *arena, size_t size)
{
	size_t align = alignof(max_align_t);
	bool fits = !arena->failed && size <= SIZE_MAX / 4;
	if (fits) {
		size = (size + align - 1) / align * align;
		fits = (arena->limit == 0 || size <= arena->limit - arena->in_use) &&
		       ((arena->newest != NULL &&
			 arena->newest->room - arena->newest->used >= size) ||
			add_chunk(arena, size));
	}
	if (!fits) {
		arena->failed = true;
		return NULL;
	}
	void *memory = arena->newest->bytes + arena->newest->used;
	arena->newest->used += size;
	arena->in_use += size;
	return memory;
}

char *vl_arena_text(struct vl_arena *arena, const void *bytes, size_t count)
{
	char *text = count < SIZE_MAX ? vl_arena_alloc(arena, count + 1) : NULL;
	if (text != NULL && count > 0)
		memcpy(text, bytes, count);
	return text;
}

bool vl_arena_failed(const struct vl_arena *arena)
{
	return arena->failed;
}

void vl_arena_reset(struct vl_arena *arena)
{
	if (arena->newest != NULL) {
		free_chunks(arena->newest->older);
		arena->newest->older = NULL;
		/* All at once is faster than piece by piece when it is given out again. */
		memset(arena->newest->bytes, 0, arena->newest->used);
		arena->newest->used = 0;
	}
	arena->in_use = 0;
	arena->failed = false;
}

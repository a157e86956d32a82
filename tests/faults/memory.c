#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void __real_free(void *memory);
int __real_posix_memalign(void **memory, size_t align, size_t size);

/* The product has threads. */
static struct {
	_Atomic uint64_t nth, calls, failed;
	_Atomic bool for_ever;
	_Atomic int64_t live;
} state;

void memory_fail(uint64_t nth, bool for_ever)
{
	state.nth = nth;
	state.for_ever = for_ever;
	state.calls = state.failed = 0;
}

uint64_t memory_calls(void)
{
	return state.calls;
}

uint64_t memory_failed(void)
{
	return state.failed;
}

int64_t memory_live(void)
{
	return state.live;
}

static bool strike(void)
{
	uint64_t nth = state.nth, call = ++state.calls;
	bool hit = nth != 0 && (call == nth || (state.for_ever && call > nth));
	state.failed += hit;
	if (hit)
		errno = ENOMEM;
	return hit;
}

static void *count(void *memory)
{
	state.live += memory != NULL;
	return memory;
}

void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return strike() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return strike() ? NULL : count(__real_calloc(n, size));
}

void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
	if (strike())
		return NULL;
	void *larger = __real_realloc(memory, size);
	return memory == NULL ? count(larger) : larger;
}

void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	state.live -= memory != NULL;
	__real_free(memory);
}

int __wrap_posix_memalign(void **memory, size_t align, size_t size);
int __wrap_posix_memalign(void **memory, size_t align, size_t size)
{
	if (strike())
		return ENOMEM;
	int rc = __real_posix_memalign(memory, align, size);
	state.live += rc == 0;
	return rc;
}

char *__wrap_strndup(const char *text, size_t most);
char *__wrap_strndup(const char *text, size_t most)
{
	size_t size = strnlen(text, most);
	char *copy = __wrap_malloc(size + 1);

	if (copy != NULL) {
		memcpy(copy, text, size);
		copy[size] = '\0';
	}
	return copy;
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return __wrap_strndup(text, strlen(text));
}

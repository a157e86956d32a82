#include "stream/wall.h"

#include "stream/stream.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* The three functions as their libraries have had them for ten years. Their headers are not
 * needed, and need not be there. */

#define SEEN __attribute__((visibility("default"), used))

/* The beginning of zlib's z_stream. */
struct zlib_stream {
	const unsigned char *next_in;
	unsigned avail_in;
	unsigned long total_in;
	unsigned char *next_out;
	unsigned avail_out;
	unsigned long total_out;
};

#define Z_DATA_ERROR (-3)
#define LZ4F_ERROR ((size_t)-1) /* LZ4F_ERROR_GENERIC */
/* ZSTD_error_GENERIC: not "destination too small", or it would try on */
#define ZSTD_ERROR ((size_t)-1)

typedef int inflate_fn(struct zlib_stream *stream, int flush);
typedef size_t lz4_fn(void *context, void *to, size_t *to_size, const void *from, size_t *from_size,
		      const void *options);
typedef size_t lz4_free_fn(void *context);
typedef size_t zstd_fn(void *to, size_t to_size, const void *from, size_t from_size);

SEEN inflate_fn inflate;
SEEN lz4_fn LZ4F_decompress;
SEEN lz4_free_fn LZ4F_freeDecompressionContext;
SEEN zstd_fn ZSTD_decompress;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static inflate_fn *real_inflate;
static lz4_fn *real_lz4;
static lz4_free_fn *real_lz4_free;
static zstd_fn *real_zstd;
static atomic_ullong held;

/* One frame at a time is unpacked in a thread. */
static _Thread_local struct {
	const void *context;
	size_t total;
} frame;

static void look_up(void)
{
	/* A function comes as a pointer to data: POSIX has it so, C has not. */
	void *found[] = {dlsym(RTLD_NEXT, "inflate"), dlsym(RTLD_NEXT, "LZ4F_decompress"),
			 dlsym(RTLD_NEXT, "LZ4F_freeDecompressionContext"),
			 dlsym(RTLD_NEXT, "ZSTD_decompress")};

	memcpy(&real_inflate, &found[0], sizeof(found[0]));
	memcpy(&real_lz4, &found[1], sizeof(found[1]));
	memcpy(&real_lz4_free, &found[2], sizeof(found[2]));
	memcpy(&real_zstd, &found[3], sizeof(found[3]));
}

void vl_wall_build(void)
{
	(void)pthread_once(&once, look_up);
}

unsigned long long vl_wall_held(void)
{
	return atomic_load(&held);
}

int inflate(struct zlib_stream *stream, int flush)
{
	vl_wall_build();
	if (real_inflate != NULL && stream->total_out <= VL_UNPACK_MAX)
		return real_inflate(stream, flush);
	atomic_fetch_add(&held, 1);
	return Z_DATA_ERROR;
}

size_t LZ4F_decompress(void *context, void *to, size_t *to_size, const void *from,
		       size_t *from_size, const void *options)
{
	vl_wall_build();
	if (frame.context != context) {
		frame.context = context;
		frame.total = 0;
	}
	if (real_lz4 == NULL || frame.total > VL_UNPACK_MAX) {
		atomic_fetch_add(&held, 1);
		return LZ4F_ERROR;
	}
	/* The room that librdkafka gives grows with what has come: it is bounded by the wall,
	 * too. */
	if (to_size != NULL && *to_size > VL_UNPACK_MAX + 1 - frame.total)
		*to_size = VL_UNPACK_MAX + 1 - frame.total;
	size_t rest = real_lz4(context, to, to_size, from, from_size, options);
	frame.total += to_size != NULL ? *to_size : 0;
	return rest;
}

size_t LZ4F_freeDecompressionContext(void *context)
{
	vl_wall_build();
	if (frame.context == context)
		frame.context = NULL;
	return real_lz4_free != NULL ? real_lz4_free(context) : 0;
}

size_t ZSTD_decompress(void *to, size_t to_size, const void *from, size_t from_size)
{
	vl_wall_build();
	if (real_zstd != NULL && to_size <= 3 * VL_UNPACK_MAX) {
		size_t size = real_zstd(to, to_size, from, from_size);
		if (size <= VL_UNPACK_MAX || size > to_size)
			return size;
	}
	atomic_fetch_add(&held, 1);
	return ZSTD_ERROR;
}

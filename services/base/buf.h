/*
 * A growing run of bytes. Its error sticks: after a failed allocation every call does nothing,
 * and one check of `vl_buf_failed` at the end is enough.
 *
 * Next: arena.h, memory for one piece of work.
 */
#ifndef VALISE_BASE_BUF_H
#define VALISE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that belong to another owner. */
struct vl_bytes {
	const uint8_t *data;
	size_t size;
};

/* A text's bytes, without its NUL. */
static inline struct vl_bytes vl_bytes_of(const char *text)
{
	return (struct vl_bytes){(const uint8_t *)text, strlen(text)};
}

/* Whether `bytes` are exactly that text. */
static inline bool vl_bytes_are(struct vl_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) &&
	       (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

/* Start with {0}; release with vl_buf_free. `data` moves when it grows. */
struct vl_buf {
	uint8_t *data;
	size_t size, room;
	bool failed;
};

void vl_buf_free(struct vl_buf *buf);

/* Forget the content and the error, keep the memory. */
void vl_buf_reset(struct vl_buf *buf);

void vl_buf_put(struct vl_buf *buf, const void *bytes, size_t count);
void vl_buf_put_byte(struct vl_buf *buf, uint8_t byte);
void vl_buf_put_text(struct vl_buf *buf, const char *text);
void vl_buf_printf(struct vl_buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for `count` bytes at the end, already counted in; NULL when out of memory. */
uint8_t *vl_buf_add(struct vl_buf *buf, size_t count);

static inline bool vl_buf_failed(const struct vl_buf *buf)
{
	return buf->failed;
}

/* The content with a NUL behind it that is not counted; "" when out of memory. Valid until the
 * next call. */
const char *vl_buf_text(struct vl_buf *buf);

static inline struct vl_bytes vl_buf_bytes(const struct vl_buf *buf)
{
	return (struct vl_bytes){buf->data, buf->size};
}

#endif

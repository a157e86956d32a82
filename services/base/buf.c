#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vl_buf_free(struct vl_buf *buf)
{
	free(buf->data);
	*buf = (struct vl_buf){0};
}

void vl_buf_reset(struct vl_buf *buf)
{
	buf->size = 0;
	buf->failed = false;
}

static bool make_room(struct vl_buf *buf, size_t count)
{
	if (buf->failed)
		return false;
	if (buf->room - buf->size >= count)
		return true;
	size_t room = buf->room < 64 ? 64 : buf->room * 2;
	if (room < buf->size + count)
		room = buf->size + count;
	uint8_t *data = count <= SIZE_MAX - buf->size ? realloc(buf->data, room) : NULL;
	if (data == NULL) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->room = room;
	return true;
}

uint8_t *vl_buf_add(struct vl_buf *buf, size_t count)
{
	if (!make_room(buf, count))
		return NULL;
	buf->size += count;
	return buf->data + buf->size - count;
}

void vl_buf_put(struct vl_buf *buf, const void *bytes, size_t count)
{
	if (count == 0)
		return;
	uint8_t *to = vl_buf_add(buf, count);
	if (to != NULL)
		memcpy(to, bytes, count);
}

void vl_buf_put_byte(struct vl_buf *buf, uint8_t byte)
{
	vl_buf_put(buf, &byte, 1);
}

void vl_buf_put_text(struct vl_buf *buf, const char *text)
{
	vl_buf_put(buf, text, strlen(text));
}

void vl_buf_printf(struct vl_buf *buf, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int count = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (count < 0 || !make_room(buf, (size_t)count + 1))
		buf->failed = true;
	else {
		(void)vsnprintf((char *)buf->data + buf->size, (size_t)count + 1, format, again);
		buf->size += (size_t)count;
	}
	va_end(again);
}

const char *vl_buf_text(struct vl_buf *buf)
{
	if (!make_room(buf, 1))
		return "";
	buf->data[buf->size] = '\0';
	return (const char *)buf->data;
}

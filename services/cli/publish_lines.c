#include "cli/publish.h"

#include "bus/batch.h"
#include "bus/json.h"
#include "bus/wire.h"

#include <errno.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <string.h>
#include <unistd.h>
#include <valise/v1/batch.pb-c.h>

#define CHUNK ((size_t)64 << 10)

void cli_lines_free(struct cli_lines *lines)
{
	vl_buf_free(&lines->buf);
}

/* What was given moves out; at most the beginning of one line stays. */
static void make_room(struct cli_lines *lines)
{
	if (lines->at == 0)
		return;
	memmove(lines->buf.data, lines->buf.data + lines->at, lines->buf.size - lines->at);
	lines->buf.size -= lines->at;
	lines->seen -= lines->at;
	lines->at = 0;
}

enum vl_err cli_lines_read(struct cli_lines *lines, struct vl_why *why)
{
	make_room(lines);
	uint8_t *to = vl_buf_add(&lines->buf, CHUNK);
	if (to == NULL)
		return VL_ERR_NOMEM;
	ssize_t n = read(lines->fd, to, CHUNK);
	int why_not = errno;
	lines->buf.size -= CHUNK - (size_t)(n > 0 ? n : 0);
	lines->eof = n == 0;
	if (n >= 0 || why_not == EINTR || why_not == EAGAIN)
		return VL_OK;
	lines->eof = true;
	return vl_fail(why, VL_ERR_IO, "%s", strerror(why_not));
}

/* The rest of a line that was refused goes by unseen. True where a new line begins behind it. */
static bool skip(struct cli_lines *lines)
{
	const uint8_t *from = lines->buf.data + lines->at;
	size_t left = lines->buf.size - lines->at;
	const uint8_t *newline = left > 0 ? memchr(from, '\n', left) : NULL;

	lines->at = newline != NULL ? (size_t)(newline + 1 - lines->buf.data) : lines->buf.size;
	lines->seen = lines->at;
	lines->skipping = newline == NULL;
	return newline != NULL;
}

enum vl_err cli_lines_next(struct cli_lines *lines, struct vl_bytes *line)
{
	if (lines->skipping && !skip(lines))
		return VL_ERR_END;
	size_t unseen = lines->buf.size - lines->seen;
	const uint8_t *newline =
		unseen > 0 ? memchr(lines->buf.data + lines->seen, '\n', unseen) : NULL;
	size_t end = newline != NULL ? (size_t)(newline - lines->buf.data) : lines->buf.size;

	lines->seen = end;
	size_t size = end - lines->at;
	if (size <= CLI_LINE_MAX && newline == NULL && (!lines->eof || size == 0))
		return VL_ERR_END;
	*line = (struct vl_bytes){lines->buf.data + lines->at, size};
	lines->line++;
	lines->at = newline != NULL ? end + 1 : end;
	lines->seen = lines->at;
	if (size <= CLI_LINE_MAX)
		return VL_OK;
	lines->skipping = newline == NULL;
	return VL_ERR_TOO_LARGE;
}

/* -- events -- */

static enum vl_err complete(Valise__V1__Event *event, Google__Protobuf__Timestamp *now,
			    const struct cli_publish *publish, struct vl_event_id *id,
			    struct vl_why *why)
{
	if (event->id.len != 0 && event->id.len != sizeof(id->bytes))
		return vl_fail(why, VL_ERR_INVALID,
			       "id: %zu bytes; give 16 (a UUID, or base64), or leave it out to "
			       "have one made",
			       event->id.len);
	if (event->id.len == 0)
		*id = vl_uuid7(publish->clock, publish->rand);
	else
		memcpy(id->bytes, event->id.data, sizeof(id->bytes));
	event->id = (ProtobufCBinaryData){sizeof(id->bytes), id->bytes};
	if (event->occurred_at == NULL) {
		struct vl_time time = vl_clock_now(publish->clock);
		now->seconds = time.seconds;
		now->nanos = time.nanos;
		event->occurred_at = now;
	}
	return VL_OK;
}

enum vl_err cli_event_make(struct vl_bytes line, struct vl_arena *arena,
			   const struct cli_publish *publish, struct vl_buf *bytes,
			   struct vl_event_id *id, bool *made, struct vl_why *why)
{
	Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	ProtobufCMessage *message;
	const struct vl_lane *lane;
	struct vl_event event;
	size_t from = bytes->size;

	enum vl_err err = vl_json_parse(&valise__v1__event__descriptor, (const char *)line.data,
					line.size, arena, &message, why);
	*made = err == VL_OK && ((Valise__V1__Event *)message)->id.len == 0;
	if (err == VL_OK)
		err = complete((Valise__V1__Event *)message, &now, publish, id, why);
	if (err != VL_OK)
		return err;
	vl_wire_pack(message, bytes);
	if (vl_buf_failed(bytes))
		return VL_ERR_NOMEM;
	return vl_event_check((struct vl_bytes){bytes->data + from, bytes->size - from}, &event,
			      &lane, why);
}

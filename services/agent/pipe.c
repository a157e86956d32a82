#include "agent/pipe.h"

#include "agent/outbox/roster.h"
#include "agent/relay.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* u8 kind, u64 epoch, u64 seq (of a clock: how far it is ahead; of a line: its rate), u64 to,
 * lane text */
#define HEAD ((size_t)25)
#define LANE_MAX ((size_t)249)

/* Of a record, in one packet. */
#define CHUNK ((size_t)16 << 10)

enum vl_err vl_pipe_open(int ends[2], struct vl_why *why)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
	return VL_OK;
}

static uint64_t what_is_told(const struct vl_pipe_message *message)
{
	if (message->kind == VL_PIPE_CLOCK)
		return (uint64_t)message->ahead_ms;
	return message->kind == VL_PIPE_LINE ? message->rate : message->seq.n;
}

enum vl_err vl_pipe_send(int fd, const struct vl_pipe_message *message)
{
	uint8_t packet[HEAD + LANE_MAX];
	size_t lane = message->lane != NULL ? strnlen(message->lane->name, LANE_MAX) : 0;

	packet[0] = (uint8_t)message->kind;
	vl_put_be64(packet + 1, message->epoch.n);
	vl_put_be64(packet + 9, what_is_told(message));
	vl_put_be64(packet + 17, message->to.n);
	if (lane > 0)
		memcpy(packet + HEAD, message->lane->name, lane);
	if (send(fd, packet, HEAD + lane, MSG_NOSIGNAL) >= 0)
		return VL_OK;
	return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? VL_ERR_BUSY : VL_ERR_GONE;
}

enum vl_err vl_pipe_send_record(int fd, struct vl_bytes record, size_t *at)
{
	uint8_t packet[1 + CHUNK];

	do {
		size_t left = record.size - *at, size = left < CHUNK ? left : CHUNK;
		packet[0] = size == left ? VL_PIPE_RECORD : VL_PIPE_PART;
		memcpy(packet + 1, record.data + *at, size);
		if (send(fd, packet, 1 + size, MSG_NOSIGNAL) < 0)
			return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? VL_ERR_BUSY
										     : VL_ERR_GONE;
		*at += size;
	} while (*at < record.size);
	return VL_OK;
}

static bool decode(const uint8_t *packet, size_t size, struct vl_pipe_message *message)
{
	if (size < HEAD || packet[0] == VL_PIPE_RECORD || packet[0] == VL_PIPE_PART)
		return false;
	message->epoch.n = vl_get_be64(packet + 1);
	message->seq.n = message->rate = vl_get_be64(packet + 9);
	message->ahead_ms = (int64_t)message->seq.n;
	message->to.n = vl_get_be64(packet + 17);
	message->lane = vl_roster_find((const char *)packet + HEAD, size - HEAD);
	message->kind = packet[0];
	return message->kind == VL_PIPE_COMMITTED || message->kind == VL_PIPE_STOP ||
	       message->kind == VL_PIPE_LINE || message->kind == VL_PIPE_CLOCK ||
	       message->kind == VL_PIPE_ALIVE ||
	       ((message->kind == VL_PIPE_ACKED || message->kind == VL_PIPE_DAMAGED ||
		 message->kind == VL_PIPE_SENT || message->kind == VL_PIPE_RESEND) &&
		message->lane != NULL);
}

/* One more piece of a record; true where it is the last and the whole is good. A record that
 * grows too long fails, and its last piece ends it. */
static bool collect(const uint8_t *packet, size_t size, struct vl_buf *record)
{
	bool last = packet[0] == VL_PIPE_RECORD;

	if (record->size + size - 1 > VL_RELAY_MAX)
		record->failed = true;
	vl_buf_put(record, packet + 1, size - 1);
	bool good = !vl_buf_failed(record);
	if (last && !good)
		vl_buf_free(record);
	return last && good;
}

enum vl_err vl_pipe_receive(int fd, struct vl_pipe_message *message, struct vl_buf *record)
{
	uint8_t packet[1 + CHUNK];

	for (;;) {
		ssize_t got = recv(fd, packet, sizeof(packet), 0);
		if (got == 0)
			return VL_ERR_GONE;
		if (got < 0 && errno != EINTR)
			return errno == EAGAIN ? VL_ERR_END : VL_ERR_GONE;
		if (got > 0 && decode(packet, (size_t)got, message))
			return VL_OK;
		bool piece = got > 0 && (packet[0] == VL_PIPE_RECORD || packet[0] == VL_PIPE_PART);
		if (piece && record != NULL && collect(packet, (size_t)got, record)) {
			message->kind = VL_PIPE_RECORD;
			return VL_OK;
		}
	}
}

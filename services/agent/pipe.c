#include "agent/pipe.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* u8 kind, u64 epoch, u64 seq, lane text */
#define HEAD ((size_t)17)
#define LANE_MAX ((size_t)249)

enum vl_err vl_pipe_open(int ends[2], struct vl_why *why)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
	return VL_OK;
}

enum vl_err vl_pipe_send(int fd, const struct vl_pipe_message *message)
{
	uint8_t packet[HEAD + LANE_MAX];
	size_t lane = message->lane != NULL ? strnlen(message->lane->name, LANE_MAX) : 0;

	packet[0] = (uint8_t)message->kind;
	vl_put_be64(packet + 1, message->epoch.n);
	vl_put_be64(packet + 9, message->seq.n);
	if (lane > 0)
		memcpy(packet + HEAD, message->lane->name, lane);
	if (send(fd, packet, HEAD + lane, MSG_NOSIGNAL) >= 0)
		return VL_OK;
	return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? VL_ERR_BUSY : VL_ERR_GONE;
}

static bool decode(const uint8_t *packet, size_t size, struct vl_pipe_message *message)
{
	if (size < HEAD)
		return false;
	message->epoch.n = vl_get_be64(packet + 1);
	message->seq.n = vl_get_be64(packet + 9);
	message->lane = vl_lane_find((const char *)packet + HEAD, size - HEAD);
	message->kind = packet[0];
	return message->kind == VL_PIPE_COMMITTED || message->kind == VL_PIPE_STOP ||
	       (message->kind == VL_PIPE_ACKED && message->lane != NULL);
}

enum vl_err vl_pipe_receive(int fd, struct vl_pipe_message *message)
{
	uint8_t packet[HEAD + LANE_MAX];

	for (;;) {
		ssize_t got = recv(fd, packet, sizeof(packet), 0);
		if (got == 0)
			return VL_ERR_GONE;
		if (got < 0 && errno != EINTR)
			return errno == EAGAIN ? VL_ERR_END : VL_ERR_GONE;
		if (got > 0 && decode(packet, (size_t)got, message))
			return VL_OK;
	}
}

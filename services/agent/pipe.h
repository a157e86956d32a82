/*
 * The messages between keeper and link, over a SOCK_SEQPACKET pair: one short message a packet.
 * Neither waits for the other. A wake-up that does not fit is one of many, and a later ack includes
 * an earlier one. A record that the link has read is larger than a packet, and comes in several.
 *
 * Next: intake.h, what the link reads.
 */
#ifndef VALISE_AGENT_PIPE_H
#define VALISE_AGENT_PIPE_H

#include "base/buf.h"
#include "bus/batch.h"
#include "bus/types.h"

enum vl_pipe_kind {
	VL_PIPE_COMMITTED = 1, /* keeper: the outbox is open, or has new batches */
	VL_PIPE_STOP,          /* keeper: end */
	VL_PIPE_ACKED,         /* link: Kafka has all of `lane` up to (epoch, seq) */
	VL_PIPE_RECORD,        /* link: a whole record (relay.h) */
	VL_PIPE_PART,          /* inside: more of a record follows */
	/* keeper: send again from (epoch, seq) of `lane` up to `to`; 0: all that follow */
	VL_PIPE_RESEND,
	VL_PIPE_CLOCK, /* link: how far the broker's clock is ahead of ours */
	/* link: a Kafka that answered was given all of `lane` up to (epoch, seq) */
	VL_PIPE_SENT,
	VL_PIPE_LINE, /* link: the line's speed is `rate` bytes a second */
	/* link: the batch (epoch, seq) of `lane` was due to be sent and is damaged */
	VL_PIPE_DAMAGED,
	VL_PIPE_ALIVE, /* link: it runs */
};

struct vl_pipe_message {
	enum vl_pipe_kind kind;
	const struct vl_lane *lane; /* ACKED, SENT, DAMAGED and RESEND only */
	struct vl_epoch epoch;
	struct vl_seq seq;
	struct vl_seq to; /* RESEND only */
	int64_t ahead_ms; /* CLOCK only; may be negative */
	uint64_t rate;    /* LINE only */
};

/* Both ends, non-blocking and close-on-exec: [0] the keeper's, [1] the link's. */
enum vl_err vl_pipe_open(int ends[2], struct vl_why *why) VL_CHECKED;

/* ok; BUSY if the other end has many messages to read; GONE if there is no other end. */
enum vl_err vl_pipe_send(int fd, const struct vl_pipe_message *message) VL_CHECKED;

/* Send a record from byte `*at` on, which begins at 0 and moves. BUSY if some of it is left:
 * call it again. */
enum vl_err vl_pipe_send_record(int fd, struct vl_bytes record, size_t *at) VL_CHECKED;

/* ok; END if there is no message for now; GONE if there is no other end. A message of unknown
 * kind is skipped. With RECORD, `record` has its bytes until the next call. Between calls it
 * keeps the part that has come; NULL takes none. A record longer than VL_RELAY_MAX is skipped. */
enum vl_err vl_pipe_receive(int fd, struct vl_pipe_message *message,
			    struct vl_buf *record) VL_CHECKED;

#endif

/*
 * The frames between a program and the agent (proto/valise/v1/agent.proto), read and written by
 * hand: nothing is allocated for an event on its way in.
 *
 * Next: answers.h, the answers to them.
 */
#ifndef VALISE_AGENT_FRAME_H
#define VALISE_AGENT_FRAME_H

#include "agent/outbox/outbox.h"
#include "bus/frame.h"
#include "bus/wire.h"
#include "valise/v1/agent.pb-c.h"

/* A PublishRequest, pointing into its frame. */
struct vl_request {
	uint64_t tag;
	size_t n_events;
	struct vl_wire rest;
};

/* Check a whole request first, so that no event of a broken request is taken. MALFORMED or
 * UNKNOWN_FIELD; TOO_LARGE if it has more events than fit one answer. The tag is set if it was
 * found. */
enum vl_err vl_request_read(struct vl_bytes frame, struct vl_request *request,
			    struct vl_why *why) VL_CHECKED;

/* The next of its events; false after the last. */
bool vl_request_next(struct vl_request *request, struct vl_bytes *event);

/* Write one PublishResponse as a frame: begin, one call for each event, end. `begin` returns
 * what `end` takes. */
size_t vl_answer_begin(struct vl_buf *out);
void vl_answer_accepted(struct vl_buf *out, const struct vl_accepted *accepted);
void vl_answer_refused(struct vl_buf *out, Valise__V1__RefusedCause cause, const char *reason);
void vl_answer_end(struct vl_buf *out, size_t begin, uint64_t tag);

#endif

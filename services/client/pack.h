/*
 * An event as the bytes of a valise.v1.Event, and the id in such bytes.
 *
 * Next: client/client_in.h, where the events wait for their answers.
 */
#ifndef VALISE_CLIENT_PACK_H
#define VALISE_CLIENT_PACK_H

#include "base/buf.h"
#include "client/client.h"

/* Append the event; where it has no id or no time, it gets one. */
void vl_client_pack(const struct vl_client_event *event, struct vl_buf *buf);

/* Copy its id; zeros where it has none. */
void vl_client_id_of(struct vl_bytes event, uint8_t id[16]);

#endif

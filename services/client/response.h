/*
 * A PublishResponse (proto/valise/v1/agent.proto), read by hand: so the library needs no protobuf
 * library, and an answer costs no allocation.
 *
 * Next: proto/README.md, how to add a lane. This is the last header of the services.
 */
#ifndef VALISE_CLIENT_RESPONSE_H
#define VALISE_CLIENT_RESPONSE_H

#include "bus/wire.h"
#include "client/client.h"

struct vl_response {
	uint64_t tag;
	size_t n_results;
	struct vl_wire rest;
};

/* Look through a whole response. False where it is none. It points into the frame. */
bool vl_response_read(struct vl_bytes frame, struct vl_response *response);

/* The next result, for as many times as there are. `answer` is filled but for its id. False where
 * the result is none of those that are known: neither yes nor no. */
bool vl_response_next(struct vl_response *response, struct vl_client_answer *answer);

#endif

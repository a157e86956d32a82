/*
 * The limits of a frame on the agent's socket (proto/valise/v1/agent.proto). Both sides take them
 * from here: the agent (agent/frame.h) and its clients (client/client.h).
 *
 * Next: store/store.h, the store of agent and headquarters.
 */
#ifndef VALISE_BUS_FRAME_H
#define VALISE_BUS_FRAME_H

#include <stddef.h>

/* Bytes of the length in front of a frame, big-endian. */
#define VL_FRAME_HEAD ((size_t)4)

/* The most bytes behind it. */
#define VL_FRAME_MAX ((size_t)1 << 20)

/* The most events in one request, so that its answers fit one frame. */
#define VL_FRAME_EVENTS ((size_t)4096)

#endif

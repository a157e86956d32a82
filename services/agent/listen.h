/*
 * The agent's socket, and who may come in.
 */
#ifndef VALISE_AGENT_LISTEN_H
#define VALISE_AGENT_LISTEN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Make the socket, non-blocking; one left behind by an agent that is gone is replaced. LOCKED
 * where somebody listens there. `shared`: others than our own user may connect, to be looked at
 * by uid. Close the fd and unlink the path when done. */
enum vl_err vl_listen(const char *path, bool shared, int *fd, struct vl_why *why) VL_CHECKED;

/* Take the next connection that waits. END where there is none; BUSY where the process has no
 * descriptor left. */
enum vl_err vl_listen_accept(int listener, int *fd, uid_t *uid) VL_CHECKED;

#endif

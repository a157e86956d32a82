/*
 * The agent's socket, and the users that may connect.
 *
 * Next: supervise.h, which starts the link.
 */
#ifndef VALISE_AGENT_LISTEN_H
#define VALISE_AGENT_LISTEN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Make the socket, non-blocking. One left behind by an agent that is gone is replaced. LOCKED if
 * another process listens there. `shared`: users other than our own may connect, and the keeper
 * checks their uid. Close the fd and unlink the path when done. */
enum vl_err vl_listen(const char *path, bool shared, int *fd, struct vl_why *why) VL_CHECKED;

/* Take the next waiting connection. END if there is none; BUSY if the process has no descriptor
 * left. */
enum vl_err vl_listen_accept(int listener, int *fd, uid_t *uid) VL_CHECKED;

#endif

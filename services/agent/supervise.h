/*
 * The link as a child process: started, reaped, and started again after a while, longer each time it does not last.
 */
#ifndef VALISE_AGENT_SUPERVISE_H
#define VALISE_AGENT_SUPERVISE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vl_child;

/* Start `/proc/self/exe --link FD --config path`. SIGCHLD must be blocked; it is left to the caller to hear. */
enum vl_err vl_child_open(const char *path, struct vl_child **child, struct vl_why *why) VL_CHECKED;

/* Our end of the pipe; -1 while none runs, or the one that ran was forgotten. */
int vl_child_pipe(const struct vl_child *child);

/* After SIGCHLD. True where it has ended: its pipe may still hold messages, until forget_pipe closes it. */
bool vl_child_reap(struct vl_child *child, int64_t now_ms);
void vl_child_forget_pipe(struct vl_child *child);

/* Milliseconds until a new one is due; -1 while one runs. */
int vl_child_timeout(const struct vl_child *child, int64_t now_ms);

/* Start a new one where that is due; true where it was. */
bool vl_child_start_due(struct vl_child *child, int64_t now_ms);

/* Ask it to end, and wait for that; after `timeout_ms` it is killed. Its pipe stays, with its last messages. */
void vl_child_stop(struct vl_child *child, int timeout_ms);

/* Stop, and free all. NULL is fine. */
void vl_child_close(struct vl_child *child, int timeout_ms);

#endif

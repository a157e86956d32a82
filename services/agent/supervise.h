/*
 * The link as a child process: started, reaped, and started again after a while. The pause is
 * longer each time it does not last. A link that sends nothing is ended.
 *
 * Next: hq/hq.h, headquarters.
 */
#ifndef VALISE_AGENT_SUPERVISE_H
#define VALISE_AGENT_SUPERVISE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vl_child;

/* Start `/proc/self/exe --link FD --config path`. SIGCHLD must be blocked; the caller receives
 * it. */
enum vl_err vl_child_open(const char *path, struct vl_child **child, struct vl_why *why) VL_CHECKED;

/* Our end of the pipe; -1 while none runs, or after its pipe was forgotten. */
int vl_child_pipe(const struct vl_child *child);

/* After SIGCHLD. True if it has ended: its pipe may still hold messages, until forget_pipe
 * closes it. */
bool vl_child_reap(struct vl_child *child, int64_t now_ms);
void vl_child_forget_pipe(struct vl_child *child);

/* End it, and start a new one at once, which reads the configuration anew. */
void vl_child_renew(struct vl_child *child);

/* Call it whenever timeout says so. `heard` counts the link's messages so far; it sends one
 * every two seconds. If none came in VL_CHILD_BEATS looks of two seconds, it hangs or was
 * stopped, and is killed. Looks are counted, not time, since this process may have been stopped
 * itself. */
#define VL_CHILD_BEAT_MS 2000
#define VL_CHILD_BEATS 15
void vl_child_watch(struct vl_child *child, uint64_t heard, int64_t now_ms);

/* Milliseconds until a new one, or a look, is due. */
int vl_child_timeout(const struct vl_child *child, int64_t now_ms);

/* Start a new one if it is due; true if it was. */
bool vl_child_start_due(struct vl_child *child, int64_t now_ms);

/* Request its end, and wait for it; after `timeout_ms` it is killed. Its pipe stays, with its
 * last messages. */
void vl_child_stop(struct vl_child *child, int timeout_ms);

/* Stop, and free all. NULL is fine. */
void vl_child_close(struct vl_child *child, int timeout_ms);

#endif

#include "agent/supervise.h"

#include "agent/pipe.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGAIN_MIN_MS 1000
#define AGAIN_MAX_MS 30000
#define LASTED_MS 60000 /* one that ran so long does not count as failing again */

struct vl_child {
	char *path;
	pid_t pid; /* 0 while none runs */
	int pipe;
	int64_t started, again_at, again_ms;
	bool renewed; /* it was asked to end, for a new one */
	int64_t beat_at;
	uint64_t heard; /* at the last look */
	unsigned silent;
};

/* Between fork and exec, with the parent's memory still there: only what a signal handler might
 * do. */
static void become_link(const char *path, int pipe, const char *fd, pid_t parent)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)fcntl(pipe, F_SETFD, 0);
	(void)execl("/proc/self/exe", "valise-link", "--link", fd, "--config", path, (char *)NULL);
	_exit(127);
}

static enum vl_err start(struct vl_child *child, struct vl_why *why)
{
	pid_t parent = getpid();
	char fd[16];
	int ends[2];
	enum vl_err err = vl_pipe_open(ends, why);

	if (err != VL_OK)
		return err;
	(void)snprintf(fd, sizeof(fd), "%d", ends[1]);
	pid_t pid = fork();
	if (pid == 0)
		become_link(child->path, ends[1], fd, parent);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return vl_fail(why, VL_ERR_IO, "%s", strerror(errno));
	}
	vl_child_forget_pipe(child);
	child->pid = pid;
	child->pipe = ends[0];
	child->started = vl_monotonic_ms();
	child->beat_at = child->started + VL_CHILD_BEAT_MS;
	child->silent = 0;
	child->renewed = false;
	return VL_OK;
}

enum vl_err vl_child_open(const char *path, struct vl_child **opened, struct vl_why *why)
{
	struct vl_child *child = calloc(1, sizeof(*child));

	*opened = NULL;
	if (child == NULL)
		return VL_ERR_NOMEM;
	child->pipe = -1;
	child->path = strdup(path);
	enum vl_err err = child->path != NULL ? start(child, why) : VL_ERR_NOMEM;
	if (err != VL_OK)
		vl_child_close(child, 0);
	else
		*opened = child;
	return err;
}

int vl_child_pipe(const struct vl_child *child)
{
	return child->pipe;
}

void vl_child_forget_pipe(struct vl_child *child)
{
	if (child->pipe >= 0)
		(void)close(child->pipe);
	child->pipe = -1;
}

static void log_end(const struct vl_child *child, int status)
{
	if (WIFSIGNALED(status))
		vl_log_error("the link died of signal %d; a new one starts in %lld s",
			     WTERMSIG(status), (long long)child->again_ms / 1000);
	else
		vl_log_error("the link ended with status %d; a new one starts in %lld s",
			     WEXITSTATUS(status), (long long)child->again_ms / 1000);
}

bool vl_child_reap(struct vl_child *child, int64_t now_ms)
{
	int status;

	if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
		return false;
	child->pid = 0;
	child->again_at = now_ms;
	if (child->renewed)
		return true;
	bool lasted = now_ms - child->started >= LASTED_MS;
	child->again_ms = vl_back_off(lasted ? 0 : child->again_ms, AGAIN_MIN_MS, AGAIN_MAX_MS);
	child->again_at = now_ms + child->again_ms;
	log_end(child, status);
	return true;
}

void vl_child_renew(struct vl_child *child)
{
	struct vl_pipe_message stop = {.kind = VL_PIPE_STOP};

	if (child->pid == 0) {
		child->again_at = 0;
		return;
	}
	child->renewed = true;
	if (vl_pipe_send(child->pipe, &stop) != VL_OK)
		(void)kill(child->pid, SIGTERM);
}

void vl_child_watch(struct vl_child *child, uint64_t heard, int64_t now_ms)
{
	if (child->pid == 0 || now_ms < child->beat_at)
		return;
	child->beat_at = now_ms + VL_CHILD_BEAT_MS;
	child->silent = heard == child->heard ? child->silent + 1 : 0;
	child->heard = heard;
	if (child->silent < VL_CHILD_BEATS)
		return;
	vl_log_error("the link has said nothing for %d s: it is ended",
		     VL_CHILD_BEATS * VL_CHILD_BEAT_MS / 1000);
	(void)kill(child->pid, SIGKILL);
	child->silent = 0;
}

int vl_child_timeout(const struct vl_child *child, int64_t now_ms)
{
	int64_t at = child->pid != 0 ? child->beat_at : child->again_at;

	return at > now_ms ? (int)(at - now_ms) : 0;
}

bool vl_child_start_due(struct vl_child *child, int64_t now_ms)
{
	struct vl_why why = {0};

	if (child->pid != 0 || now_ms < child->again_at)
		return false;
	enum vl_err err = start(child, &why);
	if (err == VL_OK)
		return true;
	vl_log_cannot("start", "the link", &why, err);
	child->again_at = now_ms + AGAIN_MAX_MS;
	return false;
}

static bool ended(struct vl_child *child)
{
	if (child->pid != 0 && waitpid(child->pid, NULL, WNOHANG) != 0)
		child->pid = 0;
	return child->pid == 0;
}

void vl_child_stop(struct vl_child *child, int timeout_ms)
{
	struct vl_pipe_message stop = {.kind = VL_PIPE_STOP};
	int64_t until = vl_monotonic_ms() + timeout_ms;

	if (child->pid == 0)
		return;
	if (vl_pipe_send(child->pipe, &stop) != VL_OK)
		(void)kill(child->pid, SIGTERM);
	while (!ended(child) && vl_monotonic_ms() < until)
		(void)poll(NULL, 0, 10);
	if (child->pid == 0)
		return;
	(void)kill(child->pid, SIGKILL);
	(void)waitpid(child->pid, NULL, 0);
	child->pid = 0;
}

void vl_child_close(struct vl_child *child, int timeout_ms)
{
	if (child == NULL)
		return;
	vl_child_stop(child, timeout_ms);
	vl_child_forget_pipe(child);
	free(child->path);
	free(child);
}

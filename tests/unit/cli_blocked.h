/*
 * A `valise` that hangs: it writes into a pipe that is not read.
 *
 * Next: ask_rows.h, rows for questions.
 */
#ifndef VALISE_TESTS_CLI_BLOCKED_H
#define VALISE_TESTS_CLI_BLOCKED_H

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka.h needs some of those before it. */
#include <cmocka.h>

#define BLOCKED_PIPE 4096

struct blocked {
	pid_t pid;
	int fd;
};

/* The program that was built beside this test. */
static inline void blocked_program(char path[512])
{
	ssize_t size = readlink("/proc/self/exe", path, 480);

	assert_true(size > 0);
	path[size] = '\0';
	(void)strcpy(strrchr(path, '/') + 1, "valise");
}

/* Started, and waited for until its pipe is full. The arguments end with NULL. */
static inline struct blocked blocked_start(const char *const args[])
{
	struct blocked blocked;
	char path[512];
	int ends[2], waiting = 0;

	blocked_program(path);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(fcntl(ends[0], F_SETPIPE_SZ, BLOCKED_PIPE) > 0);
	blocked.pid = fork();
	assert_true(blocked.pid >= 0);
	if (blocked.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)execv(path, (char *const *)(uintptr_t)args);
		_exit(127);
	}
	(void)close(ends[1]);
	blocked.fd = ends[0];
	while (waiting < BLOCKED_PIPE) {
		assert_int_equal(waitpid(blocked.pid, NULL, WNOHANG), 0);
		(void)poll(NULL, 0, 1);
		assert_int_equal(ioctl(blocked.fd, FIONREAD, &waiting), 0);
	}
	return blocked;
}

/* Read to the end: how many lines it wrote. It must end well. */
static inline unsigned blocked_finish(struct blocked *blocked)
{
	char bytes[BLOCKED_PIPE];
	unsigned lines = 0;
	int status;

	for (ssize_t size; (size = read(blocked->fd, bytes, sizeof(bytes))) > 0;)
		for (ssize_t i = 0; i < size; i++)
			lines += bytes[i] == '\n';
	(void)close(blocked->fd);
	assert_int_equal(waitpid(blocked->pid, &status, 0), blocked->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return lines;
}

#endif

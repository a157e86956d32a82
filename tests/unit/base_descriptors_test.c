/* base/descriptors.h: no file of ours becomes standard input, output or error. */
#include "base/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_null(int fd)
{
	struct stat file;

	return fstat(fd, &file) == 0 && S_ISCHR(file.st_mode) && major(file.st_rdev) == 1 &&
	       minor(file.st_rdev) == 3;
}

/* In a process of its own, with the descriptors closed whose bits are set: what was wrong, 0
 * where nothing is. */
static int start_without(unsigned closed)
{
	char byte = 'x';

	for (int fd = 0; fd < 3; fd++)
		if (closed >> fd & 1)
			(void)close(fd);
	if (!vl_descriptors_open())
		return 1;
	for (int fd = 0; fd < 3; fd++)
		if ((closed >> fd & 1) != 0 && !is_null(fd))
			return 2;
	if ((closed & 1) != 0 && (read(0, &byte, 1) >= 0 || errno != EBADF))
		return 3;
	for (int fd = 1; fd < 3; fd++)
		if ((closed >> fd & 1) != 0 && (write(fd, &byte, 1) >= 0 || errno != EBADF))
			return 4;
	return open("/", O_RDONLY | O_DIRECTORY) > 2 ? 0 : 5;
}

static void test_closed_ones_are_opened_whichever_they_are(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 8; closed++) {
		int status = 0;
		pid_t pid = fork();
		if (pid == 0)
			_exit(start_without(closed));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void test_open_ones_stay_what_they_are(void **state)
{
	struct stat before[3], after;

	(void)state;
	for (int fd = 0; fd < 3; fd++)
		assert_int_equal(fstat(fd, &before[fd]), 0);
	assert_true(vl_descriptors_open());
	for (int fd = 0; fd < 3; fd++) {
		assert_int_equal(fstat(fd, &after), 0);
		assert_true(after.st_dev == before[fd].st_dev && after.st_ino == before[fd].st_ino);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_ones_are_opened_whichever_they_are),
		cmocka_unit_test(test_open_ones_stay_what_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

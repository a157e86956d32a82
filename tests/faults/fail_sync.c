/*
 * Put before libc (LD_PRELOAD): fdatasync fails with EIO while the file named by
 * VALISE_FAIL_SYNC is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd)
{
	const char *while_there = getenv("VALISE_FAIL_SYNC");

	if (while_there != NULL && access(while_there, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

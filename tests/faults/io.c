#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __real_pwrite(int fd, const void *bytes, size_t count, off_t offset);
ssize_t __real_pread(int fd, void *bytes, size_t count, off_t offset);
ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __real_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_msync(void *at, size_t size, int flags);
int __real_ftruncate(int fd, off_t size);
int __real_rename(const char *from, const char *to);

static struct {
	char folder[PATH_MAX];
	size_t folder_size; /* 0: nothing is watched */
	struct io_fault fault;
	uint64_t calls, failed;
	bool lazy;
	struct io_record *record;
} io;

void io_watch(const char *folder)
{
	io.folder_size = 0;
	io.calls = io.failed = 0;
	io.fault = (struct io_fault){0};
	if (folder == NULL)
		return;
	/* It may not be there yet. */
	(void)snprintf(io.folder, sizeof(io.folder), "%s", folder);
	io.folder_size = strlen(io.folder);
}

void io_fail(const struct io_fault *fault)
{
	io.fault = fault != NULL ? *fault : (struct io_fault){0};
	io.calls = io.failed = 0;
}

uint64_t io_calls(void)
{
	return io.calls;
}

uint64_t io_failed(void)
{
	return io.failed;
}

void io_lazy(bool lazy)
{
	io.lazy = lazy;
}

/* -- recording -- */

void io_record(struct io_record *record)
{
	io.record = record;
}

void io_record_free(struct io_record *record)
{
	for (size_t i = 0; i < record->count; i++)
		free(record->events[i].bytes);
	free(record->events);
	*record = (struct io_record){0};
}

static void note(struct io_event event)
{
	struct io_record *record = io.record;

	if (record == NULL) {
		free(event.bytes);
		return;
	}
	if (record->count == record->room) {
		record->room = record->room == 0 ? 256 : record->room * 2;
		record->events = realloc(record->events, record->room * sizeof(*record->events));
		if (record->events == NULL)
			abort();
	}
	record->events[record->count++] = event;
}

void io_mark(uint64_t mark)
{
	note((struct io_event){.kind = IO_MARK, .mark = mark});
}

/* Where `path` is below the watched folder; NULL where it is not. */
static const char *below(const char *path)
{
	if (io.folder_size == 0 || strncmp(path, io.folder, io.folder_size) != 0)
		return NULL;
	if (path[io.folder_size] == '/')
		return path + io.folder_size + 1;
	return path[io.folder_size] == '\0' ? "" : NULL;
}

static bool watched(int fd, char name[48])
{
	char link[32], path[PATH_MAX];

	if (io.folder_size == 0)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof(path) - 1);
	if (size < 0)
		return false;
	path[size] = '\0';
	const char *rest = below(path);
	if (rest != NULL)
		(void)snprintf(name, 48, "%s", rest);
	return rest != NULL;
}

static uint64_t inode(int fd)
{
	struct stat stat;
	return fstat(fd, &stat) == 0 ? stat.st_ino : 0;
}

static void note_write(int fd, const char *name, const void *bytes, size_t count, off_t offset)
{
	if (io.record == NULL || count == 0)
		return;
	struct io_event event = {.kind = IO_WRITE,
				 .file = inode(fd),
				 .offset = (uint64_t)offset,
				 .size = count,
				 .bytes = malloc(count),
				 .durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0};
	if (event.bytes == NULL)
		abort();
	memcpy(event.bytes, bytes, count);
	(void)snprintf(event.name, sizeof(event.name), "%s", name);
	note(event);
}

static void note_sync(int fd, const char *name)
{
	struct io_event event = {.kind = IO_SYNC, .file = inode(fd)};

	(void)snprintf(event.name, sizeof(event.name), "%s", name);
	note(event);
}

/* -- failing -- */

/* Whether this call is one to fail. */
static bool strike(void)
{
	io.calls++;
	bool hit = io.fault.nth != 0 &&
		   (io.calls == io.fault.nth || (io.fault.for_ever && io.calls > io.fault.nth));
	io.failed += hit;
	return hit;
}

static enum io_how how_now(void)
{
	if (io.fault.how != IO_STUCK)
		return io.fault.how;
	return io.failed == 1 ? IO_DONE : IO_NOTHING;
}

static ssize_t write_all(int fd, const char *name, const void *bytes, size_t count, off_t offset)
{
	ssize_t done = __real_pwrite(fd, bytes, count, offset);

	if (done > 0)
		note_write(fd, name, bytes, (size_t)done, offset);
	return done;
}

static ssize_t failing_write(int fd, const char *name, const void *bytes, size_t count,
			     off_t offset)
{
	if (!strike())
		return write_all(fd, name, bytes, count, offset);
	enum io_how how = how_now();
	size_t done = how == IO_NOTHING ? 0 : how == IO_HALF ? count / 2 : count;
	if (done > 0)
		(void)write_all(fd, name, bytes, done, offset);
	if (how == IO_HALF)
		return (ssize_t)done;
	errno = io.fault.error;
	return -1;
}

static int failing_sync(int fd, const char *name, int (*sync)(int fd))
{
	bool hit = strike();

	if (hit && how_now() == IO_NOTHING) {
		errno = io.fault.error;
		return -1;
	}
	int rc = io.lazy ? 0 : sync(fd);
	if (rc == 0)
		note_sync(fd, name);
	if (hit) {
		errno = io.fault.error;
		return -1;
	}
	return rc;
}

static void *joined(const struct iovec *parts, int count, size_t *size)
{
	*size = 0;
	for (int i = 0; i < count; i++)
		*size += parts[i].iov_len;
	uint8_t *bytes = malloc(*size > 0 ? *size : 1), *at = bytes;
	if (bytes == NULL)
		abort();
	for (int i = 0; i < count; i++) {
		memcpy(at, parts[i].iov_base, parts[i].iov_len);
		at += parts[i].iov_len;
	}
	return bytes;
}

/* -- the calls -- */

ssize_t __wrap_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count)
{
	char name[48];

	if (!watched(fd, name))
		return __real_write(fd, bytes, count);
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t done = failing_write(fd, name, bytes, count, at);
	if (done > 0)
		(void)lseek(fd, done, SEEK_CUR);
	return done;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t count, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	char name[48];

	return watched(fd, name) ? failing_write(fd, name, bytes, count, offset)
				 : __real_pwrite(fd, bytes, count, offset);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	char name[48];
	size_t size;

	if (!watched(fd, name))
		return __real_pwritev(fd, parts, count, offset);
	void *bytes = joined(parts, count, &size);
	ssize_t done = failing_write(fd, name, bytes, size, offset);
	int kept = errno;
	free(bytes);
	errno = kept;
	return done;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	char name[48];

	if (!watched(fd, name))
		return __real_writev(fd, parts, count);
	ssize_t done = __wrap_pwritev(fd, parts, count, lseek(fd, 0, SEEK_CUR));
	if (done > 0)
		(void)lseek(fd, done, SEEK_CUR);
	return done;
}

ssize_t __wrap_pread(int fd, void *bytes, size_t count, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t count, off_t offset)
{
	char name[48];

	if (!watched(fd, name) || !strike())
		return __real_pread(fd, bytes, count, offset);
	if (io.fault.how == IO_HALF)
		return __real_pread(fd, bytes, count / 2, offset);
	errno = io.fault.error;
	return -1;
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	char name[48];

	return watched(fd, name) ? failing_sync(fd, name, __real_fdatasync) : __real_fdatasync(fd);
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	char name[48];

	return watched(fd, name) ? failing_sync(fd, name, __real_fsync) : __real_fsync(fd);
}

/* With a map that is written to, a store would not be what image.h takes it for. */
int __wrap_msync(void *at, size_t size, int flags);
int __wrap_msync(void *at, size_t size, int flags)
{
	if (io.folder_size == 0)
		return __real_msync(at, size, flags);
	(void)fprintf(stderr, "faults: msync is not expected of a store\n");
	abort();
}

int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
	char name[48];

	if (!watched(fd, name) || !strike())
		return __real_ftruncate(fd, size);
	errno = io.fault.error;
	return -1;
}

int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
	const char *name = below(to);
	struct stat stat;

	if (name == NULL || lstat(from, &stat) != 0)
		return __real_rename(from, to);
	bool hit = strike();
	bool nothing = hit && how_now() == IO_NOTHING;
	int rc = nothing ? 0 : __real_rename(from, to);
	if (rc == 0 && !nothing) {
		struct io_event event = {.kind = IO_RENAME, .file = stat.st_ino};
		(void)snprintf(event.name, sizeof(event.name), "%s", name);
		note(event);
	}
	if (hit) {
		errno = io.fault.error;
		return -1;
	}
	return rc;
}

/*
 * Who comes in: one writer, and readers whom it can see.
 *
 * The writer holds `writer`, and the database's own file too, as somebody may tidy `writer`
 * away. In `writer` it says who it is and which lock.mdb it looks at: whoever marks itself in
 * another one is not seen, and may be shown pages that are written over.
 */
#include "store/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct holder {
	long pid;
	unsigned long long lock; /* inode of its lock.mdb; 0 where not known */
};

static struct holder read_holder(int fd)
{
	struct holder holder = {0};
	char text[64] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) > 0 &&
	    sscanf(text, "%ld %llu", &holder.pid, &holder.lock) < 1)
		holder = (struct holder){0};
	return holder;
}

static enum vl_err locked(int fd, struct vl_why *why)
{
	struct holder holder = read_holder(fd);

	return holder.pid > 0 ? vl_fail(why, VL_ERR_LOCKED,
					"another process (%ld) writes to it; stop that one first",
					holder.pid)
			      : vl_fail(why, VL_ERR_LOCKED,
					"another process writes to it; stop that one first");
}

/* -- the writer -- */

enum vl_err vl_store_lock_folder(struct vl_store *store, const char *path, struct vl_why *why)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[4096];

	(void)snprintf(name, sizeof(name), "%s/writer", path);
	store->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock < 0)
		return vl_fail(why, vl_store_translate(errno), "%s", strerror(errno));
	if (flock(store->lock, LOCK_EX | LOCK_NB) != 0)
		return locked(store->lock, why);
	/* This one can be tested without taking it: a reader must never be in the way of a
	 * starting writer. */
	(void)fcntl(store->lock, F_OFD_SETLK, &all);
	return VL_OK;
}

enum vl_err vl_store_lock_data(struct vl_store *store, const char *path, struct vl_why *why)
{
	char name[4096];

	(void)snprintf(name, sizeof(name), "%s/data.mdb", path);
	store->data = open(name, O_RDONLY | O_CLOEXEC);
	if (store->data < 0)
		return vl_fail(why, vl_store_translate(errno), "%s", strerror(errno));
	if (flock(store->data, LOCK_EX | LOCK_NB) != 0)
		return vl_fail(why, VL_ERR_LOCKED,
			       "another process writes to it, although its file 'writer' was "
			       "removed; stop that one first");
	return VL_OK;
}

static unsigned long long inode_of(int folder, const char *name)
{
	struct stat file;

	return fstatat(folder, name, &file, 0) == 0 ? (unsigned long long)file.st_ino : 0;
}

/* If it cannot be written, as on a full disk, readers know less. */
void vl_store_sign(struct vl_store *store, const char *path)
{
	char text[64];

	store->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	store->lock_inode = inode_of(store->folder, "lock.mdb");
	int size = snprintf(text, sizeof(text), "%ld %llu\n", (long)getpid(), store->lock_inode);
	if (ftruncate(store->lock, 0) != 0 || pwrite(store->lock, text, (size_t)size, 0) != size)
		(void)ftruncate(store->lock, 0);
}

enum vl_err vl_store_check_seen(const struct vl_store *store, struct vl_why *why)
{
	if (store->folder < 0 || inode_of(store->folder, "lock.mdb") == store->lock_inode)
		return VL_OK;
	return vl_fail(why, VL_ERR_LOCKED,
		       "its file 'lock.mdb' was removed while it was in use, so its readers "
		       "are unknown; start this program again");
}

/* -- readers -- */

/* Whether somebody writes, and who. */
static bool find_writer(const char *path, struct holder *holder)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[4096];

	(void)snprintf(name, sizeof(name), "%s/writer", path);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	*holder = (struct holder){0};
	if (fd < 0)
		return false;
	bool held = fcntl(fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
	if (held)
		*holder = read_holder(fd);
	(void)close(fd);
	return held;
}

/* What stands in the way of marking oneself in lock.mdb: an errno, or 0. Where it is not there
 * yet it must be made. */
static int cannot_mark(const char *path)
{
	char name[4096];

	(void)snprintf(name, sizeof(name), "%s/lock.mdb", path);
	if (access(name, R_OK | W_OK) == 0)
		return 0;
	if (errno != ENOENT)
		return errno;
	return access(path, W_OK | X_OK) == 0 || errno == ENOENT ? 0 : errno;
}

enum vl_err vl_store_check_reader(const char *path, struct vl_why *why)
{
	struct holder holder;
	struct stat file;
	char name[4096];
	bool held = find_writer(path, &holder);
	int reason = cannot_mark(path);

	if (reason == EACCES)
		return vl_fail(why, VL_ERR_PERMISSION,
			       "it is another user's, and each reader must write to its file "
			       "'lock.mdb'. Run this as the user who writes to it. Or give a "
			       "group rw to lock.mdb, r to data.mdb and writer, and x to the "
			       "folder");
	if (reason == EROFS && held)
		return vl_fail(why, VL_ERR_PERMISSION,
			       "it is on a read-only file system, while process %ld writes to "
			       "it. Each reader must write to its file 'lock.mdb': read it "
			       "where that file is writable, or read a copy",
			       holder.pid);
	(void)snprintf(name, sizeof(name), "%s/lock.mdb", path);
	if (held && holder.lock != 0 && (stat(name, &file) != 0 || file.st_ino != holder.lock))
		return vl_fail(why, VL_ERR_LOCKED,
			       "its file 'lock.mdb' was removed while process %ld writes to "
			       "it, who would not see you reading; stop and start that one, "
			       "then try again",
			       holder.pid);
	return VL_OK;
}

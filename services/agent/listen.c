#include "agent/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static enum vl_err failed(struct vl_why *why)
{
	return vl_fail(why, errno == EACCES || errno == EPERM ? VL_ERR_PERMISSION : VL_ERR_IO, "%s",
		       strerror(errno));
}

/* A socket without listener is in the way of bind. */
static enum vl_err clear_stale(const struct sockaddr_un *address, struct vl_why *why)
{
	struct stat found;

	if (lstat(address->sun_path, &found) != 0)
		return errno == ENOENT ? VL_OK : failed(why);
	if (!S_ISSOCK(found.st_mode))
		return vl_fail(why, VL_ERR_CONFIG,
			       "there is something else of that name; give [socket] path another");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failed(why);
	bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
		       errno == ECONNREFUSED;
	(void)close(fd);
	if (!refused)
		return vl_fail(
			why, VL_ERR_LOCKED,
			"another program listens there; stop it, or give [socket] path another");
	return unlink(address->sun_path) == 0 ? VL_OK : failed(why);
}

enum vl_err vl_listen(const char *path, bool shared, int *fd, struct vl_why *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*fd = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return vl_fail(
			why, VL_ERR_CONFIG,
			"the path is longer than %zu bytes; give [socket] path a shorter one",
			sizeof(address.sun_path) - 1);
	(void)strcpy(address.sun_path, path);
	enum vl_err err = clear_stale(&address, why);
	if (err != VL_OK)
		return err;
	int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (made < 0)
		return failed(why);
	/* No client can connect before listen, so the mode is right in time. */
	if (bind(made, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(path, shared ? 0666 : 0600) != 0 || listen(made, BACKLOG) != 0) {
		err = failed(why);
		(void)close(made);
		return err;
	}
	*fd = made;
	return VL_OK;
}

enum vl_err vl_listen_accept(int listener, int *fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	*fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (*fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		return VL_ERR_BUSY;
	if (*fd < 0)
		return VL_ERR_END;
	if (getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
		(void)close(*fd);
		return VL_ERR_END;
	}
	*uid = peer.uid;
	return VL_OK;
}

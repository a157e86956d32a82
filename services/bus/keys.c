#include "bus/keys.h"

#include "base/text.h"
#include "bus/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_ROOM (VL_MISSION_MAX + sizeof(".key"))

enum vl_err vl_key_file_error(struct vl_why *why, const char *name)
{
	switch (errno) {
	case ENOENT:
		return vl_fail(why, VL_ERR_NOT_FOUND, "%.150s: is not there", name);
	case EEXIST:
		return vl_fail(why, VL_ERR_EXISTS,
			       "%.150s: is there already; nothing was overwritten", name);
	case ELOOP:
		return vl_fail(why, VL_ERR_INVALID,
			       "%.150s: is a symbolic link; a key must be a file itself", name);
	case EACCES:
	case EPERM:
		return vl_fail(why, VL_ERR_PERMISSION, "%.150s: %s", name, strerror(errno));
	case ENOMEM:
		return VL_ERR_NOMEM;
	}
	return vl_fail(why, VL_ERR_IO, "%.150s: %s", name, strerror(errno));
}

static bool write_all(int file, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t count = write(file, text, size);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		text += count;
		size -= (size_t)count;
	}
	return true;
}

/* What cannot be finished is taken away again. */
enum vl_err vl_key_file_write(int dir, const char *name, const char *text, struct vl_why *why)
{
	int file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return vl_key_file_error(why, name);
	bool good = write_all(file, text, strlen(text)) && fsync(file) == 0;
	enum vl_err err = good ? VL_OK : vl_key_file_error(why, name);
	if (close(file) != 0 && err == VL_OK)
		err = vl_key_file_error(why, name);
	if (err != VL_OK)
		(void)unlinkat(dir, name, 0);
	return err;
}

static enum vl_err write_key(int dir, const char *name, const char *line, struct vl_why *why)
{
	char text[VL_KEY_LINE + 1];

	(void)snprintf(text, sizeof(text), "%s\n", line);
	enum vl_err err = vl_key_file_write(dir, name, text, why);
	sodium_memzero(text, sizeof(text));
	return err;
}

static enum vl_err write_pair(int dir, const char *id, const char *secret_line,
			      const char *public_line, struct vl_why *why)
{
	char secret_name[NAME_ROOM], public_name[NAME_ROOM];

	(void)snprintf(secret_name, sizeof(secret_name), "%s.key", id);
	(void)snprintf(public_name, sizeof(public_name), "%s.pub", id);
	enum vl_err err = write_key(dir, secret_name, secret_line, why);
	if (err != VL_OK)
		return err;
	err = write_key(dir, public_name, public_line, why);
	if (err != VL_OK) {
		(void)unlinkat(dir, secret_name, 0);
		return err;
	}
	return fsync(dir) == 0 ? VL_OK : vl_key_file_error(why, "the folder");
}

void vl_key_line_write(const char *id, const uint8_t bytes[32], char line[VL_KEY_LINE])
{
	int length = snprintf(line, VL_KEY_LINE, "%s ", id);

	(void)vl_hex(bytes, 32, line + length);
}

enum vl_err vl_key_new(const char *dir, const char *id, const struct vl_rand *rand,
		       char line[VL_KEY_LINE], struct vl_why *why)
{
	enum vl_err err;
	uint8_t seed[32];
	char secret_line[VL_KEY_LINE];
	struct vl_signer *signer = NULL;
	int folder = -1;

	if (!vl_mission_valid(id, strlen(id)))
		return vl_fail(why, VL_ERR_INVALID, "a sender's id is " VL_MISSION_RULE);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return vl_key_file_error(why, dir);
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return vl_key_file_error(why, dir);
	vl_rand_fill(rand, seed, sizeof(seed));
	vl_key_line_write(id, seed, secret_line);
	err = vl_signer_open(seed, &signer);
	if (err == VL_OK) {
		vl_key_line_write(id, vl_signer_public(signer)->bytes, line);
		err = write_pair(folder, id, secret_line, line, why);
	}
	vl_signer_close(signer);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret_line, sizeof(secret_line));
	(void)close(folder);
	return err;
}

bool vl_key_line_read(const char *line, size_t length, char mission[VL_MISSION_MAX + 1],
		      uint8_t bytes[32])
{
	const char *space = memchr(line, ' ', length);
	size_t id_length = space != NULL ? (size_t)(space - line) : 0;

	if (space == NULL || !vl_mission_valid(line, id_length) ||
	    !vl_unhex(space + 1, length - id_length - 1, bytes, 32))
		return false;
	memcpy(mission, line, id_length);
	mission[id_length] = '\0';
	return true;
}

/* The one line of a key file that is neither a comment nor empty. */
static bool parse_file(const char *text, size_t size, char mission[VL_MISSION_MAX + 1],
		       uint8_t bytes[32])
{
	size_t lines = 0;

	for (const char *end = text + size; text < end;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline != NULL ? newline : end) - text);
		if (length > 0 && text[0] != '#' &&
		    (lines++ > 0 || !vl_key_line_read(text, length, mission, bytes)))
			return false;
		text = newline != NULL ? newline + 1 : end;
	}
	return lines == 1;
}

enum vl_err vl_key_file_read(int dir, const char *name, int flags, struct vl_key_file *key,
			     struct vl_why *why)
{
	enum vl_err err = VL_OK;
	/* O_NONBLOCK: a pipe put there by mistake must not hang a program that starts. */
	int file = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);

	if (file < 0 || fstat(file, &key->state) != 0)
		err = vl_key_file_error(why, name);
	else if (!S_ISREG(key->state.st_mode))
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: is not a regular file", name);
	else if (key->state.st_size > (off_t)VL_KEY_FILE_MAX)
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: is too large for a key", name);
	for (key->size = 0; err == VL_OK && key->size < VL_KEY_FILE_MAX;) {
		ssize_t count = read(file, key->text + key->size, VL_KEY_FILE_MAX - key->size);
		if (count == 0)
			break;
		if (count > 0)
			key->size += (size_t)count;
		else if (errno != EINTR)
			err = vl_key_file_error(why, name);
	}
	if (file >= 0)
		(void)close(file);
	return err;
}

static enum vl_err check_owner(const char *path, const struct stat *state, struct vl_why *why)
{
	if ((state->st_mode & 077) != 0)
		return vl_fail(
			why, VL_ERR_PERMISSION,
			"%.150s: others may use it (mode %04o); chmod 600, and make a new key",
			path, (unsigned)state->st_mode & 07777);
	if (state->st_uid != geteuid() && state->st_uid != 0)
		return vl_fail(
			why, VL_ERR_PERMISSION,
			"%.150s: belongs to uid %u, neither to this process's user nor to root",
			path, (unsigned)state->st_uid);
	return VL_OK;
}

enum vl_err vl_key_load(const char *path, const char *id, struct vl_signer **signer,
			struct vl_why *why)
{
	struct vl_key_file file;
	char mission[VL_MISSION_MAX + 1];
	uint8_t seed[32];

	*signer = NULL;
	enum vl_err err = vl_key_file_read(AT_FDCWD, path, O_NOFOLLOW, &file, why);
	if (err == VL_OK)
		err = check_owner(path, &file.state, why);
	if (err == VL_OK && !parse_file(file.text, file.size, mission, seed))
		err = vl_fail(why, VL_ERR_INVALID,
			      "%.150s: must hold one line, '<id> <seed, 64 hex digits>'", path);
	if (err == VL_OK && id != NULL && strcmp(id, mission) != 0)
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: is the key of %s, not of %.32s", path,
			      mission, id);
	if (err == VL_OK)
		err = vl_signer_open(seed, signer);
	sodium_memzero(file.text, sizeof(file.text));
	sodium_memzero(seed, sizeof(seed));
	return err;
}

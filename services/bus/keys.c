#include "bus/keys.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)4096) /* of a key file, comments included */
#define NAME_ROOM (VL_MISSION_MAX + sizeof(".key"))

struct vl_ring {
	struct vl_ring_entry *entries; /* by id */
	size_t count, room;
};

/* A key file as read. */
struct key_file {
	struct stat state;
	size_t size;
	char text[FILE_MAX];
};

static enum vl_err system_error(struct vl_why *why, const char *name)
{
	switch (errno) {
	case ENOENT:
		return vl_fail(why, VL_ERR_NOT_FOUND, "%.150s: is not there", name);
	case EEXIST:
		return vl_fail(why, VL_ERR_EXISTS, "%.150s: is there already; nothing was overwritten", name);
	case ELOOP:
		return vl_fail(why, VL_ERR_INVALID, "%.150s: is a symbolic link; a key must be a file itself", name);
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

/* A new file of one line, on the disk when this returns. What cannot be finished is taken away again. */
static enum vl_err write_key(int dir, const char *name, const char *line, struct vl_why *why)
{
	int file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return system_error(why, name);
	bool good = write_all(file, line, strlen(line)) && write_all(file, "\n", 1) && fsync(file) == 0;
	enum vl_err err = good ? VL_OK : system_error(why, name);
	if (close(file) != 0 && err == VL_OK)
		err = system_error(why, name);
	if (err != VL_OK)
		(void)unlinkat(dir, name, 0);
	return err;
}

static enum vl_err write_pair(int dir, const char *id, const char *secret_line, const char *public_line,
			      struct vl_why *why)
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
	return fsync(dir) == 0 ? VL_OK : system_error(why, "the folder");
}

static void format_line(const char *id, const uint8_t bytes[32], char line[VL_KEY_LINE])
{
	int length = snprintf(line, VL_KEY_LINE, "%s ", id);

	(void)vl_hex(bytes, 32, line + length);
}

enum vl_err vl_key_new(const char *dir, const char *id, const struct vl_rand *rand, char line[VL_KEY_LINE],
		       struct vl_why *why)
{
	enum vl_err err;
	uint8_t seed[32];
	char secret_line[VL_KEY_LINE];
	struct vl_signer *signer = NULL;
	int folder = -1;

	if (!vl_mission_valid(id, strlen(id)))
		return vl_fail(why, VL_ERR_INVALID, "a sender's id is 2 to %zu of A-Z, 0-9 and '-', a letter first",
			       VL_MISSION_MAX);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return system_error(why, dir);
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return system_error(why, dir);
	vl_rand_fill(rand, seed, sizeof(seed));
	format_line(id, seed, secret_line);
	err = vl_signer_open(seed, &signer);
	if (err == VL_OK) {
		format_line(id, vl_signer_public(signer)->bytes, line);
		err = write_pair(folder, id, secret_line, line, why);
	}
	vl_signer_close(signer);
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(secret_line, sizeof(secret_line));
	(void)close(folder);
	return err;
}

/* `<id> <64 hex digits>`, and nothing else. */
static bool parse_line(const char *line, size_t length, char mission[VL_MISSION_MAX + 1], uint8_t bytes[32])
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
static bool parse_file(const char *text, size_t size, char mission[VL_MISSION_MAX + 1], uint8_t bytes[32])
{
	size_t lines = 0;

	for (const char *end = text + size; text < end;) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t length = (size_t)((newline != NULL ? newline : end) - text);
		if (length > 0 && text[0] != '#' && (lines++ > 0 || !parse_line(text, length, mission, bytes)))
			return false;
		text = newline != NULL ? newline + 1 : end;
	}
	return lines == 1;
}

static enum vl_err read_file(int dir, const char *name, int flags, struct key_file *key, struct vl_why *why)
{
	enum vl_err err = VL_OK;
	/* O_NONBLOCK: a pipe put there by mistake must not hang whoever starts. */
	int file = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);

	if (file < 0 || fstat(file, &key->state) != 0)
		err = system_error(why, name);
	else if (!S_ISREG(key->state.st_mode))
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: is not a regular file", name);
	else if (key->state.st_size > (off_t)FILE_MAX)
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: is too large for a key", name);
	for (key->size = 0; err == VL_OK && key->size < FILE_MAX;) {
		ssize_t count = read(file, key->text + key->size, FILE_MAX - key->size);
		if (count == 0)
			break;
		if (count > 0)
			key->size += (size_t)count;
		else if (errno != EINTR)
			err = system_error(why, name);
	}
	if (file >= 0)
		(void)close(file);
	return err;
}

static enum vl_err check_owner(const char *path, const struct stat *state, struct vl_why *why)
{
	if ((state->st_mode & 077) != 0)
		return vl_fail(why, VL_ERR_PERMISSION,
			       "%.150s: others may use it (mode %04o); chmod 600, and make a new key", path,
			       (unsigned)state->st_mode & 07777);
	if (state->st_uid != geteuid() && state->st_uid != 0)
		return vl_fail(why, VL_ERR_PERMISSION,
			       "%.150s: belongs to uid %u, neither to this process's user nor to root", path,
			       (unsigned)state->st_uid);
	return VL_OK;
}

enum vl_err vl_key_load(const char *path, const char *id, struct vl_signer **signer, struct vl_why *why)
{
	struct key_file file;
	char mission[VL_MISSION_MAX + 1];
	uint8_t seed[32];

	*signer = NULL;
	enum vl_err err = read_file(AT_FDCWD, path, O_NOFOLLOW, &file, why);
	if (err == VL_OK)
		err = check_owner(path, &file.state, why);
	if (err == VL_OK && !parse_file(file.text, file.size, mission, seed))
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: must hold one line, '<id> <seed, 64 hex digits>'", path);
	if (err == VL_OK && id != NULL && strcmp(id, mission) != 0)
		err = vl_fail(why, VL_ERR_INVALID, "%.150s: is the key of %s, not of %.32s", path, mission, id);
	if (err == VL_OK)
		err = vl_signer_open(seed, signer);
	sodium_memzero(file.text, sizeof(file.text));
	sodium_memzero(seed, sizeof(seed));
	return err;
}

/* Where an entry of that id is, or would go. */
static size_t place_of(const struct vl_ring *ring, const struct vl_key_id *id)
{
	size_t low = 0, high = ring->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (memcmp(ring->entries[middle].id.bytes, id->bytes, sizeof(id->bytes)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct vl_ring_entry *vl_ring_find(const struct vl_ring *ring, const struct vl_key_id *id)
{
	size_t place = place_of(ring, id);

	if (place == ring->count || memcmp(ring->entries[place].id.bytes, id->bytes, sizeof(id->bytes)) != 0)
		return NULL;
	return &ring->entries[place];
}

static enum vl_err ring_add(struct vl_ring *ring, const char *name, const struct vl_ring_entry *entry,
			    struct vl_why *why)
{
	const struct vl_ring_entry *known = vl_ring_find(ring, &entry->id);

	if (known != NULL && strcmp(known->mission, entry->mission) == 0)
		return VL_OK;
	if (known != NULL)
		return vl_fail(why, VL_ERR_INVALID, "%.100s: the key of %s is enrolled for %s too; make a new one",
			       name, entry->mission, known->mission);
	if (ring->count == ring->room) {
		size_t room = ring->room > 0 ? ring->room * 2 : 64;
		struct vl_ring_entry *entries = realloc(ring->entries, room * sizeof(*entries));
		if (entries == NULL)
			return VL_ERR_NOMEM;
		ring->entries = entries;
		ring->room = room;
	}
	size_t place = place_of(ring, &entry->id);
	struct vl_ring_entry *at = &ring->entries[place];
	memmove(at + 1, at, (ring->count - place) * sizeof(*at));
	*at = *entry;
	ring->count++;
	return VL_OK;
}

/* Links are followed here: Kubernetes mounts a folder of public files as links. */
static enum vl_err read_public(int dir, const char *name, struct vl_ring *ring, struct vl_why *why)
{
	struct key_file file;
	struct vl_ring_entry entry;

	enum vl_err err = read_file(dir, name, 0, &file, why);
	if (err != VL_OK)
		return err;
	if (!parse_file(file.text, file.size, entry.mission, entry.key.bytes))
		return vl_fail(why, VL_ERR_INVALID, "%.150s: must hold one line, '<id> <public key, 64 hex digits>'",
			       name);
	if (crypto_core_ed25519_is_valid_point(entry.key.bytes) != 1)
		return vl_fail(why, VL_ERR_INVALID, "%.150s: holds no Ed25519 public key; have %s send it again", name,
			       entry.mission);
	entry.id = vl_key_id_of(&entry.key);
	return ring_add(ring, name, &entry, why);
}

static bool is_public_name(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 4 && strcmp(name + length - 4, ".pub") == 0;
}

static enum vl_err read_folder(DIR *folder, struct vl_ring *ring, struct vl_why *why)
{
	for (;;) {
		errno = 0;
		const struct dirent *item = readdir(folder);
		if (item == NULL)
			return errno == 0 ? VL_OK : system_error(why, "the folder of public keys");
		enum vl_err err =
			is_public_name(item->d_name) ? read_public(dirfd(folder), item->d_name, ring, why) : VL_OK;
		if (err != VL_OK)
			return err;
	}
}

enum vl_err vl_ring_open(const char *dir, struct vl_ring **ring, struct vl_why *why)
{
	*ring = NULL;
	if (sodium_init() < 0)
		return VL_ERR_BUG;
	DIR *folder = opendir(dir);
	if (folder == NULL)
		return system_error(why, dir);
	struct vl_ring *made = calloc(1, sizeof(*made));
	enum vl_err err = made != NULL ? read_folder(folder, made, why) : VL_ERR_NOMEM;
	(void)closedir(folder);
	if (err == VL_OK)
		*ring = made;
	else
		vl_ring_close(made);
	return err;
}

void vl_ring_close(struct vl_ring *ring)
{
	if (ring == NULL)
		return;
	free(ring->entries);
	free(ring);
}

size_t vl_ring_count(const struct vl_ring *ring)
{
	return ring->count;
}

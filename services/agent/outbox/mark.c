#include "agent/outbox/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Its lines:
 *     valise-mark 1
 *     mission ID
 *     token HEX
 *     before HEX                       while starting
 *     lane NAME EPOCH SEQ DIGEST       one each
 *     sum HEX                          of all before it
 */

#define FIRST "valise-mark 1"
#define SUM ((size_t)16)
#define MARK_MAX ((size_t)64 << 10)

static enum vl_err system_error(struct vl_why *why, const char *path)
{
	enum vl_err err = errno == ENOENT                      ? VL_ERR_NOT_FOUND
			  : errno == ENOSPC || errno == EDQUOT ? VL_ERR_FULL
			  : errno == EACCES || errno == EPERM  ? VL_ERR_PERMISSION
							       : VL_ERR_IO;

	return vl_fail(why, err, "'%.150s': %s", path, strerror(errno));
}

static void sum(const char *text, size_t size, char hex[2 * SUM + 1])
{
	uint8_t bytes[SUM];

	(void)crypto_generichash(bytes, sizeof(bytes), (const uint8_t *)text, size, NULL, 0);
	(void)vl_hex(bytes, sizeof(bytes), hex);
}

/* -- reading -- */

static enum vl_err load(const char *path, struct vl_buf *text, struct vl_why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0)
		return system_error(why, path);
	do {
		uint8_t *to = vl_buf_add(text, 4096);
		n = to != NULL ? read(fd, to, 4096) : -1;
		if (to != NULL)
			text->size -= 4096 - (size_t)(n > 0 ? n : 0);
	} while (n > 0 && text->size <= MARK_MAX);
	enum vl_err err = n >= 0 ? VL_OK : system_error(why, path);
	(void)close(fd);
	return err;
}

static bool take_token(const char *hex, uint8_t token[VL_MARK_TOKEN])
{
	return strlen(hex) == 2 * (size_t)VL_MARK_TOKEN &&
	       vl_unhex(hex, strlen(hex), token, VL_MARK_TOKEN);
}

static bool take_lane(const char *line, struct vl_mark *mark)
{
	struct vl_mark_lane lane = {0};
	char hex[65];
	int end = 0;

	if (mark->n_lanes == VL_MARK_LANES ||
	    sscanf(line, "%63s %" SCNu64 " %" SCNu64 " %64s%n", lane.name, &lane.epoch.n,
		   &lane.seq.n, hex, &end) != 4 ||
	    line[end] != '\0' || strlen(hex) != 64 ||
	    !vl_unhex(hex, 64, lane.digest.bytes, sizeof(lane.digest.bytes)))
		return false;
	mark->lanes[mark->n_lanes++] = lane;
	return true;
}

static bool take_line(const char *line, struct vl_mark *mark)
{
	if (strncmp(line, "lane ", 5) == 0)
		return take_lane(line + 5, mark);
	if (strncmp(line, "token ", 6) == 0)
		return take_token(line + 6, mark->token);
	if (strncmp(line, "before ", 7) == 0) {
		mark->starting = true;
		return take_token(line + 7, mark->before);
	}
	if (strncmp(line, "mission ", 8) != 0 || strlen(line + 8) > VL_MISSION_MAX)
		return false;
	(void)strcpy(mark->mission, line + 8);
	return true;
}

/* The text ends with a NUL that is not counted. */
static bool take(char *text, size_t size, struct vl_mark *mark)
{
	const size_t tail = strlen("sum ") + 2 * SUM + 1;
	char hex[2 * SUM + 1], *rest = NULL;

	if (size < tail || text[size - 1] != '\n' || strlen(text) != size)
		return false;
	sum(text, size - tail, hex);
	text[size - 1] = '\0';
	if (strncmp(text + size - tail, "sum ", 4) != 0 || strcmp(text + size - tail + 4, hex) != 0)
		return false;
	text[size - tail] = '\0';
	const char *line = strtok_r(text, "\n", &rest);
	if (line == NULL || strcmp(line, FIRST) != 0)
		return false;
	while ((line = strtok_r(NULL, "\n", &rest)) != NULL)
		if (!take_line(line, mark))
			return false;
	return mark->mission[0] != '\0';
}

enum vl_err vl_mark_read(const char *path, struct vl_mark *mark, struct vl_why *why)
{
	struct vl_buf text = {0};
	enum vl_err err = load(path, &text, why);

	*mark = (struct vl_mark){0};
	size_t size = text.size;
	vl_buf_put_byte(&text, '\0');
	if (vl_buf_failed(&text))
		err = VL_ERR_NOMEM;
	if (err == VL_OK && !take((char *)text.data, size, mark))
		err = vl_fail(why, VL_ERR_CORRUPT, "'%.150s' is damaged", path);
	vl_buf_free(&text);
	return err;
}

/* -- writing -- */

static void put(struct vl_buf *text, const struct vl_mark *mark)
{
	char hex[65];

	vl_buf_printf(text, FIRST "\nmission %s\ntoken %s\n", mark->mission,
		      vl_hex(mark->token, VL_MARK_TOKEN, hex));
	if (mark->starting)
		vl_buf_printf(text, "before %s\n", vl_hex(mark->before, VL_MARK_TOKEN, hex));
	for (size_t i = 0; i < mark->n_lanes; i++) {
		const struct vl_mark_lane *lane = &mark->lanes[i];
		vl_buf_printf(text, "lane %s %" PRIu64 " %" PRIu64 " %s\n", lane->name,
			      lane->epoch.n, lane->seq.n,
			      vl_hex(lane->digest.bytes, sizeof(lane->digest.bytes), hex));
	}
	if (!vl_buf_failed(text)) {
		sum((const char *)text->data, text->size, hex);
		vl_buf_printf(text, "sum %s\n", hex);
	}
}

static bool store(const char *path, struct vl_bytes text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t at = 0;
	ssize_t n = 0;

	if (fd < 0)
		return false;
	for (; at < text.size && (n >= 0 || errno == EINTR); at += n > 0 ? (size_t)n : 0)
		n = write(fd, text.data + at, text.size - at);
	bool good = at == text.size && fsync(fd) == 0;
	int code = errno;
	good = close(fd) == 0 && good;
	errno = code;
	return good;
}

/* The new name is on the disk once the folder is. */
static bool sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? strdup(".")
				     : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool good = fd >= 0 && fsync(fd) == 0;
	int code = errno;

	if (fd >= 0)
		(void)close(fd);
	free(folder);
	errno = code;
	return good;
}

enum vl_err vl_mark_write(const char *path, const struct vl_mark *mark, struct vl_why *why)
{
	struct vl_buf text = {0}, aside = {0};
	enum vl_err err = VL_ERR_NOMEM;

	put(&text, mark);
	vl_buf_printf(&aside, "%s.new", path);
	const char *new = vl_buf_text(&aside);
	if (vl_buf_failed(&text) || vl_buf_failed(&aside))
		goto out;
	err = store(new, vl_buf_bytes(&text)) && rename(new, path) == 0 && sync_folder(path)
		      ? VL_OK
		      : system_error(why, path);
out:
	vl_buf_free(&text);
	vl_buf_free(&aside);
	return err;
}

/* -- the machine -- */

bool vl_mark_machine(const char *path, uint8_t machine[VL_MARK_MACHINE])
{
	static const uint8_t domain[] = "valise/machine/v1";
	struct vl_buf text = {0};
	bool good = load(path, &text, NULL) == VL_OK && !vl_buf_failed(&text) && text.size > 0;

	/* Keyed: the file's content must not leave the machine (machine-id(5)). */
	if (good)
		(void)crypto_generichash(machine, VL_MARK_MACHINE, text.data, text.size, domain,
					 sizeof(domain) - 1);
	vl_buf_free(&text);
	return good;
}

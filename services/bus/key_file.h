/*
 * Inside keys.c and ring.c: how a file of keys is read.
 *
 * A file holds one key line, `<id> <64 hex digits>`. Lines that begin with '#' are comments. A
 * public key file may hold more lines, which ring.h describes.
 *
 * Next: ring.h, the public keys of all senders.
 */
#ifndef VALISE_BUS_KEY_FILE_H
#define VALISE_BUS_KEY_FILE_H

#include "base/err.h"
#include "bus/keys.h"

#include <sys/stat.h>

/* A key file as read. */
#define VL_KEY_FILE_MAX ((size_t)16384) /* comments and spans included */
struct vl_key_file {
	struct stat state;
	size_t size;
	char text[VL_KEY_FILE_MAX];
};

/* Read the file `name` in folder `dir`, at most VL_KEY_FILE_MAX bytes; `flags` are added to
 * open's. INVALID if it is not a regular file or is too large; NOT_FOUND, PERMISSION or IO. The
 * reason names the file. */
enum vl_err vl_key_file_read(int dir, const char *name, int flags, struct vl_key_file *file,
			     struct vl_why *why) VL_CHECKED;

/* Make a file `name` in folder `dir` that holds `text`, mode 0600. It is on the disk when this
 * returns. EXISTS if it exists. */
enum vl_err vl_key_file_write(int dir, const char *name, const char *text,
			      struct vl_why *why) VL_CHECKED;

/* A line is `<id> <64 hex digits>` and nothing else. */
bool vl_key_line_read(const char *line, size_t length, char mission[VL_MISSION_MAX + 1],
		      uint8_t bytes[32]);
void vl_key_line_write(const char *id, const uint8_t bytes[32], char line[VL_KEY_LINE]);

/* The reason for `errno`, with the file's name. */
enum vl_err vl_key_file_error(struct vl_why *why, const char *name);

#endif

/*
 * Files of settings: the one reader for our own configuration and for librdkafka's properties.
 *
 * A line is `[section]`, `KEY = VALUE`, `KEY: VALUE`, a comment that begins with '#', ';' or '!',
 * or empty. Blanks around a key and a value do not count, nor does a byte order mark, nor CR LF.
 * The value is the whole rest of the line: it may hold '=', ':', ';' and '#'. Only a value that
 * ends with a comma goes on in an indented line below. A line may have 64 kB.
 *
 * The library inih is not used. Debian's reads 198 characters a line and cuts values at " ;". It
 * also takes an indented line for a second value of the same key.
 *
 * Next: bus/batch.h, what the bag carries.
 */
#ifndef VALISE_BASE_INI_H
#define VALISE_BASE_INI_H

#include "base/err.h"

#define VL_INI_LINE_MAX ((size_t)65536)

/* One setting. `section` is "" before the first. The texts are valid during the call. */
struct vl_ini_item {
	int line;
	const char *section, *key, *value;
};

/* Takes one setting; an error ends the reading. */
typedef enum vl_err vl_ini_take(void *context, const struct vl_ini_item *item, struct vl_why *why);

/* Read a file. CONFIG, with the line's number, if a line is none of the above. PERMISSION if the
 * file may not be read. Else the result of `take`. */
enum vl_err vl_ini_read(const char *path, vl_ini_take *take, void *context,
			struct vl_why *why) VL_CHECKED;

#endif

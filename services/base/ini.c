#include "base/ini.h"

#include "base/buf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define BLANKS " \t\r\n\v\f"

struct reader {
	FILE *file;
	char *text; /* the line at hand */
	size_t room;
	int line;
	char section[128];
	vl_ini_take *take;
	void *context;
	struct vl_why *why;
};

/* Without blanks at its ends. */
static char *trim(char *text)
{
	text += strspn(text, BLANKS);
	size_t length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
		text[--length] = '\0';
	return text;
}

static enum vl_err refuse(const struct reader *r, const char *reason)
{
	return vl_fail(r->why, VL_ERR_CONFIG, "line %d %s", r->line, reason);
}

/* The next line; END behind the last. */
static enum vl_err next_line(struct reader *r)
{
	errno = 0;
	ssize_t length = getline(&r->text, &r->room, r->file);

	if (length < 0)
		return feof(r->file) ? VL_ERR_END
				     : vl_fail(r->why, VL_ERR_CONFIG, "%s", strerror(errno));
	r->line++;
	if ((size_t)length > VL_INI_LINE_MAX)
		return refuse(r, "is longer than 64 kB");
	if (strlen(r->text) != (size_t)length)
		return refuse(r, "holds a NUL character: is the file UTF-16? save it as UTF-8");
	if (r->line == 1 && strncmp(r->text, BYTE_ORDER_MARK, 3) == 0)
		memmove(r->text, r->text + 3, (size_t)length - 2);
	return VL_OK;
}

static enum vl_err take_section(struct reader *r, char *text)
{
	char *end = strchr(text, ']');

	if (end == NULL || *trim(end + 1) != '\0')
		return refuse(r, "is neither [section], KEY = VALUE, nor a comment");
	*end = '\0';
	text = trim(text + 1);
	if (strlen(text) >= sizeof(r->section))
		return refuse(r, "names a section that is too long");
	(void)strcpy(r->section, text);
	return VL_OK;
}

/* A list that ends with a comma goes on below. `pending` says that `value` holds a setting of an
 * earlier line. */
static enum vl_err take_setting(struct reader *r, char *text, struct vl_buf *value, char key[256],
				bool *pending)
{
	char *end = strpbrk(text, "=:");

	if (end == NULL || end == text)
		return refuse(r, "is neither [section], KEY = VALUE, nor a comment");
	*end = '\0';
	const char *name = trim(text);
	if (strlen(name) >= 256)
		return refuse(r, "names a key that is too long");
	(void)strcpy(key, name);
	vl_buf_reset(value);
	vl_buf_put_text(value, trim(end + 1));
	*pending = true;
	return VL_OK;
}

static bool goes_on(struct vl_buf *value)
{
	return value->size > 0 && value->data[value->size - 1] == ',';
}

static enum vl_err hand_on(const struct reader *r, int line, const char *key, struct vl_buf *value)
{
	const struct vl_ini_item item = {line, r->section, key, vl_buf_text(value)};

	return vl_buf_failed(value) ? VL_ERR_NOMEM : r->take(r->context, &item, r->why);
}

static enum vl_err read_all(struct reader *r, struct vl_buf *value)
{
	char key[256];
	bool pending = false;
	int line = 0;
	enum vl_err err;

	while ((err = next_line(r)) == VL_OK) {
		bool indented = r->text[0] == ' ' || r->text[0] == '\t';
		char *text = trim(r->text);
		if (pending && indented && goes_on(value) && *text != '\0') {
			vl_buf_put_text(value, text);
			continue;
		}
		if (pending)
			err = hand_on(r, line, key, value);
		pending = false;
		line = r->line;
		if (err == VL_OK && *text == '[')
			err = take_section(r, text);
		else if (err == VL_OK && *text != '\0' && strchr("#;!", *text) == NULL)
			err = take_setting(r, text, value, key, &pending);
		if (err != VL_OK)
			return err;
	}
	if (err == VL_ERR_END)
		err = pending ? hand_on(r, line, key, value) : VL_OK;
	return err;
}

enum vl_err vl_ini_read(const char *path, vl_ini_take *take, void *context, struct vl_why *why)
{
	struct reader r = {.take = take, .context = context, .why = why};
	struct vl_buf value = {0};

	r.file = fopen(path, "re");
	if (r.file == NULL)
		return vl_fail(why, errno == EACCES ? VL_ERR_PERMISSION : VL_ERR_CONFIG, "%s",
			       strerror(errno));
	enum vl_err err = read_all(&r, &value);
	(void)fclose(r.file);
	free(r.text);
	vl_buf_free(&value);
	return err;
}

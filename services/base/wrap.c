#include "base/wrap.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH 80
#define WIDTH_MIN 40
#define WIDTH_MAX 100

size_t vl_wrap_width(int fd)
{
	struct winsize size;

	if (isatty(fd) == 0 || ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return WIDTH;
	return size.ws_col < WIDTH_MIN   ? WIDTH_MIN
	       : size.ws_col > WIDTH_MAX ? WIDTH_MAX
					 : size.ws_col;
}

/* Where the text of an item begins: behind its blanks, its name and a gap. 0 for an example. */
static size_t text_of_item(const char *line, size_t length)
{
	size_t at = strspn(line, " ");

	for (; at + 1 < length; at++)
		if (line[at] == ' ' && line[at + 1] == ' ')
			return at + strspn(line + at, " ");
	return 0;
}

struct wrapper {
	struct vl_buf *out;
	const char *mark;
	size_t width, hang; /* blanks in front of each line but the first */
	size_t column;
};

static void put(struct wrapper *w, const char *text, size_t length)
{
	vl_buf_put(w->out, text, length);
	w->column += length;
}

static void begin_line(struct wrapper *w, size_t blanks)
{
	vl_buf_put_text(w->out, w->mark);
	w->column = strlen(w->mark);
	for (size_t i = 0; i < blanks; i++)
		put(w, " ", 1);
}

static void put_words(struct wrapper *w, const char *text, size_t length)
{
	bool first = true;

	for (size_t at = 0; at < length; first = false) {
		at += strspn(text + at, " ");
		size_t word = strcspn(text + at, " \n");
		if (!first && w->column + 1 + word > w->width) {
			vl_buf_put_byte(w->out, '\n');
			begin_line(w, w->hang);
		} else if (!first) {
			put(w, " ", 1);
		}
		put(w, text + at, word);
		at += word;
	}
}

static void put_line(struct wrapper *w, const char *line, size_t length)
{
	size_t gap = line[0] == ' ' ? text_of_item(line, length) : 0;

	w->hang = gap < w->width / 2 ? gap : w->width / 2;
	if (length > 0)
		begin_line(w, 0);
	if (line[0] == ' ')
		put(w, line, gap > 0 ? gap : length);
	if (line[0] != ' ' || gap > 0)
		put_words(w, line + gap, length - gap);
	vl_buf_put_byte(w->out, '\n');
}

void vl_wrap(struct vl_buf *out, const char *text, const char *mark, size_t width)
{
	struct wrapper w = {.out = out, .mark = mark, .width = width};

	for (;;) {
		size_t length = strcspn(text, "\n");
		put_line(&w, text, length);
		if (text[length] == '\0')
			return;
		text += length + 1;
	}
}

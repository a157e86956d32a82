#include "base/log.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	const char *program;
	enum vl_log_level level;
	int journal;
} talk = {"valise", VL_LOG_INFO, 0};

void vl_log_open(const char *program, enum vl_log_level level)
{
	talk.program = program;
	talk.level = level;
	talk.journal = getenv("JOURNAL_STREAM") != NULL;
}

void vl_log(enum vl_log_level level, const char *format, ...)
{
	int keep = errno;
	char text[1024], line[1024];
	va_list args;

	if (level > talk.level)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)vl_printable(text, line, sizeof(line));
	if (talk.journal)
		(void)fprintf(stderr, "<%d>%s: %s\n", (int)level, talk.program, line);
	else
		(void)fprintf(stderr, "%s: %s\n", talk.program, line);
	errno = keep;
}

void vl_log_cannot(const char *verb, const char *object, const struct vl_why *why, enum vl_err err)
{
	vl_log_error("cannot %s '%s': %s", verb, object, vl_why_text(why, err));
}

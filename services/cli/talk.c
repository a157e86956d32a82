#include "cli/cli.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_MS 200

/* A program has one stdout, so what became of it is kept here. */
static int lost; /* errno of the first write that failed */
static int64_t next_progress;
static bool progress_shown;

bool cli_bold(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no_color == NULL || no_color[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0) && isatty(STDOUT_FILENO);
}

void cli_write(const void *bytes, size_t count)
{
	errno = 0;
	if (lost == 0 && count > 0 && fwrite(bytes, 1, count, stdout) != count)
		lost = errno != 0 ? errno : EIO;
}

void cli_hold_stops(sigset_t *before)
{
	sigset_t stops;

	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGTSTP);
	(void)sigaddset(&stops, SIGTTIN);
	(void)sigaddset(&stops, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stops, before);
}

void cli_let_stops(const sigset_t *before)
{
	(void)sigprocmask(SIG_SETMASK, before, NULL);
}

bool cli_flush(void)
{
	errno = 0;
	if (lost == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		lost = errno != 0 ? errno : EIO;
	return lost == 0;
}

int cli_finish(int code)
{
	(void)cli_flush();
	if (lost == 0 && fclose(stdout) != 0)
		lost = errno;
	if (lost == 0 || lost == EPIPE)
		return code;
	vl_log_error("cannot write 'stdout': %s", strerror(lost));
	return code != CLI_OK ? code : CLI_FAILED;
}

void cli_progress(const char *format, ...)
{
	int64_t now = vl_monotonic_ms();
	char line[120];
	va_list args;

	if (now < next_progress || !isatty(STDERR_FILENO) || isatty(STDOUT_FILENO))
		return;
	next_progress = now + PROGRESS_MS;
	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	(void)fprintf(stderr, "\r%-78s", line);
	progress_shown = true;
}

void cli_progress_end(void)
{
	if (progress_shown)
		(void)fprintf(stderr, "\r%78s\r", "");
	progress_shown = false;
}

int cli_exit_of(enum vl_err err)
{
	switch (err) {
	case VL_ERR_OK:
		return CLI_OK;
	case VL_ERR_USAGE:
	case VL_ERR_CONFIG:
		return CLI_USAGE;
	case VL_ERR_NOT_FOUND:
		return CLI_NOT_FOUND;
	case VL_ERR_UNSIGNED:
	case VL_ERR_BAD_HEADER:
	case VL_ERR_UNKNOWN_KEY:
	case VL_ERR_BAD_SIGNATURE:
	case VL_ERR_WRONG_MISSION:
	case VL_ERR_WRONG_LANE:
		return CLI_UNVERIFIED;
	case VL_ERR_UNREACHABLE:
	case VL_ERR_TIMEOUT:
		return CLI_UNREACHABLE;
	case VL_ERR_BUSY:
	case VL_ERR_FULL:
	case VL_ERR_END:
	case VL_ERR_EXISTS:
	case VL_ERR_NULL_VALUE:
	case VL_ERR_TOO_LARGE:
	case VL_ERR_DRILL:
	case VL_ERR_MALFORMED:
	case VL_ERR_UNKNOWN_TYPE:
	case VL_ERR_UNKNOWN_FIELD:
	case VL_ERR_INVALID:
	case VL_ERR_NIL_ID:
	case VL_ERR_ID_REUSED:
	case VL_ERR_PERMISSION:
	case VL_ERR_LOCKED:
	case VL_ERR_CORRUPT:
	case VL_ERR_VERSION:
	case VL_ERR_NOMEM:
	case VL_ERR_IO:
	case VL_ERR_OUTCOME_UNKNOWN:
	case VL_ERR_GONE:
	case VL_ERR_BUG:
	case VL_ERR_COUNT:
		break;
	}
	return CLI_FAILED;
}

int cli_cannot(const char *verb, const char *object, const struct vl_why *why, enum vl_err err)
{
	cli_progress_end();
	vl_log_cannot(verb, object, why, err);
	return cli_exit_of(err);
}

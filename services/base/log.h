/*
 * The log: one line for each report, on stderr. If stderr is systemd's journal, sd-daemon's <N>
 * level stands in front. A line never holds personal data, keys or payloads. Every function keeps
 * errno.
 *
 * Next: failpoint.h, where tests make a program fail.
 */
#ifndef VALISE_BASE_LOG_H
#define VALISE_BASE_LOG_H

#include "base/err.h"

enum vl_log_level { VL_LOG_ERROR = 3, VL_LOG_WARNING = 4, VL_LOG_INFO = 6, VL_LOG_DEBUG = 7 };

/* Set the name that stands before every line, and the least urgent level that is still printed.
 * Static text. */
void vl_log_open(const char *program, enum vl_log_level level);

void vl_log(enum vl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define vl_log_error(...) vl_log(VL_LOG_ERROR, __VA_ARGS__)
#define vl_log_warning(...) vl_log(VL_LOG_WARNING, __VA_ARGS__)
#define vl_log_info(...) vl_log(VL_LOG_INFO, __VA_ARGS__)
#define vl_log_debug(...) vl_log(VL_LOG_DEBUG, __VA_ARGS__)

/* `program: cannot VERB 'OBJECT': reason`, at level error. `object` is made printable. */
void vl_log_cannot(const char *verb, const char *object, const struct vl_why *why, enum vl_err err);

#endif

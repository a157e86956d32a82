/*
 * An answer in rows, gathered before it is printed: as a table, as one JSON object a line, or as
 * CSV.
 *
 * CSV follows RFC 4180: a line of titles, CR LF, quotes if needed. Spreadsheets take a text that
 * begins with = + - or @ for a formula. So such a text, unless it is a number, gets an apostrophe
 * in front. JSON is exact. Characters that a terminal may obey are '?' in CSV, as in tables.
 *
 * Next: zone.h, times for people.
 */
#ifndef VALISE_CLI_ANSWER_H
#define VALISE_CLI_ANSWER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum cli_format { CLI_TABLE, CLI_JSON, CLI_CSV };

/* The most bytes of an answer that a verb keeps. */
#define CLI_ANSWER_MOST ((size_t)256 << 20)

struct cli_answer;

/* It keeps `most` bytes at most. NULL when out of memory. */
struct cli_answer *cli_answer_open(enum cli_format format, size_t most);
void cli_answer_close(struct cli_answer *answer);

/* The titles, copied. A JSON name that comes again gets its number behind it: key, key_2. Call
 * it once, and first. */
void cli_answer_titles(struct cli_answer *answer, const char *const *titles, size_t n);

/* The next value, row by row. */
void cli_answer_text(struct cli_answer *answer, struct vl_bytes text);
void cli_answer_number(struct cli_answer *answer, int64_t number);
void cli_answer_real(struct cli_answer *answer, double number);
void cli_answer_yesno(struct cli_answer *answer, bool yes);
void cli_answer_none(struct cli_answer *answer);

/* False if it is larger than `most`, or memory ended: then it is not whole, and must not be
 * printed. */
bool cli_answer_whole(const struct cli_answer *answer);

void cli_answer_print(struct cli_answer *answer, bool bold, struct vl_buf *out);

/* One cell of CSV. */
void cli_csv_text(struct vl_buf *out, struct vl_bytes text);

#endif

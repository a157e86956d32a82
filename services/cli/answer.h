/*
 * An answer in rows, gathered before it is printed: as a table, as one JSON object a line, or as
 * CSV.
 *
 * CSV is RFC 4180's: a line of titles, CR LF, quotes where they are needed. It is for
 * spreadsheets, which take a text that begins with = + - or @ for a formula: such a text, unless
 * it is a number, gets an apostrophe in front. JSON is exact. What a terminal may obey is '?' in
 * CSV as in tables.
 */
#ifndef VALISE_CLI_ANSWER_H
#define VALISE_CLI_ANSWER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum cli_format { CLI_TABLE, CLI_JSON, CLI_CSV };

/* Bytes of an answer that a verb keeps. */
#define CLI_ANSWER_MOST ((size_t)256 << 20)

struct cli_answer;

/* That keeps so many bytes at most. NULL when out of memory. */
struct cli_answer *cli_answer_open(enum cli_format format, size_t most);
void cli_answer_close(struct cli_answer *answer);

/* The titles, copied; a JSON name that comes again has its number behind it: key, key_2. Once,
 * and first. */
void cli_answer_titles(struct cli_answer *answer, const char *const *titles, size_t n);

/* The next value, row by row. */
void cli_answer_text(struct cli_answer *answer, struct vl_bytes text);
void cli_answer_number(struct cli_answer *answer, int64_t number);
void cli_answer_real(struct cli_answer *answer, double number);
void cli_answer_yesno(struct cli_answer *answer, bool yes);
void cli_answer_none(struct cli_answer *answer);

/* False where it is larger than is kept, or out of memory: then it is not whole, and is not to
 * be printed. */
bool cli_answer_whole(const struct cli_answer *answer);

void cli_answer_print(struct cli_answer *answer, bool bold, struct vl_buf *out);

/* One cell of CSV. */
void cli_csv_text(struct vl_buf *out, struct vl_bytes text);

#endif

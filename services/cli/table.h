/*
 * Tables for people: aligned columns of UTF-8. Wide characters count as two columns, and control
 * characters are replaced by '?'.
 *
 * Next: answer.h, rows as table, JSON or CSV.
 */
#ifndef VALISE_CLI_TABLE_H
#define VALISE_CLI_TABLE_H

#include "base/buf.h"

#include <stdbool.h>

#define CLI_COLUMNS 512

/* The number of terminal columns of a text. */
size_t cli_width(const char *text, size_t length);

/* Append a cell, made printable and padded to `width`; on the left if `right`. An empty one is
 * "-". */
void cli_cell(struct vl_buf *out, const char *text, size_t length, size_t width, bool right);

/* A table whose cells are all known before the first line is printed. */
struct cli_table;

/* Up to CLI_COLUMNS titles, which must outlive the table. NULL when out of memory. */
struct cli_table *cli_table_open(const char *const *titles, size_t count);
void cli_table_close(struct cli_table *table);

/* The next cell, row by row. */
void cli_table_put(struct cli_table *table, const char *text);
void cli_table_put_bytes(struct cli_table *table, struct vl_bytes text);
void cli_table_printf(struct cli_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Append titles (bold if requested) and rows. Columns of numbers are aligned to the right; the
 * last column is not padded. A column is at most 48 wide: a longer cell moves the rest of its
 * own line alone. */
void cli_table_print(const struct cli_table *table, bool bold, struct vl_buf *out);

/* False if memory ended since open: then the table is not whole. */
bool cli_table_whole(const struct cli_table *table);

/* A table that is printed while its rows come: column i is at least as wide as its title and
 * widths[i]. */
struct cli_stream_column {
	const char *title;
	size_t width;
};
void cli_stream_titles(const struct cli_stream_column *columns, size_t count, bool bold,
		       struct vl_buf *out);
void cli_stream_row(const struct cli_stream_column *columns, size_t count,
		    const struct vl_bytes *cells, struct vl_buf *out);

#endif

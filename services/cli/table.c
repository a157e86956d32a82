#include "cli/table.h"

#include "base/text.h"

#include <locale.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define GAP 2

/* A column is no wider: a longer cell moves what follows in its own line alone. */
#define WIDTH_MOST ((size_t)48)

/* As the C library has it, which most terminals go by; it needs a locale that knows Unicode,
 * whatever the user's is. */
static size_t character_width(uint32_t c)
{
	static locale_t unicode;

	if (c < 0x80)
		return 1;
	if (unicode == (locale_t)0)
		unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (unicode == (locale_t)0)
		return 1;
	locale_t before = uselocale(unicode);
	int width = wcwidth((wchar_t)c);
	(void)uselocale(before);
	return width < 0 ? 1 : (size_t)width;
}

/* One character or one bad byte at `s`: how long it is, how wide, and whether it may be shown. */
static size_t measure(const char *s, size_t left, size_t *width, bool *safe)
{
	size_t length;
	uint32_t c = vl_character(s, left, &length);

	*safe = !vl_character_unsafe(c);
	*width = *safe ? character_width(c) : 1;
	return length;
}

size_t cli_width(const char *text, size_t length)
{
	size_t total = 0, width;
	bool safe;

	for (size_t i = 0; i < length; total += width)
		i += measure(text + i, length - i, &width, &safe);
	return total;
}

static void pad(struct vl_buf *out, size_t count)
{
	while (count-- > 0)
		vl_buf_put_byte(out, ' ');
}

static void put_printable(struct vl_buf *out, const char *text, size_t length)
{
	size_t width, step;
	bool safe;

	for (size_t i = 0; i < length; i += step) {
		step = measure(text + i, length - i, &width, &safe);
		vl_buf_put(out, safe ? text + i : "?", safe ? step : 1);
	}
}

void cli_cell(struct vl_buf *out, const char *text, size_t length, size_t width, bool right)
{
	if (length == 0) {
		text = "-";
		length = 1;
	}
	size_t taken = cli_width(text, length), space = width > taken ? width - taken : 0;
	if (right)
		pad(out, space);
	put_printable(out, text, length);
	if (!right)
		pad(out, space);
}

/* -- tables that wait -- */

struct cli_table {
	const char *titles[CLI_COLUMNS];
	size_t n_columns;
	struct vl_buf text; /* the cells one after another */
	struct vl_buf ends; /* where each of them ends; size_t */
};

struct cli_table *cli_table_open(const char *const *titles, size_t count)
{
	struct cli_table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->n_columns = count < CLI_COLUMNS ? count : CLI_COLUMNS;
	for (size_t i = 0; i < table->n_columns; i++)
		table->titles[i] = titles[i];
	return table;
}

void cli_table_close(struct cli_table *table)
{
	if (table == NULL)
		return;
	vl_buf_free(&table->text);
	vl_buf_free(&table->ends);
	free(table);
}

void cli_table_put_bytes(struct cli_table *table, struct vl_bytes text)
{
	vl_buf_put(&table->text, text.data, text.size);
	size_t end = table->text.size;
	vl_buf_put(&table->ends, &end, sizeof(end));
}

void cli_table_put(struct cli_table *table, const char *text)
{
	cli_table_put_bytes(table, vl_bytes_of(text));
}

void cli_table_printf(struct cli_table *table, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_table_put(table, text);
}

bool cli_table_whole(const struct cli_table *table)
{
	return !vl_buf_failed(&table->text) && !vl_buf_failed(&table->ends);
}

static size_t n_cells(const struct cli_table *table)
{
	return table->ends.size / sizeof(size_t);
}

static struct vl_bytes cell_at(const struct cli_table *table, size_t i)
{
	const size_t *ends = (const size_t *)(const void *)table->ends.data;
	size_t start = i > 0 ? ends[i - 1] : 0;

	return (struct vl_bytes){table->text.data + start, ends[i] - start};
}

static bool is_number(struct vl_bytes cell)
{
	for (size_t i = 0; i < cell.size; i++) {
		if ((cell.data[i] < '0' || cell.data[i] > '9') && cell.data[i] != '-')
			return false;
	}
	return true;
}

void cli_table_print(const struct cli_table *table, bool bold, struct vl_buf *out)
{
	size_t widths[CLI_COLUMNS], columns = table->n_columns;
	bool right[CLI_COLUMNS];

	for (size_t c = 0; c < columns; c++) {
		widths[c] = cli_width(table->titles[c], strlen(table->titles[c]));
		right[c] = n_cells(table) > c;
	}
	for (size_t i = 0; i < n_cells(table); i++) {
		struct vl_bytes cell = cell_at(table, i);
		size_t width = cli_width((const char *)cell.data, cell.size);
		if (width > WIDTH_MOST)
			width = WIDTH_MOST;
		if (width > widths[i % columns])
			widths[i % columns] = width;
		right[i % columns] = right[i % columns] && is_number(cell);
	}
	vl_buf_put_text(out, bold ? "\033[1m" : "");
	for (size_t c = 0; c < columns; c++) {
		bool last = c + 1 == columns;
		cli_cell(out, table->titles[c], strlen(table->titles[c]),
			 last && !right[c] ? 0 : widths[c], right[c]);
		pad(out, last ? 0 : GAP);
	}
	vl_buf_put_text(out, bold ? "\033[0m\n" : "\n");
	for (size_t i = 0; i < n_cells(table); i++) {
		struct vl_bytes cell = cell_at(table, i);
		size_t c = i % columns;
		bool last = c + 1 == columns;
		cli_cell(out, (const char *)cell.data, cell.size, last && !right[c] ? 0 : widths[c],
			 right[c]);
		pad(out, last ? 0 : GAP);
		if (last)
			vl_buf_put_byte(out, '\n');
	}
}

/* -- tables that do not wait -- */

static size_t width_of(const struct cli_stream_column *column)
{
	size_t title = strlen(column->title);

	return title > column->width ? title : column->width;
}

void cli_stream_row(const struct cli_stream_column *columns, size_t count,
		    const struct vl_bytes *cells, struct vl_buf *out)
{
	for (size_t c = 0; c < count; c++) {
		bool last = c + 1 == count;
		cli_cell(out, (const char *)cells[c].data, cells[c].size,
			 last ? 0 : width_of(&columns[c]), false);
		pad(out, last ? 0 : GAP);
	}
	vl_buf_put_byte(out, '\n');
}

void cli_stream_titles(const struct cli_stream_column *columns, size_t count, bool bold,
		       struct vl_buf *out)
{
	struct vl_bytes titles[CLI_COLUMNS];

	for (size_t c = 0; c < count && c < CLI_COLUMNS; c++)
		titles[c] = vl_bytes_of(columns[c].title);
	vl_buf_put_text(out, bold ? "\033[1m" : "");
	cli_stream_row(columns, count < CLI_COLUMNS ? count : CLI_COLUMNS, titles, out);
	if (bold)
		vl_buf_put_text(out, "\033[0m");
}

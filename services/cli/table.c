#include "cli/table.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define GAP 2

struct span {
	uint32_t from, to;
};

/* East Asian wide and full-width, and pictographs (Unicode 15, EastAsianWidth W and F, runs joined). */
static const struct span wide[] = {
	{0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
	{0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
	{0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x17000, 0x18cff}, {0x1b000, 0x1b2ff},
	{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

/* Marks that stand on the letter before them. */
static const struct span thin[] = {
	{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f}, {0x0e34, 0x0e3a},
	{0x0e47, 0x0e4e}, {0x200b, 0x200f}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

/* What a terminal may obey instead of show: controls, and marks that turn the direction of what follows. */
static const struct span unsafe[] = {
	{0x0000, 0x001f},
	{0x007f, 0x009f},
	{0x2028, 0x202e},
	{0x2066, 0x2069},
};

static bool within(const struct span *spans, size_t count, uint32_t c)
{
	for (size_t i = 0; i < count; i++) {
		if (c >= spans[i].from && c <= spans[i].to)
			return true;
	}
	return false;
}

/* The next character of valid UTF-8, and its length. */
static uint32_t next(const uint8_t *s, size_t *length)
{
	*length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = *length == 1 ? s[0] : s[0] & (0xffU >> (*length + 1));
	for (size_t i = 1; i < *length; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

/* One character or one bad byte at `s`: how long it is, how wide, and whether it may be shown. */
static size_t measure(const uint8_t *s, size_t left, size_t *width, bool *safe)
{
	size_t good = 0, length;

	*width = 1;
	*safe = false;
	if (s[0] == 0 || (!vl_utf8_valid(s, left < 4 ? left : 4, &good) && good == 0))
		return 1;
	uint32_t c = next(s, &length);
	*safe = !within(unsafe, N_OF(unsafe), c);
	if (*safe)
		*width = within(thin, N_OF(thin), c) ? 0 : within(wide, N_OF(wide), c) ? 2 : 1;
	return length;
}

size_t cli_width(const char *text, size_t length)
{
	size_t total = 0, width;
	bool safe;

	for (size_t i = 0; i < length; total += width)
		i += measure((const uint8_t *)text + i, length - i, &width, &safe);
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
		step = measure((const uint8_t *)text + i, length - i, &width, &safe);
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
		if (width > widths[i % columns])
			widths[i % columns] = width;
		right[i % columns] = right[i % columns] && is_number(cell);
	}
	vl_buf_put_text(out, bold ? "\033[1m" : "");
	for (size_t c = 0; c < columns; c++) {
		bool last = c + 1 == columns;
		cli_cell(out, table->titles[c], strlen(table->titles[c]), last && !right[c] ? 0 : widths[c], right[c]);
		pad(out, last ? 0 : GAP);
	}
	vl_buf_put_text(out, bold ? "\033[0m\n" : "\n");
	for (size_t i = 0; i < n_cells(table); i++) {
		struct vl_bytes cell = cell_at(table, i);
		size_t c = i % columns;
		bool last = c + 1 == columns;
		cli_cell(out, (const char *)cell.data, cell.size, last && !right[c] ? 0 : widths[c], right[c]);
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

void cli_stream_row(const struct cli_stream_column *columns, size_t count, const struct vl_bytes *cells,
		    struct vl_buf *out)
{
	for (size_t c = 0; c < count; c++) {
		bool last = c + 1 == count;
		cli_cell(out, (const char *)cells[c].data, cells[c].size, last ? 0 : width_of(&columns[c]), false);
		pad(out, last ? 0 : GAP);
	}
	vl_buf_put_byte(out, '\n');
}

void cli_stream_titles(const struct cli_stream_column *columns, size_t count, bool bold, struct vl_buf *out)
{
	struct vl_bytes titles[CLI_COLUMNS];

	for (size_t c = 0; c < count && c < CLI_COLUMNS; c++)
		titles[c] = vl_bytes_of(columns[c].title);
	vl_buf_put_text(out, bold ? "\033[1m" : "");
	cli_stream_row(columns, count < CLI_COLUMNS ? count : CLI_COLUMNS, titles, out);
	if (bold)
		vl_buf_put_text(out, "\033[0m");
}

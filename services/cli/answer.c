#include "cli/answer.h"

#include "base/text.h"
#include "bus/json.h"
#include "cli/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers beyond this are texts in JSON, as many readers of JSON have no others. */
#define JSON_EXACT (INT64_C(1) << 53)

struct cli_answer {
	enum cli_format format;
	struct cli_table *table;
	char *titles[CLI_COLUMNS];
	size_t n_titles, at; /* the column of the next value */
	size_t in_table;     /* bytes */
	size_t most;
	struct vl_buf out;
	bool failed;
};

struct cli_answer *cli_answer_open(enum cli_format format, size_t most)
{
	struct cli_answer *a = calloc(1, sizeof(*a));

	if (a != NULL)
		*a = (struct cli_answer){.format = format, .most = most};
	return a;
}

void cli_answer_close(struct cli_answer *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n_titles; i++)
		free(a->titles[i]);
	cli_table_close(a->table);
	vl_buf_free(&a->out);
	free(a);
}

bool cli_answer_whole(const struct cli_answer *a)
{
	return !a->failed && !vl_buf_failed(&a->out) && a->out.size + a->in_table <= a->most &&
	       (a->table == NULL || cli_table_whole(a->table));
}

/* -- titles -- */

static bool is_taken(const struct cli_answer *a, const char *title)
{
	for (size_t i = 0; i < a->n_titles; i++)
		if (strcmp(a->titles[i], title) == 0)
			return true;
	return false;
}

static char *free_title(const struct cli_answer *a, const char *title)
{
	size_t room = strlen(title) + 24;
	char *made = malloc(room);

	if (made == NULL)
		return NULL;
	(void)snprintf(made, room, "%s", title);
	for (unsigned n = 2; a->format == CLI_JSON && is_taken(a, made); n++)
		(void)snprintf(made, room, "%s_%u", title, n);
	return made;
}

void cli_answer_titles(struct cli_answer *a, const char *const *titles, size_t n)
{
	a->failed = a->failed || n > CLI_COLUMNS || n == 0;
	for (size_t i = 0; i < n && !a->failed; i++) {
		a->titles[i] = free_title(a, titles[i]);
		a->failed = a->titles[i] == NULL;
		a->n_titles += !a->failed;
	}
	if (a->failed)
		return;
	if (a->format == CLI_TABLE) {
		a->table = cli_table_open((const char *const *)a->titles, n);
		a->failed = a->table == NULL;
	}
	for (size_t i = 0; a->format == CLI_CSV && i < n; i++)
		cli_answer_text(a, vl_bytes_of(titles[i]));
}

/* -- values -- */

static bool is_number(struct vl_bytes text)
{
	char copy[64], *end;

	if (text.size == 0 || text.size >= sizeof(copy))
		return false;
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	return strspn(copy, "+-.0123456789eE") == text.size && isfinite(strtod(copy, &end)) &&
	       *end == '\0';
}

/* = + - @, also as wide as the signs of Chinese, and blanks that a spreadsheet passes over. */
static bool is_formula(struct vl_bytes text)
{
	static const uint32_t signs[] = {'=', '+', '-', '@', 0xff1d, 0xff0b, 0xff0d, 0xff20};
	size_t at = 0, length = 1;

	while (at < text.size && (text.data[at] <= ' ' || text.data[at] == 0x7f))
		at++;
	if (at == text.size || is_number(text))
		return false;
	uint32_t c = vl_character(text.data + at, text.size - at, &length);
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (c == signs[i])
			return true;
	return false;
}

static bool needs_quotes(struct vl_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (strchr(",;\"\t\r\n", text.data[i]) != NULL)
			return true;
	return text.size > 0 && (text.data[0] == ' ' || text.data[text.size - 1] == ' ');
}

void cli_csv_text(struct vl_buf *out, struct vl_bytes text)
{
	bool quoted = needs_quotes(text);
	size_t length;

	vl_buf_put_text(out, quoted ? "\"" : "");
	vl_buf_put_text(out, is_formula(text) ? "'" : "");
	for (size_t i = 0; i < text.size; i += length) {
		uint32_t c = vl_character(text.data + i, text.size - i, &length);
		if (c == '"')
			vl_buf_put_text(out, "\"\"");
		else if (vl_character_unsafe(c) && c != '\n' && c != '\t')
			vl_buf_put_byte(out, '?');
		else
			vl_buf_put(out, text.data + i, length);
	}
	vl_buf_put_text(out, quoted ? "\"" : "");
}

static void put_csv(struct cli_answer *a, struct vl_bytes text, bool plain)
{
	vl_buf_put_text(&a->out, a->at > 0 ? "," : "");
	if (plain)
		vl_buf_put(&a->out, text.data, text.size);
	else
		cli_csv_text(&a->out, text);
	vl_buf_put_text(&a->out, a->at + 1 == a->n_titles ? "\r\n" : "");
}

static void put_json(struct cli_answer *a, struct vl_bytes text, bool plain)
{
	const char *title = a->titles[a->at];

	vl_buf_put_text(&a->out, a->at > 0 ? "," : "{");
	vl_json_print_text(&a->out, title, strlen(title));
	vl_buf_put_byte(&a->out, ':');
	if (plain)
		vl_buf_put(&a->out, text.data, text.size);
	else
		vl_json_print_text(&a->out, (const char *)text.data, text.size);
	vl_buf_put_text(&a->out, a->at + 1 == a->n_titles ? "}\n" : "");
}

/* `plain`: it is not to be quoted, or looked at. */
static void put(struct cli_answer *a, struct vl_bytes text, bool plain)
{
	if (!cli_answer_whole(a)) {
		a->failed = true;
		return;
	}
	if (a->format == CLI_JSON) {
		put_json(a, text, plain);
	} else if (a->format == CLI_CSV) {
		put_csv(a, text, plain);
	} else {
		cli_table_put_bytes(a->table, text);
		a->in_table += text.size + sizeof(size_t);
	}
	a->at = a->at + 1 == a->n_titles ? 0 : a->at + 1;
}

void cli_answer_text(struct cli_answer *a, struct vl_bytes text)
{
	put(a, text, false);
}

void cli_answer_number(struct cli_answer *a, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	put(a, vl_bytes_of(text),
	    a->format != CLI_JSON || (number < JSON_EXACT && number > -JSON_EXACT));
}

/* With the fewest digits that are read back as the same number. */
void cli_answer_real(struct cli_answer *a, double number)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%.15g", number);
	if (strtod(text, NULL) != number)
		(void)snprintf(text, sizeof(text), "%.17g", number);
	put(a, vl_bytes_of(text), isfinite(number) != 0);
}

void cli_answer_yesno(struct cli_answer *a, bool yes)
{
	const char *text = a->format == CLI_JSON ? (yes ? "true" : "false") : (yes ? "yes" : "no");

	put(a, vl_bytes_of(text), true);
}

void cli_answer_none(struct cli_answer *a)
{
	put(a, vl_bytes_of(a->format == CLI_JSON ? "null" : ""), true);
}

void cli_answer_print(struct cli_answer *a, bool bold, struct vl_buf *out)
{
	if (a->table != NULL)
		cli_table_print(a->table, bold, out);
	else
		vl_buf_put(out, a->out.data, a->out.size);
}

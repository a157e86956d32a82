/* SQL has words of its own that are names here: a lane is called case, a transfer goes from and
 * to. */
#include "ask/sql_in.h"

#include <ctype.h>
#include <string.h>

#define WORD_MOST 128
#define DEPTH_MOST 64

struct words {
	const struct vl_ask_tables *tables;
	const char *at;
	bool after_dot;
	bool after_from;          /* a table stands here */
	bool in_from[DEPTH_MOST]; /* within so many brackets: a comma goes on to the next table */
	unsigned depth;
	struct vl_buf *out;
};

static bool is_letter(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_inner(char c)
{
	return is_letter(c) || isdigit((unsigned char)c) || c == '$';
}

static const char *past_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n\f");
}

/* Past a text or name in quotes, at whose first quote we stand. */
static const char *past_quoted(const char *at, char end)
{
	for (at++; *at != '\0'; at++) {
		if (*at == end && at[1] == end && end != ']')
			at++;
		else if (*at == end)
			return at + 1;
	}
	return at;
}

static const char *past_comment(const char *at)
{
	const char *end = at[0] == '-' ? strchr(at, '\n') : strstr(at + 2, "*/");

	if (end == NULL)
		return at + strlen(at);
	return end + (at[0] == '-' ? 1 : 2);
}

static const char *past_word(const char *at)
{
	while (is_inner(*at))
		at++;
	return at;
}

/* Past a number, with the dots and signs in it. */
static const char *past_number(const char *at)
{
	while (is_inner(*at) || *at == '.' ||
	       ((*at == '+' || *at == '-') && tolower((unsigned char)at[-1]) == 'e'))
		at++;
	return at;
}

static void look_for_from(struct words *w, const char *word, bool named)
{
	static const char *const ends[] = {"select", "where", "group", "having",    "window",
					   "order",  "limit", "union", "intersect", "except"};

	w->after_from = !named && (strcasecmp(word, "from") == 0 || strcasecmp(word, "join") == 0);
	if (w->after_from)
		w->in_from[w->depth] = true;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && !named; i++)
		if (strcasecmp(word, ends[i]) == 0)
			w->in_from[w->depth] = false;
}

/* A sign of one character: brackets may hold tables, too, and a comma goes on with what was. */
static void look_at_sign(struct words *w, char sign)
{
	bool opens = sign == '(' && w->depth + 1 < DEPTH_MOST;

	if (opens) {
		w->depth++;
		w->in_from[w->depth] = w->after_from;
	} else if (sign == ')' && w->depth > 0) {
		w->depth--;
	}
	w->after_from = (opens && w->after_from) || (sign == ',' && w->in_from[w->depth]);
	w->after_dot = sign == '.';
}

static void put_word(struct words *w, const char *end)
{
	char word[WORD_MOST] = "";
	size_t length = (size_t)(end - w->at);
	const char *next = past_blanks(end);
	bool before_dot = *next == '.' && !isdigit((unsigned char)next[1]);
	bool named = false;

	if (length < sizeof(word)) {
		memcpy(word, w->at, length);
		word[length] = '\0';
		named = vl_ask_sql_reserved(word) &&
			(w->after_dot || before_dot ||
			 (w->after_from && vl_ask_table_named(w->tables, word) != NULL));
	}
	vl_buf_put_text(w->out, named ? "\"" : "");
	vl_buf_put(w->out, w->at, length);
	vl_buf_put_text(w->out, named ? "\"" : "");
	look_for_from(w, word, named);
	w->after_dot = false;
	w->at = end;
}

static const char *end_of_token(const char *at)
{
	if (*at == '\'' || *at == '"' || *at == '`')
		return past_quoted(at, *at);
	if (*at == '[')
		return past_quoted(at, ']');
	if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1])))
		return past_number(at);
	return at + 1;
}

void sql_quote_names(const struct vl_ask_tables *tables, const char *question, struct vl_buf *out)
{
	struct words w = {.tables = tables, .at = question, .out = out};

	while (*w.at != '\0') {
		const char *from = w.at;
		bool blank = false;
		if (is_letter(*w.at)) {
			put_word(&w, past_word(w.at));
			continue;
		}
		if ((w.at[0] == '-' && w.at[1] == '-') || (w.at[0] == '/' && w.at[1] == '*')) {
			w.at = past_comment(w.at);
			blank = true;
		} else if (past_blanks(w.at) > w.at) {
			w.at = past_blanks(w.at);
			blank = true;
		} else {
			w.at = end_of_token(w.at);
		}
		vl_buf_put(out, from, (size_t)(w.at - from));
		if (!blank)
			look_at_sign(&w, w.at == from + 1 ? *from : ' ');
	}
	vl_buf_put_byte(out, '\0');
}

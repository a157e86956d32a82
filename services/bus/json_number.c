#include "bus/json_number.h"

#include "base/buf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WRAP "#number"
#define PLAIN_DIGITS 18 /* so many fit a signed number of 64 bits */

/* The parts of a number's text. */
struct parts {
	bool minus;
	const char *whole, *fraction, *exponent; /* fraction and exponent may be empty */
	size_t n_whole, n_fraction, n_exponent;
	bool exponent_minus;
};

static size_t count_digits(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && at[n] >= '0' && at[n] <= '9')
		n++;
	return n;
}

/* RFC 8259: no plus, no leading zero, digits on both sides of the point. */
static bool split(const char *text, size_t length, struct parts *p)
{
	const char *at = text, *end = text + length;

	*p = (struct parts){.minus = length > 0 && *text == '-'};
	at += p->minus;
	p->whole = at;
	p->n_whole = count_digits(at, end);
	if (p->n_whole == 0 || (*at == '0' && p->n_whole > 1))
		return false;
	at += p->n_whole;
	if (at < end && *at == '.') {
		p->fraction = ++at;
		p->n_fraction = count_digits(at, end);
		if (p->n_fraction == 0)
			return false;
		at += p->n_fraction;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		p->exponent_minus = at < end && *at == '-';
		at += at < end && (*at == '-' || *at == '+');
		p->exponent = at;
		p->n_exponent = count_digits(at, end);
		if (p->n_exponent == 0)
			return false;
		at += p->n_exponent;
	}
	return at == end;
}

static bool push(uint64_t *size, unsigned digit)
{
	return !__builtin_mul_overflow(*size, 10, size) &&
	       !__builtin_add_overflow(*size, digit, size);
}

/* The i-th digit of all before the exponent. */
static unsigned digit_at(const struct parts *p, size_t i)
{
	return (unsigned)((i < p->n_whole ? p->whole[i] : p->fraction[i - p->n_whole]) - '0');
}

bool vl_json_parse_whole(const char *text, size_t length, struct vl_json_whole *number)
{
	struct parts p;
	int64_t exponent = 0;

	if (!split(text, length, &p))
		return false;
	*number = (struct vl_json_whole){.minus = p.minus};
	size_t n = p.n_whole + p.n_fraction;
	while (n > 1 && digit_at(&p, n - 1) == 0 && n > p.n_whole)
		n--;
	for (size_t i = 0; i < p.n_exponent && exponent < 1000000; i++)
		exponent = exponent * 10 + (p.exponent[i] - '0');
	if (p.exponent_minus)
		exponent = -exponent;
	/* So many digits stand before the point once it has moved. */
	int64_t before = (int64_t)p.n_whole + exponent;
	bool good = true;
	for (size_t i = 0; i < n && good; i++)
		good = (int64_t)i < before ? push(&number->size, digit_at(&p, i))
					   : digit_at(&p, i) == 0;
	for (int64_t i = (int64_t)n; i < before && good && number->size > 0; i++)
		good = push(&number->size, 0);
	return good;
}

/* -- wrapping -- */

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool loses_digits(const char *text, size_t length)
{
	struct parts p;

	return split(text, length, &p) &&
	       (p.fraction != NULL || p.exponent != NULL || p.n_whole > PLAIN_DIGITS);
}

/* What stands at `at`, up to the next token: a string, a number, or one character. */
static size_t token(const char *at, const char *end, bool *number)
{
	size_t n = 1;

	*number = *at == '-' || (*at >= '0' && *at <= '9');
	if (*number)
		while (at + n < end && in_number(at[n]))
			n++;
	if (*at != '"')
		return n;
	while (at + n < end && at[n] != '"')
		n += at[n] == '\\' && at + n + 1 < end ? 2 : 1;
	return at + n < end ? n + 1 : n;
}

void vl_json_wrap_numbers(const char **text, size_t *length, struct vl_arena *arena)
{
	struct vl_buf copy = {0};
	const char *end = *text + *length;
	bool number, any = false;
	size_t n;

	for (const char *at = *text; at < end && !any; at += n) {
		n = token(at, end, &number);
		any = number && loses_digits(at, n);
	}
	if (!any)
		return;
	for (const char *at = *text; at < end; at += n) {
		n = token(at, end, &number);
		bool wrap = number && loses_digits(at, n);
		if (wrap)
			vl_buf_put_text(&copy, "{\"" WRAP "\":\"");
		vl_buf_put(&copy, at, n);
		if (wrap)
			vl_buf_put_text(&copy, "\"}");
	}
	char *kept = vl_buf_failed(&copy)
			     ? NULL
			     : vl_arena_text(arena, (const char *)copy.data, copy.size);
	*length = copy.size;
	*text = kept;
	vl_buf_free(&copy);
}

/* The text of a wrapped number, or NULL. */
static const char *wrapped(const json_t *json)
{
	return json_is_object(json) && json_object_size(json) == 1
		       ? json_string_value(json_object_get(json, WRAP))
		       : NULL;
}

bool vl_json_is_number(const json_t *json)
{
	return json_is_number(json) || wrapped(json) != NULL;
}

bool vl_json_read_whole(const json_t *json, struct vl_json_whole *number)
{
	const char *text = json_is_string(json) ? json_string_value(json) : wrapped(json);

	if (text != NULL)
		return vl_json_parse_whole(text, strlen(text), number);
	if (!json_is_integer(json))
		return false;
	json_int_t n = json_integer_value(json);
	*number = (struct vl_json_whole){n < 0, n < 0 ? 0 - (uint64_t)n : (uint64_t)n};
	return true;
}

bool vl_json_read_double(const json_t *json, double *number)
{
	const char *text = wrapped(json);

	if (text == NULL && !json_is_number(json))
		return false;
	*number = text != NULL ? strtod(text, NULL) : json_number_value(json);
	return !isinf(*number);
}

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct vl_time system_now(void *context)
{
	(void)context;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct vl_time){.seconds = ts.tv_sec, .nanos = (int32_t)ts.tv_nsec};
}

const struct vl_clock vl_clock_system = {.now = system_now};

struct vl_time vl_clock_now(const struct vl_clock *clock)
{
	return clock->now(clock->context);
}

int64_t vl_monotonic_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int vl_time_compare(struct vl_time a, struct vl_time b)
{
	if (a.seconds != b.seconds)
		return a.seconds < b.seconds ? -1 : 1;
	return (a.nanos > b.nanos) - (a.nanos < b.nanos);
}

int64_t vl_time_ms(struct vl_time t)
{
	return t.seconds * 1000 + t.nanos / 1000000;
}

struct vl_time vl_time_from_ms(int64_t ms)
{
	int64_t seconds = ms / 1000 - (ms % 1000 < 0);
	return (struct vl_time){.seconds = seconds,
				.nanos = (int32_t)(ms - seconds * 1000) * 1000000};
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level
 * date algorithms"). */
static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, unsigned *m, unsigned *d)
{
	z += 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	*d = doy - (153 * mp + 2) / 5 + 1;
	*m = mp < 10 ? mp + 3 : mp - 9;
	*y = (int64_t)yoe + era * 400 + (*m <= 2);
}

const char *vl_time_format(struct vl_time t, char text[VL_TIME_TEXT])
{
	int64_t days = t.seconds / 86400 - (t.seconds % 86400 < 0);
	unsigned rest = (unsigned)(t.seconds - days * 86400);
	int64_t year;
	unsigned month, day;
	civil_from_days(days, &year, &month, &day);
	int n = snprintf(text, VL_TIME_TEXT, "%04d-%02u-%02uT%02u:%02u:%02u", (int)year, month, day,
			 rest / 3600, rest / 60 % 60, rest % 60);
	unsigned nanos = (unsigned)t.nanos;
	if (nanos % 1000 != 0)
		n += snprintf(text + n, VL_TIME_TEXT - (size_t)n, ".%09u", nanos);
	else if (nanos % 1000000 != 0)
		n += snprintf(text + n, VL_TIME_TEXT - (size_t)n, ".%06u", nanos / 1000);
	else if (nanos != 0)
		n += snprintf(text + n, VL_TIME_TEXT - (size_t)n, ".%03u", nanos / 1000000);
	(void)snprintf(text + n, VL_TIME_TEXT - (size_t)n, "Z");
	return text;
}

struct cursor {
	const char *at, *end;
	bool failed;
};

static int64_t digits(struct cursor *c, int count)
{
	int64_t value = 0;
	for (; count > 0 && !c->failed; count--) {
		if (c->at == c->end || *c->at < '0' || *c->at > '9')
			c->failed = true;
		else
			value = value * 10 + (*c->at++ - '0');
	}
	return value;
}

static bool literal(struct cursor *c, const char *either)
{
	for (; !c->failed && *either != '\0'; either++)
		if (c->at < c->end && *c->at == *either) {
			c->at++;
			return true;
		}
	c->failed = true;
	return false;
}

static int32_t fraction(struct cursor *c)
{
	int32_t nanos = 0, unit = 100000000;
	if (c->at == c->end || *c->at != '.')
		return 0;
	c->at++;
	const char *from = c->at;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && unit > 0; c->at++, unit /= 10)
		nanos += (*c->at - '0') * unit;
	if (c->at == from)
		c->failed = true;
	return nanos;
}

static int64_t offset_seconds(struct cursor *c)
{
	if (c->at < c->end && (*c->at == 'Z' || *c->at == 'z')) {
		c->at++;
		return 0;
	}
	int sign = c->at < c->end && *c->at == '-' ? -1 : 1;
	(void)literal(c, "+-");
	int64_t hours = digits(c, 2);
	(void)literal(c, ":");
	int64_t minutes = digits(c, 2);
	if (hours > 23 || minutes > 59)
		c->failed = true;
	return sign * (hours * 3600 + minutes * 60);
}

static unsigned month_days(int64_t year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return month == 2 && leap ? 29 : days[month - 1];
}

bool vl_time_parse(const char *text, size_t length, struct vl_time *t)
{
	struct cursor c = {text, text + length, false};
	int64_t year = digits(&c, 4);
	(void)literal(&c, "-");
	unsigned month = (unsigned)digits(&c, 2);
	(void)literal(&c, "-");
	unsigned day = (unsigned)digits(&c, 2);
	(void)literal(&c, "Tt ");
	int64_t hour = digits(&c, 2);
	(void)literal(&c, ":");
	int64_t minute = digits(&c, 2);
	(void)literal(&c, ":");
	int64_t second = digits(&c, 2);
	int32_t nanos = fraction(&c);
	int64_t offset = offset_seconds(&c);
	if (c.failed || c.at != c.end || year < 1 || month < 1 || month > 12 || day < 1 ||
	    day > month_days(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	t->seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
		     second - offset;
	t->nanos = nanos;
	return true;
}

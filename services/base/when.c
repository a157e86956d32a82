#include "base/when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATE_LENGTH 10
#define STATED_MOST ((size_t)40)

static bool parse_ago(const char *text, struct vl_time now, struct vl_time *time)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = {1, 60, 3600, 86400, 604800};
	char *end;

	errno = 0;
	long long n = strtoll(text, &end, 10);
	const char *unit = *end != '\0' && end[1] == '\0' ? strchr(units, *end) : NULL;
	if (unit == NULL || errno != 0 || n < 0 || n > 1000000000)
		return false;
	*time = (struct vl_time){now.seconds - n * seconds[unit - units], now.nanos};
	return true;
}

bool vl_when_stated(const char *text, size_t length, struct vl_time *time)
{
	char whole[STATED_MOST + sizeof("T00:00:00Z")];

	if (length < DATE_LENGTH || length > STATED_MOST || text[4] != '-')
		return false;
	if (length > DATE_LENGTH && vl_time_parse(text, length, time))
		return true;
	const char *rest = length == DATE_LENGTH ? "T00:00:00Z" : "Z";
	int n = snprintf(whole, sizeof(whole), "%.*s%s", (int)length, text, rest);
	return vl_time_parse(whole, (size_t)n, time);
}

bool vl_when_parse(const char *text, struct vl_time now, struct vl_time *time)
{
	size_t length = strlen(text);

	if (strcmp(text, "now") == 0) {
		*time = now;
		return true;
	}
	if (length == 0 || text[0] < '0' || text[0] > '9')
		return false;
	if (strspn(text, "0123456789") == length && length <= 15) {
		*time = vl_time_from_ms(strtoll(text, NULL, 10));
		return true;
	}
	if (length == DATE_LENGTH && text[4] == '-')
		return vl_when_stated(text, length, time);
	return vl_time_parse(text, length, time) || parse_ago(text, now, time);
}
